package simulation

import (
	"fmt"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simulation/memnet"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
)

// script is what a seed draws before anything happens.
type script struct {
	tls, gzip, sized bool
	pageSize         int
	faults           string // of the service, by ordinal of the request
	newest           bool   // the newest rows are asked for first
	arrives          bool   // rows come while the window is asked for
	vanishes         bool   // rows go
	bent             bool   // pages whose content is wrong come
	idle             time.Duration
	runs             []runPlan
	seals            []diskPlan // attempts at sealing that may fail
	weather          weatherPlan
	renewal          renewal       // of the credential, in the first run
	retry            acquire.Retry // zero for what the product takes
}

// renewal is what comes of a credential that is to be renewed.
type renewal int

// Renewals. The first works.
const (
	renewed renewal = iota
	noNewer
	renewalFails
	newIsRefused
)

// runPlan is what one run meets.
type runPlan struct {
	disk         diskPlan
	stop, cancel time.Duration // after its begin; 0 for never
	before       jump          // of the clock, before it
	jumps        []jump
	lose         bool // the index is lost before it
	twice        bool // the case is opened and closed twice before it
}

// jump sets the wall clock, by a duration or to a time.
type jump struct {
	after, by time.Duration
	to        time.Time
}

// weatherPlan says how bad the network is, in percent of connections.
type weatherPlan struct {
	refused, lost, up, down int
	quickest, slowest       time.Duration // of a segment
	small                   int           // most bytes of a segment
}

// ordinals is how many requests of the service may meet a fault; later ones never do.
const ordinals = 40

func newScript(seed uint64) *script {
	d := newDice(seed, "script")
	s := &script{tls: d.chance(10), gzip: d.chance(20), sized: d.chance(30), pageSize: pick(d, 7, 9, 12, 17, 23, 36), idle: d.between(5*time.Second, 10*time.Minute)}
	s.drawFaults(d)
	for range d.number(1, 4) {
		s.runs = append(s.runs, drawRun(d))
	}
	for range d.number(0, 2) {
		s.seals = append(s.seals, drawDisk(d, 40))
	}
	s.weather = weatherPlan{quickest: time.Millisecond, slowest: time.Millisecond * time.Duration(pick(d, 5, 80, 700)), small: pick(d, 300, 1500, 9000)}
	if d.chance(60) {
		s.weather.refused, s.weather.lost, s.weather.up, s.weather.down = d.IntN(20), d.IntN(8), d.IntN(15), d.IntN(35)
	}
	return s
}

// drawFaults draws what the service does wrong.
func (s *script) drawFaults(d dice) {
	if d.chance(15) {
		return
	}
	var faults []string
	moving := d.IntN(4) // nothing, vanishes, or rows arrive
	whole := moving > 1 && d.chance(60)
	for range d.number(1, 8) {
		n := d.number(1, ordinals/2)
		place := fmt.Sprint(n)
		if d.chance(20) {
			place = fmt.Sprintf("%d-%d", n, n+d.number(1, 5))
		}
		var f string
		switch d.IntN(14) {
		case 0, 1:
			f = fmt.Sprintf("%d@%s:retry-after=%s", pick(d, 429, 503), place, drawRetryAfter(d))
		case 2:
			f = fmt.Sprintf("%d@%s", pick(d, 500, 502, 503, 504, 408), place)
		case 3, 4:
			f = fmt.Sprintf("cut@%s:%d", place, d.IntN(12_000))
		case 5:
			f = "reset@" + place
		case 6:
			f = fmt.Sprintf("hang@%d", n)
		case 7:
			f = fmt.Sprintf("slow@%s:%dms", place, d.number(1, 90_000))
		case 8:
			f = "expire@" + fmt.Sprint(n)
		case 9, 10:
			if whole {
				continue
			}
			f, s.bent = fmt.Sprintf("%s@%s", pick(d, "badjson", "errorrow", "repeat"), place), true
		case 11:
			f = fmt.Sprintf("empty200@%d", n)
		default:
			switch moving {
			case 0:
				f = "401@" + fmt.Sprint(n)
			case 1:
				f, s.vanishes = fmt.Sprintf("vanish@%d:%d", n, d.number(1, 30)), true
			default:
				f = s.drawArrival(d, place)
			}
		}
		faults = append(faults, f)
	}
	if s.arrives = moving > 1; s.arrives {
		for range d.number(1, 4) { // amid the first window, or for as long as it goes on
			n := d.number(2, rows/s.pageSize+2)
			faults = append(faults, s.drawArrival(d, pick(d, fmt.Sprint(n), fmt.Sprint(n), fmt.Sprintf("%d-%d", n, n+d.number(1, 25)))))
		}
	}
	s.faults = strings.Join(faults, ",")
	s.newest = d.chance(20) && !s.vanishes // rows that go where a run has been leave no sign
}

