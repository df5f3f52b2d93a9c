package replay

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sort"
)

// item is a key, by whose bytes items are ordered, and what goes with it.
type item struct{ key, payload []byte }

// grouping says how items with like keys belong together.
type grouping struct {
	tail int // bytes at the end of a key that do not tell groups apart; groups are read as a whole
	once int // of items whose keys differ in the last so many bytes alone the first is kept; 0 keeps all
	most int // items of a group that are kept, the first ones
}

// sorter orders items of any number in a bounded memory: sorted runs go to a temporary file, and are merged at the end.
type sorter struct {
	dir     string
	by      grouping
	limit   int // bytes in memory
	data    []byte
	at      []entryAt
	runs    []run
	runFile *spool
}

// entryAt is an item in data.
type entryAt struct{ key, payload, end int }

// run is a sorted part of the file.
type run struct{ from, to int64 }

const sorterMemory = 12 << 20 // bytes

func newSorter(dir string, by grouping) *sorter {
	return &sorter{dir: dir, by: by, limit: sorterMemory, runFile: &spool{dir: dir}}
}

// add takes an item, which it copies.
func (s *sorter) add(key, payload []byte) error {
	if len(s.data)+len(key)+len(payload) > s.limit || len(s.at) >= s.limit/64 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	e := entryAt{key: len(s.data)}
	s.data = append(s.data, key...)
	e.payload = len(s.data)
	s.data = append(s.data, payload...)
	e.end = len(s.data)
	s.at = append(s.at, e)
	return nil
}

func (s *sorter) item(i int) item {
	e := s.at[i]
	return item{s.data[e.key:e.payload], s.data[e.payload:e.end]}
}

// sortMemory orders what is in memory. Equal keys stay in the order in which they came.
func (s *sorter) sortMemory() {
	slices.SortStableFunc(s.at, func(a, b entryAt) int {
		return bytes.Compare(s.data[a.key:a.payload], s.data[b.key:b.payload])
	})
}

// spill writes what is in memory as one more run.
func (s *sorter) spill() error {
	if len(s.at) == 0 {
		return nil
	}
	s.sortMemory()
	r := run{from: s.runFile.size}
	var b []byte
	for i := range s.at {
		b = appendItem(b[:0], s.item(i))
		if _, err := s.runFile.add(b); err != nil {
			return err
		}
	}
	r.to = s.runFile.size
	s.runs = append(s.runs, r)
	s.data, s.at = s.data[:0], s.at[:0]
	return nil
}

// finish returns all items in order. The sorter is of no use any more.
func (s *sorter) finish() (*sorted, error) {
	out := &sortedWriter{out: &sorted{file: &spool{dir: s.dir}, tail: s.by.tail}, by: s.by}
	err := s.merge(out)
	if err == nil {
		err = errors.Join(out.end(), out.out.file.flush())
	}
	err = errors.Join(err, s.close())
	if err != nil {
		return nil, errors.Join(err, out.out.close())
	}
	return out.out, nil
}

// close frees what the sorter holds; finish does it, too.
func (s *sorter) close() error {
	s.data, s.at = nil, nil
	return s.runFile.close()
}

func (s *sorter) merge(out *sortedWriter) error {
	if len(s.runs) == 0 {
		s.sortMemory()
		for i := range s.at {
			if err := out.put(s.item(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.data, s.at = nil, nil
	if err := s.runFile.flush(); err != nil {
		return err
	}
	sources := make(mergeHeap, 0, len(s.runs))
	for n, r := range s.runs {
		m := &mergeSource{n: n, r: bufio.NewReaderSize(io.NewSectionReader(s.runFile, r.from, r.to-r.from), min(64<<10, max(4<<10, (8<<20)/len(s.runs))))}
		if ok, err := m.next(); err != nil {
			return err
		} else if ok {
			sources = append(sources, m)
		}
	}
	heap.Init(&sources)
	for len(sources) > 0 {
		m := sources[0]
		if err := out.put(m.now); err != nil {
			return err
		}
		if ok, err := m.next(); err != nil {
			return err
		} else if ok {
			heap.Fix(&sources, 0)
		} else {
			heap.Pop(&sources)
		}
	}
	return nil
}

// mergeSource reads one run.
type mergeSource struct {
	n   int // of the run
	r   *bufio.Reader
	now item
}

func (m *mergeSource) next() (ok bool, err error) {
	m.now, err = readItem(m.r)
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

// mergeHeap has the source with the lowest item first.
type mergeHeap []*mergeSource

func (h mergeHeap) Len() int { return len(h) }

func (h mergeHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].now.key, h[j].now.key); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}

func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is of [heap.Interface]; nothing is pushed.
func (h *mergeHeap) Push(x any) { *h = append(*h, x.(*mergeSource)) }

// Pop is of [heap.Interface].
func (h *mergeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// appendItem writes an item: both lengths, both parts.
func appendItem(b []byte, it item) []byte {
	b = binary.AppendUvarint(b, uint64(len(it.key)))
	b = binary.AppendUvarint(b, uint64(len(it.payload)))
	b = append(b, it.key...)
	return append(b, it.payload...)
}

// readItem reads what appendItem wrote. io.EOF says that there is nothing more.
func readItem(r *bufio.Reader) (it item, err error) {
	key, err := binary.ReadUvarint(r)
	if err != nil {
		return it, err
	}
	payload, err := binary.ReadUvarint(r)
	if err != nil {
		return it, err
	}
	b := make([]byte, key+payload)
	if _, err := io.ReadFull(r, b); err != nil {
		return it, err
	}
	return item{b[:key:key], b[key:]}, nil
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
