package cli

import (
	"fmt"
	"os"
	"path/filepath"
)

// WritePrivate puts the file that a flag names in place, whole, with mode 0600. An empty path is none. Another process that waits for the file sees it whole or not at all.
func WritePrivate(flag, path, text string) error {
	if path == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".exhibit-*")
	if err == nil {
		_, err = f.WriteString(text)
		if e := f.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		return Fail(Usage, fmt.Errorf("--%s: %w", flag, err), "", "name a file in a folder that can be written to")
	}
	return nil
}
