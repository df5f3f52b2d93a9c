package killtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// folder is a case folder on disk that comes by a trap's points. With power set it models a loss of power and not only of the process: bytes stay in the memory of
// the process until they are synced, and die with it. Names last at once: that a name which was not synced is lost, too, package crashfs tries.
type folder struct {
	evidence.Folder
	trap  *trap
	power bool
	sync  func(*file) error // what Sync does; nil to flush. Planted bugs hook in here

	mu       sync.Mutex
	unsynced map[string]*content
}

// content is a file that has unsynced changes: the first base bytes of it on disk, then tail.
type content struct {
	base int64
	tail []byte
}

func openFolder(dir string, t *trap, power bool) (*folder, error) {
	real, err := evidence.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	return &folder{Folder: real, trap: t, power: power, unsynced: map[string]*content{}}, nil
}

func (f *folder) OpenFile(name string, flag int, perm fs.FileMode) (evidence.File, error) {
	var real evidence.File
	open := func() (err error) {
		real, err = f.Folder.OpenFile(name, flag, perm)
		return err
	}
	var err error
	if flag&os.O_CREATE != 0 {
		err = f.trap.around("create", name, open)
	} else {
		err = open()
	}
	if err != nil {
		return nil, err
	}
	if flag&os.O_TRUNC != 0 {
		f.mu.Lock()
		delete(f.unsynced, name)
		f.mu.Unlock()
	}
	return &file{File: real, f: f, name: name}, nil
}

func (f *folder) Rename(from, to string) error {
	return f.trap.around("rename to", to, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.unsynced, to)
		if c := f.unsynced[from]; c != nil {
			f.unsynced[to] = c
			delete(f.unsynced, from)
		}
		return f.Folder.Rename(from, to)
	})
}

// FS shows the files as the process sees them.
func (f *folder) FS() fs.FS {
	if !f.power {
		return f.Folder.FS()
	}
	return overlay{f.Folder.FS(), f}
}

// settle writes what was never synced, as a system does in its own time.
func (f *folder) settle() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for name, c := range f.unsynced {
		real, err := f.Folder.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
		if err == nil {
			err = errors.Join(c.write(real, c.tail), real.Close())
		}
		errs = append(errs, err)
	}
	clear(f.unsynced)
	return errors.Join(errs...)
}

// write gives a file on disk the content, with so much of its tail.
func (c *content) write(real evidence.File, tail []byte) error {
	info, err := real.Stat()
	if err == nil && info.Size() > c.base {
		err = real.Truncate(c.base)
	}
	if err == nil && len(tail) > 0 {
		_, err = real.Write(tail)
	}
	return err
}

// overlay is the file system with what is unsynced.
type overlay struct {
	fs.FS
	f *folder
}

func (o overlay) Open(name string) (fs.File, error) {
	o.f.mu.Lock()
	c := o.f.unsynced[name]
	o.f.mu.Unlock()
	if c == nil {
		return o.FS.Open(name)
	}
	whole, err := c.whole(func() (fs.File, error) { return o.FS.Open(name) })
	if err != nil {
		return nil, err
	}
	return fstest.MapFS{name: &fstest.MapFile{Data: whole, Mode: 0o600}}.Open(name)
}

// whole reads the content.
func (c *content) whole(open func() (fs.File, error)) ([]byte, error) {
	real, err := open()
	if err != nil {
		return nil, err
	}
	defer real.Close()
	b, err := io.ReadAll(io.LimitReader(real, c.base))
	return append(b, c.tail...), err
}

// file is an open file of a folder.
type file struct {
	evidence.File
	f    *folder
	name string
}

func (o *file) isFolder() bool {
	info, err := o.File.Stat()
	return err == nil && info.IsDir()
}

// change returns the content, which the caller is about to change; o.f.mu is held.
func (o *file) change() (*content, error) {
	if c := o.f.unsynced[o.name]; c != nil {
		return c, nil
	}
	info, err := o.File.Stat()
	if err != nil {
		return nil, err
	}
	c := &content{base: info.Size()}
	o.f.unsynced[o.name] = c
	return c, nil
}

func (o *file) Write(p []byte) (int, error) {
	n := 0
	return n, o.f.trap.around("write", o.name, func() (err error) {
		n, err = o.write(p)
		return err
	})
}

func (o *file) write(p []byte) (int, error) {
	if o.f.power {
		o.f.mu.Lock()
		defer o.f.mu.Unlock()
		c, err := o.change()
		if err != nil {
			return 0, err
		}
		c.tail = append(c.tail, p...)
		return len(p), nil
	}
	if o.f.trap.due(pointOf(amid, "write", o.name)) {
		_, _ = o.File.Write(p[:len(p)/2]) // whether it succeeds, nobody will learn
		o.f.trap.die()
	}
	return o.File.Write(p)
}

func (o *file) ReadAt(p []byte, off int64) (int, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	c := o.f.unsynced[o.name]
	if c == nil {
		return o.File.ReadAt(p, off)
	}
	whole, err := c.whole(func() (fs.File, error) { return o.f.Folder.FS().Open(o.name) })
	if err != nil {
		return 0, err
	}
	return bytes.NewReader(whole).ReadAt(p, off)
}

func (o *file) Stat() (fs.FileInfo, error) {
	if o.isFolder() {
		return o.File.Stat()
	}
	return fs.Stat(o.f.FS(), o.name)
}

func (o *file) Truncate(size int64) error {
	return o.f.trap.around("truncate", o.name, func() error {
		if !o.f.power {
			return o.File.Truncate(size)
		}
		o.f.mu.Lock()
		defer o.f.mu.Unlock()
		c, err := o.change()
		if err != nil {
			return err
		}
		c.tail = c.tail[:max(0, min(size-c.base, int64(len(c.tail))))]
		c.base = min(c.base, size)
		return nil
	})
}

func (o *file) Sync() error {
	name := o.name
	if o.isFolder() {
		name = strings.TrimSuffix(name, "/") + "/"
	}
	return o.f.trap.around("sync", name, func() error {
		if o.f.sync != nil {
			return o.f.sync(o)
		}
		return o.flush()
	})
}

// flush writes what is unsynced and syncs it.
func (o *file) flush() error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if c := o.f.unsynced[o.name]; c != nil {
		if len(c.tail) > 1 && o.f.trap.due(pointOf(amid, "sync", o.name)) {
			_ = c.write(o.File, c.tail[:len(c.tail)/2]) // whether it succeeds, nobody will learn
			o.f.trap.die()
		}
		if err := c.write(o.File, c.tail); err != nil {
			return err
		}
		delete(o.f.unsynced, o.name)
	}
	return o.File.Sync()
}
