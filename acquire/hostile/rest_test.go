package hostile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// watched is a case that says when a kept page is read back.
type watched struct {
	*casefile.Case
	read func()
}

func (w *watched) Files() fs.FS {
	w.read()
	return w.Case.Files()
}

// TestStoppedWhileCounting: a run that is refused counts what earlier runs took in chains that it did not come to. One that is stopped amid that is interrupted: it has asked, and its window stays open.
func TestStoppedWhileCounting(t *testing.T) {
	for _, cancelled := range []bool{true, false} {
		d := newDesk(t)
		var refuse, closing atomic.Bool
		s := serve(t, nil, func(c net.Conn, r *request) bool {
			if !strings.HasSuffix(r.target, "/0") {
				return say(c, answer("200 OK", "", "small"))
			}
			if refuse.Load() {
				closing.Store(true)
				return say(c, answer("401 No", "", ""))
			}
			return say(c, answer("404 No", "", ""))
		})
		var list []string
		for n := range 20 {
			list = append(list, fmt.Sprintf("%s/%d", s.origin, n))
		}
		if res := d.list(nil, list...); res.State != evidence.Partial || res.Pages != 19 {
			t.Fatalf("%+v", res)
		}
		refuse.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		stop, reads := make(chan struct{}), 0
		o := acquire.Options{Case: &watched{d.c, func() {
			if reads++; closing.Load() && reads == 7 {
				if cancelled {
					cancel()
				} else {
					close(stop)
				}
			}
		}}, Env: d.env, SpoolDir: d.c.SpoolDir(), Source: urls.Source{}, Credential: d.token, RootCAs: certificates(t).pool, Wait: d.wait, Dial: d.dial, Stop: stop,
			MaxPages: 1000, Params: acquire.Params{Values: map[string][]string{"url": list}}} // under a budget one chain is worked on at a time
		res, err := acquire.Run(ctx, o)
		cancel()
		if !errors.Is(err, acquire.ErrInterrupted) || errors.Is(err, context.Canceled) || res.State == evidence.Failed || reads > 15 {
			t.Errorf("cancelled %v: %+v, %v after %d reads", cancelled, res, err, reads)
		}
		entries := d.entries()
		if end, ok := entries[len(entries)-1].Body.(*evidence.Operator); !ok || end.Action != evidence.ActionRunStop || end.Fields[0].Value != "interrupted" {
			t.Errorf("the run ended with %+v", entries[len(entries)-1].Body)
		}
		o.Case, o.Stop, o.Credential = d.c, nil, d.token
		refuse.Store(false)
		if res, err := acquire.Run(t.Context(), o); err != nil || res.State != evidence.Partial || res.Pages != 19 || res.Requests != 22 {
			t.Errorf("afterwards %+v, %v", res, err)
		}
	}
}
