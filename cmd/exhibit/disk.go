package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// What an error of the operating system means for a case that is there, and what to do once its cause is gone.
const (
	diskMeaning = "what was acknowledged before is kept; nothing that may not have reached the disk was acknowledged"
	diskAgain   = "run the same command again: it goes on from what is there"
)

// diskError explains an error of the operating system that a file of the case in dir brought; another it returns as it is.
func diskError(err error, dir, meaning, again string) error {
	if errors.Is(err, evidence.ErrDeleted) {
		return cli.Fail(cli.Unexpected, err, "what the file held is gone with it, and nothing was acknowledged since",
			"find out who deleted it; put a copy of the folder back, or acquire again into a new case")
	}
	next := diskHint(err, dir)
	if next == "" {
		return err
	}
	return cli.Fail(cli.Unexpected, err, meaning, next+", then "+again)
}

// diskHint says what to do about the cause of an error; "" if that cannot be told.
func diskHint(err error, dir string) string {
	const sound = "make sure that the disk is sound"
	var problem bag.Problem
	var errno syscall.Errno
	switch {
	case errors.As(err, &problem) && problem.Kind == bag.Unreadable:
		return sound
	case errors.As(err, &errno):
	case errors.Is(err, casefile.ErrIndex): // what stands in its way is in the text alone
		return sound + " and has space"
	default:
		return ""
	}
	switch errno {
	case syscall.EIO:
		return sound
	case syscall.ENOSPC:
		return "free space"
	case syscall.EDQUOT, syscall.EFBIG:
		return "free space or have the limit raised (`quota`, `ulimit -f`)"
	case syscall.EROFS:
		return "make the file system writable"
	case syscall.EMFILE, syscall.ENFILE:
		return "allow the process more open files (`ulimit -n`)"
	}
	if !inCase(err, dir) {
		return ""
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE:
		return "find out whether the folder of the case was moved or deleted while it was in use, and put it back"
	case syscall.EACCES, syscall.EPERM:
		return "make the folder of the case and all in it writable for this account"
	}
	return ""
}

// inCase reports whether an error names a file of the case in dir. What is opened through the folder itself is named without it.
func inCase(err error, dir string) bool {
	var file *fs.PathError
	var names *os.LinkError
	path := ""
	switch {
	case errors.As(err, &file):
		path = file.Path
	case errors.As(err, &names):
		path = names.New
	}
	for _, start := range []string{filepath.Clean(dir), "data", "work"} {
		if rest, ok := strings.CutPrefix(filepath.Clean(path), start); ok && (rest == "" || rest[0] == filepath.Separator) {
			return true
		}
	}
	return false
}
