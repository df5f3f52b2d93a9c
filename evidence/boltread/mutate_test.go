package boltread

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// errHang is what a reader gets that reads more pages than a file of this size can need.
var errHang = errors.New("reads without end")

// budget is a reader of b that counts.
type budget struct {
	b    []byte
	left int
}

func (r *budget) ReadAt(p []byte, off int64) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errHang
	}
	return bytes.NewReader(r.b).ReadAt(p, off)
}

// rows reads a file with some rules left out: all rows as one text, after the check if check is set.
func rows(b []byte, without rules, check bool) (string, error) {
	f, err := Open(&budget{b, 20 * len(b) / PageSize}, int64(len(b)))
	if err != nil {
		return "", err
	}
	f.rules &^= without
	if check {
		if err := f.Check(); err != nil {
			return "", err
		}
	}
	buckets, err := f.Buckets()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for _, bucket := range buckets {
		c := bucket.Cursor()
		for ok := c.First(); ok; ok = c.Next() {
			fmt.Fprintf(&out, "%s %s %x\n", bucket.Name(), c.Key(), c.Value())
		}
		if c.Err() != nil {
			return "", c.Err()
		}
	}
	return out.String(), nil
}

// sample is a file with an inline bucket, one of two levels, one with overflow pages, and free pages.
func sample(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: PageSize})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		err := db.Update(func(tx *bolt.Tx) error {
			for _, name := range []string{"few", "long", "many"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				n, size := map[string]int{"few": 1, "long": 2, "many": 40}[name], map[string]int{"few": 9, "long": 9000, "many": 90}[name]
				for i := range n {
					if err := b.Put(fmt.Appendf(nil, "%s %04d", name, round*n+i), bytes.Repeat([]byte{byte(i + 1)}, size)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err = db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(&out); return err })
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fields lists where the numbers of the structure stand: offset and width.
type field struct {
	name      string
	at, width int
}

func fields(b []byte) []field {
	var all []field
	f, _ := Open(bytes.NewReader(b), int64(len(b)))
	for _, x := range []struct {
		name string
		at   int
	}{{"root", 16}, {"root sequence", 24}, {"freelist", 32}, {"pages", 40}} {
		all = append(all, field{"meta " + x.name, headerSize + x.at, 8})
	}
	page := func(id uint64) {
		at := int(id) * PageSize
		h := parseHeader(b[at:])
		all = append(all, field{"id", at, 8}, field{"flags", at + 8, 2}, field{"count", at + 10, 2}, field{"overflow", at + 12, 4})
		for i := range int(h.count) {
			if i > 1 && i < int(h.count)-1 {
				continue
			}
			last := ""
			if i == int(h.count)-1 { // its sizes end where the zeros begin: nothing but a comparison can tell
				last = "last "
			}
			e := at + headerSize + elementSize*i
			switch h.flags {
			case flagLeaf:
				all = append(all, field{"leaf flags", e, 4}, field{"leaf position", e + 4, 4}, field{last + "leaf key size", e + 8, 4},
					field{last + "leaf value size", e + 12, 4})
			case flagBranch:
				all = append(all, field{"branch position", e, 4}, field{"branch key size", e + 4, 4}, field{"branch page", e + 8, 8})
			case flagFreelist:
				all = append(all, field{"free page", at + headerSize + 8*i, 8})
			}
		}
	}
	page(f.meta.freelist)
	root := f.rootBucket().Cursor()
	root.visit = func(id uint64, _ int) error { page(id); return nil }
	for ok := root.First(); ok; ok = root.Next() {
		bucket := f.bucket("", root.Value())
		c := bucket.Cursor()
		c.visit = root.visit
		for ok := c.First(); ok; ok = c.Next() {
		}
		if at := bytes.Index(b[f.meta.root*PageSize:], root.Value()); bucket.page == nil {
			all = append(all, field{"bucket root", int(f.meta.root)*PageSize + at, 8}, field{"bucket sequence", int(f.meta.root)*PageSize + at + 8, 8})
		}
	}
	return all
}

func put(b []byte, f field, v uint64) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], v)
	copy(b[f.at:f.at+f.width], n[:])
}

func get(b []byte, f field) uint64 {
	var n [8]byte
	copy(n[:], b[f.at:f.at+f.width])
	return binary.LittleEndian.Uint64(n[:])
}

// sign makes the checksum of the first meta page right.
func sign(b []byte) {
	sum := fnv.New64a()
	_, _ = sum.Write(b[headerSize : headerSize+metaSize-8])
	binary.LittleEndian.PutUint64(b[headerSize+metaSize-8:], sum.Sum64())
}

