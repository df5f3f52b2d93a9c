package sortfile

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

type pair struct{ key, data string }

// sorted sorts with a Sorter.
func sorted(t *testing.T, o Options, rows []pair) []pair {
	t.Helper()
	o.TempDir = t.TempDir()
	s := New(o)
	for _, r := range rows {
		if err := s.Add([]byte(r.key), []byte(r.data)); err != nil {
			t.Fatal(err)
		}
	}
	var got []pair
	err := s.Each(func(key []byte, data io.Reader, size int64) error {
		b := make([]byte, min(size, 3)) // the rest is passed over
		if size < 3 || len(got)%2 == 0 {
			b = make([]byte, size)
		}
		if _, err := io.ReadFull(data, b); err != nil {
			return err
		}
		got = append(got, pair{string(key), string(b)})
		return nil
	})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(o.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d temporary files stay (%v)", len(left), err)
	}
	return got
}

// differ compares what was sorted with the standard library's stable sort.
func differ(o Options, rows, got []pair) string {
	want := slices.Clone(rows)
	slices.SortStableFunc(want, func(a, b pair) int {
		if o.Descending {
			return strings.Compare(b.key, a.key)
		}
		return strings.Compare(a.key, b.key)
	})
	if len(got) != len(want) {
		return fmt.Sprintf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if i%2 == 1 {
			want[i].data = want[i].data[:min(3, len(want[i].data))]
		}
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %q, want %q", i, got[i], want[i])
		}
	}
	return ""
}

// TestSort: one row in memory at a time makes as many files as there are rows, three levels of them.
func TestSort(t *testing.T) {
	for _, n := range []int{0, 1, 33, 40_000} {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		var rows []pair
		for i := range n {
			rows = append(rows, pair{fmt.Sprint(random.IntN(n/3 + 1)), fmt.Sprintf("%d%s", i, strings.Repeat("x", random.IntN(9)))})
		}
		for _, o := range []Options{{}, {Descending: true}, {Memory: 1000}, {Memory: 1000, Descending: true}, {Memory: 100_000}} {
			if n > 33 && o.Memory == 1000 {
				o.Memory = 4000
			}
			got := sorted(t, o, rows)
			if problem := differ(o, rows, got); problem != "" {
				t.Errorf("%d rows, %+v: %s", n, o, problem)
			}
			if n > 33 { // the control: of two rows with one key the second one first
				i := slices.IndexFunc(got[1:], func(p pair) bool { return p.key == got[0].key }) + 1
				if i > 0 {
					got[0], got[i] = got[i], got[0]
				}
				if i > 0 && differ(o, rows, got) == "" {
					t.Error("a sort that is not stable is not noticed")
				}
			}
		}
	}
}

func TestSortFails(t *testing.T) {
	if err := New(Options{}).Add(make([]byte, MaxKey+1), nil); err == nil {
		t.Error("a key beyond the limit is taken")
	}
	s := New(Options{TempDir: "nowhere/at/all", Memory: 1})
	err := s.Add([]byte("a"), nil)
	if err = errors.Join(err, s.Add([]byte("b"), nil)); err == nil {
		t.Error("a folder that is not there takes a file")
	}
	s = New(Options{TempDir: t.TempDir(), Memory: 1})
	for range 3 {
		if err := s.Add([]byte("a"), []byte("b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.levels[0][1].file.Truncate(1); err != nil {
		t.Fatal(err)
	}
	err = s.Each(func([]byte, io.Reader, int64) error { return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a temporary file that was cut: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestLarge: a row beyond the memory is sorted as others are.
func TestLarge(t *testing.T) {
	rows := []pair{{"b", "1"}, {"a", strings.Repeat("y", 1<<20)}, {"c", "2"}}
	o := Options{Memory: 1 << 10}
	if problem := differ(o, rows, sorted(t, o, rows)); problem != "" {
		t.Errorf("%.100s", problem)
	}
}
