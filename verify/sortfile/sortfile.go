// Package sortfile sorts more rows than memory holds.
//
// Rows are gathered in memory; once that is full they go to a temporary file,
// sorted, and the files are merged. Rows with equal keys stay in the order in
// which they were added.
package sortfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 1 << 10

const (
	defaultMemory = 16 << 20
	fanIn         = 32 // files that are merged at once, each with a buffer of readBuffer
)

// Options direct a sort. The zero value is ready for use.
type Options struct {
	// Descending puts the greatest key first.
	Descending bool
	// TempDir receives the temporary files; empty means the system's.
	TempDir string
	// Memory is how many bytes of rows are held before they go to a file; 0
	// means 16 MiB. One row that is longer is held all the same.
	Memory int
}

// Sorter sorts rows. It is not safe for concurrent use.
type Sorter struct {
	o      Options
	buffer []byte
	rows   []row
	levels [][]*run // a run of level n is made of fanIn runs of level n-1; earlier ones come first
}

// row is where a row stands in the buffer: its key, then what follows it.
type row struct{ from, key, to int }

// New returns a Sorter without rows.
func New(o Options) *Sorter {
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	return &Sorter{o: o}
}

// Add adds a row, which it copies. It fails if a temporary file cannot be written or the key is longer than [MaxKey].
func (s *Sorter) Add(key, data []byte) error {
	if len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: at most %d are sorted by", len(key), MaxKey)
	}
	if len(s.rows) > 0 && len(s.buffer)+len(key)+len(data)+len(s.rows)*rowSize > s.o.Memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	from := len(s.buffer)
	s.buffer = append(append(s.buffer, key...), data...)
	s.rows = append(s.rows, row{from, from + len(key), len(s.buffer)})
	return nil
}

const rowSize = 24 // bytes of a row, beside what it stands for

// sort orders what is in memory.
func (s *Sorter) sort() {
	slices.SortFunc(s.rows, func(a, b row) int {
		return cmp.Or(s.compare(s.buffer[a.from:a.key], s.buffer[b.from:b.key]), cmp.Compare(a.from, b.from))
	})
}

func (s *Sorter) compare(a, b []byte) int {
	if s.o.Descending {
		return bytes.Compare(b, a)
	}
	return bytes.Compare(a, b)
}

// spill moves what is in memory to a file.
func (s *Sorter) spill() error {
	s.sort()
	w, err := create(s.o.TempDir)
	if err != nil {
		return err
	}
	for _, r := range s.rows {
		w.put(s.buffer[r.from:r.key], bytes.NewReader(s.buffer[r.key:r.to]), int64(r.to-r.key))
	}
	if cap(s.buffer) > 2*s.o.Memory {
		s.buffer = nil
	}
	s.buffer, s.rows = s.buffer[:0], s.rows[:0]
	return s.keep(w, 0)
}

// keep adds a finished run to a level, and merges the level once it is full.
func (s *Sorter) keep(w *runWriter, level int) error {
	r, err := w.finish()
	if err != nil {
		return err
	}
	if level == len(s.levels) {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], r)
	if len(s.levels[level]) < fanIn {
		return nil
	}
	next, err := s.merged(s.levels[level])
	if err != nil {
		return err
	}
	s.levels[level] = nil
	return s.keep(next, level+1)
}

// merged writes one run of several and removes them.
func (s *Sorter) merged(runs []*run) (*runWriter, error) {
	w, err := create(s.o.TempDir)
	if err != nil {
		return nil, err
	}
	err = s.merge(runs, func(key []byte, data io.Reader, size int64) error { return w.put(key, data, size) })
	for _, r := range runs {
		err = errors.Join(err, r.close())
	}
	if err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	return w, nil
}

// Each yields all rows in order, once: no row can be added any more. data holds size bytes and is valid until yield returns; what
// of it is not read is passed over. It stops with the first error of yield.
func (s *Sorter) Each(yield func(key []byte, data io.Reader, size int64) error) error {
	if len(s.levels) == 0 {
		s.sort()
		for _, r := range s.rows {
			if err := yield(s.buffer[r.from:r.key], bytes.NewReader(s.buffer[r.key:r.to]), int64(r.to-r.key)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.buffer, s.rows = nil, nil
	runs := s.all()
	for len(runs) > fanIn { // the oldest are the longest: the newest are made one
		at := len(runs) - fanIn
		w, err := s.merged(runs[at:])
		if err != nil {
			return err
		}
		r, err := w.finish()
		if err != nil {
			return err
		}
		runs = append(runs[:at], r)
		s.levels = [][]*run{runs}
	}
	return s.merge(runs, yield)
}

// all lists the runs in the order of their rows.
func (s *Sorter) all() (runs []*run) {
	for _, level := range slices.Backward(s.levels) {
		runs = append(runs, level...)
	}
	return runs
}

// Close removes the temporary files.
func (s *Sorter) Close() error {
	var err error
	for _, r := range s.all() {
		err = errors.Join(err, r.close())
	}
	s.levels = nil
	return err
}
