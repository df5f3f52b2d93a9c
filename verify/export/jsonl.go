package export

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/verify/extract"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonl writes one JSON object a line, ended by LF: all keys, always, in the
// order of docs/records.schema.json.
type jsonl struct{}

func newJSONL() extract.Encoder { return jsonl{} }

func (jsonl) Append(b []byte, r *extract.Record) ([]byte, error) {
	var err error
	b = append(b, `{"schema":"`+extract.Schema+`"`...)
	b = appendText(b, `,"source":`, r.Source, &err)
	b = appendText(b, `,"id":`, r.ID, &err)
	b = appendText(b, `,"time":`, r.Time, &err)
	b = appendText(b, `,"type":`, r.Type, &err)
	b = appendText(b, `,"user":`, r.User, &err)
	b = appendText(b, `,"mailbox":`, r.Mailbox, &err)
	b = appendText(b, `,"client_ip":`, r.ClientIP, &err)
	b = appendText(b, `,"client_app":`, r.ClientApp, &err)
	b = appendText(b, `,"user_agent":`, r.UserAgent, &err)
	b = appendText(b, `,"session_id":`, r.SessionID, &err)
	b = appendText(b, `,"item_id":`, r.ItemID, &err)
	b = appendText(b, `,"subject":`, r.Subject, &err)
	b = appendText(b, `,"message_id":`, r.MessageID, &err)
	b = append(append(b, `,"details":`...), r.Details...)
	b = append(b, `,"flags":[`...)
	for i, w := range r.Flags.Words() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), w...), '"')
	}
	p := &r.Provenance
	b = appendText(b, `],"provenance":{"container":`, p.Container, &err)
	b = strconv.AppendInt(append(b, `,"seq":`...), p.Seq, 10)
	b = appendText(b, `,"pointer":`, p.Pointer, &err)
	b = strconv.AppendInt(append(b, `,"offset":`...), p.Offset, 10)
	b = strconv.AppendInt(append(b, `,"length":`...), p.Length, 10)
	b = hex.AppendEncode(append(b, `,"sha256":"`...), p.SHA256[:])
	return append(b, "\"}}\n"...), err
}

// appendText appends a name with what stands before it, and a JSON string. A text that is not UTF-8 is an error.
func appendText(b []byte, name, s string, err *error) []byte {
	b = append(b, name...)
	if plain(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	quoted, bad := jsontext.AppendQuote(b, s)
	if bad != nil {
		*err = bad
	}
	return quoted
}

// plain reports whether a JSON string has the bytes of s: ASCII without control characters, quotes and backslashes.
func plain(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		v := binary.LittleEndian.Uint64([]byte(s[:8]))
		quote, slash := v^each*'"', v^each*'\\'
		if ((quote-each)&^quote|(slash-each)&^slash|(v-each*' ')&^v|v)&high != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// For looking at eight bytes at once.
const (
	each = 0x0101010101010101
	high = 0x8080808080808080
)
