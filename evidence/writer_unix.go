//go:build unix

package evidence

import "syscall"

// deleted reports whether an open file has no name any more: somebody deleted it or the folder that it was in.
func deleted(f File) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0, nil
}