// order is how rows are asked for.
func (s *script) order() string {
	if s.newest {
		return "TimeStamp desc"
	}
	return "TimeStamp asc"
}

// drawArrival lets a few rows come, or a page, or more: behind all, before all, or among those that are there.
func (s *script) drawArrival(d dice, place string) string {
	return fmt.Sprintf("%s@%s:%d", pick(d, "arrive", "early", "late"), place, pick(d, d.number(1, 3), d.number(1, 12), d.number(1, 30), s.pageSize))
}

func drawRetryAfter(d dice) string {
	return pick(d, "0", "-1", "1", "7", "120", "299", "315360000", "date+30", "date-30", "date+86400", "garbage", "none")
}

func drawRun(d dice) runPlan {
	var p runPlan
	if d.chance(70) {
		p.disk = drawDisk(d, 55)
	}
	if d.chance(25) {
		p.stop = soon(d)
	}
	if d.chance(25) {
		p.cancel = soon(d)
	}
	if d.chance(20) {
		p.before.by = drawJump(d)
	}
	for d.chance(50) {
		p.jumps = append(p.jumps, jump{after: soon(d), by: drawJump(d)})
	}
	p.lose, p.twice = d.chance(15), d.chance(25)
	return p
}

// soon is when something happens in a run: as likely amid a page as amid a long wait.
func soon(d dice) time.Duration {
	return d.between(1, pick(d, 100*time.Millisecond, time.Second, 5*time.Second, 30*time.Second, 3*time.Minute))
}

func drawJump(d dice) time.Duration {
	const year = 365 * 24 * time.Hour
	return pick(d, -10*year, -30*year, 8*year, 20*year, 100*year, -time.Hour, time.Hour, -time.Second, time.Second, -24*time.Hour, 90*time.Second, -10*time.Minute)
}

func drawDisk(d dice, operations int) diskPlan {
	return diskPlan{fate: fate(d.number(0, int(sticky))), at: d.IntN(operations), left: pick(d, crashfs.Nothing, crashfs.Half, crashfs.Everything), off: d.chance(50)}
}

// sky is what the n-th connection meets. Each direction has a stream of its own.
func (s *script) sky(seed uint64, n int) memnet.Weather {
	d := newDice(seed, fmt.Sprintf("connection %d", n))
	p := s.weather
	w := memnet.Weather{Dial: d.between(p.quickest, 2*p.slowest), Refused: d.chance(p.refused), Lost: d.chance(p.lost),
		Up: s.line(newDice(seed, fmt.Sprintf("up %d", n))), Down: s.line(newDice(seed, fmt.Sprintf("down %d", n)))}
	if d.chance(p.up) {
		w.Up.Break, w.Up.After = pick(d, memnet.Finish, memnet.Reset, memnet.Silence), d.Int64N(3000)
	}
	if d.chance(p.down) {
		w.Down.Break, w.Down.After = pick(d, memnet.Finish, memnet.Reset, memnet.Silence), d.Int64N(60_000)
	}
	return w
}

func (s *script) line(d dice) memnet.Line {
	p := s.weather
	return memnet.Line{
		Delay: func() time.Duration { return d.between(p.quickest, p.slowest) },
		Size:  func() int { return d.number(1, p.small) },
	}
}

// String is one line for whoever looks at a failure.
func (s *script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tls %v, gzip %v, %s, pages of %d, faults %q, network %+v", s.tls, s.gzip, s.order(), s.pageSize, s.faults, s.weather)
	for i, r := range s.runs {
		fmt.Fprintf(&b, "; run %d: %s at %d, stop %v, cancel %v, clock %v %v, index lost %v", i+1, r.disk.fate, r.disk.at, r.stop, r.cancel, r.before, r.jumps, r.lose)
	}
	for _, p := range s.seals {
		fmt.Fprintf(&b, "; seal: %s at %d", p.fate, p.at)
	}
	return b.String()
}
