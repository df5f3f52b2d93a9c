package faultfs

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Mount is a mounted file system that shows a folder. No process may use it that serves it: while the garbage collector waits for a thread that waits for
// this file system, nobody answers.
type Mount struct {
	*Plan
	dir    string
	server *fuse.Server

	mu    sync.Mutex
	state map[string]*durable // by path
}

// durable is what is known of a file's bytes on the disk.
type durable struct {
	size   int64 // when it was synced last, or opened first
	lowest int64 // offset of the lowest write since then
}

// New mounts the file system at point. It needs the right to mount.
func New(dir, point string) (*Mount, error) {
	m := &Mount{Plan: &Plan{}, dir: dir, state: map[string]*durable{}}
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("file system on %q: %w", dir, err)
	}
	m.server, err = fs.Mount(point, m.wrap(root), &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true, FsName: "faultfs", DisableXAttrs: true, MaxWrite: 1 << 20}})
	if err != nil {
		return nil, fmt.Errorf("file system at %q: %w", point, err)
	}
	return m, nil
}

// Close unmounts.
func (m *Mount) Close() error { return m.server.Unmount() }

// stateOf is what is known of a file; m.mu is held.
func (m *Mount) stateOf(path string, size int64) *durable {
	s := m.state[path]
	if s == nil {
		s = &durable{size, math.MaxInt64}
		m.state[path] = s
	}
	return s
}

// node is a file or folder.
type node struct {
	*fs.LoopbackNode
	m *Mount
}

// wrap makes a node of one of the library's.
func (m *Mount) wrap(n fs.InodeEmbedder) fs.InodeEmbedder {
	if l, ok := n.(*fs.LoopbackNode); ok {
		return &node{l, m}
	}
	return n
}

// WrapChild is what the library calls for each node that it makes.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return n.m.wrap(child)
}

func (n *node) name() string { return n.Path(n.Root()) }

func (n *node) real(name string) string { return filepath.Join(n.m.dir, name) }

// Open opens a file that is there.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	name := n.name()
	if flags&syscall.O_TRUNC != 0 {
		if v := n.m.step(Truncate, name); v.errno != 0 {
			return nil, 0, v.errno
		}
		n.m.fresh(name)
	}
	return n.open(name, int(flags)&^(syscall.O_APPEND|syscall.O_CREAT|syscall.O_EXCL))
}

func (n *node) open(name string, flags int) (fs.FileHandle, uint32, syscall.Errno) {
	f, err := os.OpenFile(n.real(name), flags&(syscall.O_ACCMODE|syscall.O_TRUNC)|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fs.ToErrno(err)
	}
	n.m.mu.Lock()
	n.m.stateOf(name, info.Size())
	n.m.mu.Unlock()
	how := uint32(fuse.FOPEN_DIRECT_IO) // each read and write comes here
	if strings.Contains(name, ".db") {
		how = 0 // bbolt maps its files
	}
	return &file{m: n.m, f: f, name: name}, how, fs.OK
}

// Create makes a file.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	path := filepath.Join(n.name(), name)
	if v := n.m.step(Create, path); v.errno != 0 {
		return nil, nil, 0, v.errno
	}
	inode, h, _, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != fs.OK {
		return nil, nil, 0, errno
	}
	if r, ok := h.(fs.FileReleaser); ok {
		r.Release(ctx)
	}
	n.m.fresh(path)
	n.m.mu.Lock()
	n.m.state[path] = &durable{0, math.MaxInt64}
	n.m.mu.Unlock()
	own, how, errno := n.open(path, int(flags)&^(syscall.O_APPEND|syscall.O_CREAT|syscall.O_EXCL|syscall.O_TRUNC))
	return inode, own, how, errno
}

// Rename renames a file.
func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, to string, flags uint32) syscall.Errno {
	from, target := filepath.Join(n.name(), name), filepath.Join(parent.EmbeddedInode().Path(n.Root()), to)
	v := n.m.step(Rename, from+" to "+target)
	if v.errno != 0 && !v.fault.Done {
		return v.errno
	}
	errno := n.LoopbackNode.Rename(ctx, name, parent, to, flags)
	if errno == fs.OK {
		n.m.mu.Lock()
		n.m.state[target] = n.m.state[from]
		delete(n.m.state, from)
		n.m.mu.Unlock()
		n.m.fresh(target)
	}
	if v.errno != 0 {
		return v.errno
	}
	return errno
}

// OpendirHandle opens a folder.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, how, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	list, ok := h.(listing)
	if errno != fs.OK || !ok {
		return h, how, errno
	}
	return &folder{list, n.m, n.name()}, how, fs.OK
}

// listing is what an open folder of the library can do and is passed on.
type listing interface {
	fs.FileReaddirenter
	fs.FileReleasedirer
	fs.FileSeekdirer
}

type folder struct {
	listing
	m    *Mount
	name string
}

// Fsyncdir makes the names in a folder durable.
func (d *folder) Fsyncdir(context.Context, uint32) syscall.Errno {
	return d.m.step(Sync, d.name+"/").errno
}

// file is an open file. That it is not the library's own kind keeps the kernel from reading and writing past it.
type file struct {
	m    *Mount
	f    *os.File
	name string // that it was opened by
}

func (f *file) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if v := f.m.step(Read, f.name); v.errno != 0 {
		return nil, v.errno
	}
	n, err := syscall.Pread(int(f.f.Fd()), dest, off)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	f.m.flip(Read, f.name, dest[:n], off)
	return fuse.ReadResultData(dest[:n]), fs.OK
}

func (f *file) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	v := f.m.step(Write, f.name)
	if v.errno != 0 || v.short {
		data = data[:len(data)/2]
	}
	f.m.flip(Write, f.name, data, off)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	s := f.m.stateOf(f.name, 0)
	s.lowest = min(s.lowest, off)
	n, err := f.f.WriteAt(data, off)
	switch {
	case err != nil:
		return 0, fs.ToErrno(err)
	case v.errno != 0:
		return 0, v.errno
	case n == 0 && v.short:
		return 0, v.fault.Errno
	}
	return uint32(n), fs.OK
}

// Fsync does not go to the disk: nothing here outlives the test.
func (f *file) Fsync(context.Context, uint32) syscall.Errno {
	v := f.m.step(Sync, f.name)
	info, err := f.f.Stat()
	if err != nil {
		return fs.ToErrno(err)
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	s := f.m.stateOf(f.name, info.Size())
	if v.errno == 0 {
		s.size, s.lowest = info.Size(), math.MaxInt64
		return fs.OK
	}
	if v.fault.Lose && s.lowest >= s.size && info.Size() > s.size { // nothing but appended
		if err := f.f.Truncate(s.size); err != nil {
			return fs.ToErrno(err)
		}
	}
	return v.errno
}

func (f *file) Flush(context.Context) syscall.Errno { return f.m.step(Close, f.name).errno }

func (f *file) Release(context.Context) syscall.Errno { return fs.ToErrno(f.f.Close()) }

func (f *file) Getattr(_ context.Context, out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.f.Fd()), &st); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStat(&st)
	return fs.OK
}

func (f *file) Setattr(ctx context.Context, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if v := f.m.step(Truncate, f.name); v.errno != 0 {
			return v.errno
		}
		if err := f.f.Truncate(int64(size)); err != nil {
			return fs.ToErrno(err)
		}
		f.m.mu.Lock()
		s := f.m.stateOf(f.name, int64(size))
		s.size = min(s.size, int64(size))
		f.m.mu.Unlock()
	}
	return f.Getattr(ctx, out)
}
