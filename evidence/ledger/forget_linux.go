package ledger

import (
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// forget lets go of the pages of the file that the process has mapped, which count as its memory; what is needed again comes from the page cache. Inside a
// transaction the map stays where it is.
func forget(tx *bolt.Tx) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED) // if it fails, they stay
}
