package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// FuzzWriters writes two records of any texts: the standard library reads the table back, cell for cell once the marks are taken off, and each line of JSON.
func FuzzWriters(f *testing.F) {
	f.Add("=1", `{"a":"\r\n"}`, "x,y\"z", uint32(5))
	f.Add("a", `{}`, "000\r\r\n", uint32(0))
	f.Fuzz(func(t *testing.T, id, details, subject string, flags uint32) {
		if !utf8.ValidString(id) || !utf8.ValidString(subject) || !json.Valid([]byte(details)) || !strings.HasPrefix(details, "{") {
			return // the extractor makes no such record
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(details)); err != nil {
			t.Fatal(err)
		}
		r := &extract.Record{Source: "http", ID: id, Subject: subject, Details: compact.Bytes(), Flags: extract.Flags(flags) & extract.AllFlags}
		table, lines := written(t, "csv", r), written(t, "jsonl", r)
		got, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
		if err != nil || len(got) != 3 {
			t.Fatalf("%d rows, %v", len(got), err)
		}
		want := rows(r)
		for i, cell := range got[1][:len(want)] {
			plain := strings.ReplaceAll(want[i], "\r\n", "\n") // the standard library reads CRLF as LF, once
			if cell != plain && Restore(cell) != plain {
				t.Fatalf("column %d: %q, want %q", i, cell, want[i])
			}
			if strings.IndexAny(cell, "=+-@\t\r\n") == 0 {
				t.Fatalf("column %d: %q", i, cell)
			}
		}
		if !slices.Equal(got[1], got[2]) {
			t.Fatalf("the same record twice: %q and %q", got[1], got[2])
		}
		var back struct {
			ID, Subject string
			Details     json.RawMessage
		}
		first, _, _ := bytes.Cut(lines, []byte("\n"))
		if err := json.Unmarshal(first, &back); err != nil || back.ID != id || back.Subject != subject || !bytes.Equal(back.Details, compact.Bytes()) {
			t.Fatalf("%s: %v", first, err)
		}
	})
}

// written writes a record twice.
func written(t *testing.T, format string, r *extract.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := New(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
