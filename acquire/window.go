package acquire

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

const byDefault = "default"

// acquisition is the name of what is asked (docs/container.md, 4.7).
func acquisition(source string, p *Plan) evidence.Hash {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n", source, p.User, p.From, p.To)
	for _, v := range p.Parameters {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, v.Value)
	}
	return sha256.Sum256([]byte(b.String()))
}

// window is the window of a run: what the ledger says of it, and what the chains have come to.
type window struct {
	name   evidence.Hash
	plan   *Plan
	source string

	number int64       // 0 until it is open
	old    *row.Window // of an earlier run; nil if there is none

	mu      sync.Mutex
	state   string
	reason  string
	text    string
	asked   int64             // exchanges of this run
	pages   int64             // taken, over all chains
	records int64             // counted on them
	last    int64             // seq of the latest page taken
	ended   int64             // chains that ended, in whatever way
	short   map[string]int64  // reason → chains that ended short of their end
	first   int64             // the first of those
	why     *PageError        // and what ended it
	defects map[string]string // reason → first text: something on a page is missing although the chain went on
	settled map[string]*settled
}

// settled counts chains that ended with an answer which says that there is nothing to be had.
type settled struct {
	chains int64
	text   string // of one of them, the first in the order of texts
}

// prepare makes the plan and finds the window that it continues.
func (r *run) prepare(ctx context.Context) error {
	index, err := r.o.Case.Index(ctx)
	if err != nil {
		return err
	}
	p := r.o.Params
	p.Now = r.o.Env.Now()
	if r.plan, err = r.makePlan(p); err != nil {
		return err
	}
	highest := int64(0)
	var old *row.Window
	for w, err := range index.Windows() {
		if err != nil {
			return err
		}
		highest = w.Window
		if r.sameAs(w) {
			old = w
		}
	}
	if old != nil && !r.o.Again {
		if r.plan, err = r.adopt(p, old); err != nil {
			return err
		}
	}
	if old != nil && (r.o.Again || AskedAnew(old.State, old.Reason)) {
		old = nil
	}
	r.window = &window{name: acquisition(r.source(), r.plan), plan: r.plan, source: r.source(), old: old, state: evidence.Opened,
		number: highest + 1, last: evidence.None, short: map[string]int64{}, defects: map[string]string{}, settled: map[string]*settled{}}
	if old == nil {
		return nil
	}
	r.window.number, r.window.state, r.window.reason, r.window.text = old.Window, old.State, old.Reason, old.Text
	return nil
}

// makePlan lets the source plan and adds what all sources have: the origin, and which bounds were not given.
func (r *run) makePlan(p Params) (*Plan, error) {
	plan, err := r.o.Source.Plan(p)
	if err != nil {
		return nil, err
	}
	if OriginOf(plan.Origin) != plan.Origin || plan.Chains < 1 || plan.Pager == nil {
		return nil, fmt.Errorf("source %s: plan without origin, chains or pager", r.source())
	}
	extra := []evidence.Pair{{Name: "origin", Value: plan.Origin}}
	if plan.From != "" || plan.To != "" {
		for _, flag := range []string{FlagStart, FlagEnd} {
			if len(r.o.Params.Values[flag]) == 0 {
				extra = append(extra, evidence.Pair{Name: flag, Value: byDefault})
			}
		}
	}
	plan.Parameters = append(extra, plan.Parameters...)
	return plan, nil
}

// sameAs reports whether w asks what the person asks now. A bound that was not given then or now was fixed when w was opened, and stays.
func (r *run) sameAs(w *row.Window) bool {
	p := r.plan
	given := func(flag string) bool { return len(r.o.Params.Values[flag]) > 0 }
	return w.Source == r.source() && w.User == p.User && slices.Equal(w.Parameters, p.Parameters) &&
		(w.To == p.To || !given(FlagEnd)) && (w.From == p.From || !given(FlagStart))
}

// adopt plans again with the bounds of w.
func (r *run) adopt(p Params, w *row.Window) (*Plan, error) {
	if w.From != "" || w.To != "" {
		p.Values = maps.Clone(p.Values)
		p.Values[FlagStart], p.Values[FlagEnd] = []string{w.From}, []string{w.To}
	}
	plan, err := r.makePlan(p)
	if err != nil {
		return nil, err
	}
	if acquisition(r.source(), plan) != w.Acquisition {
		return nil, fmt.Errorf("window %d cannot be continued: the same question has another name than when it was opened", w.Window)
	}
	return plan, nil
}

// finished reports whether there is nothing left to ask.
func (w *window) finished() bool {
	return w.old != nil && (w.old.State == evidence.Complete || w.old.State == evidence.Empty)
}

// open appends the entry that opens the window, unless an earlier run did.
func (w *window) open(ctx context.Context, r *run) error {
	if w.old != nil {
		return nil
	}
	_, err := r.o.Case.Append(ctx, &evidence.Draft{Start: r.o.Env.Now(), Source: w.source, Window: w.number, Run: r.id, Body: w.body()})
	return err
}

