package acquire

import (
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// maxContent is how much of a page is interpreted, in bytes after decoding.
const maxContent = 64 << 20

// content is the body of a response without transfer and content coding. Errors of reading are [*PageError]s, but for those of the block itself.
type content struct {
	layout *httpblock.Layout
	block  io.ReaderAt
	src    io.Reader
	left   int64
	err    error
}

func newContent(l *httpblock.Layout, block io.ReaderAt) *content {
	return &content{layout: l, block: block, left: maxContent}
}

// open chooses the decoder. It is called at the first Read, so that who does not read does not pay.
func (c *content) open() error {
	payload, err := c.layout.Payload(c.block)
	if err != nil {
		return &PageError{ReasonBrokenPage, "the response has no payload: " + err.Error()}
	}
	coding := strings.Join(c.layout.Fields.Values("Content-Encoding"), ",")
	switch lowerASCII(strings.TrimSpace(coding)) {
	case "", "identity":
		c.src = payload
	case "gzip", "x-gzip":
		if c.src, err = gzip.NewReader(payload); err != nil {
			return &PageError{ReasonBrokenPage, "the gzip coding is broken: " + err.Error()}
		}
	default:
		return &PageError{ReasonBrokenPage, clean("the content coding is not known: " + coding)}
	}
	return nil
}

func (c *content) Read(p []byte) (int, error) {
	if c.src == nil && c.err == nil {
		c.err = c.open()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.src.Read(p)
	if c.left -= int64(n); c.left < 0 {
		c.err = &PageError{ReasonBudget, "the content is larger than 64 MiB"}
		return 0, c.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &PageError{ReasonBrokenPage, "the content cannot be read to its end: " + err.Error()}
	}
	c.err = err
	return n, err
}
