package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ProductionWalker reads a production and holds every byte of production.jsonl and of the segments against docs/container.md, section 13. Rules that
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

// ProductionLines reads production.jsonl alone, at its word: no record is looked at, and nothing is held against a head. The first line is head; entries gives the others in
// order, each time anew. Of a production that was not checked that is what somebody wrote. It fails, as entries does, with a [*DamageError] where a line is not in the form
// (docs/container.md, 13.2 and 13.3) or not in order.
func ProductionLines(files fs.FS) (head ProductionHead, entries iter.Seq2[*Disclosure, error], err error) {
	w := &ProductionWalker{files: files}
	file, err := openRegular(files, ProductionPath)
	if err != nil {
		return head, nil, err
	}
	defer file.Close()
	if _, err = w.first(&lineReader{r: bufio.NewReaderSize(file, 256<<10)}); err != nil {
		return head, nil, lineDamage(err)
	}
	return w.head, func(yield func(*Disclosure, error) bool) {
		if err := w.lines(yield); err != nil {
			yield(nil, lineDamage(err))
		}
	}, nil
}

func lineDamage(err error) error {
	var fault *Fault
	if errors.As(err, &fault) || errors.Is(err, errLine) {
		return &DamageError{Path: ProductionPath, Detail: "a line of it is not what a production has there", Err: err}
	}
	return err
}

// lines gives each line but the first until yield has had enough.
func (w *ProductionWalker) lines(yield func(*Disclosure, error) bool) error {
	file, err := openRegular(w.files, ProductionPath)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := &lineReader{r: bufio.NewReaderSize(file, 256<<10)}
	if _, err := w.first(lines); err != nil {
		return err
	}
	for next := int64(0); next < w.head.Size; next++ {
		line, offset, err := lines.next()
		if errors.Is(err, io.EOF) {
			return &Fault{Code: "production-order", Offset: offset, Seq: next, Detail: "it ends before its last entry"}
		}
		if err != nil {
			return err
		}
		d, err := decodeDisclosure(line)
		if err == nil && d.Seq != next {
			err = fmt.Errorf("the line of entry %d where that of entry %d should stand", d.Seq, next)
		}
		if err != nil {
			return &Fault{Code: "production-form", Offset: offset, Seq: next, Detail: err.Error()}
		}
		if !yield(d, nil) {
			return nil
		}
	}
	return nil
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
