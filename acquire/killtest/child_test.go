package killtest

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// childJob is the variable that tells the test program to be a child, and what it has to do.
const childJob = "EXHIBIT_TEST_KILL_JOB"

// phase is what a child does.
type phase string

const (
	phaseAcquire phase = "acquire" // open, acquire to the end, close
	phaseResume  phase = "resume"  // the same, on a case that an earlier process was killed in
	phaseSeal    phase = "seal"    // open, seal, close
	phaseRecover phase = "recover" // open, close, on a case that needs recovery

	// As the program does it, through casefile and acquire.Seal, without points to die at.
	phaseWork    phase = "work"     // open, acquire, close, open, seal, close
	phaseRun     phase = "run"      // open, acquire, close
	phasePack    phase = "pack"     // open, seal, close
	phaseHold    phase = "hold"     // as run, but after Pages pages it says so and waits for the end of standard input
	phaseNew     phase = "new"      // make the case, then as work
	phaseHoldNow phase = "hold-now" // open, say so, wait for the end of standard input, seal, close
)

// plant is a bug that a child has on purpose.
type plant string

const (
	plantNoSync    plant = "no-sync"     // Sync does nothing
	plantNoBytes   plant = "no-bytes"    // Sync of a segment does nothing
	plantNoNames   plant = "no-names"    // Sync of a folder does nothing
	plantNoteFirst plant = "note-first"  // a seal syncs package.note and not the files that it speaks for
	plantIndexHead plant = "index-ahead" // the index takes a batch in before its bytes are synced
	plantNoStop    plant = "no-stop"     // what asks to stop ends the process at once, with an exit code that says otherwise
	plantEarlyAck  plant = "early-ack"   // an entry is acknowledged before it is written
)

// job is what a child does, and where it dies.
type job struct {
	Phase phase
	Dir   string // the case
	Acks  string // file that acknowledgements are appended to
	Seen  string // file that gets a line for each point; "" for none
	URL   string // of the service
	CA    string // file with its certificate
	Token string // file with the token
	Power bool   // what is not synced dies with the process
	Cut   loss   // the disk that the case is on loses power when the child dies
	At    point  // "" for nowhere
	Hit   int
	Plant plant
	Pages int64 // for phaseHold
	Of    target
}

// child is a process that does a job. Its exit code is 0, exitLocked or exitFailed, if it lives.
const (
	exitFailed      = 1
	exitLocked      = 3
	exitInterrupted = 6 // of the program, too
)

func child(text string) int {
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.do(context.Background())
	}
	var locked *casefile.LockedError
	switch {
	case errors.As(err, &locked):
		fmt.Fprintln(os.Stderr, err)
		return exitLocked
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

func (j *job) do(ctx context.Context) error {
	if j.Plant == plantNoStop {
		go hurry()
	}
	acks, err := os.OpenFile(j.Acks, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer acks.Close()
	switch j.Phase {
	case phaseWork, phaseNew, phaseRun, phasePack, phaseHold, phaseHoldNow:
		return j.asProgram(ctx, acks)
	}
	c, err := j.open(ctx, acks)
	if err != nil {
		return err
	}
	switch j.Phase {
	case phaseSeal:
		err = c.seal(ctx)
	case phaseAcquire, phaseResume:
		var run acquire.Case = c
		if j.Plant == plantEarlyAck {
			run = &hasty{c}
		}
		_, err = j.run(ctx, run, nil)
	}
	return errors.Join(err, c.close(ctx))
}

// hurry ends the process as if it had stopped in order, when a signal comes.
func hurry() {
	came := make(chan os.Signal, 1)
	signal.Notify(came, stopSignals()...)
	<-came
	fmt.Fprintln(os.Stderr, "interrupted: window 1 stays open\n  next: to go on, run `exhibit acquire`")
	os.Exit(exitInterrupted)
}

// run acquires.
func (j *job) run(ctx context.Context, c acquire.Case, progress func(acquire.Event)) (*acquire.Result, error) {
	pem, err := os.ReadFile(j.CA)
	if err != nil {
		return nil, err
	}
	token, err := auth.TokenFile(j.Token)
	if err != nil {
		return nil, err
	}
	o := options(c, j.URL, pem, j.Dir, j.Of)
	o.Credential, o.Progress = token, progress
	return acquire.Run(ctx, o)
}

// parallel is how many requests each run has on the wire at once.
const parallel = 3

// options ask for a target, whole.
func options(c acquire.Case, url string, ca []byte, dir string, of target) acquire.Options {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	o := acquire.Options{Case: c, Env: environment(), SpoolDir: filepath.Join(dir, evidence.WorkPath), RootCAs: roots, Parallel: parallel}
	if of != mailbox {
		o.Source, o.Params.Values = urls.Source{}, map[string][]string{"url": {}}
		for chain := range of.chains() {
			o.Params.Values["url"] = append(o.Params.Values["url"], fmt.Sprintf("%s/pages/%s/1", url, of.set(chain)))
		}
		return o
	}
	o.Source, o.Params.Values = outlook.Source{}, map[string][]string{"base-url": {url}, "user": {simtenant.Apostrophe}, "page-size": {"10"},
		"start": {"2018-05-01T00:00:00Z"}, "end": {"2018-06-11T00:00:00Z"}}
	return o
}

func environment() casefile.Env {
	return casefile.Env{Now: time.Now, Rand: rand.Reader, Host: here(), Operator: "examiner", Command: []string{"exhibit", "acquire"},
		ConfigDir: "/nonexistent", Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "test"}}}
}

