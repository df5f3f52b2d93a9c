package extract

import (
	"errors"
	"fmt"
	"io"
)

// worker turns pages into records, piece by piece, beside others.
type worker struct {
	x       *extraction
	pages   pageReader
	encoder Encoder // nil where records are emitted
	walker  *walker
	draft   draft
	stage   stage
	body    []byte // of the present page, where it is small
	out     []byte // encoded records
	piece   int
	marking bool // whether the worker is behind the gates
	writing bool
}

func newWorker(x *extraction, r pageReader) *worker {
	w := &worker{x: x, pages: r}
	if x.sink.encoder != nil {
		w.encoder = x.sink.encoder()
	}
	w.walker = newWalker(x.limit, w)
	w.draft.stage, w.stage.native = &w.stage, x.native
	return w
}

// errStopped says that another worker has ended the extraction.
var errStopped = errors.New("stopped")

// work takes pieces until there are none.
func (w *worker) work() {
	for {
		w.piece = int(w.x.taken.Add(1)) - 1
		if w.piece >= w.x.total {
			return
		}
		err := w.read()
		if err == nil {
			err = w.flush(true)
		}
		w.stage.clear()
		if err != nil {
			w.fail(err)
			return
		}
	}
}

// fail ends the extraction once everything before the present piece is done.
func (w *worker) fail(err error) {
	if w.writing || w.x.writing.enter(w.piece) {
		w.x.err = err
		w.x.note(&w.stage)
	}
	w.x.marking.close()
	w.x.writing.close()
	w.marking, w.writing = false, false
}

// read stages the records of a piece.
func (w *worker) read() error {
	source := w.x.norm.source()
	n, err := w.pages.Read(w.x.ctx, source, w.piece)
	if err != nil {
		return fmt.Errorf("source %q: %w", source, err)
	}
	for i := range n {
		if err := w.x.ctx.Err(); err != nil {
			return err
		}
		w.stage.pages++
		p, err := w.pages.Page(i)
		if err != nil {
			w.problem(Problem{Source: p.Source, Seq: p.Seq, Code: ProblemRead, Reason: printable(err.Error())})
			continue
		}
		if err := w.page(&p); err != nil {
			return err
		}
	}
	return nil
}

// page stages the records of one page.
func (w *worker) page(p *keptPage) error {
	whole, err := w.load(p.Body)
	if whole && err == nil {
		before := w.stage.mark()
		if w.quick(p, w.body) {
			return w.relieve()
		}
		w.stage.undo(before)
	}
	rest := io.MultiReader(&memory{b: w.body}, p.Body)
	if err != nil {
		rest = io.MultiReader(&memory{b: w.body}, failed{err})
	}
	return w.walker.page(p, rest, w.x.norm.shape())
}

// relieve hands on what is staged if it is much.
func (w *worker) relieve() error {
	if w.stage.size() < stageLimit {
		return nil
	}
	return w.flush(false)
}

// flush hands on what is staged. last says that this is the end of the piece; until then the worker stays behind the
// gates, so that nobody else's records come between.
func (w *worker) flush(last bool) error {
	if !w.marking && !w.x.marking.enter(w.piece) {
		return errStopped
	}
	w.marking = true
	if err := w.x.mark(w.stage.records); err != nil {
		return err
	}
	if last {
		w.marking = false
		w.x.marking.leave()
	}
	texts := string(w.stage.texts)
	if err := w.encode(texts); err != nil {
		return err
	}
	if !w.writing && !w.x.writing.enter(w.piece) {
		return errStopped
	}
	w.writing = true
	if err := w.deliver(texts); err != nil {
		return err
	}
	w.stage.clear()
	if last {
		w.writing = false
		w.x.writing.leave()
	}
	return nil
}

// encode writes the staged records to memory.
func (w *worker) encode(texts string) error {
	w.out = w.out[:0]
	if w.encoder == nil {
		return nil
	}
	var r Record
	for i := range w.stage.records {
		w.stage.record(&r, i, texts)
		var err error
		if w.out, err = w.encoder.Append(w.out, &r); err != nil {
			return recordError(&r, err)
		}
	}
	return nil
}

// deliver gives the records to where they go, and what else is staged to the summary.
func (w *worker) deliver(texts string) error {
	x, s := w.x, &w.stage
	x.note(s)
	s.pages, s.problemCount, s.problems = 0, 0, s.problems[:0]
	if w.encoder != nil {
		for i := range s.records {
			x.count(s.records[i].flags)
		}
		_, err := x.sink.w.Write(w.out)
		if cap(w.out) > 4*stageLimit {
			w.out = nil
		}
		return err
	}
	var r Record
	for i := range s.records {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		s.record(&r, i, texts)
		x.count(r.Flags)
		if err := x.sink.emit(&r); err != nil {
			return recordError(&r, err)
		}
	}
	return nil
}

func recordError(r *Record, err error) error {
	return fmt.Errorf("record at %d of exchange %d: %w", r.Provenance.Offset, r.Provenance.Seq, err)
}

// element stages the record for one element of a page. unread is nonzero for
// an element that was not interpreted; raw is then nil.
func (w *worker) element(p *keptPage, at place, raw []byte, unread Flags) error {
	if err := w.x.ctx.Err(); err != nil {
		return err
	}
	d := &w.draft
	d.reset(p)
	if unread != 0 {
		d.scan.reset(nil)
		d.scan.flags |= unread
	} else {
		d.scan.reset(raw)
		if d.read() != len(raw) { // the decoder took it, so the two disagree about what JSON is
			w.problem(Problem{Source: p.Source, Seq: p.Seq, Offset: at.offset, Code: ProblemSyntax, Reason: "not JSON"})
			return nil
		}
		d.interpret(w.x.norm)
		if d.scan.flags.Has(TooManyMembers) {
			w.problem(Problem{
				Source: p.Source, Seq: p.Seq, Offset: at.offset, Code: ProblemTooManyMembers,
				Reason: fmt.Sprintf("record with an object of more than %d members is not interpreted", maxMembers),
			})
		}
	}
	d.finish(at)
	return w.relieve()
}

func (w *worker) problem(p Problem) {
	w.stage.problemCount++
	if len(w.stage.problems) < maxProblems {
		w.stage.problems = append(w.stage.problems, p)
	}
}

// load reads a body into memory if it is small. whole is false if more of it follows what was read. An error is the
// body's, behind what was read.
func (w *worker) load(r io.Reader) (whole bool, err error) {
	w.body = w.body[:0]
	limit := min(w.x.quick, w.x.limit)
	for len(w.body) <= limit {
		if len(w.body) == cap(w.body) {
			w.body = append(w.body, 0)[:len(w.body)]
		}
		n, err := r.Read(w.body[len(w.body):min(cap(w.body), limit+1)])
		w.body = w.body[:len(w.body)+n]
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// memory reads bytes once.
type memory struct{ b []byte }

func (m *memory) Read(p []byte) (int, error) {
	if len(m.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.b)
	m.b = m.b[n:]
	return n, nil
}

// failed is a reader that has failed.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
