package historic

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// FuzzRow makes a row of any JSON: it is one of seven cells that the standard library reads back, and the line beside it is JSON.
func FuzzRow(f *testing.F) {
	f.Add([]byte(`{"TimeStamp":"a,b","AppIdType":"\r\n","CustomProperties":[{"Name":"Q","Value":"O'Brien \"x\""},{"Name":"Q","Value":[1.5e300,{"a":null}]}]}`))
	f.Add([]byte(`{"ActivityItemId":"` + "\xed\xa0\x80\xf0\x9f" + `","ClientSessionId":"\ud83d\ude00","Id":"\udc00"}`))
	p := newPrintable()
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := newParser().parse(text)
		if err != nil {
			return
		}
		a, why := p.newActivity(v)
		if why != "" {
			return
		}
		row, why := p.appendRow(nil, a)
		if (why == "") != (len(row) > 0) || !utf8.Valid(row) {
			t.Fatalf("%q, %q", row, why)
		}
		line := appendLoss([]byte(`{"row":0`), &extract.Record{}, a, why)
		if !json.Valid(line) {
			t.Fatalf("no JSON: %s", line)
		}
		if why != "" || bytes.Contains(row, []byte("\r\n")) || strings.HasPrefix(string(row), "\n") {
			return // the standard library reads CRLF as LF
		}
		cells, err := csv.NewReader(bytes.NewReader(row)).ReadAll()
		if err != nil || len(cells) != 1 || len(cells[0]) != len(columns()) {
			t.Fatalf("%q: %q, %v", row, cells, err)
		}
	})
}
