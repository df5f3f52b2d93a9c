package sortfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const readBuffer = 32 << 10

// Rows reads rows in order.
type Rows struct {
	key, value []byte
	err        error

	order   order
	batch   *batch    // where memory holds everything
	given   int       // rows of the batch
	runs    []*cursor // a heap: the one whose row comes first
	present bool      // the first of runs stands at the row that was given
	long    []byte    // a value that no buffer holds
}

// Key is that of the present row. It is valid until the next call of Next.
func (r *Rows) Key() []byte { return r.key }

// Value is that of the present row. It is valid until the next call of Next.
func (r *Rows) Value() []byte { return r.value }

// Err says why there are no more rows, if not because that was the last one.
func (r *Rows) Err() error { return r.err }

// Next goes to the next row, at first to the first, and reports whether there is one.
func (r *Rows) Next() bool {
	if r.batch != nil && r.given < len(r.batch.rows) {
		m := r.batch.rows[r.given]
		r.given++
		r.key, r.value = r.batch.key(m), r.batch.value(m)
		return true
	}
	if r.present {
		r.present = false
		switch err := r.runs[0].next(); {
		case errors.Is(err, errEnd):
			last := len(r.runs) - 1
			r.runs[0] = r.runs[last]
			r.runs = r.runs[:last]
		case err != nil:
			r.err, r.runs = failed(err), nil
		}
		r.down(0)
	}
	if len(r.runs) == 0 {
		return false
	}
	c := r.runs[0]
	value, err := c.value(&r.long)
	if err != nil {
		r.err, r.runs = failed(err), nil
		return false
	}
	r.key, r.value, r.present = c.key, value, true
	return true
}

// merge begins to read runs side by side.
func (s *Sorter) merge(runs []span) (*Rows, error) {
	r := &Rows{order: s.order}
	for i, run := range runs {
		size := run.to - run.from
		c := &cursor{in: bufio.NewReaderSize(io.NewSectionReader(s.file, run.from, size), readBuffer), left: size, turn: i, order: s.order}
		if err := c.next(); errors.Is(err, errEnd) {
			continue
		} else if err != nil {
			return nil, failed(err)
		}
		r.runs = append(r.runs, c)
	}
	for i := len(r.runs)/2 - 1; i >= 0; i-- {
		r.down(i)
	}
	return r, nil
}

// down puts the run at i where it belongs among those below it in the heap.
func (r *Rows) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(r.runs) {
			return
		}
		if child+1 < len(r.runs) && r.before(child+1, child) {
			child++
		}
		if !r.before(child, i) {
			return
		}
		r.runs[i], r.runs[child] = r.runs[child], r.runs[i]
		i = child
	}
}

func (r *Rows) before(i, j int) bool {
	a, b := r.runs[i], r.runs[j]
	if c := r.order.compare(a.rank, b.rank, a.key, b.key); c != 0 {
		return c < 0
	}
	return a.turn < b.turn
}

// cursor stands at a row of a run.
type cursor struct {
	in    *bufio.Reader
	left  int64 // bytes of the run behind the row
	turn  int   // of the run among those that are merged
	order order
	rank  uint64
	key   []byte
	row   []byte // all of the row, where the buffer holds it
	rest  int    // bytes of the row that are not read
	own   []byte // a key that no buffer holds
}

var (
	errEnd     = errors.New("end of the run")
	errChanged = errors.New("what was written to it has changed")
)

// next goes to the next row. It fails with errEnd at the end.
func (c *cursor) next() error {
	if _, err := c.in.Discard(c.rest); err != nil {
		return err
	}
	c.rest = 0
	if c.left == 0 {
		return errEnd
	}
	head, err := c.in.Peek(int(min(c.left, 2*binary.MaxVarintLen64)))
	if err != nil {
		return err
	}
	key, n := binary.Uvarint(head)
	value, m := binary.Uvarint(head[max(n, 0):])
	if n <= 0 || m <= 0 || key > maxRow || value > maxRow || int64(n+m)+int64(key+value) > c.left {
		return errChanged
	}
	if _, err := c.in.Discard(n + m); err != nil {
		return err
	}
	c.left -= int64(n+m) + int64(key+value)
	c.rest = int(key + value)
	return c.readKey(int(key))
}

// readKey leaves a short row in the buffer, and of a long one the value: several runs may have such rows, and only one value is needed at a time.
func (c *cursor) readKey(size int) (err error) {
	if c.rest <= readBuffer {
		c.row, err = c.in.Peek(c.rest)
		if err != nil {
			return err
		}
		c.key = c.row[:size]
	} else {
		c.own = slices.Grow(c.own[:0], size)[:size]
		if _, err = io.ReadFull(c.in, c.own); err != nil {
			return err
		}
		c.row, c.key, c.rest = nil, c.own, c.rest-size
	}
	c.rank = c.order.rank(c.key)
	return nil
}

// value reads the value of the row.
func (c *cursor) value(long *[]byte) ([]byte, error) {
	if c.row != nil {
		return c.row[len(c.key):], nil
	}
	*long = slices.Grow((*long)[:0], c.rest)[:c.rest]
	c.rest = 0
	_, err := io.ReadFull(c.in, *long)
	return *long, err
}
