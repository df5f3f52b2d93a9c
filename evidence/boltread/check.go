package boltread

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Check reads the whole structure: every bucket, row by row, and the freelist. It fails unless each page in use belongs to
// exactly one of them. Bytes that it does not cover: the content of free pages, the older meta page, and what lies behind the pages in use.
// A file that passes is one that bbolt can open, read and write.
func (f *File) Check() error {
	m := &marks{rules: f.rules, pages: f.meta.pages}
	for id, err := range f.free(m) {
		if err == nil {
			err = m.mark(id, 1)
		}
		if err != nil {
			return fmt.Errorf("freelist: %w", err)
		}
	}
	root := f.rootBucket().Cursor()
	root.visit = m.mark
	for ok := root.First(); ok; ok = root.Next() {
		b := f.bucket(string(root.Key()), root.Value())
		c := b.Cursor()
		c.visit = m.mark
		for ok := c.First(); ok; ok = c.Next() {
		}
		if c.Err() != nil {
			return fmt.Errorf("bucket %q: %w", b.name, c.Err())
		}
	}
	if root.Err() != nil {
		return root.Err()
	}
	if n := f.meta.pages - 2; m.count != n {
		return fmt.Errorf("%d of %d pages belong to nothing", n-m.count, n)
	}
	return nil
}

// CheckWhole is Check for a file that was written once and copied with bbolt's WriteTo, its free pages zero: both meta pages are valid and name the
// same content, the file ends with the last page in use, and free pages are zero. It covers every byte that is no key and no value.
func (f *File) CheckWhole() error {
	if f.other == nil {
		return errors.New("only one valid meta page")
	}
	if want := (meta{f.meta.root, f.meta.freelist, f.meta.pages, f.meta.txid - 1}); *f.other != want {
		return errors.New("meta pages that name different contents")
	}
	if f.size != int64(f.meta.pages)*PageSize {
		return fmt.Errorf("bbolt file of %d bytes with %d pages in use", f.size, f.meta.pages)
	}
	buf := make([]byte, PageSize)
	for id := range uint64(2) {
		if err := readFull(f.r, buf, int64(id)*PageSize); err != nil {
			return err
		}
		if !zero(buf[headerSize+metaSize:]) {
			return malformed(id, "unused bytes that are not zero")
		}
	}
	if err := f.Check(); err != nil {
		return err
	}
	for id, err := range f.Free() {
		if err == nil {
			err = readFull(f.r, buf, int64(id)*PageSize)
		}
		if err != nil {
			return fmt.Errorf("freelist: %w", err)
		}
		if !zero(buf) {
			return malformed(id, "free and not zero")
		}
	}
	return nil
}

// Free yields the numbers of the free pages, ascending. After an error it ends.
func (f *File) Free() iter.Seq2[uint64, error] { return f.free(nil) }

// free reads the freelist in pieces of a page; m, if any, is told of its own pages first.
func (f *File) free(m *marks) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if err := f.readFree(m, func(id uint64) bool { return yield(id, nil) }); err != nil {
			yield(0, err)
		}
	}
}

func (f *File) readFree(m *marks, yield func(uint64) bool) error {
	var buf [PageSize]byte
	start := f.meta.freelist
	if err := readFull(f.r, buf[:], int64(start)*PageSize); err != nil {
		return err
	}
	h := parseHeader(buf[:])
	run := uint64(h.overflow) + 1
	if h.id != start || h.flags != flagFreelist || run > f.meta.pages-start {
		return malformed(start, "no header of a freelist")
	}
	if m != nil {
		if err := m.mark(start, int(run)); err != nil {
			return err
		}
	}
	count, at := uint64(h.count), headerSize
	if count == 0xFFFF { // then the first number is the count
		count, at = binary.LittleEndian.Uint64(buf[headerSize:]), headerSize+8
		if count < 0xFFFF {
			return malformed(start, "count of %d written long", count)
		}
	}
	if count > (run*PageSize-uint64(at))/8 {
		return malformed(start, "freelist of %d pages with %d numbers", run, count)
	}
	prev := uint64(1)
	for page := start; page < start+run; page++ {
		if page > start {
			if err := readFull(f.r, buf[:], int64(page)*PageSize); err != nil {
				return err
			}
			at = 0
		}
		for ; at < PageSize && count > 0; at, count = at+8, count-1 {
			id := binary.LittleEndian.Uint64(buf[at:])
			if id <= prev || id >= f.meta.pages {
				return malformed(page, "free page %d after %d", id, prev)
			}
			if prev = id; !yield(id) {
				return nil
			}
		}
		if f.rules&ruleZero != 0 && !zero(buf[at:]) {
			return malformed(page, "unused bytes that are not zero")
		}
	}
	return nil
}

// marks is the set of pages met so far. It takes memory for those alone, so that a sparse file costs nothing.
type marks struct {
	rules rules
	pages uint64
	count uint64
	sets  map[uint64]*[512]uint64 // by page number / 32,768
}

func (m *marks) mark(id uint64, run int) error {
	for ; run > 0; id, run = id+1, run-1 {
		if m.sets == nil {
			m.sets = map[uint64]*[512]uint64{}
		}
		set := m.sets[id>>15]
		if set == nil {
			set = new([512]uint64)
			m.sets[id>>15] = set
		}
		word, bit := &set[id>>6&511], uint64(1)<<(id&63)
		if *word&bit != 0 {
			if m.rules&ruleOnce == 0 {
				continue
			}
			return malformed(id, "used twice")
		}
		*word |= bit
		m.count++
	}
	return nil
}
