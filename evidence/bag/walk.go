package bag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Limits bound what is read of a folder that may be hostile.
type Limits struct {
	Files int // files and folders, and lines of a manifest
	Depth int // of folders below the case folder
}

// DefaultLimits returns 250,000 files and 16 levels: heads and tokens of a case
// that was acquired for 80 days without a stop fit in, at one head a minute.
func DefaultLimits() Limits { return Limits{Files: 250_000, Depth: 16} }

// readAtOnce is the number of names that are read of a folder at a time.
const readAtOnce = 256

// A walker lists a case folder. It opens folders alone, and never a link.
type walker struct {
	ctx      context.Context
	fsys     fs.FS
	limits   Limits
	seen     int      // files and folders
	tags     []string // of the names in tagNames, those that are regular files
	payload  []string // regular files below data/
	beside   []string // package.note and regular files below custody/ and stamps/
	problems []Problem
}

// errStop ends a walk at a limit; the problem is reported.
var errStop = errors.New("limit reached")

func (w *walker) report(k Kind, path, detail string) {
	w.problems = append(w.problems, Problem{Kind: k, Path: path, Detail: detail})
}

// root lists the case folder. It fails when ctx ends or the folder itself cannot
// be read.
func (w *walker) root() error {
	entries, err := w.list(".")
	if errors.Is(err, errStop) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("case folder: %w", err)
	}
	for _, e := range entries {
		if err := w.top(e); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// top takes one name of the case folder itself.
func (w *walker) top(e fs.DirEntry) error {
	name := e.Name()
	switch name {
	case declarationName, infoName, manifestName, tagManifestName:
		if w.isFile(name, e) {
			w.tags = append(w.tags, name)
		}
	case packageNoteName:
		if w.isFile(name, e) {
			w.beside = append(w.beside, name)
		}
	case payloadDir:
		return w.below(name, e, &w.payload)
	case "custody", "stamps":
		return w.below(name, e, &w.beside)
	case "work":
		if !e.IsDir() {
			w.report(NotRegular, name, "it is a "+typeName(e.Type())+" and no folder")
		}
	default:
		w.report(Unlisted, name, "a case folder has no such "+typeName(e.Type()))
	}
	return nil
}

// below lists the folder e, of which the path is a top-level name.
func (w *walker) below(path string, e fs.DirEntry, files *[]string) error {
	if !e.IsDir() {
		w.report(NotRegular, path, "it is a "+typeName(e.Type())+" and no folder")
		return nil
	}
	return w.folder(path, 1, files)
}

// folder appends the regular files below dir to files.
func (w *walker) folder(dir string, depth int, files *[]string) error {
	if depth > w.limits.Depth {
		w.report(Limit, dir, fmt.Sprintf("more than %d levels of folders", w.limits.Depth))
		return nil
	}
	entries, err := w.list(dir)
	if err != nil {
		if errors.Is(err, errStop) || w.ctx.Err() != nil {
			return err
		}
		w.report(Unreadable, dir, err.Error())
		return nil
	}
	covered := files == &w.payload // a manifest lists what is in the folder
	if len(entries) == 0 && depth > 1 && covered {
		w.report(Unlisted, dir, "the folder is empty")
	}
	for _, e := range entries {
		path := dir + "/" + e.Name()
		if err := checkPath(path); err != nil && covered {
			w.report(Malformed, path, err.Error())
			continue
		}
		if e.IsDir() {
			if err := w.folder(path, depth+1, files); err != nil {
				return err
			}
		} else if w.isFile(path, e) {
			*files = append(*files, path)
		}
	}
	return nil
}

// isFile reports whether e is a regular file, and says so where it is not.
func (w *walker) isFile(path string, e fs.DirEntry) bool {
	if e.Type().IsRegular() {
		return true
	}
	w.report(NotRegular, path, "it is a "+typeName(e.Type())+" and no regular file")
	return false
}

// list returns the names in a folder, sorted. It reads them in portions, so that
// a folder with very many costs no more than the limit.
func (w *walker) list(dir string) ([]fs.DirEntry, error) {
	f, err := w.fsys.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: errors.New("not a folder")}
	}
	var all []fs.DirEntry
	for {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := d.ReadDir(readAtOnce)
		all = append(all, entries...)
		if w.seen += len(entries); w.seen > w.limits.Files {
			w.report(Limit, dir, fmt.Sprintf("more than %d files and folders", w.limits.Files))
			return nil, errStop
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			return nil, &fs.PathError{Op: "readdir", Path: dir, Err: io.ErrNoProgress}
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int {
		if a.Name() < b.Name() {
			return -1
		}
		return 1
	})
	return all, nil
}

// typeName says in words what a file is.
func typeName(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
