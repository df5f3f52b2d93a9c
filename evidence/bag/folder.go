package bag

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Folder is a folder on disk as an [fs.FS] that gives out regular files and
// folders alone. It follows no link in the last element of a path and none that
// leads outside, and no FIFO keeps it waiting, also if the folder is changed in
// the meantime. Any number of goroutines may use it.
type Folder struct{ root *os.Root }

// OpenFolder opens the folder dir, which may be reached through a link.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root}, nil
}

// Close closes the folder; files opened through it stay open.
func (f *Folder) Close() error { return f.root.Close() }

// Open opens a regular file or a folder for reading.
func (f *Folder) Open(name string) (fs.File, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	before, err := f.root.Lstat(local)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() && !before.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is a %s", typeName(before.Mode()))}
	}
	file, err := f.root.OpenFile(local, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	after, err := file.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("it was replaced while it was opened")}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
