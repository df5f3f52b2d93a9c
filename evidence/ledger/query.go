package ledger

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// chunk is how many rows an iteration reads in one transaction. None is open while the caller has its turn, so that
// it may call Apply and take its time.
const chunk = 256

// LogQuery chooses rows of the operator log. The zero LogQuery is all of them.
type LogQuery struct {
	From, To int64    // from this seq on, and before that one; To 0 for no end
	Kinds    []string // none for all
}

// Log yields rows of the operator log in order. After an error it ends.
func (l *Ledger) Log(q LogQuery) iter.Seq2[*row.LogEntry, error] {
	return func(yield func(*row.LogEntry, error) bool) {
		for r, err := range l.scan(row.Log, q.From, end(q.To)) {
			var e *row.LogEntry
			if err == nil {
				e, err = row.DecodeLog(r.value)
			}
			switch {
			case err != nil:
				yield(nil, unreadable(err))
				return
			case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind):
			case !yield(e, nil):
				return
			}
		}
	}
}

// Windows yields all windows in order of their numbers. After an error it ends.
func (l *Ledger) Windows() iter.Seq2[*row.Window, error] {
	return func(yield func(*row.Window, error) bool) {
		for r, err := range l.scan(row.Windows, 0, math.MaxInt64) {
			var w *row.Window
			if err == nil {
				w, err = row.DecodeWindow(r.value)
			}
			if err != nil {
				yield(nil, unreadable(err))
				return
			}
			if !yield(w, nil) {
				return
			}
		}
	}
}

// Window returns a window by its number, nil if there is none.
func (l *Ledger) Window(n int64) (*row.Window, error) {
	k := row.Key(n)
	v, err := l.get(row.Windows, k[:])
	if v == nil || err != nil {
		return nil, err
	}
	w, err := row.DecodeWindow(v)
	return w, unreadable(err)
}

// Exchanges yields the exchanges of a window in order, from a seq on. After an error it ends.
func (l *Ledger) Exchanges(window, from int64) iter.Seq2[*row.Exchange, error] {
	return func(yield func(*row.Exchange, error) bool) {
		w, err := l.Window(window)
		if err != nil {
			yield(nil, err)
			return
		}
		if w == nil {
			return
		}
		for r, err := range l.scan(row.Exchanges, max(from, w.Opened), w.Seen+1) {
			var x *row.Exchange
			if err == nil {
				x, err = row.DecodeExchange(r.value)
			}
			switch {
			case err != nil:
				yield(nil, unreadable(err))
				return
			case x.Window != window:
			case !yield(x, nil):
				return
			}
		}
	}
}

// Exchange returns the exchange with a seq, nil if there is none.
func (l *Ledger) Exchange(seq int64) (*row.Exchange, error) {
	k := row.Key(seq)
	v, err := l.get(row.Exchanges, k[:])
	if v == nil || err != nil {
		return nil, err
	}
	x, err := row.DecodeExchange(v)
	return x, unreadable(err)
}

// Progress is how far a chain of a window has come.
type Progress struct {
	Taken    *row.Exchange // the page taken last (docs/container.md, 4.9), nil if there is none
	Latest   *row.Exchange // the latest exchange
	Requests int64         // exchanges of the chain
	Failed   int64         // those after the latest page kept; above 0, the attempt after Latest's is next
}

// Progress returns how far a chain has come, nil if the index knows no exchange of it.
func (l *Ledger) Progress(window, chain int64) (*Progress, error) {
	k := row.CursorKey(window, chain)
	v, err := l.get(row.Cursors, k[:])
	if v == nil || err != nil {
		return nil, err
	}
	c, err := row.DecodeCursor(v)
	if err != nil {
		return nil, unreadable(err)
	}
	last, ok := c.Last()
	if !ok {
		if last, err = l.lastOf(window, chain); err != nil {
			return nil, err
		}
	}
	p := &Progress{Requests: c.Requests, Failed: c.Failed}
	if p.Latest, err = l.exchangeOf(c.Seen, window, chain); err != nil {
		return nil, err
	}
	if last != evidence.None {
		p.Taken, err = l.exchangeOf(last, window, chain)
	}
	return p, err
}

// lastOf finds the page taken last from all exchanges of a chain, where more pages were replaced in a row than its cursor remembers.
func (l *Ledger) lastOf(window, chain int64) (int64, error) {
	var c row.Cursor
	for x, err := range l.Exchanges(window, 0) {
		if err != nil {
			return 0, err
		}
		if x.Chain == chain {
			c.Take(x.Seq, x.RetryOf, x.Status == 200 && x.Ended == evidence.EndedComplete)
		}
	}
	last, _ := c.Last()
	return last, nil
}

func (l *Ledger) exchangeOf(seq, window, chain int64) (*row.Exchange, error) {
	x, err := l.Exchange(seq)
	if err == nil && (x == nil || x.Window != window || x.Chain != chain) {
		return nil, fmt.Errorf("%w: exchange %d is not of chain %d of window %d", ErrUnreadable, seq, chain, window)
	}
	return x, err
}

// Entry returns the head line of an entry without LF, nil if the index has no such entry.
func (l *Ledger) Entry(seq int64) ([]byte, error) {
	k := row.Key(seq)
	return l.get(row.Entries, k[:])
}

// Totals returns case, position and counts.
func (l *Ledger) Totals() (*row.Totals, error) {
	var t *row.Totals
	err := l.view(func(tx *bolt.Tx) (err error) {
		t, err = totals(tx)
		return err
	})
	return t, err
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

func end(to int64) int64 {
	if to <= 0 {
		return math.MaxInt64
	}
	return to
}

func (l *Ledger) get(bucket string, key []byte) (value []byte, err error) {
	err = l.view(func(tx *bolt.Tx) error {
		value = slices.Clone(tx.Bucket([]byte(bucket)).Get(key))
		return nil
	})
	return value, err
}

type pair struct {
	key   int64
	value []byte
}

// scan yields copies of the rows of a bucket with keys of one number, from the first on and before to.
func (l *Ledger) scan(bucket string, from, to int64) iter.Seq2[pair, error] {
	from = max(from, 0)
	return func(yield func(pair, error) bool) {
		for {
			rows, err := l.read(bucket, from, to)
			if err != nil {
				yield(pair{}, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) < chunk {
				return
			}
			from = rows[len(rows)-1].key + 1
		}
	}
}

func (l *Ledger) read(bucket string, from, to int64) (rows []pair, err error) {
	err = l.view(func(tx *bolt.Tx) error {
		start := row.Key(from)
		c := tx.Bucket([]byte(bucket)).Cursor()
		for k, v := c.Seek(start[:]); k != nil && len(rows) < chunk; k, v = c.Next() {
			if len(k) != len(start) {
				return fmt.Errorf("%w: key of %d bytes in bucket %q", ErrUnreadable, len(k), bucket)
			}
			n := int64(binary.BigEndian.Uint64(k))
			if n >= to || n < from {
				break
			}
			rows = append(rows, pair{n, slices.Clone(v)})
		}
		return nil
	})
	return rows, err
}