// body is the window entry as things stand.
func (w *window) body() *evidence.Window {
	res := w.result()
	b := &evidence.Window{Acquisition: w.name, State: res.State, Reason: res.Reason, Text: res.Text, User: w.plan.User, From: w.plan.From, To: w.plan.To,
		Parameters: w.plan.Parameters, Requests: res.Requests, Pages: res.Pages, Records: res.Records}
	w.mu.Lock()
	defer w.mu.Unlock()
	b.Last = w.last
	return b
}

// result is how the window stands.
func (w *window) result() Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	res := Result{Window: w.number, Source: w.source, User: w.plan.User, From: w.plan.From, To: w.plan.To, State: w.state, Reason: w.reason, Text: w.text,
		Requests: w.asked, Pages: w.pages, Records: w.records, Continued: w.old != nil}
	if w.old != nil {
		res.Requests += w.old.Exchanges
	}
	if w.finished() {
		res.Pages, res.Records = w.old.Pages, w.old.Records
	}
	return res
}

func (w *window) endedChains() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// took notes pages that a chain has taken: of this run, or found when it was continued.
func (w *window) took(pages, records, last int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages, w.records, w.last = w.pages+pages, w.records+records, max(w.last, last)
}

// end notes that a chain ended; why is nil if it came to its end.
func (w *window) end(chain int64, why *PageError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended++
	if why == nil {
		return
	}
	if w.short[why.Reason]++; w.why == nil || chain < w.first {
		w.first, w.why = chain, why
	}
}

// defect notes that something on a page is missing although the chain went on.
func (w *window) defect(e *PageError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.defects[e.Reason]; !ok {
		w.defects[e.Reason] = e.Text
	}
}

// settle notes that a chain ended with the answer that there is nothing to be had.
func (w *window) settle(e *PageError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.settled[e.Reason]
	if s == nil {
		s = &settled{text: e.Text}
		w.settled[e.Reason] = s
	}
	s.chains, s.text = s.chains+1, min(s.text, e.Text)
}

// count notes an exchange.
func (w *window) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
}

// judge says how the window ends: state, reason and text.
func (w *window) judge(halt *PageError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := w.why
	if halt != nil && halt.Reason == ReasonTimeBudget && w.ended == w.plan.Chains { // it was over just then
		halt = nil
	}
	if halt != nil {
		why = halt
	}
	w.reason, w.text = "", ""
	switch {
	case why == nil && len(w.defects) == 0 && w.records == 0:
		w.state, w.reason, w.text = evidence.Empty, ReasonNoData, joined("the service answered and has no record for this", w.without())
		return
	case why == nil && len(w.defects) == 0:
		w.state, w.text = evidence.Complete, joined(w.without())
		return
	case w.pages == 0:
		w.state = evidence.Failed
	default:
		w.state = evidence.Partial
	}
	w.text = w.tell(why)
	if why != nil {
		w.reason = why.Reason
	} else {
		w.reason = slices.Sorted(maps.Keys(w.defects))[0]
	}
}

// tell puts everything that is missing in one text.
func (w *window) tell(why *PageError) string {
	var parts []string
	if why != nil {
		parts = append(parts, why.Text)
	}
	if w.plan.Chains > 1 {
		for _, reason := range slices.Sorted(maps.Keys(w.short)) {
			parts = append(parts, fmt.Sprintf("%d of %d chains ended with %s", w.short[reason], w.plan.Chains, reason))
		}
		if unfinished := w.plan.Chains - w.ended; unfinished > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d chains were not finished", unfinished, w.plan.Chains))
		}
	}
	for i, reason := range slices.Sorted(maps.Keys(w.defects)) {
		text := w.defects[reason]
		if i > 0 || why != nil { // else it is the reason of the window
			text = reason + ": " + text
		}
		parts = append(parts, text)
	}
	return joined(append(parts, w.without())...)
}

// without says of how many requests the answer was that there is nothing to be had.
func (w *window) without() string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(w.settled)) {
		s := w.settled[reason]
		parts = append(parts, fmt.Sprintf("%s: %d of %d requests, such as %s", reason, s.chains, w.plan.Chains, s.text))
	}
	return joined(parts...)
}

// joined makes one text of those that are not empty.
func joined(parts ...string) string {
	text := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
	return text[:min(len(text), 8<<10)]
}

// close closes the window unless the run was interrupted or broke, and returns the reason for run-stop. An error that the outcome means is joined to err.
func (r *run) close(ctx context.Context, err *error) string {
	r.mu.Lock()
	halt := r.halt
	r.mu.Unlock()
	switch {
	case errors.Is(*err, ErrInterrupted):
		return "interrupted"
	case *err != nil:
		return "error"
	case r.stopped.Load() && halt == nil && r.window.endedChains() < r.plan.Chains:
		*err = ErrInterrupted
		return "interrupted"
	}
	r.window.judge(halt)
	if _, aerr := r.o.Case.Append(ctx, &evidence.Draft{Start: r.o.Env.Now(), Source: r.source(), Window: r.window.number, Run: r.id, Body: r.window.body()}); aerr != nil {
		*err = aerr
		return "error"
	}
	r.tell(Event{Kind: EventWindow})
	switch res := r.window.result(); res.Reason {
	case ReasonUnauthorized, ReasonNoPermission:
		*err = fmt.Errorf("%w: window %d is %s: %s", ErrAuth, res.Window, res.State, res.Text)
		return res.Reason
	case "":
		return res.State
	default:
		return res.Reason
	}
}
