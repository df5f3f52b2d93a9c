package killtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// ride is a child that a random death may catch.
type ride struct {
	name  string
	base  string
	phase phase
	power bool
	of    target
}

// rides are the program as it is, with one chain and with many, and the two long phases where unsynced bytes die with the process.
func rides() []ride {
	return []ride{
		{name: "the program", base: "new", phase: phaseWork},
		{name: "acquire", base: "new", phase: phaseAcquire, power: true},
		{name: "the program, many chains", base: "new", phase: phaseWork, of: many},
		{name: "seal", base: "acquired", phase: phaseSeal, power: true},
	}
}

// lasts tells how long something takes undisturbed, on a new copy of a base: the shorter of two times.
func (s *service) lasts(name, on string, do func(dir string) error) (time.Duration, error) {
	if d := s.lengths[name]; d > 0 {
		return d, nil
	}
	shortest := time.Hour
	for range 2 {
		b, err := s.base(on)
		if err != nil {
			return 0, err
		}
		dir, err := s.copied(b)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := do(dir); err != nil {
			return 0, err
		}
		shortest = min(shortest, time.Since(began))
	}
	s.lengths[name] = shortest
	return shortest, nil
}

// job is what the ride's child does on the case in dir.
func (r ride) job(dir string) job { return job{Phase: r.phase, Power: r.power, Of: r.of}.in(dir) }

// length tells how long a ride takes undisturbed.
func (s *service) length(r ride) (time.Duration, error) {
	return s.lasts(r.name, r.base, func(dir string) error { return s.run(r.job(dir)) })
}

// killed runs a child and kills it after a time, or lets it end before.
func (s *service) killed(j job, in time.Duration) error {
	cmd, stderr, err := s.command(j)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(in, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer timer.Stop()
	return ending(cmd.Wait(), stderr)
}

// catch kills a ride at a time drawn by seed and number, and in half of the cases the next child on the same case, too; then it judges. deaths is how many
// children died.
func (s *service) catch(ctx context.Context, n uint64, r ride, p plant) (v *judge, deaths int, err error) {
	b, err := s.base(r.base)
	if err != nil {
		return nil, 0, err
	}
	length, err := s.length(r)
	if err != nil {
		return nil, 0, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, 0, err
	}
	v = &judge{service: s, dir: dir, from: len(s.Requests()), of: r.of}
	random := rand.New(rand.NewPCG(*seed, n))
	for {
		in := time.Duration((0.1 + random.Float64()) * float64(length))
		j := r.job(dir)
		j.Plant = p
		err := s.killed(j, in)
		if errors.Is(err, errKilled) {
			deaths++
		} else if err != nil && p == "" {
			return nil, deaths, err
		}
		_, unsealed := os.Stat(filepath.Join(caseIn(dir), evidence.PackageNotePath))
		if err == nil || unsealed == nil || random.IntN(2) == 0 {
			break
		}
		v.from = min(v.from, len(s.Requests()))
	}
	v.all(ctx)
	return v, deaths, os.RemoveAll(dir)
}

// TestDeathAtAnyTime is row F3: a child dies at a random time.
func TestDeathAtAnyTime(t *testing.T) {
	cases := 25
	if *full {
		cases = 500
	}
	t.Logf("seed %d (-kill.seed)", *seed)
	c := newCount()
	each(t, upTo(cases), func(s *service, n uint64) bool {
		for try := uint64(0); ; try++ { // until somebody dies
			r := rides()[n%4]
			v, deaths, err := s.catch(t.Context(), n<<8|try, r, "")
			if err != nil {
				t.Errorf("case %d of seed %d, %s: %v", n, *seed, r.name, err)
				return true
			}
			for _, w := range v.wrong {
				t.Errorf("case %d of seed %d, %s, %d deaths: %s", n, *seed, r.name, deaths, w)
			}
			c.add(fmt.Sprintf("%s, %d deaths", r.name, deaths), r.power, deaths > 0, v)
			if deaths > 0 || try == 20 {
				return true
			}
		}
	})
	c.log(t)
}
