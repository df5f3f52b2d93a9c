package acquire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestWaitsAsTold runs on timers, in a time of its own: the waits are those that the service asks for, and they are all that takes time.
func TestWaitsAsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  []string // Retry-After of one refusal after the other; "" for none
		at     time.Duration
		most   time.Duration
		reason string
	}{
		{"seconds", []string{"90"}, 90 * time.Second, 90 * time.Second, ""},
		{"fractions", []string{"1.25", "0.5"}, 1750 * time.Millisecond, 1750 * time.Millisecond, ""},
		{"ten years", []string{"315360000"}, 5 * time.Minute, 5 * time.Minute, ""},
		{"nothing", []string{"", "0", "-1"}, 3500 * time.Millisecond, 7 * time.Second, ""},
		{"for ever", []string{"60", "60", "60", "60", "60", "60", "60", "60", "60"}, 7 * time.Minute, 7 * time.Minute, acquire.ReasonThrottled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				p := &pipes{make(chan net.Conn), make(chan struct{})}
				s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if n++; n > len(c.after) {
						fmt.Fprint(w, "ok")
						return
					}
					if v := c.after[n-1]; v != "" {
						w.Header().Set("Retry-After", v)
					}
					w.WriteHeader(http.StatusTooManyRequests)
				})}
				served := make(chan error)
				go func() { served <- s.Serve(p) }()
				dir := filepath.Join(t.TempDir(), "case")
				env := casefile.Env{Now: time.Now, Rand: newRandom(1), Host: "lab-1", Operator: "examiner", ConfigDir: t.TempDir()}
				k, err := casefile.New(t.Context(), env, dir, casefile.NewOptions{Signers: []trust.Signer{signer(t)}, Fields: caseFields()})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				res, err := acquire.Run(t.Context(), acquire.Options{Case: k, Env: env, SpoolDir: k.SpoolDir(), Source: urls.Source{}, Dial: p.dial,
					Params: acquire.Params{Values: values("url", "http://service.example/")}})
				took := time.Since(began)
				if err != nil || res.Reason != c.reason {
					t.Errorf("%+v, %v", res, err)
				}
				if took < c.at || took > c.most {
					t.Errorf("took %v, want %v to %v", took, c.at, c.most)
				}
				if err := errors.Join(k.Close(t.Context()), s.Close()); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// TestClockJumps moves the wall clock between pages. Order is that of the ledger, and no wait depends on it.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, time.Hour, 25 * 365 * 24 * time.Hour, -24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			b := newBench(t, "429@3:retry-after=date+7,expire@999", simtenant.Options{Seed: 3})
			res, err := b.acquire(func(o *acquire.Options) {
				o.Progress = func(e acquire.Event) {
					if e.Kind == acquire.EventPage && e.Result.Pages%2 == 0 {
						b.clock.mu.Lock()
						b.clock.t = b.clock.t.Add(jump)
						b.clock.mu.Unlock()
						jump = -jump
					}
				}
			}, "page-size", "400")
			if err != nil {
				t.Fatal(err)
			}
			closed(t, b.files(), res, evidence.Complete, "")
			b.sameIDs(b.oracle(simtenant.Owner))
			if w := b.clock.waited; len(w) != 1 || w[0] > 8*time.Second {
				t.Errorf("waits %v", w)
			}
		})
	}
}
