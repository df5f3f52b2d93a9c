package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Errors that a caller of the package can match.
var (
	ErrSealed   = errors.New("case is sealed")
	ErrUnsealed = errors.New("case is not sealed")
	ErrClosed   = errors.New("writer is closed")
	// ErrDeleted says that the segment that is written to has no name any more: nobody will find what it holds.
	ErrDeleted = errors.New("the file was deleted while it was in use")
)

// Options is what a Writer needs from outside.
type Options struct {
	Folder  Folder
	Signers []trust.Signer // of heads; at least one
	Now     func() time.Time
	Rand    io.Reader
	Index   Index                 // may be nil
	Spool   func() (Spool, error) // for records given by Source; may be nil

	Gather      time.Duration // how long an entry waits for another one to share its sync, 16 times that in all; 0: not at all
	SegmentSize int64         // bytes after which a segment is full; 0: 1 GiB
	HeadEntries int64         // entries after which a head is due; 0: 10,000
	HeadEvery   time.Duration // time after which a head is due; 0: 60 s
	Software    string        // for the warcinfo records
}

func (o *Options) setDefaults() error {
	if o.Folder == nil || o.Now == nil || o.Rand == nil || len(o.Signers) == 0 {
		return errors.New("options without folder, clock, randomness or signer")
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = 1 << 30
	}
	if o.HeadEntries == 0 {
		o.HeadEntries = 10_000
	}
	if o.HeadEvery == 0 {
		o.HeadEvery = time.Minute
	}
	if o.Software == "" {
		o.Software = "exhibit"
	}
	return nil
}

// Writer appends to a container. Append may be called from many goroutines; what arrives together becomes one batch.
// One goroutine of the Writer's own does all writing, signing and indexing.
type Writer struct {
	opts Options
	enc  *warc.Encoder

	queue chan *prepared
	ask   chan request
	done  chan struct{}

	closing sync.RWMutex // held for reading while something is put into queue
	closed  bool

	// The rest belongs to the appender's goroutine once it runs.
	ledger  ledgerState
	arrived int  // entries of the batch before
	file    File // the last segment
	err     error
	timer   *time.Timer // runs for HeadEvery from the newest head on
	due     bool        // it has run out
}

// ledgerState is what the next batch depends on.
type ledgerState struct {
	caseID     string
	pos        Position // end of the last batch; Segment is its segment
	segment    int64    // the segment that file is
	offset     int64    // where its next frame goes
	fresh      bool     // file holds no batch yet
	warcinfo   Hash     // of file's warcinfo record, while fresh
	tree       Tree
	sealed     bool
	headSize   int64       // entries under the newest head
	headTime   time.Time   // when it was signed
	news       bool        // an entry other than a checkpoint came after it
	readback   *Walker     // stands at the newest head
	uncovered  *Checkpoint // a head that no checkpoint entry holds yet
	lastWindow int64
}

// request is something that the appender does between batches.
type request struct {
	do   func(context.Context) error
	done chan error
}

