package acquire_test

import (
	"context"
	"errors"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// stamper is called by a run.
type stamper func(context.Context) error

func (f stamper) Stamp(ctx context.Context) error { return f(ctx) }

// TestStampsHoldNothingUp has an authority silent until the whole window is acquired and closed.
func TestStampsHoldNothingUp(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	over := make(chan struct{})
	calls := 0
	res, err := b.acquire(func(o *acquire.Options) {
		o.Stamps = stamper(func(context.Context) error {
			if calls++; calls == 1 {
				<-over
			}
			return nil
		})
		o.Progress = func(e acquire.Event) {
			if e.Kind == acquire.EventWindow && e.Result.State != evidence.Opened {
				close(over)
			}
		}
	}, "page-size", "1000")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if calls != 2 {
		t.Errorf("asked %d times, want at the opening and at the stop", calls)
	}
}

// TestStampsFail ends a run whose ledger cannot take a token in, and no other.
func TestStampsFail(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	broken := errors.New("disk is full")
	_, err := b.acquire(func(o *acquire.Options) {
		o.Stamps = stamper(func(context.Context) error { return broken })
	}, "page-size", "1000")
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
