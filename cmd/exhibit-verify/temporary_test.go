package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestNoRoom: an error of a temporary file says what to do, and no other error does.
func TestNoRoom(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nowhere"))
	_, missing := os.CreateTemp("", "exhibit-sort-*")
	full := &fs.PathError{Op: "write", Path: filepath.Join(os.TempDir(), "exhibit-sort-1"), Err: syscall.ENOSPC}
	for _, err := range []error{missing, full} {
		var told *cli.Error
		err = changed(fmt.Errorf("temporary file: %w", err))
		if !errors.As(err, &told) || told.Code != cli.Unexpected || told.Meaning == "" || told.Next == "" {
			t.Errorf("%v is not explained", err)
		}
	}
	for _, err := range []error{nil, errors.New("x"), &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, &fs.PathError{Op: "open", Path: filepath.Join(os.TempDir(), "records"), Err: syscall.ENOENT}} {
		if got := noRoom(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
