package killtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// maxHits is up to which hit of a point a child dies there.
const maxHits = 5

// partOf and partOfLarge are of how many deaths go test takes one: every so many-th of the list. They have no divisor in common with the 2 to 5 hits of a point.
const (
	partOf      = 11
	partOfLarge = 41
)

// scene is what a child does and what it does it on.
type scene struct {
	name  string
	phase phase
	base  string
	power bool
	of    target
}

// scenes are the four phases, each with and without power: a process that dies, and a machine that loses power.
func scenes() (all []scene) {
	for _, s := range []scene{
		{name: "acquire", phase: phaseAcquire, base: "new"},
		{name: "resume", phase: phaseResume, base: "killed"},
		{name: "seal", phase: phaseSeal, base: "acquired"},
		{name: "recover a torn tail", phase: phaseRecover, base: "torn"},
		{name: "recover an empty segment", phase: phaseRecover, base: "empty"},
		{name: "recover a head without an entry", phase: phaseRecover, base: "note"},
		{name: "recover an interrupted recovery", phase: phaseRecover, base: "moved"},
		{name: "acquire large answers", phase: phaseAcquire, base: "new", of: large},
		{name: "acquire many chains", phase: phaseAcquire, base: "new", of: many},
		{name: "recover a large torn tail", phase: phaseRecover, base: "torn large", of: large},
	} {
		all = append(all, s)
		s.power = true
		all = append(all, s)
	}
	return all
}

// baseDeaths tells how the state that a scene begins with comes about: on which other base, and where a child dies on it.
func baseDeaths() map[string]struct {
	on string
	j  job
} {
	segment := "data/evidence/N.warc.zst"
	return map[string]struct {
		on string
		j  job
	}{
		"none":       {},
		"new":        {},
		"killed":     {"new", job{Phase: phaseAcquire, At: "after acknowledge entry", Hit: 7}},
		"acquired":   {"new", job{Phase: phaseAcquire}},
		"sealed":     {"acquired", job{Phase: phasePack}},
		"torn":       {"new", job{Phase: phaseAcquire, At: pointOf(amid, "write", segment), Hit: 7}},
		"empty":      {"new", job{Phase: phaseAcquire, Power: true, At: pointOf(after, "create", segment), Hit: 1}},
		"note":       {"new", job{Phase: phaseAcquire, At: "after rename to data/checkpoints/N.note", Hit: 2}},
		"torn large": {"new", job{Phase: phaseAcquire, Of: large, At: pointOf(amid, "write", segment), Hit: 100}},
		"moved":      {"torn", job{Phase: phaseRecover, At: pointOf(before, "truncate", segment), Hit: 1}},
	}
}

