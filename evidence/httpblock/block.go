package httpblock

import (
	"errors"
	"fmt"
	"io"
)

// Errors of stored blocks.
var (
	// ErrTrailing: bytes follow the end of the response. The layout beside it describes the response.
	ErrTrailing = errors.New("bytes after the end of the response")
	// ErrAmbiguous: the framing is ambiguous, so there is no payload.
	ErrAmbiguous = errors.New("ambiguous framing: no payload")
)

// ParseResponse reads a stored response block of that size, the answer to a request with that method.
//
// The layout's End is what the bytes tell: a block that the recorder ended for another reason (a time-out, a
// budget) comes out as cut, or as complete if it is close-delimited. ErrTrailing and read errors come beside the
// layout of what was read. Memory is bounded by a head of [MaxHeader], above which End is [EndHeaderBudget].
func ParseResponse(block io.ReaderAt, size int64, method string) (Layout, error) {
	f := NewFramer(method, Limits{}, nil)
	buf := make([]byte, min(size, 64<<10))
	for off := int64(0); off < size && !f.Done(); {
		p := buf[:min(int64(len(buf)), size-off)]
		n, err := block.ReadAt(p, off)
		if n < len(p) {
			return f.Layout(), fmt.Errorf("response block at offset %d: %w", off+int64(n), unexpected(err))
		}
		f.Feed(p)
		off += int64(n)
	}
	f.Close(true)
	l := f.Layout()
	if l.Size != size {
		return l, fmt.Errorf("response block at offset %d of %d: %w", l.Size, size, ErrTrailing)
	}
	return l, nil
}

func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Payload returns the body with chunked taken off and all else, content codings too, left on. It reads
// block, which must be the one that l describes, at most once from BodyOffset to Size, in pieces of 32 KiB.
//
// The reader ends in io.EOF only where l.End is complete, and in io.ErrUnexpectedEOF otherwise: a cut body cannot
// pass for a whole one. ErrAmbiguous where the framing is.
func (l *Layout) Payload(block io.ReaderAt) (io.Reader, error) {
	if l.Framing == FramingAmbiguous {
		return nil, ErrAmbiguous
	}
	end := io.EOF
	if l.End != EndComplete {
		end = io.ErrUnexpectedEOF
	}
	section := io.NewSectionReader(block, l.BodyOffset, l.BodyLength)
	if l.Framing != FramingChunked {
		return &payloadReader{src: section, left: l.PayloadLength, end: end}, nil
	}
	return &payloadReader{src: &dechunker{src: section}, left: l.PayloadLength, end: end}, nil
}

// payloadReader yields exactly the bytes that the layout counted.
type payloadReader struct {
	src  io.Reader
	left int64
	end  error
}

func (r *payloadReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.end
	}
	n, err := r.src.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF // the block is not the one that was laid out
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// dechunker takes chunked off src.
type dechunker struct {
	src    io.Reader
	chunks chunks
	buf    []byte // read, not yet decoded
	data   []byte // decoded, not yet handed on
	room   []byte
}

func (d *dechunker) Read(p []byte) (int, error) {
	for len(d.data) == 0 && len(p) > 0 {
		if d.chunks.st == chunkLast {
			return 0, io.EOF
		}
		if d.chunks.st == chunkBad {
			return 0, fmt.Errorf("chunked body: %w", ErrAmbiguous)
		}
		if len(d.buf) == 0 {
			if d.room == nil {
				d.room = make([]byte, 32<<10)
			}
			n, err := d.src.Read(d.room)
			if n == 0 {
				return 0, unexpected(err)
			}
			d.buf = d.room[:n]
		}
		var n int
		n, d.data = d.chunks.step(d.buf)
		d.buf = d.buf[n:]
	}
	n := copy(p, d.data)
	d.data = d.data[n:]
	return n, nil
}
