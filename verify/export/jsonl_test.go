package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify/extract"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	s, err := c.Compile("../../docs/records.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema validates the records of all fixtures.
func TestSchema(t *testing.T) {
	s := schema(t)
	var out bytes.Buffer
	export(t, "jsonl", &out, nil)
	for line := range strings.Lines(out.String()) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestSchemaRefuses plants faults that the schema must find.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	good := exampleLine
	for _, c := range [][2]string{
		{`"schema":"exhibit-record/1"`, `"schema":"exhibit-record/2"`},
		{`"source":"http",`, ``},
		{`"id":"7"`, `"id":7`},
		{`"id":"7"`, `"id":"7","extra":""`},
		{`"time":"2018-06-01T00:00:00Z"`, `"time":"2018-06-01T00:00:00"`},
		{`"details":{"n":1156492.00}`, `"details":[]`},
		{`"flags":["missing_id"]`, `"flags":["misspelt"]`},
		{`"flags":["missing_id"]`, `"flags":["missing_id","missing_id"]`},
		{`"offset":5`, `"offset":-5`},
		{`"length":6`, `"length":0`},
		{`"pointer":"/value/0"`, `"pointer":"value/0"`},
		{`"sha256":"0`, `"sha256":"G`},
		{`"seq":12,`, `"seq":12,"more":1,`},
	} {
		for line, want := range map[string]bool{good: true, strings.Replace(good, c[0], c[1], 1): false} {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(value); (err == nil) != want {
				t.Errorf("%s for %s: valid is %v, want %v", c[1], c[0], err == nil, want)
			}
		}
	}
}

const exampleLine = `{"schema":"exhibit-record/1","source":"http","id":"7","time":"2018-06-01T00:00:00Z","type":"a\"b","user":"é",` +
	`"mailbox":"","client_ip":"","client_app":"","user_agent":"","session_id":"","item_id":"","subject":"\u0000\n","message_id":"",` +
	`"details":{"n":1156492.00},"flags":["missing_id"],"provenance":{"container":"c","seq":12,"pointer":"/value/0",` +
	`"offset":5,"length":6,"sha256":"0100000000000000000000000000000000000000000000000000000000000000"}}`

func example() *extract.Record {
	return &extract.Record{
		Source: "http", ID: "7", Time: "2018-06-01T00:00:00Z", Type: `a"b`, User: "é", Subject: "\x00\n",
		Details: []byte(`{"n":1156492.00}`), Flags: extract.MissingID,
		Provenance: extract.Provenance{Container: "c", Seq: 12, Pointer: "/value/0", Offset: 5, Length: 6, SHA256: [32]byte{1}},
	}
}

// TestLine states one line by hand.
func TestLine(t *testing.T) {
	var out bytes.Buffer
	w, err := New("jsonl", &out)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Write(example()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := exampleLine + "\n" + exampleLine + "\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	bad := example()
	bad.User = "\xff"
	if err := w.Write(bad); err == nil {
		t.Error("a text that is not UTF-8 was written")
	}
}

// TestLineReadBack reads every line with the standard library.
func TestLineReadBack(t *testing.T) {
	var out bytes.Buffer
	var want [][2]string
	export(t, "jsonl", &out, func(r *extract.Record) {
		want = append(want, [2]string{r.ID + r.Subject + r.User, string(r.Details)})
	})
	lines := strings.SplitAfter(out.String(), "\n")
	if len(lines) != len(want)+1 {
		t.Fatalf("%d lines for %d records", len(lines)-1, len(want))
	}
	for i, w := range want {
		var r struct {
			ID, Subject, User string
			Details           json.RawMessage
		}
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil {
			t.Fatalf("%s: %v", lines[i], err)
		}
		if r.ID+r.Subject+r.User != w[0] || string(r.Details) != w[1] {
			t.Errorf("line %d: %+v, want %q", i, r, w)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left on device")

func TestFormats(t *testing.T) {
	if _, err := New("xlsx", nil); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("unknown format: %v", err)
	}
	for _, f := range Formats() {
		var first, second bytes.Buffer
		export(t, f.Name, &first, nil)
		export(t, f.Name, &second, nil)
		if !bytes.Equal(first.Bytes(), second.Bytes()) || first.Len() == 0 {
			t.Errorf("%s: not the same bytes again", f.Name)
		}
		w, err := New(f.Name, full{})
		if err == nil {
			err = errors.Join(w.Write(example()), w.Close())
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%s: full device: %v", f.Name, err)
		}
	}
}
