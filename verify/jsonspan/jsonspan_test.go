package jsonspan

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func decoder(b []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// parts lists the values, and names before them, that stand in the object or array that b is, as jsontext finds them.
func parts(t *testing.T, b []byte) (list []string) {
	t.Helper()
	dec := decoder(b)
	first, err := dec.ReadToken()
	if err != nil {
		t.Fatal(err)
	}
	if k := first.Kind(); k != jsontext.KindBeginObject && k != jsontext.KindBeginArray {
		return nil
	}
	for k := dec.PeekKind(); k != jsontext.KindEndObject && k != jsontext.KindEndArray; k = dec.PeekKind() {
		v, err := dec.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(v))
	}
	return list
}

// found lists the same, as this package finds them.
func found(b []byte) (list []string) {
	for m := range Members(b, 0) {
		list = append(list, string(b[m.Name:m.NameEnd]), string(b[m.Value:m.ValueEnd]))
	}
	for from, to := range Elements(b, 0) {
		list = append(list, string(b[from:to]))
	}
	return list
}

// FuzzSpans: of whatever jsontext takes for JSON, the same parts are found.
func FuzzSpans(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := decoder([]byte(s)).ReadValue()
		if err != nil {
			return
		}
		b := append(bytes.Clone(raw), ",\"}] "...)
		if end := Skip(b, 0); end != len(raw) {
			t.Fatalf("%q ends at %d, want %d", raw, end, len(raw))
		}
		want, got := parts(t, raw), found(b)
		if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
			t.Fatalf("%q has %q, want %q", raw, got, want)
		}
	})
}

func seeds() []string {
	deep := strings.Repeat(`[{"a":`, 3000) + `"]}"` + strings.Repeat(`}]`, 3000)
	return []string{
		`{}`, `[]`, ` { } `, "[\n]", `{"a":1}`, `{"a" : 1 , "a":"x"}`, `["\"", "\\", "\\\"", "", "}", "a\\"]`, "\t[1,-0.5e+7 ,true,null\r]", `{"":{"":[]},"\u0022":[[],{}]}`,
		`"text"`, `12`, `true`, "{\"\xff\":\"\xfe\"}", `{"a\\":"b\\\\"}`, deep,
	}
}

// TestStops: whoever has seen enough is given no more.
func TestStops(t *testing.T) {
	n := 0
	for range Members([]byte(`{"a":1,"b":2}`), 0) {
		n++
		break
	}
	for range Elements([]byte(`[1,2]`), 0) {
		n++
		break
	}
	if n != 2 {
		t.Errorf("%d parts, want 2", n)
	}
}
