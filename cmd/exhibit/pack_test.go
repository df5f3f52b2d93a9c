package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// TestWholeOrNothing writes files that fail on the way, and one whose name is taken in the meantime: nothing is left of them, and nothing replaced.
func TestWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "case.zip")
	full := &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
	if _, err := writeWhole(name, func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, full)
	}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a disk that fills: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if _, err := writeWhole(name, func(w io.Writer) error { return os.WriteFile(name, []byte("another's"), 0o600) }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that was taken: %v", err)
	}
	left, err := os.ReadDir(dir)
	if b, rerr := os.ReadFile(name); err != nil || rerr != nil || len(left) != 1 || string(b) != "another's" {
		t.Errorf("%d files are left, %v, and %q under the name, %v", len(left), err, b, rerr)
	}
	name = filepath.Join(dir, "second.zip")
	if size, err := writeWhole(name, func(w io.Writer) error {
		_, err := io.WriteString(w, "whole")
		return err
	}); size != 5 || err != nil {
		t.Errorf("%d bytes, %v", size, err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "whole" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestPackErrors: each failure ends with a code that fits it, says what became of the case and what to do.
func TestPackErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		next string
	}{
		{fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: "/elsewhere/c.zip", Err: syscall.ENOSPC}), cli.Unexpected, "free space, then run the same command again"},
		{&fs.PathError{Op: "read", Path: "data/ledger.db", Err: syscall.EIO}, cli.Unexpected, "make sure that the disk is sound"},
		{fmt.Errorf("%w: path %q", bag.ErrName, "custody/aux"), cli.Usage, "hand over the folder"},
		{context.Canceled, cli.Interrupted, "run the same command again"},
	} {
		var own *cli.Error
		if err := packError(c.err, "dir"); !errors.As(err, &own) || own.Code != c.code || !strings.Contains(own.Next, c.next) || !strings.Contains(own.Meaning, "the case is as it was") {
			t.Errorf("%v: %+v", c.err, own)
		}
	}
}
