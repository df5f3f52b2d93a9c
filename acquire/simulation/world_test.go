package simulation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/simulation/memnet"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const (
	host    = "lab-1"
	service = "service.example"
)

// stage is what all worlds share: what costs to make and does not change.
type stage struct {
	tenant *simtenant.Tenant // the mailboxes
	since  time.Time         // long enough before its first activity
	key    trust.Signer
	leaf   tls.Certificate
	roots  *x509.CertPool
	dir    string // for indexes
}

// world is everything that one seed makes.
type world struct {
	*stage
	seed   uint64
	script *script
	plant  plant
	trace  *trace
	clock  *wall
	disk   *disk
	net    *memnet.Network
	tenant *simtenant.Tenant
	server *http.Server
	dir    string
	dec    *warc.Decoder

	runRand, ownRand *random // of acquire, and of the writer

	mu       sync.Mutex
	acks     []acked
	token    string
	edition  int64
	wrong    []string
	heard    map[int][]byte // what the client read of a connection, by its port
	waiting  *wait
	stopping bool
	told     []time.Duration // as announced
	renewals int             // that were asked for
	ends     []time.Time     // when a process ended

	held   holdings
	taken  map[int64]map[string]bool // window → URLs of its pages that stood in the case when the run began
	asked  int                       // requests of the service before the run
	runs   int
	closed bool // the window has closed well
	read   reading
}

// wait is a wait that the product has announced.
type wait struct {
	at time.Time
	d  time.Duration
}

// outcome is what a seed came to.
type outcome struct {
	seed  uint64
	wrong []string
	hash  string
	trace *trace
	plan  *script
	count count

	entries  []*evidence.Entry // of the case in the end
	waits    []time.Duration   // as the product announced them
	renewals int               // of the credential that it asked for
}

// count is what was met, for the record.
type count struct {
	runs, crashes, failures, torn, jumps, interrupted, requests, entries, sealRetries int
	complete, partial, moved                                                          int
	simulated                                                                         time.Duration
}

func (c *count) add(o count) {
	c.runs, c.crashes, c.failures, c.torn, c.jumps = c.runs+o.runs, c.crashes+o.crashes, c.failures+o.failures, c.torn+o.torn, c.jumps+o.jumps
	c.interrupted, c.requests, c.entries, c.sealRetries = c.interrupted+o.interrupted, c.requests+o.requests, c.entries+o.entries, c.sealRetries+o.sealRetries
	c.complete, c.partial, c.moved, c.simulated = c.complete+o.complete, c.partial+o.partial, c.moved+o.moved, c.simulated+o.simulated
}

func (w *world) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace.note("judge", "%s", text)
	w.wrong = append(w.wrong, text)
}

// simulate lives one seed. It must be called in a bubble.
func (s *stage) simulate(seed uint64, p plant) *outcome {
	return s.play(newScript(seed), seed, p)
}

// play lives a script. It must be called in a bubble.
func (s *stage) play(plan *script, seed uint64, p plant) *outcome {
	w := &world{stage: s, seed: seed, script: plan, plant: p, trace: newTrace(), clock: newWall(),
		runRand: newRandom(seed, "acquire"), ownRand: newRandom(seed, "writer"), heard: map[int][]byte{}}
	if p == realChance {
		w.runRand = newRandom(rand.Uint64(), "acquire")
	}
	began := time.Now()
	w.disk = &disk{Folder: crashfs.New(), trace: w.trace, dice: newDice(seed, "disk"), plant: p, notes: map[int64]time.Time{}}
	out := &outcome{seed: seed, trace: w.trace, plan: w.script}
	if err := w.live(&out.count); err != nil {
		w.say("%v", err)
	}
	out.count.simulated = time.Since(began)
	out.wrong, out.hash, out.entries = w.wrong, w.trace.hash(), w.entries()
	out.waits, out.renewals = w.told, w.renewals
	return out
}

func (w *world) live(n *count) error {
	var err error
	if w.dir, err = os.MkdirTemp(w.stage.dir, ""); err != nil {
		return err
	}
	defer os.RemoveAll(w.dir)
	if w.dec, err = warc.NewDecoder(); err != nil {
		return err
	}
	defer w.dec.Close()
	served, err := w.serve()
	if err != nil {
		return err
	}
	defer func() {
		w.server.Close()
		w.net.Cut()
		<-served
	}()
	c, err := w.open(true)
	if err != nil {
		return err
	}
	if err := c.close(); err != nil {
		return err
	}
	w.disk = w.disk.next()
	for _, p := range w.script.runs {
		if w.run(p, n); w.closed {
			break
		}
	}
	if err := w.finish(n); err != nil {
		return err
	}
	w.seal(n)
	w.judge(n)
	return nil
}

