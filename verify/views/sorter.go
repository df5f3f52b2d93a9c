package views

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
)

const (
	defaultSortMemory = 6 << 20  // bytes of items that a sorter holds before it writes them
	itemCost          = 24       // bytes that an item takes besides its own
	fanIn             = 64       // runs that are merged at once
	runBuffer         = 32 << 10 // bytes read ahead of each run
)

// sorter puts items in the order of their keys, which are compared as bytes and are all different. What does not fit in memory goes, in sorted runs, to a temporary
// file without a name.
type sorter struct {
	room  *scratch
	arena []byte
	items []sortItem
	file  *os.File
	name  string // of the file, where an open one cannot be removed
	size  int64  // of the file
	runs  []span
	done  bool
	loose bool   // whether items were added in another order than that of their keys
	last  []byte // the key that was added last

	key0, value0 []byte // for put
}

// sortItem is an item in the arena.
type sortItem struct {
	prefix   uint64 // of the key
	at       int
	key, all int // lengths
}

// span is a range of the file.
type span struct{ from, to int64 }

// scratch is where sorters work. They are closed with it.
type scratch struct {
	ctx    context.Context
	dir    string
	memory int // for each sorter, in bytes
	open   []*sorter
}

func newScratch(ctx context.Context, o *Options) *scratch {
	r := &scratch{ctx: ctx, dir: o.TempDir, memory: o.Memory}
	if r.memory <= 0 {
		r.memory = defaultSortMemory
	}
	return r
}

func (r *scratch) sorter() *sorter {
	s := &sorter{room: r}
	r.open = append(r.open, s)
	return s
}

func (r *scratch) close() (err error) {
	for _, s := range r.open {
		err = errors.Join(err, s.close())
	}
	return err
}

// add adds an item. Neither slice is kept.
func (s *sorter) add(key, value []byte) error {
	if len(s.items) > 0 && len(s.arena)+len(key)+len(value)+(len(s.items)+1)*itemCost > s.room.memory {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if !s.loose {
		s.loose = bytes.Compare(key, s.last) < 0
		s.last = append(s.last[:0], key...)
	}
	at := len(s.arena)
	if need := at + len(key) + len(value); need > cap(s.arena) && need > s.room.memory/8 {
		s.arena = slices.Grow(s.arena, max(s.room.memory, need)-at) // once, and not by doubling
	}
	s.arena = append(append(s.arena, key...), value...)
	s.items = append(s.items, sortItem{prefix(key), at, len(key), len(key) + len(value)})
	return nil
}

// put adds what stands in key0 and value0, whose memory is used again: whoever puts an item makes it there.
func (s *sorter) put() error { return s.add(s.key0, s.value0) }

// prefix is the beginning of a key as a number of the same order.
func prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (s *sorter) key(i sortItem) []byte   { return s.arena[i.at : i.at+i.key] }
func (s *sorter) value(i sortItem) []byte { return s.arena[i.at+i.key : i.at+i.all] }

func (s *sorter) sort() {
	if !s.loose {
		return
	}
	slices.SortFunc(s.items, func(a, b sortItem) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return bytes.Compare(s.key(a), s.key(b))
	})
}

// flush writes what is in memory as a run.
func (s *sorter) flush() error {
	if err := s.room.ctx.Err(); err != nil {
		return err
	}
	s.sort()
	w, err := s.run()
	if err != nil {
		return err
	}
	for _, i := range s.items {
		if err := w.put(s.key(i), s.value(i)); err != nil {
			return err
		}
	}
	s.arena, s.items = s.arena[:0], s.items[:0]
	if cap(s.arena) > 2*s.room.memory { // for one large item
		s.arena = nil
	}
	return w.end()
}

// runWriter appends a run to the file.
type runWriter struct {
	s   *sorter
	w   *bufio.Writer
	n   int64
	buf [2 * binary.MaxVarintLen64]byte
}

func (s *sorter) run() (*runWriter, error) {
	if s.file == nil {
		f, err := os.CreateTemp(s.room.dir, "exhibit-views-*") // mode 0600
		if err != nil {
			return nil, fmt.Errorf("temporary file: %w", err)
		}
		s.file = f
		if os.Remove(f.Name()) != nil {
			s.name = f.Name()
		}
	}
	return &runWriter{s: s, w: bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 256<<10)}, nil
}

