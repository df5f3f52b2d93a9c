package ledger_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// misplaced is an index that answers otherwise where batches lie.
type misplaced struct {
	evidence.Index
	answer func(segment int64) ([]int64, error)
}

func (m misplaced) BatchOffsets(_ context.Context, segment int64) ([]int64, error) {
	return m.answer(segment)
}

// large makes a case of several segments, each large enough to be read ahead, with the index that wrap makes of a Ledger.
func large(t *testing.T, wrap func(*ledger.Ledger) evidence.Index) *sample.Maker {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { _ = l.Close() })
	m := sample.New(t, func(o *evidence.Options) { o.Index, o.SegmentSize, o.HeadEntries = wrap(l), 3<<20, 20 })
	none := int64(evidence.None)
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Connect()
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	noise, last := sample.Rand(7), none
	for page := range int64(60) {
		b := make([]byte, 60<<10)
		if _, err := io.ReadFull(noise, b); err != nil {
			t.Fatal(err)
		}
		last = m.Exchange(sample.Answer{Window: 1, Page: page + 1, Parent: last, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 122880", Body: hex.EncodeToString(b)})
	}
	m.Window(1, evidence.Window{State: evidence.Complete, User: "adele@contoso.example", Requests: 60, Pages: 60, Last: last})
	m.Operator(evidence.ActionRunStop, "finished")
	return m
}

// seal seals it and returns how often the index was built.
func seal(t *testing.T, m *sample.Maker) (built int, err error) {
	t.Helper()
	o := sample.SealOptions(t)
	build := o.Ledger
	o.Ledger = func(ctx context.Context, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) {
		built++
		return build(ctx, batches)
	}
	return built, m.W.Seal(t.Context(), o)
}

// TestSealByPlaces seals the same case with an index that knows where batches lie, and with ones that do not know or err: the index of the sealed case is the same, and the
// one made of all that the segments hold.
func TestSealByPlaces(t *testing.T) {
	right := func(l *ledger.Ledger) func(int64) ([]int64, error) {
		return func(n int64) ([]int64, error) { return l.BatchOffsets(t.Context(), n) }
	}
	for name, test := range map[string]struct {
		answer func(*ledger.Ledger) func(int64) ([]int64, error)
		built  int
	}{
		"right": {right, 1},
		"none": {func(*ledger.Ledger) func(int64) ([]int64, error) {
			return func(int64) ([]int64, error) { return nil, nil }
		}, 1},
		"unreadable": {func(*ledger.Ledger) func(int64) ([]int64, error) {
			return func(int64) ([]int64, error) { return nil, ledger.ErrUnreadable }
		}, 1},
		"one left out": {func(l *ledger.Ledger) func(int64) ([]int64, error) {
			return func(n int64) ([]int64, error) { at, err := right(l)(n); return append(at[:3:3], at[4:]...), err }
		}, 2},
		"the last left out": {func(l *ledger.Ledger) func(int64) ([]int64, error) {
			return func(n int64) ([]int64, error) { at, err := right(l)(n); return at[:len(at)-1], err }
		}, 2},
		"all of no frame": {func(*ledger.Ledger) func(int64) ([]int64, error) {
			return func(int64) ([]int64, error) { return []int64{1, 2, 3}, nil }
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := large(t, func(l *ledger.Ledger) evidence.Index { return misplaced{l, test.answer(l)} })
			built, err := seal(t, m)
			if err != nil || built != test.built {
				t.Fatalf("the index was built %d times, want %d: %v", built, test.built, err)
			}
			again := filepath.Join(t.TempDir(), "again.db")
			if err := ledger.Build(t.Context(), again, evidence.Batches(t.Context(), m.Folder.FS())); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(again)
			if got := m.Folder.Files()[evidence.LedgerPath]; err != nil || !bytes.Equal(got, want) {
				t.Errorf("the ledger of %d bytes is not the one of %d that the segments make, %v", len(got), len(want), err)
			}
			r, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{Deep: true})
			if err != nil || r.Exit() != 0 {
				t.Fatalf("the check: %v, %v", r.Findings, err)
			}
			if c != nil {
				_ = c.Close()
			}
		})
	}
}

// TestSealMeetsDamage alters a batch, whose seal then fails before the ledger is ended, and a record between batches: the seal does not look into that one again, and the check finds it.
func TestSealMeetsDamage(t *testing.T) {
	alter := func(m *sample.Maker, offset int64) {
		path := evidence.SegmentPath(1)
		b := bytes.Clone(m.Folder.Files()[path])
		b[offset] ^= 1
		m.Folder.Put(path, b)
	}
	var l *ledger.Ledger
	m := large(t, func(of *ledger.Ledger) evidence.Index { l = of; return of })
	at, err := l.BatchOffsets(t.Context(), 1)
	if err != nil || len(at) < 20 {
		t.Fatalf("%d batches, %v", len(at), err)
	}
	alter(m, at[10]+40)
	built, err := seal(t, m)
	var damage *evidence.Fault
	if built != 2 || !errors.As(err, &damage) || damage.Offset != at[10] {
		t.Errorf("an altered batch: built %d times, %v", built, err)
	}
	if s, err := evidence.NewSurvey(m.Folder.FS()); err != nil || evidence.IsSealed(m.Folder.FS()) {
		t.Errorf("sealed all the same: %v, %v", s, err)
	}

	m = large(t, func(of *ledger.Ledger) evidence.Index { l = of; return of })
	if at, err = l.BatchOffsets(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	alter(m, at[10]-100) // the end of the record before it
	if built, err := seal(t, m); err != nil || built != 1 {
		t.Errorf("an altered record: built %d times, %v", built, err)
	}
	if r, _, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{}); err != nil || r.Exit() != verify.ExitDamaged {
		t.Errorf("the check of an altered record: %v", err)
	}
}
