package replay

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// items makes n random items whose keys repeat in part.
func items(n int) []item {
	r := rand.New(rand.NewPCG(uint64(n), 5))
	list := make([]item, n)
	for i := range list {
		key := fmt.Appendf(nil, "%03d", r.IntN(300))
		key = append(key, byte(r.IntN(3)))
		list[i] = item{binary.BigEndian.AppendUint64(key, uint64(r.IntN(4))), bytes.Repeat([]byte{byte(i)}, r.IntN(400))}
	}
	return list
}

// expected is what a sorted has to give, in the plainest way.
func expected(list []item, by grouping) (want []item) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b item) int { return bytes.Compare(a.key, b.key) })
	inGroup := 0
	for _, it := range list {
		if n := len(want); n > 0 && string(want[n-1].key[:len(it.key)-by.tail]) == string(it.key[:len(it.key)-by.tail]) {
			if by.once > 0 && string(want[n-1].key[:len(it.key)-by.once]) == string(it.key[:len(it.key)-by.once]) || inGroup == by.most {
				continue
			}
		} else {
			inGroup = 0
		}
		want = append(want, it)
		inGroup++
	}
	return want
}

// TestSorted keeps of each group what belongs into it, whether memory holds all items or few.
func TestSorted(t *testing.T) {
	for _, n := range []int{0, 1, 3000, 20_000} {
		for _, by := range []grouping{{9, 8, 64}, {9, 0, 64}, {9, 0, 2}, {8, 8, 1}} {
			for _, memory := range []int{sorterMemory, 64 << 10} {
				list, dir := items(n), t.TempDir()
				s := &sorter{sortfile.New(sortfile.Options{TempDir: dir, Memory: memory}), dir, by}
				for _, it := range list {
					if err := s.Add(it.key, it.payload); err != nil {
						t.Fatal(err)
					}
				}
				sorted, err := s.finish()
				if err != nil {
					t.Fatal(err)
				}
				same(t, sorted, expected(list, by))
				if err := sorted.close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// same holds what a sorted gives, as a whole and by groups, against what it should.
func same(t *testing.T, s *sorted, want []item) {
	t.Helper()
	var got []item
	for n := range s.blocks {
		part, err := s.read(n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
	}
	equal := func(a, b item) bool { return bytes.Equal(a.key, b.key) && bytes.Equal(a.payload, b.payload) }
	if !slices.EqualFunc(got, want, equal) || s.count != int64(len(want)) {
		t.Fatalf("%d items, want %d", len(got), len(want))
	}
	for k := 0; k <= 300; k += 20 {
		prefix := fmt.Appendf(nil, "%03d", k)
		group, err := s.group(append(prefix, 1))
		if err != nil {
			t.Fatal(err)
		}
		var w []item
		for _, it := range want {
			if bytes.HasPrefix(it.key, append(prefix, 1)) {
				w = append(w, it)
			}
		}
		if !slices.EqualFunc(group, w, equal) {
			t.Fatalf("group %d has %d items, want %d", k, len(group), len(w))
		}
	}
}

// TestFilesGo: nothing is left in the folder for temporary files, and what is there nobody else can read.
func TestFilesGo(t *testing.T) {
	dir := t.TempDir()
	s := &spool{dir: dir}
	for range 5 {
		if _, err := s.add(make([]byte, 700<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := s.file.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if err := s.flush(); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := s.add(make([]byte, 700<<10)); err != nil {
		t.Error(err)
	}
	gone := &spool{dir: dir + "/nowhere"}
	if _, err := gone.add(make([]byte, 2<<20)); err == nil {
		t.Error("a folder that is not there is no error")
	}
	s.close()
}

// TestKeysOrder: keys order as odata.Compare orders values, in both directions.
func TestKeysOrder(t *testing.T) {
	values := []odata.Value{{}, odata.String(""), odata.String("\x00"), odata.String("\x00\x00"), odata.String("\x00\x01"), odata.String("\x00a"), odata.String("\x01"),
		odata.String("A"), odata.String("AB"), odata.String("a"), odata.String("a\x00"), odata.String("a\x00b"), odata.String("ab"), odata.String("é"), odata.String("\xff")}
	for _, descending := range []bool{false, true} {
		by := []odata.Order{{Path: "Id", Descending: descending}}
		for _, a := range values {
			for _, b := range values {
				want, err := odata.Compare(by, &row{colID: a}, &row{colID: b})
				if err != nil {
					t.Fatal(err)
				}
				// What follows a component must not count where the component decides.
				ka, kb := append(appendDirected(nil, a, descending), "zz"...), append(appendDirected(nil, b, descending), "zz"...)
				if got := bytes.Compare(ka, kb); got != want {
					t.Errorf("%v and %v, descending %v: %d, want %d", a, b, descending, got, want)
				}
			}
		}
	}
	var times []odata.Value
	for _, text := range []string{"0000-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000001Z", "2018-06-21T12:14:13.019Z", "2018-06-21T12:14:13.02Z", "9999-12-31T23:59:59Z"} {
		v, err := columnValue(colTime, []byte(`"`+text+`"`))
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, v)
	}
	for i, a := range times {
		for k, b := range times {
			if got, want := bytes.Compare(appendValue(nil, a), appendValue(nil, b)), cmp.Compare(i, k); got != want {
				t.Errorf("%v and %v: %d, want %d", a, b, got, want)
			}
		}
		r := row{colID: odata.String("x"), colTime: a, colItem: odata.String("y")}
		if back, at, length := readPayload(appendRow(nil, &r, 7, 9)); back != r || at != 7 || length != 9 {
			t.Errorf("%v comes back as %v, %d, %d", r, back, at, length)
		}
	}
}
