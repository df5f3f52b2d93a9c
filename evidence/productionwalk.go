package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ProductionWalker reads a production and holds every byte of production.jsonl and of the segments against docs/container.md, section 12. Rules that
// need more than one entry are the verifier's. It is used once.
type ProductionWalker struct {
	// Report is told each fault and the walk goes on behind it. If it is nil, or returns an error, the walk ends. A fault of segment 0 is one of production.jsonl.
	Report func(*Fault) error
	// Look, if it is not nil, is shown each record, and what it returns becomes Located.Seen.
	Look func(*warc.Record) any
	// Locate finds records by their frames alone and decodes none: of a production that was checked.
	Locate bool
	// Content, if it is not nil, is how many bytes records may still decode to, as in [Walker].
	Content *int64

	dec   *warc.Decoder
	files fs.FS
	head  ProductionHead
	tree  Tree
	lost  bool // a leaf could not be read
	order bool // lines are not in order: no more are visited
	segs  segmentQueue
}

// NewProductionWalker returns a walker over the production in files.
func NewProductionWalker(dec *warc.Decoder, files fs.FS) *ProductionWalker {
	return &ProductionWalker{dec: dec, files: files}
}

// Head is the first line; its Case is "" until it was read.
func (w *ProductionWalker) Head() ProductionHead { return w.head }

// Tree is the tree over the leaves. ok is false if not all of them could be read.
func (w *ProductionWalker) Tree() (t Tree, ok bool) {
	return w.tree.clone(), !w.lost && w.head.Size > 0 && w.tree.Size() == w.head.Size
}

// Lost reports whether a line so far could not be read or is out of order: what others say of it means nothing then.
func (w *ProductionWalker) Lost() bool { return w.lost }

// Segments is how many segments were opened.
func (w *ProductionWalker) Segments() int64 { return w.segs.n }

func (w *ProductionWalker) fault(f *Fault) error {
	if w.Report == nil {
		return f
	}
	return w.Report(f)
}

