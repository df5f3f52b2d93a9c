package views

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func testRoom(t *testing.T, memory int) *scratch {
	r := newScratch(t.Context(), &Options{TempDir: t.TempDir(), Memory: memory})
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(r.dir); err != nil || len(left) > 0 {
			t.Errorf("%d files are left (%v)", len(left), err)
		}
	})
	return r
}

// TestSorter sorts keys with zeros and common beginnings, with room for all of them, for a few and for one at a time, so that runs are merged in several steps, and reads them twice.
func TestSorter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var want []string
	for i := range 3000 {
		key := make([]byte, r.IntN(20))
		for k := range key {
			key[k] = byte(r.IntN(3)) * 127
		}
		want = append(want, fmt.Sprintf("%s%06d", key, i))
	}
	shuffled := slices.Clone(want)
	slices.Sort(want)
	for name, order := range map[string][]string{"shuffled": shuffled, "in order": want} {
		for _, memory := range []int{0, 3000, 1} {
			s := testRoom(t, memory).sorter()
			for _, k := range order {
				if err := s.add([]byte(k), []byte("value of "+k)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				var got []string
				if err := s.each(func(key, value []byte) error {
					if string(value) != "value of "+string(key) {
						t.Fatalf("%q has %q", key, value)
					}
					got = append(got, string(key))
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %d bytes of memory: out of order", name, memory)
				}
			}
			if (s.file != nil) != (memory > 0) {
				t.Errorf("%d bytes of memory, and the file is %v", memory, s.file)
			}
		}
	}
}

// TestSorterFails: a file that cannot be written or read, and a context that ends, are errors.
func TestSorterFails(t *testing.T) {
	r := testRoom(t, 1)
	s := r.sorter()
	for _, k := range []string{"b", "a", "c"} {
		if err := s.add([]byte(k), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Truncate(3); err != nil {
		t.Fatal(err)
	}
	if err := s.each(func(_, _ []byte) error { return nil }); err == nil {
		t.Error("a file that was cut is not noticed")
	}
	nowhere := newScratch(t.Context(), &Options{TempDir: "no/such/folder", Memory: 1}).sorter()
	if err := errors.Join(nowhere.add([]byte("a"), nil), nowhere.add([]byte("b"), nil)); err == nil {
		t.Error("a folder that is not there is not noticed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := newScratch(ctx, &Options{Memory: 1}).sorter()
	if err := errors.Join(ended.add([]byte("a"), nil), ended.add([]byte("b"), nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gives %v", err)
	}
}

// TestKeys: keys stand in the order of their texts and times, and tell different ones apart, also where texts hold zeros or are long.
func TestKeys(t *testing.T) {
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00a", "a", "a\x00", "a\x00b", "ab", "b", "é"}
	for i, a := range texts {
		for j, b := range texts {
			x, y := append(appendKey(nil, a), 0xff), append(appendKey(nil, b), 0)
			if bytes.Compare(x, y) < 0 != (i < j) || i != j && bytes.Equal(x[:len(x)-1], y[:len(y)-1]) {
				t.Errorf("%q and %q: the order of keys is not that of texts", a, b)
			}
			both := append(appendKey(appendKey(nil, a), b), "rest"...)
			if g := groupOf(both, 2); len(g) != len(both)-4 {
				t.Errorf("%q, %q: the group is %q", a, b, g)
			}
		}
	}
	long := string(bytes.Repeat([]byte("x"), maxKey))
	if bytes.Equal(appendKey(nil, long+"1"), appendKey(nil, long+"2")) {
		t.Error("long texts are not told apart")
	}
	times := []instant{parseInstant("0001-01-01T00:00:00Z"), parseInstant("1969-12-31T23:59:59.5Z"), {0, 0}, {0, 1}, parseInstant("9999-12-31T23:59:60Z"), noTime()}
	for i := range times[1:] {
		if a, b := appendInstant(nil, times[i]), appendInstant(nil, times[i+1]); bytes.Compare(a, b) >= 0 || readInstant(a) != times[i] {
			t.Errorf("%v and %v are out of order", times[i], times[i+1])
		}
	}
}
