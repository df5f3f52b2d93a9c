package killtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// judge holds what is left of a case against what must hold after any death, goes on with it to the end, and keeps what is wrong.
type judge struct {
	*service
	dir     string // of the case and its acknowledgements
	from    int    // requests to the service before this case's death
	after   [2]int // of these, from one to before the other, none counts: the machine had died before its process
	discard bool   // planted: recovery throws the torn tail away
	again   bool   // planted: going on begins anew
	of      target // what the case asks for
	checks  int    // beside a process that writes
	unmade  bool   // the process was to make the case, and may not have come to it

	sealed, sealing bool
	torn            bool // a torn tail was found
	unclean         bool // the last run had no end of its own
	wrong           []string
	open            []io.Closer // what a container that was returned reads from
}

// done closes what is open.
func (v *judge) done() {
	for _, c := range v.open {
		v.failed("close", c.Close())
	}
	v.open = nil
}

func (v *judge) say(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// failed notes an error and tells whether there was one.
func (v *judge) failed(what string, err error) bool {
	if err != nil {
		v.say("%s: %v", what, err)
	}
	return err != nil
}

// all checks what is left, recovers, goes on, seals and checks again. It ends at the first error that lets nothing follow.
func (v *judge) all(ctx context.Context) {
	defer v.done()
	if v.unmade && v.nothing(ctx) {
		return
	}
	v.crashed(ctx)
	if !v.sealed {
		segments, err := segmentsOf(caseIn(v.dir))
		if v.failed("segments", err) {
			return
		}
		if v.discard && v.failed("discard", discardTail(ctx, caseIn(v.dir))) {
			return
		}
		if !v.recover(ctx, segments) || !v.sealing && !v.resume(ctx) {
			return
		}
		if v.failed("seal", v.withCase(ctx, func(c *opened) error {
			return acquire.Seal(ctx, c.Case, acquire.SealOptions{Env: environment()})
		})) {
			return
		}
	}
	v.final(ctx)
}

// nothing reports whether there is no case yet, as a process may leave it that did not live to acknowledge one.
func (v *judge) nothing(ctx context.Context) bool {
	err := v.withCase(ctx, func(*opened) error { return nil })
	none := errors.Is(err, casefile.ErrNoFolder) || errors.Is(err, evidence.ErrNoCase)
	acks, ackErr := readAcks(acksIn(v.dir))
	if v.failed("acknowledgements", ackErr); none && acknowledged(acks, ackMade) {
		v.say("the new case was acknowledged and is gone: %v", err)
	}
	return none
}

// check checks the case as it lies there.
func (v *judge) check(ctx context.Context) (*verify.Report, *verify.Container) {
	files, err := bag.OpenFolder(caseIn(v.dir))
	if v.failed("folder", err) {
		return nil, nil
	}
	v.open = append(v.open, files)
	r, c, err := verify.Check(ctx, files, verify.Options{Deep: true})
	if v.failed("check", err) {
		return nil, nil
	}
	return r, c
}

// incomplete requires that a check says that something is missing, and that nothing is damaged.
func (v *judge) incomplete(ctx context.Context, when string) {
	r, _ := v.check(ctx)
	if r != nil && r.Exit() != verify.ExitIncomplete {
		v.say("%s: the check ends with %d: %v", when, r.Exit(), codes(r))
	}
}

func codes(r *verify.Report) (words []string) {
	for _, f := range r.Findings {
		words = append(words, fmt.Sprintf("%s (%s, %s)", f.Code, f.Path, f.Detail))
	}
	return words
}

// crashed checks what a death left: a sealed case is whole, any other incomplete, none damaged (I2, I5, I7).
func (v *judge) crashed(ctx context.Context) {
	_, err := os.Stat(caseIn(v.dir) + "/" + evidence.PackageNotePath)
	v.sealed = err == nil
	acks, err := readAcks(acksIn(v.dir))
	if v.failed("acknowledgements", err); acknowledged(acks, ackSealed) && !v.sealed {
		v.say("the seal was acknowledged, and there is no package.note")
	}
	r, _ := v.check(ctx)
	switch {
	case r == nil:
	case v.sealed && r.Exit() != 0:
		v.say("package.note is there and the check ends with %d: %v", r.Exit(), codes(r))
	case !v.sealed && r.Exit() != verify.ExitIncomplete:
		v.say("right after the death the check ends with %d: %v", r.Exit(), codes(r))
	default:
		v.torn = slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Code == "torn-tail" })
	}
}

// recover opens the case and closes it, twice: the second time nothing may change any more (I9). Not one byte of a segment may be gone (I2).
func (v *judge) recover(ctx context.Context, before map[string][]byte) bool {
	if v.failed("open", v.withCase(ctx, func(c *opened) error {
		v.sealing, v.unclean = c.Opening.Sealing, c.Opening.Unclean != nil
		return nil
	})) {
		return false
	}
	if lost := nothingLost(ctx, caseIn(v.dir), before); lost != nil {
		v.say("recovery: %v", lost)
	}
	v.incomplete(ctx, "after recovery")
	v.sameIndex(ctx, "after recovery")
	once, err := filesOf(caseIn(v.dir))
	if v.failed("files", err) || v.failed("open again", v.withCase(ctx, func(*opened) error { return nil })) {
		return false
	}
	twice, err := filesOf(caseIn(v.dir))
	if v.failed("files", err) {
		return false
	}
	if d := differ(once, twice); d != nil {
		v.say("opening once more changes %q", d)
	}
	return true
}

