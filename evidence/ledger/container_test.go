package ledger_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// TestBehindAWriter lets a Writer feed an index, and compares it with what a reader of the segments finds: the places of records
// and the entries must be the same from both.
func TestBehindAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	z := ledger.NewLazy(l)
	m := sample.New(t, func(o *evidence.Options) { o.Index, o.SegmentSize, o.HeadEntries = z, 6000, 7 })
	none := int64(evidence.None)
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Connect()
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	last := none
	for page := range int64(30) {
		last = m.Exchange(sample.Answer{Window: 1, Page: page + 1, Parent: last, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`})
	}
	m.Window(1, evidence.Window{State: evidence.Complete, Requests: 30, Pages: 30, Last: last})
	m.Operator(evidence.ActionRunStop, "finished")
	m.Close()
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Progress(1, 0); err != nil || p.Taken == nil || p.Taken.Seq != last || p.Requests != 30 {
		t.Errorf("progress %+v, %v", p, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "built.db")
	if err := ledger.Build(t.Context(), built, evidence.Batches(t.Context(), m.Folder.FS())); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, built} {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		f, err := boltread.Open(file, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		c := row.NewComparer(f, inMemory(0))
		segments := int64(0)
		for b, err := range evidence.Batches(t.Context(), m.Folder.FS()) {
			if err == nil {
				err = c.Add(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			segments = b.Segment
		}
		r := c.Finish()
		if path != built { // of an open case: it has the bucket of places besides
			r.Differences = slices.DeleteFunc(r.Differences, func(d row.Difference) bool { return d.Bucket == "places" })
		}
		if len(r.Differences)+len(r.Uncompared) != 0 || segments < 2 {
			t.Errorf("%s over %d segments: %+v", filepath.Base(path), segments, r)
		}
	}
}