// Walk calls visit for each line in order, and for none behind one that is out of order. Of an entry that is disclosed the records are found first; the place of one that is not there is zero.
// It returns a *Fault where a rule is broken and Report does not go on, visit's error, or an error of reading.
func (w *ProductionWalker) Walk(ctx context.Context, visit func(*Disclosure) error) error {
	file, err := openRegular(w.files, ProductionPath)
	if err != nil {
		return err
	}
	defer file.Close()
	w.segs = segmentQueue{w: w}
	defer w.segs.close()
	lines := &lineReader{r: bufio.NewReaderSize(file, 256<<10)}
	if ok, err := w.first(lines); err != nil || !ok {
		return err
	}
	for next := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, offset, err := lines.next()
		if errors.Is(err, io.EOF) {
			return w.end(ctx, next)
		}
		if errors.Is(err, errLine) {
			w.lost = true
			next++
			if err := w.fault(&Fault{Code: "production-form", Offset: offset, Seq: None, Detail: err.Error()}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if next, err = w.line(ctx, line, offset, next, visit); err != nil {
			return err
		}
	}
}

// first reads the first line. ok is false if nothing can be said of what follows.
func (w *ProductionWalker) first(lines *lineReader) (ok bool, err error) {
	bad := func(detail string) (bool, error) {
		w.lost = true
		return false, w.fault(&Fault{Code: "production-form", Seq: None, Detail: "first line: " + detail})
	}
	line, _, err := lines.next()
	if errors.Is(err, io.EOF) || errors.Is(err, errLine) {
		return bad("there is none")
	}
	if err != nil {
		return false, err
	}
	var h ProductionHead
	if err := readLine(string(line), &h); err != nil {
		return bad(err.Error())
	}
	if err := h.check(); err != nil {
		return bad(err.Error())
	}
	w.head = h
	return true, nil
}

// line takes the line of entry next and returns the seq of the line after it.
func (w *ProductionWalker) line(ctx context.Context, line []byte, offset, next int64, visit func(*Disclosure) error) (int64, error) {
	d, err := decodeDisclosure(line)
	if err != nil {
		w.lost = true
		return next + 1, w.fault(&Fault{Code: "production-form", Offset: offset, Seq: next, Detail: err.Error()})
	}
	d.Offset = offset
	if d.Seq != next || d.Seq >= w.head.Size {
		w.lost, w.order = true, true
		detail := fmt.Sprintf("the line of entry %d where that of entry %d should stand", d.Seq, next)
		if d.Seq >= w.head.Size {
			detail = fmt.Sprintf("the line of entry %d of %d", d.Seq, w.head.Size)
		}
		if err := w.fault(&Fault{Code: "production-order", Offset: offset, Seq: d.Seq, Detail: detail}); err != nil {
			return next, err
		}
	}
	if d.Head != nil && d.Level < LeastLevel(d.Head.Kind) {
		if err := w.fault(&Fault{Code: "production-level", Offset: offset, Seq: d.Seq,
			Detail: fmt.Sprintf("an entry of kind %s at level %d", d.Head.Kind, d.Level)}); err != nil {
			return next, err
		}
	}
	w.tree.Add(d.Leaf)
	if d.Entry != nil {
		if err := w.claim(ctx, d.Entry); err != nil {
			return next, err
		}
	}
	if w.order {
		return d.Seq + 1, nil
	}
	return d.Seq + 1, visit(d)
}

// claim finds the records of an entry.
func (w *ProductionWalker) claim(ctx context.Context, e *Entry) error {
	for i := range e.Detail.Records {
		at, err := w.segs.claim(ctx, e, i)
		if err != nil {
			return err
		}
		e.Located = append(e.Located, at)
	}
	return nil
}

// end requires that nothing is missing, and nothing left.
func (w *ProductionWalker) end(ctx context.Context, next int64) error {
	if next < w.head.Size {
		w.lost = true
		if err := w.fault(&Fault{Code: "production-order", Seq: next, Detail: fmt.Sprintf("the lines of entries %d to %d are missing", next, w.head.Size-1)}); err != nil {
			return err
		}
	}
	return w.segs.rest(ctx)
}

// openRegular opens a regular file for reading.
func openRegular(files fs.FS, name string) (fs.File, error) {
	if info, err := fs.Lstat(files, name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &DamageError{Path: name, Detail: "it is not a regular file"}
	}
	return files.Open(name)
}

// errLine says that a line is not ended or too long.
var errLine = errors.New("line without an end, or too long")

// lineReader reads lines of bounded length. What it returns is valid until the next call.
type lineReader struct {
	r      *bufio.Reader
	offset int64
	long   []byte
}

func (l *lineReader) next() (line []byte, offset int64, err error) {
	offset = l.offset
	line, err = l.r.ReadSlice('\n')
	l.offset += int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) { // longer than any line may be
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.r.ReadSlice('\n')
			l.offset += int64(len(line))
		}
		if err == nil || errors.Is(err, io.EOF) {
			err = errLine
		}
		return nil, offset, err
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, offset, errLine
	}
	return bytes.TrimSuffix(line, []byte("\n")), offset, err
}

// segmentQueue gives the records of all segments in order.
type segmentQueue struct {
	w     *ProductionWalker
	n     int64 // the segment that is open, or was last
	file  SegmentFile
	size  int64
	r     *warc.Reader
	held  []heldRecord // read, and claimed by nothing yet
	count int          // records of the segment that is open
	done  bool
	spent int64 // budget for looking behind damage
}

type heldRecord struct {
	record  warc.Record // without its bytes
	segment int64
	seen    any
}

// maxHeldRecords is how many records a claim looks ahead, so that one that is missing, changed or too many is told apart.
const maxHeldRecords = 64

func (q *segmentQueue) close() {
	if q.file != nil {
		q.file.Close()
		q.file = nil
	}
}

// claim finds record i of an entry; the place is zero if it is not there, which was reported.
func (q *segmentQueue) claim(ctx context.Context, e *Entry, i int) (at Located, err error) {
	for j := 0; ; j++ {
		if j == len(q.held) {
			if j == maxHeldRecords {
				break
			}
			if more, err := q.read(ctx); err != nil {
				return at, err
			} else if !more {
				break
			}
		}
		h := &q.held[j]
		if !q.w.Locate && !e.Names(i, &h.record) {
			continue
		}
		at = Located{Segment: int(h.segment), Offset: h.record.Offset, Length: h.record.FrameLength, Seen: h.seen}
		err := q.unclaimed(q.held[:j])
		q.held = append(q.held[:0], q.held[j+1:]...)
		return at, err
	}
	return at, q.w.fault(&Fault{Code: "record-mismatch", Offset: None, Seq: e.Head.Seq, Detail: fmt.Sprintf("record %d of entry %d is not there", i, e.Head.Seq)})
}

