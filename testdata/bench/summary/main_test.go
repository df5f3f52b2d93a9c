package main

import (
	"strings"
	"testing"
)

const table = `measure,setting,round,variant,n,bytes,seconds,user,system,rss_kib,anonymous_kib,target
check,5 KB,1,exhibit-verify,1000,9,0.5,0,0,20480,5120,3
check,5 KB,1,zstd,1000,9,2,0,0,999999999,0,0
check,5 KB,2,exhibit-verify,1000,9,1,0,0,10240,6144,3
check,5 KB,2,zstd,1000,9,2,0,0,1,0,0
check,5 KB,3,exhibit-verify,1000,9,0.5,0,0,10240,6144,3
check,5 KB,3,zstd,500,9,0.5,0,0,1,0,0
open,1000,1,exhibit,1,0,0.25,0,0,204800,1024,0
open,100000,1,exhibit,1,0,0.5,0.25,0.125,1024,512,0
`

// TestTables: medians and spreads were made by hand; ratios by round are 4, 2 and 2.
func TestTables(t *testing.T) {
	rows, err := read(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	pairs := group(rows)
	var b strings.Builder
	if missed := printRatios(&b, pairs); missed != 1 {
		t.Errorf("%d targets missed, want 1: the median is 2 and 3 was to reach", missed)
	}
	printGrowth(&b, pairs)
	if missed := printMemory(&b, pairs, 128); missed != 1 {
		t.Errorf("%d limits missed, want 1: open took 200 MiB, and what zstd took does not count", missed)
	}
	for _, want := range []string{
		"| check | 5 KB | 3 | 2,000 (1,000–2,000) | zstd | 500 (500–1,000) | 2.00 (2.00–4.00) | 3.00 | **no** |\n",
		"| open | 100000 | 1 | 0.500 | 1 | 500,000 | 2.00 | 375,000 | 1.00 | 0.500 |\n",
		"| check | 20.0 | 6.00 | 5 KB | 128 | yes |\n",
		"| open | 200 | 1.00 | 1000 | 128 | **no** |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no row %q in:\n%s", want, b.String())
		}
	}
}

func TestBadTable(t *testing.T) {
	if rows, err := read(strings.NewReader(strings.Replace(table, "0.25", "fast", 1))); err == nil {
		t.Errorf("a time that is no number was read: %v", rows)
	}
}
