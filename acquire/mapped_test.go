//go:build linux || darwin

package acquire

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/exhibit-dfir/exhibit/evidence/ledger"
)

// TestMapped reads behind the end of a file that stands in memory, which is what a disk that cannot be read looks like there.
func TestMapped(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 16); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, 1<<16, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	last := byte(0)
	err = mapped(func() error { last = m[1<<15]; return nil })
	if !errors.Is(err, ledger.ErrUnreadable) {
		t.Errorf("read %d and got %v", last, err)
	}
	if err := unix.Munmap(m); err != nil {
		t.Error(err)
	}
}
