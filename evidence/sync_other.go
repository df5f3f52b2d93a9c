//go:build !linux

package evidence

import (
	"os"
	"runtime"
)

type diskFile struct{ *os.File }

// Sync makes the file's bytes and length durable. Windows makes names durable by itself and cannot sync a folder.
func (f diskFile) Sync() error {
	if runtime.GOOS == "windows" {
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil
		}
	}
	return f.File.Sync()
}
