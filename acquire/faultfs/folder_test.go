//go:build linux

package faultfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// faulty is a case folder whose k-th operation fails: what a Mount is, where nothing can be mounted. It knows what goes through the writer's folder: segments, heads
// and what a seal writes; not the index, the lock, and files that hold large answers.
type faulty struct {
	evidence.Folder
	plan *Plan
	dir  string
}

func (f *faulty) fail(op Op, name string, v verdict) error {
	if v.errno == 0 {
		return nil
	}
	return &fs.PathError{Op: string(op), Path: name, Err: v.errno}
}

func (f *faulty) OpenFile(name string, flag int, perm fs.FileMode) (evidence.File, error) {
	if flag&os.O_CREATE != 0 {
		op := Create
		if _, err := os.Lstat(filepath.Join(f.dir, name)); err == nil {
			op = Truncate
		}
		if err := f.fail(op, name, f.plan.step(op, name)); err != nil {
			return nil, err
		}
		f.plan.fresh(name)
	}
	real, err := f.Folder.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	info, err := real.Stat()
	if err != nil {
		return nil, errors.Join(err, real.Close())
	}
	o := &faultyFile{File: real, f: f, name: name, synced: info.Size()}
	if info.IsDir() {
		o.name = name + "/"
	}
	return o, nil
}

func (f *faulty) Rename(from, to string) error {
	name := from + " to " + to
	v := f.plan.step(Rename, name)
	if v.errno == 0 || v.fault.Done {
		if err := f.Folder.Rename(from, to); err != nil {
			return err
		}
		f.plan.fresh(to)
	}
	return f.fail(Rename, name, v)
}

type faultyFile struct {
	evidence.File
	f      *faulty
	name   string
	synced int64
}

func (o *faultyFile) Write(p []byte) (int, error) {
	info, err := o.Stat()
	if err != nil {
		return 0, err
	}
	p = bytes.Clone(p)
	o.f.plan.flip(Write, o.name, p, info.Size())
	for done := 0; ; { // as os.File does, which writes on behind a short write
		v := o.f.plan.step(Write, o.name)
		if v.errno == 0 && !v.short {
			n, err := o.File.Write(p[done:])
			return done + n, err
		}
		n, err := o.File.Write(p[done : done+(len(p)-done)/2])
		done += n
		if err = errors.Join(err, o.f.fail(Write, o.name, v)); err != nil {
			return done, err
		}
	}
}

func (o *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := o.f.fail(Read, o.name, o.f.plan.step(Read, o.name)); err != nil {
		return 0, err
	}
	n, err := o.File.ReadAt(p, off)
	o.f.plan.flip(Read, o.name, p[:n], off)
	return n, err
}

func (o *faultyFile) Truncate(size int64) error {
	if err := o.f.fail(Truncate, o.name, o.f.plan.step(Truncate, o.name)); err != nil {
		return err
	}
	o.synced = min(o.synced, size)
	return o.File.Truncate(size)
}

func (o *faultyFile) Sync() error {
	v := o.f.plan.step(Sync, o.name)
	if v.errno != 0 {
		if v.fault.Lose && !strings.HasSuffix(o.name, "/") {
			if err := o.File.Truncate(o.synced); err != nil {
				return err
			}
		}
		return o.f.fail(Sync, o.name, v)
	}
	info, err := o.Stat()
	if err != nil {
		return err
	}
	o.synced = info.Size()
	return o.File.Sync()
}

func (o *faultyFile) Close() error {
	err := o.f.fail(Close, o.name, o.f.plan.step(Close, o.name))
	return errors.Join(err, o.File.Close())
}

// planted is a folder with a bug.
type planted struct {
	evidence.Folder
	plant plant

	mu      sync.Mutex
	written map[string]*bytes.Buffer // of segments that this process made
}

func (p *planted) OpenFile(name string, flag int, perm fs.FileMode) (evidence.File, error) {
	f, err := p.Folder.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	o := &plantedFile{File: f, plant: p.plant}
	if p.plant != plantNoReadBack || !strings.HasPrefix(name, evidence.SegmentsPath+"/") || flag&os.O_APPEND == 0 {
		return o, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.written = p.written[name]; o.written == nil {
		o.written = &bytes.Buffer{}
		p.written[name] = o.written
		if info, err := f.Stat(); err == nil && info.Size() > 0 {
			b := make([]byte, info.Size())
			if _, err := f.ReadAt(b, 0); err != nil {
				return nil, err
			}
			o.written.Write(b)
		}
	}
	return o, nil
}

type plantedFile struct {
	evidence.File
	plant   plant
	written *bytes.Buffer
}

func (o *plantedFile) Sync() error {
	err := o.File.Sync()
	switch {
	case err != nil && o.plant == plantSwallow:
		return nil
	case err != nil && o.plant == plantRetry:
		return o.File.Sync()
	}
	return err
}

func (o *plantedFile) Write(p []byte) (int, error) {
	if o.written != nil {
		o.written.Write(p)
	}
	n, err := o.File.Write(p)
	if o.plant == plantIgnoreFull {
		return len(p), nil
	}
	return n, err
}

func (o *plantedFile) ReadAt(p []byte, off int64) (int, error) {
	if o.written != nil {
		return bytes.NewReader(o.written.Bytes()).ReadAt(p, off)
	}
	return o.File.ReadAt(p, off)
}
