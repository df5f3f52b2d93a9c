package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// TestDiskErrors requires of each error that a disk may give an exit code, what it means and what to do.
func TestDiskErrors(t *testing.T) {
	at := func(path string, errno syscall.Errno) error {
		return &fs.PathError{Op: "write", Path: path, Err: errno}
	}
	for _, c := range []struct {
		err     error
		next    string // begins so; "" for an error that is passed on
		meaning string // holds this
	}{
		{at("data/evidence/00001.warc.zst", syscall.EIO), "make sure that the disk is sound", "kept"},
		{at("work/lock", syscall.ENOSPC), "free space", "kept"},
		{at("work/lock", syscall.EDQUOT), "free space or have the limit raised", "kept"},
		{at("work/lock", syscall.EROFS), "make the file system writable", "kept"},
		{at("/cases/7/work/host", syscall.EMFILE), "allow the process more open files", "kept"},
		{at("/cases/7/work/host", syscall.ENOENT), "find out whether the folder of the case was moved or deleted", "kept"},
		{&os.LinkError{Op: "renameat", Old: "work/1", New: "data/1", Err: syscall.ENOENT}, "find out whether the folder", "kept"},
		{at("/cases/7", syscall.EACCES), "make the folder of the case and all in it writable", "kept"},
		{at("/cases/77", syscall.ENOENT), "", ""},
		{at("/etc/token", syscall.ENOENT), "", ""},
		{at("/etc/token", syscall.EACCES), "make the folder writable", "nothing was changed"},
		{bag.Problem{Kind: bag.Unreadable, Path: "data/x"}, "make sure that the disk is sound", "kept"},
		{fmt.Errorf("%w: file sync error: input/output error", casefile.ErrIndex), "make sure that the disk is sound and has space", "kept"},
		{&evidence.DamageError{Path: "data/checkpoints/5.note", Detail: "cannot be verified", Err: at("x", syscall.EIO)}, "make sure that the disk is sound", "kept"},
		{fmt.Errorf("segment 1: %w", evidence.ErrDeleted), "find out who deleted it", "gone"},
		{errors.New("something else"), "", ""},
	} {
		var e *cli.Error
		got := caseError(c.err, "/cases/7")
		if !errors.As(got, &e) {
			if c.next != "" {
				t.Errorf("%v is not explained", c.err)
			}
			continue
		}
		if c.next == "" || !strings.HasPrefix(e.Next, c.next) || !strings.Contains(e.Meaning, c.meaning) || e.Code != cli.Unexpected || !errors.Is(got, c.err) {
			t.Errorf("%v: %d, %q, %q", c.err, e.Code, e.Meaning, e.Next)
		}
	}
}

// full is an output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestFullOutput requires that a command whose output is lost does not end as if all were well.
func TestFullOutput(t *testing.T) {
	var stderr strings.Builder
	if code := run(t.Context(), nil, []string{"sources"}, cli.Streams{In: strings.NewReader(""), Out: full{}, Err: &stderr}); code != cli.Unexpected || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("it ends with %d: %s", code, stderr.String())
	}
}
