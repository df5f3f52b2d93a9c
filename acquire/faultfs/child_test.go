//go:build linux

package faultfs

import (
	"bytes"
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
	"path/filepath"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
)

// childJob is the variable that tells the test program to be a child, and what it has to do.
const childJob = "EXHIBIT_TEST_FAULT_JOB"

// phase is what a process does.
type phase string

const (
	phaseAcquire phase = "acquire" // open, acquire to the end, close
	phaseSeal    phase = "seal"    // open, seal, close
	phaseRecover phase = "recover" // open, close
	phaseFull    phase = "full"    // open, seal although it was told that there is no space, close
)

// plant is a bug that a child has on purpose.
type plant string

const (
	plantSwallow    plant = "swallow"      // a sync that fails is taken for one that succeeded
	plantRetry      plant = "retry"        // a sync that fails is tried again
	plantNoReadBack plant = "no-read-back" // what was written is believed to be on the disk
	plantEarlyAck   plant = "early-ack"    // an entry is acknowledged before it is written
	plantIgnoreFull plant = "ignore-full"  // a write that fails is taken for one that succeeded
)

// job is what a child does.
type job struct {
	Phase phase
	Dir   string // the case
	Acks  string // file that acknowledgements are appended to
	URL   string // of the service
	CA    string // file with its certificate
	Token string // file with the token
	Pages int64  // stop in order after so many; 0 for none
	Plant plant
	Of    target

	Fault  *Fault // made in the child's own folder, where no file system makes it
	Report string // file that gets what became of that
}

