//go:build unix

package bag

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestHostileFolder puts what is no file in the place of files. Opening a FIFO
// would hang, so that the test's end is part of what it shows.
func TestHostileFolder(t *testing.T) {
	fifo := func(p string) error { return syscall.Mkfifo(p, 0o600) }
	link := func(target string) func(string) error {
		return func(p string) error { return os.Symlink(target, p) }
	}
	socket := func(p string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	}
	for _, c := range []struct {
		path string
		what string
		make func(path string) error
	}{
		{"data/README.txt", "FIFO", fifo},
		{"bagit.txt", "FIFO", fifo},
		{"manifest-sha256.txt", "FIFO", fifo},
		{"package.note", "FIFO", fifo},
		{"custody/0001.note", "FIFO", fifo},
		{"bagit.txt", "socket", socket},
		{"data/README.txt", "link outside", link("/etc/hostname")},
		{"data/README.txt", "link to the same bytes", link("../same")},
		{"tagmanifest-sha256.txt", "link to a device", link("/dev/zero")},
		{"data", "link to a folder", link("/tmp")},
		{"data/evidence", "link to its parent", link("..")},
		{"data/evidence", "link to itself", link("evidence")},
		{"work", "link outside", link("/")},
	} {
		t.Run(c.what+" for "+c.path, func(t *testing.T) {
			dir := writeBag(t, testBag(t))
			path := filepath.Join(dir, filepath.FromSlash(c.path))
			if err := errors.Join(os.RemoveAll(path), c.make(path)); err != nil {
				t.Fatal(err)
			}
			r := check(t, openFolder(t, dir))
			if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Path == c.path && p.Kind == NotRegular }) {
				t.Errorf("not reported: %v", r.Problems)
			}
		})
	}
}

// TestFolderOpensNoFIFO opens one that the walk would not have found.
func TestFolderOpensNoFIFO(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "p"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := openFolder(t, dir).Open("p"); err == nil {
		f.Close()
		t.Error("a FIFO was opened")
	}
}
