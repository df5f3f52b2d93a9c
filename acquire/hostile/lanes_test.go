package hostile

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestBombsForManyChains: answers of a few KB that each hold one text of 30 MiB take no more memory because many chains are worked on at once.
func TestBombsForManyChains(t *testing.T) {
	body, err := bomb(`{"value":[{"Id":"`, "a", 30<<20, `"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil, func(c net.Conn, _ *request) bool {
		return say(c, answer("200 OK", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", string(body)))
	})
	var list strings.Builder
	const chains = 32
	for n := range chains {
		fmt.Fprintf(&list, "%s/%d\n", s.origin, n)
	}
	l := newLab(t)
	l.write("urls", []byte(list.String()))
	code, out, peak := l.measured("acquire", "http", "--case", caseName, "--ca-file", "ca.pem", "--url-file", "urls", "--yes", "--parallel", "4")
	if code != 0 || len(s.requests()) != chains {
		t.Errorf("exit %d after %d requests: %s", code, len(s.requests()), out)
	}
	if peak > mostMemory {
		t.Errorf("%d MiB were taken at the peak, want %d at most", peak>>20, mostMemory>>20)
	}
}

// TestSpoolFails: where a large answer cannot be kept, those that came beside it are, and the ledger says how many requests have no exchange.
func TestSpoolFails(t *testing.T) {
	var asked atomic.Int64
	all := make(chan struct{}) // closed when both requests are there
	failed := make(chan struct{})
	s := serve(t, nil, func(c net.Conn, r *request) bool {
		if asked.Add(1) == 2 {
			close(all)
		}
		<-all
		if r.target == "/large" {
			say(c, answer("200 OK", "", strings.Repeat("x", 6<<20)))
			close(failed) // the acquirer has gone away
			return false
		}
		<-failed
		return say(c, answer("200 OK", "", "small"))
	})
	d := newDesk(t)
	res, err := acquire.Run(t.Context(), acquire.Options{Case: d.c, Env: d.env, SpoolDir: filepath.Join(t.TempDir(), "gone"), Source: urls.Source{}, Wait: d.wait, Dial: d.dial,
		RootCAs: certificates(t).pool, Parallel: 2, Params: acquire.Params{Values: map[string][]string{"url": {s.origin + "/large", s.origin + "/small"}}}})
	if err == nil || res == nil || res.State != evidence.Opened {
		t.Fatalf("%+v, %v", res, err)
	}
	if x := d.exchanges(); len(x) != 1 || !strings.HasSuffix(x[0].response, "small") {
		t.Errorf("%d exchanges are recorded, want the small one", len(x))
	}
	var gaps []string
	for _, e := range d.entries() {
		if g, ok := e.Body.(*evidence.Gap); ok {
			gaps = append(gaps, fmt.Sprintf("%s %d", g.Reason, g.InFlight))
		}
	}
	if len(gaps) != 1 || gaps[0] != evidence.GapUnrecorded+" 1" {
		t.Errorf("gaps %q, want one that was not recorded", gaps)
	}
}