// child does a job. It says how it failed, as the program does: the error on standard error, and exit code 1.
func child(text string) int {
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.do(context.Background())
	}
	if err != nil && !errors.Is(err, acquire.ErrInterrupted) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (j *job) do(ctx context.Context) (err error) {
	acks, err := os.OpenFile(j.Acks, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer acks.Close()
	c := &small{job: j, acks: acks, plan: &Plan{}}
	if j.Fault != nil {
		c.plan.Arm(*j.Fault)
		defer func() { err = errors.Join(err, report(j.Report, c.plan)) }()
	}
	if err := c.open(ctx); err != nil {
		return err
	}
	switch j.Phase {
	case phaseSeal, phaseFull:
		err = c.seal(ctx)
	case phaseAcquire:
		err = c.acquire(ctx)
	}
	return errors.Join(err, c.close(ctx))
}

// outcome is what became of a fault.
type outcome struct {
	Strikes []Strike
	Misuses []string
	Counts  map[Op]int
}

func outcomeOf(p *Plan) outcome { return outcome{p.Strikes(), p.Misuses(), p.Counts()} }

func report(path string, p *Plan) error {
	b, err := json.Marshal(outcomeOf(p))
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// small is a case as casefile has it, but with segments of 24 KiB and heads after five entries, so that a short run rolls segments and signs heads.
type small struct {
	job    *job
	plan   *Plan
	folder evidence.Folder
	writer *evidence.Writer
	index  *ledger.Ledger
	lazy   *ledger.Lazy

	mu   sync.Mutex
	acks io.Writer
}

func (c *small) open(ctx context.Context) error {
	keys, err := signers()
	if err != nil {
		return err
	}
	real, err := evidence.OpenFolder(c.job.Dir)
	if err != nil {
		return err
	}
	c.folder = real
	if c.job.Fault != nil {
		c.folder = &faulty{real, c.plan, c.job.Dir}
	}
	if c.job.Plant != "" {
		c.folder = &planted{Folder: c.folder, plant: c.job.Plant, written: map[string]*bytes.Buffer{}}
	}
	if c.index, err = ledger.Open(filepath.Join(c.job.Dir, evidence.WorkPath, "ledger.db"), ledger.Options{}); err != nil {
		return err
	}
	c.lazy = ledger.NewLazy(named{c.index})
	o := evidence.Options{Folder: c.folder, Signers: keys, Now: time.Now, Rand: rand.Reader, Index: c.lazy, Spool: c.spool, SegmentSize: 24 << 10, HeadEntries: 5}
	if c.writer, _, err = evidence.Open(ctx, o); err != nil {
		return errors.Join(err, c.closeIndex())
	}
	return nil
}

// named and closeIndex do what casefile does.
type named struct{ evidence.Index }

func (n named) Apply(ctx context.Context, batches []*evidence.Batch) error {
	if err := n.Index.Apply(ctx, batches); err != nil {
		return fmt.Errorf("work/ledger.db: %w", err)
	}
	return nil
}

func (c *small) closeIndex() error {
	err := c.lazy.Close()
	if !errors.Is(err, ledger.ErrUnreadable) {
		err = errors.Join(err, c.index.Close())
	}
	return err
}

func (c *small) close(ctx context.Context) error {
	return errors.Join(c.writer.Close(ctx), c.closeIndex())
}

// spoolFile is what casefile gives.
type spoolFile struct{ *os.File }

func (s spoolFile) Close() error { return errors.Join(s.File.Close(), os.Remove(s.Name())) }

func (c *small) spool() (evidence.Spool, error) {
	f, err := os.CreateTemp(filepath.Join(c.job.Dir, evidence.WorkPath), "frame-*.spool")
	return spoolFile{f}, err
}

// acquire asks for the job's target, whole or up to a page.
func (c *small) acquire(ctx context.Context) error {
	pem, err := os.ReadFile(c.job.CA)
	if err != nil {
		return err
	}
	token, err := auth.TokenFile(c.job.Token)
	if err != nil {
		return err
	}
	o, err := options(c, c.job.URL, pem, c.job.Dir, c.job.Of)
	if err != nil {
		return err
	}
	o.Credential = token
	stop := make(chan struct{})
	o.Stop = stop
	var once sync.Once
	o.Progress = func(e acquire.Event) {
		if c.job.Pages > 0 && e.Kind == acquire.EventPage && e.Result.Pages >= c.job.Pages {
			once.Do(func() { close(stop) })
		}
	}
	res, err := acquire.Run(ctx, o)
	if err == nil && res.State != evidence.Complete {
		err = fmt.Errorf("window is %s: %s: %s", res.State, res.Reason, res.Text)
	}
	return err
}

// options ask for a target, as [world.acquireArgs] do.
func options(c acquire.Case, url string, ca []byte, dir string, of target) (acquire.Options, error) {
	env, err := environment()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	o := acquire.Options{Case: c, Env: env, SpoolDir: filepath.Join(dir, evidence.WorkPath), RootCAs: roots}
	if of != mailbox {
		o.Source, o.Params.Values = urls.Source{}, map[string][]string{"url": {fmt.Sprintf("%s/pages/%s/1", url, of)}}
		return o, err
	}
	o.Source, o.Params.Values = outlook.Source{}, map[string][]string{"base-url": {url}, "user": {simtenant.Apostrophe}, "page-size": {pageSize}, "start": {start}, "end": {end}}
	return o, err
}

// Append notes what was acknowledged in a file that is on no faulty disk.
func (c *small) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	if x, ok := d.Body.(*evidence.Exchange); ok && c.job.Plant == plantEarlyAck {
		if err := c.acknowledge(ack{seq: evidence.None, request: x.RequestID}); err != nil {
			return nil, err
		}
	}
	e, err := c.writer.Append(ctx, d)
	if err != nil {
		return nil, err
	}
	return e, c.acknowledge(ackOf(e))
}

func (c *small) acknowledge(a ack) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := io.WriteString(c.acks, a.String())
	return err
}

func (c *small) Index(ctx context.Context) (*ledger.Ledger, error) { return c.index, c.lazy.Flush(ctx) }

func (c *small) Files() fs.FS { return c.folder.FS() }

// seal does what acquire.Seal does, past its question for space.
func (c *small) seal(ctx context.Context) error {
	return c.writer.Seal(ctx, evidence.SealOptions{
		Ledger: func(ctx context.Context, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) {
			path := filepath.Join(c.job.Dir, evidence.WorkPath, "seal.db.spool")
			if err := ledger.Build(ctx, path, batches); err != nil {
				return nil, err
			}
			return os.Open(path)
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: stranger.Readme()}, {Path: "data/verify.py", Content: stranger.Verifier()}},
		Info:  []bag.Field{{Label: bag.ExternalIdentifier, Value: "E1"}},
	})
}
