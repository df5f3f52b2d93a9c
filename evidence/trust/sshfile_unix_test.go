//go:build unix

package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestLockedKeyFileModes(t *testing.T) {
	k := testKey(t, "example.com/lab", 5)
	for _, umask := range []int{0, 0o022, 0o077} {
		path := keyPath(t)
		old := syscall.Umask(umask)
		err := WriteLockedKeyFile(path, k, []byte(passphrase))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range map[string]fs.FileMode{path: 0o600, path + ".pub": 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
			if info, err := os.Lstat(p); err != nil || info.Mode() != want {
				t.Errorf("umask %03o: mode of %s is %v (%v), want %v", umask, filepath.Base(p), info.Mode(), err, want)
			}
		}
	}
}

// TestLockedKeyFileExposed has one way for others to reach an encrypted key in each row: a passphrase does not make up for it.
func TestLockedKeyFileExposed(t *testing.T) {
	path := lockedKey(t, testKey(t, "example.com/lab", 5))
	mode := func(p string, m fs.FileMode) func() error { return func() error { return os.Chmod(p, m) } }
	for name, c := range map[string]struct{ expose, mend func() error }{
		"file 0640":   {mode(path, 0o640), mode(path, 0o600)},
		"file 0602":   {mode(path, 0o602), mode(path, 0o600)},
		"folder 0755": {mode(filepath.Dir(path), 0o755), mode(filepath.Dir(path), 0o700)},
		"file is a link": {func() error { return errors.Join(os.Rename(path, path+".real"), os.Symlink("default.real", path)) },
			func() error { return os.Rename(path+".real", path) }},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.expose(); err != nil {
				t.Fatal(err)
			}
			for _, read := range []func() error{
				func() error { _, err := UnlockKeyFile(path, saying(passphrase).unlock); return err },
				func() error { _, err := ReadKeyFileVKey(path); return err },
			} {
				if err := read(); !errors.Is(err, ErrKeyExposed) {
					t.Errorf("got %v, want ErrKeyExposed", err)
				}
			}
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadKeyFileVKey(path); err != nil {
				t.Errorf("mended: %v", err)
			}
		})
	}
	public := path + ".pub"
	for name, replace := range map[string]func() error{
		"a link":   func() error { return os.Symlink("default", public) },
		"a folder": func() error { return os.Mkdir(public, 0o700) },
		"a FIFO":   func() error { return syscall.Mkfifo(public, 0o600) },
	} {
		if err := errors.Join(os.RemoveAll(public), replace()); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeyFileVKey(path); !errors.Is(err, ErrKeyFile) {
			t.Errorf("public half is %s: %v, want ErrKeyFile", name, err)
		}
	}
}

func TestReadPassphraseFileExposed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620, 0o602, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, link} {
			if got, err := ReadPassphraseFile(p); got != nil || !errors.Is(err, ErrKeyExposed) {
				t.Errorf("mode %04o: %q, %v; want ErrKeyExposed", mode, got, err)
			}
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPassphraseFile(link); err != nil || string(got) != "secret" {
		t.Errorf("mode 0400 behind a link: %q, %v", got, err)
	}
	fifo := path + ".fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(fifo, []byte("secret\n"), 0o600) }()
	if got, err := ReadPassphraseFile(fifo); err != nil || string(got) != "secret" {
		t.Errorf("pipe: %q, %v", got, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