// base makes the state that a scene begins with, once.
func (s *service) base(name string) (*base, error) {
	if b := s.bases[name]; b != nil {
		return b, nil
	}
	how := baseDeaths()[name]
	b := &base{}
	var err error
	if how.on == "" {
		if b.dir, err = s.folderFor(); err == nil && name == "new" {
			err = newCase(caseIn(b.dir))
		}
	} else {
		var on *base
		if on, err = s.base(how.on); err != nil {
			return nil, err
		}
		if b.dir, err = s.copied(on); err != nil {
			return nil, err
		}
		err = s.run(how.j.in(b.dir))
		if how.j.At != "" {
			if err == nil {
				return nil, fmt.Errorf("base %q: nobody died", name)
			}
			if errors.Is(err, errKilled) {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("base %q: %w", name, err)
	}
	s.bases[name] = b
	return b, nil
}

// in is the job on the case in dir.
func (j job) in(dir string) job {
	j.Dir, j.Acks = caseIn(dir), acksIn(dir)
	return j
}

// death is one case of row F1.
type death struct {
	scene
	at  point
	hit int
}

func (d death) String() string {
	mode := "process dies"
	if d.power {
		mode = "power is lost"
	}
	return fmt.Sprintf("%s, %s: hit %d of %q", d.name, mode, d.hit, d.at)
}

// deaths lists the points that an undisturbed child comes by in a scene, each with its first hits.
func (s *service) deaths(sc scene) ([]death, error) {
	b, err := s.base(sc.base)
	if err != nil {
		return nil, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, err
	}
	j := job{Phase: sc.phase, Power: sc.power, Of: sc.of, Seen: filepath.Join(dir, "seen")}.in(dir)
	if err := s.run(j); err != nil {
		return nil, err
	}
	seen, err := os.ReadFile(j.Seen)
	if err != nil {
		return nil, err
	}
	hits := map[point]int{}
	for line := range strings.Lines(string(seen)) {
		hits[point(strings.TrimSpace(line))]++
	}
	var all []death
	for _, p := range slices.Sorted(maps.Keys(hits)) {
		for hit := range min(hits[p], maxHits) {
			all = append(all, death{sc, p, hit + 1})
		}
	}
	return all, os.RemoveAll(dir)
}

// die lets a child die and judges what is left. died is false if the child came to its end before.
func (s *service) die(ctx context.Context, d death) (v *judge, died bool, err error) {
	return s.dieWith(ctx, d, "", judge{})
}

// dieWith does the same with planted bugs: in the child, and in how the judge goes on.
func (s *service) dieWith(ctx context.Context, d death, p plant, planted judge) (v *judge, died bool, err error) {
	b, err := s.base(d.base)
	if err != nil {
		return nil, false, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, false, err
	}
	v = &planted
	v.service, v.dir, v.from, v.of = s, dir, len(s.Requests()), d.of
	switch err := s.run(job{Phase: d.phase, Power: d.power, Of: d.of, At: d.at, Hit: d.hit, Plant: p}.in(dir)); {
	case err == nil:
	case errors.Is(err, errKilled):
		died = true
	case p != "": // a planted bug may show before the child dies
		v.say("%v", err)
		return v, true, os.RemoveAll(dir)
	default:
		return nil, false, err
	}
	v.all(ctx)
	return v, died, os.RemoveAll(dir)
}

// workers is how many cases are tried at once, each with a service of its own.
const workers = 2

// each gives all of a list to workers, in order, and each worker its service. It ends early, and says so, where do returns false.
func each[T any](t *testing.T, list []T, do func(*service, T) bool) {
	var wg sync.WaitGroup
	next := make(chan T)
	stop := make(chan struct{})
	var once sync.Once
	for range workers {
		s := newService(t)
		wg.Go(func() {
			for d := range next {
				if !do(s, d) {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
	defer wg.Wait()
	defer close(next)
	for _, d := range list {
		select {
		case next <- d:
		case <-stop:
			return
		}
	}
}

// upTo lists the numbers of n cases.
func upTo(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = uint64(i)
	}
	return list
}

// allDeaths lists those of all scenes.
func allDeaths(t *testing.T) (all []death) {
	t.Helper()
	s := newService(t)
	for _, sc := range scenes() {
		d, err := s.deaths(sc)
		if err != nil {
			t.Fatalf("%s: %v", sc.name, err)
		}
		all = append(all, d...)
	}
	return all
}

// part is what go test takes.
func part(all []death) (list []death) {
	for i, d := range all {
		if d.of != large && i%partOf == 0 || d.of == large && i%partOfLarge == 0 {
			list = append(list, d)
		}
	}
	return list
}

// TestDeathAtEveryPoint is row F1: a child dies at every point, at its first to fifth hit, in every phase; with it row F18.
func TestDeathAtEveryPoint(t *testing.T) {
	all := allDeaths(t)
	if len(all) < 400 {
		t.Errorf("%d deaths, at least 400 are wanted", len(all))
	}
	list := all
	if !*full {
		list = part(all)
		t.Logf("%d of %d deaths, every %dth, of large answers every %dth; -kill.full tries all", len(list), len(all), partOf, partOfLarge)
	}
	c := newCount()
	each(t, list, func(s *service, d death) bool {
		v, died, err := s.die(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", d, err)
			return true
		}
		for _, w := range v.wrong {
			t.Errorf("%s: %s", d, w)
		}
		c.add(string(d.phase), d.power, died, v)
		return true
	})
	c.log(t)
	if c.lived > len(list)/20 {
		t.Errorf("%d of %d children lived", c.lived, len(list))
	}
}

// count keeps count of what was tried.
type count struct {
	mu    sync.Mutex
	by    map[string]int
	lived int
}

func newCount() *count { return &count{by: map[string]int{}} }

func (c *count) add(what string, power, died bool, v *judge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !died {
		c.lived++
		c.by["lived"]++
		return
	}
	c.by[what]++
	for word, holds := range map[string]bool{"unsynced bytes lost": power, "with a torn tail": v.torn, "amid a seal": v.sealing, "sealed": v.sealed} {
		if holds {
			c.by[word]++
		}
	}
}

func (c *count) outage(what, mount string, how loss, amid bool, v *judge) {
	c.add(what, false, true, v)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[how.String()]++
	c.by["mounted with "+cmp.Or(mount, "the default")]++
	if !amid {
		c.by["after the end of the process"]++
	}
}

func (c *count) pair(what string, v *judge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[what]++
	c.by["checks beside a process that writes"] += v.checks
}

func (c *count) log(t *testing.T) {
	t.Helper()
	for _, word := range slices.Sorted(maps.Keys(c.by)) {
		t.Logf("%4d %s", c.by[word], word)
	}
}
