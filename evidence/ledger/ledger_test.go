package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func build(t testing.TB, batches []*evidence.Batch) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := ledger.Build(t.Context(), path, rowtest.Each(batches)); err != nil {
		t.Fatal(err)
	}
	return path
}

// compare runs the comparison that a verifier runs: with memory for all rows, and with memory for one, so that the others are sorted. Both must find the same.
func compare(t testing.TB, content []byte, batches []*evidence.Batch) (row.Result, error) {
	t.Helper()
	f, err := boltread.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return row.Result{}, err
	}
	var results [2]row.Result
	for i, memory := range []int64{0, 1} {
		if i > 0 && testing.Short() {
			return results[0], nil // NOT TESTED with -short: rows that are sorted
		}
		c := row.NewComparer(f, inMemory(memory))
		for _, b := range batches {
			if err := c.Add(b); err != nil {
				t.Fatal(err)
			}
		}
		results[i] = c.Finish()
	}
	if a, b := found(results[0]), found(results[1]); !slices.Equal(a, b) {
		t.Errorf("rows that are sorted differ otherwise:\n%q, not\n%q", b, a)
	}
	return results[0], nil
}

// inMemory are options of a comparison whose folded rows may take so many bytes.
func inMemory(memory int64) row.Options {
	return row.Options{Memory: memory, Sorter: func() row.Sorter { return &rowtest.Sorter{} }}
}

// found is what a comparison found, in an order of its own; of more than it lists, how much.
func found(r row.Result) (texts []string) {
	if r.More > 0 {
		return []string{fmt.Sprint(int64(len(r.Differences)) + r.More), fmt.Sprint(r.Uncompared)}
	}
	for _, d := range r.Differences {
		texts = append(texts, d.String())
	}
	slices.Sort(texts)
	return append(texts, fmt.Sprint(r.Uncompared))
}

