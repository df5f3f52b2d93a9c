package acquire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// flagged are the pages whose request says that rows had moved on the page before.
func (b *bench) flagged(window int64) (pages []int64) {
	b.t.Helper()
	entries, _ := read(b.t, b.files())
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && e.Head.Window == window && strings.Contains(strings.Join(x.Flags, " "), "after-moved-rows") {
			pages = append(pages, x.Page)
		}
	}
	return pages
}

// TestMovedAcrossRuns: rows arrive while the window is asked for in several runs, and between two of them. Whether an earlier run saw it, or only this one can, and whatever lies between both
// pages, the window is partial for it. Ids and order of the rows are the service's own.
func TestMovedAcrossRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestMovedAcrossRuns (-short)")
	}
	for name, c := range map[string]struct {
		faults string
		pages  []int64 // taken by the runs before the last
		want   string  // what the window says
	}{
		"seen by the first run":       {"early@2:3", []int64{3}, "page 2, as an earlier run noted"},
		"between two runs":            {"early@3:3", []int64{2}, "page 3 has 3 of the rows of the page before"},
		"more than a page, between":   {"early@3:1000", []int64{2}, "page 3 begins before the end of the page before"},
		"behind an empty page":        {"empty200@3,early@4:3", nil, "page 4 has 3 of the rows of the page before"},
		"behind one, and between":     {"empty200@3,early@4:3", []int64{3}, "page 4 has 3 of the rows of the page before"},
		"behind two, and between":     {"empty200@3,empty200@4,early@5:3", []int64{4}, "page 5 has 3 of the rows of the page before"},
		"the last page, taken before": {"early@4:3", []int64{4, 1}, "as an earlier run noted"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.faults, simtenant.Options{Seed: 3})
			flags := []string{"page-size", "500"}
			for _, n := range c.pages {
				res, err := b.acquire(func(o *acquire.Options) { o.MaxPages = n }, flags...)
				if err != nil {
					t.Fatal(err)
				}
				closed(t, b.files(), res, evidence.Partial, acquire.ReasonPageBudget)
			}
			res, err := b.acquire(nil, flags...)
			if err != nil {
				t.Fatal(err)
			}
			closed(t, b.files(), res, evidence.Partial, acquire.ReasonMovedRows)
			if res.Window != 1 || !strings.Contains(res.Text, c.want) {
				t.Errorf("window %d: %s", res.Window, res.Text)
			}
			if res, err = b.acquire(nil, flags...); err != nil || res.Window != 2 {
				t.Fatalf("the same again: %+v, %v", res, err)
			}
			closed(t, b.files(), res, evidence.Complete, "")
			if n := int64(len(b.oracle(simtenant.Owner))); res.Records > n {
				t.Errorf("%d records in a window of %d", res.Records, n)
			}
		})
	}
}

// TestMovedAgain: as long as rows arrive behind each run, the same is asked five times and no more, the window says that it is partial, and the same acquisition goes on in the next one. The bounds
// stay those of the first, also where no end was given.
func TestMovedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestMovedAgain (-short)")
	}
	b := newBench(t, "late@2-40:3", simtenant.Options{Seed: 3})
	endless := func(o *acquire.Options) { delete(o.Params.Values, "end") }
	windows := b.still(endless, "page-size", "500")
	if len(windows) != 5 || acquire.MostPasses != 5 {
		t.Fatalf("%d windows", len(windows))
	}
	if err := b.clock.wait(t.Context(), 48*time.Hour); err != nil {
		t.Fatal(err)
	}
	windows = append(windows, b.still(endless, "page-size", "500")...)
	for i, w := range windows {
		state, reason := evidence.Partial, acquire.ReasonMovedRows
		if i == len(windows)-1 {
			state, reason = evidence.Complete, ""
		}
		closed(t, b.files(), w, state, reason)
		if w.Window != int64(i+1) || w.To != windows[0].To || w.From != windows[0].From {
			t.Errorf("window %d of %s to %s, the first of %s to %s", w.Window, w.From, w.To, windows[0].From, windows[0].To)
		}
	}
	if len(windows) < 6 || len(b.flagged(1)) == 0 {
		t.Errorf("%d windows, flagged %v", len(windows), b.flagged(1))
	}
	again, err := b.acquire(endless, "page-size", "500")
	if err != nil || !again.Finished || again.Asked != 0 {
		t.Errorf("once it is complete: %+v, %v", again, err)
	}
}

// TestMovedOnce: with a budget, or where the run is to stop, one window is all.
func TestMovedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestMovedOnce (-short)")
	}
	for name, change := range map[string]func(*acquire.Options){
		"bytes": func(o *acquire.Options) { o.MaxBytes = 1 << 30 },
		"time":  func(o *acquire.Options) { o.MaxTime = time.Hour },
		"stop": func(o *acquire.Options) {
			stop := make(chan struct{})
			o.Stop, o.Progress = stop, func(e acquire.Event) {
				if e.Kind == acquire.EventWindow && e.Result.State == evidence.Partial {
					close(stop)
				}
			}
		},
	} {
		b := newBench(t, "early@2:3", simtenant.Options{Seed: 3})
		windows := b.still(change, "page-size", "500")
		if len(windows) != 1 {
			t.Fatalf("%s: %d windows", name, len(windows))
		}
		closed(t, b.files(), windows[0], evidence.Partial, acquire.ReasonMovedRows)
		if windows = b.still(nil, "page-size", "500"); len(windows) != 1 || windows[0].Window != 2 {
			t.Errorf("%s: then %+v", name, windows[0])
		}
	}
}

// TestMovedByAPage: as many rows as a page has arrive behind the run, so that a page has the rows of the one before, however often it is asked for. No page can be told from one of a service that
// repeats itself, so that of either the same is asked again, at once or by the next command, and the end is complete.
func TestMovedByAPage(t *testing.T) {
	for _, faults := range []string{"early@3:500", "repeat@3-5"} {
		for _, once := range []bool{false, true} {
			b := newBench(t, faults, simtenant.Options{Seed: 3})
			windows := b.still(func(o *acquire.Options) {
				if once {
					o.MaxBytes = 1 << 30
				}
			}, "page-size", "500")
			if once && len(windows) == 1 {
				windows = append(windows, b.still(nil, "page-size", "500")...)
			}
			if len(windows) != 2 {
				t.Fatalf("%s, at once %v: %d windows, %+v", faults, !once, len(windows), windows[0])
			}
			closed(t, b.files(), windows[0], evidence.Partial, acquire.ReasonRepeatedPage)
			closed(t, b.files(), windows[1], evidence.Complete, "")
			if n := int64(len(b.oracle(simtenant.Owner))); windows[1].Window != 2 || windows[1].Records > n {
				t.Errorf("%s: window %d, %d records of %d", faults, windows[1].Window, windows[1].Records, n)
			}
		}
	}
}

// TestStayed: rows that came twice for another reason, or arrived ahead, are no rows that moved.
func TestStayed(t *testing.T) {
	for faults, reason := range map[string]string{"arrive@3:5": "", "repeat@3": "", "empty200@3": "", "badjson@3,arrive@4:9": ""} {
		b := newBench(t, faults, simtenant.Options{Seed: 3})
		windows := b.still(nil, "page-size", "500")
		if len(windows) != 1 || windows[0].Reason != reason || len(b.flagged(1)) != 0 {
			t.Errorf("%s: %d windows, %q, %v", faults, len(windows), windows[0].Reason, b.flagged(1))
		}
	}
}
