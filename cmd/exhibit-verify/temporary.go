package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// noRoom says what to do where a temporary file of ours could not be made or written. Other errors stay as they are.
func noRoom(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || filepath.Dir(at.Path) != filepath.Clean(os.TempDir()) || !strings.HasPrefix(filepath.Base(at.Path), "exhibit-") {
		return err
	}
	return cli.Fail(cli.Unexpected, err, "nothing is wrong with the case; what was written so far is not all of it", "what does not fit into memory is sorted in temporary files: make room for them, or name another folder in TMPDIR")
}
