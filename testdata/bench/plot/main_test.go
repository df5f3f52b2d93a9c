package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const table = `measure,setting,round,variant,n,bytes,seconds,user,system,rss_kib,target
check,1000,1,exhibit,2000,0,0.2,0,0,2048,0
check,1000,2,exhibit,2000,0,0.1,0.25,0.125,1024,0
check,1000,3,exhibit,2000,0,0.3,0,0,1024,0
check,100000,1,exhibit,100000,0,20,7,1,65536,0
open <&>,1000,1,exhibit,1,0,0.5,0,0,1024,0
open <&>,100000,1,exhibit,1,0,1.5,0,0,1024,0
`

// TestPlot: medians, units and places were worked out by hand.
func TestPlot(t *testing.T) {
	name := filepath.Join(t.TempDir(), "scale.csv")
	if err := os.WriteFile(name, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := read(name, false)
	if err != nil || len(lines) != 2 || !lines[0].whole() || lines[1].whole() {
		t.Fatalf("%d lines: %v", len(lines), err)
	}
	want := []point{{1000, 2000, 0.2, 2}, {100000, 100000, 20, 64}}
	for i, p := range lines[0].points {
		if p != want[i] {
			t.Errorf("point %d of check is %+v, want %+v", i, p, want[i])
		}
	}
	svg := draw(lines, false)
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
	}
	for _, s := range []string{
		`<circle cx="0.0" cy="110.0" r="3" fill="#0072b2"/>`, // 100 µs for each exchange, half way up to 200
		`<circle cx="300.0" cy="0.0" r="3" fill="#0072b2"/>`, // 200 µs
		"open &lt;&amp;&gt;", "10³", "10⁵", "limit 128",
	} {
		if !strings.Contains(string(svg), s) {
			t.Errorf("the drawing has no %s", s)
		}
	}
	if lines, err = read(name, true); err != nil || lines[0].points[1] != (point{100000, 100000, 8, 64}) || !bytes.Contains(draw(lines, true), []byte("µs of a processor for each exchange")) {
		t.Errorf("of a processor: %+v, %v", lines[0].points, err)
	}
}
