package witness_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/simwitness"
	"github.com/exhibit-dfir/exhibit/acquire/witness"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// world is an open case and a witness that listens on this machine.
type world struct {
	t      *testing.T
	dir    string
	c      *casefile.Case
	env    casefile.Env
	sim    *simwitness.Witness
	server *simtenant.Server
	o      witness.Options
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tmp := t.TempDir()
	w := &world{t: t, dir: filepath.Join(tmp, "case"), env: casefile.Env{Now: time.Now, Rand: rand.Reader, Host: "host.example", Operator: "jo", ConfigDir: filepath.Join(tmp, "config")}}
	var err error
	w.c, err = casefile.New(t.Context(), w.env, w.dir, casefile.NewOptions{Fields: []evidence.Pair{{Name: "case-number", Value: "1"}, {Name: "exhibit", Value: "E"}, {Name: "examiner", Value: "Jo"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.c.Close(context.Background()) })
	key, err := trust.ParseVKey(w.c.Opening.Case.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	w.sim, err = simwitness.New(simwitness.Options{Name: "witness.example/1", Rand: rand.Reader, Now: time.Now, Logs: []trust.VKey{key}})
	if err != nil {
		t.Fatal(err)
	}
	if w.server, err = simtenant.Serve("127.0.0.1:0", w.sim); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.server.Close() })
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.server.CAPEM())
	w.o = witness.Options{Env: w.env, Post: &witness.Client{RootCAs: pool, SpoolDir: tmp},
		Witnesses: []trust.Witness{{Key: w.sim.Key(), URL: w.server.URL() + "/w"}}}
	return w
}

