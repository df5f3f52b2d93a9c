package evidence

import (
	"os"

	"golang.org/x/sys/unix"
)

type diskFile struct{ *os.File }

// Sync makes the file's bytes and length durable (fdatasync); of a folder, its names.
func (f diskFile) Sync() error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return f.File.Sync()
	}
	for {
		switch err := unix.Fdatasync(int(f.Fd())); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
