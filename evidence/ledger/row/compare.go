package row

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
)

// maxDifferences is how many differences a comparison keeps; the others are counted.
const maxDifferences = 100

// Memory in bytes, as estimated, that rows may take which are still being folded. What is more is sorted outside of it.
const (
	windowBudget = 16 << 20
	cursorBudget = 48 << 20
)

// Difference is one place where an index is not what the segments make of it.
type Difference struct {
	Bucket string
	Key    string // numbers in decimal, of meta the key itself; "" for the bucket as a whole
	What   string
}

func (d Difference) String() string {
	if d.Key == "" {
		return fmt.Sprintf("bucket %s: %s", d.Bucket, d.What)
	}
	return fmt.Sprintf("bucket %s, key %s: %s", d.Bucket, d.Key, d.What)
}

// Result is what a comparison found.
type Result struct {
	Differences []Difference // at most 100
	More        int64        // differences beyond those
	Uncompared  []Uncompared
}

// Uncompared is a bucket of which more rows were unfinished at the same time than memory holds, and that could not be sorted outside of it either:
// nothing is known of the rest of its rows.
type Uncompared struct {
	Bucket string
	Err    error // of the sorter
}

// Comparer compares an index with the batches that it was derived from, in one pass over both, in memory that does
// not grow with them. It stops at nothing: a bucket that cannot be read is a difference, and the others are still compared.
// It is for one goroutine.
type Comparer struct {
	result  Result
	streams [3]*stream // entries, exchanges, log
	windows *folds
	cursors *folds
	totals  Totals
	encoder Encoder
	buckets map[string]*boltread.Bucket
	sorter  func() Sorter
}

// Options are what a comparison needs beside the file.
type Options struct {
	// Sorter makes a sorter for what memory does not hold. At most two are made, one for a bucket.
	Sorter func() Sorter
	// Memory is about how many bytes the rows of a bucket may take that are still being folded; 0 stands for 16 MiB (windows) and 48 MiB (cursors).
	Memory int64
}

// NewComparer starts a comparison. The file's structure need not have been checked.
func NewComparer(f *boltread.File, o Options) *Comparer {
	c := &Comparer{buckets: map[string]*boltread.Bucket{}, sorter: o.Sorter}
	buckets, err := f.Buckets()
	if err != nil {
		c.differ("", "", "the list of buckets is unreadable: "+err.Error())
	}
	for _, b := range buckets {
		if !slices.Contains(Buckets(), b.Name()) {
			c.differ(b.Name(), "", "unknown bucket")
		}
		c.buckets[b.Name()] = b
	}
	for i, name := range []string{Entries, Exchanges, Log} {
		c.streams[i] = &stream{c: c, name: name, cursor: c.cursor(name)}
		c.streams[i].start()
	}
	c.windows = &folds{c: c, name: Windows, width: 8, budget: cmp.Or(o.Memory, windowBudget), cursor: c.cursor(Windows), live: map[[16]byte]*live{}}
	c.cursors = &folds{c: c, name: Cursors, width: 16, budget: cmp.Or(o.Memory, cursorBudget), cursor: c.cursor(Cursors), live: map[[16]byte]*live{}}
	return c
}

// cursor opens a bucket; nil if there is none, which it has reported.
func (c *Comparer) cursor(name string) *boltread.Cursor {
	if b := c.buckets[name]; b != nil {
		return b.Cursor()
	}
	c.differ(name, "", "no such bucket")
	return nil
}

func (c *Comparer) differ(bucket, key, what string) {
	if len(c.result.Differences) == maxDifferences {
		c.result.More++
		return
	}
	c.result.Differences = append(c.result.Differences, Difference{bucket, key, what})
}

// Add compares the rows of the next batch. It fails, and the comparison means nothing any more, if no rows can be made of the batch.
func (c *Comparer) Add(b *evidence.Batch) error {
	c.totals.Add(b)
	for _, e := range b.Entries {
		if err := c.encoder.Rows(e, c.compare); err != nil {
			return err
		}
		c.windows.add(e, Key(e.Head.Window), 0)
		if x, ok := e.Body.(*evidence.Exchange); ok {
			c.cursors.add(e, Key(e.Head.Window), x.Chain)
		}
	}
	return nil
}

func (c *Comparer) compare(bucket string, key, value []byte) error {
	for _, s := range c.streams {
		if s.name == bucket {
			s.expect(key, value)
		}
	}
	return nil
}

// Finish compares what the last batch leaves and returns everything that was found.
func (c *Comparer) Finish() Result {
	for _, s := range c.streams {
		s.finish()
	}
	c.windows.finish()
	c.cursors.finish()
	s := &stream{c: c, name: Meta, cursor: c.cursor(Meta), text: true}
	s.start()
	err := c.totals.Rows(func(key string, value []byte) error {
		s.expect([]byte(key), value)
		return nil
	})
	if err != nil {
		c.differ(Meta, "", "cannot be derived: "+err.Error())
	}
	s.finish()
	return c.result
}

// Close frees what the comparison holds outside of memory. It may be called at any time, and again.
func (c *Comparer) Close() error { return errors.Join(c.windows.close(), c.cursors.close()) }

// stream compares a bucket whose rows are expected in the order of their keys.
type stream struct {
	c      *Comparer
	name   string
	cursor *boltread.Cursor // nil if the bucket cannot be read
	text   bool             // keys are words
	ok     bool             // the cursor stands on a row
}

func (s *stream) start() {
	if s.cursor != nil {
		s.ok = s.cursor.First()
		s.check()
	}
}

func (s *stream) next() {
	s.ok = s.cursor.Next()
	s.check()
}

// check gives a bucket up that cannot be read further.
func (s *stream) check() {
	if err := s.cursor.Err(); err != nil {
		s.c.differ(s.name, "", "unreadable from here on: "+err.Error())
		s.cursor = nil
	}
}

func (s *stream) key(k []byte) string {
	if s.text {
		return fmt.Sprintf("%q", k)
	}
	return keyText(k)
}

func (s *stream) expect(key, value []byte) {
	for s.cursor != nil {
		order := 1
		if s.ok {
			order = bytes.Compare(s.cursor.Key(), key)
		}
		switch {
		case order > 0:
			s.c.differ(s.name, s.key(key), "row is missing")
			return
		case order == 0:
			if !bytes.Equal(s.cursor.Value(), value) {
				s.c.differ(s.name, s.key(key), "value differs")
			}
			s.next()
			return
		}
		s.c.differ(s.name, s.key(s.cursor.Key()), "row that no entry explains")
		s.next()
	}
}

func (s *stream) finish() {
	for s.cursor != nil && s.ok {
		s.c.differ(s.name, s.key(s.cursor.Key()), "row that no entry explains")
		s.next()
	}
}

func keyText(k []byte) string {
	switch len(k) {
	case 8:
		return fmt.Sprint(int64(beUint64(k)))
	case 16:
		return fmt.Sprintf("%d/%d", int64(beUint64(k)), int64(beUint64(k[8:])))
	}
	return "0x" + hex.EncodeToString(k[:min(len(k), 32)])
}
