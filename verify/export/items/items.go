// Package items lists the items that the activities of a mailbox mention, for
// whoever asks for their details.
package items

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/extract"
	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// Format is the name of the list on the command line.
const Format = "item-ids"

// Options direct a listing.
type Options struct {
	Source  string // whose records mention items
	User    string // whose mailbox, but for the case of letters
	TempDir string // for temporary files; empty means the system's
}

// Listed says what a listing has.
type Listed struct {
	Items int64
	Odd   int64 // records whose item cannot be asked for: its id is longer than 1 KiB or not printable ASCII without blanks
}

// Write writes the ids, one a line, each once, in the order of their bytes.
func Write(ctx context.Context, c *verify.Container, o Options, w io.Writer) (l Listed, sum extract.Summary, err error) {
	sorter := sortfile.New(sortfile.Options{TempDir: o.TempDir})
	defer func() { err = errors.Join(err, sorter.Close()) }()
	sum, err = extract.Extract(ctx, c, extract.Options{Sources: []string{o.Source}, TempDir: o.TempDir}, func(r *extract.Record) error {
		switch {
		case r.ItemID == "" || !export.SameMailbox(r.Mailbox, o.User):
			return nil
		case !plain(r.ItemID):
			l.Odd++
			return nil
		}
		return sorter.Add([]byte(r.ItemID), nil)
	})
	if err != nil {
		return l, sum, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var last []byte
	err = sorter.Each(func(id, _ []byte) error {
		if bytes.Equal(id, last) {
			return nil
		}
		l.Items++
		last = append(last[:0], id...)
		_, err := out.Write(append(last, '\n'))
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	return l, sum, err
}

// maxID is the length of the longest id, in bytes, that can be asked for.
const maxID = 1 << 10

// plain reports whether an id can stand on a line and in a URL.
func plain(id string) bool {
	return len(id) <= maxID && id[0] != '#' && strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7F }) < 0
}
