package extract

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// blockSlots is the number of slots that one look-up reads: just under 4 KiB.
const blockSlots = 170

// bloomBits is the size of the filter: 8 MiB.
const bloomBits = 1 << 26

// spill holds slots, sorted, in a temporary file.
type spill struct {
	dir   string
	file  *os.File
	n     int64
	fence []slot // the first slot of each block
	bloom []uint64
	block [blockSlots * slotSize]byte
}

func newSpill(dir string) *spill {
	return &spill{dir: dir, bloom: make([]uint64, bloomBits/64)}
}

// find looks a key up.
func (s *spill) find(k slot) (sum uint64, found bool, err error) {
	if !s.maybe(k) {
		return 0, false, nil
	}
	block := sort.Search(len(s.fence), func(i int) bool { return s.fence[i].compare(k) > 0 }) - 1
	if block < 0 {
		return 0, false, nil
	}
	from := int64(block) * blockSlots
	count := int(min(blockSlots, s.n-from))
	b := s.block[:count*slotSize]
	if _, err := s.file.ReadAt(b, from*slotSize); err != nil {
		return 0, false, err
	}
	i := sort.Search(count, func(i int) bool { return readSlot(b[i*slotSize:]).compare(k) >= 0 })
	if i == count {
		return 0, false, nil
	}
	t := readSlot(b[i*slotSize:])
	return t.sum, t.compare(k) == 0, nil
}

// merge adds sorted slots, none of which is in the file yet, by writing a new
// file beside the old one.
func (s *spill) merge(add []slot) (err error) {
	file, err := os.CreateTemp(s.dir, "exhibit-ids-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	out := &spillWriter{w: bufio.NewWriterSize(file, 256<<10), fence: make([]slot, 0, int(s.n)/blockSlots+len(add)/blockSlots+2)}
	for _, t := range add {
		s.mark(t)
	}
	if err := s.copyOld(out, &add); err != nil {
		return err
	}
	for _, t := range add {
		if err := out.put(t); err != nil {
			return err
		}
	}
	if err := out.w.Flush(); err != nil {
		return err
	}
	old := s.file
	s.file, s.n, s.fence = file, out.n, out.fence
	return remove(old)
}

// copyOld writes the slots of the present file and, at their places, those of
// add; it leaves in add what comes after all of them.
func (s *spill) copyOld(out *spillWriter, add *[]slot) error {
	if s.file == nil {
		return nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.n*slotSize), 256<<10)
	var b [slotSize]byte
	for range s.n {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return err
		}
		t := readSlot(b[:])
		for len(*add) > 0 && (*add)[0].compare(t) < 0 {
			if err := out.put((*add)[0]); err != nil {
				return err
			}
			*add = (*add)[1:]
		}
		if err := out.put(t); err != nil {
			return err
		}
	}
	return nil
}

type spillWriter struct {
	w     *bufio.Writer
	n     int64
	fence []slot
	buf   [slotSize]byte
}

func (w *spillWriter) put(t slot) error {
	if w.n%blockSlots == 0 {
		w.fence = append(w.fence, t)
	}
	w.n++
	_, err := w.w.Write(t.append(w.buf[:0]))
	return err
}

// Close closes and removes the file.
func (s *spill) Close() error { return remove(s.file) }

func remove(f *os.File) error {
	if f == nil {
		return nil
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	return nil
}

// probes returns the filter bits of a key, whose bits are those of a hash.
func probes(k slot) [4]uint64 {
	const mask = bloomBits - 1
	return [4]uint64{k.a & mask, k.a >> 32 & mask, k.b & mask, k.b >> 32 & mask}
}

func (s *spill) mark(k slot) {
	for _, p := range probes(k) {
		s.bloom[p/64] |= 1 << (p % 64)
	}
}

func (s *spill) maybe(k slot) bool {
	for _, p := range probes(k) {
		if s.bloom[p/64]&(1<<(p%64)) == 0 {
			return false
		}
	}
	return true
}
