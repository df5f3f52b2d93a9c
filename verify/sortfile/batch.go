package sortfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// batch is rows in memory.
type batch struct {
	arena []byte
	rows  []row
	loose bool // whether they stand in another order than that of their keys
}

// row is a row in the arena: its key, then its value.
type row struct {
	rank     uint64 // of the key, once the batch is sorted
	at       int
	key, all uint32 // lengths
}

const rowCost = 24 // bytes that a row takes beside its own

func (b *batch) key(r row) []byte   { return b.arena[r.at : r.at+int(r.key)] }
func (b *batch) value(r row) []byte { return b.arena[r.at+int(r.key) : r.at+int(r.all)] }

// fits reports whether a row of so many bytes has room in so many bytes of memory. A batch without rows takes any.
func (b *batch) fits(size, memory int) bool {
	return len(b.rows) == 0 || len(b.arena)+size+(len(b.rows)+1)*rowCost <= memory
}

func (b *batch) add(key, value []byte, memory int) {
	at, size := len(b.arena), len(key)+len(value)
	if need := at + size; need > cap(b.arena) && need > memory/8 {
		b.arena = slices.Grow(b.arena, max(memory, need)-at) // once, and not by doubling
	}
	b.arena = append(append(b.arena, key...), value...)
	b.rows = append(b.rows, row{at: at, key: uint32(len(key)), all: uint32(size)})
}

// clear takes the rows away, and keeps their memory but for what one long row needed.
func (b *batch) clear(memory int) {
	b.arena, b.rows, b.loose = b.arena[:0], b.rows[:0], false
	if cap(b.arena) > 2*memory {
		b.arena = nil
	}
}

// order is how keys are compared: as bytes, the greatest first if descending. All of them begin with the same common bytes.
type order struct {
	descending bool
	common     int
}

// rank is what comes first of what tells a key from others, as a number of the same order.
func (o order) rank(key []byte) uint64 {
	key = key[min(o.common, len(key)):]
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// compare compares two keys and, before them, their ranks.
func (o order) compare(p, q uint64, a, b []byte) int {
	if o.descending {
		p, q, a, b = q, p, b, a
	}
	if p != q {
		return cmp.Compare(p, q)
	}
	return bytes.Compare(a[o.common:], b[o.common:])
}

func (b *batch) sort(o order) {
	if !b.loose {
		return
	}
	for i := range b.rows {
		b.rows[i].rank = o.rank(b.key(b.rows[i]))
	}
	slices.SortFunc(b.rows, func(x, y row) int {
		if c := o.compare(x.rank, y.rank, b.key(x), b.key(y)); c != 0 {
			return c
		}
		return cmp.Compare(x.at, y.at)
	})
}
