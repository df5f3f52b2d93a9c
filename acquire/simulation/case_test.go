package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

const (
	caseID      = "00112233445566778899aabbccddeeff"
	headEntries = 12
	segmentSize = 64 << 10
)

// acked is an entry that was acknowledged.
type acked struct {
	seq  int64
	line string
	at   time.Time
}

// openCase is a case that is open, as [acquire.Case] wants it. It is put together as package casefile does it, over a simulated disk; the index alone lies on
// a real one.
type openCase struct {
	w       *world
	writer  *evidence.Writer
	index   *ledger.Ledger
	lazy    *ledger.Lazy
	opening *evidence.Opening

	mu     sync.Mutex
	forgot int64 // planted: seq of the last entry that was appended
}

// signer is the key of all cases.
func signer() trust.Signer {
	k, err := trust.NewKey(newRandom(1, "key"), "examiner.example/simulation")
	if err != nil {
		panic(err) // a name that is fixed
	}
	return k
}

func (w *world) indexPath() string { return filepath.Join(w.dir, "ledger.db") }

// open opens the case, or creates it.
func (w *world) open(create bool) (*openCase, error) {
	c := &openCase{w: w}
	var err error
	if c.index, err = ledger.Open(w.indexPath(), ledger.Options{}); err != nil {
		return nil, err
	}
	c.lazy = ledger.NewLazy(c.index)
	o := evidence.Options{Folder: w.disk, Signers: []trust.Signer{w.key}, Now: w.clock.now, Rand: w.ownRand, Index: c.lazy, Spool: newSpool,
		HeadEntries: headEntries, SegmentSize: segmentSize}
	if create {
		c.writer, err = evidence.Create(context.Background(), o, evidence.Case{Case: caseID, Host: host, Fields: []evidence.Pair{{Name: "exhibit", Value: "E1"}}})
	} else {
		c.writer, c.opening, err = evidence.Open(context.Background(), o)
	}
	if err != nil {
		return nil, errors.Join(err, c.lazy.Close(), c.index.Close())
	}
	if c.opening != nil {
		w.trace.note("case", "opened: %d entries, torn %v, unclean %v, sealing %v", c.opening.Entries, c.opening.Torn != nil, c.opening.Unclean != nil, c.opening.Sealing)
	}
	return c, nil
}

// Append adds an entry. When it returns, the writer has also done what the entry made due, so that nothing of it meets what comes next.
func (c *openCase) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	if c.w.plant == forgetRetry && d.Body.Kind() == evidence.KindExchange && d.Status == 503 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return &evidence.Entry{Head: evidence.Head{Seq: c.forgot}, Body: d.Body}, nil
	}
	if x, ok := d.Body.(*evidence.Exchange); ok && c.w.plant == keepBoth && d.Status == 200 && !c.w.script.bent {
		b := *x
		b.RetryOf = evidence.None
		d.Body = &b
	}
	e, err := c.writer.Append(ctx, d)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.forgot = e.Head.Seq
	c.mu.Unlock()
	c.w.ack(e)
	_ = c.writer.Settle(ctx) // what fails there, the next Append meets
	return e, nil
}

// ack notes what was acknowledged.
func (w *world) ack(e *evidence.Entry) {
	w.trace.note("entry", "%d %s %s", e.Head.Seq, e.Head.Kind, e.HeadLine)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acks = append(w.acks, acked{e.Head.Seq, string(e.HeadLine), time.Now()})
}

func (c *openCase) Index(ctx context.Context) (*ledger.Ledger, error) {
	return c.index, c.lazy.Flush(ctx)
}

func (c *openCase) Files() fs.FS { return c.w.disk.FS() }

func (c *openCase) close() error {
	return errors.Join(c.writer.Close(context.Background()), c.lazy.Close(), c.index.Close())
}

// seal seals as acquire.Seal does, which needs a case on a real disk.
func (c *openCase) seal(ctx context.Context) error {
	return c.writer.Seal(ctx, evidence.SealOptions{
		Ledger: func(ctx context.Context, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) {
			path := filepath.Join(c.w.dir, "seal.db")
			if err := ledger.Build(ctx, path, batches); err != nil {
				return nil, err
			}
			b, err := os.ReadFile(path)
			return io.NopCloser(bytes.NewReader(b)), errors.Join(err, os.Remove(path))
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: stranger.Readme()}, {Path: "data/verify.py", Content: stranger.Verifier()}},
		Info:  []bag.Field{{Label: bag.ExternalIdentifier, Value: "E1"}, {Label: bag.BaggingDate, Value: c.w.clock.now().UTC().Format(time.DateOnly)}},
	})
}

// spool is a temporary file in memory.
type spool struct{ b []byte }

func newSpool() (evidence.Spool, error) { return &spool{}, nil }

func (s *spool) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(s.b).ReadAt(p, off) }

func (s *spool) Close() error { return nil }

// credential is a token of the service that can be had anew.
type credential struct{ w *world }

func (c credential) Authorization(ctx context.Context) (string, int64, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return "Bearer " + c.w.token, c.w.edition, ctx.Err()
}

func (c credential) Renew(ctx context.Context, edition int64) (bool, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.renewals++
	if c.w.runs == 1 {
		switch c.w.script.renewal {
		case noNewer:
			return false, ctx.Err()
		case renewalFails:
			return false, errors.New("token endpoint answers 400 invalid_grant")
		case newIsRefused:
			c.w.edition++
			c.w.token = "not-a-token-of-this-service"
			return true, ctx.Err()
		}
	}
	if c.w.edition == edition {
		c.w.token = c.w.tenant.Renew()
		c.w.edition++
		c.w.trace.note("run", "token %d", c.w.edition)
	}
	return true, ctx.Err()
}

var errNotEnded = fmt.Errorf("the window does not come to an end")
