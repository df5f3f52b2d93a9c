package acquire

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// operator appends an entry on what the tool does.
func (r *run) operator(ctx context.Context, action, text string, fields []evidence.Pair) error {
	_, err := r.o.Case.Append(ctx, &evidence.Draft{Start: r.o.Env.Now(), Source: r.source(), Run: r.id,
		Body: &evidence.Operator{Action: action, Text: text, Operator: r.o.Env.Operator, Host: r.o.Env.Host, Fields: fields}})
	return err
}

func (r *run) source() string { return r.o.Source.Describe().Name }

// start appends run-start and, unless one is continued, opens the window.
func (r *run) start(ctx context.Context) error {
	var err error
	if r.index, err = r.o.Case.Index(ctx); err != nil {
		return err
	}
	if err := r.connect(); err != nil {
		return err
	}
	fields := []evidence.Pair{{Name: evidence.FieldParallel, Value: strconv.FormatInt(max(r.lanes(), int64(r.o.Parallel)), 10)}, {Name: "origin", Value: r.plan.Origin}}
	if len(r.o.Env.Command) > 0 {
		fields = append(fields, evidence.Pair{Name: "command", Value: clip(strings.Join(r.o.Env.Command, " "))})
	}
	if r.o.Proxy != nil {
		fields = append(fields, evidence.Pair{Name: "proxy", Value: r.o.Proxy.Scheme + "://" + r.o.Proxy.Host})
	}
	fields = slices.Concat(fields, r.bounds(), r.o.Env.Tool, r.o.Env.Machine)
	text := "acquisition from " + r.source()
	if r.o.Source.Describe().Content {
		text += ", which reads content"
		fields = append(fields, evidence.Pair{Name: "confirmed", Value: cmp.Or(r.o.Confirmed, "nobody was asked")})
	}
	if err := r.operator(ctx, evidence.ActionRunStart, text, fields); err != nil {
		return err
	}
	if err := r.setBack(ctx); err != nil {
		return err
	}
	if err := r.window.open(ctx, r); err != nil {
		return err
	}
	r.tell(Event{Kind: EventWindow})
	return nil
}

// connect makes sink and recorder. Nothing is dialled yet.
func (r *run) connect() error {
	r.sink = &sink{c: r.o.Case, env: r.o.Env, run: r.id, source: r.source(), origin: r.plan.Origin, window: r.window.number, connections: map[int64]int64{}, scrub: r.scrub, clock: r.began}
	w := wire.Options{Origin: r.plan.Origin, RootCAs: r.o.RootCAs, Proxy: r.o.Proxy, UserAgent: userAgent(r.o.Env.Tool), MaxIdle: r.o.Parallel,
		MaxBody: maxBody, SpoolDir: r.o.SpoolDir, SpoolThreshold: min(4<<20, answersInMemory/int64(r.o.Parallel)), Dial: r.o.Dial, Now: r.o.Env.Now, Sink: r.sink}
	if r.o.Gzip {
		w.AcceptEncoding = "gzip"
	}
	if r.o.Credential != nil {
		w.Authorize = r.authorize
	}
	var err error
	r.recorder, err = wire.New(w)
	return err
}

// bounds are what patience and budgets of a run are.
func (r *run) bounds() []evidence.Pair {
	p := r.o.Retry
	fields := []evidence.Pair{{Name: "retry-attempts", Value: strconv.Itoa(p.Attempts)}, {Name: "retry-pages", Value: strconv.Itoa(p.Pages)},
		{Name: "retry-longest", Value: p.Longest.String()}, {Name: "retry-total", Value: p.Total.String()}, {Name: "max-pages", Value: strconv.FormatInt(r.o.MaxPages, 10)}}
	if r.o.MaxBytes > 0 {
		fields = append(fields, evidence.Pair{Name: "max-bytes", Value: strconv.FormatInt(r.o.MaxBytes, 10)})
	}
	if r.o.MaxTime > 0 {
		fields = append(fields, evidence.Pair{Name: "max-time", Value: r.o.MaxTime.String()})
	}
	return fields
}

// userAgent is name/version of the tool, in the characters of a token (RFC 9110, section 10.1.5).
func userAgent(tool []evidence.Pair) string {
	value := func(name string) string {
		for _, p := range tool {
			if p.Name == name {
				return strings.Map(func(c rune) rune {
					if c <= ' ' || c >= 0x7F || strings.ContainsRune("()<>@,;:\\\"/[]?={}", c) {
						return -1
					}
					return c
				}, p.Value)
			}
		}
		return ""
	}
	agent := "exhibit"
	if v := value("version"); v != "" {
		agent += "/" + v
	}
	return agent
}

// unrecorded declares requests that were sent and whose answers could not be kept.
func (r *run) unrecorded(ctx context.Context) error {
	n := r.recorder.Lost()
	if n == 0 {
		return nil
	}
	_, err := r.o.Case.Append(ctx, &evidence.Draft{Start: r.o.Env.Now(), Source: r.source(), Run: r.id, Body: &evidence.Gap{Reason: evidence.GapUnrecorded, InFlight: n,
		Text: fmt.Sprintf("up to %d requests were sent whose answers could not be kept, because something failed on this machine", n)}})
	return err
}

// stop appends run-stop.
func (r *run) stop(ctx context.Context, reason string) error {
	if err := r.unrecorded(ctx); err != nil {
		return err
	}
	fields := []evidence.Pair{{Name: "reason", Value: reason}}
	if r.sink != nil {
		if err := r.sink.look(ctx, r.o.Env.Now()); err != nil {
			return err
		}
		fields = append(fields, evidence.Pair{Name: "requests", Value: strconv.FormatInt(r.sink.counter, 10)},
			evidence.Pair{Name: "bytes", Value: strconv.FormatInt(r.sink.bytes, 10)})
		for _, c := range []struct {
			name string
			at   *offset
		}{{"clock-first", r.sink.first}, {"clock-last", r.sink.last}} {
			if c.at != nil {
				fields = append(fields, evidence.Pair{Name: c.name, Value: fmt.Sprintf("server %+d s at %s", int64(c.at.diff/time.Second), evidence.At(c.at.at))})
			}
		}
	}
	return r.operator(ctx, evidence.ActionRunStop, "the run ended: "+reason, fields)
}

// tell reports progress.
func (r *run) tell(e Event) {
	if r.o.Progress == nil {
		return
	}
	r.progress.Lock()
	defer r.progress.Unlock()
	e.Result, e.Chains, e.Ended = r.window.result(), r.plan.Chains, r.window.endedChains()
	e.Elapsed = r.o.Env.Now().Sub(r.began)
	e.Result.Run = r.id
	r.sink.mu.Lock()
	e.Bytes, e.Result.Asked = r.sink.bytes, r.sink.counter
	r.sink.mu.Unlock()
	r.o.Progress(e)
}
