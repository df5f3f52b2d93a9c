package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Fault is one rule of docs/container.md that the segments break, with its place.
type Fault struct {
	Code    string // a finding's code, docs/findings.md
	Segment int64
	Offset  int64 // in the segment's file
	Seq     int64 // entry, or None
	Detail  string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s: segment %d, offset %d: %s", f.Code, f.Segment, f.Offset, f.Detail)
}

// How many records may wait for the batch that claims them, and what a walk may spend on looking for the next record behind damage.
const (
	maxPending      = MaxRecords * MaxBatchEntries
	maxPendingBytes = 32 << 20 // of headers
	searchBudget    = 64 << 20
	maxSearched     = 2 << 30 // of a segment: honest ones hardly pass 1 GiB
)

// aheadFrom is the size of a segment, or of what is left of one, that is worth reading on several cores.
const aheadFrom = 1 << 20

// maxJump is how many entries may be missing before a batch that is still looked into.
const maxJump = 1 << 20

// Walker reads segments in order and holds every byte against docs/container.md, sections 2 to 4, as far as one batch
// and the state before it allow. Rules that need the whole ledger are the verifier's. A Walker is not safe for concurrent use.
type Walker struct {
	// Report is told each fault and the walk goes on behind it. If it is nil, or returns an error, the walk ends.
	Report func(*Fault) error
	// Look, if it is not nil, is shown each record that is neither warcinfo nor batch, and what it returns becomes Located.Seen. Many goroutines
	// call it at once. What it keeps for a record is kept until a batch claims that.
	Look func(*warc.Record) any
	// Content, if it is not nil, is how many bytes records may still decode to; what is decoded is taken off. A walk that would pass it ends
	// with [warc.ErrContent]: a few bytes may decode to very many.
	Content *int64

	// batchesAt, if it is not nil, are the offsets of the batches of the segment that is walked next, in order: no other record is decoded but the
	// warcinfo. Records are then claimed by their places alone, and what they hold is not looked at. Offsets that are wrong lead to a fault, or to
	// another position in the end, never to batches that are not those of the chain.
	batchesAt []int64

	dec     *warc.Decoder
	known   bool // whether pos, tree and caseID stand for what came before
	caseID  string
	pos     Position
	tree    Tree
	sealed  bool
	lost    bool // something before was unreadable: what the next batch claims may be gone
	broken  bool // the tree cannot be computed any more
	pending []pendingRecord

	pendingBytes int64 // of the headers in pending
}

// pendingRecord is a record whose batch has not come yet.
type pendingRecord struct {
	record warc.Record // without its bytes
	seen   any
}

// NewWalker returns a walker that starts before batch 1.
func NewWalker(dec *warc.Decoder) *Walker { return &Walker{dec: dec, known: true} }

// newWalkerAt returns a walker that takes the first batch it meets at its word for what came before.
func newWalkerAt(dec *warc.Decoder) *Walker { return &Walker{dec: dec} }

// Position is what was walked up to the last whole batch.
func (w *Walker) Position() Position { return w.pos }

// Tree is the tree over the entries up to the last whole batch. ok is false if entries before it could not be read.
func (w *Walker) Tree() (t Tree, ok bool) { return w.tree.clone(), !w.broken }

// CaseID is the case that the batches name.
func (w *Walker) CaseID() string { return w.caseID }

// Sealed reports whether a seal entry was walked.
func (w *Walker) Sealed() bool { return w.sealed }

// Pending is how many records were walked that no batch has claimed yet.
func (w *Walker) Pending() int { return len(w.pending) }

// Segment walks the first size bytes of segment n and calls visit for each whole batch that keeps the rules. It starts at the
// beginning or, if the walker stands in this segment already, behind the last batch that it walked.
// It returns a *Fault where a rule is broken and Report does not go on. Records at the end that no batch claims
// are left pending; the caller knows whether that is a torn tail.
func (w *Walker) Segment(ctx context.Context, n int64, src io.ReaderAt, size int64, visit func(*Batch) error) error {
	seg := &segmentWalk{w: w, n: n, src: src, size: size, visit: visit}
	from := int64(0)
	if w.pos.Segment == n {
		from, seg.records, seg.batches = w.pos.Offset, 1, 1
	}
	seg.budget = searchBudget + 4*min(size, maxSearched)
	w.pending, w.pendingBytes, w.lost = w.pending[:0], 0, false // claims never cross segments
	if w.known && w.pos.Segment < n-1 {
		if err := seg.fault("segment-missing", 0, None, fmt.Sprintf("no batch of segment %d was there", n-1)); err != nil {
			return err
		}
	}
	if size-from >= aheadFrom {
		var err error
		if from, err = seg.ahead(ctx, from); err != nil || from < 0 {
			return err
		}
	}
	return seg.one(ctx, from)
}