func (q *segmentQueue) unclaimed(held []heldRecord) error {
	for i := range held {
		if err := q.w.fault(&Fault{Code: "record-unclaimed", Segment: held[i].segment, Offset: held[i].record.Offset, Seq: None,
			Detail: "a record that no disclosed entry names"}); err != nil {
			return err
		}
	}
	return nil
}

// rest reports what nothing claimed.
func (q *segmentQueue) rest(ctx context.Context) error {
	for {
		if err := q.unclaimed(q.held); err != nil {
			return err
		}
		q.held = q.held[:0]
		if more, err := q.read(ctx); err != nil || !more {
			return err
		}
	}
}

// read holds one more record. more is false at the end of the last segment.
func (q *segmentQueue) read(ctx context.Context) (more bool, err error) {
	for !q.done {
		if q.file == nil {
			if err := q.open(ctx); err != nil {
				return false, err
			}
			continue
		}
		rec, err := q.next(ctx)
		var form *warc.FormatError
		switch {
		case errors.Is(err, io.EOF):
			q.close()
			if q.count < 1 {
				if err := q.w.fault(&Fault{Code: "production-form", Segment: q.n, Seq: None, Detail: "the segment holds no record"}); err != nil {
					return false, err
				}
			}
		case errors.As(err, &form):
			if err := q.damaged(ctx, form); err != nil {
				return false, err
			}
		case err != nil:
			return false, err
		default:
			q.count++
			h := heldRecord{record: rec.Measured(), segment: q.n}
			if q.w.Look != nil {
				h.seen = q.w.Look(rec)
			}
			q.held = append(q.held, h)
			return true, nil
		}
	}
	return false, nil
}

// next reads a record, or finds its frame alone.
func (q *segmentQueue) next(ctx context.Context) (*warc.Record, error) {
	if !q.w.Locate {
		return q.r.Next(ctx)
	}
	at := q.r.Offset()
	if at >= q.size {
		return nil, io.EOF
	}
	err := q.r.Skip()
	return &warc.Record{Offset: at, FrameLength: q.r.Offset() - at}, err
}

// damaged reports a frame or record that cannot be read and goes on at the next one that can.
func (q *segmentQueue) damaged(ctx context.Context, form *warc.FormatError) error {
	q.count++
	if err := q.w.fault(&Fault{Code: form.Code, Segment: q.n, Offset: form.Offset, Seq: None, Detail: form.Detail}); err != nil {
		return err
	}
	at, err := warc.FindFrame(ctx, q.w.dec, q.file, form.Offset+1, q.size, &q.spent)
	if err != nil {
		return err
	}
	if at < 0 {
		at = q.size
	}
	q.from(at)
	return nil
}

func (q *segmentQueue) from(offset int64) {
	q.r = warc.NewReader(q.w.dec, q.file, offset, q.size)
	q.r.Limit(q.w.Content)
}

// open opens the next segment and takes its warcinfo.
func (q *segmentQueue) open(ctx context.Context) error {
	file, size, err := OpenSegment(q.w.files, q.n+1)
	if errors.Is(err, fs.ErrNotExist) {
		q.done = true
		return nil
	}
	if err != nil {
		return err
	}
	q.n, q.file, q.size, q.count, q.spent = q.n+1, file, size, 0, searchBudget+4*min(size, maxSearched)
	q.from(0)
	rec, err := q.r.Next(ctx)
	var form *warc.FormatError
	switch {
	case errors.Is(err, io.EOF):
		q.count = 1 // said here
		return q.w.fault(&Fault{Code: "warcinfo", Segment: q.n, Seq: None, Detail: "the segment is empty"})
	case errors.As(err, &form):
		return q.damaged(ctx, form)
	case err != nil:
		return err
	}
	want, block := q.w.head.warcinfo(q.n)
	if rec.Header != want.Describe(sum(block), int64(len(block))) || !bytes.Equal(rec.Block(), block) {
		return q.w.fault(&Fault{Code: "warcinfo", Segment: q.n, Seq: None, Detail: "the first record is not the warcinfo that the first line of production.jsonl makes"})
	}
	return nil
}
