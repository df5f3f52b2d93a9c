//go:build linux

package faultfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// ack is a line of the file of acknowledgements: what a child was told is durable.
type ack struct {
	seq     int64
	line    string // hash of the head line; "-" if it was not told
	request string // id of an exchange's request; "-" of other entries
}

func ackOf(e *evidence.Entry) ack { return ack{e.Head.Seq, hashOf(e.HeadLine), requestOf(e)} }

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func requestOf(e *evidence.Entry) string {
	if x, ok := e.Body.(*evidence.Exchange); ok {
		return x.RequestID
	}
	return "-"
}

func (a ack) String() string {
	if a.line == "" {
		a.line = "-"
	}
	return fmt.Sprintf("%d %s %s\n", a.seq, a.line, a.request)
}

// missing lists the acknowledged entries that a case does not hold.
func missing(path string, entries []*evidence.Entry) (wrong []string, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	requests := map[string]bool{"-": true}
	for _, e := range entries {
		requests[requestOf(e)] = true
	}
	for line := range strings.Lines(string(b)) {
		var a ack
		if _, err := fmt.Sscanf(line, "%d %s %s\n", &a.seq, &a.line, &a.request); err != nil {
			return nil, fmt.Errorf("acknowledgement %q: %w", line, err)
		}
		switch {
		case a.line != "-" && (a.seq >= int64(len(entries)) || hashOf(entries[a.seq].HeadLine) != a.line):
			wrong = append(wrong, fmt.Sprintf("entry %d was acknowledged and is gone", a.seq))
		case !requests[a.request]:
			wrong = append(wrong, fmt.Sprintf("the answer to request %s was acknowledged and is gone", a.request))
		}
	}
	return wrong, nil
}

// judge holds what a fault left of a case against what must hold, goes on with it on a disk that is sound again, and keeps what is wrong.
type judge struct {
	where
	of     target
	phase  phase
	from   int    // requests to the service before the fault
	struck ending // of the process that met the fault

	sealed, sealing, torn bool
	wrong                 []string
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
	asked := v.w.Requests()[v.from:]
	v.left(ctx)
	if !v.sealed {
		segments, err := segmentsOf(v.real())
		if v.failed("segments", err) || v.failed("opening again", withCase(ctx, v.real(), func(c *casefile.Case) error {
			v.sealing = c.Opening.Sealing
			v.torn = v.torn || c.Opening.Torn != nil
			return nil
		})) {
			return
		}
		v.failed("recovery", nothingLost(ctx, v.real(), segments))
		v.check(ctx, "after recovery", verify.ExitIncomplete)
		v.done(ctx)
		if !v.sealing && !v.goOn(ctx) {
			return
		}
		if v.failed("seal", withCase(ctx, v.real(), func(c *casefile.Case) error { return sealCase(ctx, c) })) {
			return
		}
	}
	v.final(ctx, asked)
}

// left checks what the fault left: a sealed case is whole, any other incomplete, none damaged (I2, I5, I7).
func (v *judge) left(ctx context.Context) {
	_, err := os.Stat(filepath.Join(v.real(), evidence.PackageNotePath))
	v.sealed = err == nil
	want := verify.ExitIncomplete
	if v.sealed {
		want = 0
	}
	v.check(ctx, "right after the fault", want)
}

// done requires of a process that said that all is well that it is (I5).
func (v *judge) done(ctx context.Context) {
	if v.struck.code != 0 {
		return
	}
	switch v.phase {
	case phaseSeal, phaseFull:
		v.say("the seal ended with 0 and the case is not sealed")
	case phaseAcquire:
		asked := len(v.w.Requests())
		res, err := v.acquire(ctx)
		if err != nil || !res.Finished || len(v.w.Requests()) != asked {
			v.say("the acquisition ended with 0 and is not complete: %+v, %v", res, err)
		}
	}
	if v.torn {
		v.say("it ended with 0 and left a torn tail")
	}
}

// check checks the case as it lies there.
func (v *judge) check(ctx context.Context, when string, want int) {
	folder, err := bag.OpenFolder(v.real())
	if v.failed("folder", err) {
		return
	}
	defer folder.Close()
	r, _, err := verify.Check(ctx, folder, verify.Options{Deep: true})
	if !v.failed("check", err) && r.Exit() != want {
		v.say("%s the check ends with %d: %v", when, r.Exit(), codes(r))
	}
}

func codes(r *verify.Report) (words []string) {
	for _, f := range r.Findings {
		words = append(words, fmt.Sprintf("%s (%s, %s)", f.Code, f.Path, f.Detail))
	}
	return words
}

