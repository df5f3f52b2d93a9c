//go:build unix

package bag

import "syscall"

// openFlags keeps an open from waiting for the other end of a FIFO that took the
// place of a file.
const openFlags = syscall.O_NONBLOCK
