// Package export writes normalised records as files for other programs.
//
// Each format is one file and one line in [Formats]. All of them are
// deterministic: the same records give the same bytes. docs/records.md
// describes them.
package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// Writer writes records in one format. It is not safe for concurrent use.
type Writer interface {
	// Write adds one record, which it does not keep.
	Write(*extract.Record) error
	// Close writes what is still buffered. It does not close the file below.
	Close() error
}

// Format is one way to write records: its header, then each record as an encoder writes it.
type Format struct {
	Name    string // as on the command line
	About   string // one line for people
	Header  []byte
	Encoder func() extract.Encoder
}

// Formats lists all formats.
func Formats() []Format {
	return []Format{
		{"jsonl", "one JSON object a line, every field, nothing altered", nil, newJSONL},
		{"csv", "RFC 4180 with a header, safe to open in a spreadsheet", csvHeader(), newCSV},
	}
}

// ErrUnknownFormat is returned for a name that Formats does not list.
var ErrUnknownFormat = errors.New("unknown format")

// Find returns the named format.
func Find(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("%w %q", ErrUnknownFormat, name)
}

// New returns a Writer of the named format.
func New(name string, w io.Writer) (Writer, error) {
	f, err := Find(name)
	if err != nil {
		return nil, err
	}
	return &writer{w: w, encoder: f.Encoder(), buf: bytes.Clone(f.Header)}, nil
}

// Extract writes the records of a container and what the format puts around them to w. It encodes as many pages at the same
// time as opt has workers; the bytes are those of a [Writer].
func (f Format) Extract(ctx context.Context, c *verify.Container, opt extract.Options, w io.Writer) (extract.Summary, error) {
	if _, err := w.Write(f.Header); err != nil {
		return extract.Summary{}, err
	}
	return extract.Write(ctx, c, opt, w, f.Encoder)
}

// bufferSize is how much is collected before it is written.
const bufferSize = 64 << 10

// writer collects bytes for w.
type writer struct {
	w       io.Writer
	encoder extract.Encoder
	buf     []byte
}

func (o *writer) Write(r *extract.Record) (err error) {
	if o.buf, err = o.encoder.Append(o.buf, r); err != nil {
		return err
	}
	return o.spill(false)
}

func (o *writer) Close() error { return o.spill(true) }

// spill writes the buffer if it is full enough, or in any case if all is set.
func (o *writer) spill(all bool) error {
	if len(o.buf) == 0 || !all && len(o.buf) < bufferSize {
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	if cap(o.buf) > 16*bufferSize {
		o.buf = nil
	}
	return err
}
