package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

var (
	// ErrUnreadable means that the file is no index of this format or is damaged. It can be deleted and built again.
	ErrUnreadable = errors.New("index is unreadable")
	// ErrInUse means that another process, or another Ledger, has the file open.
	ErrInUse = errors.New("index is in use")
	// ErrOrder means that batches were given that the index already covers or that leave a hole.
	ErrOrder = errors.New("batches do not follow the index")
)

// Options say how an index is opened. The zero Options are good.
type Options struct {
	Timeout    time.Duration // how long to wait for the file's lock; 0 for one second
	CheckLimit int64         // files up to so many bytes are checked whole before bbolt opens them; 0 for 256 MiB
}

// Ledger is an open index. Its methods may be called concurrently; a method that fails with [ErrUnreadable] leaves it good for
// nothing but Close.
//
// BUG: of a file beyond Options.CheckLimit only the meta pages, the freelist and the first and last rows of each bucket are checked at Open. Damage elsewhere
// that bbolt meets later is caught where it panics or faults; where it recurses without end, it ends the process.
type Ledger struct {
	db      *bolt.DB
	applied atomic.Int64 // entries since mapped pages were let go
}

// forgetEvery is how many entries are taken in, some 6 MB of the file, before mapped pages are let go.
const forgetEvery = 4_000

var _ evidence.Index = (*Ledger)(nil)

// Open opens the index at path, or creates it with mode 0600. It fails with [ErrUnreadable] if the file is no index or is damaged, and with [ErrInUse]
// if its lock could not be had in time.
func Open(path string, o Options) (*Ledger, error) {
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	if o.CheckLimit <= 0 {
		o.CheckLimit = 256 << 20
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("index: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %q is no regular file", ErrUnreadable, path)
	case info.Size() > 0: // an empty file is one that bbolt had no time to begin
		if err := checkFile(path, o); err != nil {
			return nil, err
		}
	}
	l := &Ledger{}
	err = guard(func() (err error) {
		l.db, err = bolt.Open(path, 0o600, boltOptions(o.Timeout))
		return err
	})
	if err != nil {
		return nil, openError(path, err)
	}
	if err := l.begin(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func boltOptions(timeout time.Duration) *bolt.Options {
	return &bolt.Options{Timeout: timeout, PageSize: boltread.PageSize, FreelistType: bolt.FreelistArrayType, NoStatistics: true}
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %q", ErrInUse, path)
	case errors.Is(err, ErrUnreadable), errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %q: %w", ErrUnreadable, path, err)
	}
	return fmt.Errorf("index: %w", err)
}

// checkFile reads the file as bbolt would, but safely, under bbolt's shared lock. bbolt itself touches the meta pages alone
// when it opens a file to read; those are checked first.
func checkFile(path string, o Options) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer func() { _ = file.Close() }()
	check := func(whole func(*boltread.File, int64) error) error {
		info, err := file.Stat()
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		f, err := boltread.Open(file, info.Size())
		if err == nil && whole != nil {
			err = whole(f, info.Size())
		}
		if err != nil {
			return fmt.Errorf("%w: %q: %w", ErrUnreadable, path, err)
		}
		return nil
	}
	if err := check(nil); err != nil {
		return err
	}
	options := boltOptions(o.Timeout)
	options.ReadOnly = true
	return guard(func() error {
		db, err := bolt.Open(path, 0o600, options)
		if err != nil {
			return openError(path, err)
		}
		return errors.Join(check(func(f *boltread.File, size int64) error {
			if size <= o.CheckLimit {
				return f.Check()
			}
			return checkEdges(f)
		}), db.Close())
	})
}

