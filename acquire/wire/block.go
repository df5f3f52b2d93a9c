package wire

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// A Block holds the bytes of a response: in memory, or above the spool threshold in a file of mode 0600. Reading is safe
// for concurrent use until Close.
type Block struct {
	dir       string
	threshold int64

	mem  []byte
	file *os.File
	size int64
	once sync.Once
	err  error
}

// Size returns the number of bytes.
func (b *Block) Size() int64 { return b.size }

// Bytes returns the bytes, which must not be changed, or nil if they are in a file.
func (b *Block) Bytes() []byte { return b.mem }

// ReadAt implements io.ReaderAt.
func (b *Block) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	if off < 0 || off >= int64(len(b.mem)) {
		return 0, io.EOF
	}
	n := copy(p, b.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close removes the file, if there is one. Further calls do nothing.
func (b *Block) Close() error {
	b.once.Do(func() {
		if b.file != nil {
			name := b.file.Name()
			b.err = b.file.Close()
			if err := os.Remove(name); b.err == nil {
				b.err = err
			}
		}
	})
	return b.err
}

// append adds p; expect is how many bytes are still to come after it, -1 if that is unknown.
func (b *Block) append(p []byte, expect int64) error {
	b.size += int64(len(p))
	if b.file == nil && b.size <= b.threshold {
		if want := b.size + max(expect, 0); want > int64(cap(b.mem)) {
			if expect < 0 || want > b.threshold {
				want = max(b.size, min(2*int64(cap(b.mem)), b.threshold))
			}
			b.mem = append(make([]byte, 0, want), b.mem...)
		}
		b.mem = append(b.mem, p...)
		return nil
	}
	if b.file == nil {
		f, err := os.CreateTemp(b.dir, "response-*.spool") // 0600
		if err != nil {
			return fmt.Errorf("response spool: %w", err)
		}
		b.file = f
		if _, err := f.Write(b.mem); err != nil {
			return fmt.Errorf("response spool: %w", err)
		}
		b.mem = nil
	}
	if _, err := b.file.Write(p); err != nil {
		return fmt.Errorf("response spool: %w", err)
	}
	return nil
}
