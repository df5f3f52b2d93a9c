package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// caseFiles is where a case is read from: a folder, or one file into which it is packed.
type caseFiles interface {
	fs.FS
	io.Closer
}

// giveCase says what PATH must be.
const giveCase = "give the folder of a case, the one that holds data/, or the file that `exhibit pack` made; - reads such a file from standard input"

// openFiles opens what PATH names. It fails with a [*bag.ZipError] where that is a packed case and not in the one form.
func openFiles(ctx context.Context, in io.Reader, path string) (caseFiles, error) {
	if path == "-" {
		f, err := spool(ctx, in)
		if err != nil {
			return nil, err
		}
		return openPacked(f, named(path))
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() {
		f, err := os.Open(path)
		if err != nil {
			return nil, cli.Fail(cli.Usage, pathError(err), "", giveCase)
		}
		return openPacked(&packedFile{File: f}, path)
	}
	folder, err := bag.OpenFolder(path)
	if err != nil {
		return nil, cli.Fail(cli.Usage, pathError(err), "", giveCase)
	}
	return folder, nil
}

// named is PATH in messages.
func named(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// packedCase is a packed case with the file that holds it.
type packedCase struct {
	*bag.Zip
	io.Closer
}

// openPacked opens a packed case and takes over its file.
func openPacked(f *packedFile, name string) (caseFiles, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !bag.IsZip(f, info.Size()) {
		f.Close()
		return nil, cli.Fail(cli.Usage, fmt.Errorf("%s: it is no packed case: it neither begins nor ends as one", name), "", giveCase)
	}
	z, err := bag.OpenZip(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &packedCase{z, f}, nil
}

// packedFile is an open file; temp is its name if it is to be removed.
type packedFile struct {
	*os.File
	temp string
}

func (f *packedFile) Close() error {
	err := f.File.Close()
	if f.temp != "" {
		err = errors.Join(err, os.Remove(f.temp))
	}
	return err
}

// spool keeps standard input in a temporary file that nobody else can read, because a check needs its end first.
func spool(ctx context.Context, in io.Reader) (*packedFile, error) {
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeCharDevice != 0 {
			return nil, cli.Fail(cli.Usage, errors.New("standard input is no packed case: it is a terminal or a device"), "", "redirect a file: `exhibit-verify check - < FILE`")
		}
	}
	temp, err := os.CreateTemp("", "exhibit-packed-*") // mode 0600
	if err != nil {
		return nil, spoolError(err)
	}
	f := &packedFile{File: temp, temp: temp.Name()}
	if os.Remove(f.temp) == nil { // not where an open file cannot be removed
		f.temp = ""
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(temp, in)
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done(): // a read that waits does not end with ctx
		err = ctx.Err()
	}
	if err != nil {
		return nil, spoolError(errors.Join(err, f.Close()))
	}
	return f, nil
}

func spoolError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return cli.Fail(cli.Unexpected, fmt.Errorf("standard input: %w", err), "nothing was checked",
		"it is kept in a temporary file: make room for it, name another folder in TMPDIR, or write it to a file and check that")
}
