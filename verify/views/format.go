package views

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/verify/export"
)

// Schema names the form of a view's JSON Lines.
const Schema = "exhibit-view/1"

// Format is one way to write a view.
type Format struct {
	Name  string // as on the command line
	About string // one line for people

	head func(k Kind, cs []column) []byte
	row  func(w *writer, b []byte, values []value) []byte
	json bool // whether it has lists as JSON
}

// Formats lists all formats.
func Formats() []Format {
	return []Format{
		{"table", "for people at a terminal; long cells are cut, some columns left out", nil, nil, false},
		{"tsv", "every column, a tab between them, as the old tools had it", tsvHead, tsvRow, false},
		{"csv", "every column, RFC 4180", csvHead, csvRow, false},
		{"jsonl", "one JSON object a line, nothing altered", nil, jsonRow, true},
	}
}

// ErrUnknownFormat is returned for a name that Formats does not list.
var ErrUnknownFormat = errors.New("unknown format")

// FindFormat returns the named format.
func FindFormat(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("%w %q", ErrUnknownFormat, name)
}

// writer writes the rows of a view in a format.
type writer struct {
	w       io.Writer
	kind    Kind
	format  Format
	columns []column
	caseID  string
	rows    int64 // that were written
	table   *table
	buf     []byte
}

func (f Format) writer(w io.Writer, k Kind, caseID string, o *Options) *writer {
	out := &writer{w: w, kind: k, format: f, columns: k.columns(), caseID: caseID}
	if f.row == nil {
		out.table = newTable(out.columns, o.Escape)
	}
	if f.head != nil {
		out.buf = f.head(k, out.columns)
	}
	return out
}

const bufferSize = 64 << 10

// appendValues appends the values of a row.
func (o *writer) appendValues(values []value, r *row) []value {
	r.caseID = o.caseID
	for i := range o.columns {
		values = append(values, o.columns[i].get(r))
	}
	return values
}

func (o *writer) write(values []value) error {
	o.rows++
	if o.table != nil {
		o.buf = o.table.row(o.buf, values)
	} else {
		o.buf = o.format.row(o, o.buf, values)
	}
	if len(o.buf) < bufferSize {
		return nil
	}
	return o.flush()
}

func (o *writer) flush() error {
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *writer) end() error {
	if o.table != nil {
		o.buf = o.table.end(o.buf)
	}
	return o.flush()
}

func titles(cs []column) []string {
	var list []string
	for _, c := range cs {
		list = append(list, c.title)
	}
	return append(list, "neutralised")
}

func csvHead(_ Kind, cs []column) []byte { return export.AppendRow(nil, titles(cs)) }
func tsvHead(_ Kind, cs []column) []byte { return appendTSV(nil, titles(cs)) }

func csvRow(w *writer, b []byte, values []value) []byte { return export.AppendRow(b, w.safe(values)) }
func tsvRow(w *writer, b []byte, values []value) []byte { return appendTSV(b, w.safe(values)) }

// safe makes cells that no spreadsheet runs, and one that names those that were altered.
func (o *writer) safe(values []value) []string {
	cells := make([]string, 0, len(values)+1)
	var marks []string
	for i := range values {
		v := &values[i]
		safe, changed := v.text, false
		if !v.isOurs() {
			safe, changed = export.Neutralise(v.text)
		}
		if changed {
			marks = append(marks, o.columns[i].key)
		}
		cells = append(cells, safe)
	}
	return append(cells, strings.Join(marks, ";"))
}

// appendTSV appends a line. What would end a cell or a line is written as \t, \n or \r, and \ as \\.
func appendTSV(b []byte, cells []string) []byte {
	for i, cell := range cells {
		if i > 0 {
			b = append(b, '\t')
		}
		for _, c := range []byte(cell) {
			switch c {
			case '\t':
				b = append(b, `\t`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\\':
				b = append(b, `\\`...)
			default:
				b = append(b, c)
			}
		}
	}
	return append(b, '\n')
}

func jsonRow(w *writer, b []byte, values []value) []byte {
	b = append(append(b, `{"schema":"`+Schema+`","view":"`...), w.kind.Name...)
	b = append(b, '"')
	for i := range values {
		b = values[i].appendJSON(append(append(append(b, `,"`...), w.columns[i].key...), `":`...))
	}
	return append(b, "}\n"...)
}

const (
	tableAhead = 256 // rows that the widths of a table are made of
	tableWidth = 48  // the longest cell of a table, in characters
)

// table sets rows in columns. The widths are those of the first rows.
type table struct {
	escape  func(string) string
	columns []int // those that are shown
	widths  []int
	held    [][]string // first rows, before the widths are known
	set     bool
}

func newTable(cs []column, escape func(string) string) *table {
	t := &table{escape: escape}
	var head []string
	for i, c := range cs {
		if !c.inside {
			t.columns = append(t.columns, i)
			head = append(head, c.title)
		}
	}
	t.held = [][]string{head}
	return t
}

func (t *table) row(b []byte, values []value) []byte {
	var cells []string
	for _, i := range t.columns {
		cells = append(cells, shorten(t.escape(shorten(values[i].text, tableWidth)), tableWidth))
	}
	if t.set {
		return t.line(b, cells)
	}
	t.held = append(t.held, cells)
	if len(t.held) > tableAhead {
		return t.end(b)
	}
	return b
}

// end writes what is held.
func (t *table) end(b []byte) []byte {
	if t.set {
		return b
	}
	t.set = true
	t.widths = make([]int, len(t.columns))
	for _, cells := range t.held {
		for i, c := range cells {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range t.held {
		b = t.line(b, cells)
	}
	t.held = nil
	return b
}

func (t *table) line(b []byte, cells []string) []byte {
	for i, c := range cells {
		b = append(b, c...)
		if i == len(cells)-1 {
			break
		}
		for n := utf8.RuneCountInString(c); n < t.widths[i]+2; n++ {
			b = append(b, ' ')
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return append(b, '\n')
}

// shorten cuts a text to so many characters, of which the last then is "…".
func shorten(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n++; n == most {
			return s[:i] + "…"
		}
	}
	return s
}