// Create starts the ledger of a new case in a folder made by [MakeFolder]: segment 1 and the case entry, durable when it returns.
// c.Format, c.Origin and c.Keys are filled in.
func Create(ctx context.Context, opts Options, c Case) (*Writer, error) {
	w, err := newWriter(opts)
	if err != nil {
		return nil, err
	}
	c.Format, c.Origin, c.Keys = Format, Origin(c.Case), nil
	for _, s := range opts.Signers {
		c.Keys = append(c.Keys, s.VerifierKey())
	}
	if !IsID(c.Case) {
		return nil, fmt.Errorf("case id %q is not 32 hexadecimal digits", c.Case)
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	w.ledger = ledgerState{caseID: c.Case, readback: NewWalker(dec), headTime: w.opts.Now()}
	if err := w.newSegment(1); err != nil {
		return nil, err
	}
	w.start()
	if _, err := w.Append(ctx, &Draft{Start: w.opts.Now(), Body: &c}); err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	return w, nil
}

func newWriter(opts Options) (*Writer, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	enc, err := warc.NewEncoder()
	if err != nil {
		return nil, err
	}
	return &Writer{opts: opts, enc: enc, queue: make(chan *prepared, 256), ask: make(chan request), done: make(chan struct{}),
		timer: time.NewTimer(opts.HeadEvery)}, nil
}

func (w *Writer) start() { go w.run() }

// CaseID is the id of the case.
func (w *Writer) CaseID() string { return w.ledger.caseID }

// Append adds an entry with its records. It returns when both are durable, or have not become so: after an error that is
// not of the draft itself nothing can be appended any more.
func (w *Writer) Append(ctx context.Context, d *Draft) (*Entry, error) {
	p, err := w.prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	defer p.release()
	w.closing.RLock()
	if w.closed {
		w.closing.RUnlock()
		return nil, ErrClosed
	}
	w.queue <- p
	w.closing.RUnlock()
	if err := <-p.done; err != nil {
		return nil, err
	}
	return p.entry, nil
}

// Head signs a head over everything appended so far, if anything but checkpoints was since the last one.
func (w *Writer) Head(ctx context.Context) error { return w.between(ctx, w.signHead) }

// Settle waits until the Writer has done what became due by what was appended before: heads and their entries. Nothing needs
// it but a caller that must have the same bytes every time.
func (w *Writer) Settle(ctx context.Context) error {
	return w.between(ctx, func(context.Context) error { return nil })
}

// between runs do in the appender's goroutine, behind everything that was appended before.
func (w *Writer) between(ctx context.Context, do func(context.Context) error) error {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return ErrClosed
	}
	r := request{do: do, done: make(chan error, 1)}
	w.ask <- r
	return <-r.done
}

// Close signs a head if one is due at a stop, and frees the case. The container can be opened again.
func (w *Writer) Close(ctx context.Context) error {
	err := w.Head(ctx)
	if errors.Is(err, ErrSealed) {
		err = nil
	}
	w.closing.Lock()
	if w.closed {
		w.closing.Unlock()
		return nil
	}
	w.closed = true
	w.closing.Unlock()
	close(w.queue)
	<-w.done
	if w.file != nil {
		if cerr := w.file.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

// run is the appender.
func (w *Writer) run() {
	defer close(w.done)
	ctx := context.Background()
	defer w.timer.Stop()
	for {
		select {
		case p, ok := <-w.queue:
			if !ok {
				return
			}
			w.commit(ctx, w.collect(p))
		case r := <-w.ask:
			if w.err == nil {
				w.drain(ctx)
			}
			if w.err != nil {
				r.done <- w.err
			} else {
				r.done <- r.do(ctx)
			}
		case <-w.timer.C:
			w.due = true
		}
		w.afterwards(ctx)
	}
}

// afterwards does what a batch or the passing of time has made due.
func (w *Writer) afterwards(ctx context.Context) {
	if w.err == nil && !w.ledger.sealed && w.ledger.uncovered != nil {
		w.fail(w.coverNote(ctx))
	}
	if w.err == nil && w.headDue() {
		w.fail(w.signHead(ctx))
	}
}

// drain commits what is queued.
func (w *Writer) drain(ctx context.Context) {
	for {
		select {
		case p := <-w.queue:
			w.commit(ctx, w.collect(p))
		default:
			return
		}
	}
}

// collect takes what else is waiting into the same batch, within a batch's bounds.
func (w *Writer) collect(p *prepared) []*prepared {
	var batch []*prepared
	size, began := int64(0), time.Now()
	for p != nil {
		batch = append(batch, p)
		size += p.size + int64(len(p.detailLine)) + 1024
		if len(batch) == MaxBatchEntries || size >= MaxBatch/2 {
			break
		}
		p = w.arrival(len(batch), began)
	}
	w.arrived = len(batch)
	return batch
}

// gatherLimit is how many times Gather a batch may wait in all.
const gatherLimit = 16

// arrival is the next entry of a batch that has some: one that is queued, or comes within Gather. Nobody is waited for who is alone: neither this batch nor the one before has another entry.
func (w *Writer) arrival(have int, began time.Time) *prepared {
	select {
	case p := <-w.queue:
		return p
	default:
	}
	if w.opts.Gather <= 0 || have < 2 && w.arrived < 2 || time.Since(began) >= gatherLimit*w.opts.Gather {
		return nil
	}
	timer := time.NewTimer(w.opts.Gather)
	defer timer.Stop()
	select {
	case p := <-w.queue:
		return p
	case <-timer.C:
		return nil
	}
}

func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("container can take nothing more: %w", err)
	}
}

