package evidence_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// TestKeysOverTime lets several keys sign one case in turn, over segments, and one that may not yet, or not at all.
func TestKeysOverTime(t *testing.T) {
	ctx := context.Background()
	a, b, c := sample.Key(t, 9), sample.Key(t, 10), sample.Key(t, 11)
	f := crashfs.New()
	with := func(keys ...trust.Signer) evidence.Options {
		o := options(t, f)
		o.Signers, o.SegmentSize, o.HeadEntries = keys, 6_000, 4
		return o
	}
	refused := func(key trust.Signer, waiting bool) {
		t.Helper()
		var e *evidence.KeyError
		if _, _, err := evidence.Open(ctx, with(key)); !errors.As(err, &e) || e.Waiting != waiting || e.Key != key.VerifierKey() {
			t.Errorf("opened by %s: %v; want a KeyError, waiting %v", key.VerifierKey(), err, waiting)
		}
	}
	work := func(from int, keys ...trust.Signer) {
		t.Helper()
		w, _, err := evidence.Open(ctx, with(keys...))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			must(w.Append(ctx, exchange(from+i, "")))(t)
		}
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	w := must(evidence.Create(ctx, with(a), evidence.Case{Case: testCase}))(t)
	if err := w.Head(ctx); err != nil { // which does not cover the key entry
		t.Fatal(err)
	}
	must(w.Append(ctx, &evidence.Draft{Start: sample.Clock()(), Body: &evidence.Key{Action: "allow", Key: b.VerifierKey(), Text: "B relieves A"}}))(t)
	dead := f
	f = f.Reboot(crashfs.Everything) // before a head covers the entry
	dead.CrashAt(0)
	w.Close(ctx) // frees it; its folder is gone
	refused(b, true)
	refused(c, false)
	if r, _, err := verify.Check(ctx, f.FS(), verify.Options{}); err != nil || len(r.Keys) != 2 || r.Keys[1].May {
		t.Errorf("before a head covers it: keys %+v, %v", r.Keys, err)
	}
	if s := must(evidence.NewSurvey(f.FS()))(t); len(s.Notes) != 1 {
		t.Fatalf("a refused key signed %v", s.Notes)
	}
	work(1, a)
	work(100, b)
	work(200, a, b)
	if s := must(evidence.NewSurvey(f.FS()))(t); s.Segments < 4 {
		t.Fatalf("%d segments: the key entry is not left behind", s.Segments)
	}
	refused(c, false)
	work(300, b)
	if exit := exitOf(ctx, t, f); exit != verify.ExitIncomplete {
		t.Errorf("open case: exit %d, want 4", exit)
	}
	o := with(b)
	o.Index = nil
	w, _, err := evidence.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(ctx, sample.SealOptions(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	r, _, err := verify.Check(ctx, f.FS(), verify.Options{Keys: []trust.VKey{must(trust.ParseVKey(b.VerifierKey()))(t)}})
	if err != nil || r.Exit() != 0 {
		t.Fatalf("sealed by B: %v, %v", r.Findings, err)
	}
	if len(r.Keys) != 2 || r.Keys[0] != (verify.Key{Key: a.VerifierKey(), May: true}) || r.Keys[1].Key != b.VerifierKey() || r.Keys[1].Entry != 2 || !r.Keys[1].May {
		t.Errorf("keys %+v", r.Keys)
	}
	var who []string
	for _, h := range r.Heads {
		for i, s := range h.Signers {
			h.Signers[i] = map[string]string{a.VerifierKey(): "A", b.VerifierKey(): "B"}[s]
		}
		who = append(who, strings.Join(h.Signers, "+"))
	}
	if want := []string{"A", "B", "A+B", "B"}; !slices.Equal(who, want) {
		t.Errorf("heads by %v, want %v", who, want)
	}
}
