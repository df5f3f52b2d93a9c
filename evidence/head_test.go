package evidence_test

import (
	"context"
	"testing"
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
