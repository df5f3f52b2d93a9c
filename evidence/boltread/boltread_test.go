package boltread_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence/boltread"
)

// content is what a file says: key to value by bucket.
type content map[string]map[string]string

func equal(a, b content) bool {
	return maps.EqualFunc(a, b, func(x, y map[string]string) bool { return maps.Equal(x, y) })
}

// read reads everything with the package under test.
func read(b []byte, check func(*boltread.File) error) (content, error) {
	f, err := boltread.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	if err := check(f); err != nil {
		return nil, err
	}
	buckets, err := f.Buckets()
	if err != nil {
		return nil, err
	}
	c := content{}
	for _, bucket := range buckets {
		name := bucket.Name()
		c[name] = map[string]string{}
		cur, steps := bucket.Cursor(), 0
		for ok := cur.First(); ok; ok = cur.Next() {
			c[name][string(cur.Key())] = string(cur.Value())
			if steps++; steps > len(b) {
				return nil, errLoop
			}
		}
		if cur.Err() != nil {
			return nil, cur.Err()
		}
	}
	return c, nil
}

var errLoop = errors.New("more rows than bytes")

func structure(f *boltread.File) error { return f.Check() }
func whole(f *boltread.File) error     { return f.CheckWhole() }
func nothing(*boltread.File) error     { return nil }

