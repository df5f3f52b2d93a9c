package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// How often progress is shown, on a terminal and elsewhere, and from when on a wait is told elsewhere.
const (
	terminalEvery = 200 * time.Millisecond
	lineEvery     = 10 * time.Second
	toldWait      = 2 * time.Second
)

// progress shows how a run goes on: one line that is written anew on a terminal, a line now and then elsewhere.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	now      func() time.Time
	terminal bool
	shown    time.Time      // when progress was shown last
	dirty    bool           // the terminal's line is not ended
	began    *acquire.Event // the first page that told how much of the window it covers
	done     chan struct{}
}

// newProgress also says that stopping has begun once first is closed. end must be called.
func newProgress(w io.Writer, now func() time.Time, first <-chan struct{}) *progress {
	p := &progress{w: w, now: now, done: make(chan struct{})}
	if f, ok := w.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	go func() {
		select {
		case <-first:
			p.say("stopping: requests in flight are finished and recorded; interrupt again to break them off")
		case <-p.done:
		}
	}()
	return p
}

func (p *progress) end() {
	close(p.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newline()
}

func (p *progress) newline() {
	if p.dirty {
		fmt.Fprintln(p.w)
		p.dirty = false
	}
}

// say writes a line of its own.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newline()
	fmt.Fprintln(p.w, cli.EscapeLine(text))
}

// tell is told each step of a run.
func (p *progress) tell(e acquire.Event) {
	switch {
	case e.Kind == acquire.EventWindow && e.Result.State == evidence.Opened:
		p.say(opened(&e.Result))
	case e.Kind == acquire.EventWait && e.Wait >= toldWait, e.Kind == acquire.EventWait && p.terminal:
		p.say(fmt.Sprintf("waiting %s: %s", e.Wait.Round(100*time.Millisecond), because(&e)))
	case e.Kind == acquire.EventRetry && p.terminal:
		p.say("asking again: " + because(&e))
	default:
		p.step(&e)
	}
}

func opened(r *acquire.Result) string {
	what := "opened"
	if r.Continued {
		what = "goes on"
	}
	asked := verify.Window{Source: r.Source, User: r.User, From: r.From, To: r.To}
	return fmt.Sprintf("window %d %s: %s", r.Window, what, asked.Asked())
}

func because(e *acquire.Event) string { return strings.TrimSuffix(e.Reason+": "+e.Text, ": ") }

// step shows how far the run has come, unless that was done a moment ago.
func (p *progress) step(e *acquire.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Covered > 0 && p.began == nil {
		p.began = e
	}
	now := p.now()
	every := lineEvery
	if p.terminal {
		every = terminalEvery
	}
	if d := now.Sub(p.shown); d >= 0 && d < every {
		return
	}
	left := p.left(e)
	first := p.shown.IsZero()
	p.shown = now
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", cli.EscapeLine(state(e)+left))
		p.dirty = true
	} else if !first { // the window's line has just been written
		fmt.Fprintln(p.w, cli.EscapeLine(state(e)))
	}
}

// left says how long a run of one chain will take, going by how much of the window its pages have covered since the first; "" where that cannot be told.
func (p *progress) left(e *acquire.Event) string {
	if e.Chains != 1 || e.Ended > 0 || p.began == nil || e.Covered <= p.began.Covered || e.Covered > 1 {
		return ""
	}
	rate := float64(e.Elapsed-p.began.Elapsed) / (e.Covered - p.began.Covered)
	d := time.Duration(min(rate*(1-e.Covered), float64(1000*time.Hour)))
	return fmt.Sprintf(", %d %% of the window, about %s left", int(100*e.Covered), d.Round(time.Second))
}

// state is where a run stands, how fast it goes and, where that can be told, when it will be done.
func state(e *acquire.Event) string {
	s := cli.Count(e.Result.Pages, "page", "pages") + ", " + cli.Count(e.Result.Records, "record", "records") + ", " +
		cli.Count(e.Result.Asked, "request", "requests") + ", " + size(e.Bytes)
	if sec := e.Elapsed.Seconds(); sec >= 1 {
		s += fmt.Sprintf(", %s/s", size(int64(float64(e.Bytes)/sec)))
	}
	if e.Chains > 1 {
		s += fmt.Sprintf(", %d of %d chains", e.Ended, e.Chains)
		if e.Ended > 0 && e.Ended < e.Chains {
			left := time.Duration(float64(e.Elapsed) / float64(e.Ended) * float64(e.Chains-e.Ended))
			s += ", about " + left.Round(time.Second).String() + " left"
		}
	}
	return s
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
