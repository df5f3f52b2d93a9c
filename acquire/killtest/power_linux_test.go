package killtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	powerFull  = flag.Bool("power.full", false, "the whole campaign: 1,000 losses of power, and one at every point of a seal")
	powerCases = flag.Int("power.cases", 0, "so many losses of power at random times; 0 for 20, or 1,000 with -power.full")
)

// mounts are the options of the disks: the default; a journal that is written each second; and bytes of files that the journal does not wait for.
func mounts() []string { return []string{"", "commit=1", "data=writeback"} }

// losses are what is lost: everything since the last sync; or the bytes of files alone, because the journal was just being written.
func losses() []loss { return []loss{lossAll, lossBytes} }

// poweredRides are what goes on when the power fails: mostly the program as it is.
func poweredRides() []ride {
	return []ride{
		{name: "the program", base: "new", phase: phaseWork},
		{name: "a new case", base: "none", phase: phaseNew},
		{name: "the program, many chains", base: "new", phase: phaseWork, of: many},
		{name: "small segments", base: "new", phase: phaseAcquire},
		{name: "resume", base: "killed", phase: phaseRun},
	}
}

// outage is a loss of power at a time.
type outage struct {
	ride
	mount string
	how   loss
	plant plant
	share float64 // of the time that the ride takes undisturbed, after which the power fails; at its end at the latest
}

// outageOf draws the n-th outage of some rides.
func outageOf(n uint64, rides []ride) outage {
	random := rand.New(rand.NewPCG(*seed, n))
	return outage{ride: rides[n%uint64(len(rides))], mount: mounts()[n%3], how: losses()[random.IntN(2)], share: 0.05 + 1.3*random.Float64()}
}

func (o outage) String() string {
	return fmt.Sprintf("%s, mounted with %q, %s", o.name, o.mount, o.how)
}

// onDisk lets something happen to a copy of a base on a disk that loses its power, restarts the disk and judges what is left.
func (s *service) onDisk(ctx context.Context, sc scene, mount string, happen func(*disk, *judge) error) (*judge, error) {
	b, err := s.base(sc.base)
	if err != nil {
		return nil, err
	}
	d, err := s.plug(b, mount)
	if err != nil {
		return nil, err
	}
	v := &judge{service: s, dir: d.dir, from: len(s.Requests()), of: sc.of, unmade: sc.base == "none"}
	if err := errors.Join(happen(d, v), d.restart()); err != nil {
		return nil, errors.Join(err, d.unplug())
	}
	v.all(ctx)
	return v, d.unplug()
}

// suffer lets a ride suffer an outage. amid tells whether the power failed before its end.
func (s *service) suffer(ctx context.Context, o outage) (v *judge, amid bool, err error) {
	length, err := s.length(o.ride)
	if err != nil {
		return nil, false, err
	}
	v, err = s.onDisk(ctx, scene{base: o.base, of: o.of}, o.mount, func(d *disk, v *judge) error {
		j := o.job(d.dir)
		j.Plant = o.plant
		cmd, stderr, err := s.command(j)
		if err != nil {
			return err
		}
		l := &life{s: s, disk: d}
		amid, err = cutAfter(cmd, time.Duration(o.share*float64(length)), func() error { return l.end(o.how) })
		if err = ending(err, stderr); amid || o.plant != "" {
			var exit *exitError
			if errors.Is(err, errKilled) || errors.As(err, &exit) { // the end of the disk came first
				err = nil
			}
		}
		return errors.Join(err, l.forget(v))
	})
	return v, amid, err
}

// life is what a machine did until its power failed. What its process still does while the disk alone is dead, a machine without power would not have done: it counts
// for nothing. In one of a hundred cases a sync that is under way at that moment succeeds although its bytes are lost.
type life struct {
	s     *service
	disk  *disk
	acks  int64
	asked int
}

