package boltread

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// page is a branch or leaf page with its overflow, checked by itself.
type page struct {
	id    uint64 // 0 of an inline bucket
	leaf  bool
	count int
	buf   []byte
}

// load reads and checks the branch or leaf page id; p's buffer is used again. bucketFlag is the flag that a leaf's elements must have.
func (f *File) load(p *page, id uint64, bucketFlag uint32) error {
	p.buf = slices.Grow(p.buf[:0], PageSize)[:PageSize]
	if err := readFull(f.r, p.buf, int64(id)*PageSize); err != nil {
		return err
	}
	h := parseHeader(p.buf)
	if h.id != id {
		return malformed(id, "calls itself %d", h.id)
	}
	if h.overflow >= maxRun || !f.inUse(id+uint64(h.overflow)) {
		return malformed(id, "runs over %d more pages", h.overflow)
	}
	if h.overflow > 0 {
		n := (int(h.overflow) + 1) * PageSize
		p.buf = slices.Grow(p.buf, n-PageSize)[:n]
		if err := readFull(f.r, p.buf[PageSize:], int64(id+1)*PageSize); err != nil {
			return err
		}
	}
	used, err := p.check(h, bucketFlag)
	if err != nil {
		return err
	}
	if need := max(1, (used+PageSize-1)/PageSize); need != int(h.overflow)+1 {
		return malformed(id, "runs over %d pages and needs %d", h.overflow+1, need)
	}
	if f.rules&ruleZero != 0 && !zero(p.buf[used:]) {
		return malformed(id, "unused bytes that are not zero")
	}
	return nil
}

// inline reads and checks the page of an inline bucket.
func (p *page) inline(b []byte) error {
	if len(b) < headerSize {
		return malformed(0, "inline bucket of %d bytes", len(b))
	}
	p.buf = b
	h := parseHeader(b)
	if h.id != 0 || h.flags != flagLeaf || h.overflow != 0 {
		return malformed(0, "no header of an inline bucket")
	}
	used, err := p.check(h, 0)
	if err != nil {
		return err
	}
	if used != len(b) {
		return malformed(0, "inline bucket of %d bytes uses %d", len(b), used)
	}
	return nil
}

// check walks the elements and returns how many bytes of the page are used.
func (p *page) check(h header, bucketFlag uint32) (used int, err error) {
	if h.flags != flagBranch && h.flags != flagLeaf {
		return 0, malformed(h.id, "flags %#x", h.flags)
	}
	p.id, p.leaf, p.count = h.id, h.flags == flagLeaf, int(h.count)
	at := headerSize + elementSize*p.count
	if at > len(p.buf) {
		return 0, malformed(h.id, "%d elements", p.count)
	}
	var prev []byte
	for i := range p.count {
		flags, pos, klen, vlen := p.element(i)
		if pos != uint64(at) {
			return 0, malformed(h.id, "element %d points to %d instead of %d", i, pos, at)
		}
		if room := uint64(len(p.buf) - at); klen == 0 || klen > maxKey || klen+vlen > room {
			return 0, malformed(h.id, "element %d has a key of %d and a value of %d bytes", i, klen, vlen)
		}
		if p.leaf && flags != bucketFlag {
			return 0, malformed(h.id, "element %d has flags %#x", i, flags)
		}
		key := p.buf[at : at+int(klen)]
		if i > 0 && bytes.Compare(prev, key) >= 0 {
			return 0, malformed(h.id, "key of element %d does not follow the one before", i)
		}
		prev = key
		at += int(klen + vlen)
	}
	return at, nil
}

// element returns the fields of element i; pos is counted from the start of the page and not checked.
func (p *page) element(i int) (flags uint32, pos, klen, vlen uint64) {
	le := binary.LittleEndian
	at := headerSize + elementSize*i
	e := p.buf[at : at+elementSize]
	if p.leaf {
		return le.Uint32(e), uint64(at) + uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
	}
	return 0, uint64(at) + uint64(le.Uint32(e)), uint64(le.Uint32(e[4:])), 0
}

// key returns the key of element i of a checked page.
func (p *page) key(i int) []byte {
	_, pos, klen, _ := p.element(i)
	return p.buf[pos : pos+klen : pos+klen]
}

// value returns the value of element i of a checked leaf.
func (p *page) value(i int) []byte {
	_, pos, klen, vlen := p.element(i)
	return p.buf[pos+klen : pos+klen+vlen : pos+klen+vlen]
}

// child returns the page that element i of a branch points to.
func (p *page) child(i int) uint64 {
	return binary.LittleEndian.Uint64(p.buf[headerSize+elementSize*i+8:])
}

// find returns the first element whose key is not less than key.
func (p *page) find(key []byte) int {
	lo, hi := 0, p.count
	for lo < hi {
		if mid := (lo + hi) / 2; bytes.Compare(p.key(mid), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