// here is the name of this host, which the programs take for theirs.
func here() string {
	name, err := os.Hostname()
	if err != nil {
		panic(err)
	}
	return name
}

// signers are the same in all processes.
func signers() ([]trust.Signer, error) {
	key, err := trust.NewKey(strings.NewReader(strings.Repeat("kill -9, 32 B ", 8)), "examiner.example/test")
	return []trust.Signer{key}, err
}

// stepped is a case whose every step a trap knows: what casefile does, over a folder and an index that come by points.
type stepped struct {
	job    *job
	trap   *trap
	folder *folder
	writer *evidence.Writer
	index  *ledger.Ledger
	lazy   *ledger.Lazy

	mu   sync.Mutex
	acks io.Writer
}

func (j *job) open(ctx context.Context, acks io.Writer) (*stepped, error) {
	c := &stepped{job: j, trap: &trap{at: j.At, hit: j.Hit}, acks: acks}
	if j.Cut != lossNone {
		c.trap.cut = func() error {
			c.mu.Lock() // for good: no acknowledgement comes from a machine without power
			return cutPower(j.Dir, j.Cut)
		}
	}
	if j.Seen != "" {
		seen, err := os.OpenFile(j.Seen, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		c.trap.seen = seen // open to the end of the process
	}
	keys, err := signers()
	if err != nil {
		return nil, err
	}
	if c.folder, err = openFolder(j.Dir, c.trap, j.Power); err != nil {
		return nil, err
	}
	if c.index, err = ledger.Open(filepath.Join(j.Dir, evidence.WorkPath, "ledger.db"), ledger.Options{}); err != nil {
		return nil, err
	}
	c.lazy = ledger.NewLazy(&steppedIndex{Index: c.index, trap: c.trap})
	o := evidence.Options{Folder: c.folder, Signers: keys, Now: time.Now, Rand: rand.Reader, Index: c.lazy, Spool: j.spool,
		SegmentSize: 24 << 10, HeadEntries: 5} // so that a short run rolls segments and signs heads
	c.folder.sync = j.Plant.sync()
	if j.Plant == plantIndexHead {
		o.Index = c.indexAhead()
	}
	if c.writer, _, err = evidence.Open(ctx, o); err != nil {
		return nil, errors.Join(err, c.lazy.Close(), c.index.Close())
	}
	return c, nil
}

// spool is what casefile gives.
type spool struct{ *os.File }

func (s spool) Close() error { return errors.Join(s.File.Close(), os.Remove(s.Name())) }

func (j *job) spool() (evidence.Spool, error) {
	f, err := os.CreateTemp(filepath.Join(j.Dir, evidence.WorkPath), "frame-*.spool")
	return spool{f}, err
}

func (c *stepped) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	e, err := c.writer.Append(ctx, d)
	if err != nil {
		return nil, err
	}
	return e, c.trap.around("acknowledge", "entry", func() error { return c.acknowledge(ackOf(e)) })
}

