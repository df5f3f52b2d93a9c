package acquire

import (
	"context"
	"crypto/x509"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/pause"
	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
)

var (
	// ErrInterrupted says that a run was stopped before its window was closed. The same acquisition goes on from there.
	ErrInterrupted = errors.New("acquisition is interrupted")
	// ErrAuth says that the credentials were refused, or lack the right.
	ErrAuth = errors.New("authentication or permission failed")
)

// Case is what Run needs of an open case; [casefile.Case] is one. All methods may be called concurrently.
type Case interface {
	// Append adds an entry and returns when it is durable.
	Append(context.Context, *evidence.Draft) (*evidence.Entry, error)
	// Index is the ledger's index, caught up with all that was appended before the call.
	Index(context.Context) (*ledger.Ledger, error)
	// Files are the case folder's, for reading kept pages back.
	Files() fs.FS
}

// Credential authorizes requests. Its methods may be called concurrently.
type Credential interface {
	// Authorization is the value of the header for one request, and the edition of the secret in it.
	Authorization(context.Context) (value string, edition int64, err error)
	// Renew gets another secret after that edition was refused, for all who ask at once together. It reports whether there
	// is a newer one than that edition.
	Renew(ctx context.Context, edition int64) (bool, error)
}

// Options say what to acquire and how. Case, Env, Source and SpoolDir are required.
type Options struct {
	Case     Case
	Env      casefile.Env
	SpoolDir string // for large answers: a folder that is never packed

	Source Source
	Params Params // Now is taken from Env
	Again  bool   // start another window although this acquisition has one
	// Confirmed is how a person agreed that content is read, for sources that read it; run-start says so. Empty for one that was not asked.
	Confirmed string

	Credential Credential     // nil for none
	RootCAs    *x509.CertPool // nil for the system's
	Proxy      *url.URL       // nil for none
	Gzip       bool           // accept gzip; the stored bytes are as they came
	Dial       func(ctx context.Context, network, addr string) (net.Conn, error)

	Parallel int // chains that are worked on at once; 0 for 1, at most 64
	Retry    Retry

	// Budgets of one run. When one is spent the window is partial and the next run goes on.
	MaxPages int64         // pages taken; 0 for 1,000,000
	MaxBytes int64         // recorded, before compression and with 8 KiB for each entry; 0 for no bound. An answer that would pass it is broken off; of several chains each may pass it once
	MaxTime  time.Duration // from the first request on; waits and answers under way are broken off then; 0 for no bound

	// Stop, when it is closed, ends the run in order: requests in flight are finished and recorded, waits are cut short. To cancel the
	// context of Run breaks requests off; they are recorded as cancelled.
	Stop <-chan struct{}
	// Stamps has heads stamped at the opening, every 15 minutes and at the stop; nobody waits for it but the stop. May be nil.
	Stamps Stamper
	// Progress is told what happens, one call at a time. It must return soon. May be nil.
	Progress func(Event)
	// Wait lets d pass, or returns the context's error if that ends first. nil waits on a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Result is how a window stands after a run.
type Result struct {
	Run       string // id; empty if there was nothing to do
	Window    int64
	Source    string
	User      string
	From, To  string
	State     string // as in a window entry; evidence.Opened if the run was interrupted
	Reason    string
	Text      string
	Requests  int64 // exchanges in the window, all runs
	Pages     int64 // taken
	Records   int64 // counted on them
	Asked     int64 // exchanges of this run
	Continued bool  // the window had been opened by an earlier run
	Finished  bool  // an earlier run had completed it: nothing was asked
}

// Event is one step of a run, for whoever watches it.
type Event struct {
	Kind    string  // EventWindow, EventPage, EventRetry, EventWait, EventChain
	Result  Result  // as it stands
	Chains  int64   // of the plan
	Ended   int64   // chains that came to their end
	Chain   int64   // that the event is about
	Covered float64 // share of the window behind the chain's page, 0 to 1; 0 if that cannot be told
	Bytes   int64   // received in this run
	Elapsed time.Duration
	Wait    time.Duration // that is about to pass
	Reason  string        // of a retry or wait, or of how a chain ended
	Text    string
}

// Kinds of events.
const (
	EventWindow = "window" // the window is open, or was closed
	EventPage   = "page"   // a page was taken
	EventRetry  = "retry"  // an answer brought no page and is asked for again
	EventWait   = "wait"   // time is let pass before that
	EventChain  = "chain"  // a chain has ended
)

const defaultMaxPages = 1_000_000

func (o *Options) defaults() error {
	switch {
	case o.Case == nil || o.Source == nil || o.SpoolDir == "" || o.Env.Now == nil || o.Env.Rand == nil:
		return errors.New("options without case, environment, source or spool folder")
	case o.Parallel < 0 || o.Parallel > 64:
		return &UsageError{"parallel", "is no number from 1 to 64"}
	}
	o.Parallel = max(o.Parallel, 1)
	if o.Params.Open == nil {
		o.Params.Open = func(name string) (io.ReadCloser, error) { return os.Open(name) }
	}
	o.Retry.defaults()
	if o.MaxPages <= 0 {
		o.MaxPages = defaultMaxPages
	}
	if o.Wait == nil {
		o.Wait = pause.For
	}
	return nil
}

// run is one execution of [Run].
type run struct {
	o        Options
	id       string
	began    time.Time
	plan     *Plan
	window   *window
	sink     *sink
	recorder *wire.Recorder
	index    *ledger.Ledger
	patience patience
	seed     maphash.Seed
	slots    *slots
	reading  *reading

	quit     context.Context // ends when no new request may be made: stop, cancel, halt
	giveUp   context.CancelFunc
	stopped  atomic.Bool  // by Stop or by the context: the window stays open
	pages    atomic.Int64 // taken in this run
	progress sync.Mutex

	mu            sync.Mutex
	authorization string   // last value
	scrubber      scrubber // knows all values so far
	claims        []evidence.Pair
	halt          *PageError // why all chains end
	fatal         error      // the container, or the credential, cannot go on
}

// Run acquires. It continues the window of the same acquisition, if there is one that is not complete, or opens one; asks until each chain has ended; and closes the window.
//
// It returns a Result whenever a window was opened or found, also beside an error. The error is nil if the window was closed or had been finished before, however it
// ended; it matches [ErrInterrupted] if the run was stopped, and [ErrAuth] if the window was closed because credentials or rights do not suffice. A [*UsageError] comes before anything
// is written or asked. After any other error nothing can be appended any more, or the answer of a local part failed.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	r := &run{o: o, began: o.Env.Now(), seed: maphash.MakeSeed(), slots: newSlots(o.Parallel), reading: newReading(),
		patience: patience{retry: o.Retry, wait: o.Wait, rand: o.Env.Rand, left: o.Retry.Total}}
	r.scrubber.learn(wire.ProxyAuthorization(o.Proxy))
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if r.window.finished() && !o.Again {
		res := r.window.result()
		res.Continued, res.Finished = true, true
		return &res, nil
	}
	var err error
	if r.id, err = evidence.NewID(o.Env.Rand); err != nil {
		return nil, err
	}
	keep := context.WithoutCancel(ctx) // entries are appended although the run is cancelled
	if err := r.start(keep); err != nil {
		return nil, err
	}
	stamped := r.stampBeside(ctx)
	err = r.work(ctx)
	reason := r.close(keep, &err)
	err = errors.Join(err, stamped(), r.stop(keep, reason))
	err = r.stampStop(ctx, err)
	res := r.window.result()
	res.Run, res.Asked = r.id, r.sink.counter
	return &res, err
}

