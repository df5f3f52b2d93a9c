package replay

import (
	"errors"
	"io"
	"os"
)

// spool is an append-only store: in memory while it is small, then in a temporary file that nobody else can open. It is written by one goroutine; once flush was
// called, any number may read.
type spool struct {
	dir    string
	size   int64
	buffer []byte // the end of it, which is not written yet
	file   *os.File
	name   string // of the file, where an open one cannot be removed
}

const spoolBuffer = 1 << 20 // bytes

// add appends a piece and returns where it stands.
func (s *spool) add(p []byte) (offset int64, err error) {
	if len(s.buffer)+len(p) > spoolBuffer {
		if err := s.write(); err != nil {
			return 0, err
		}
	}
	offset = s.size
	s.size += int64(len(p))
	if len(p) > spoolBuffer {
		_, err = s.file.WriteAt(p, offset)
		return offset, err
	}
	s.buffer = append(s.buffer, p...)
	return offset, nil
}

// write moves what is in memory to the file.
func (s *spool) write() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "exhibit-replay-*") // mode 0600
		if err != nil {
			return err
		}
		s.file = f
		if os.Remove(f.Name()) != nil {
			s.name = f.Name()
		}
	}
	_, err := s.file.WriteAt(s.buffer, s.size-int64(len(s.buffer)))
	s.buffer = s.buffer[:0]
	return err
}

// flush ends the writing.
func (s *spool) flush() error {
	if s.file == nil {
		return nil
	}
	err := s.write()
	s.buffer = nil
	return err
}

// ReadAt reads what was written before flush.
func (s *spool) ReadAt(p []byte, offset int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, offset)
	}
	if offset < 0 || offset > int64(len(s.buffer)) {
		return 0, io.EOF
	}
	n := copy(p, s.buffer[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// piece returns length bytes at offset.
func (s *spool) piece(offset, length int64) ([]byte, error) {
	b := make([]byte, length)
	if n, err := s.ReadAt(b, offset); n < len(b) {
		return nil, err
	}
	return b, nil
}

// close frees what the spool holds. A nil spool can be closed, and a closed one again.
func (s *spool) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file = nil
	return err
}
