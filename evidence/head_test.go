package evidence_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// TestHeadsAreDue counts heads by entries and by the clock, which moves one millisecond at each look.
func TestHeadsAreDue(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*evidence.Options)
		least  int
		most   int
	}{
		"neither":      {func(o *evidence.Options) {}, 1, 1}, // at the stop
		"by entries":   {func(o *evidence.Options) { o.HeadEntries = 5 }, 4, 6},
		"by the clock": {func(o *evidence.Options) { o.HeadEvery = 10 * time.Millisecond }, 3, 20},
	} {
		m := sample.New(t, c.change)
		for range 20 {
			m.Operator(evidence.ActionNote, "x")
		}
		m.Close()
		s, err := evidence.NewSurvey(m.Folder.FS())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Notes) < c.least || len(s.Notes) > c.most {
			t.Errorf("%s: %d heads, want %d to %d", name, len(s.Notes), c.least, c.most)
		}
	}
}

// TestHeadIsDueInTime: an entry waits no longer than HeadEvery for a head, wherever in that time it comes, and whatever was done to the clock that stamps it.
func TestHeadIsDueInTime(t *testing.T) {
	for _, set := range []time.Duration{0, -10 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		for _, after := range []time.Duration{time.Second, 59 * time.Second, 61 * time.Second, time.Hour + 30*time.Second} {
			synctest.Test(t, func(t *testing.T) {
				jump := time.Duration(0)
				m := sample.New(t, func(o *evidence.Options) { o.Now = func() time.Time { return time.Now().Add(jump) } })
				notes := func() int {
					s, err := evidence.NewSurvey(m.Folder.FS())
					if err != nil {
						t.Fatal(err)
					}
					return len(s.Notes)
				}
				time.Sleep(7 * time.Second)
				if err := m.W.Head(t.Context()); err != nil { // amid what a timer since the start would measure
					t.Fatal(err)
				}
				jump = set
				before := notes()
				time.Sleep(after)
				m.Operator(evidence.ActionNote, "x")
				time.Sleep(max(0, time.Minute-after) + time.Millisecond)
				if n := notes(); n != before+1 {
					t.Errorf("clock set by %v, entry %v after a head: %d more heads a minute after that one, want 1", set, after, n-before)
				}
				m.Close()
			})
		}
	}
}

// TestNoHeadOverCheckpointsAlone opens and closes a case again and again: nothing is added, so nothing is signed.
func TestNoHeadOverCheckpointsAlone(t *testing.T) {
	ctx := context.Background()
	m := sample.Small(t)
	m.Close()
	before := len(m.Folder.Files())
	for range 3 {
		w, _, err := reopen(ctx, t, m.Folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if after := len(m.Folder.Files()); after != before {
		t.Errorf("%d files, %d before", after, before)
	}
}
