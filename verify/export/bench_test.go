package export

import (
	"bytes"
	"io"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// BenchmarkFormats extracts 500 KB of activities and writes them.
func BenchmarkFormats(b *testing.B) {
	one := read(b, "../extract/testdata/activities.json")
	from, to := bytes.IndexByte(one, '[')+1, bytes.LastIndexByte(one, ']')
	page := bytes.Clone(one[:to])
	for len(page) < 500_000 {
		page = append(append(page, ','), one[from:to]...)
	}
	page = append(page, "]}"...)
	c := pages{{"outlook-activities", page}}.container(b)
	for _, f := range Formats() {
		b.Run(f.Name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				sum, err := f.Extract(b.Context(), c, extract.Options{}, io.Discard)
				if err != nil || sum.Records < 700 {
					b.Fatal(err, sum)
				}
			}
		})
	}
}
