package ledger_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

func TestQueries(t *testing.T) {
	batches := rowtest.Sample(t, 1000, 64)
	l := open(t, build(t, batches))
	var all []*evidence.Entry
	for _, b := range batches {
		all = append(all, b.Entries...)
	}
	for _, e := range all {
		if line, err := l.Entry(e.Head.Seq); err != nil || string(line) != string(e.HeadLine) {
			t.Fatalf("entry %d: %q, %v", e.Head.Seq, line, err)
		}
	}
	if line, err := l.Entry(int64(len(all))); line != nil || err != nil {
		t.Errorf("entry behind the last: %q, %v", line, err)
	}
	checkExchanges(t, l, all)
	checkLog(t, l, all)
	var states []string
	for w, err := range l.Windows() {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, fmt.Sprintf("%d %s %s", w.Window, w.State, w.Reason))
	}
	if want := []string{"1 complete ", "2 partial throttled"}; !slices.Equal(states, want) {
		t.Errorf("windows %q, want %q", states, want)
	}
	if w, err := l.Window(3); w != nil || err != nil {
		t.Errorf("window 3: %+v, %v", w, err)
	}
	counts := map[string]int64{}
	for _, e := range all {
		if e.Head.Kind == "oracle" {
			counts["other"]++
		} else {
			counts[e.Head.Kind]++
		}
	}
	got, err := l.Totals()
	if err != nil || got.Case != rowtest.CaseID {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range got.Counts() {
		if c.Count != counts[c.Kind] {
			t.Errorf("%d of kind %s, want %d", c.Count, c.Kind, counts[c.Kind])
		}
	}
}

func checkExchanges(t *testing.T, l *ledger.Ledger, all []*evidence.Entry) {
	t.Helper()
	for _, from := range []int64{0, 17, 800, 5000} {
		for window := int64(1); window <= 3; window++ {
			var want, got []int64
			for _, e := range all {
				if e.Head.Kind == evidence.KindExchange && e.Head.Window == window && e.Head.Seq >= from {
					want = append(want, e.Head.Seq)
				}
			}
			for x, err := range l.Exchanges(window, from) {
				if err != nil {
					t.Fatal(err)
				}
				e := all[x.Seq]
				r := x.Record(warc.Response)
				if x.URL != e.Body.(*evidence.Exchange).URL || r == nil || r.Block != e.Detail.Records[1].Block || r.Offset != e.Located[1].Offset ||
					x.Record(warc.Resource) != nil {
					t.Fatalf("exchange %d: %+v", x.Seq, x)
				}
				got = append(got, x.Seq)
			}
			if !slices.Equal(got, want) {
				t.Errorf("exchanges of window %d from %d: %d, want %d", window, from, len(got), len(want))
			}
		}
	}
}

func checkLog(t *testing.T, l *ledger.Ledger, all []*evidence.Entry) {
	t.Helper()
	read := func(q ledger.LogQuery) (kinds []string) {
		for e, err := range l.Log(q) {
			if err != nil {
				t.Fatal(err)
			}
			if string(e.Body) != string(all[e.Seq].Detail.Body) || e.Run != rowtest.Run {
				t.Errorf("log of %d: %+v", e.Seq, e)
			}
			kinds = append(kinds, e.Kind)
		}
		return kinds
	}
	whole := []string{"case", "operator", "window", "window", "gap", "checkpoint", "window", "window", "seal"}
	if got := read(ledger.LogQuery{}); !slices.Equal(got, whole) {
		t.Errorf("log %q, want %q", got, whole)
	}
	if got := read(ledger.LogQuery{From: 1, To: 10}); !slices.Equal(got, whole[1:4]) {
		t.Errorf("log from 1 to 10: %q", got)
	}
	if got := read(ledger.LogQuery{Kinds: []string{"gap", "seal"}}); !slices.Equal(got, []string{"gap", "seal"}) {
		t.Errorf("log of two kinds: %q", got)
	}
	for range l.Log(ledger.LogQuery{}) {
		break
	}
}

// TestProgress replays a chain and compares each state with docs/container.md, 4.9, computed from all entries. It replaces more pages
// in a row than a cursor lists.
func TestProgress(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	m := rowtest.New(t)
	type exchange struct{ status, replace int64 } // replace: seq, 0 none
	script := []exchange{{429, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {500, 8},
		{500, 7}, {500, 6}, {500, 5}, {500, 4}, {500, 3}, {500, 2}, {200, 0}, {200, 16}}
	m.Add(evidence.Head{Window: 1, Source: "m365"}, rowtest.Window(evidence.Opened, ""))
	m.Cut()
	if p, err := l.Progress(1, 5); p != nil || err != nil {
		t.Errorf("chain without exchanges: %+v, %v", p, err)
	}
	replaced := map[int64]bool{}
	var kept []int64
	for i, s := range script {
		retryOf := int64(evidence.None)
		if s.replace > 0 {
			retryOf = s.replace
			replaced[retryOf] = true
		}
		e := m.Add(evidence.Head{Window: 1, Method: "GET", Status: s.status}, rowtest.Exchange(5, int64(i), 1, retryOf), "request", "response")
		m.Cut()
		if s.status == 200 {
			kept = append(kept, e.Head.Seq)
		}
		want := int64(evidence.None)
		for _, seq := range kept {
			if !replaced[seq] {
				want = seq
			}
		}
		batches := m.Batches()
		if i == 0 {
			batches = batches[:2]
		} else {
			batches = batches[i+1:]
		}
		if err := l.Apply(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
		p, err := l.Progress(1, 5)
		if err != nil || p.Latest.Seq != e.Head.Seq || p.Requests != int64(i+1) || (p.Failed > 0) != (s.status != 200) {
			t.Fatalf("step %d: %+v, %v", i, p, err)
		}
		if got := p.Taken; want == evidence.None && got != nil || want != evidence.None && (got == nil || got.Seq != want) {
			t.Errorf("step %d: page taken last %+v, want %d", i, got, want)
		}
	}
}

// TestApplyWhileReading would hang if an iteration kept a transaction open while its caller has its turn.
func TestApplyWhileReading(t *testing.T) {
	batches := rowtest.Sample(t, 600, 50)
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	half := len(batches) / 2
	if err := l.Apply(t.Context(), batches[:half]); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range l.Exchanges(1, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if err := l.Apply(t.Context(), batches[half:]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Error("no exchanges")
	}
}