// checkEdges reads of a large file what the next Apply is sure to touch.
func checkEdges(f *boltread.File) error {
	for _, err := range f.Free() {
		if err != nil {
			return fmt.Errorf("freelist: %w", err)
		}
	}
	buckets, err := f.Buckets()
	if err != nil {
		return err
	}
	for _, b := range buckets {
		c := b.Cursor()
		c.First()
		c.Seek([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
		if c.Err() != nil {
			return fmt.Errorf("bucket %q: %w", b.Name(), c.Err())
		}
	}
	return nil
}

// begin makes the buckets of a new file or checks that an old one has them.
func (l *Ledger) begin() error {
	fresh := false
	err := l.view(func(tx *bolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			fresh = true
			return nil
		}
		for _, name := range row.Buckets() {
			if tx.Bucket([]byte(name)) == nil {
				return fmt.Errorf("%w: no bucket %q", ErrUnreadable, name)
			}
		}
		_, err := totals(tx)
		return err
	})
	if err != nil || !fresh {
		return err
	}
	return l.update(createBuckets)
}

func createBuckets(tx *bolt.Tx) error {
	for _, name := range row.Buckets() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return putTotals(tx, &row.Totals{})
}

func totals(tx *bolt.Tx) (*row.Totals, error) {
	meta := tx.Bucket([]byte(row.Meta))
	t, err := row.DecodeTotals(func(key string) []byte { return meta.Get([]byte(key)) })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return t, nil
}

func putTotals(tx *bolt.Tx, t *row.Totals) error {
	meta := tx.Bucket([]byte(row.Meta))
	return t.Rows(func(key string, value []byte) error { return meta.Put([]byte(key), value) })
}

// Close gives the file and its lock up. It waits for transactions that are under way.
func (l *Ledger) Close() error {
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

func (l *Ledger) view(f func(*bolt.Tx) error) error {
	return guard(func() error { return l.db.View(f) })
}

func (l *Ledger) update(f func(*bolt.Tx) error) error {
	return guard(func() error { return l.db.Update(f) })
}

// guard turns a panic of bbolt, and a fault in its memory map, into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: bbolt: %v", ErrUnreadable, p)
		}
	}()
	return f()
}

// Position tells what the index covers.
func (l *Ledger) Position(ctx context.Context) (evidence.Position, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Position{}, err
	}
	var t *row.Totals
	err := l.view(func(tx *bolt.Tx) (err error) {
		t, err = totals(tx)
		return err
	})
	if err != nil {
		return evidence.Position{}, err
	}
	return t.Position, nil
}

// Apply takes batches in that follow the position without a hole, in one synced transaction. It fails with [ErrOrder], and takes none in, if
// one of them is already covered, leaves a hole, is of another case or does not name the one before.
func (l *Ledger) Apply(ctx context.Context, batches []*evidence.Batch) error {
	if err := ctx.Err(); err != nil || len(batches) == 0 {
		return err
	}
	defer l.release(batches)
	return l.update(func(tx *bolt.Tx) error {
		t, err := totals(tx)
		if err != nil {
			return err
		}
		w := newChanges(tx)
		for _, b := range batches {
			if err := follows(t, b); err != nil {
				return err
			}
			t.Add(b)
			if err := putPlace(tx, b); err != nil {
				return err
			}
			for _, e := range b.Entries {
				if err := w.add(e); err != nil {
					return err
				}
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
		return putTotals(tx, t)
	})
}

// release lets mapped pages go now and then: of a long acquisition they would become most of its memory.
func (l *Ledger) release(batches []*evidence.Batch) {
	n := int64(0)
	for _, b := range batches {
		n += b.Count
	}
	if l.applied.Add(n) >= forgetEvery {
		l.applied.Store(0)
		_ = l.view(func(tx *bolt.Tx) error { forget(tx); return nil }) // an index that cannot be read says so where it is read
	}
}

// follows reports whether b is the batch behind what t covers.
func follows(t *row.Totals, b *evidence.Batch) error {
	p := t.Position
	switch {
	case p.Batch != 0 && b.Case != t.Case:
		return fmt.Errorf("%w: batch of case %q, index of case %q", ErrOrder, b.Case, t.Case)
	case b.Batch <= p.Batch:
		return fmt.Errorf("%w: batch %d is covered, the index stands at batch %d", ErrOrder, b.Batch, p.Batch)
	case b.Batch != p.Batch+1 || b.First != p.Entries:
		return fmt.Errorf("%w: batch %d from entry %d leaves a hole, the index stands at batch %d with %d entries",
			ErrOrder, b.Batch, b.First, p.Batch, p.Entries)
	case b.Prev != p.Hash:
		return fmt.Errorf("%w: batch %d follows batch %s, the index stands at %s", ErrOrder, b.Batch, b.Prev, p.Hash)
	case int64(len(b.Entries)) != b.Count || !evidence.IsID(b.Case):
		return fmt.Errorf("%w: batch %d of case %q has %d of %d entries", ErrOrder, b.Batch, b.Case, len(b.Entries), b.Count)
	}
	for i, e := range b.Entries {
		if e.Head.Seq != b.First+int64(i) {
			return fmt.Errorf("%w: entry %d where entry %d should stand", ErrOrder, e.Head.Seq, b.First+int64(i))
		}
	}
	return nil
}
