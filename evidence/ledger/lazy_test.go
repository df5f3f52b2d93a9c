package ledger_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is an index that says when it is asked and answers when it is told to.
type gate struct {
	asked  chan int // batches of each Apply
	answer chan error
}

func newGate() *gate { return &gate{make(chan int), make(chan error)} }

func (g *gate) Position(context.Context) (evidence.Position, error) {
	return evidence.Position{Batch: 7}, nil
}

func (g *gate) Apply(_ context.Context, batches []*evidence.Batch) error {
	g.asked <- len(batches)
	return <-g.answer
}

func TestLazyGathers(t *testing.T) {
	g := newGate()
	z := ledger.NewLazy(g)
	batches := rowtest.Sample(t, 40, 5)
	for i := range 6 {
		if err := z.Apply(t.Context(), batches[i:i+1]); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if n := <-g.asked; n != 1 { // from here on it is busy, and Apply must return all the same
				t.Fatalf("first commit of %d batches", n)
			}
		}
	}
	if p, err := z.Position(t.Context()); err != nil || p.Batch != 7 {
		t.Errorf("position %+v, %v", p, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := z.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("flush of a busy index: %v", err)
	}
	g.answer <- nil
	if n := <-g.asked; n != 5 {
		t.Errorf("second commit of %d batches, want the 5 that waited", n)
	}
	g.answer <- nil
	if err := z.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	if err := z.Apply(t.Context(), batches[6:7]); err == nil {
		t.Error("a closed index takes batches")
	}
}

func TestLazyIsBounded(t *testing.T) {
	g := newGate()
	z := ledger.NewLazy(g)
	m := rowtest.New(t)
	text := make([]byte, 60_000)
	for i := range text {
		text[i] = 'x'
	}
	for range 100 {
		m.Add(evidence.Head{}, &evidence.Operator{Action: "note", Text: string(text), Fields: []evidence.Pair{}})
	}
	m.Cut()
	big := m.Batches()
	for range 2 { // 6 MB each
		if err := z.Apply(t.Context(), big); err != nil {
			t.Fatal(err)
		}
	}
	<-g.asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := z.Apply(ctx, big); !errors.Is(err, context.Canceled) {
		t.Errorf("18 MB wait: %v", err)
	}
	done := make(chan error)
	go func() { done <- z.Close() }()
	for open := true; open; {
		select {
		case g.answer <- nil:
		case <-g.asked:
		case err := <-done:
			open = false
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLazyFails(t *testing.T) {
	g := newGate()
	z := ledger.NewLazy(g)
	batches := rowtest.Sample(t, 40, 5)
	if err := z.Apply(t.Context(), batches[:1]); err != nil {
		t.Fatal(err)
	}
	<-g.asked
	if err := z.Apply(t.Context(), batches[1:2]); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk is full")
	g.answer <- full
	for name, err := range map[string]error{"flush": z.Flush(t.Context()), "apply": z.Apply(t.Context(), batches[2:3]), "close": z.Close()} {
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := z.Position(t.Context()); !errors.Is(err, full) {
		t.Errorf("position: %v", err)
	}
}

func TestLazyOverLedger(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	batches := rowtest.Sample(t, 500, 10)
	z := ledger.NewLazy(l)
	for _, b := range batches {
		if err := z.Apply(t.Context(), []*evidence.Batch{b}); err != nil {
			t.Fatal(err)
		}
		if p, err := z.Position(t.Context()); err != nil || p.Batch > b.Batch {
			t.Fatalf("position %+v, %v, after batch %d", p, err, b.Batch)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Position(t.Context()); err != nil || p != evidence.PositionOf(batches[len(batches)-1]) {
		t.Errorf("position %+v, %v", p, err)
	}
}
