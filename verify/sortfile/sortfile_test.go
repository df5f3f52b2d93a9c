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

type pair struct{ key, value string }

// add makes a Sorter of rows, and looks at the end whether its file is gone.
func add(t *testing.T, o Options, rows []pair) *Sorter {
	t.Helper()
	o.TempDir = t.TempDir()
	s := New(o)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(o.TempDir); err != nil || len(left) > 0 {
			t.Errorf("%d temporary files stay (%v)", len(left), err)
		}
	})
	for _, r := range rows {
		if err := s.Add([]byte(r.key), []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func read(t *testing.T, s *Sorter) (got []pair) {
	t.Helper()
	if err := s.Each(func(key, value []byte) error {
		got = append(got, pair{string(key), string(value)})
		return nil
	}); err != nil {
		t.Fatal(err)
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
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %.100q, want %.100q", i, got[i], want[i])
		}
	}
	return ""
}

// random makes rows whose keys repeat, hold zeros, and begin like others.
func random(n int) (rows []pair) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range n {
		key := make([]byte, r.IntN(12))
		for k := range key {
			key[k] = byte(r.IntN(3)) * 127
		}
		rows = append(rows, pair{string(key), fmt.Sprintf("%d%s", i, strings.Repeat("x", r.IntN(9)))})
	}
	return rows
}

// TestSort sorts with room for all rows, for many, for a few, and for one at a time, so that runs are merged in several steps, and reads twice.
func TestSort(t *testing.T) {
	for _, n := range []int{0, 1, 65, 9000} {
		for _, inOrder := range []bool{false, true} {
			for _, o := range []Options{{}, {Memory: 100_000}, {Memory: 3000}, {Memory: 1}} {
				if n == 9000 && o.Memory == 1 {
					o.Memory = 200
				}
				for _, o.Descending = range []bool{false, true} {
					rows := random(n)
					if inOrder {
						slices.SortFunc(rows, func(a, b pair) int { return strings.Compare(a.key, b.key) })
					}
					s := add(t, o, rows)
					if err := s.settle(); err != nil {
						t.Fatal(err)
					}
					runs := len(s.runs)
					for range 2 {
						if problem := differ(o, rows, read(t, s)); problem != "" {
							t.Errorf("%d rows, %+v: %s", n, o, problem)
						}
					}
					if n == 9000 && (o.Memory == 3000 && runs <= fanIn || o.Memory == 200 && runs < 10*fanIn) || n > 1 && o.Memory == 1 && runs != n-1 {
						t.Errorf("%d rows, %+v: %d runs", n, o, runs)
					}
				}
			}
		}
	}
}

// TestControl: a sort that is not stable, one that loses a row and one in the other order are noticed.
func TestControl(t *testing.T) {
	rows := random(900)
	good := read(t, add(t, Options{Memory: 500}, rows))
	twin := slices.IndexFunc(good[1:], func(p pair) bool { return p.key == good[0].key }) + 1
	if twin == 0 {
		t.Fatal("no key stands twice")
	}
	swapped := slices.Clone(good)
	swapped[0], swapped[twin] = swapped[twin], swapped[0]
	if differ(Options{}, rows, swapped) == "" || differ(Options{}, rows, good[1:]) == "" || differ(Options{Descending: true}, rows, good) == "" {
		t.Error("what is out of order is not noticed")
	}
}

// TestSideBySide reads one sort twice at the same time, at different places.
func TestSideBySide(t *testing.T) {
	rows := random(2000)
	for _, memory := range []int{0, 2000} {
		s := add(t, Options{Memory: memory}, rows)
		ahead, err := s.Rows()
		if err != nil {
			t.Fatal(err)
		}
		behind, err := s.Rows()
		if err != nil {
			t.Fatal(err)
		}
		var got []pair
		var seen []string
		for n := 0; ahead.Next(); n++ {
			seen = append(seen, string(ahead.Key()))
			for len(seen) > 100 {
				if !behind.Next() || string(behind.Key()) != seen[0] {
					t.Fatalf("%q stands where %q was before", behind.Key(), seen[0])
				}
				got, seen = append(got, pair{string(behind.Key()), string(behind.Value())}), seen[1:]
			}
		}
		for behind.Next() {
			got = append(got, pair{string(behind.Key()), string(behind.Value())})
		}
		if problem := differ(Options{}, rows, got); problem != "" || ahead.Err() != nil || behind.Err() != nil {
			t.Error(problem, ahead.Err(), behind.Err())
		}
	}
}

// TestLong: rows beyond the memory, and keys and values beyond what is read ahead, are sorted as others are.
func TestLong(t *testing.T) {
	long := strings.Repeat("y", 1<<20)
	rows := []pair{{"b", "1"}, {"a", long}, {long + "2", "k"}, {"c", ""}, {long + "1", long}, {"", "0"}, {"a", "again"}, {"a" + long[:readBuffer-2], "1"}, {"a" + long[:readBuffer-1], ""}}
	for _, memory := range []int{0, 1, 1 << 10} {
		s := add(t, Options{Memory: memory}, rows)
		if problem := differ(Options{}, rows, read(t, s)); problem != "" {
			t.Error(problem)
		}
	}
}

// TestFails: a folder that is not there, a file that was cut or altered, and a row that comes too late are errors.
func TestFails(t *testing.T) {
	s := New(Options{TempDir: "nowhere/at/all", Memory: 1})
	if err := errors.Join(s.Add([]byte("a"), nil), s.Add([]byte("b"), nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	rows := []pair{{"c", "1"}, {"b", "2"}, {"a", "3"}}
	for name, test := range map[string]struct {
		harm func(*os.File) error
		want error
	}{
		"cut":     {func(f *os.File) error { return f.Truncate(3) }, io.ErrUnexpectedEOF},
		"altered": {func(f *os.File) error { _, err := f.WriteAt([]byte{0x7f}, 0); return err }, errChanged},
	} {
		s := add(t, Options{Memory: 1}, rows)
		if _, err := s.Rows(); err != nil {
			t.Fatal(err)
		}
		if err := s.Add([]byte("d"), nil); err == nil {
			t.Error("a row that comes too late is taken")
		}
		if err := test.harm(s.file.File); err != nil {
			t.Fatal(err)
		}
		if err := s.Each(func(_, _ []byte) error { return nil }); !errors.Is(err, test.want) {
			t.Errorf("a file that was %s: %v", name, err)
		}
	}
	late := errors.New("enough")
	if err := add(t, Options{}, rows).Each(func(_, _ []byte) error { return late }); !errors.Is(err, late) {
		t.Errorf("the error of yield: %v", err)
	}
}

// TestPrivate: nobody else can read the file.
func TestPrivate(t *testing.T) {
	s := add(t, Options{Memory: 1}, random(2))
	if info, err := s.file.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
}