// ahead walks from an offset with all cores, up to the end or behind the first frame or record that cannot be read. It returns where to go on, -1 for nowhere.
func (s *segmentWalk) ahead(ctx context.Context, from int64) (int64, error) {
	a, err := warc.NewAhead(ctx, s.w.dec, s.src, from, s.size, s.w.Content, s.wanted(), func(rec *warc.Record) any {
		if rec.Type != warc.Metadata || rec.Block() == nil {
			return s.look(rec)
		}
		b, err := decodeBatch(rec, rec.Block())
		return decodedBatch{b, err}
	})
	if err != nil {
		return from, err
	}
	defer func() { a.Close() }()
	for {
		rec, made, err := a.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return -1, nil
		case err != nil:
			a.Close() // the decoder is free again
			return s.damaged(ctx, err)
		}
		if err := s.record(rec, made); err != nil {
			return from, err
		}
	}
}

// wanted says which frames are decoded; nil for all.
func (s *segmentWalk) wanted() func(offset int64) bool {
	if s.w.batchesAt == nil {
		return nil
	}
	return func(offset int64) bool {
		_, ok := slices.BinarySearch(s.w.batchesAt, offset)
		return ok || offset == 0
	}
}

// decodedBatch is what became of a batch's block.
type decodedBatch struct {
	*Batch
	err error
}

// one walks from an offset to the end on one core.
func (s *segmentWalk) one(ctx context.Context, from int64) error {
	r := s.reader(from)
	for {
		rec, err := r.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			next, err := s.damaged(ctx, err)
			if err != nil || next < 0 {
				return err
			}
			r = s.reader(next)
		default:
			if err := s.record(rec, s.look(rec)); err != nil {
				return err
			}
		}
	}
}

func (s *segmentWalk) reader(from int64) *warc.Reader {
	r := warc.NewReader(s.w.dec, s.src, from, s.size)
	r.Limit(s.w.Content)
	return r
}

func (s *segmentWalk) look(rec *warc.Record) any {
	if s.w.Look == nil || rec.Type == warc.Metadata || rec.Type == warc.Warcinfo {
		return nil
	}
	return s.w.Look(rec)
}

// segmentWalk is the walk over one segment.
type segmentWalk struct {
	w        *Walker
	n        int64
	src      io.ReaderAt
	size     int64
	visit    func(*Batch) error
	warcinfo Hash
	infoCase string // that the warcinfo names
	records  int
	batches  int
	budget   int64 // left for looking behind damage
}

func (s *segmentWalk) fault(code string, offset, seq int64, detail string) error {
	f := &Fault{Code: code, Segment: s.n, Offset: offset, Seq: seq, Detail: detail}
	if s.w.Report == nil {
		return f
	}
	return s.w.Report(f)
}

// damaged reports a frame or record that cannot be read and returns where the next one lies that can, -1 if none does.
func (s *segmentWalk) damaged(ctx context.Context, err error) (int64, error) {
	var form *warc.FormatError
	if !errors.As(err, &form) {
		return -1, err
	}
	if err := s.fault(form.Code, form.Offset, None, form.Detail); err != nil {
		return -1, err
	}
	s.w.lost = true
	s.records++
	return warc.FindFrame(ctx, s.w.dec, s.src, form.Offset+1, s.size, &s.budget)
}

// record takes the next record. made is the batch in it, if it was decoded already, or what was seen in it.
func (s *segmentWalk) record(rec *warc.Record, made any) error {
	s.records++
	switch {
	case s.records == 1 || rec.Type == warc.Warcinfo:
		return s.info(rec)
	case rec.Type == warc.Metadata:
		return s.batch(rec, made)
	case len(s.w.pending) == maxPending || s.w.pendingBytes+rec.HeaderLength > maxPendingBytes:
		if !s.w.lost {
			s.w.lost = true
			return s.fault("record-unclaimed", rec.Offset, None, "more records in a row than one batch can claim")
		}
		return nil
	}
	s.w.pending = append(s.w.pending, pendingRecord{rec.Measured(), made})
	s.w.pendingBytes += rec.HeaderLength
	return nil
}