// end ends the life and takes the power.
func (l *life) end(how loss) error {
	info, err := os.Stat(acksIn(l.disk.dir))
	if err == nil {
		l.acks = info.Size()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.asked = len(l.s.Requests())
	return cutPower(caseIn(l.disk.dir), how)
}

// forget forgets what came after the end.
func (l *life) forget(v *judge) error {
	v.after = [2]int{l.asked, len(l.s.Requests())}
	err := os.Truncate(acksIn(l.disk.dir), l.acks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// cutAfter runs a command, cuts its power after a time, or at its end, and kills it then. amid tells whether that was before its end.
func cutAfter(cmd *exec.Cmd, in time.Duration, cut func() error) (amid bool, err error) {
	if err := cmd.Start(); err != nil {
		return false, err
	}
	var once sync.Once
	var cutErr error
	fired := make(chan struct{})
	timer := time.AfterFunc(in, func() {
		defer close(fired)
		once.Do(func() { amid, cutErr = true, cut() })
		_ = cmd.Process.Kill() // it may have ended
	})
	err = cmd.Wait()
	if !timer.Stop() {
		<-fired
	}
	once.Do(func() { cutErr = cut() })
	if cutErr != nil {
		return amid, fmt.Errorf("cutting the power: %w", cutErr)
	}
	return amid, err
}

// TestPowerLost is row F4: the disk loses its power at a random time.
func TestPowerLost(t *testing.T) {
	needDisks(t)
	cases := 20
	if *powerFull {
		cases = 1000
	}
	if *powerCases > 0 {
		cases = *powerCases
	}
	t.Logf("%d losses of power, seed %d (-kill.seed); -power.full tries 1,000", cases, *seed)
	sufferAll(t, cases, poweredRides())
}

// sufferAll tries the first outages of some rides.
func sufferAll(t *testing.T, cases int, rides []ride) {
	c := newCount()
	each(t, upTo(cases), func(s *service, n uint64) bool {
		o := outageOf(n, rides)
		v, amid, err := s.suffer(t.Context(), o)
		if err != nil {
			t.Errorf("case %d of seed %d, %s: %v", n, *seed, o, err)
			return true
		}
		for _, w := range v.wrong {
			t.Errorf("case %d of seed %d, %s: %s", n, *seed, o, w)
		}
		c.outage(o.name, o.mount, o.how, amid, v)
		return true
	})
	c.log(t)
}

// TestPowerLostInSeal is row F5: the disk loses its power at every point of a seal, and at random times of the program's own.
func TestPowerLostInSeal(t *testing.T) {
	needDisks(t)
	all := sealOutages(t)
	list, cases := all, 50
	if !*powerFull {
		list, cases = nil, 3
		for i := 0; i < len(all); i += 31 {
			list = append(list, all[i])
		}
	}
	t.Logf("%d of %d points, and %d random times; -power.full tries all points and 50 times", len(list), len(all), cases)
	c := newCount()
	each(t, list, func(s *service, o sealOutage) bool {
		v, err := s.sealWith(t.Context(), o, "")
		if err != nil {
			t.Errorf("%s: %v", o, err)
			return true
		}
		for _, w := range v.wrong {
			t.Errorf("%s: %s", o, w)
		}
		c.outage("at a point", o.mount, o.how, true, v)
		return true
	})
	c.log(t)
	sufferAll(t, cases, []ride{{name: "seal", base: "acquired", phase: phasePack}})
}

// sealOutage is a loss of power at a point of a seal.
type sealOutage struct {
	death
	mount string
	how   loss
}

func (o sealOutage) String() string {
	return fmt.Sprintf("hit %d of %q, mounted with %q, %s", o.hit, o.at, o.mount, o.how)
}

func sealOutages(t *testing.T) (all []sealOutage) {
	t.Helper()
	points, err := newService(t).deaths(scene{name: "seal", phase: phaseSeal, base: "acquired"})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range points {
		for k, how := range losses() {
			all = append(all, sealOutage{p, mounts()[(i+k)%3], how})
		}
	}
	if len(all) < 200 {
		t.Errorf("%d losses of power in a seal, at least 200 are wanted", len(all))
	}
	return all
}

// sealWith lets a child seal a case and cut the power at a point.
func (s *service) sealWith(ctx context.Context, o sealOutage, p plant) (*judge, error) {
	return s.onDisk(ctx, o.scene, o.mount, func(d *disk, _ *judge) error {
		err := s.run(job{Phase: o.phase, At: o.at, Hit: o.hit, Cut: o.how, Plant: p}.in(d.dir))
		if errors.Is(err, errKilled) {
			return nil
		}
		return fmt.Errorf("the child lived: %w", err)
	})
}

// TestPowerHarnessCatches plants a writer that does not sync its segments.
func TestPowerHarnessCatches(t *testing.T) {
	needDisks(t)
	s := newService(t)
	caughtAfter(t, limit, func(i int) (*judge, error) {
		o := outageOf(uint64(i), []ride{{name: "small segments", base: "new", phase: phaseAcquire}})
		o.plant = plantNoBytes
		v, _, err := s.suffer(t.Context(), o)
		return v, err
	})
}

// TestPowerInSealHarnessCatches plants seals that skip syncs. The losses of power at the steps where that can show must bring each to light.
func TestPowerInSealHarnessCatches(t *testing.T) {
	needDisks(t)
	all := sealOutages(t)
	rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range []struct {
		name  string
		plant plant
		step  string
	}{
		{"names are not synced", plantNoNames, "acknowledge seal"},
		{"package.note is synced, and not what it speaks for", plantNoteFirst, "package.note"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			list := slices.DeleteFunc(slices.Clone(all), func(o sealOutage) bool { return !strings.Contains(string(o.at), c.step) })
			caughtAfter(t, len(list), func(i int) (*judge, error) { return s.sealWith(t.Context(), list[i], c.plant) })
		})
	}
}
