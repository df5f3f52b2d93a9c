package extract

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
)

// keptPage is one kept answer to normalise.
type keptPage struct {
	Container string // id of the case
	Seq       int64  // sequence number of the exchange
	Source    string // for example "outlook-activities"
	URL       string // as requested, secrets redacted
	User      string // the window's user; may be empty
	Started   time.Time
	// Body is the decoded body: transfer and content coding removed. It is
	// read once, from the start. What it reads is not trusted.
	Body io.Reader
}

// pages is what a verified container offers.
type pages interface {
	// Pages yields the kept answers of a source in the order of their
	// sequence numbers. An error beside a page is a fault of that page alone
	// and the walk goes on; an error without a page ends it.
	Pages(ctx context.Context, source string) iter.Seq2[*keptPage, error]
}

// Options bound and direct an extraction. The zero value is ready for use.
type Options struct {
	// Sources to extract, in this order; empty means all of [Sources].
	Sources []string
	// RecordLimit is the length in bytes of the longest record that is
	// interpreted; 0 means 16 MiB. At most 1 GiB.
	RecordLimit int
	// TempDir receives the file that finding duplicates may need; empty means
	// the system's. The file holds hashes alone and is removed at the end.
	TempDir string
	// MemoryKeys is the number of record ids whose hashes are held in memory
	// before they go to the file; 0 means 786,432 (24 MiB).
	MemoryKeys int
}

const (
	defaultRecordLimit = 16 << 20
	maxRecordLimit     = 1 << 30
	maxProblems        = 10_000
)

// Summary says what an extraction did.
type Summary struct {
	Pages   int64
	Records int64
	// Flagged counts the records with at least one flag; Flags counts by word.
	Flagged int64
	Flags   map[string]int64
	// Problems holds the first 10,000 problems, ProblemCount counts all.
	Problems     []Problem
	ProblemCount int64
}

// ErrUnknownSource is returned for a source that has no normaliser.
var ErrUnknownSource = errors.New("unknown source")

// Extract emits the records of all pages of a verified container, in order: the
// complete answers with status 200 that no later attempt replaced. It stops with
// an error when ctx ends, when emit fails, when the container is not any more what
// was verified, or when the temporary file cannot be used; faults in a page are
// problems in the summary, not errors. The summary is valid beside an error, for
// what was done until then.
func Extract(ctx context.Context, c *verify.Container, opt Options, emit func(*Record) error) (Summary, error) {
	return extract(ctx, containerPages{c}, opt, emit)
}

func extract(ctx context.Context, from pages, opt Options, emit func(*Record) error) (sum Summary, err error) {
	list, err := chosen(opt.Sources)
	if err != nil {
		return sum, err
	}
	limit := opt.RecordLimit
	if limit == 0 {
		limit = defaultRecordLimit
	}
	if limit < 0 || limit > maxRecordLimit {
		return sum, fmt.Errorf("record limit %d out of range 1 to %d", limit, maxRecordLimit)
	}
	x := &extraction{ctx: ctx, emit: emit, sum: &sum, seen: newSeen(opt.TempDir, opt.MemoryKeys)}
	defer func() {
		sum.Flags = x.flagCounts()
		err = errors.Join(err, x.seen.Close())
	}()
	w := newWalker(limit, x)
	for _, n := range list {
		if err := x.source(w, n, from); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// extraction is the state that all pages share.
type extraction struct {
	ctx    context.Context
	emit   func(*Record) error
	sum    *Summary
	seen   *seen
	counts [32]int64
	draft  draft
	norm   normaliser
	key    []byte // scratch for idKey
}

func (x *extraction) source(w *walker, n normaliser, from pages) error {
	x.norm = n
	for p, err := range from.Pages(x.ctx, n.source()) {
		switch {
		case p == nil && err == nil:
			return fmt.Errorf("source %q: page missing", n.source())
		case p == nil:
			return fmt.Errorf("source %q: %w", n.source(), err)
		}
		if err := x.ctx.Err(); err != nil {
			return err
		}
		x.sum.Pages++
		if err != nil {
			x.problem(Problem{Source: p.Source, Seq: p.Seq, Code: ProblemRead, Reason: printable(err.Error())})
			continue
		}
		if err := w.page(p, n.shape()); err != nil {
			return err
		}
	}
	return nil
}

// element emits the record for one element of a page. unread is nonzero for
// an element that was not interpreted; raw is then nil.
func (x *extraction) element(p *keptPage, prov Provenance, raw []byte, unread Flags) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	d := &x.draft
	d.reset(p, raw)
	d.rec.Provenance = prov
	if unread != 0 {
		d.scan.flags |= unread
	} else {
		d.normalise(x.norm)
		if d.scan.flags.Has(TooManyMembers) {
			x.problem(Problem{
				Source: p.Source, Seq: p.Seq, Offset: prov.Offset, Code: ProblemTooManyMembers,
				Reason: fmt.Sprintf("record with an object of more than %d members is not interpreted", maxMembers),
			})
		}
	}
	d.finish()
	if d.rec.ID != "" {
		if err := x.duplicate(p); err != nil {
			return err
		}
	}
	x.count(d.rec.Flags)
	if err := x.emit(&d.rec); err != nil {
		return fmt.Errorf("record at %d of exchange %d: %w", prov.Offset, p.Seq, err)
	}
	return nil
}

// duplicate flags a record whose id was seen before for this mailbox.
func (x *extraction) duplicate(p *keptPage) error {
	r := &x.draft.rec
	x.key = x.key[:0]
	for _, s := range [2]string{p.Source, r.Mailbox} {
		x.key = binary.LittleEndian.AppendUint64(x.key, uint64(len(s)))
		x.key = append(x.key, s...)
	}
	x.key = append(x.key, x.draft.exactID...)
	h := sha256.Sum256(x.key)
	sum := binary.LittleEndian.Uint64(r.Provenance.SHA256[:8])
	before, found, err := x.seen.add(h, sum)
	if err != nil {
		return fmt.Errorf("finding duplicates: %w", err)
	}
	if found {
		r.Flags |= DuplicateID
		if before != sum {
			r.Flags |= DuplicateIDOtherBytes
		}
	}
	return nil
}

func (x *extraction) count(f Flags) {
	x.sum.Records++
	if f == 0 {
		return
	}
	x.sum.Flagged++
	for i := range x.counts {
		if f&(1<<i) != 0 {
			x.counts[i]++
		}
	}
}

func (x *extraction) flagCounts() map[string]int64 {
	m := make(map[string]int64)
	for i, w := range flagWords() {
		if x.counts[i] > 0 {
			m[w] = x.counts[i]
		}
	}
	return m
}

func (x *extraction) problem(p Problem) {
	x.sum.ProblemCount++
	if len(x.sum.Problems) < maxProblems {
		x.sum.Problems = append(x.sum.Problems, p)
	}
}
