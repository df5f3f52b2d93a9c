package export

import (
	"encoding/hex"
	"io"
	"strconv"

	"github.com/exhibit-dfir/exhibit/verify/extract"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonl writes one JSON object a line, ended by LF: all keys, always, in the
// order of docs/records.schema.json.
type jsonl struct{ output }

func newJSONL(w io.Writer) (Writer, error) {
	return &jsonl{output{w: w}}, nil
}

func (j *jsonl) Write(r *extract.Record) error {
	var err error
	if j.buf, err = appendRecord(j.buf, r); err != nil {
		return err
	}
	return j.spill(false)
}

func (j *jsonl) Close() error { return j.spill(true) }

func appendRecord(b []byte, r *extract.Record) (_ []byte, err error) {
	text := func(name, value string) {
		b = append(append(append(b, '"'), name...), `":`...)
		b = appendText(b, value, &err)
		b = append(b, ',')
	}
	b = append(b, '{')
	text("schema", extract.Schema)
	text("source", r.Source)
	text("id", r.ID)
	text("time", r.Time)
	text("type", r.Type)
	text("user", r.User)
	text("mailbox", r.Mailbox)
	text("client_ip", r.ClientIP)
	text("client_app", r.ClientApp)
	text("user_agent", r.UserAgent)
	text("session_id", r.SessionID)
	text("item_id", r.ItemID)
	text("subject", r.Subject)
	text("message_id", r.MessageID)
	b = append(append(b, `"details":`...), r.Details...)
	b = append(b, `,"flags":[`...)
	for i, w := range r.Flags.Words() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), w...), '"')
	}
	b = append(b, `],"provenance":{`...)
	p := &r.Provenance
	text("container", p.Container)
	b = strconv.AppendInt(append(b, `"seq":`...), p.Seq, 10)
	b = append(b, ',')
	text("pointer", p.Pointer)
	b = strconv.AppendInt(append(b, `"offset":`...), p.Offset, 10)
	b = strconv.AppendInt(append(b, `,"length":`...), p.Length, 10)
	b = hex.AppendEncode(append(b, `,"sha256":"`...), p.SHA256[:])
	return append(b, "\"}}\n"...), err
}

// appendText appends a JSON string. A text that is not UTF-8 is an error.
func appendText(b []byte, s string, err *error) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			quoted, bad := jsontext.AppendQuote(b, s)
			if bad != nil {
				*err = bad
			}
			return quoted
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
