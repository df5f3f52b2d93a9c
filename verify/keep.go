package verify

import (
	"bytes"
	"errors"
	"os"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// keeper keeps answers that may be pages from when a check decodes them, so that they need not be decoded, hashed and held against their entries
// again. They go to a temporary file that nobody else can open, once they are more than keepBuffer. What does not fit is not kept: whoever wants
// a page that is not there reads it from the segment.
type keeper struct {
	limit int64 // bytes that it may keep

	mu     sync.Mutex
	full   bool
	size   int64  // of what was kept
	buffer []byte // the end of it, which is not written yet
	file   *os.File
	name   string // of the file, where an open one cannot be removed
}

const keepBuffer = 1 << 20 // bytes

// kept is where a block stands in a keeper.
type kept struct{ offset int64 }

// look keeps the block of a response that may be a page, and returns a [kept], or nil.
func (k *keeper) look(rec *warc.Record) any {
	block := rec.Block()
	if rec.Type != warc.Response || !bytes.HasPrefix(block, []byte("HTTP/1.1 200")) {
		return nil
	}
	return k.keep(block)
}

// keep copies a block.
func (k *keeper) keep(block []byte) any {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full || k.size+int64(len(block)) > k.limit {
		k.full = true
		return nil
	}
	if len(k.buffer)+len(block) > keepBuffer && k.flush() != nil {
		k.drop()
		return nil
	}
	at := k.size
	k.buffer = append(k.buffer, block...)
	k.size += int64(len(block))
	return kept{at}
}

// flush writes what is in memory. The caller holds mu.
func (k *keeper) flush() error {
	if k.file == nil {
		f, err := os.CreateTemp("", "exhibit-pages-*") // mode 0600
		if err != nil {
			return err
		}
		k.file = f
		if os.Remove(f.Name()) != nil {
			k.name = f.Name()
		}
	}
	_, err := k.file.WriteAt(k.buffer, k.size-int64(len(k.buffer)))
	k.buffer = k.buffer[:0]
	return err
}

// finish ends the keeping; from now on read may be called, by any number of goroutines.
func (k *keeper) finish() {
	if k.file == nil {
		return // all of it is in memory
	}
	if k.flush() != nil {
		k.drop()
	}
	k.buffer = nil
}

// drop gives the room back that the file takes: a disk that has none left is needed for better things.
func (k *keeper) drop() {
	k.close()
	k.full, k.size, k.buffer = true, 0, nil
}

// close frees what the keeper holds.
func (k *keeper) close() error {
	if k == nil || k.file == nil {
		return nil
	}
	err := k.file.Close()
	if k.name != "" {
		err = errors.Join(err, os.Remove(k.name))
	}
	k.file = nil
	return err
}

// has reports whether the bytes up to end are there.
func (k *keeper) has(end int64) bool { return k != nil && end <= k.size }

// read fills p with what was kept at an offset.
func (k *keeper) read(p []byte, offset int64) error {
	if k.file == nil {
		copy(p, k.buffer[offset:])
		return nil
	}
	_, err := k.file.ReadAt(p, offset)
	return err
}
