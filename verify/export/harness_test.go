package export

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// body is a page of one source.
type body struct {
	source string
	text   []byte
}

type pages []body

// container is a verified case that holds these pages.
func (p pages) container(t testing.TB) *verify.Container {
	t.Helper()
	m := sample.New(t, nil)
	for i, b := range p {
		m.Exchange(sample.Answer{Source: b.source, Page: int64(i + 1), Parent: evidence.None, RetryOf: evidence.None, Status: 200,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(b.text)), Body: string(b.text)})
	}
	m.Close()
	_, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the fixtures do not verify: %v", err)
	}
	return c
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
	sum, err := extract.Extract(t.Context(), fixtures(t).container(t), extract.Options{TempDir: t.TempDir()}, func(r *extract.Record) error {
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
