// Package sortfile sorts more rows than memory holds.
//
// Rows are gathered in memory. Once that is full they go, sorted, to the end of
// a temporary file as a run, while the next ones are gathered, and the runs are
// merged. Rows with equal keys stay in the order in which they were added.
package sortfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

const (
	defaultMemory = 16 << 20
	fanIn         = 128 // runs that are merged at once, each with a buffer of readBuffer
	maxRow        = 1 << 30
)

// Options direct a sort. The zero value is ready for use.
type Options struct {
	// Descending puts the greatest key first.
	Descending bool
	// TempDir receives the temporary file; empty means the system's. It has no name, or is removed by Close.
	TempDir string
	// Memory is how many bytes of rows are held: half of them are gathered while the other half goes to the file. 0
	// means 16 MiB. One row that is longer is held all the same.
	Memory int
}

// Sorter sorts rows by their keys, which are compared as bytes. It is not safe for concurrent use.
type Sorter struct {
	o      Options
	memory int      // of a batch
	order  order    // what is known of all keys so far
	first  []byte   // the key that was added first
	last   []byte   // the key that was added last
	loose  bool     // whether rows were added in another order than that of their keys
	now    *batch   // that is gathered
	behind chan run // of the batch that is being written; nil if there is none
	spare  *batch   // that was written
	ended  bool     // whether Rows was called
	file   *file    // nil while memory holds everything
	runs   []span   // in the order in which their rows were added
}

// run is a batch that was written.
type run struct {
	span
	batch *batch
	err   error
}

// span is a range of the file.
type span struct{ from, to int64 }

// New returns a Sorter without rows.
func New(o Options) *Sorter {
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	return &Sorter{o: o, memory: o.Memory / 2, order: order{descending: o.Descending}, now: &batch{}}
}

var errEnded = errors.New("the rows are sorted already")

// Add adds a row, which it copies. It fails if the temporary file cannot be written, which may have been for rows before, if the row is longer than 1 GiB, or if Rows
// or Close was called.
func (s *Sorter) Add(key, value []byte) error {
	size := len(key) + len(value)
	switch {
	case s.ended:
		return errEnded
	case size > maxRow:
		return fmt.Errorf("a row of %d bytes: at most %d can be sorted", size, maxRow)
	case !s.now.fits(size, s.memory):
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.look(key)
	s.now.add(key, value, s.memory)
	return nil
}

// look notes what a key has in common with those before, and whether it stands behind them.
func (s *Sorter) look(key []byte) {
	if s.first == nil {
		s.first, s.last, s.order.common = append([]byte{}, key...), append([]byte{}, key...), len(key)
	}
	if n := s.order.common; len(key) < n || !bytes.Equal(key[:n], s.first[:n]) {
		n = 0
		for n < min(len(key), len(s.first)) && key[n] == s.first[n] {
			n++
		}
		s.order.common = n
	}
	if s.now.loose {
		return
	}
	if s.order.compare(0, 0, key, s.last) < 0 {
		s.loose, s.now.loose = true, true // if that is the batch's first row it is sorted for nothing
	}
	s.last = append(s.last[:0], key...)
}

// spill has what was gathered sorted and written to the end of the file, beside what comes next.
func (s *Sorter) spill() error {
	if err := s.settle(); err != nil {
		return err
	}
	if s.file == nil {
		f, err := create(s.o.TempDir)
		if err != nil {
			return err
		}
		s.file = f
	}
	full, done, order := s.now, make(chan run, 1), s.order
	s.now, s.spare, s.behind = s.spare, nil, done
	if s.now == nil {
		s.now = &batch{}
	}
	go func() {
		full.sort(order)
		w := s.file.writer()
		for _, r := range full.rows {
			w.put(full.key(r), full.value(r))
		}
		at, err := w.end()
		full.clear(s.memory)
		done <- run{at, full, err}
	}()
	return nil
}

// settle waits until nothing is being written.
func (s *Sorter) settle() error {
	if s.behind == nil {
		return nil
	}
	r := <-s.behind
	s.runs, s.spare, s.behind = append(s.runs, r.span), r.batch, nil
	return r.err
}

// end leaves everything in memory, or in at most fanIn runs.
func (s *Sorter) end() error {
	if s.ended {
		return nil
	}
	s.ended = true
	if s.file == nil {
		s.now.sort(s.order)
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	s.now, s.spare = nil, nil
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
// be added any more. It fails if the temporary file cannot be written or read, or after Close.
func (s *Sorter) Rows() (*Rows, error) {
	if err := s.end(); err != nil {
		return nil, err
	}
	switch {
	case s.file != nil:
		return s.merge(s.runs)
	case s.now != nil:
		return &Rows{order: s.order, batch: s.now}, nil
	}
	return nil, errEnded
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
	_ = s.settle() // what was not written is not needed any more
	s.now, s.spare, s.runs, s.ended = nil, nil, nil, true
	f := s.file
	s.file = nil
	if f == nil {
		return nil
	}
	return f.remove()
}
