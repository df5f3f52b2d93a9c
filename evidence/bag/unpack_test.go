package bag

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// unpacked opens a packed case and unpacks it into a new folder.
func unpacked(t *testing.T, ctx context.Context, packed []byte) (string, error) {
	t.Helper()
	z, err := OpenZip(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return dir, Unpack(ctx, z, root)
}

// TestUnpack: the folder holds the same files, for their owner alone, and packs to the same bytes. What a sum does not fit is refused.
func TestUnpack(t *testing.T) {
	m := signedBag(t)
	whole := packed(t, m)
	dir, err := unpacked(t, t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found++
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(b, m[name].Data) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		if info, err := d.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		return nil
	})
	if err != nil || found != len(packedNames()) {
		t.Errorf("%d files, want %d, %v", found, len(packedNames()), err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := unpacked(t, ended, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	at := bytes.Index(whole, m["data/evidence/00001.warc.zst"].Data)
	whole[at] ^= 1
	var form *ZipError
	if _, err := unpacked(t, t.Context(), whole); !errors.As(err, &form) {
		t.Errorf("a file whose sum does not fit: %v", err)
	}
}