// commit makes a batch durable and acknowledges its entries.
func (w *Writer) commit(ctx context.Context, batch []*prepared) {
	if w.err == nil && w.ledger.sealed {
		ack(batch, ErrSealed)
		return
	}
	var b *Batch
	if w.err == nil {
		var err error
		if b, err = w.write(ctx, batch); err != nil {
			w.fail(err)
		}
	}
	if w.err != nil {
		ack(batch, w.err)
		return
	}
	if w.opts.Index != nil {
		if err := w.opts.Index.Apply(ctx, []*Batch{b}); err != nil {
			w.fail(fmt.Errorf("index: %w", err))
		}
	}
	for i, p := range batch {
		p.entry = b.Entries[i]
	}
	ack(batch, nil)
}

func ack(batch []*prepared, err error) {
	for _, p := range batch {
		p.done <- err
	}
}

// write appends records and batch to the last segment and syncs it (docs/container.md, 2.4 and 3).
func (w *Writer) write(ctx context.Context, batch []*prepared) (*Batch, error) {
	l := &w.ledger
	if l.offset >= w.opts.SegmentSize && !l.fresh && batch[0].head.Kind != KindCheckpoint && batch[0].head.Kind != KindSeal {
		if err := w.roll(ctx); err != nil {
			return nil, err
		}
	}
	b := &Batch{BatchHead: BatchHead{Format: batchFormat, Case: l.caseID, Batch: l.pos.Batch + 1, Segment: l.segment,
		First: l.pos.Entries, Count: int64(len(batch)), Time: At(w.opts.Now()), Prev: l.pos.Hash}}
	if l.fresh {
		b.SegmentHead = &SegmentHead{Warcinfo: l.warcinfo, Frontier: l.tree.Frontier()}
	}
	offset := l.offset
	var buf []byte
	for i, p := range batch {
		e, err := p.entryAt(b.First + int64(i))
		if err != nil {
			return nil, err
		}
		for _, f := range p.frames {
			e.Located = append(e.Located, Located{Segment: int(l.segment), Offset: offset, Length: f.length})
			offset += f.length
			if f.spool == nil {
				buf = append(buf, f.bytes...)
				continue
			}
			if buf, err = w.flush(buf, f); err != nil {
				return nil, err
			}
		}
		b.Entries = append(b.Entries, e)
	}
	enc, err := w.encodeBatch(b)
	if err != nil {
		return nil, err
	}
	if _, err := w.file.Write(append(buf, enc.Frame...)); err != nil {
		return nil, w.fileError(err)
	}
	if err := w.file.Sync(); err != nil {
		return nil, w.fileError(err)
	}
	if gone, err := deleted(w.file); err != nil || gone {
		return nil, w.fileError(cmp.Or(err, ErrDeleted))
	}
	b.Hash, b.Offset, b.End = Hash(enc.BlockHash), offset, offset+int64(len(enc.Frame))
	l.advance(b)
	return b, nil
}

func (w *Writer) fileError(err error) error {
	return fmt.Errorf("segment %s: %w", path.Base(SegmentPath(w.ledger.segment)), err)
}