func (w *runWriter) put(key, value []byte) error {
	b := binary.AppendUvarint(w.buf[:0], uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	w.n += int64(len(b) + len(key) + len(value))
	for _, part := range [][]byte{b, key, value} {
		if _, err := w.w.Write(part); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	return nil
}

func (w *runWriter) end() error {
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	w.s.runs = append(w.s.runs, span{w.s.size, w.s.size + w.n})
	w.s.size += w.n
	return nil
}

// finish ends the adding. It leaves everything in memory, or in at most fanIn runs.
func (s *sorter) finish() error {
	if s.done {
		return nil
	}
	s.done = true
	if s.file == nil {
		s.sort()
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.arena, s.items = nil, nil
	if !s.loose { // the runs are one
		s.runs = []span{{0, s.size}}
	}
	for len(s.runs) > fanIn {
		m, err := s.merge(s.runs[:fanIn])
		if err != nil {
			return err
		}
		w, err := s.run()
		if err != nil {
			return err
		}
		for m.next() {
			if err := w.put(m.key, m.value); err != nil {
				return err
			}
		}
		s.runs = s.runs[fanIn:]
		if err := errors.Join(m.err, w.end()); err != nil {
			return err
		}
	}
	return nil
}

// stream gives the items in order. It may be asked for more than once; nothing is added afterwards.
func (s *sorter) stream() (*stream, error) {
	if err := s.finish(); err != nil {
		return nil, err
	}
	if s.file == nil {
		return &stream{s: s}, nil
	}
	return s.merge(s.runs)
}

// each calls f for each item in order.
func (s *sorter) each(f func(key, value []byte) error) error {
	m, err := s.stream()
	if err != nil {
		return err
	}
	for n := 0; m.next(); n++ {
		if n%1024 == 0 && s.room.ctx.Err() != nil {
			return s.room.ctx.Err()
		}
		if err := f(m.key, m.value); err != nil {
			return err
		}
	}
	return m.err
}

// close frees memory and file.
func (s *sorter) close() error {
	s.arena, s.items = nil, nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file = nil
	return err
}

// stream reads items in order, from memory or from runs. key and value are valid until the next call.
type stream struct {
	key, value []byte
	err        error

	s    *sorter // of items in memory
	at   int
	runs runHeap
	last *runReader // which gave the present item
}

// next takes the next item and reports whether there is one. err says why not, if not for the end.
func (m *stream) next() bool {
	if m.s != nil {
		if m.at == len(m.s.items) {
			return false
		}
		i := m.s.items[m.at]
		m.at++
		m.key, m.value = m.s.key(i), m.s.value(i)
		return true
	}
	if m.last != nil {
		more, err := m.last.next()
		if err != nil {
			m.err, m.runs = err, nil
			return false
		}
		if more {
			heap.Fix(&m.runs, 0)
		} else {
			heap.Pop(&m.runs)
		}
		m.last = nil
	}
	if len(m.runs) == 0 {
		return false
	}
	m.last = m.runs[0]
	m.key, m.value = m.last.key, m.last.value
	return true
}

// merge begins to read runs side by side.
func (s *sorter) merge(runs []span) (*stream, error) {
	m := &stream{}
	for _, r := range runs {
		in := &runReader{left: r.to - r.from, r: bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), runBuffer)}
		more, err := in.next()
		if err != nil {
			return nil, err
		}
		if more {
			m.runs = append(m.runs, in)
		}
	}
	heap.Init(&m.runs)
	return m, nil
}

// runReader reads one run.
type runReader struct {
	r          *bufio.Reader
	left       int64 // bytes that are to come
	prefix     uint64
	key, value []byte
	buf        []byte
}

func (r *runReader) next() (bool, error) {
	if r.left == 0 {
		return false, nil
	}
	k, err := binary.ReadUvarint(r.r)
	v, verr := binary.ReadUvarint(r.r)
	if err = errors.Join(err, verr); err != nil {
		return false, fmt.Errorf("temporary file: %w", err)
	}
	r.buf = slices.Grow(r.buf[:0], int(k+v))[:k+v]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return false, fmt.Errorf("temporary file: %w", err)
	}
	r.key, r.value, r.prefix = r.buf[:k], r.buf[k:], prefix(r.buf[:k])
	r.left -= int64(uvarintLen(k)+uvarintLen(v)) + int64(k+v)
	return true, nil
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// runHeap has the run with the least key first.
type runHeap []*runReader

func (h runHeap) Len() int      { return len(h) }
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h runHeap) Less(i, j int) bool {
	if h[i].prefix != h[j].prefix {
		return h[i].prefix < h[j].prefix
	}
	return bytes.Compare(h[i].key, h[j].key) < 0
}

func (h *runHeap) Push(x any) { *h = append(*h, x.(*runReader)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