// readBolt reads everything with bbolt: the oracle on good files.
func readBolt(t testing.TB, path string) content {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c := content{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			rows := map[string]string{}
			c[string(name)] = rows
			return b.ForEach(func(k, v []byte) error { rows[string(k)] = string(v); return nil })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// grow makes a bbolt file by a random history of puts and deletes in many transactions, with values up to valueMax.
func grow(t testing.TB, seed uint64, rounds, valueMax int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	path := filepath.Join(t.TempDir(), "grown.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: boltread.PageSize, NoSync: true, NoFreelistSync: false})
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		err := db.Update(func(tx *bolt.Tx) error {
			for _, name := range []string{"few", "many", "none"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				n := map[string]int{"few": 3, "many": 4000, "none": 0}[name]
				if n == 0 {
					continue
				}
				for range r.IntN(80) {
					k := fmt.Appendf(nil, "%0*d", 4+r.IntN(3)*20, r.IntN(n))
					if r.IntN(4) == 0 {
						err = b.Delete(k)
					} else {
						err = b.Put(k, bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(1+r.IntN(valueMax))))
					}
					if err != nil {
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
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func file(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sealed makes of a bbolt file one that CheckWhole accepts.
func sealed(t testing.TB, path string) []byte {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(&out); return err })
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	b := out.Bytes()
	f, err := boltread.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for id, err := range f.Free() {
		if err != nil {
			t.Fatal(err)
		}
		clear(b[id*boltread.PageSize : (id+1)*boltread.PageSize])
	}
	return b
}

func TestReadsWhatBoltWrites(t *testing.T) {
	for seed := range uint64(24) {
		valueMax := []int{30, 400, 3000, 40000}[seed%4]
		path := grow(t, seed, 5+int(seed)*3, valueMax)
		want := readBolt(t, path)
		got, err := read(file(t, path), structure)
		if err != nil || !equal(got, want) {
			t.Errorf("seed %d: %v, equal %t", seed, err, equal(got, want))
		}
		got, err = read(sealed(t, path), whole)
		if err != nil || !equal(got, want) {
			t.Errorf("seed %d, sealed: %v, equal %t", seed, err, equal(got, want))
		}
	}
}

func TestSeek(t *testing.T) {
	b := file(t, grow(t, 3, 60, 300))
	want, err := read(b, structure)
	if err != nil {
		t.Fatal(err)
	}
	f, err := boltread.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := f.Bucket("many")
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(want["many"]))
	if len(keys) < 500 {
		t.Fatalf("only %d keys", len(keys))
	}
	r := rand.New(rand.NewPCG(1, 2))
	c := bucket.Cursor()
	for i := range 3000 {
		key := fmt.Sprintf("%04d", r.IntN(4100))
		if i%3 == 0 {
			key = keys[r.IntN(len(keys))]
		}
		at, _ := slices.BinarySearch(keys, key)
		ok := c.Seek([]byte(key))
		for step := range 3 {
			if ok != (at+step < len(keys)) || c.Err() != nil {
				t.Fatalf("seek %q, step %d: %t, %v", key, step, ok, c.Err())
			}
			if !ok {
				break
			}
			if string(c.Key()) != keys[at+step] || string(c.Value()) != want["many"][keys[at+step]] {
				t.Fatalf("seek %q, step %d: at %q instead of %q", key, step, c.Key(), keys[at+step])
			}
			ok = c.Next()
		}
	}
	if _, err := f.Bucket("no such"); !errors.Is(err, boltread.ErrNoBucket) {
		t.Errorf("bucket that is not there: %v", err)
	}
}

// TestEveryByte flips each byte of a small file in two ways. In a sealed file, nothing may go unseen: an error, or rows that are not
// those of the truth. In a working file, what goes unseen must lie where Check says that it does not look.
func TestEveryByte(t *testing.T) {
	path := grow(t, 5, 4, 120)
	work := file(t, path)
	truth := readBolt(t, path)
	whole1 := sealed(t, path)
	for _, flip := range []byte{0x01, 0xFF} {
		for at := range whole1 {
			whole1[at] ^= flip
			if got, err := read(whole1, whole); err == nil && equal(got, truth) {
				t.Fatalf("sealed: byte %d flipped by %#x goes unseen", at, flip)
			} else if err == nil && len(got) == len(truth) && named(got) && difference(got, truth) > 2 {
				t.Fatalf("sealed: byte %d flipped by %#x changes %d rows unseen", at, flip, difference(got, truth))
			}
			whole1[at] ^= flip
		}
	}
	uncovered := uncoveredPages(t, work)
	unseen := 0
	for at := range work {
		work[at] ^= 0x40
		got, err := read(work, structure)
		if err == nil && equal(got, truth) {
			unseen++
			if !uncovered[at/boltread.PageSize] && at >= 2*boltread.PageSize {
				t.Fatalf("working: byte %d flipped goes unseen", at)
			}
		}
		work[at] ^= 0x40
	}
	if unseen == 0 {
		t.Error("no byte of a working file goes unseen: what is this test looking at?")
	}
	t.Logf("sealed file of %d bytes; working file of %d, %d of them not covered", len(whole1), len(work), unseen)
}

// named reports whether the buckets have their names: a changed name takes all rows with it.
func named(c content) bool { return c["few"] != nil && c["many"] != nil && c["none"] != nil }

// difference counts rows that are in one but not the other.
func difference(a, b content) int {
	n := 0
	for name := range b {
		for k, v := range b[name] {
			if w, ok := a[name][k]; !ok || v != w {
				n++
			}
		}
		for k := range a[name] {
			if _, ok := b[name][k]; !ok {
				n++
			}
		}
	}
	return n
}

// uncoveredPages are the free pages and those behind the pages in use, found by bbolt.
func uncoveredPages(t *testing.T, b []byte) map[int]bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	pages := map[int]bool{}
	err = db.Update(func(tx *bolt.Tx) error {
		for id := range len(b) / boltread.PageSize {
			p, err := tx.Page(id)
			if err != nil {
				return err
			}
			if p == nil || p.Type == "free" {
				pages[id] = true
			}
		}
		return errors.New("roll back")
	})
	if err == nil || err.Error() != "roll back" {
		t.Fatal(err)
	}
	return pages
}

func TestTruncated(t *testing.T) {
	path := grow(t, 6, 20, 500)
	b := sealed(t, path)
	r := rand.New(rand.NewPCG(4, 4))
	var cuts []int
	for at := 0; at < len(b); at += boltread.PageSize {
		cuts = append(cuts, at, at+1+r.IntN(boltread.PageSize-1))
	}
	for _, cut := range cuts {
		if _, err := read(b[:cut], nothing); err == nil {
			t.Errorf("file cut from %d to %d bytes is read", len(b), cut)
		}
		// The size is that of the whole file: it was shortened while it was read.
		if f, err := boltread.Open(bytes.NewReader(b[:cut]), int64(len(b))); err == nil && f.CheckWhole() == nil {
			t.Errorf("file shortened to %d bytes under the reader passes", cut)
		}
	}
	if _, err := read(append(bytes.Clone(b), 0), whole); err == nil {
		t.Error("a byte behind the last page passes")
	}
}

// TestSparse opens what says to be 1 TiB: neither time nor memory may follow from that.
func TestSparse(t *testing.T) {
	b := sealed(t, grow(t, 6, 20, 500))
	f, err := boltread.Open(sparse(b), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil {
		t.Errorf("good pages in a long file: %v", err)
	}
	if err := f.CheckWhole(); err == nil {
		t.Error("1 TiB behind the last page pass")
	}
}

type sparse []byte

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s)) {
		copy(p, s[off:])
	}
	return len(p), nil
}

func TestReaderErrors(t *testing.T) {
	b := sealed(t, grow(t, 6, 20, 500))
	broken := errors.New("bad sector")
	for page := range len(b) / boltread.PageSize {
		r := &failing{bytes.NewReader(b), int64(page) * boltread.PageSize, broken}
		f, err := boltread.Open(r, int64(len(b)))
		if err == nil {
			err = f.CheckWhole()
		}
		if !errors.Is(err, broken) {
			t.Errorf("page %d cannot be read: %v", page, err)
		}
	}
}

type failing struct {
	r   *bytes.Reader
	at  int64
	err error
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && f.at < off+int64(len(p)) {
		return 0, f.err
	}
	return f.r.ReadAt(p, off)
}
