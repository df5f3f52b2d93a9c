package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// File is an open file of a case. Write appends.
type File interface {
	io.ReaderAt
	io.WriteCloser
	Durable
}

// Durable is what makes a file's bytes last.
type Durable interface {
	Sync() error // of a folder: its names
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// Folder is the part of a file system that holds a case. Names are slash-separated and relative to the case. [OpenFolder]
// gives the real one; tests give folders that fail.
type Folder interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(from, to string) error
	FS() fs.FS
}

// Paths of a case folder (docs/container.md, section 6).
const (
	SegmentsPath    = "data/evidence"
	CheckpointsPath = "data/checkpoints"
	LedgerPath      = "data/ledger.db"
	PackageNotePath = "package.note"
	StampsPath      = "stamps" // what others add to a case
	WorkPath        = "work"
)

// SegmentPath is the file of segment n.
func SegmentPath(n int64) string { return fmt.Sprintf("%s/%05d.warc.zst", SegmentsPath, n) }

// SegmentNumber tells which segment a file name in [SegmentsPath] is, 0 if none.
func SegmentNumber(name string) int64 {
	digits, ok := strings.CutSuffix(name, ".warc.zst")
	n, err := strconv.ParseInt(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > 99_999 || path.Base(SegmentPath(n)) != name {
		return 0
	}
	return n
}

// NotePath is the file of the head over size entries.
func NotePath(size int64) string { return fmt.Sprintf("%s/%d.note", CheckpointsPath, size) }

// NoteSize tells which head a file name in [CheckpointsPath] is, -1 if none.
func NoteSize(name string) int64 {
	digits, ok := strings.CutSuffix(name, ".note")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || strconv.FormatInt(n, 10) != digits {
		return None
	}
	return n
}

// DiskFolder is a [Folder] of the operating system. os.Root keeps every name inside it.
type DiskFolder struct{ root *os.Root }

// OpenFolder opens the case folder at dir.
func OpenFolder(dir string) (*DiskFolder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &DiskFolder{root}, nil
}

// MakeFolder makes the folders of a new case below dir, which must be empty or not exist, and opens it.
func MakeFolder(dir string) (*DiskFolder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if left, err := os.ReadDir(dir); err != nil {
		return nil, err
	} else if len(left) > 0 {
		return nil, fmt.Errorf("folder %q is not empty", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{SegmentsPath, CheckpointsPath, WorkPath} {
		if err := root.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
	}
	f := &DiskFolder{root}
	for _, sub := range []string{".", "data"} {
		if err := syncFolder(f, sub); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// OpenFile opens or creates a file, or opens a folder for syncing.
func (d *DiskFolder) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := d.root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// Mkdir makes a folder for this account alone.
func (d *DiskFolder) Mkdir(name string) error { return d.root.Mkdir(name, 0o700) }

// Rename replaces one name by another.
func (d *DiskFolder) Rename(from, to string) error { return d.root.Rename(from, to) }

// FS is the folder for reading.
func (d *DiskFolder) FS() fs.FS { return d.root.FS() }

// Close frees the folder; files opened through it stay open.
func (d *DiskFolder) Close() error { return d.root.Close() }

// syncFolder makes the names in a folder durable.
func syncFolder(f Folder, name string) error {
	d, err := f.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("folder %q: %w", name, err)
	}
	if err := d.Sync(); err != nil {
		d.Close()
		return fmt.Errorf("folder %q: %w", name, err)
	}
	return d.Close()
}

// writeNew writes a file that must not exist yet, whole or not at all, and makes it durable.
func writeNew(f Folder, name string, content []byte) error {
	if _, err := fs.Stat(f.FS(), name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("file %q: %w", name, cmp.Or(err, fs.ErrExist))
	}
	return writeOver(f, name, content)
}

// writeOver writes a file by way of a temporary one in work/, so that the name holds the old or the new content, whole.
func writeOver(f Folder, name string, content []byte) error {
	temp := WorkPath + "/" + path.Base(name) + ".new"
	file, err := f.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := writeSync(file, content); err != nil {
		return fmt.Errorf("file %q: %w", temp, err)
	}
	return renameSync(f, temp, name)
}

func renameSync(f Folder, from, to string) error {
	if err := f.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(f, path.Dir(to))
}

func writeSync(file File, content []byte) error {
	_, err := file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}
