package boltread

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Bucket is one bucket of the file.
type Bucket struct {
	f     *File
	name  string
	root  uint64
	page  []byte // of an inline bucket, else nil
	flags uint32 // of its elements: 1 in the bucket of buckets
	err   error  // what is wrong with its header
}

// Name returns the bucket's name.
func (b *Bucket) Name() string { return b.name }

// Buckets returns the buckets in the order of their names. It fails if their list cannot be read to its end; what is wrong with one of them its cursors say.
func (f *File) Buckets() ([]*Bucket, error) {
	var all []*Bucket
	c := f.rootBucket().Cursor()
	for ok := c.First(); ok; ok = c.Next() {
		if len(all) == maxBuckets {
			return nil, fmt.Errorf("bbolt file with more than %d buckets", maxBuckets)
		}
		all = append(all, f.bucket(string(c.Key()), c.Value()))
	}
	if c.Err() != nil {
		return nil, c.Err()
	}
	return all, nil
}

func (f *File) rootBucket() *Bucket { return &Bucket{f: f, root: f.meta.root, flags: 1} }

// Bucket finds a bucket by name. It fails with [ErrNoBucket] if there is none, else if the way there is damaged.
func (f *File) Bucket(name string) (*Bucket, error) {
	c := f.rootBucket().Cursor()
	if !c.Seek([]byte(name)) || string(c.Key()) != name {
		if c.Err() != nil {
			return nil, c.Err()
		}
		return nil, fmt.Errorf("bucket %q: %w", name, ErrNoBucket)
	}
	b := f.bucket(name, c.Value())
	return b, b.err
}

func (f *File) bucket(name string, value []byte) *Bucket {
	b := &Bucket{f: f, name: name}
	if len(value) < 16 {
		b.err = fmt.Errorf("bucket %q: header of %d bytes", name, len(value))
		return b
	}
	b.root = binary.LittleEndian.Uint64(value)
	sequence := binary.LittleEndian.Uint64(value[8:])
	switch {
	case sequence != 0:
		b.err = fmt.Errorf("bucket %q: sequence %d", name, sequence)
	case b.root == 0:
		b.page = append([]byte{}, value[16:]...)
	case len(value) != 16 || !f.inUse(b.root):
		b.err = fmt.Errorf("bucket %q: header of %d bytes with root %d", name, len(value), b.root)
	}
	return b
}

// Cursor returns a cursor that stands nowhere.
func (b *Bucket) Cursor() *Cursor { return &Cursor{b: b, depth: -1, err: b.err} }

// Cursor walks the rows of a bucket in the order of their keys. It reads each page once on its way, because a page whose keys do not follow
// those before is an error, and holds one page for each level. It is for one goroutine.
type Cursor struct {
	b      *Bucket
	levels []level
	depth  int // of the leaf in levels, -1 if the cursor stands nowhere
	leaf   int // depth of all leaves, once one has been seen plus one
	err    error
	visit  func(id uint64, run int) error // nil or told of every page
}

type level struct {
	page page
	at   int
	hi   []byte // keys here are less; nil for no limit
}

// Err returns what stopped the cursor: nil at the end of the bucket. An error stays.
func (c *Cursor) Err() error { return c.err }

// Key returns the key of the row, valid until the cursor moves.
func (c *Cursor) Key() []byte { l := &c.levels[c.depth]; return l.page.key(l.at) }

// Value returns the value of the row, valid until the cursor moves.
func (c *Cursor) Value() []byte { l := &c.levels[c.depth]; return l.page.value(l.at) }

// First moves to the first row. It reports false if there is none or on an error.
func (c *Cursor) First() bool { return c.seek(nil) }

// Seek moves to the first row whose key is not less than key. It reports false if there is none or on an error.
func (c *Cursor) Seek(key []byte) bool {
	if c.err == nil && c.depth >= 0 {
		l := &c.levels[c.depth]
		if l.page.count > 0 && bytes.Compare(l.page.key(0), key) <= 0 && (l.hi == nil || bytes.Compare(key, l.hi) < 0) {
			l.at = l.page.find(key)
			return l.at < l.page.count || c.next()
		}
	}
	return c.seek(key)
}

// Next moves to the next row. It reports false if there is none or on an error.
func (c *Cursor) Next() bool {
	if c.err != nil || c.depth < 0 {
		return false
	}
	c.levels[c.depth].at++
	return c.levels[c.depth].at < c.levels[c.depth].page.count || c.next()
}

func (c *Cursor) seek(key []byte) bool {
	if c.err != nil {
		return false
	}
	c.depth = -1
	if !c.enter(0, c.b.root, nil, nil) || !c.down(0, key) {
		return false
	}
	l := &c.levels[c.depth]
	return l.at < l.page.count || c.next()
}

// next goes to the first row behind a leaf that has ended.
func (c *Cursor) next() bool {
	for d := c.depth - 1; d >= 0; d-- {
		l := &c.levels[d]
		if l.at+1 < l.page.count {
			l.at++
			return c.step(d) && c.down(d+1, nil)
		}
	}
	c.depth = -1
	return false
}

// down goes from the page at depth d to a leaf: to where key is or would be.
func (c *Cursor) down(d int, key []byte) bool {
	for {
		l := &c.levels[d]
		l.at = l.page.find(key)
		if l.page.leaf {
			c.depth = d
			return true
		}
		if l.at == l.page.count || l.at > 0 && !bytes.Equal(l.page.key(l.at), key) {
			l.at--
		}
		if !c.step(d) {
			return false
		}
		d++
	}
}

// step enters the child at which the branch at depth d stands.
func (c *Cursor) step(d int) bool {
	l := &c.levels[d]
	hi := l.hi
	if l.at+1 < l.page.count {
		hi = l.page.key(l.at + 1)
	}
	return c.enter(d+1, l.page.child(l.at), l.page.key(l.at), hi)
}

// enter loads a page for depth d, whose first key must be lo (nil at the root) and whose keys must be less than hi.
func (c *Cursor) enter(d int, id uint64, lo, hi []byte) bool {
	c.err = c.load(d, id, lo, hi)
	if c.err != nil {
		c.depth = -1
	}
	return c.err == nil
}

func (c *Cursor) load(d int, id uint64, lo, hi []byte) error {
	f := c.b.f
	if d >= maxDepth && f.rules&ruleDepth != 0 {
		return malformed(id, "more than %d levels deep", maxDepth)
	}
	if d == len(c.levels) {
		c.levels = append(c.levels, level{})
	}
	l := &c.levels[d]
	l.at, l.hi = 0, hi
	p := &l.page
	if c.b.page != nil {
		return p.inline(c.b.page)
	}
	if !f.inUse(id) {
		return malformed(id, "not one of the %d pages in use", f.meta.pages)
	}
	if err := f.load(p, id, c.b.flags); err != nil {
		return err
	}
	if c.visit != nil {
		if err := c.visit(id, len(p.buf)/PageSize); err != nil {
			return err
		}
	}
	if p.count == 0 && (d > 0 || !p.leaf) {
		return malformed(id, "no elements")
	}
	if f.rules&ruleSeparators != 0 && p.count > 0 {
		if lo != nil && !bytes.Equal(p.key(0), lo) || hi != nil && bytes.Compare(p.key(p.count-1), hi) >= 0 {
			return malformed(id, "keys outside the range that the page above gives")
		}
	}
	if p.leaf {
		if c.leaf != 0 && c.leaf != d+1 {
			return malformed(id, "leaf at depth %d, others at %d", d, c.leaf-1)
		}
		c.leaf = d + 1
	}
	return nil
}
