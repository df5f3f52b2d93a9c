package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// events are what a run of three chains tells within 45 seconds; a service's text tries to take the terminal over.
func events() []acquire.Event {
	at := func(seconds int, e acquire.Event) acquire.Event {
		e.Elapsed, e.Chains = time.Duration(seconds)*time.Second, 3
		e.Result.Window, e.Result.Source, e.Result.State = 7, "http", evidence.Opened
		return e
	}
	taken := func(pages, asked, bytes, ended int64) acquire.Event {
		return acquire.Event{Kind: acquire.EventPage, Bytes: bytes, Ended: ended, Result: acquire.Result{Pages: pages, Records: 10 * pages, Asked: asked}}
	}
	return []acquire.Event{
		at(0, acquire.Event{Kind: acquire.EventWindow}),
		at(1, taken(1, 1, 1000, 0)),
		at(2, taken(2, 2, 3<<10, 0)),
		at(3, acquire.Event{Kind: acquire.EventRetry, Reason: "throttled", Text: "status 429\x1b[2J"}),
		at(3, acquire.Event{Kind: acquire.EventWait, Wait: 1500 * time.Millisecond, Reason: "throttled"}),
		at(5, acquire.Event{Kind: acquire.EventWait, Wait: 30 * time.Second, Reason: "throttled", Text: "status 429\x1b[2J"}),
		at(35, taken(3, 5, 5<<20, 1)),
		at(36, taken(4, 6, 6<<20, 1)),
		at(45, taken(5, 7, 9<<20, 3)),
	}
}

// shown plays the events to a progress.
func shown(terminal bool, es []acquire.Event) string {
	var out bytes.Buffer
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	p := newProgress(&out, func() time.Time { return now }, make(chan struct{}))
	p.terminal = terminal
	for _, e := range es {
		now = start.Add(e.Elapsed)
		p.tell(e)
	}
	p.end()
	return out.String()
}

func TestProgress(t *testing.T) {
	const lines = "window 7 opened: http\n" +
		"waiting 30s: throttled: status 429\\x1b[2J\n" +
		"3 pages, 30 records, 5 requests, 5.0 MiB, 146.3 KiB/s, 1 of 3 chains, about 1m10s left\n" +
		"5 pages, 50 records, 7 requests, 9.0 MiB, 204.8 KiB/s, 3 of 3 chains\n"
	if got := shown(false, events()); got != lines {
		t.Errorf("not on a terminal:\n%q\nexpected\n%q", got, lines)
	}
	const terminal = "window 7 opened: http\n" +
		"\r\x1b[K1 page, 10 records, 1 request, 1000 B, 1000 B/s, 0 of 3 chains" +
		"\r\x1b[K2 pages, 20 records, 2 requests, 3.0 KiB, 1.5 KiB/s, 0 of 3 chains\n" +
		"asking again: throttled: status 429\\x1b[2J\n" +
		"waiting 1.5s: throttled\n" +
		"waiting 30s: throttled: status 429\\x1b[2J\n" +
		"\r\x1b[K3 pages, 30 records, 5 requests, 5.0 MiB, 146.3 KiB/s, 1 of 3 chains, about 1m10s left" +
		"\r\x1b[K4 pages, 40 records, 6 requests, 6.0 MiB, 170.7 KiB/s, 1 of 3 chains, about 1m12s left" +
		"\r\x1b[K5 pages, 50 records, 7 requests, 9.0 MiB, 204.8 KiB/s, 3 of 3 chains\n"
	if got := shown(true, events()); got != terminal {
		t.Errorf("on a terminal:\n%q\nexpected\n%q", got, terminal)
	}
}

// TestProgressCovered: a run of one chain tells how long it will take by the time that its pages cover. After 10 s, 0.25 of the window since the first page lie
// behind, and 0.25 before: 10 s more. A run that goes on where another stopped counts from its own first page.
func TestProgressCovered(t *testing.T) {
	page := func(seconds int, covered float64) acquire.Event {
		return acquire.Event{Kind: acquire.EventPage, Chains: 1, Covered: covered, Elapsed: time.Duration(seconds) * time.Second, Result: acquire.Result{Pages: 1}}
	}
	const head = "\r\x1b[K1 page, 0 records, 0 requests, 0 B, 0 B/s"
	want := head + head + ", 75 % of the window, about 10s left" + head + head + "\n"
	if got := shown(true, []acquire.Event{page(5, 0.5), page(15, 0.75), page(16, 0.4), page(17, 0)}); got != want {
		t.Errorf("%q\nexpected\n%q", got, want)
	}
	if got := shown(true, []acquire.Event{page(5, 0), page(15, 0)}); got != head+head+"\n" {
		t.Errorf("%q", got)
	}
}

// TestReasonHints: what to do depends on why, as far as something can be done.
func TestReasonHints(t *testing.T) {
	other := reasonHint("no such reason")
	for _, reason := range []string{acquire.ReasonUnauthorized, acquire.ReasonNoPermission, acquire.ReasonNoLicence, acquire.ReasonAPIDisabled, acquire.ReasonThrottled,
		acquire.ReasonNetwork, acquire.ReasonBrokenAnswer, acquire.ReasonServerError, acquire.ReasonTLS, acquire.ReasonNotFound, acquire.ReasonBadRequest, acquire.ReasonMaxReached, acquire.ReasonMovedRows, acquire.ReasonRepeatedPage} {
		if hint := reasonHint(reason); hint == "" || hint == other {
			t.Errorf("nothing of its own is said about %s", reason)
		}
	}
}