// campaign changes every number of the structure to many others and reports by name those after which the file is read, with Check or without,
// as something else than the truth, or without end.
func campaign(t testing.TB, b []byte, without rules) (mutants int, bad map[string]int) {
	t.Helper()
	truth, err := rows(b, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	pages := uint64(len(b) / PageSize)
	bad = map[string]int{}
	for _, f := range fields(b) {
		old := get(b, f)
		values := []uint64{0, 1, old - 1, old + 1, old ^ 0x80, old * 2, 0xFFFF, 1 << 31, 1<<32 - 1, 1<<64 - 1, old + 1<<52}
		if f.width == 8 {
			for id := range pages {
				values = append(values, id)
			}
		}
		for _, v := range values {
			if put(b, f, v); get(b, f) == old {
				continue
			}
			sign(b)
			mutants++
			for _, check := range []bool{false, true} {
				got, err := rows(b, without, check)
				if errors.Is(err, errHang) || err == nil && got != truth {
					bad[f.name]++
				}
			}
			if _, err := rows(b, without, true); err == nil {
				bad["check: "+f.name]++
			}
		}
		put(b, f, old)
		sign(b)
	}
	return mutants, bad
}

func TestMutatedStructure(t *testing.T) {
	b := sample(t)
	mutants, bad := campaign(t, b, 0)
	// Without Check nobody knows that a root is another bucket's or an older one in a free page; and nobody at all that the last row
	// of a page is longer.
	for _, known := range []string{"meta root", "bucket root", "last leaf key size", "last leaf value size", "check: last leaf key size", "check: last leaf value size"} {
		delete(bad, known)
	}
	t.Logf("%d mutants", mutants)
	if len(bad) != 0 || mutants < 3000 {
		t.Errorf("of %d mutants these were read as something else: %v", mutants, bad)
	}
	if _, bad := campaign(t, b, ruleSeparators); bad["branch page"] == 0 {
		t.Errorf("a reader that ignores the keys above goes unnoticed: %v", bad)
	}
}

// TestBranchToItself is a loop that no key shows: a branch with one child, itself.
func TestBranchToItself(t *testing.T) {
	b := sample(t)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	many, err := f.Bucket("many")
	if err != nil {
		t.Fatal(err)
	}
	page := b[many.root*PageSize:][:PageSize]
	key := append([]byte{}, "many 0000"...)
	clear(page[10:])
	page[10] = 1
	binary.LittleEndian.PutUint32(page[headerSize:], elementSize)
	binary.LittleEndian.PutUint32(page[headerSize+4:], uint32(len(key)))
	binary.LittleEndian.PutUint64(page[headerSize+8:], many.root)
	copy(page[headerSize+elementSize:], key)
	var broken *PageError
	if _, err := rows(b, 0, false); !errors.As(err, &broken) || broken.Page != many.root {
		t.Errorf("loop: %v", err)
	}
	if _, err := rows(b, ruleDepth, false); !errors.Is(err, errHang) {
		t.Errorf("a reader without a limit of depth goes unnoticed: %v", err)
	}
	if err := f.Check(); err == nil {
		t.Error("Check passes a loop")
	}
}

// TestFreeAndInUse lists a page as free that a bucket uses: bbolt would write over it.
func TestFreeAndInUse(t *testing.T) {
	b := sample(t)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	list := b[f.meta.freelist*PageSize:][:PageSize]
	n := int(parseHeader(list).count)
	last := binary.LittleEndian.Uint64(list[headerSize+8*n-8:])
	used := f.meta.pages - 1
	if n == 0 || last >= used {
		t.Fatalf("sample with %d free pages, the last one %d of %d", n, last, f.meta.pages)
	}
	list[10]++
	binary.LittleEndian.PutUint64(list[headerSize+8*n:], used)
	if _, err := rows(b, 0, true); err == nil {
		t.Error("a page in use and free passes")
	}
	f.rules &^= ruleOnce
	if err := f.Check(); err != nil {
		t.Errorf("a check that counts no page twice finds something else: %v", err)
	}
}

func TestZeroRule(t *testing.T) {
	b := sample(t)
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	b[(f.meta.root+1)*PageSize-1] = 1
	if _, err := rows(b, 0, false); err == nil {
		t.Error("a byte behind the rows of the root passes")
	}
	if _, err := rows(b, ruleZero, true); err != nil {
		t.Errorf("without the rule: %v", err)
	}
}

// FuzzEdits writes numbers over a good file: of each 8 bytes of the input, the first says how wide and, if odd, that the number is
// negative, three say where, and four what. The checksum of the first meta page is made right again.
func FuzzEdits(f *testing.F) {
	good := sample(f)
	truth, err := rows(good, 0, true)
	if err != nil {
		f.Fatal(err)
	}
	list, err := Open(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	for _, x := range fields(good) {
		f.Add([]byte{map[int]byte{2: 2, 4: 4, 8: 6}[x.width], byte(x.at), byte(x.at >> 8), byte(x.at >> 16), byte(list.meta.root), 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		b := bytes.Clone(good)
		for ; len(edits) >= 8 && len(edits) <= 80; edits = edits[8:] {
			x := field{at: (int(edits[1]) | int(edits[2])<<8 | int(edits[3])<<16) % (len(b) - 8), width: 1 << (edits[0] >> 1 & 3)}
			v := uint64(binary.LittleEndian.Uint32(edits[4:]))
			if edits[0]&1 != 0 {
				v = -v
			}
			put(b, x, v)
		}
		sign(b)
		plain, err := rows(b, 0, false)
		if errors.Is(err, errHang) {
			t.Fatal("reads without end")
		}
		checked, err2 := rows(b, 0, true)
		switch {
		case errors.Is(err2, errHang):
			t.Fatal("checks without end")
		case err2 == nil && (err != nil || plain != checked):
			t.Fatalf("passes the check and reads otherwise: %v", err)
		case bytes.Equal(b, good) && (err2 != nil || checked != truth):
			t.Fatalf("good file: %v", err2)
		}
	})
}
