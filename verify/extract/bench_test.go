package extract

import (
	"bytes"
	"testing"
)

// bigPage repeats the activities of the fixture up to about 500 KB.
func bigPage(tb testing.TB) []byte {
	one := fixture(tb, "activities.json")
	from := bytes.IndexByte(one, '[') + 1
	to := bytes.LastIndexByte(one, ']')
	page := append([]byte(nil), one[:to]...)
	for len(page) < 500_000 {
		page = append(append(page, ','), one[from:to]...)
	}
	return append(page, "]}"...)
}

func BenchmarkPage(b *testing.B) {
	page := bigPage(b)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		pages := fakePages{{source: "outlook-activities", user: "kim@example.com", body: bytes.NewReader(page)}}
		sum, err := extract(b.Context(), pages, Options{}, func(*Record) error { return nil })
		if err != nil || sum.Records < 700 || sum.ProblemCount != 0 {
			b.Fatal(err, sum)
		}
	}
}