// serve starts the service. It outlives every run.
func (w *world) serve() (served chan error, err error) {
	faults, err := simtenant.ParseFaults(w.script.faults)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if w.tenant, err = w.stage.tenant.Again(simtenant.Options{Faults: faults, ContentLength: w.script.sized,
		Now: func() time.Time { return story.Add(time.Since(began)) }}); err != nil {
		return nil, err
	}
	w.token = w.tenant.Token()
	w.net = memnet.New(func(n int) memnet.Weather { return w.script.sky(w.seed, n) }, w.saw)
	w.held = holdings{of: map[string][]string{}, ever: map[string]bool{}}
	w.server = &http.Server{Handler: w.observed(), IdleTimeout: w.script.idle, ErrorLog: log.New(io.Discard, "", 0)}
	served = make(chan error, 1)
	go func() {
		if w.script.tls {
			w.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{w.leaf}, NextProtos: []string{"http/1.1"}}
			served <- w.server.ServeTLS(w.net, "", "")
			return
		}
		served <- w.server.Serve(w.net)
	}()
	return served, nil
}

// saw notes what the client's end of a connection does.
func (w *world) saw(e memnet.Event) {
	w.trace.note(fmt.Sprintf("net %03d %s", e.Conn, e.What), "%d %v", e.N, e.Err)
	if e.What == "read" && e.N > 0 {
		w.mu.Lock()
		w.heard[memnet.ClientPort(e.Conn)] = append(w.heard[memnet.ClientPort(e.Conn)], e.Data...)
		w.mu.Unlock()
	}
	if e.What == "write" || e.What == "dial" || e.What == "refused" {
		w.waited()
	}
}

// waited holds the time that has passed against the wait that was announced last.
func (w *world) waited() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		return
	}
	took, d := time.Since(w.waiting.at), w.waiting.d
	w.waiting = nil
	// What lies between a wait and the next sign of life is a dial at most.
	if took < d || took > d+2*time.Second {
		w.wrong = append(w.wrong, fmt.Sprintf("a wait of %v took %v", d, took))
	}
}

func (w *world) origin() string {
	if w.script.tls {
		return "https://" + service
	}
	return "http://" + service
}

func (w *world) env() casefile.Env {
	return casefile.Env{Now: w.clock.now, Rand: w.runRand, Host: host, Operator: "examiner",
		Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "simulation"}}}
}

// options ask for one mailbox.
func (w *world) options(c acquire.Case, again bool) acquire.Options {
	return acquire.Options{Case: c, Env: w.env(), SpoolDir: w.dir, Source: source{outlook.Source{}, w}, Credential: credential{w}, RootCAs: w.roots, Again: again,
		Gzip: w.script.gzip, Dial: w.net.DialContext, Progress: w.progress, Wait: w.plantedWait(), Retry: w.script.retry,
		Params: acquire.Params{Values: map[string][]string{"base-url": {w.origin()}, "user": {simtenant.Apostrophe},
			"start": {evidence.FormatBound(w.since)}, "end": {"2018-06-11T12:00:00Z"}, "page-size": {strconv.Itoa(w.script.pageSize)}, "order": {w.script.order()}}}}
}

func (w *world) progress(e acquire.Event) {
	w.trace.note("run", "%s chain %d pages %d wait %v %s %s", e.Kind, e.Chain, e.Result.Pages, e.Wait, e.Reason, e.Text)
	if e.Kind == acquire.EventWait {
		w.waits(&wait{time.Now(), e.Wait})
		w.told = append(w.told, e.Wait)
	} else {
		w.waits(nil)
	}
}

// waits notes the wait that is announced, or that there is none, or that it will be cut short.
func (w *world) waits(announced *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting = announced; w.stopping {
		w.waiting = nil
	}
}

// stops notes that the run is told to stop, from when on waits are cut short, or that another one begins.
func (w *world) stops(now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.stopping = nil, now
}

// longest is what one run may take. Patience is bounded to two hours, and so is each of some hundred exchanges, to minutes.
const longest = 12 * time.Hour

// run lives one run with what the script has for it, from opening the case to what is left of it.
func (w *world) run(p runPlan, n *count) {
	w.runs++
	n.runs++
	w.trace.note("run", "run %d: %+v", w.runs, p)
	if p.before != (jump{}) {
		w.clock.jump(p.before)
		n.jumps++
	}
	if p.lose {
		if err := os.Remove(w.indexPath()); err != nil {
			w.say("%v", err)
		}
	}
	if p.twice {
		w.openTwice()
	}
	w.before()
	w.disk.arm(p.disk)
	c, ok := w.openOrDie()
	if ok {
		res, err := w.acquire(c, p, n)
		cerr := c.close()
		w.trace.note("run", "ends: %+v, %v, %v", res, err, cerr)
		w.ended(res, err, cerr, n)
	}
	if w.disk.struck() {
		n.failures++
		if w.disk.Crashed() {
			n.crashes++
		}
	}
	w.died()
}

// openOrDie opens the case. That fails only where the disk does.
func (w *world) openOrDie() (*openCase, bool) {
	before := w.disk.Files()
	c, err := w.open(false)
	if err != nil {
		w.trace.note("case", "cannot be opened: %v", err)
		if !w.disk.struck() {
			w.say("cannot be opened: %v", err)
		}
		return nil, false
	}
	w.nothingLost(before)
	return c, true
}

