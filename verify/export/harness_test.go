package export

import (
	"bytes"
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// body is a page of one source.
type body struct {
	source string
	text   []byte
}

type pages []body

func (p pages) Pages(_ context.Context, source string) iter.Seq2[*extract.Page, error] {
	return func(yield func(*extract.Page, error) bool) {
		for i, b := range p {
			page := &extract.Page{
				Container: "3f2a9c1e-0000-4000-8000-000000000001", Seq: int64(i + 1), Source: b.source,
				User: "kim@example.com", Started: time.Unix(0, 0), Body: bytes.NewReader(b.text),
			}
			if b.source == source && !yield(page, nil) {
				return
			}
		}
	}
}

// fixtures are the activity page, all published records, and odd ones.
func fixtures(t testing.TB) pages {
	t.Helper()
	list := pages{
		{"outlook-activities", read(t, "../extract/testdata/activities.json")},
		{"outlook-activities", []byte(`{"value":[null,{"Id":"1","Id":2,"TimeStamp":"x"},{"error":1},{"Id":"a` + "\xff" + `","s":"\ud800"}]}`)},
		{"http", []byte("[1,{\"Subject\":\"line\\r\\nbreak\\u0000\",\"n\":1e400}," + `{"id":"=1","subject":"\"+x"}]`)},
	}
	for _, pattern := range []string{"../../testdata/records/*/*.json", "../extract/testdata/seeds/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 10 {
			t.Fatalf("%d files for %s (%v)", len(files), pattern, err)
		}
		for _, f := range files {
			list = append(list, body{"http", read(t, f)})
		}
	}
	return list
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// export writes the records of the fixtures; each sees all records too.
func export(t testing.TB, format string, w io.Writer, each func(*extract.Record)) {
	t.Helper()
	out, err := New(format, w)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := extract.Extract(context.Background(), fixtures(t), extract.Options{TempDir: t.TempDir()}, func(r *extract.Record) error {
		if each != nil {
			each(r)
		}
		return out.Write(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if sum.Records < 120 {
		t.Fatalf("%d records, want at least 120", sum.Records)
	}
}