func (s *segmentWalk) info(rec *warc.Record) error {
	switch {
	case s.records > 1:
		return s.fault("warcinfo", rec.Offset, None, "a second warcinfo record")
	case rec.Type != warc.Warcinfo:
		return s.fault("warcinfo", rec.Offset, None, "the segment does not start with a warcinfo record")
	case rec.Filename != path.Base(SegmentPath(s.n)):
		return s.fault("warcinfo", rec.Offset, None, fmt.Sprintf("warcinfo is that of %q", rec.Filename))
	}
	id, ok := infoCase(rec.Block()) // nor is one that is too large to be held in memory
	s.warcinfo, s.infoCase = sum(rec.Whole()), id
	switch {
	case !ok:
		return s.fault("warcinfo", rec.Offset, None, "the warcinfo's block is not its four fields")
	case s.w.caseID != "" && id != s.w.caseID:
		return s.fault("warcinfo", rec.Offset, None, fmt.Sprintf("warcinfo is that of case %s", id))
	}
	return nil
}

// infoCase is the case that a warcinfo's block names. ok is false if the block is not the four fields of docs/container.md, 2.3.
func infoCase(block []byte) (id string, ok bool) {
	lines := strings.Split(string(block), "\r\n")
	if len(lines) != 5 || lines[4] != "" || len(block) > maxInfo || lines[1] != infoFormat || lines[2] != infoConforms {
		return "", false
	}
	software, ok1 := strings.CutPrefix(lines[0], "software: ")
	id, ok2 := strings.CutPrefix(lines[3], "isPartOf: ")
	return id, ok1 && ok2 && warc.IsValue(software) && IsID(id)
}

const (
	maxInfo      = 1024 // bytes of a warcinfo's block
	infoFormat   = "format: WARC File Format 1.1"
	infoConforms = "conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
)

// batch checks a batch against the state before it, claims its records, and moves the state on.
func (s *segmentWalk) batch(rec *warc.Record, made any) error {
	w := s.w
	d, ok := made.(decodedBatch)
	if !ok {
		d.Batch, d.err = s.decode(rec)
	}
	b, err := d.Batch, d.err
	if err != nil {
		w.lost, w.broken = true, true
		w.pending = w.pending[:0]
		return s.fault("batch-form", rec.Offset, None, err.Error())
	}
	if err := s.follows(b, rec); err != nil {
		return err
	}
	if jump := b.First - w.pos.Entries; w.known && (jump < 0 || jump > maxJump) && w.pos.Batch > 0 {
		w.lost = true // what it says of itself was reported, and nothing that follows from it can be told
		w.pending = w.pending[:0]
		return nil
	}
	if err := s.claim(b); err != nil {
		return err
	}
	s.batches++
	w.lost = false
	w.pos, w.caseID, w.known = PositionOf(b), b.Case, true
	w.pos.Segment = s.n
	for _, e := range b.Entries {
		if w.sealed {
			if err := s.fault("after-seal", b.Offset, e.Head.Seq, "an entry after the seal"); err != nil {
				return err
			}
		}
		w.tree.Add(LeafHash(e.HeadLine))
		w.sealed = w.sealed || e.Head.Kind == KindSeal
	}
	return s.visit(b)
}

func (s *segmentWalk) decode(rec *warc.Record) (*Batch, error) {
	if rec.Block() == nil && rec.ContentLength > 0 {
		return s.decodeLarge(rec)
	}
	return decodeBatch(rec, rec.Block())
}

// decodeLarge reads a batch that is too large for the reader's inline path.
func (s *segmentWalk) decodeLarge(rec *warc.Record) (*Batch, error) {
	if rec.ContentLength > MaxBatch {
		return nil, fmt.Errorf("batch of %d bytes is larger than %d", rec.ContentLength, MaxBatch)
	}
	block := &limitedBuffer{}
	if _, err := warc.CopyBlock(context.Background(), s.w.dec, s.src, rec.Offset, s.size, block); err != nil {
		return nil, err
	}
	return decodeBatch(rec, block.b)
}

