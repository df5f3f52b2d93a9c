package extract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestStrings reads strings of every length around a word with each byte at each place, and holds what is accepted against the
// standard library.
func TestStrings(t *testing.T) {
	for n := range 20 {
		for at := range n {
			for c := range 128 {
				text := bytes.Repeat([]byte{'a'}, n+1)
				text[0], text[at+1] = '"', byte(c)
				text = append(text, `" `...)
				var s scanner
				s.reset(text)
				end := s.value(0)
				want := len(text) - 1
				if c == '"' {
					want = at + 2
				}
				if !json.Valid(text[:want]) {
					want = -1
				}
				if end != want {
					t.Fatalf("%q: ends at %d, want %d", text, end, want)
				}
			}
		}
	}
}

// TestScannerRefuses holds the scanner against the standard library on every short text of these characters.
func TestScannerRefuses(t *testing.T) {
	const letters = `{}[]:,"\u0-1.eE+ tn`
	texts, valid := []string{""}, 0
	for range 4 {
		var longer []string
		for _, text := range texts {
			for _, c := range letters {
				longer = append(longer, text+string(c))
			}
		}
		texts = longer
		for _, text := range texts {
			if strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") {
				continue
			}
			var s scanner
			s.reset([]byte(text))
			got := s.value(0) == len(text)
			if want := json.Valid([]byte(text)); got != want {
				t.Fatalf("%q: accepted is %v", text, got)
			} else if want {
				valid++
			}
		}
	}
	if valid < 200 {
		t.Errorf("%d texts are JSON", valid)
	}
	for _, text := range []string{"true", "false", "null", "tru", "nulL", "-0", "01", "1.", ".1", "1e", "1e+", "-", "1.5E-10", `"\ud800"`, `"\ud800\udc0"`, `"\u12g4"`, `"\x"`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `[1 2]`} {
		var s scanner
		s.reset([]byte(text))
		if got, want := s.value(0) == len(text), json.Valid([]byte(text)); got != want {
			t.Errorf("%s: accepted is %v", text, got)
		}
	}
}

// TestRepeatedNames holds the comparison of names against a map, for objects of all sizes on both sides of its limits.
func TestRepeatedNames(t *testing.T) {
	for n := 2; n < 40; n++ {
		for again := range n {
			var b strings.Builder
			for i := range n {
				name := fmt.Sprintf("key%dx", i*37%101)
				if i == n-1 && again < n-1 {
					name = fmt.Sprintf("key%dx", again*37%101)
				}
				fmt.Fprintf(&b, `%c"%s":0`, "{,"[min(i, 1)], name)
			}
			var s scanner
			s.reset([]byte(b.String() + "}"))
			if s.value(0) != len(s.raw) || s.flags.Has(DuplicateKey) != (again < n-1) {
				t.Fatalf("%s: flags %v", s.raw, s.flags.Words())
			}
		}
	}
}
