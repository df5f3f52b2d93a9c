package views

import (
	"bytes"
	"context"
	"errors"
	"os"
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

// TestSorterStops: sorters stop once their context has ended, and leave nothing.
func TestSorterStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := testRoom(t, 1)
	r.ctx = ctx
	s := r.sorter()
	fill := func() (err error) {
		for i := 0; i < heed && err == nil; i++ {
			err = s.add([]byte{byte(i)}, nil)
		}
		return err
	}
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := fill(); !errors.Is(err, context.Canceled) {
		t.Errorf("add gives %v", err)
	}
	if err := s.each(func(_, _ []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("each gives %v", err)
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
