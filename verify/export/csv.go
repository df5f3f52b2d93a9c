package export

import (
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// csvColumns names the columns: the keys of a record, with those of provenance
// flattened, and last the names of the columns that were neutralised.
func csvColumns() []string {
	return []string{
		"schema", "source", "id", "time", "type", "user", "mailbox", "client_ip", "client_app", "user_agent",
		"session_id", "item_id", "subject", "message_id", "details", "flags",
		"provenance_container", "provenance_seq", "provenance_pointer",
		"provenance_offset", "provenance_length", "provenance_sha256", "neutralised",
	}
}

// csvFile writes RFC 4180: UTF-8 without a byte order mark, CRLF at the end of
// each row, as the RFC has it, so that a lone LF inside a cell is never the end
// of a row, and quotes only where they are needed. encoding/csv is not used
// because, with CRLF, it would rewrite the line breaks inside cells.
type csvFile struct {
	output
	columns []string
	cells   []string
	marks   []string
}

func newCSV(w io.Writer) (Writer, error) {
	c := &csvFile{output: output{w: w}, columns: csvColumns()}
	c.row(c.columns)
	return c, nil
}

func (c *csvFile) Write(r *extract.Record) error {
	p := &r.Provenance
	c.cells = append(c.cells[:0],
		extract.Schema, r.Source, r.ID, r.Time, r.Type, r.User, r.Mailbox, r.ClientIP, r.ClientApp, r.UserAgent,
		r.SessionID, r.ItemID, r.Subject, r.MessageID, string(r.Details), strings.Join(r.Flags.Words(), ";"),
		p.Container, strconv.FormatInt(p.Seq, 10), p.Pointer,
		strconv.FormatInt(p.Offset, 10), strconv.FormatInt(p.Length, 10), hex.EncodeToString(p.SHA256[:]),
	)
	c.marks = c.marks[:0]
	for i, cell := range c.cells {
		safe, changed := Neutralise(cell)
		if changed {
			c.cells[i] = safe
			c.marks = append(c.marks, c.columns[i])
		}
	}
	c.cells = append(c.cells, strings.Join(c.marks, ";"))
	c.row(c.cells)
	return c.spill(false)
}

func (c *csvFile) Close() error { return c.spill(true) }

func (c *csvFile) row(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		if strings.ContainsAny(cell, "\",\r\n") {
			c.buf = append(c.buf, '"')
			c.buf = append(c.buf, strings.ReplaceAll(cell, `"`, `""`)...)
			c.buf = append(c.buf, '"')
		} else {
			c.buf = append(c.buf, cell...)
		}
	}
	c.buf = append(c.buf, '\r', '\n')
}
