package row

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

// cursorsOnly writes the rows of cursors of batches and nothing else.
func cursorsOnly(t *testing.T, batches []*evidence.Batch) *boltread.File {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "rows.db"), 0o600, &bolt.Options{PageSize: boltread.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[[16]byte]*Cursor{}
	for _, b := range batches {
		for _, e := range b.Entries {
			if x, ok := e.Body.(*evidence.Exchange); ok {
				k := CursorKey(e.Head.Window, x.Chain)
				rows[k] = FoldCursor(rows[k], e)
			}
		}
	}
	var out bytes.Buffer
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte(Cursors))
		for k, c := range rows {
			v, err2 := c.Append(nil)
			err = errors.Join(err, err2, b.Put(k[:], v))
		}
		return err
	})
	err = errors.Join(err, db.View(func(tx *bolt.Tx) error { _, err := tx.WriteTo(&out); return err }), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	f, err := boltread.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestBudget has 500 chains under way at once. With memory for fewer, the others are sorted; where that fails, the bucket is given up and said to be: never called different.
func TestBudget(t *testing.T) {
	m := rowtest.New(t)
	for range 2 {
		for chain := range int64(500) {
			m.Add(evidence.Head{Window: 1, Method: "GET", Status: 200}, rowtest.Exchange(chain, 1, 1, evidence.None))
		}
		m.Cut()
	}
	f := cursorsOnly(t, m.Batches())
	full := errors.New("no room")
	for _, test := range []struct {
		memory          int64
		fail            error
		rows            int // that are sorted before it fails
		spilled, gaveUp bool
	}{
		{0, full, 0, false, false}, {500 * 200, full, 0, false, false}, {400 * 200, nil, 0, true, false}, {1, nil, 0, true, false},
		{400 * 200, full, 0, true, true}, {400 * 200, full, 450, true, true}, {1, full, 999, true, true}, {1, full, 1000, true, false},
	} {
		c := NewComparer(f, Options{Memory: test.memory, Sorter: func() Sorter { return &rowtest.Sorter{Fail: test.fail, Rows: test.rows} }})
		var most int64
		for _, b := range m.Batches() {
			if err := c.Add(b); err != nil {
				t.Fatal(err)
			}
			most = max(most, c.cursors.used)
		}
		r := c.Finish()
		for _, d := range r.Differences {
			if d.Bucket == Cursors {
				t.Errorf("%+v: %v", test, d)
			}
		}
		if gaveUp := slices.Equal(r.Uncompared, []Uncompared{{Cursors, full}}); gaveUp != test.gaveUp || len(r.Uncompared) > 0 && !gaveUp || (c.cursors.sorter != nil) != test.spilled {
			t.Errorf("%+v: spilled %v, not compared %v", test, c.cursors.sorter != nil, r.Uncompared)
		}
		if c.cursors.used != 0 && !test.gaveUp || len(c.cursors.live) != 0 || most > max(500*200, test.memory) {
			t.Errorf("%+v: %d bytes at most, %d left", test, most, c.cursors.used)
		}
	}
}
