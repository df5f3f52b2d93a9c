package acquire

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestSlots: no more than n on the wire, no more than maxUnsynced and one answer waiting for the disk, and who waits goes away with the context.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(2)
		ctx, cancel := context.WithCancel(t.Context())
		a, b := s.take(ctx), s.take(ctx)
		got := make(chan *slot)
		ask := func() { go func() { got <- s.take(ctx) }() }
		waits := func(when string) {
			t.Helper()
			synctest.Wait()
			select {
			case <-got:
				t.Fatalf("a slot was given %s", when)
			default:
			}
		}
		ask()
		waits("while two requests are on the wire")
		a.answered(maxUnsynced)
		waits("while too much waits for the disk")
		a.release()
		c := <-got
		ask()
		waits("while two requests are on the wire")
		b.answered(1000)
		d := <-got
		ask()
		waits("while two requests are on the wire")
		c.release() // never answered: the request could not be sent
		e := <-got
		ask()
		waits("while two requests are on the wire")
		cancel()
		if <-got != nil {
			t.Error("a slot was given after the end")
		}
		for _, x := range []*slot{b, d, e} {
			x.release()
		}
		if s.free != 2 || s.unsynced != 0 {
			t.Errorf("%d slots free, %d bytes waiting, want 2 and 0", s.free, s.unsynced)
		}
	})
}