// resume goes on, is stopped after a page, goes on to the end, and finds nothing to do. No page that stood in the case is asked for again (I6).
func (v *judge) resume(ctx context.Context) bool {
	have, err := pagesIn(ctx, caseIn(v.dir))
	if v.failed("pages", err) {
		return false
	}
	asked := len(v.Requests())
	stop := make(chan struct{})
	_, err = v.acquire(ctx, stop, func(e acquire.Event) {
		if e.Kind == acquire.EventPage && stop != nil {
			close(stop)
			stop = nil
		}
	})
	if !errors.Is(err, acquire.ErrInterrupted) && v.failed("going on", err) {
		return false
	}
	res, err := v.acquire(ctx, nil, nil)
	if v.failed("going on again", err) {
		return false
	}
	if res.State != evidence.Complete {
		v.say("it ends %s: %s", res.State, res.Reason)
	}
	v.incomplete(ctx, "before the seal")
	for _, r := range v.requestsFrom(asked) {
		if url := v.url + r.URL; have[url] {
			v.say("%s is in the case and was asked for again", r.URL)
		} else {
			have[url] = true
		}
	}
	asked = len(v.Requests())
	if res, err = v.acquire(ctx, nil, nil); err != nil || !res.Finished || len(v.Requests()) != asked {
		v.say("a finished acquisition: %+v, %v, %d requests", res, err, len(v.Requests())-asked)
	}
	v.sameIndex(ctx, "before the seal")
	return true
}

// final requires a sealed case that is whole, that takes nothing more, and that holds what was acknowledged, what an undisturbed run brings, and an entry for every
// death.
func (v *judge) final(ctx context.Context) {
	r, c := v.check(ctx)
	if r == nil || r.Exit() != 0 || c == nil {
		if r != nil {
			v.say("sealed, and the check ends with %d: %v", r.Exit(), codes(r))
		}
		return
	}
	sealed, err := filesOf(caseIn(v.dir))
	v.failed("files", err)
	if err := v.withCase(ctx, func(*opened) error { return nil }); !errors.Is(err, evidence.ErrSealed) {
		v.say("a sealed case is opened: %v", err)
	}
	again, err := filesOf(caseIn(v.dir))
	v.failed("files", err)
	if d := differ(sealed, again); d != nil {
		v.say("after the seal %q changed", d)
	}
	var ids []string
	_, err = extract.Extract(ctx, c, extract.Options{TempDir: v.service.dir}, func(r *extract.Record) error {
		ids = append(ids, r.ID)
		return nil
	})
	if v.failed("extract", err); !v.of.same(ids, v.want[v.of]) {
		v.say("%d records, and they are not the %d of an undisturbed run", len(ids), len(v.want[v.of]))
	}
	entries, err := entriesIn(ctx, caseIn(v.dir))
	v.failed("entries", err)
	acks, err := readAcks(acksIn(v.dir))
	v.failed("acknowledgements", err)
	v.wrong = append(v.wrong, missing(acks, entries)...)
	v.declared(entries)
}

// declared requires of each run a stop or a gap that tells how many requests may be lost, and of each request an exchange, but for as many as chains were under way
// with each gap.
func (v *judge) declared(entries []*evidence.Entry) {
	ends, started := map[string]int{}, map[string]bool{}
	recorded := map[string]bool{}
	gaps := 0
	for _, e := range entries {
		recorded[requestOf(e.Body)] = true
		switch b := e.Body.(type) {
		case *evidence.Operator:
			started[e.Detail.Run] = started[e.Detail.Run] || b.Action == evidence.ActionRunStart
			if b.Action == evidence.ActionRunStop {
				ends[e.Detail.Run]++
			}
		case *evidence.Gap:
			if b.Reason != evidence.GapUnclean {
				continue
			}
			gaps++
			ends[b.LostRun]++
			if want := v.of.underWay(); b.InFlight != int64(want) {
				v.say("the gap says %d in flight, the run %d", b.InFlight, want)
			}
		}
	}
	for run := range started {
		if run != "" && ends[run] != 1 {
			v.say("run %s has %d ends", run, ends[run])
		}
	}
	lost := 0
	for i, r := range v.requestsFrom(v.from) {
		if at := v.from + i; at >= v.after[0] && at < v.after[1] {
			continue
		}
		if !recorded[r.ClientRequestID] {
			lost++
		}
	}
	if most := gaps * min(v.of.chains(), v.of.underWay()); lost > most {
		v.say("%d requests are in no exchange, %d gaps can explain %d", lost, gaps, most)
	}
}

// differ lists the files that are not the same.
func differ(a, b map[string][]byte) (names []string) {
	for name, content := range a {
		if other, ok := b[name]; !ok || string(other) != string(content) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// filesOf reads everything in a case folder but work/.
func filesOf(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	root := os.DirFS(dir)
	return files, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, evidence.WorkPath+"/") {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
}