// acquire runs with stops, cancels and a clock that is set.
func (w *world) acquire(c *openCase, p runPlan, n *count) (*acquire.Result, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	var timers []*time.Timer
	defer func() {
		for _, t := range timers {
			t.Stop()
		}
	}()
	if p.stop > 0 {
		timers = append(timers, time.AfterFunc(p.stop, func() { w.stops(true); close(stop) }))
	}
	if p.cancel > 0 {
		timers = append(timers, time.AfterFunc(p.cancel, func() { w.stops(true); cancel() }))
	}
	for _, j := range p.jumps {
		timers = append(timers, time.AfterFunc(j.after, func() { w.clock.jump(j) }))
		n.jumps++
	}
	o := w.options(c, w.plant == askAnew && w.runs > 1)
	o.Stop = stop
	began := time.Now()
	res, err := w.untilStill(ctx, o, n)
	if took := time.Since(began); took > longest {
		w.say("a run took %v", took)
	}
	interrupted := errors.Is(err, acquire.ErrInterrupted)
	if interrupted {
		n.interrupted++
	}
	select {
	case <-stop:
	default:
		if interrupted && ctx.Err() == nil {
			w.say("nobody interrupted the run: %v", err)
		}
	}
	return res, err
}

// untilStill acquires as the program does: again, in another window, as long as rows arrived where a run had been.
func (w *world) untilStill(ctx context.Context, o acquire.Options, n *count) (*acquire.Result, error) {
	return acquire.RunUntilStill(ctx, o, func(earlier *acquire.Result) {
		w.trace.note("run", "window %d is asked anew", earlier.Window)
		n.moved++
	})
}

// ended holds what a run said of itself against what happened to it (I5).
func (w *world) ended(res *acquire.Result, err, cerr error, n *count) {
	struck := w.disk.struck()
	switch {
	case err != nil && !struck && !errors.Is(err, acquire.ErrInterrupted) && !errors.Is(err, acquire.ErrAuth):
		w.say("the disk is sound and the run ends with %v", err)
	case cerr != nil && !struck:
		w.say("the disk is sound and closing ends with %v", cerr)
	case err == nil && struck && cerr == nil:
		w.trace.note("judge", "what failed was not needed")
	}
	if res != nil && err == nil && (res.State == evidence.Complete || res.State == evidence.Empty) {
		w.complete(res)
		w.closed = cerr == nil
	}
}

// died goes over to what the next process finds, and checks it (I7).
func (w *world) died() {
	w.stops(false)
	if w.disk.struck() { // from there on the process could do nothing
		w.ends = append(w.ends, w.disk.hitAt)
	}
	w.ends = append(w.ends, time.Now())
	if w.disk.Crashed() {
		w.net.Cut()
	}
	w.disk = w.disk.next()
	w.asks()
	w.incomplete("after run " + strconv.Itoa(w.runs))
	time.Sleep(newDice(w.seed, "pause "+strconv.Itoa(w.runs)).between(time.Second, time.Hour))
}

// finish goes on in peace until the window has closed well, or says that it never will.
func (w *world) finish(n *count) error {
	again := false
	for k := 0; !w.closed; k++ {
		if k == 14 {
			return errNotEnded
		}
		w.runs++
		n.runs++
		w.trace.note("run", "run %d in peace", w.runs)
		w.before()
		c, ok := w.openOrDie()
		if !ok {
			return errNotEnded
		}
		res, err := w.untilStill(context.Background(), w.options(c, again), n)
		again = false
		cerr := c.close()
		w.trace.note("run", "ends: %+v, %v, %v", res, err, cerr)
		w.ended(res, err, cerr, n)
		w.died()
		n.partial++
		// A page whose content stays wrong leaves its window partial for good.
		again = w.script.bent && k >= 3 && res != nil && res.State == evidence.Partial
	}
	n.complete++
	return nil
}

// seal seals, with failures first.
func (w *world) seal(n *count) {
	for k, p := range append(w.script.seals, diskPlan{}) {
		w.disk.arm(p)
		c, err := w.open(false)
		if errors.Is(err, evidence.ErrSealed) {
			return // the attempt before got through before it died
		}
		if err == nil {
			err = c.seal(context.Background())
			cerr := c.close()
			w.trace.note("case", "seal %d: %v, %v", k+1, err, cerr)
			if err == nil && cerr != nil && !w.disk.struck() {
				w.say("sealed, and closing ends with %v", cerr)
			}
		}
		struck := w.disk.struck()
		if err != nil && !struck {
			w.say("cannot be sealed: %v", err)
		}
		if struck {
			n.sealRetries++
		}
		said := err == nil
		w.disk = w.disk.next()
		switch sealed := evidence.IsSealed(w.disk.FS()); {
		case said && !sealed:
			w.say("the seal was reported and is not there")
		case !sealed:
			w.incomplete("after a seal that failed")
		default:
			return
		}
	}
	w.say("the case is not sealed in the end")
}
