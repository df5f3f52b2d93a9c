// Package export writes normalised records as files for other programs.
//
// Each format is one file and one line in [Formats]. All of them are
// deterministic: the same records give the same bytes. docs/records.md
// describes them.
package export

import (
	"errors"
	"fmt"
	"io"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// Writer writes records in one format. It is not safe for concurrent use.
type Writer interface {
	// Write adds one record, which it does not keep.
	Write(*extract.Record) error
	// Close writes what is still buffered. It does not close the file below.
	Close() error
}

// Format is one way to write records.
type Format struct {
	Name  string // as on the command line
	About string // one line for people
	// New returns a Writer that writes to w, or an error of w.
	New func(w io.Writer) (Writer, error)
}

// Formats lists all formats.
func Formats() []Format {
	return []Format{
		{"jsonl", "one JSON object a line, every field, nothing altered", newJSONL},
		{"csv", "RFC 4180 with a header, safe to open in a spreadsheet", newCSV},
	}
}

// ErrUnknownFormat is returned for a name that Formats does not list.
var ErrUnknownFormat = errors.New("unknown format")

// New returns a Writer of the named format.
func New(name string, w io.Writer) (Writer, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f.New(w)
		}
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownFormat, name)
}

// bufferSize is how much is collected before it is written.
const bufferSize = 64 << 10

// output collects bytes for w.
type output struct {
	w   io.Writer
	buf []byte
}

// spill writes the buffer if it is full enough, or in any case if all is set.
func (o *output) spill(all bool) error {
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
