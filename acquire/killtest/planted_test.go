package killtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// limit is within how many cases a planted bug must be caught.
const limit = 60

// caughtAfter tries cases until one goes wrong, and tells how many it took, 0 if none did.
func caughtAfter(t *testing.T, n int, try func(i int) (*judge, error)) {
	t.Helper()
	for i := range min(n, limit) {
		v, err := try(i)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.wrong) > 0 {
			t.Logf("caught after %d cases: %.300s", i+1, v.wrong[0])
			return
		}
	}
	t.Errorf("not caught in %d cases", min(n, limit))
}

// TestHarnessCatches plants bugs in what writes, and in recovery. The deaths at points must bring each to light.
func TestHarnessCatches(t *testing.T) {
	for _, c := range []struct {
		name    string
		scene   scene
		plant   plant
		discard bool
		again   bool
	}{
		{name: "nothing is synced", scene: scene{name: "acquire", phase: phaseAcquire, base: "new", power: true}, plant: plantNoSync},
		{name: "a seal is not synced", scene: scene{name: "seal", phase: phaseSeal, base: "acquired", power: true}, plant: plantNoSync},
		{name: "the index is ahead of the segments", scene: scene{name: "acquire", phase: phaseAcquire, base: "new", power: true}, plant: plantIndexHead},
		{name: "entries are acknowledged before they are written", scene: scene{name: "acquire", phase: phaseAcquire, base: "new"}, plant: plantEarlyAck},
		{name: "recovery discards the torn tail", scene: scene{name: "acquire", phase: phaseAcquire, base: "new"}, discard: true},
		{name: "progress is forgotten", scene: scene{name: "resume", phase: phaseResume, base: "killed"}, again: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			all, err := s.deaths(c.scene)
			if err != nil {
				t.Fatal(err)
			}
			rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			caughtAfter(t, len(all), func(i int) (*judge, error) {
				v, _, err := s.dieWith(t.Context(), all[i], c.plant, judge{discard: c.discard, again: c.again})
				return v, err
			})
		})
	}
}

// TestRandomHarnessCatches plants bugs under random deaths.
func TestRandomHarnessCatches(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant plant
	}{{"nothing is synced", plantNoSync}, {"entries are acknowledged before they are written", plantEarlyAck}} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			caughtAfter(t, limit, func(i int) (*judge, error) {
				v, _, err := s.catch(t.Context(), uint64(i), rides()[1], c.plant)
				return v, err
			})
		})
	}
}

// TestPairHarnessCatches plants a second process that minds no lock: it opens the container past casefile and adds a note.
func TestPairHarnessCatches(t *testing.T) {
	s := newService(t)
	p := pair{name: "a writer without the lock", first: phaseHold, pages: 1, meet: func(ctx context.Context, e *encounter) error {
		if err := intrude(ctx, caseIn(e.dir)); err != nil {
			return err
		}
		if err := e.let(); err != nil { // the first may notice by itself
			e.say("the first process: %v", err)
		}
		return nil
	}}
	caughtAfter(t, 1, func(int) (*judge, error) { return s.meet(t.Context(), p) })
}

func intrude(ctx context.Context, dir string) error {
	keys, err := signers()
	if err != nil {
		return err
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return err
	}
	env := environment()
	w, _, err := evidence.Open(ctx, evidence.Options{Folder: folder, Signers: keys, Now: env.Now, Rand: env.Rand})
	if err != nil {
		return err
	}
	_, err = w.Append(ctx, &evidence.Draft{Start: env.Now(), Body: &evidence.Operator{Action: evidence.ActionNote, Text: "nobody knows", Fields: []evidence.Pair{}}})
	return errors.Join(err, w.Close(ctx))
}

// TestJudgeNotices takes from a whole case what the judge must miss.
func TestJudgeNotices(t *testing.T) {
	s := newService(t)
	ctx := t.Context()
	b, err := s.base("killed")
	if err != nil {
		t.Fatal(err)
	}
	v := &judge{service: s, dir: b.dir, from: len(s.Requests())}
	if v.all(ctx); len(v.wrong) > 0 {
		t.Fatalf("nothing was taken yet: %q", v.wrong)
	}
	entries, err := entriesIn(ctx, caseIn(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	acks, err := readAcks(acksIn(b.dir))
	if err != nil || len(acks) < 5 {
		t.Fatalf("%d acknowledgements, %v", len(acks), err)
	}
	without := func(drop func(*evidence.Entry) bool) []*evidence.Entry {
		return slices.DeleteFunc(slices.Clone(entries), drop)
	}
	last := acks[len(acks)-1]
	for name, wrong := range map[string][]string{
		"an acknowledged entry":    missing(acks, without(func(e *evidence.Entry) bool { return e.Head.Seq == last.seq })),
		"all from one entry on":    missing(acks, entries[:last.seq]),
		"the gap of the dead run":  declaredIn(s, without(func(e *evidence.Entry) bool { return e.Head.Kind == evidence.KindGap })),
		"an exchange that was had": declaredIn(s, without(func(e *evidence.Entry) bool { return e.Head.Kind == evidence.KindExchange && e.Head.Seq > last.seq })),
	} {
		if len(wrong) == 0 {
			t.Errorf("%s is missing, and the judge does not miss it", name)
		}
	}
}

func declaredIn(s *service, entries []*evidence.Entry) []string {
	v := &judge{service: s}
	v.declared(entries)
	return v.wrong
}