type limitedBuffer struct{ b []byte }

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if len(l.b)+len(p) > MaxBatch {
		return 0, fmt.Errorf("batch is larger than %d bytes", MaxBatch)
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

func decodeBatch(rec *warc.Record, block []byte) (*Batch, error) {
	h, rest, err := decodeBatchHead(block)
	if err != nil {
		return nil, err
	}
	want := h.header()
	want.BlockDigest, want.ContentLength = rec.BlockDigest, rec.ContentLength
	if rec.Header != want {
		return nil, fmt.Errorf("header of batch %d is not the one that its first line makes", h.Batch)
	}
	b := &Batch{BatchHead: h, Hash: Hash(rec.BlockHash), Offset: rec.Offset, End: rec.End()}
	b.Entries, err = decodeEntries(rest, h.First, h.Count)
	return b, err
}

// follows holds a batch's first line against what came before it (docs/container.md, 3.2 and 3.4).
func (s *segmentWalk) follows(b *Batch, rec *warc.Record) error {
	w := s.w
	if b.Segment != s.n {
		return s.fault("batch-order", rec.Offset, b.First, fmt.Sprintf("a batch of segment %d in segment %d", b.Segment, s.n))
	}
	first := s.batches == 0 && !w.lost // of what was lost before a batch the first of the segment may be part; one that is taken at its word needs a frontier all the same
	if s.batches == 0 && b.SegmentHead == nil && !(w.lost && w.known) || s.batches > 0 && b.SegmentHead != nil {
		return s.fault("batch-frontier", rec.Offset, b.First, "warcinfo and frontier stand in the first batch of a segment and in no other")
	}
	if first && b.Warcinfo == s.warcinfo && IsID(s.infoCase) && b.Case != s.infoCase {
		if err := s.fault("warcinfo", 0, b.First, fmt.Sprintf("the segment's warcinfo is that of case %s", s.infoCase)); err != nil {
			return err
		}
	}
	if first && b.Warcinfo != s.warcinfo {
		if err := s.fault("warcinfo", 0, b.First, "the segment's warcinfo record is not the one that its first batch names"); err != nil {
			return err
		}
	}
	if !w.known {
		return s.adopt(b, rec)
	}
	if w.caseID != "" && b.Case != w.caseID {
		if err := s.fault("batch-order", rec.Offset, b.First, fmt.Sprintf("a batch of case %s in case %s", b.Case, w.caseID)); err != nil {
			return err
		}
	}
	if b.Batch != w.pos.Batch+1 || b.First != w.pos.Entries {
		w.broken = true
		if err := s.fault("batch-order", rec.Offset, b.First, fmt.Sprintf("batch %d starts at entry %d where batch %d should start at entry %d",
			b.Batch, b.First, w.pos.Batch+1, w.pos.Entries)); err != nil {
			return err
		}
	} else if b.Prev != w.pos.Hash {
		if err := s.fault("batch-chain", rec.Offset, b.First, "prev is not the hash of the batch before"); err != nil {
			return err
		}
	}
	if b.SegmentHead != nil && !w.broken && !slices.Equal(b.Frontier, w.tree.frontier) {
		return s.fault("batch-frontier", rec.Offset, b.First, "the frontier is not that of the entries before")
	}
	return nil
}

// adopt takes the first batch of a segment at its word. What it says is proven when a head over it is.
func (s *segmentWalk) adopt(b *Batch, rec *warc.Record) error {
	tree, ok := NewTree(b.First, b.Frontier)
	if !ok {
		return s.fault("batch-frontier", rec.Offset, b.First, "the frontier is none of a tree of as many entries")
	}
	s.w.tree = tree
	return nil
}

// claim matches the records before a batch with those that its entries name (docs/container.md, 2.4).
func (s *segmentWalk) claim(b *Batch) error {
	w := s.w
	defer func() { w.pending, w.pendingBytes = w.pending[:0], 0 }()
	next := 0
	for _, e := range b.Entries {
		for i := range e.Detail.Records {
			if w.lost {
				continue
			}
			if next == len(w.pending) {
				w.lost = true
				if err := s.fault("record-mismatch", b.Offset, e.Head.Seq, fmt.Sprintf("record %d of entry %d is not there", i, e.Head.Seq)); err != nil {
					return err
				}
				continue
			}
			p := &w.pending[next]
			next++
			if p.record.Decoded() && !e.Names(i, &p.record) {
				if err := s.fault("record-mismatch", p.record.Offset, e.Head.Seq, fmt.Sprintf("the record is not record %d of entry %d", i, e.Head.Seq)); err != nil {
					return err
				}
			}
			e.Located = append(e.Located, Located{Segment: int(s.n), Offset: p.record.Offset, Length: p.record.FrameLength, Seen: p.seen})
		}
	}
	if next < len(w.pending) && !w.lost {
		return s.fault("record-unclaimed", w.pending[next].record.Offset, None, "a record that no entry names")
	}
	return nil
}
