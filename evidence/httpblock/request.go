package httpblock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrRequest: a stored request block is not what the recorder writes.
var ErrRequest = errors.New("malformed request block")

// maxRequestHead bounds the head of a stored request, in bytes.
const maxRequestHead = 1 << 20

// A RequestLayout says what the bytes of one stored request block are.
type RequestLayout struct {
	Method     string
	Target     string // as sent, secret query values redacted
	Proto      string // "HTTP/1.1"
	Fields     Fields
	HeadLength int64 // including the empty line; the body follows
	BodyLength int64
}

// ParseRequest reads a stored request block. It accepts the form that the recorder writes alone: CRLF, tokens, no
// folding, a body of exactly Content-Length bytes and none without that field. A block that was cut while it was
// sent gives io.ErrUnexpectedEOF beside what could be read; other faults give [ErrRequest].
func ParseRequest(block io.ReaderAt, size int64) (RequestLayout, error) {
	var r RequestLayout
	buf := make([]byte, min(size, maxRequestHead))
	if n, err := block.ReadAt(buf, 0); n < len(buf) {
		return r, fmt.Errorf("request block at offset %d: %w", n, unexpected(err))
	}
	i := bytes.Index(buf, []byte("\r\n\r\n"))
	switch {
	case i < 0 && size > maxRequestHead:
		return r, fmt.Errorf("%w: head above %d bytes", ErrRequest, maxRequestHead)
	case i < 0:
		return r, fmt.Errorf("request head: %w", io.ErrUnexpectedEOF)
	}
	line, rest, _ := strings.Cut(string(buf[:i+4]), "\r\n")
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !IsToken(parts[0]) || parts[1] == "" || parts[2] != "HTTP/1.1" || hasControl(line) {
		return r, fmt.Errorf("%w: request line %q", ErrRequest, line)
	}
	r.Method, r.Target, r.Proto = parts[0], parts[1], parts[2]
	r.HeadLength, r.BodyLength = int64(i+4), size-int64(i+4)

	var l Layout
	s := parseSection(rest, &l, false)
	r.Fields = s.fields
	want, ok := s.length(&l)
	if len(l.Flags) > 0 {
		return r, fmt.Errorf("%w: %s", ErrRequest, strings.Join(slices.Sorted(slices.Values(l.Flags)), ", "))
	}
	switch {
	case !ok || len(s.codings) > 0 || r.BodyLength > want:
		return r, fmt.Errorf("%w: body of %d bytes against a Content-Length of %d", ErrRequest, r.BodyLength, want)
	case r.BodyLength < want:
		return r, fmt.Errorf("request body: %w", io.ErrUnexpectedEOF)
	}
	return r, nil
}
