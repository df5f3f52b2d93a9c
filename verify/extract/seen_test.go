package extract

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func hashOf(n uint64) [32]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
}

// TestSeen compares with a map, in memory and with files of many merges.
func TestSeen(t *testing.T) {
	for _, limit := range []int{0, 1, 7, 1000} {
		dir := t.TempDir()
		s := newSeen(dir, limit)
		want := make(map[uint64]uint64)
		rng := rand.New(rand.NewPCG(1, uint64(limit)))
		rounds := 6000
		if limit == 1 {
			rounds = 300
		}
		for i := range uint64(rounds) {
			n := rng.Uint64N(uint64(rounds))
			before, found, err := s.add(hashOf(n), i)
			if err != nil {
				t.Fatal(err)
			}
			first, old := want[n]
			if found != old || found && before != first {
				t.Fatalf("limit %d, key %d: %d, %v; want %d, %v", limit, n, before, found, first, old)
			}
			if !old {
				want[n] = i
			}
		}
		if files := entries(t, dir); (limit != 0) != (files == 1) {
			t.Errorf("limit %d: %d files", limit, files)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if files := entries(t, dir); files != 0 {
			t.Errorf("limit %d: %d files are left", limit, files)
		}
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestSeenZero checks the key that would look like a free slot.
func TestSeenZero(t *testing.T) {
	s := newSeen(t.TempDir(), 2)
	for i, want := range []bool{false, true} {
		if _, found, err := s.add([32]byte{}, 5); found != want || err != nil {
			t.Errorf("zero key, time %d: %v, %v", i, found, err)
		}
	}
}

func TestSeenWithoutRoom(t *testing.T) {
	s := newSeen(t.TempDir()+"/missing", 1)
	if _, _, err := s.add(hashOf(1), 1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.add(hashOf(2), 1); err == nil {
		t.Error("no folder for the file, no error")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDuplicatesSpill extracts the same pages with and without the file.
func TestDuplicatesSpill(t *testing.T) {
	pages := func() fakePages {
		var list fakePages
		for page := range 20 {
			var b strings.Builder
			b.WriteString(`{"value":[`)
			for i := range 50 {
				if i > 0 {
					b.WriteByte(',')
				}
				n := page*40 + i // the last ten stand in the next page again
				fmt.Fprintf(&b, `{"Id":"%d","TimeStamp":"2018-06-01T00:00:00Z","n":%d}`, n, page*i%7)
			}
			b.WriteString("]}")
			user := []string{"kim@example.com", "sam@example.com"}[page/10]
			list = append(list, fakePage{source: "outlook-activities", user: user, body: strings.NewReader(b.String())})
		}
		return list
	}
	inMemory, sum := keep(t, pages(), Options{})
	dir := t.TempDir()
	spilled, sum2 := keep(t, pages(), Options{MemoryKeys: 33, TempDir: dir})
	if fmt.Sprint(inMemory, sum) != fmt.Sprint(spilled, sum2) {
		t.Error("results differ with the file")
	}
	// 19 overlaps of ten, less that between the two mailboxes.
	if sum.Records != 1000 || sum.Flags["duplicate_id"] != 180 {
		t.Errorf("summary %+v", sum)
	}
	if other := sum.Flags["duplicate_id_other_bytes"]; other == 0 || other == 180 {
		t.Errorf("%d of 180 with other bytes", other)
	}
	if n := entries(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func BenchmarkSeen(b *testing.B) {
	s := newSeen(b.TempDir(), 0)
	for i := range uint64(b.N) {
		if _, _, err := s.add(hashOf(i), i); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
