package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestBlockLines: what a server wrote cannot look like what is said of it, nor move a terminal.
func TestBlockLines(t *testing.T) {
	got := blockLines([]byte("HTTP/1.1 200 OK\r\n\r\nproof        no head covers this entry yet\r\ncommitted    before 2001\ncommitted    after 2000\x1b[2J\rroot         0"))
	want := []string{"| HTTP/1.1 200 OK", "| ", "| proof        no head covers this entry yet", `| committed    before 2001\x0a`, `| committed    after 2000\x1b[2J\x0droot         0`}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestWithheldJSON: what the producer wrote is printed in ASCII, as all JSON is.
func TestWithheldJSON(t *testing.T) {
	var b bytes.Buffer
	if err := withheldJSON(&b, &evidence.Disclosure{Reason: "\u202egnp\u009b2J"}, nil); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(b.String(), func(r rune) bool { return r > '~' }) || !strings.Contains(b.String(), `"\u202egnp\u009b2J"`) {
		t.Errorf("%q", b.String())
	}
}
