//go:build unix

package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openFlags keeps an open from waiting for the other end of a FIFO that took the
// place of a key file.
const openFlags = syscall.O_NONBLOCK

// checkPrivate refuses a file or folder that has more permissions than widest, or
// another owner than this process.
func checkPrivate(info fs.FileInfo, widest fs.FileMode) error {
	if perm := info.Mode().Perm(); perm&^widest != 0 {
		return fmt.Errorf("%w: mode %04o, at most %04o", ErrKeyExposed, perm, widest)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%w: its owner cannot be told", ErrKeyExposed)
	}
	if uid := os.Geteuid(); int64(st.Uid) != int64(uid) {
		return fmt.Errorf("%w: user %d owns it, this is user %d", ErrKeyExposed, st.Uid, uid)
	}
	return nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
