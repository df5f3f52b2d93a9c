package views

import (
	"io"
	"testing"
)

// BenchmarkKinds makes each view of 20,000 activities.
func BenchmarkKinds(b *testing.B) {
	l := newLife(7)
	var pages [][]activity
	for range 20 {
		var page []activity
		for range 1000 {
			page = append(page, l.next())
		}
		pages = append(pages, page)
	}
	c := container(b, []box{{"kim@example.com", pages}})
	f, err := FindFormat("tsv")
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range Kinds() {
		b.Run(k.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if sum, err := Write(b.Context(), c, k, f, Options{}, io.Discard); err != nil || sum.Extract.Records != 20_000 {
					b.Fatal(err, sum)
				}
			}
		})
	}
}
