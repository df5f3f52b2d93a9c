//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package casefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks the whole file for this process, or fails with errHeld at once.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return errHeld
		}
		return os.NewSyscallError("flock", err)
	}
}

// unlock gives the lock up for all copies of the descriptor: a program that another thread is just starting holds one for a moment.
func unlock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_UN))
}
