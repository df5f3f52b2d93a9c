package bag

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Zip is a packed case as an [fs.FS]. Its files implement [io.ReaderAt]. Any number of goroutines may use it.
type Zip struct {
	r       io.ReaderAt
	members []member
	index   map[string]int           // of a file, by its name
	folders map[string][]fs.DirEntry // of a folder, by its name; sorted
	sums    []atomic.Int32           // of each member: what is known of its CRC-32
}

// What is known of a member's CRC-32.
const (
	sumUnknown = iota // it was not read from end to end yet
	sumGood
	sumBad
)

func newZip(r io.ReaderAt, members []member) *Zip {
	z := &Zip{r: r, members: members, index: make(map[string]int, len(members)), folders: map[string][]fs.DirEntry{".": nil}, sums: make([]atomic.Int32, len(members))}
	for i := range members {
		m := &members[i]
		z.index[m.name] = i
		z.enter(m.name, &zipInfo{path.Base(m.name), m.size, false})
	}
	for _, entries := range z.folders {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return z
}

// enter puts a file or folder into the folder above it, which is made where it is not there yet.
func (z *Zip) enter(name string, info *zipInfo) {
	dir := path.Dir(name)
	if _, ok := z.folders[dir]; !ok {
		z.folders[dir] = nil
		z.enter(dir, &zipInfo{path.Base(dir), 0, true})
	}
	z.folders[dir] = append(z.folders[dir], info)
}

// Open opens a file or a folder.
func (z *Zip) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if i, ok := z.index[name]; ok {
		m := &z.members[i]
		return &zipFile{zip: z, member: i, data: io.NewSectionReader(z.r, m.data(), m.size)}, nil
	}
	if entries, ok := z.folders[name]; ok {
		return &zipFolder{name: name, left: entries}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// BadSums returns an error for each file whose bytes do not have the CRC-32 of its headers, in order: [Pack] would have written another one. Files that were
// read from end to end since the Zip was opened are not read again. It fails when ctx ends.
func (z *Zip) BadSums(ctx context.Context) ([]*ZipError, error) {
	var bad []*ZipError
	buf := make([]byte, hashBuffer)
	for i := range z.members {
		m := &z.members[i]
		if z.sums[i].Load() == sumUnknown {
			f := &zipFile{zip: z, member: i, data: io.NewSectionReader(z.r, m.data(), m.size)}
			_, _, err := crcOf(ctx, f, buf)
			if ctxErr := ctx.Err(); ctxErr != nil {
				return nil, ctxErr
			}
			if err != nil {
				bad = append(bad, &ZipError{m.data(), fmt.Sprintf("%q cannot be read: %v", m.name, err)})
				continue
			}
		}
		if z.sums[i].Load() == sumBad {
			bad = append(bad, &ZipError{m.data(), fmt.Sprintf("the bytes of %q do not have the CRC-32 %08x of its headers", m.name, m.crc)})
		}
	}
	return bad, nil
}

// note keeps what the CRC-32 of a whole member was found to be. Once bad stays bad.
func (z *Zip) note(i int, crc uint32) {
	if crc != z.members[i].crc {
		z.sums[i].Store(sumBad)
		return
	}
	z.sums[i].CompareAndSwap(sumUnknown, sumGood)
}

// crcOf reads to the end, as much as buf holds at a time.
func crcOf(ctx context.Context, r io.Reader, buf []byte) (crc uint32, size int64, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		n, err := r.Read(buf)
		crc = crc32.Update(crc, crc32.IEEETable, buf[:n])
		size += int64(n)
		if err == io.EOF {
			return crc, size, nil
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// zipFile is an open file. Read sums up what it reads; ReadAt does not.
type zipFile struct {
	zip    *Zip
	member int
	data   *io.SectionReader
	at     int64
	crc    uint32
	closed bool
}

func (f *zipFile) Read(b []byte) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	n, err := f.data.Read(b)
	if n > 0 {
		f.crc = crc32.Update(f.crc, crc32.IEEETable, b[:n])
		f.at += int64(n)
	}
	if f.at == f.data.Size() && (n > 0 || f.at == 0) {
		f.zip.note(f.member, f.crc)
	}
	if errors.Is(err, io.EOF) && f.at < f.data.Size() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (f *zipFile) ReadAt(b []byte, off int64) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	n, err := f.data.ReadAt(b, off)
	if errors.Is(err, io.EOF) && off >= 0 && off+int64(n) < f.data.Size() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (f *zipFile) Stat() (fs.FileInfo, error) {
	return &zipInfo{path.Base(f.zip.members[f.member].name), f.data.Size(), false}, nil
}

func (f *zipFile) Close() error {
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return nil
}

// zipFolder is an open folder.
type zipFolder struct {
	name string
	left []fs.DirEntry
}

func (d *zipFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("it is a folder")}
}

func (d *zipFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.left) {
		n = len(d.left)
	}
	entries := slices.Clone(d.left[:n])
	d.left = d.left[n:]
	return entries, nil
}

func (d *zipFolder) Stat() (fs.FileInfo, error) { return &zipInfo{path.Base(d.name), 0, true}, nil }

func (d *zipFolder) Close() error { return nil }

// zipInfo describes a file or folder, by its name in the folder above.
type zipInfo struct {
	name string
	size int64
	dir  bool
}

func (i *zipInfo) Name() string               { return i.name }
func (i *zipInfo) Size() int64                { return i.size }
func (i *zipInfo) ModTime() time.Time         { return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) }
func (i *zipInfo) IsDir() bool                { return i.dir }
func (i *zipInfo) Sys() any                   { return nil }
func (i *zipInfo) Type() fs.FileMode          { return i.Mode().Type() }
func (i *zipInfo) Info() (fs.FileInfo, error) { return i, nil }

func (i *zipInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