func (v *judge) acquire(ctx context.Context) (res *acquire.Result, err error) {
	token, err := v.w.token()
	if err != nil {
		return nil, err
	}
	err = withCase(ctx, v.real(), func(c *casefile.Case) error {
		o, err := options(c, v.w.url, v.w.pem, v.real(), v.of)
		if err != nil {
			return err
		}
		o.Credential = token
		res, err = acquire.Run(ctx, o)
		return err
	})
	return res, err
}

func (v *judge) goOn(ctx context.Context) bool {
	res, err := v.acquire(ctx)
	if v.failed("going on", err) {
		return false
	}
	if res.State != evidence.Complete {
		v.say("it ends %s: %s", res.State, res.Reason)
	}
	return true
}

// final requires a sealed case that is whole and holds what was acknowledged, what the service has, and an end of every run.
func (v *judge) final(ctx context.Context, asked []simRequest) {
	folder, err := bag.OpenFolder(v.real())
	if v.failed("folder", err) {
		return
	}
	defer folder.Close()
	r, c, err := verify.Check(ctx, folder, verify.Options{Deep: true})
	if v.failed("check", err) {
		return
	}
	if r.Exit() != 0 || c == nil {
		v.say("sealed, and the check ends with %d: %v", r.Exit(), codes(r))
		return
	}
	var ids []string
	_, err = extract.Extract(ctx, c, extract.Options{TempDir: v.w.dir}, func(r *extract.Record) error {
		ids = append(ids, r.ID)
		return nil
	})
	if v.failed("extract", err); !slices.Equal(ids, v.w.want[v.of]) {
		v.say("%d records, and they are not the %d that the service has", len(ids), len(v.w.want[v.of]))
	}
	entries, err := entriesIn(ctx, v.real())
	v.failed("entries", err)
	gone, err := missing(v.acks(), entries)
	v.failed("acknowledgements", err)
	v.wrong = append(v.wrong, gone...)
	v.handedOn(entries, asked)
	v.ends(entries)
}

// handedOn requires an exchange for each request that was followed by another of the same process: nothing is asked for before what leads there is durable (I1).
func (v *judge) handedOn(entries []*evidence.Entry, asked []simRequest) {
	recorded := map[string]bool{}
	for _, e := range entries {
		recorded[requestOf(e)] = true
	}
	for i, r := range asked {
		if i < len(asked)-1 && !recorded[r.ClientRequestID] {
			v.say("the answer to %s led on and is gone", r.URL)
		}
	}
}

// ends requires one end of each run: its own, or a gap.
func (v *judge) ends(entries []*evidence.Entry) {
	ends, started := map[string]int{}, map[string]bool{}
	for _, e := range entries {
		switch b := e.Body.(type) {
		case *evidence.Operator:
			started[e.Detail.Run] = started[e.Detail.Run] || b.Action == evidence.ActionRunStart
			if b.Action == evidence.ActionRunStop {
				ends[e.Detail.Run]++
			}
		case *evidence.Gap:
			if b.Reason == evidence.GapUnclean {
				ends[b.LostRun]++
			}
		}
	}
	for run, ok := range started {
		if ok && ends[run] != 1 {
			v.say("run %s has %d ends", run, ends[run])
		}
	}
}

// entriesIn lists the entries of a case whose segments are whole.
func entriesIn(ctx context.Context, dir string) (entries []*evidence.Entry, err error) {
	for b, err := range evidence.Batches(ctx, os.DirFS(dir)) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, b.Entries...)
	}
	return entries, nil
}

// segmentsOf reads the segments of a case.
func segmentsOf(dir string) (map[string][]byte, error) {
	root, all := os.DirFS(dir), map[string][]byte{}
	files, err := fs.ReadDir(root, evidence.SegmentsPath)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := evidence.SegmentsPath + "/" + f.Name()
		if all[name], err = fs.ReadFile(root, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nothingLost requires that every byte that stood in a segment is still there, or is the record of a gap entry for that place (I2).
func nothingLost(ctx context.Context, dir string, before map[string][]byte) error {
	now, err := segmentsOf(dir)
	if err != nil {
		return err
	}
	entries, err := entriesIn(ctx, dir)
	if err != nil {
		return err
	}
	torn := map[string]bool{}
	for _, e := range entries {
		if gap, ok := e.Body.(*evidence.Gap); ok && gap.Reason == evidence.GapTorn {
			torn[fmt.Sprintf("%s %d %s", evidence.SegmentPath(gap.Segment), gap.Offset, e.Detail.Records[0].Block)] = true
		}
	}
	for name, old := range before {
		if bytes.HasPrefix(now[name], old) {
			continue
		}
		cut := len(now[name])
		if !bytes.HasPrefix(old, now[name]) {
			cut = 0 // the whole file was replaced
		}
		if !torn[fmt.Sprintf("%s %d %x", name, cut, sha256.Sum256(old[cut:]))] {
			return fmt.Errorf("%d bytes of %s are gone and in no gap entry", len(old)-cut, name)
		}
	}
	return nil
}
