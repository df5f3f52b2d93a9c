package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// orders are the activities in the orders that were asked for. Each is made when it is first asked for, and kept until others push it out.
type orders struct {
	rows *rows

	mu   sync.Mutex
	made []*ordering // the one used last at the end
}

// ordering is one of them.
type ordering struct {
	keys string // canonical: what it is sorted by, and of which versions of activities
	sorted
	cursor cursors

	users int  // who reads it now; guarded by orders.mu
	gone  bool // others pushed it out: the last reader frees it
}

const maxOrders = 8

// take returns the activities in an order, of each the newest version of a class that may be given. release must be called when they are not read any more.
func (o *orders) take(ctx context.Context, by []odata.Order, classes []bool) (t *ordering, release func(), err error) {
	if len(by) == 0 {
		by = []odata.Order{{Path: columnName(colTime), Descending: true}} // the service's own, for all that is known
	}
	keys := fmt.Sprint(by, classes)
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.IndexFunc(o.made, func(t *ordering) bool { return t.keys == keys }); i >= 0 {
		t = o.made[i]
		o.made = slices.Delete(o.made, i, i+1)
	} else {
		s, err := o.rows.inOrder(ctx, by, classes)
		if err != nil {
			return nil, nil, err
		}
		t = &ordering{keys: keys, sorted: *s}
	}
	o.made = append(o.made, t)
	t.users++
	release = func() { o.release(t) }
	if len(o.made) <= maxOrders {
		return t, release, nil
	}
	old := o.made[0]
	o.made = slices.Delete(o.made, 0, 1)
	if old.gone = true; old.users == 0 {
		err = old.close()
	}
	return t, release, err
}

// release frees an order that was pushed out once nobody reads it.
func (o *orders) release(t *ordering) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t.users--; t.gone && t.users == 0 {
		_ = t.close() // a temporary file that was only read
	}
}

// close frees all of them. Nobody may be reading.
func (o *orders) close() (err error) {
	for _, t := range o.made {
		err = errors.Join(err, t.close())
	}
	o.made = nil
	return err
}

// inOrder sorts activities by the keys of $orderby; those that no key tells apart by time and id. Versions of one can differ in what they are sorted by, so that which
// one counts is settled before.
func (r *rows) inOrder(ctx context.Context, by []odata.Order, classes []bool) (*sorted, error) {
	s := newSorter(r.dir, grouping{tail: keyTail, most: maxVersions})
	for n := range r.base.blocks {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		items, err := r.base.read(n)
		for _, it := range newest(items, classes) {
			if err != nil {
				break
			}
			columns, _, _ := readPayload(it.payload)
			key := bytes.Clone(it.key[:4])
			for _, o := range by {
				key = appendDirected(key, columns[columnOf(o.Path)], o.Descending)
			}
			err = s.Add(append(key, it.key[4:]...), it.payload)
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s.finish()
}

// newest returns of each activity in a block the version that was recorded last among those of a class that may be given. It overwrites items.
func newest(items []item, classes []bool) []item {
	kept, from := items[:0], 0 // from is where the present activity stands
	var last []byte
	for _, it := range items {
		if last != nil && !samePrefix(last, it.key, keyTail) {
			from = len(kept)
		}
		last = it.key
		switch {
		case !classes[it.key[len(it.key)-keyTail]]:
		case from == len(kept):
			kept = append(kept, it)
		case bytes.Compare(tailOf(it), tailOf(kept[from])) < 0:
			kept[from] = it
		}
	}
	return kept
}

// appendDirected is appendValue for a direction.
func appendDirected(b []byte, v odata.Value, descending bool) []byte {
	from := len(b)
	b = appendValue(b, v)
	for i := from; descending && i < len(b); i++ {
		b[i] ^= 0xFF
	}
	return b
}

// scan goes through the activities of one mailbox in order.
type scan struct {
	t      *ordering
	box    []byte
	at     place
	items  []item // of the block at at
	loaded int    // its number, -1 for none
}

func newScan(t *ordering, box uint32, at place) *scan {
	return &scan{t: t, box: binary.BigEndian.AppendUint32(nil, box), at: at, loaded: -1}
}

// tailOf is what orders versions, the newest first.
func tailOf(it item) []byte { return it.key[len(it.key)-keyOnce:] }

// next returns the payload of the next activity, or nil behind the last one.
func (s *scan) next() ([]byte, error) {
	for s.loaded != s.at.block || s.at.item >= len(s.items) {
		if s.loaded == s.at.block {
			s.at = place{s.at.block + 1, 0}
		}
		if s.at.block >= len(s.t.blocks) {
			return nil, nil
		}
		items, err := s.t.read(s.at.block)
		if err != nil {
			return nil, err
		}
		s.items, s.loaded = items, s.at.block
	}
	it := s.items[s.at.item]
	if !bytes.HasPrefix(it.key, s.box) {
		return nil, nil
	}
	s.at.item++
	return it.payload, nil
}

// cursors remember where pages ended, so that the next page of the same query need not be counted from the start.
type cursors struct {
	mu   sync.Mutex
	list []cursor // the newest at the end
}

type cursor struct {
	query string // all that decides which rows come, and in which order
	skip  int    // how many rows come before
	at    place
}

const maxCursors = 64

// before returns the last place that is known at or before skip rows.
func (c *cursors) before(query string, skip int) (best cursor, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.list {
		if k.query == query && k.skip <= skip && (!ok || k.skip > best.skip) {
			best, ok = k, true
		}
	}
	return best, ok
}

func (c *cursors) remember(k cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, k)
	if len(c.list) > maxCursors {
		c.list = append(c.list[:0], c.list[1:]...)
	}
}
