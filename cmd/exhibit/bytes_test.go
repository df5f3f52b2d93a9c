package main

import "testing"

func TestByteCount(t *testing.T) {
	for given, want := range map[string]int64{
		"1": 1, "1000000": 1_000_000, "5K": 5120, "5KiB": 5120, "500M": 524_288_000, "20G": 21_474_836_480, "20GiB": 21_474_836_480, "1T": 1_099_511_627_776,
		"9223372036854775807": 9223372036854775807, "8388607T": 9_223_370_937_343_148_032,
	} {
		var n byteCount
		if err := n.Set(given); err != nil || int64(n) != want {
			t.Errorf("%q: %d, %v; want %d", given, int64(n), err, want)
		}
	}
}
