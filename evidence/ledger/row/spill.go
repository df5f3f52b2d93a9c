package row

import (
	"encoding/binary"
	"errors"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Sorter sorts what memory does not hold: verify/sortfile is one. It is for one goroutine.
type Sorter interface {
	// Add adds a row, which it copies.
	Add(key, value []byte) error
	// Each yields all rows in the order of their keys, once; both are valid until yield returns. It stops with the first error of yield.
	Each(yield func(key, value []byte) error) error
	Close() error
}

// A sorter is given, for each row that is being folded when memory is full, the row so far, and for each entry that comes then the row that it alone makes
// (nothing, for an exchange of a window). The keys are the row's in 16 bytes, the entry's seq, 0 for rows so far, and the exchange that it replaces: all of one row
// comes together and in order.
const spillKey = 16 + 8 + 8

// spill moves the rows that are being folded out of memory. They, and all that comes from now on, are folded in the end, one row after the other.
func (f *folds) spill() {
	f.sorter = f.c.sorter()
	for key, l := range f.live {
		f.matched-- // it is begun again
		f.put(key, 0, evidence.None, l)
	}
	clear(f.live)
	f.used = 0
}

// postpone leaves an entry to the end.
func (f *folds) postpone(key [16]byte, e *evidence.Entry) {
	var alone live
	f.fold(&alone, e)
	retryOf := int64(evidence.None)
	if x, ok := e.Body.(*evidence.Exchange); ok {
		retryOf = x.RetryOf
	}
	f.put(key, e.Head.Seq, retryOf, &alone)
}

func (f *folds) put(key [16]byte, seq, retryOf int64, l *live) {
	if f.cursor == nil {
		return // given up
	}
	value, err := l.append(f.scratch[:0])
	f.scratch = value
	k := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(key[:], uint64(seq)), uint64(retryOf))
	if err == nil {
		err = f.sorter.Add(k, value)
	}
	if err != nil {
		f.giveUp(err)
	}
}

func (f *folds) giveUp(err error) {
	f.c.result.Uncompared = append(f.c.result.Uncompared, Uncompared{f.name, err})
	f.cursor, f.live = nil, nil
}

// rest folds and settles what was left to the end.
func (f *folds) rest() {
	if f.sorter == nil || f.cursor == nil {
		return
	}
	var last [16]byte
	err := f.sorter.Each(func(key, value []byte) error {
		if len(key) != spillKey {
			return errors.New("what was written to be sorted has changed")
		}
		if k := [16]byte(key); k != last {
			f.unfinished()
			last = k
		}
		if f.cursor == nil {
			return nil // it cannot be read further
		}
		seq, retryOf := int64(beUint64(key[16:])), int64(beUint64(key[24:]))
		l := f.row(last, seq, len(value) > 0)
		if l == nil {
			return nil
		}
		err := f.join(l, value, seq, retryOf)
		if err == nil {
			f.folded(last, seq, l)
		}
		return err
	})
	if err != nil && f.cursor != nil {
		f.giveUp(err)
	}
}

// join folds what was spilled into a row.
func (f *folds) join(l *live, value []byte, seq, retryOf int64) error {
	switch {
	case f.width == 8 && len(value) == 0:
		l.window.count(seq)
	case f.width == 8:
		w, err := DecodeWindow(value)
		if err != nil {
			return err
		}
		l.window = l.window.join(w)
	default:
		c, err := DecodeCursor(value)
		if err != nil {
			return err
		}
		if l.cursor == nil {
			l.cursor = c
		} else {
			l.cursor.fold(seq, retryOf, len(c.Kept) > 0)
		}
	}
	return nil
}

func (f *folds) close() error {
	if f.sorter == nil {
		return nil
	}
	return f.sorter.Close()
}