// flush writes what is collected and then a spooled frame.
func (w *Writer) flush(buf []byte, f frame) ([]byte, error) {
	if _, err := w.file.Write(buf); err != nil {
		return nil, w.fileError(err)
	}
	n, err := io.Copy(w.file, io.NewSectionReader(f.spool, 0, f.length))
	if err == nil && n != f.length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, w.fileError(err)
	}
	return buf[:0], nil
}

// entryAt completes a prepared entry for its place in the ledger.
func (p *prepared) entryAt(seq int64) (*Entry, error) {
	e := p.entry
	e.Head.Seq = seq
	var err error
	e.HeadLine, err = writeLine(&e.Head)
	return e, err
}

func (w *Writer) encodeBatch(b *Batch) (*warc.Encoded, error) {
	block, err := encodeBatch(&b.BatchHead, b.Entries)
	if err != nil {
		return nil, err
	}
	return w.enc.Encode(b.BatchHead.header(), block)
}

// advance moves the state behind a batch that is durable.
func (l *ledgerState) advance(b *Batch) {
	l.pos, l.offset, l.fresh = PositionOf(b), b.End, false
	for _, e := range b.Entries {
		l.tree.Add(LeafHash(e.HeadLine))
		l.news = l.news || e.Head.Kind != KindCheckpoint
		l.sealed = l.sealed || e.Head.Kind == KindSeal
		l.lastWindow = max(l.lastWindow, e.Head.Window)
		if c, ok := e.Body.(*Checkpoint); ok && l.uncovered != nil && c.Size == l.uncovered.Size {
			l.uncovered = nil
		}
	}
}

// roll signs a head, so that opening the case later needs the next segment alone, and begins that.
func (w *Writer) roll(ctx context.Context) error {
	if w.ledger.headSize != w.ledger.tree.Size() {
		if err := w.signNote(ctx); err != nil {
			return err
		}
	}
	if err := w.file.Close(); err != nil {
		return w.fileError(err)
	}
	return w.newSegment(w.ledger.segment + 1)
}

// newSegment creates segment n: warcinfo, synced, and its name (docs/container.md, 2.5).
func (w *Writer) newSegment(n int64) error {
	if SegmentNumber(path.Base(SegmentPath(n))) != n {
		return fmt.Errorf("segment %d is beyond the last that a case can have: go on in a new case", n)
	}
	if err := w.createSegment(n, SegmentPath(n), os.O_EXCL); err != nil {
		return err
	}
	return syncFolder(w.opts.Folder, SegmentsPath)
}

// createSegment makes a file with the warcinfo of segment n, synced, and goes on in it.
func (w *Writer) createSegment(n int64, name string, flag int) error {
	info, err := w.warcinfo(n)
	if err != nil {
		return err
	}
	file, err := w.opts.Folder.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND|flag, 0o600)
	if err != nil {
		return err
	}
	w.file = file
	l := &w.ledger
	l.segment, l.offset, l.fresh, l.warcinfo = n, int64(len(info.Frame)), true, Hash(info.RecordHash)
	if _, err := file.Write(info.Frame); err != nil {
		return w.fileError(err)
	}
	if err := file.Sync(); err != nil {
		return w.fileError(err)
	}
	return nil
}

func (w *Writer) warcinfo(n int64) (*warc.Encoded, error) {
	var id [16]byte
	if _, err := io.ReadFull(w.opts.Rand, id[:]); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	block := fmt.Sprintf("software: %s\r\n%s\r\n%s\r\nisPartOf: %s\r\n", w.opts.Software, infoFormat, infoConforms, w.ledger.caseID)
	return w.enc.Encode(warc.Header{Type: warc.Warcinfo, ID: recordID(id), Date: At(w.opts.Now()).String(),
		Filename: path.Base(SegmentPath(n)), ContentType: infoContentType}, []byte(block))
}
