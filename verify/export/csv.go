package export

import (
	"encoding/hex"
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
	columns []string
	cells   []string
	marks   []string
}

func newCSV() extract.Encoder { return &csvFile{columns: csvColumns()} }

func csvHeader() []byte { return AppendRow(nil, csvColumns()) }

func (c *csvFile) Append(b []byte, r *extract.Record) ([]byte, error) {
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
	return AppendRow(b, c.cells), nil
}

// AppendRow appends one row of RFC 4180: commas, quotes where they are needed, CRLF at the end.
func AppendRow(b []byte, cells []string) []byte {
	for i, cell := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if strings.ContainsAny(cell, "\",\r\n") {
			b = append(b, '"')
			b = append(b, strings.ReplaceAll(cell, `"`, `""`)...)
			b = append(b, '"')
		} else {
			b = append(b, cell...)
		}
	}
	return append(b, '\r', '\n')
}
