package sortfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

const writeBuffer = 256 << 10

// file holds runs, one behind another. A run has for each row the length of its key, that of its value (both as varints), and both.
type file struct {
	*os.File
	path string // where an open file cannot be removed
	size int64
	out  *bufio.Writer // of the run that is being written
}

// failed says of which file an error is.
func failed(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("temporary file: %w", err)
}

func create(dir string) (*file, error) {
	f, err := os.CreateTemp(dir, "exhibit-sort-*") // mode 0600
	if err != nil {
		return nil, failed(err)
	}
	made := &file{File: f, out: bufio.NewWriterSize(nil, writeBuffer)}
	if os.Remove(f.Name()) != nil {
		made.path = f.Name()
	}
	return made, nil
}

func (f *file) remove() error {
	err := f.Close()
	if f.path != "" {
		err = errors.Join(err, os.Remove(f.path))
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// writer writes one run to the end of a file. There is one at a time. Its first error stays.
type writer struct {
	f   *file
	n   int64
	buf [2 * binary.MaxVarintLen64]byte
}

func (f *file) writer() *writer {
	f.out.Reset(io.NewOffsetWriter(f, f.size))
	return &writer{f: f}
}

func (w *writer) put(key, value []byte) {
	b := binary.AppendUvarint(w.buf[:0], uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	w.n += int64(len(b) + len(key) + len(value))
	_, _ = w.f.out.Write(b) // the error of a buffered writer comes at the flush
	_, _ = w.f.out.Write(key)
	_, _ = w.f.out.Write(value)
}

// end ends the run and says where it stands.
func (w *writer) end() (span, error) {
	if err := w.f.out.Flush(); err != nil {
		return span{}, failed(err)
	}
	run := span{w.f.size, w.f.size + w.n}
	w.f.size = run.to
	return run, nil
}
