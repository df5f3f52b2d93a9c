package acquire_test

import (
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestPageWithDefect: a page is taken with what is wrong with it, and the run ends before it has the next one. Where it had not asked for that, the next run asks for the page again, and the
// answer stands in its stead. Where it had, nothing can stand in its stead any more: the run goes on, and the window says what is missing. In no case is a page there twice.
func TestPageWithDefect(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestPageWithDefect (-short)")
	}
	for _, c := range []struct {
		faults        string
		pages         int64 // of the first run; 0 for as many as it can take
		state, reason string
		window        int64
		asked         int64 // by the second run
	}{
		{"errorrow@3-5", 3, evidence.Complete, "", 1, 4},
		{"errorrow@3-5,500@6-13", 0, evidence.Partial, acquire.ReasonErrorRow, 1, 3},
		{"errorrow@3-5,500@6-14", 0, evidence.Partial, acquire.ReasonErrorRow, 1, 4}, // and the first attempt of the second run
		{"repeat@3-5", 3, evidence.Complete, "", 1, 4},
		{"repeat@3-5,500@6-13", 0, evidence.Partial, acquire.ReasonRepeatedPage, 1, 3},
	} {
		b := newBench(t, c.faults, simtenant.Options{Seed: 3})
		if res, err := b.acquire(func(o *acquire.Options) { o.MaxPages = c.pages }, "page-size", "500"); err != nil || res.State != evidence.Partial || res.Pages != 3 {
			t.Fatalf("%s: %+v, %v", c.faults, res, err)
		}
		res, err := b.acquire(nil, "page-size", "500")
		if err != nil {
			t.Fatal(err)
		}
		closed(t, b.files(), res, c.state, c.reason)
		want := int64(len(b.oracle(simtenant.Owner)))
		if c.reason == acquire.ReasonErrorRow {
			want++ // the error counts as a row
		}
		if res.Window != c.window || res.Asked != c.asked || res.Records != want {
			t.Errorf("%s: window %d, %d asked, %d records; want %d, %d and %d", c.faults, res.Window, res.Asked, res.Records, c.window, c.asked, want)
		}
		if _, pages := read(t, b.files()); len(pages) != int(res.Pages) {
			t.Errorf("%s: %d pages are told and %d are there", c.faults, res.Pages, len(pages))
		}
	}
}
