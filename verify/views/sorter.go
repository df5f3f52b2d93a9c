package views

import (
	"context"
	"errors"

	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

const (
	defaultSortMemory = 6 << 20 // bytes of rows that a sorter holds before it writes them
	heed              = 1024    // after so many rows a sorter looks whether it is still wanted
)

// sorter puts items in the order of their keys, which are all different.
type sorter struct {
	*sortfile.Sorter
	ctx   context.Context
	added int

	key0, value0 []byte // for put
}

// scratch is where sorters work. They are closed with it.
type scratch struct {
	ctx    context.Context
	dir    string
	memory int // for each sorter, in bytes
	open   []*sorter
}

func newScratch(ctx context.Context, o *Options) *scratch {
	r := &scratch{ctx: ctx, dir: o.TempDir, memory: o.Memory}
	if r.memory <= 0 {
		r.memory = defaultSortMemory
	}
	return r
}

func (r *scratch) sorter() *sorter {
	s := &sorter{Sorter: sortfile.New(sortfile.Options{TempDir: r.dir, Memory: r.memory}), ctx: r.ctx}
	r.open = append(r.open, s)
	return s
}

func (r *scratch) close() (err error) {
	for _, s := range r.open {
		err = errors.Join(err, s.Close())
	}
	return err
}

// add adds an item. Neither slice is kept.
func (s *sorter) add(key, value []byte) error {
	if s.added++; s.added%heed == 0 && s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	return s.Add(key, value)
}

// put adds what stands in key0 and value0, whose memory is used again: whoever puts an item makes it there.
func (s *sorter) put() error { return s.add(s.key0, s.value0) }

// each calls f for each item in order.
func (s *sorter) each(f func(key, value []byte) error) error {
	n := 0
	return s.Each(func(key, value []byte) error {
		if n++; n%heed == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		return f(key, value)
	})
}