// compareOpen compares the index of an open case, which has the bucket of places besides.
func compareOpen(t testing.TB, content []byte, batches []*evidence.Batch) (row.Result, error) {
	t.Helper()
	r, err := compare(t, content, batches)
	n := len(r.Differences)
	r.Differences = slices.DeleteFunc(r.Differences, func(d row.Difference) bool { return d == row.Difference{Bucket: "places", What: "unknown bucket"} })
	if err == nil && n != len(r.Differences)+1 {
		t.Errorf("the index of an open case has no bucket of places")
	}
	return r, err
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestApplyFollowsThePosition(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	if p, err := l.Position(ctx); err != nil || p != (evidence.Position{}) {
		t.Fatalf("new index at %+v, %v", p, err)
	}
	batches := rowtest.Sample(t, 60, 5)
	if err := l.Apply(ctx, batches[:4]); err != nil {
		t.Fatal(err)
	}
	want := evidence.Position{Batch: 4, Entries: 20, Segment: 1, Offset: batches[3].End, Hash: batches[3].Hash}
	other := *batches[4]
	other.Case = "ffffffffffffffffffffffffffffffff"
	broken := *batches[4]
	broken.Prev = rowtest.Hash("another")
	short := *batches[4]
	short.Entries = short.Entries[1:]
	for name, bad := range map[string][]*evidence.Batch{
		"covered":       batches[3:5],
		"hole":          batches[5:6],
		"hole inside":   {batches[4], batches[6]},
		"other case":    {&other},
		"other history": {&broken},
		"entry missing": {&short},
	} {
		if err := l.Apply(ctx, bad); !errors.Is(err, ledger.ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
		if p, err := l.Position(ctx); err != nil || p != want {
			t.Errorf("%s: position %+v, %v; want %+v", name, p, err, want)
		}
	}
	if err := l.Apply(ctx, batches[4:]); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	if p, err := l.Position(ctx); err != nil || p != evidence.PositionOf(batches[len(batches)-1]) {
		t.Errorf("after opening again at %+v, %v", p, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if r, err := compareOpen(t, read(t, path), batches); err != nil || len(r.Differences)+len(r.Uncompared) != 0 {
		t.Errorf("compared with the batches: %+v, %v", r, err)
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	batches := rowtest.Sample(t, 20, 5)
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	entry := batches[2].Entries[1]
	located := entry.Located
	entry.Located = nil
	if err := l.Apply(t.Context(), batches); err == nil {
		t.Fatal("an exchange without the place of its records was taken in")
	}
	if v, err := l.Entry(0); v != nil || err != nil {
		t.Errorf("entry 0 of a failed Apply: %q, %v", v, err)
	}
	entry.Located = located
	if err := l.Apply(t.Context(), batches); err != nil {
		t.Error(err)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	open(t, path)
	if _, err := ledger.Open(path, ledger.Options{Timeout: time.Millisecond}); !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("second opening: %v", err)
	}
}

// TestUnreadable damages an index in ways of which most kill a process that hands the file to bbolt.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.db")
	l := open(t, whole)
	batches := rowtest.Sample(t, 300, 16)
	if err := l.Apply(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	good := read(t, whole)
	root := int(good[4096+16+16]) // of the second meta page
	for name, damage := range map[string]func(b []byte) []byte{
		"cut in the meta pages": func(b []byte) []byte { return b[:5000] },
		"cut":                   func(b []byte) []byte { return b[:9*4096+100] },
		"no bolt":               func([]byte) []byte { return bytes.Repeat([]byte("no bolt "), 4096) },
		"both metas":            func(b []byte) []byte { b[20] ^= 1; b[4096+20] ^= 1; return b },
		"root page":             func(b []byte) []byte { copy(b[root*4096:], make([]byte, 4096)); return b },
		"all but the metas":     func(b []byte) []byte { return append(b[:8192], bytes.Repeat([]byte{0xFF}, len(b)-8192)...) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			if err := os.WriteFile(path, damage(bytes.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			if l, err := ledger.Open(path, ledger.Options{}); !errors.Is(err, ledger.ErrUnreadable) {
				t.Fatalf("opened %v: %v", l, err)
			}
			if err := ledger.Build(t.Context(), path, rowtest.Each(batches)); err != nil {
				t.Fatal(err)
			}
			if p, err := open(t, path).Position(t.Context()); err != nil || p != evidence.PositionOf(batches[len(batches)-1]) {
				t.Errorf("built again at %+v, %v", p, err)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		if _, err := ledger.Open(t.TempDir(), ledger.Options{}); !errors.Is(err, ledger.ErrUnreadable) {
			t.Error(err)
		}
	})
	t.Run("other format", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "other.db")
		db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 4096})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error {
			for _, name := range row.Buckets() {
				if _, err := tx.CreateBucket([]byte(name)); err != nil {
					return err
				}
			}
			return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("exhibit-ledger/2"))
		})
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(path, ledger.Options{}); !errors.Is(err, ledger.ErrUnreadable) {
			t.Error(err)
		}
	})
	t.Run("empty", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := open(t, path).Position(t.Context()); err != nil || p.Batch != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestBuildIsReproducible(t *testing.T) {
	batches := rowtest.Sample(t, 9000, 100)
	first := read(t, build(t, batches))
	for range 3 {
		if !bytes.Equal(first, read(t, build(t, batches))) {
			t.Fatal("the same batches gave another file")
		}
	}
	// The same entries in other batches differ in the position alone: the transactions are cut by entries.
	small := rowtest.Sample(t, 9000, 100)
	last := small[len(small)-1]
	merged := *small[len(small)-2]
	merged.Entries = append(slices.Clone(merged.Entries), last.Entries...)
	merged.Count += last.Count
	merged.Hash, merged.End = last.Hash, last.End
	regrouped := append(slices.Clone(small[:len(small)-2]), &merged)
	if p, q := totals(regrouped).Position, totals(batches).Position; p.Batch != q.Batch-1 || p.Entries != q.Entries {
		t.Fatalf("regrouping gave %+v", p)
	}
	other := read(t, build(t, regrouped))
	pages := 0
	for at := 0; at < len(first); at += boltread.PageSize {
		if len(other) != len(first) || !bytes.Equal(first[at:at+boltread.PageSize], other[at:at+boltread.PageSize]) {
			pages++
		}
	}
	if pages != 1 {
		t.Errorf("%d pages differ after regrouping, want the one that has the position", pages)
	}
	if r, err := compare(t, first, batches); err != nil || len(r.Differences)+len(r.Uncompared) != 0 {
		t.Errorf("compared with the batches: %+v, %v", r, err)
	}
}

func totals(batches []*evidence.Batch) (t row.Totals) {
	for _, b := range batches {
		t.Add(b)
	}
	return t
}

func TestBuildLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	for _, name := range []string{"ledger.db", "ledger.db.new", "ledger.db.rows"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	batches := rowtest.Sample(t, 10, 4)
	broken := errors.New("segment is damaged")
	err := ledger.Build(t.Context(), path, func(yield func(*evidence.Batch, error) bool) {
		_ = yield(batches[0], nil) && yield(nil, broken)
	})
	if !errors.Is(err, broken) || string(read(t, path)) != "before" {
		t.Errorf("failed build: %v, file %q", err, read(t, path))
	}
	if err := ledger.Build(t.Context(), path, rowtest.Each(batches[1:])); !errors.Is(err, ledger.ErrOrder) {
		t.Errorf("build from batch 2: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ledger.Build(ctx, path, rowtest.Each(batches)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled build: %v", err)
	}
	if err := ledger.Build(t.Context(), path, rowtest.Each(batches)); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 || names[0].Name() != "ledger.db" {
		t.Errorf("files left: %v, %v", names, err)
	}
}

// TestGuard damages a page in the middle of a file that is too large to be checked whole, so that bbolt meets it: it panics, and the caller
// gets an error.
func TestGuard(t *testing.T) {
	path := build(t, rowtest.Sample(t, 3000, 100))
	content := read(t, path)
	f, err := boltread.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Bucket(row.Exchanges)
	if err != nil {
		t.Fatal(err)
	}
	c := b.Cursor()
	k := row.Key(1500)
	if !c.Seek(k[:]) {
		t.Fatal("no exchange 1500")
	}
	page := bytes.Index(content, c.Value()) / boltread.PageSize * boltread.PageSize
	clear(content[page : page+boltread.PageSize])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(path, ledger.Options{}); !errors.Is(err, ledger.ErrUnreadable) {
		t.Errorf("checked whole: %v", err)
	}
	l, err := ledger.Open(path, ledger.Options{CheckLimit: 1})
	if err != nil {
		t.Fatalf("checked at the edges: %v", err)
	}
	defer func() { _ = l.Close() }()
	n := 0
	for _, err = range l.Exchanges(1, 0) {
		n++
	}
	if !errors.Is(err, ledger.ErrUnreadable) || n < 500 {
		t.Errorf("after %d exchanges: %v", n, err)
	}
	if p, err := l.Position(t.Context()); err != nil || p.Entries < 3000 {
		t.Errorf("the rest: %+v, %v", p, err)
	}
}
