package casefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// spool is a temporary file in work/.
type spool struct{ *os.File }

func newSpool(dir string) (evidence.Spool, error) {
	f, err := os.CreateTemp(dir, "frame-*.spool") // 0600
	if err != nil {
		return nil, err
	}
	return spool{f}, nil
}

// Close removes the file.
func (s spool) Close() error { return errors.Join(s.File.Close(), os.Remove(s.Name())) }

// removeSpools removes what a process that was killed left in work/. The caller holds the lock.
func removeSpools(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, evidence.WorkPath, "*.spool"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
