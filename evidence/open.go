package evidence

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// DamageError says that a container is not what its heads, its index or its own rules say, and that this is not the
// torn end of an interrupted write. Opening changes nothing then.
type DamageError struct {
	Path   string // in the case folder
	Detail string
	Err    error // may be nil
}

func (e *DamageError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s is damaged: %s: %v", e.Path, e.Detail, e.Err)
	}
	return fmt.Sprintf("%s is damaged: %s", e.Path, e.Detail)
}

func (e *DamageError) Unwrap() error { return e.Err }

// ErrNoCase says that a folder's segments hold no case entry: `case new` was interrupted before anything was acknowledged.
var ErrNoCase = errors.New("no case entry was ever written here")

// Opening tells what [Open] found and did.
type Opening struct {
	Case    *Case
	Entries int64
	Torn    *Gap // a torn tail was moved into the evidence
	Cut     bool // a tail that an earlier recovery had already moved was cut
	Unclean *Gap // the run before did not stop in order
	Sealing bool // a seal was begun: only Seal may go on
}

// opener is the state of opening a container (docs/container.md, section 7).
type opener struct {
	w       *Writer
	dec     *warc.Decoder
	walker  *Walker
	survey  *Survey
	shadow  Tree           // grows with the entries walked
	roots   map[int64]Hash // roots at the sizes that have notes
	tail    *tail          // of the segment walked last
	covered int64          // largest size of a checkpoint entry
	news    bool           // an entry other than a checkpoint beyond the newest note
	keys    keyring
	run     lastRun
	out     *Opening
}

// tail is what follows the last whole batch of a segment.
type tail struct {
	segment, offset, size int64
	fresh                 bool // nothing but a whole warcinfo
}

// Survey is what the names in a case folder say.
type Survey struct {
	Segments int64   // numbered 1 to Segments
	Notes    []int64 // sizes, ascending
}

