package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sort"

	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// item is a key, by whose bytes items are ordered, and what goes with it.
type item struct{ key, payload []byte }

// grouping says how items with like keys belong together.
type grouping struct {
	tail int // bytes at the end of a key that do not tell groups apart; groups are read as a whole
	once int // of items whose keys differ in the last so many bytes alone the first is kept; 0 keeps all
	most int // items of a group that are kept, the first ones
}

// sorter brings items into order.
type sorter struct {
	*sortfile.Sorter
	dir string
	by  grouping
}

const sorterMemory = 12 << 20 // bytes

func newSorter(dir string, by grouping) *sorter {
	return &sorter{sortfile.New(sortfile.Options{TempDir: dir, Memory: sorterMemory}), dir, by}
}

// finish returns all items in order. The sorter is of no use any more.
func (s *sorter) finish() (*sorted, error) {
	out := &sortedWriter{out: &sorted{file: &spool{dir: s.dir}, tail: s.by.tail}, by: s.by}
	err := s.Each(func(key, payload []byte) error { return out.put(item{key, payload}) })
	if err == nil {
		err = errors.Join(out.end(), out.out.file.flush())
	}
	err = errors.Join(err, s.Close())
	if err != nil {
		return nil, errors.Join(err, out.out.close())
	}
	return out.out, nil
}

// appendItem writes an item: both lengths, both parts.
func appendItem(b []byte, it item) []byte {
	b = binary.AppendUvarint(b, uint64(len(it.key)))
	b = binary.AppendUvarint(b, uint64(len(it.payload)))
	b = append(b, it.key...)
	return append(b, it.payload...)
}

// sorted holds items in order, in blocks of which each has whole groups. Any number of goroutines may read it.
type sorted struct {
	file   *spool
	tail   int
	blocks []block
	count  int64 // of items
}

// block is a part of the file.
type block struct {
	first  []byte // key of its first item
	offset int64
	length int64
}

const blockSize = 64 << 10 // bytes from which a block ends with the group

// sortedWriter makes a sorted.
type sortedWriter struct {
	out     *sorted
	by      grouping
	block   []byte
	first   []byte // key of the block's first item
	last    []byte // key that was kept last; nil at the start
	inGroup int    // items kept of the present group
}

// put takes the next item in order.
func (w *sortedWriter) put(it item) error {
	group := w.last != nil && samePrefix(w.last, it.key, w.by.tail)
	switch {
	case !group:
		w.inGroup = 0
	case w.by.once > 0 && samePrefix(w.last, it.key, w.by.once), w.inGroup >= w.by.most:
		return nil
	}
	if !group && len(w.block) >= blockSize {
		if err := w.end(); err != nil {
			return err
		}
	}
	if len(w.block) == 0 {
		w.first = bytes.Clone(it.key)
	}
	w.block = appendItem(w.block, it)
	w.last = append(w.last[:0], it.key...)
	w.inGroup++
	w.out.count++
	return nil
}

// end ends a block, and with the last one the whole.
func (w *sortedWriter) end() error {
	if len(w.block) > 0 {
		at, err := w.out.file.add(w.block)
		if err != nil {
			return err
		}
		w.out.blocks = append(w.out.blocks, block{w.first, at, int64(len(w.block))})
		w.block = w.block[:0]
	}
	return nil
}

// samePrefix reports whether two keys differ in their last tail bytes alone.
func samePrefix(a, b []byte, tail int) bool {
	return len(a) == len(b) && bytes.Equal(a[:len(a)-tail], b[:len(b)-tail])
}

// read returns the items of a block.
func (t *sorted) read(n int) ([]item, error) {
	b, err := t.file.piece(t.blocks[n].offset, t.blocks[n].length)
	if err != nil {
		return nil, err
	}
	var items []item
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		payload, m := binary.Uvarint(b[n:])
		b = b[n+m:]
		items = append(items, item{b[:key:key], b[key : key+payload : key+payload]})
		b = b[key+payload:]
	}
	return items, nil
}

// place is where an item stands: the block, and the item in it.
type place struct{ block, item int }

// seek returns the place of the first item whose key is not less.
func (t *sorted) seek(key []byte) (place, error) {
	n := sort.Search(len(t.blocks), func(i int) bool { return bytes.Compare(t.blocks[i].first, key) > 0 })
	if n == 0 {
		return place{}, nil
	}
	items, err := t.read(n - 1)
	if err != nil {
		return place{}, err
	}
	i := sort.Search(len(items), func(i int) bool { return bytes.Compare(items[i].key, key) >= 0 })
	if i == len(items) {
		return place{n, 0}, nil
	}
	return place{n - 1, i}, nil
}

// group returns the items whose keys begin with a prefix; they are one group at most.
func (t *sorted) group(prefix []byte) ([]item, error) {
	at, err := t.seek(prefix)
	if err != nil || at.block >= len(t.blocks) {
		return nil, err
	}
	items, err := t.read(at.block)
	if err != nil {
		return nil, err
	}
	items = items[at.item:]
	n := 0
	for n < len(items) && bytes.HasPrefix(items[n].key, prefix) {
		n++
	}
	return items[:n], nil
}

func (t *sorted) close() error { return t.file.close() }
