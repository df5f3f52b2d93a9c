package extract

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// slot is one id: 128 bits of its hash, and 64 bits of the hash of the first
// record that bore it. The zero key marks a free slot.
type slot struct{ a, b, sum uint64 }

const slotSize = 24

func (s slot) compare(t slot) int {
	return cmp.Or(cmp.Compare(s.a, t.a), cmp.Compare(s.b, t.b))
}

// defaultMemoryKeys fills a table of 2^20 slots, 24 MiB, to three quarters.
const defaultMemoryKeys = 3 << 18

// seen remembers record ids. It holds up to limit of them in memory; then they
// go to one sorted temporary file, with a Bloom filter of 8 MiB before it, so
// that memory stays within 36 MiB whatever the number of records.
type seen struct {
	slots []slot
	used  int
	limit int
	dir   string
	spill *spill
}

func newSeen(dir string, limit int) *seen {
	if limit <= 0 {
		limit = defaultMemoryKeys
	}
	return &seen{dir: dir, limit: limit, slots: make([]slot, 1024)}
}

// add remembers an id by its hash. If it was there before, found is true and
// before is the sum that it was first added with.
func (s *seen) add(hash [32]byte, sum uint64) (before uint64, found bool, err error) {
	k := slot{binary.LittleEndian.Uint64(hash[0:]), binary.LittleEndian.Uint64(hash[8:]), sum}
	if k.a == 0 && k.b == 0 {
		k.a = 1
	}
	at := s.locate(k)
	if s.slots[at].compare(k) == 0 {
		return s.slots[at].sum, true, nil
	}
	if s.spill != nil {
		if before, found, err = s.spill.find(k); found || err != nil {
			return before, found, err
		}
	}
	if s.used == s.limit {
		if err := s.flush(); err != nil {
			return 0, false, err
		}
		at = s.locate(k)
	} else if s.used >= len(s.slots)/4*3 {
		s.grow()
		at = s.locate(k)
	}
	s.slots[at] = k
	s.used++
	return 0, false, nil
}

// locate returns the index of k's slot, or of the free one where it belongs.
func (s *seen) locate(k slot) int {
	mask := len(s.slots) - 1
	for i := int(k.a) & mask; ; i = (i + 1) & mask {
		if t := s.slots[i]; t.a == k.a && t.b == k.b || t.a == 0 && t.b == 0 {
			return i
		}
	}
}

func (s *seen) grow() {
	old := s.slots
	s.slots = make([]slot, 2*len(old))
	for _, t := range old {
		if t.a != 0 || t.b != 0 {
			s.slots[s.locate(t)] = t
		}
	}
}

// flush moves all slots to the file.
func (s *seen) flush() error {
	if s.spill == nil {
		s.spill = newSpill(s.dir)
	}
	full := s.slots[:0]
	for _, t := range s.slots {
		if t.a != 0 || t.b != 0 {
			full = append(full, t)
		}
	}
	slices.SortFunc(full, slot.compare)
	if err := s.spill.merge(full); err != nil {
		return err
	}
	clear(s.slots)
	s.used = 0
	return nil
}

// Close removes the temporary file, if there is one.
func (s *seen) Close() error {
	if s.spill == nil {
		return nil
	}
	return s.spill.Close()
}

func (s slot) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, s.a)
	b = binary.LittleEndian.AppendUint64(b, s.b)
	return binary.LittleEndian.AppendUint64(b, s.sum)
}

func readSlot(b []byte) slot {
	return slot{
		binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]),
	}
}
