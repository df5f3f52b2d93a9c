package ledger_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

// TestNoByteUnseen flips each byte of a sealed index: either its structure is wrong or a row differs.
func TestNoByteUnseen(t *testing.T) {
	batches := rowtest.Sample(t, 12, 4)
	content := read(t, build(t, batches))
	unseen := func() bool {
		r, err := compare(t, content, batches)
		if err != nil || len(r.Differences) > 0 {
			return false
		}
		f, err := boltread.Open(bytes.NewReader(content), int64(len(content)))
		return err == nil && f.CheckWhole() == nil
	}
	if !unseen() {
		t.Fatal("the index itself differs")
	}
	t.Logf("%d bytes", len(content))
	step := 1
	if testing.Short() {
		step = 17
		t.Logf("NOT TESTED: all bytes but every %dth", step)
	}
	for at := 0; at < len(content); at += step {
		content[at] ^= 1
		if unseen() {
			t.Fatalf("byte %d flipped goes unseen", at)
		}
		content[at] ^= 1
	}
}

// TestDifferences edits an index with bbolt, so that its structure is good, and wants to be told what was done, and of nothing else.
func TestDifferences(t *testing.T) {
	batches := rowtest.Sample(t, 40, 8)
	key := func(n int64) []byte { k := row.Key(n); return k[:] }
	chain := func(w, c int64) []byte { k := row.CursorKey(w, c); return k[:] }
	edit := func(bucket string, key []byte, old, new string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			v := bytes.Clone(b.Get(key))
			if old != "" && !bytes.Contains(v, []byte(old)) {
				t.Fatalf("%s has no %q", v, old)
			}
			return b.Put(key, bytes.Replace(v, []byte(old), []byte(new), 1))
		}
	}
	remove := func(bucket string, key []byte) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucket)).Delete(key) }
	}
	for _, test := range []struct {
		name   string
		change func(*bolt.Tx) error
		want   []string
	}{
		{"nothing", func(*bolt.Tx) error { return nil }, nil},
		{"log edited", edit(row.Log, key(1), `"text":"acquire"`, `"text":"nothing"`), []string{"bucket log, key 1: value differs"}},
		{"log row removed", remove(row.Log, key(1)), []string{"bucket log, key 1: row is missing"}},
		{"log row added", func(tx *bolt.Tx) error { return tx.Bucket([]byte(row.Log)).Put(key(2), []byte("{}")) },
			[]string{"bucket log, key 2: row that no entry explains"}},
		{"row behind the end", func(tx *bolt.Tx) error { return tx.Bucket([]byte(row.Entries)).Put(key(900), []byte("{}")) },
			[]string{"bucket entries, key 900: row that no entry explains"}},
		{"hash of a response", edit(row.Exchanges, key(7), `"block":"`, `"block":"0`), []string{"bucket exchanges, key 7: value differs"}},
		{"head line", edit(row.Entries, key(7), `"status":200`, `"status":404`), []string{"bucket entries, key 7: value differs"}},
		{"state of a window", edit(row.Windows, key(2), `"partial"`, `"complete"`), []string{"bucket windows, key 2: value differs"}},
		{"window tells of less", edit(row.Windows, key(1), `"closed":54`, `"closed":-1`), []string{"bucket windows, key 1: value differs"}},
		{"window removed", remove(row.Windows, key(2)), []string{"bucket windows, key 2: row is missing"}},
		{"window added", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(row.Windows))
			return b.Put(key(9), bytes.Clone(b.Get(key(1))))
		}, []string{"bucket windows: 3 rows, of which entries explain 2"}},
		{"cursor edited", edit(row.Cursors, chain(1, 0), `"failed":0`, `"failed":1`), []string{"bucket cursors, key 1/0: value differs"}},
		{"cursor of another spelling", edit(row.Cursors, chain(1, 0), `"failed":0`, `"failed": 0`),
			[]string{"bucket cursors, key 1/0: value differs"}},
		{"cursor ahead", edit(row.Cursors, chain(2, 1), `"seen":`, `"seen":9`), []string{"bucket cursors, key 2/1: tells of entries up to 9"}},
		{"cursor behind", edit(row.Cursors, chain(2, 1), `"seen":`, `"seen":-`),
			[]string{"bucket cursors, key 2/1: tells of entries up to -", "bucket cursors: 6 rows, of which entries explain 5"}},
		{"cursor removed", remove(row.Cursors, chain(2, 1)), []string{"bucket cursors, key 2/1: row is missing"}},
		{"position", edit(row.Meta, []byte(row.MetaPosition), `"segment":1`, `"segment":2`), []string{`bucket meta, key "position": value differs`}},
		{"counts", remove(row.Meta, []byte(row.MetaCounts)), []string{`bucket meta, key "counts": row is missing`}},
		{"unknown key", func(tx *bolt.Tx) error { return tx.Bucket([]byte(row.Meta)).Put([]byte("z"), nil) },
			[]string{`bucket meta, key "z": row that no entry explains`}},
		{"unknown bucket", func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("more")); return err }, []string{"bucket more: unknown bucket"}},
		{"bucket removed", func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(row.Log)) }, []string{"bucket log: no such bucket"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := build(t, batches)
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(test.change); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := compare(t, read(t, path), batches)
			if err != nil || len(r.Differences) != len(test.want) || r.More != 0 || r.Uncompared != nil {
				t.Fatalf("%+v, %v; want %q", r, err, test.want)
			}
			for i, want := range test.want {
				if got := r.Differences[i].String(); !strings.HasPrefix(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

// TestStaleRows compares with an index that was good before the last entries came: every difference is counted and few are kept.
func TestStaleRows(t *testing.T) {
	batches := rowtest.Sample(t, 900, 16)
	content := read(t, build(t, batches[:10]))
	r, err := compare(t, content, batches)
	if err != nil || len(r.Differences) != 100 {
		t.Fatalf("%d differences, %v", len(r.Differences), err)
	}
	if all := int64(len(r.Differences)) + r.More; all < 2*(900-160) || all > 3*1100 {
		t.Errorf("%d differences in all", all)
	}
}

// TestManyChains has many chains, each settled at once, and then all of them under way at the same time.
func TestManyChains(t *testing.T) {
	m := rowtest.New(t)
	m.Add(evidence.Head{Window: 1, Source: "http"}, rowtest.Window(evidence.Opened, ""))
	m.Cut()
	x := rowtest.Exchange(0, 1, 1, evidence.None)
	for round := range 2 {
		for chain := range int64(3000) {
			x.Chain = chain
			m.Add(evidence.Head{Window: 1, Source: "http", Method: "GET", Status: 429}, x)
			if chain%100 == 99 {
				m.Cut()
			}
		}
		batches := m.Batches()
		r, err := compare(t, read(t, build(t, batches)), batches)
		if err != nil || len(r.Differences)+len(r.Uncompared) != 0 {
			t.Errorf("round %d: %+v, %v", round, r, err)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, size := range []struct {
		name      string
		exchanges int
	}{{"60", 44}, {"10000", 8700}} {
		batches := rowtest.Sample(b, size.exchanges, 64)
		path := build(b, batches)
		last := batches[len(batches)-1]
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				file, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				info, err := file.Stat()
				if err != nil {
					b.Fatal(err)
				}
				f, err := boltread.Open(file, info.Size())
				if err != nil {
					b.Fatal(err)
				}
				c := row.NewComparer(f, inMemory(0))
				for _, batch := range batches {
					if err := c.Add(batch); err != nil {
						b.Fatal(err)
					}
				}
				if r := c.Finish(); len(r.Differences) != 0 {
					b.Fatal(r)
				}
				_ = file.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(last.First+last.Count), "ns/entry")
		})
	}
}

func BenchmarkApply(b *testing.B) {
	batches := rowtest.Sample(b, 8700, 64)
	for b.Loop() {
		l, err := ledger.Open(b.TempDir()+"/ledger.db", ledger.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(batches); i += 8 {
			if err := l.Apply(b.Context(), batches[i:min(i+8, len(batches))]); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	batches := rowtest.Sample(b, 8700, 64)
	for b.Loop() {
		if err := ledger.Build(b.Context(), b.TempDir()+"/ledger.db", rowtest.Each(batches)); err != nil {
			b.Fatal(err)
		}
	}
}
