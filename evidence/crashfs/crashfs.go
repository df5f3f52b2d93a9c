// Package crashfs is a case folder in memory that loses power on demand: what was written and not synced, and names whose
// folder was not synced, are gone afterwards, wholly or in part. Tests use it to stop a writer at every single operation.
package crashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
	"sync"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// ErrPowerLost is what every operation returns from the crash on.
var ErrPowerLost = errors.New("power lost")

// Survival says what a crash leaves of what was not synced.
type Survival int

// What a crash may leave: nothing unsynced, half of the unsynced bytes of each file, or everything, as a killed process leaves.
const (
	Nothing Survival = iota
	Half
	Everything
)

// Folder is the folder. It is safe for concurrent use.
type Folder struct {
	mu      sync.Mutex
	files   map[string]*content // as a process sees it
	durable map[string]*content // names as they are after a crash
	dirs    map[string]bool
	ops     int
	crashAt int
	failAt  map[int]error
	crashed bool
	trace   []string
}

type content struct {
	b      []byte
	synced []byte
}

// New returns an empty folder with the subfolders of a new case.
func New() *Folder {
	return &Folder{files: map[string]*content{}, durable: map[string]*content{}, failAt: map[int]error{}, crashAt: -1,
		dirs: map[string]bool{".": true, "data": true, evidence.SegmentsPath: true, evidence.CheckpointsPath: true, evidence.WorkPath: true}}
}

// CrashAt loses power before the n-th operation from now, counted from 0, takes effect.
func (f *Folder) CrashAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = f.ops + n
}

// FailAt makes the n-th operation from now fail with err; a write then writes half of its bytes.
func (f *Folder) FailAt(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt[f.ops+n] = err
}

// Ops is how many operations that change something there were.
func (f *Folder) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Trace lists those operations.
func (f *Folder) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trace
}

// Crashed tells whether power was lost.
func (f *Folder) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// Reboot returns the folder as it is found after a crash.
func (f *Folder) Reboot(s Survival) *Folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := New()
	n.dirs = maps.Clone(f.dirs)
	names := f.durable
	if s == Everything {
		names = f.files
	}
	for name, c := range names {
		b := c.synced
		extra := max(0, len(c.b)-len(c.synced))
		switch {
		case s == Everything:
			b = c.b
		case s == Half && strings.HasPrefix(string(c.b), string(c.synced)):
			b = c.b[:len(c.synced)+extra/2]
		}
		kept := &content{b: append([]byte(nil), b...), synced: append([]byte(nil), b...)}
		n.files[name], n.durable[name] = kept, kept
	}
	return n
}

// Restart returns the folder as the next process finds it where the process died and not the machine: what was written is there, and what was not synced
// is still not.
func (f *Folder) Restart() *Folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := New()
	n.dirs = maps.Clone(f.dirs)
	kept := map[*content]*content{}
	keep := func(c *content) *content {
		if kept[c] == nil {
			kept[c] = &content{b: append([]byte(nil), c.b...), synced: append([]byte(nil), c.synced...)}
		}
		return kept[c]
	}
	for name, c := range f.files {
		n.files[name] = keep(c)
	}
	for name, c := range f.durable {
		n.durable[name] = keep(c)
	}
	return n
}

// Files returns a copy of all files.
func (f *Folder) Files() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string][]byte{}
	for name, c := range f.files {
		out[name] = append([]byte(nil), c.b...)
	}
	return out
}

// Put writes a file past all counting, as something outside the program would.
func (f *Folder) Put(name string, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &content{b: append([]byte(nil), b...), synced: append([]byte(nil), b...)}
	f.files[name], f.durable[name] = c, c
}

// step counts an operation and tells how it ends.
func (f *Folder) step(what, name string) error {
	if f.crashed {
		return ErrPowerLost
	}
	n := f.ops
	f.ops++
	f.trace = append(f.trace, what+" "+name)
	if n == f.crashAt {
		f.crashed = true
		return ErrPowerLost
	}
	if err := f.failAt[n]; err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	return nil
}

// OpenFile opens or creates a file, or opens a folder for syncing.
func (f *Folder) OpenFile(name string, flag int, _ fs.FileMode) (evidence.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs[name] {
		return &file{f: f, name: name, dir: true}, nil
	}
	c, ok := f.files[name]
	switch {
	case ok && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case !ok && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case !ok:
		if !f.dirs[path.Dir(name)] {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if err := f.step("create", name); err != nil {
			return nil, err
		}
		c = &content{}
		f.files[name] = c
	case flag&os.O_TRUNC != 0:
		if err := f.step("empty", name); err != nil {
			return nil, err
		}
		c.b = nil
	}
	if f.crashed {
		return nil, ErrPowerLost
	}
	return &file{f: f, name: name, c: c}, nil
}

// Rename replaces one name by another.
func (f *Folder) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("rename", from+" "+to); err != nil {
		return err
	}
	c, ok := f.files[from]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(f.files, from)
	f.files[to] = c
	return nil
}

// FS is a view of the files as they are now.
func (f *Folder) FS() fs.FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := fstest.MapFS{}
	for d := range f.dirs {
		if d != "." {
			m[d] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
		}
	}
	for name, c := range f.files {
		m[name] = &fstest.MapFile{Data: c.b, Mode: 0o600}
	}
	return m
}

type file struct {
	f    *Folder
	name string
	c    *content
	dir  bool
}

func (o *file) ReadAt(p []byte, off int64) (int, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if off >= int64(len(o.c.b)) {
		return 0, io.EOF
	}
	n := copy(p, o.c.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (o *file) Write(p []byte) (int, error) {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if err := o.f.step("write", o.name); err != nil {
		n := len(p) / 2
		o.c.b = append(o.c.b, p[:n]...)
		return n, err
	}
	o.c.b = append(o.c.b, p...)
	return len(p), nil
}

func (o *file) Sync() error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if err := o.f.step("sync", o.name); err != nil {
		return err
	}
	if !o.dir {
		o.c.synced = o.c.b[:len(o.c.b):len(o.c.b)] // what is appended goes behind it
		return nil
	}
	for name := range o.f.durable {
		if path.Dir(name) == o.name && o.f.files[name] == nil {
			delete(o.f.durable, name)
		}
	}
	for name, c := range o.f.files {
		if path.Dir(name) == o.name {
			o.f.durable[name] = c
		}
	}
	return nil
}

func (o *file) Truncate(size int64) error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	if err := o.f.step("truncate", o.name); err != nil {
		return err
	}
	o.c.b = o.c.b[:size:size] // what is appended goes elsewhere: others hold what is cut off
	return nil
}

func (o *file) Stat() (fs.FileInfo, error) { return fs.Stat(o.f.FS(), o.name) }

func (o *file) Close() error { return nil }