// acknowledge tells the world outside the process, at once and in one write.
func (c *stepped) acknowledge(a ack) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := io.WriteString(c.acks, a.String())
	return err
}

func (c *stepped) Index(ctx context.Context) (*ledger.Ledger, error) {
	return c.index, c.lazy.Flush(ctx)
}

func (c *stepped) Files() fs.FS { return c.folder.FS() }

func (c *stepped) close(ctx context.Context) error {
	return errors.Join(c.writer.Close(ctx), c.lazy.Close(), c.index.Close(), c.folder.settle())
}

// seal does what acquire.Seal does, and acknowledges it.
func (c *stepped) seal(ctx context.Context) error {
	if err := c.sealOnly(ctx); err != nil {
		return err
	}
	return c.trap.around("acknowledge", "seal", func() error { return c.acknowledge(ack{done: ackSealed}) })
}

func (c *stepped) sealOnly(ctx context.Context) error {
	return c.writer.Seal(ctx, evidence.SealOptions{
		Ledger: func(ctx context.Context, batches iter.Seq2[*evidence.Batch, error]) (r io.ReadCloser, err error) {
			err = c.trap.around("build", "index", func() error {
				path := filepath.Join(c.job.Dir, evidence.WorkPath, "seal.db.spool")
				if err := ledger.Build(ctx, path, batches); err != nil {
					return err
				}
				r, err = os.Open(path)
				return err
			})
			return r, err
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: stranger.Readme()}, {Path: "data/verify.py", Content: stranger.Verifier()}},
		Info:  []bag.Field{{Label: bag.ExternalIdentifier, Value: "E1"}},
	})
}

// sync is what Sync of a file does under a planted bug; nil for what it should.
func (p plant) sync() func(*file) error {
	skip := map[plant]func(*file) bool{
		plantNoSync:    func(*file) bool { return true },
		plantNoBytes:   (*file).inSegments,
		plantNoNames:   (*file).isFolder,
		plantNoteFirst: (*file).ofSeal,
	}[p]
	if skip == nil {
		return nil
	}
	return func(o *file) error {
		if skip(o) {
			return nil
		}
		return o.flush()
	}
}

// inSegments reports whether the file is a segment.
func (o *file) inSegments() bool { return strings.HasPrefix(o.name, evidence.SegmentsPath+"/") }

// ofSeal reports whether the file is one that package.note speaks for and that the seal makes, or the folder of such.
func (o *file) ofSeal() bool {
	name := strings.TrimSuffix(strings.TrimPrefix(o.name, evidence.WorkPath+"/"), ".new")
	return slices.Contains([]string{"ledger.db", "README.txt", "verify.py", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data"}, name)
}

// steppedIndex comes by points around each step of an index.
type steppedIndex struct {
	evidence.Index
	trap *trap
	then func() error // nil for nothing
}

func (x *steppedIndex) Apply(ctx context.Context, batches []*evidence.Batch) error {
	err := x.trap.around("apply", "index", func() error { return x.Index.Apply(ctx, batches) })
	if err == nil && x.then != nil {
		err = x.then()
	}
	return err
}

// indexAhead plants an index that is told of a batch before the segment is synced.
func (c *stepped) indexAhead() evidence.Index {
	var late []*file
	c.folder.sync = func(o *file) error {
		if !o.inSegments() {
			return o.flush()
		}
		late = append(late, o)
		return nil
	}
	return &steppedIndex{Index: c.index, trap: c.trap, then: func() error {
		var errs []error
		for _, o := range late {
			errs = append(errs, o.flush())
		}
		late = nil
		return errors.Join(errs...)
	}}
}

// hasty plants an acknowledgement that comes too early: the world is told of an answer before it is written.
type hasty struct{ *stepped }

func (h *hasty) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	if request := requestOf(d.Body); request != "" {
		if err := h.acknowledge(ack{seq: evidence.None, request: request}); err != nil {
			return nil, err
		}
	}
	return h.stepped.Append(ctx, d)
}
