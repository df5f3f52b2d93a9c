// Package sortfile sorts more rows than memory holds.
//
// Rows are gathered in memory. Once that is full they go, sorted, to the end of
// a temporary file as a run, and the runs are merged. Rows with equal keys stay
// in the order in which they were added.
package sortfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	defaultMemory = 16 << 20
	rowCost       = 24 // bytes that a row takes beside its own
	fanIn         = 64 // runs that are merged at once, each with a buffer of readBuffer
	maxRow        = 1 << 30
)

// Options direct a sort. The zero value is ready for use.
type Options struct {
	// Descending puts the greatest key first.
	Descending bool
	// TempDir receives the temporary file; empty means the system's. It has no name, or is removed by Close.
	TempDir string
	// Memory is how many bytes of rows are held before they go to the file; 0
	// means 16 MiB. One row that is longer is held all the same.
	Memory int
}

// Sorter sorts rows by their keys, which are compared as bytes. It is not safe for concurrent use.
type Sorter struct {
	o     Options
	arena []byte
	rows  []row
	last  []byte // the key that was added last
	loose bool   // whether rows were added in another order than that of their keys
	ended bool   // whether Rows was called
	file  *file  // nil while memory holds everything
	runs  []span // in the order in which their rows were added
}

// row is a row in the arena: its key, then its value.
type row struct {
	prefix   uint64 // of the key
	at       int
	key, all uint32 // lengths
}

// span is a range of the file.
type span struct{ from, to int64 }

// New returns a Sorter without rows.
func New(o Options) *Sorter {
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	return &Sorter{o: o}
}

// Add adds a row, which it copies. It fails if the temporary file cannot be written, if the row is longer than 1 GiB, or if Rows was called before.
func (s *Sorter) Add(key, value []byte) error {
	size := len(key) + len(value)
	switch {
	case s.ended:
		return fmt.Errorf("a row is added to rows that are sorted")
	case size > maxRow:
		return fmt.Errorf("a row of %d bytes: at most %d can be sorted", size, maxRow)
	case len(s.rows) > 0 && len(s.arena)+size+(len(s.rows)+1)*rowCost > s.o.Memory:
		if err := s.spill(); err != nil {
			return err
		}
	}
	if !s.loose {
		s.loose = s.compare(key, s.last) < 0 && (len(s.rows) > 0 || len(s.runs) > 0)
		s.last = append(s.last[:0], key...)
	}
	at := len(s.arena)
	if need := at + size; need > cap(s.arena) && need > s.o.Memory/8 {
		s.arena = slices.Grow(s.arena, max(s.o.Memory, need)-at) // once, and not by doubling
	}
	s.arena = append(append(s.arena, key...), value...)
	s.rows = append(s.rows, row{prefix(key), at, uint32(len(key)), uint32(size)})
	return nil
}

// prefix is the beginning of a key as a number of the same order.
func prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (s *Sorter) compare(a, b []byte) int {
	if s.o.Descending {
		a, b = b, a
	}
	return bytes.Compare(a, b)
}

// comparePrefixed is compare for keys whose prefixes are known.
func (s *Sorter) comparePrefixed(p, q uint64, a, b []byte) int {
	if s.o.Descending {
		p, q, a, b = q, p, b, a
	}
	if p != q {
		return cmp.Compare(p, q)
	}
	return bytes.Compare(a, b)
}

func (s *Sorter) key(r row) []byte   { return s.arena[r.at : r.at+int(r.key)] }
func (s *Sorter) value(r row) []byte { return s.arena[r.at+int(r.key) : r.at+int(r.all)] }

// sort orders what is in memory.
func (s *Sorter) sort() {
	if !s.loose {
		return
	}
	slices.SortFunc(s.rows, func(a, b row) int {
		if c := s.comparePrefixed(a.prefix, b.prefix, s.key(a), s.key(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
}

// spill moves what is in memory to the end of the file.
func (s *Sorter) spill() error {
	if s.file == nil {
		f, err := create(s.o.TempDir)
		if err != nil {
			return err
		}
		s.file = f
	}
	s.sort()
	w := s.file.writer()
	for _, r := range s.rows {
		w.put(s.key(r), s.value(r))
	}
	s.arena, s.rows = s.arena[:0], s.rows[:0]
	if cap(s.arena) > 2*s.o.Memory { // for one long row
		s.arena = nil
	}
	run, err := w.end()
	s.runs = append(s.runs, run)
	return err
}

// end leaves everything in memory, or in at most fanIn runs.
func (s *Sorter) end() error {
	if s.ended {
		return nil
	}
	s.ended = true
	if s.file == nil {
		s.sort()
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.arena, s.rows = nil, nil
	if !s.loose { // the runs are one
		s.runs = []span{{0, s.file.size}}
	}
	for at := 0; len(s.runs) > fanIn; at++ {
		if at+fanIn > len(s.runs) {
			at = 0
		}
		// neighbours become one, no more of them than need be, and not those that were made so
		n := min(fanIn, len(s.runs)-fanIn+1)
		run, err := s.merged(s.runs[at : at+n])
		if err != nil {
			return err
		}
		s.runs = slices.Replace(s.runs, at, at+n, run)
	}
	return nil
}

// merged makes one run of several.
func (s *Sorter) merged(runs []span) (span, error) {
	w := s.file.writer()
	in, err := s.merge(runs)
	if err != nil {
		return span{}, err
	}
	for in.Next() {
		w.put(in.Key(), in.Value())
	}
	if in.err != nil {
		return span{}, in.err
	}
	return w.end()
}

// Rows begins to read the rows in order. It can be called again, and several can be read at the same time: by one goroutine each, none of them after Close. No row can
// be added any more. It fails if the temporary file cannot be written or read.
func (s *Sorter) Rows() (*Rows, error) {
	if err := s.end(); err != nil {
		return nil, err
	}
	if s.file == nil {
		return &Rows{s: s, memory: s.rows}, nil
	}
	return s.merge(s.runs)
}

// Each calls yield for each row in order, as [Sorter.Rows] gives them, and stops with the first error of yield.
func (s *Sorter) Each(yield func(key, value []byte) error) error {
	rows, err := s.Rows()
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := yield(rows.Key(), rows.Value()); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Close frees the memory and removes the temporary file. It can be called again.
func (s *Sorter) Close() error {
	s.arena, s.rows, s.runs, s.ended = nil, nil, nil, true
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	return f.remove()
}
