package casefile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// errNoIndex says that no index could be read that covers the segments to their end.
var errNoIndex = errors.New("no index covers the segments")

// view reads a case without changing it and without its lock. The index is read with package boltread, optimistically: a process that writes may replace pages while
// they are read. So what is read is held back, or counted for nothing, until the index stands where it stood.
type view struct {
	files  fs.FS
	sealed bool
	close  func() error
}

func openView(ctx context.Context, dir string) (*view, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := isCase(dir); err != nil {
		return nil, err
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(filepath.Join(dir, evidence.PackageNotePath))
	return &view{folder.FS(), err == nil, folder.Close}, nil
}

// index opens the index and calls read. It fails with errNoIndex unless the index can be read, covers everything, and is the same afterwards.
func (v *view) index(read func(f *boltread.File, t *row.Totals) error) error {
	name := indexPath
	if v.sealed {
		name = evidence.LedgerPath
	}
	info, err := fs.Lstat(v.files, name)
	if err != nil || !info.Mode().IsRegular() {
		return errNoIndex
	}
	file, err := v.files.Open(name)
	if err != nil {
		return errNoIndex
	}
	defer file.Close()
	src, ok := file.(io.ReaderAt)
	if !ok {
		return errNoIndex
	}
	f, before, err := readTotals(src, info.Size())
	if err != nil || !v.covers(before.Position) {
		return errNoIndex
	}
	if err := read(f, before); err != nil {
		return err
	}
	_, after, err := readTotals(src, info.Size())
	if err != nil || after.Position != before.Position {
		return errNoIndex
	}
	return nil
}

func readTotals(src io.ReaderAt, size int64) (*boltread.File, *row.Totals, error) {
	f, err := boltread.Open(src, size)
	if err != nil {
		return nil, nil, err
	}
	meta, err := f.Bucket(row.Meta)
	if err != nil {
		return nil, nil, err
	}
	values := map[string][]byte{}
	c := meta.Cursor()
	for ok := c.First(); ok; ok = c.Next() {
		values[string(c.Key())] = append([]byte(nil), c.Value()...)
	}
	if c.Err() != nil {
		return nil, nil, c.Err()
	}
	t, err := row.DecodeTotals(func(key string) []byte { return values[key] })
	return f, t, err
}

// covers reports whether nothing lies behind p.
func (v *view) covers(p evidence.Position) bool {
	survey, err := evidence.NewSurvey(v.files)
	if err != nil || p.Segment != survey.Segments {
		return false
	}
	info, err := fs.Stat(v.files, evidence.SegmentPath(p.Segment))
	return err == nil && info.Size() == p.Offset
}

// rows calls read for each row of a bucket of the index.
func rows(f *boltread.File, bucket string, read func(value []byte) error) error {
	b, err := f.Bucket(bucket)
	if err != nil {
		return errNoIndex
	}
	c := b.Cursor()
	for ok := c.First(); ok; ok = c.Next() {
		if err := read(c.Value()); err != nil {
			return err
		}
	}
	if c.Err() != nil {
		return errNoIndex
	}
	return nil
}

func (v *view) status(s *Status) error {
	return v.index(func(f *boltread.File, t *row.Totals) error {
		s.Entries, s.Counts, s.Index = t.Position.Entries, t.Counts(), true
		return rows(f, row.Windows, func(value []byte) error {
			w, err := row.DecodeWindow(value)
			if err != nil {
				return errNoIndex
			}
			s.Windows = append(s.Windows, w)
			return nil
		})
	})
}

// maxHeld is how many rows of the log are held back until the index has proved to stand still.
const maxHeld = 100_000

func (v *view) log(ctx context.Context, yield func(*row.LogEntry) error) error {
	var held []*row.LogEntry
	err := v.index(func(f *boltread.File, _ *row.Totals) error {
		return rows(f, row.Log, func(value []byte) error {
			e, err := row.DecodeLog(value)
			if err != nil || len(held) == maxHeld {
				return errNoIndex
			}
			held = append(held, e)
			return ctx.Err()
		})
	})
	if err != nil {
		return err
	}
	for _, e := range held {
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

// walk reads all segments up to their end or to what breaks a rule, which it returns as trouble.
func (v *view) walk(ctx context.Context, visit func(*evidence.Batch) error) (trouble, err error) {
	var fault *evidence.Fault
	var damage *evidence.DamageError
	for b, err := range evidence.Batches(ctx, v.files) {
		switch {
		case errors.As(err, &fault) || errors.As(err, &damage):
			return err, nil
		case err != nil:
			return nil, err
		}
		if err := visit(b); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