// NewSurvey lists segments and notes. A hole in the numbers is an error.
func NewSurvey(f fs.FS) (*Survey, error) {
	s := &Survey{}
	files, err := fs.ReadDir(f, SegmentsPath)
	if err != nil {
		return nil, err
	}
	for _, file := range files { // sorted by name, so by number
		n := SegmentNumber(file.Name())
		if n == 0 {
			continue
		}
		if n != s.Segments+1 {
			return nil, &DamageError{Path: SegmentPath(s.Segments + 1), Detail: "the segment is missing"}
		}
		s.Segments = n
	}
	notes, err := fs.ReadDir(f, CheckpointsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, file := range notes {
		if n := NoteSize(file.Name()); n > 0 {
			s.Notes = append(s.Notes, n)
		}
	}
	slices.Sort(s.Notes)
	return s, nil
}

// Newest is the size under the newest note, 0 if there is none.
func (s *Survey) Newest() int64 {
	if len(s.Notes) == 0 {
		return 0
	}
	return s.Notes[len(s.Notes)-1]
}

// Open opens the container of an unsealed case for appending. It walks the last segment, requires the newest head's root,
// recovers from an interrupted write and catches the index up. The caller holds the case's lock.
//
// It fails with a *[DamageError] where the container is not what it should be, with [ErrSealed] where package.note is there,
// and with [ErrNoCase].
func Open(ctx context.Context, opts Options) (*Writer, *Opening, error) {
	w, err := newWriter(opts)
	if err != nil {
		return nil, nil, err
	}
	files := w.opts.Folder.FS()
	if _, err := fs.Stat(files, PackageNotePath); err == nil {
		return nil, nil, ErrSealed
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, nil, err
	}
	o := &opener{w: w, dec: dec, roots: map[int64]Hash{}, out: &Opening{}}
	if o.survey, err = NewSurvey(files); err != nil {
		return nil, nil, err
	}
	if err := o.open(ctx); err != nil {
		if w.file != nil {
			w.file.Close()
		}
		return nil, nil, err
	}
	w.start()
	if err := o.declare(ctx); err != nil {
		return nil, nil, errors.Join(err, w.Close(ctx))
	}
	return w, o.out, nil
}

func (o *opener) open(ctx context.Context) error {
	c, err := ReadCase(ctx, o.w.opts.Folder.FS())
	if err != nil {
		return err
	}
	o.out.Case = c
	start, err := o.start(ctx)
	if err != nil {
		return err
	}
	err = o.walk(ctx, start)
	if start > 1 && missesKey(err) { // its entry may stand before: then all of the case is walked, which proves that entry too
		start = 1
		err = o.walk(ctx, start)
	}
	if err != nil {
		return err
	}
	if err := o.checkIndex(ctx); err != nil {
		return err
	}
	if err := o.settle(start); err != nil {
		return err
	}
	if err := o.resume(ctx); err != nil {
		return err
	}
	return CatchUp(ctx, o.w.opts.Folder.FS(), o.w.opts.Index, o.w.ledger.pos)
}

// walk walks the segments from start on and holds notes and signers against them.
func (o *opener) walk(ctx context.Context, start int64) (err error) {
	if o.keys, err = newKeyring(o.out.Case); err != nil {
		return err
	}
	o.walker, o.shadow, o.tail, o.covered, o.news, o.run = newWalkerAt(o.dec), Tree{}, nil, 0, false, lastRun{}
	for n := start; n <= o.survey.Segments; n++ {
		if err := o.segment(ctx, n); err != nil {
			return err
		}
	}
	if err := o.checkNotes(); err != nil {
		return err
	}
	return o.keys.check(o.w.opts.Signers)
}

// settle makes durable what was walked, from segment start on. A process that was killed may have left bytes and names that were never synced: they are there as
// long as the machine runs, and nothing may be built on them before they are there for good.
func (o *opener) settle(start int64) error {
	for n := start; n <= o.survey.Segments; n++ {
		file, err := o.w.opts.Folder.OpenFile(SegmentPath(n), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("segment %s: %w", path.Base(SegmentPath(n)), err)
		}
	}
	if err := syncFolder(o.w.opts.Folder, SegmentsPath); err != nil {
		return err
	}
	return syncFolder(o.w.opts.Folder, CheckpointsPath)
}

// ReadCase reads the case entry, which is entry 0, from segment 1. It proves nothing.
func ReadCase(ctx context.Context, files fs.FS) (*Case, error) {
	b, err := firstBatch(ctx, files, 1)
	if err != nil {
		return nil, err
	}
	if b == nil || b.First != 0 {
		return nil, ErrNoCase
	}
	if c, ok := b.Entries[0].Body.(*Case); ok {
		return c, nil
	}
	return nil, ErrNoCase
}

var errStop = errors.New("stop")

// firstBatch reads the first batch of segment n at its word, nil if it has none that can be read.
func firstBatch(ctx context.Context, files fs.FS, n int64) (*Batch, error) {
	var first *Batch
	err := eachBatch(ctx, files, n, func(b *Batch) error {
		first = b
		return errStop
	})
	var fault *Fault
	var torn *DamageError
	if err != nil && !errors.Is(err, errStop) && !errors.As(err, &fault) && !errors.As(err, &torn) {
		return nil, err
	}
	return first, nil
}

// SegmentFile is an open segment.
type SegmentFile interface {
	io.ReaderAt
	io.Closer
}

// OpenSegment opens segment n for reading and tells its size in bytes. It refuses anything but a regular file that can be
// read at any offset.
func OpenSegment(files fs.FS, n int64) (SegmentFile, int64, error) {
	if info, err := fs.Lstat(files, SegmentPath(n)); err != nil {
		return nil, 0, err
	} else if !info.Mode().IsRegular() {
		return nil, 0, &DamageError{Path: SegmentPath(n), Detail: "it is not a regular file"}
	}
	f, err := files.Open(SegmentPath(n))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	seg, ok := f.(SegmentFile)
	if !ok || !info.Mode().IsRegular() {
		f.Close()
		return nil, 0, &DamageError{Path: SegmentPath(n), Detail: "it is not a regular file"}
	}
	return seg, info.Size(), nil
}

// start is the segment to walk from: the last whose frontier the newest note covers and that does not declare a tail which is still to be cut.
func (o *opener) start(ctx context.Context) (int64, error) {
	for n := o.survey.Segments; n > 1; n-- {
		b, err := firstBatch(ctx, o.w.opts.Folder.FS(), n)
		if err != nil {
			return 0, err
		}
		if b == nil || b.First > o.survey.Newest() {
			continue
		}
		left, err := o.tailLeft(b)
		if err != nil {
			return 0, err
		}
		if !left {
			return n, nil
		}
	}
	return 1, nil
}

// tailLeft tells whether a batch declares the tail of an earlier segment and that tail is still there: recovery was interrupted before it was cut.
func (o *opener) tailLeft(b *Batch) (bool, error) {
	for _, e := range b.Entries {
		gap, ok := e.Body.(*Gap)
		if !ok || gap.Reason != GapTorn || gap.Segment >= b.Segment {
			continue
		}
		info, err := fs.Stat(o.w.opts.Folder.FS(), SegmentPath(gap.Segment))
		if err != nil {
			return false, err
		}
		return info.Size() > gap.Offset, nil
	}
	return false, nil
}

// segment walks one segment and finds its tail.
func (o *opener) segment(ctx context.Context, n int64) error {
	file, size, err := OpenSegment(o.w.opts.Folder.FS(), n)
	if err != nil {
		return err
	}
	defer file.Close()
	before := o.tail
	err = o.walker.Segment(ctx, n, file, size, o.visit)
	var fault *Fault
	if err != nil && !errors.As(err, &fault) {
		return err
	}
	t := &tail{segment: n, size: size}
	if o.walker.Position().Segment == n {
		t.offset = o.walker.Position().Offset
	} else {
		t.fresh = fault == nil && o.walker.Pending() == 0 && size > 0
	}
	if fault != nil {
		if err := o.mustBeTorn(ctx, fault, t, file); err != nil {
			return err
		}
	}
	if before != nil && before.offset < before.size {
		return &DamageError{Path: SegmentPath(before.segment), Detail: fmt.Sprintf("%d bytes after its last whole batch are in no gap entry", before.size-before.offset)}
	}
	if o.tail == nil || o.tail.segment != n {
		o.tail = t
	}
	return nil
}

// mustBeTorn tells damage from a torn tail (docs/container.md, 7.2).
func (o *opener) mustBeTorn(ctx context.Context, fault *Fault, t *tail, file io.ReaderAt) error {
	damage := &DamageError{Path: SegmentPath(fault.Segment), Detail: "this is not the torn end of a write", Err: fault}
	if !strings.HasPrefix(fault.Code, "frame-") && !slices.Contains([]string{"record-header", "record-length", "record-end", "record-digest"}, fault.Code) {
		return damage
	}
	budget := int64(searchBudget) + 4*t.size
	for from := fault.Offset + 1; ; {
		at, err := warc.FindFrame(ctx, o.dec, file, from, t.size, &budget)
		if budget < 0 {
			return damage
		}
		if err != nil || at < 0 {
			return err
		}
		rec, err := warc.NewReader(o.dec, file, at, t.size).Next(ctx)
		if err != nil {
			return err
		}
		if rec.Type == warc.Metadata {
			if h, _, err := decodeBatchHead(rec.Block()); err == nil && h.Case == o.out.Case.Case {
				return damage
			}
		}
		from = rec.End()
	}
}

// visit takes note of what a batch says. It cuts the tail of the segment before if this batch's gap entry holds it.
func (o *opener) visit(b *Batch) error {
	if b.SegmentHead != nil && o.shadow.Size() == 0 && b.First > 0 {
		o.shadow, _ = NewTree(b.First, b.Frontier)
		o.noteRoot()
	}
	for _, e := range b.Entries {
		o.shadow.Add(LeafHash(e.HeadLine))
		o.noteRoot()
		if err := o.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *opener) noteRoot() {
	if _, ok := slices.BinarySearch(o.survey.Notes, o.shadow.Size()); ok {
		o.roots[o.shadow.Size()] = o.shadow.Root()
	}
}

func (o *opener) entry(e *Entry) error {
	if e.Head.Seq >= o.survey.Newest() && e.Head.Kind != KindCheckpoint {
		o.news = true
	}
	o.run.add(e)
	switch body := e.Body.(type) {
	case *Checkpoint:
		o.covered = max(o.covered, body.Size)
	case *Key:
		return o.keys.add(e.Head.Seq, body)
	case *Gap:
		if body.Reason == GapTorn {
			return o.cutTail(e, body)
		}
	}
	return nil
}

// lastRun follows which run was the last one and whether it stopped.
type lastRun struct {
	id       string
	started  bool // its start was seen, so parallel is known
	stopped  bool
	parallel int64
}

func (r *lastRun) add(e *Entry) {
	if run := e.Detail.Run; run != "" && run != r.id {
		*r = lastRun{id: run}
	}
	switch body := e.Body.(type) {
	case *Operator:
		switch body.Action {
		case ActionRunStart:
			r.started, r.parallel = true, parallelOf(body)
		case ActionRunStop:
			r.stopped = true
		}
	case *Gap:
		if body.LostRun != "" {
			*r = lastRun{id: body.LostRun, started: true, stopped: true}
		}
	}
}

// FieldParallel names the field of a run-start entry that tells how many requests may be in flight at once.
const FieldParallel = "parallel"

func parallelOf(op *Operator) int64 {
	for _, f := range op.Fields {
		if f.Name == FieldParallel {
			n, err := strconv.ParseInt(f.Value, 10, 32)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 1
}

// cutTail cuts the tail of the segment before, if the gap entry's record is that tail (docs/container.md, 7.3).
func (o *opener) cutTail(e *Entry, gap *Gap) error {
	t := o.tail
	if t == nil || gap.Segment != t.segment || gap.Offset != t.offset || t.offset == t.size || len(e.Detail.Records) != 1 {
		return nil
	}
	file, err := o.w.opts.Folder.OpenFile(SegmentPath(t.segment), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, t.offset, t.size-t.offset)); err != nil {
		return err
	}
	if Hash(hash.Sum(nil)) != e.Detail.Records[0].Block {
		return nil
	}
	if err := cut(file, t.offset); err != nil {
		return err
	}
	t.size, o.out.Cut = t.offset, true
	return nil
}

func cut(file File, size int64) error {
	if err := file.Truncate(size); err != nil {
		return err
	}
	return file.Sync()
}

// checkNotes requires that the walked entries make the root of every note that they reach, the newest above all.
func (o *opener) checkNotes() error {
	for _, size := range o.survey.Notes {
		root, ok := o.roots[size]
		switch {
		case !ok && size > o.shadow.Size():
			return &DamageError{Path: NotePath(size), Detail: fmt.Sprintf("a signed head covers %d entries and only %d are left", size, o.shadow.Size())}
		case !ok:
			continue // before the segments that were walked
		}
		head, err := readNote(o.w.opts.Folder.FS(), size, o.keys.may)
		if err != nil {
			return &DamageError{Path: NotePath(size), Detail: "the head cannot be verified", Err: err}
		}
		if head.Size != size || head.Origin != Origin(o.out.Case.Case) || Hash(head.Root) != root {
			return &DamageError{Path: NotePath(size), Detail: "the entries are not those that this head was signed over"}
		}
		o.keys.cover(size)
	}
	return nil
}

func readNote(files fs.FS, size int64, keys []trust.VKey) (trust.Head, error) {
	note, err := fs.ReadFile(files, NotePath(size))
	if err != nil {
		return trust.Head{}, err
	}
	text, _, err := trust.Verify(note, keys)
	if err != nil {
		return trust.Head{}, err
	}
	return trust.ParseHead(text)
}

// checkIndex makes sure that the index is not ahead of what survives.
func (o *opener) checkIndex(ctx context.Context) error {
	if o.w.opts.Index == nil {
		return nil
	}
	p, err := o.w.opts.Index.Position(ctx)
	if err != nil {
		return err
	}
	if p.Entries > o.shadow.Size() {
		return &DamageError{Path: SegmentPath(o.survey.Segments), Detail: fmt.Sprintf("the index knows %d entries and only %d are left", p.Entries, o.shadow.Size())}
	}
	return nil
}