// work runs the chains.
func (r *run) work(ctx context.Context) error {
	defer r.watchStop(ctx)()
	timed, cancel := r.limitTime(ctx)
	defer cancel()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range r.lanes() {
		workers.Go(func() {
			for !r.over() {
				n := next.Add(1) - 1
				if n >= r.plan.Chains {
					return
				}
				// An error that comes with a cancelled context is that. If the container cannot go on either, run-stop meets it again.
				if err := r.chain(timed, n); err != nil && timed.Err() == nil {
					r.fail(err)
				}
			}
		})
	}
	workers.Wait()
	err := r.recorder.Close()
	if r.fatal == nil {
		err = errors.Join(err, r.rest(ctx, min(next.Load(), r.plan.Chains)))
	}
	for _, b := range r.recorder.Strays() {
		err = errors.Join(err, r.sink.stray(context.WithoutCancel(ctx), b))
	}
	return errors.Join(r.fatal, err)
}

// shortLanes is how many short chains are worked on for each request at once.
const shortLanes = 8

// lanes is how many chains are worked on at once. It is more than the requests at once where chains are short: while one waits for the disk, another asks.
// Not so under a budget, which each lane may pass.
func (r *run) lanes() int64 {
	n := int64(r.o.Parallel)
	if r.plan.Short && r.o.MaxBytes == 0 && r.o.MaxPages == defaultMaxPages {
		n *= shortLanes
	}
	return min(n, r.plan.Chains)
}

// rest counts what earlier runs took in the chains from n on, which this one did not come to. It fails with ErrInterrupted if the run is stopped meanwhile.
func (r *run) rest(ctx context.Context, n int64) error {
	if r.window.old == nil || r.stopped.Load() || ctx.Err() != nil {
		return nil
	}
	for ; n < r.plan.Chains; n++ {
		c, why, err := r.load(ctx, n)
		if r.over() && (r.stopped.Load() || ctx.Err() != nil) {
			return ErrInterrupted
		}
		if err != nil {
			return err
		}
		if c == nil {
			r.window.end(n, why)
		}
	}
	return nil
}

// watchStop makes quit end when the run is to stop. The function that it returns ends the watch.
func (r *run) watchStop(ctx context.Context) func() {
	r.quit, r.giveUp = context.WithCancel(ctx)
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-r.o.Stop:
			r.stopped.Store(true)
			r.giveUp()
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		<-done
		if ctx.Err() != nil {
			r.stopped.Store(true)
		}
		r.giveUp()
	}
}

// over reports whether no new request may be made. It asks Stop itself, so that nothing is asked after it was closed.
func (r *run) over() bool {
	select {
	case <-r.o.Stop:
		r.stopped.Store(true)
		r.giveUp()
	default:
	}
	return r.quit.Err() != nil
}

// fail ends the run with an error.
func (r *run) fail(err error) {
	r.mu.Lock()
	if r.fatal == nil {
		r.fatal = err
	}
	r.mu.Unlock()
	r.giveUp()
}

// haltAll ends all chains for one reason: going on would give the same answer again.
func (r *run) haltAll(why *PageError) {
	r.mu.Lock()
	if r.halt == nil {
		r.halt = why
	}
	r.mu.Unlock()
	r.giveUp()
}
