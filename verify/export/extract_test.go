package export

import (
	"bytes"
	"errors"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// TestWorkersWriteTheSame holds what many workers write against what one Writer makes of the records, one after another.
func TestWorkersWriteTheSame(t *testing.T) {
	c := fixtures(t).container(t)
	for _, f := range Formats() {
		var want bytes.Buffer
		export(t, f.Name, &want, nil)
		for _, workers := range []int{1, 2, 8} {
			var got bytes.Buffer
			sum, err := f.Extract(t.Context(), c, extract.Options{Workers: workers, TempDir: t.TempDir()}, &got)
			if err != nil || sum.Records < 120 || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s, %d workers: %d records in %d bytes, want %d bytes (%v)", f.Name, workers, sum.Records, got.Len(), want.Len(), err)
			}
			if _, err := f.Extract(t.Context(), c, extract.Options{Workers: workers}, full{}); !errors.Is(err, errFull) {
				t.Errorf("%s, %d workers: full device: %v", f.Name, workers, err)
			}
		}
	}
}

// TestPlain holds the test for strings that need no escapes, eight bytes at a time, against one byte at a time, with each byte
// at each of the first places.
func TestPlain(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 256 {
				s := bytes.Repeat([]byte{'a'}, n)
				s[at] = byte(c)
				want := c >= ' ' && c != '"' && c != '\\' && c < 0x80
				if plain(string(s)) != want {
					t.Fatalf("byte %#x at %d of %d: plain is %v", c, at, n, !want)
				}
			}
		}
	}
}