func (w *world) note(text string) {
	w.t.Helper()
	if err := w.c.Note(w.t.Context(), text); err != nil {
		w.t.Fatal(err)
	}
	if err := w.c.Writer().Head(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// ask asks and returns the only answer.
func (w *world) ask() witness.Answer {
	w.t.Helper()
	answers, err := witness.AskOpen(w.t.Context(), w.c, w.o)
	if err != nil || len(answers) != 1 {
		w.t.Fatal(answers, err)
	}
	return answers[0]
}

func (w *world) stamps() (names []string) {
	entries, _ := os.ReadDir(filepath.Join(w.dir, "stamps"))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// check is the verdict on the case, with the witness pinned.
func (w *world) check() *verify.Report {
	w.t.Helper()
	r, _, err := verify.Check(w.t.Context(), os.DirFS(w.dir), verify.Options{Witnesses: []trust.WitnessKey{w.sim.Key()}})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// TestAskOverTLS asks a witness on loopback for one head after the other: consistency proofs over the wire, by what stamps/ says and by what the witness says.
func TestAskOverTLS(t *testing.T) {
	w := newWorld(t)
	if _, err := witness.Ask(t.Context(), w.dir, w.o); !errors.Is(err, witness.ErrNoHead) {
		t.Errorf("a case without a head: %v", err)
	}
	for n := range 5 {
		w.note(fmt.Sprint("remark ", n))
		if a := w.ask(); a.Err != nil || a.Known {
			t.Fatalf("%+v", a)
		}
	}
	asked := w.sim.Asked()
	if a := w.ask(); a.Err != nil || !a.Known || w.sim.Asked() != asked {
		t.Errorf("asked again for what is there: %+v", a)
	}
	if got := w.stamps(); len(got) != 5 {
		t.Fatalf("stamps/ has %v", got)
	}
	// Without what stamps/ tells, the witness itself says where it stands.
	if err := os.RemoveAll(filepath.Join(w.dir, "stamps")); err != nil {
		t.Fatal(err)
	}
	w.note("one more")
	if a := w.ask(); a.Err != nil || w.sim.Asked() != asked+2 {
		t.Errorf("%+v after %d requests", a, w.sim.Asked()-asked)
	}
	r := w.check()
	if d := r.Statements[3]; d.Holds != verify.Yes || len(r.Witnesses) != 1 || r.Witnesses[0].Size != r.Heads[len(r.Heads)-1].Size {
		t.Errorf("%+v %+v", d, r.Witnesses)
	}
}

// TestWitnessSaysNo: what a witness refuses, and one that cannot be reached, become entries, and no file.
func TestWitnessSaysNo(t *testing.T) {
	w := newWorld(t)
	w.note("a remark")
	stranger, err := simwitness.New(simwitness.Options{Name: "witness.example/2", Rand: rand.Reader, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.o.Witnesses = append(w.o.Witnesses, trust.Witness{Key: stranger.Key(), URL: w.server.URL()}, trust.Witness{Key: stranger.Key(), URL: "https://127.0.0.1:1"})
	answers, err := witness.AskOpen(t.Context(), w.c, w.o)
	if err != nil || len(answers) != 3 || answers[0].Err != nil || !errors.Is(answers[1].Err, trust.ErrWitness) || answers[2].Err == nil {
		t.Fatalf("%+v %v", answers, err)
	}
	if got := w.stamps(); len(got) != 1 {
		t.Errorf("stamps/ has %v", got)
	}
	var failed []string
	for b, err := range evidence.Batches(t.Context(), w.c.Files()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			if o, ok := e.Body.(*evidence.Operator); ok && o.Action == witness.ActionFailed {
				failed = append(failed, o.Fields[0].Value)
			}
		}
	}
	if want := stranger.Key().String(); !slices.Equal(failed, []string{want, want}) {
		t.Errorf("entries about %q", failed)
	}
	if r := w.check(); r.Exit() != verify.ExitIncomplete || r.Statements[3].Holds != verify.Yes {
		t.Errorf("exit %d, %+v", r.Exit(), r.Statements[3])
	}
}

// TestRolledBackCase: a witness that has seen more, or another history, says so, whatever the case itself holds.
func TestRolledBackCase(t *testing.T) {
	w := newWorld(t)
	w.note("one")
	earlier := filepath.Join(t.TempDir(), "earlier")
	if err := os.CopyFS(earlier, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	w.note("two")
	if a := w.ask(); a.Err != nil {
		t.Fatal(a.Err)
	}
	answers, err := witness.Ask(t.Context(), earlier, w.o)
	var ahead *trust.AheadError
	if err != nil || !errors.As(answers[0].Err, &ahead) || !answers[0].OtherHistory() {
		t.Errorf("the copy of before: %+v %v", answers, err)
	}
	// Going on from the copy makes another history, which the witness does not find to extend what it has seen.
	fork, err := casefile.Open(t.Context(), w.env, earlier, casefile.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if err := fork.Note(t.Context(), "another two"); err != nil {
			t.Fatal(err)
		}
	}
	if err := fork.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answers, err := witness.Ask(t.Context(), earlier, w.o); err != nil || !errors.Is(answers[0].Err, trust.ErrFork) {
		t.Errorf("the fork: %+v %v", answers, err)
	}
	if names, _ := os.ReadDir(filepath.Join(earlier, "stamps")); len(names) > 0 {
		t.Errorf("it has %v all the same", names)
	}
}

// TestWatch asks at once and each time that its clock lets it, and ends when it is told to.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	w.note("one")
	tick, rounds := make(chan struct{}), make(chan int)
	w.o.Wait = func(ctx context.Context, d time.Duration) error {
		if d != 15*time.Minute {
			t.Errorf("waits %s", d)
		}
		select {
		case <-tick:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	stop := witness.Watch(t.Context(), w.c, w.o, func(a []witness.Answer, err error) {
		if err != nil || len(a) != 1 || a[0].Err != nil {
			t.Errorf("%+v %v", a, err)
		}
		rounds <- len(w.stamps())
	})
	if n := <-rounds; n != 1 {
		t.Errorf("%d cosignatures at first", n)
	}
	w.note("two")
	tick <- struct{}{}
	if n := <-rounds; n != 2 {
		t.Errorf("%d cosignatures after a quarter of an hour", n)
	}
	stop()
}

// slow never answers.
type slow struct{ asked chan struct{} }

func (s *slow) Post(ctx context.Context, _ string, _ []byte) (int, []byte, error) {
	close(s.asked)
	<-ctx.Done()
	return 0, nil, ctx.Err()
}

// TestWatchIsBrokenOff: a witness that does not answer holds nothing up, and breaking it off is no failure of it.
func TestWatchIsBrokenOff(t *testing.T) {
	w := newWorld(t)
	w.note("one")
	s := &slow{make(chan struct{})}
	w.o.Post = s
	stop := witness.Watch(t.Context(), w.c, w.o, nil)
	<-s.asked
	w.note("two, while it is asked")
	stop()
	for b, err := range evidence.Batches(t.Context(), w.c.Files()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			if strings.Contains(string(e.DetailLine), witness.ActionFailed) {
				t.Errorf("%s", e.DetailLine)
			}
		}
	}
}

// TestPlantedCosignature: a file by the name of a cosignature that is none is not taken for one: nobody is told that the witness has cosigned.
func TestPlantedCosignature(t *testing.T) {
	w := newWorld(t)
	w.note("one")
	if a := w.ask(); a.Err != nil {
		t.Fatal(a.Err)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "stamps", "*.witness"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	before, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	w.note("two")
	survey, err := evidence.NewSurvey(os.DirFS(w.dir))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(w.dir, evidence.WitnessPath(survey.Newest(), w.sim.Key().ID()))
	for _, content := range []string{"", "x", string(before), strings.Repeat("x", trust.MaxNoteSize+10)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		answers, err := witness.Ask(t.Context(), w.dir, w.o)
		if err != nil || len(answers) != 1 || answers[0].Known || !errors.Is(answers[0].Err, trust.ErrWitness) || !strings.Contains(answers[0].Err.Error(), "take it away") {
			t.Errorf("%.20q: %+v, %v", content, answers, err)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if answers, err := witness.Ask(t.Context(), w.dir, w.o); err != nil || answers[0].Err != nil {
		t.Error(answers, err)
	}
}
