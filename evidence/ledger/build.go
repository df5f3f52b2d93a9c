package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// How much Build collects before it writes. Both are counted in entries and their lines, never in batches, so that the file
// depends on nothing else.
const (
	buildEntries = 4096
	buildBytes   = 8 << 20
)

// Build writes the index of batches, all from the first, to path, in place of what is there: the index of a sealed case, or a new one for an index that
// is unreadable. It must not be open. The same entries give the same rows in the same pages, so the same
// batches the same file; free pages are zero, and [boltread.File.CheckWhole] passes. Beside path it uses path+".rows" and path+".new", which
// it removes; a file in path's place is replaced by a rename when all is written and synced, else untouched.
func Build(ctx context.Context, path string, batches iter.Seq2[*evidence.Batch, error]) (err error) {
	rows, fresh := path+".rows", path+".new"
	for _, p := range []string{rows, fresh} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("index: %w", err)
		}
	}
	defer func() {
		for _, p := range []string{rows, fresh} {
			if e := os.Remove(p); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, fmt.Errorf("index: %w", e))
			}
		}
	}()
	options := boltOptions(0)
	options.NoSync = true // what counts is synced by finish
	db, err := bolt.Open(rows, 0o600, options)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err = fill(ctx, db, batches); err == nil {
		err = copyTo(db, fresh)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := finish(fresh); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// fill writes all rows. bbolt writes the buckets that a transaction changed in random order, so each transaction changes one.
func fill(ctx context.Context, db *bolt.DB, batches iter.Seq2[*evidence.Batch, error]) error {
	for _, name := range row.Buckets() {
		err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte(name)); return err })
		if err != nil {
			return err
		}
	}
	var t row.Totals
	var entries []*evidence.Entry
	size := 0
	for b, err := range batches {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = follows(&t, b)
		}
		if err != nil {
			return err
		}
		t.Add(b)
		for _, e := range b.Entries {
			entries = append(entries, e)
			size += len(e.HeadLine) + len(e.DetailLine)
			if len(entries) < buildEntries && size < buildBytes {
				continue
			}
			if err := writeRows(db, entries); err != nil {
				return err
			}
			entries, size = entries[:0], 0
		}
	}
	if err := writeRows(db, entries); err != nil {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error { return putTotals(tx, &t) })
}

// writeRows writes the rows of entries, each made once.
func writeRows(db *bolt.DB, entries []*evidence.Entry) error {
	type pair struct{ key, value []byte }
	rows := map[string][]pair{}
	var encoder row.Encoder
	for _, e := range entries {
		err := encoder.Rows(e, func(name string, key, value []byte) error {
			rows[name] = append(rows[name], pair{slices.Clone(key), slices.Clone(value)})
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, bucket := range []string{row.Entries, row.Exchanges, row.Log} {
		err := db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			b.FillPercent = 1 // keys only ascend: its pages are filled
			for _, r := range rows[bucket] {
				if err := b.Put(r.key, r.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	fold := func(f func(*changes, *evidence.Entry) error) error {
		return db.Update(func(tx *bolt.Tx) error {
			c := newChanges(tx)
			for _, e := range entries {
				if err := f(c, e); err != nil {
					return err
				}
			}
			return c.flush()
		})
	}
	if err := fold((*changes).foldWindow); err != nil {
		return err
	}
	if err := fold((*changes).foldCursor); err != nil {
		return err
	}
	return db.View(func(tx *bolt.Tx) error { forget(tx); return nil })
}

// copyTo writes the pages in use of the latest transaction, both meta pages naming it.
func copyTo(db *bolt.DB, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(file); return err })
	return errors.Join(err, file.Close())
}

// finish makes the free pages zero, syncs, and reads the file back.
func finish(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(zeroFree(file), file.Close())
}

func zeroFree(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f, err := boltread.Open(file, info.Size())
	if err != nil {
		return err
	}
	var empty [boltread.PageSize]byte
	for id, err := range f.Free() {
		if err == nil {
			_, err = file.WriteAt(empty[:], int64(id)*boltread.PageSize)
		}
		if err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return f.CheckWhole()
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}
