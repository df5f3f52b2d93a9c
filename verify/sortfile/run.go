package sortfile

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

const (
	readBuffer  = 32 << 10
	writeBuffer = 256 << 10
)

// run is a temporary file of rows in order: for each the length of its key, the
// length of what follows (both as varints), and both.
type run struct {
	file *os.File
	name string // where an open file cannot be removed
	size int64
	rows int64
}

// close removes the file. It may be called again.
func (r *run) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if r.name != "" {
		err = errors.Join(err, os.Remove(r.name))
	}
	r.file = nil
	return err
}

// runWriter writes a run. Its first error stays.
type runWriter struct {
	run run
	w   *bufio.Writer
	err error
}

func create(dir string) (*runWriter, error) {
	f, err := os.CreateTemp(dir, "exhibit-sort-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	w := &runWriter{run: run{file: f}, w: bufio.NewWriterSize(f, writeBuffer)}
	if os.Remove(f.Name()) != nil {
		w.run.name = f.Name()
	}
	return w, nil
}

func (w *runWriter) put(key []byte, data io.Reader, size int64) error {
	if w.err != nil {
		return w.err
	}
	var head [2 * binary.MaxVarintLen64]byte
	b := binary.AppendUvarint(head[:0], uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(size))
	_, w.err = w.w.Write(b)
	if w.err == nil {
		_, w.err = w.w.Write(key)
	}
	if w.err == nil {
		_, w.err = io.CopyN(w.w, data, size)
	}
	w.run.size += int64(len(b)+len(key)) + size
	w.run.rows++
	return w.err
}

// finish ends the writing. If that fails the file is gone.
func (w *runWriter) finish() (*run, error) {
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err != nil {
		return nil, w.abandon()
	}
	return &w.run, nil
}

// abandon removes the file and returns the first error.
func (w *runWriter) abandon() error {
	err := errors.Join(w.err, w.run.close())
	if err == nil {
		return nil
	}
	return fmt.Errorf("temporary file: %w", err)
}

// cursor stands at a row of a run.
type cursor struct {
	in   *bufio.Reader
	turn int   // of the run among those that are merged
	left int64 // rows of the run
	key  []byte
	data io.LimitedReader // of the row
}

// next goes to the next row. It fails with io.EOF at the end.
func (c *cursor) next() error {
	if c.left == 0 {
		return io.EOF
	}
	c.left--
	if _, err := io.Copy(io.Discard, &c.data); err != nil {
		return err
	}
	n, err := binary.ReadUvarint(c.in)
	var size uint64
	if err == nil {
		size, err = binary.ReadUvarint(c.in)
	}
	if err == nil && (n > MaxKey || size > math.MaxInt64) {
		err = errors.New("what was written to it has changed")
	}
	if err == nil {
		c.key = append(c.key[:0], make([]byte, n)...)
		_, err = io.ReadFull(c.in, c.key)
	}
	c.data = io.LimitedReader{R: c.in, N: int64(size)}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// cursors is a heap: the row whose turn it is stands first.
type cursors struct {
	list    []*cursor
	compare func(a, b []byte) int
}

func (h *cursors) Len() int { return len(h.list) }
func (h *cursors) Less(i, j int) bool {
	if c := h.compare(h.list[i].key, h.list[j].key); c != 0 {
		return c < 0
	}
	return h.list[i].turn < h.list[j].turn
}
func (h *cursors) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *cursors) Push(x any)    { h.list = append(h.list, x.(*cursor)) }
func (h *cursors) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// merge yields the rows of several runs in order.
func (s *Sorter) merge(runs []*run, yield func(key []byte, data io.Reader, size int64) error) error {
	h := &cursors{compare: s.compare}
	for i, r := range runs {
		c := &cursor{in: bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.size), readBuffer), turn: i, left: r.rows}
		if err := c.next(); err == nil {
			h.list = append(h.list, c)
		} else if !errors.Is(err, io.EOF) {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	heap.Init(h)
	for h.Len() > 0 {
		c := h.list[0]
		if err := yield(c.key, &c.data, c.data.N); err != nil {
			return err
		}
		switch err := c.next(); {
		case err == nil:
			heap.Fix(h, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(h)
		default:
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	return nil
}
