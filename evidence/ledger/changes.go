package ledger

import (
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// changes writes the rows of entries into a transaction. Folded rows are read when first needed and written by flush.
type changes struct {
	tx      *bolt.Tx
	windows map[int64]*row.Window
	cursors map[[16]byte]*row.Cursor
	encoder row.Encoder
}

func newChanges(tx *bolt.Tx) *changes {
	return &changes{tx: tx, windows: map[int64]*row.Window{}, cursors: map[[16]byte]*row.Cursor{}}
}

func (c *changes) add(e *evidence.Entry) error {
	if err := c.encoder.Rows(e, c.put); err != nil {
		return err
	}
	if err := c.foldWindow(e); err != nil {
		return err
	}
	return c.foldCursor(e)
}

// put appends a row to a bucket whose keys only ascend: its pages are filled.
func (c *changes) put(bucket string, key, value []byte) error {
	b := c.tx.Bucket([]byte(bucket))
	b.FillPercent = 1
	return b.Put(key, slices.Clone(value)) // bbolt copies the key
}

func (c *changes) foldWindow(e *evidence.Entry) error {
	n := e.Head.Window
	if n <= 0 {
		return nil
	}
	w, loaded := c.windows[n]
	if !loaded {
		k := row.Key(n)
		if v := c.tx.Bucket([]byte(row.Windows)).Get(k[:]); v != nil {
			var err error
			if w, err = row.DecodeWindow(v); err != nil {
				return fmt.Errorf("%w: %w", ErrUnreadable, err)
			}
		}
	}
	c.windows[n] = row.FoldWindow(w, e)
	return nil
}

func (c *changes) foldCursor(e *evidence.Entry) error {
	x, ok := e.Body.(*evidence.Exchange)
	if !ok || e.Head.Window <= 0 {
		return nil
	}
	k := row.CursorKey(e.Head.Window, x.Chain)
	p, loaded := c.cursors[k]
	if !loaded {
		if v := c.tx.Bucket([]byte(row.Cursors)).Get(k[:]); v != nil {
			var err error
			if p, err = row.DecodeCursor(v); err != nil {
				return fmt.Errorf("%w: %w", ErrUnreadable, err)
			}
		}
	}
	c.cursors[k] = row.FoldCursor(p, e)
	return nil
}

// flush writes the folded rows, in the order of their keys.
func (c *changes) flush() error {
	for _, n := range slices.Sorted(maps.Keys(c.windows)) {
		if w := c.windows[n]; w != nil {
			k := row.Key(n)
			if err := putRow(c.tx, row.Windows, k[:], w); err != nil {
				return err
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(c.cursors), func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }) {
		if err := putRow(c.tx, row.Cursors, k[:], c.cursors[k]); err != nil {
			return err
		}
	}
	return nil
}

func putRow(tx *bolt.Tx, bucket string, key []byte, r interface {
	Append([]byte) ([]byte, error)
}) error {
	value, err := r.Append(nil)
	if err != nil {
		return fmt.Errorf("row of %s: %w", bucket, err)
	}
	return tx.Bucket([]byte(bucket)).Put(key, value)
}
