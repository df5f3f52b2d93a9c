//go:build !linux && !darwin && !windows

package acquire

// freeSpace is not known on this system.
func freeSpace(string) (int64, error) { return -1, nil }
