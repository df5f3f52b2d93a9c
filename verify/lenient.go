package verify

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// lenient reads the batches of a damaged case that can still be read, wherever they stand. What it reads proves nothing.
type lenient struct {
	files fs.FS
	dec   *warc.Decoder // of the walk
	again *warc.Decoder // of what is read a second time meanwhile
}

func newLenient(files fs.FS) (*lenient, error) {
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	again, err := warc.NewDecoder()
	if err != nil {
		dec.Close()
		return nil, err
	}
	return &lenient{files, dec, again}, nil
}

func (l *lenient) close() {
	l.dec.Close()
	l.again.Close()
}

// readBatch is a batch that could be read.
type readBatch struct {
	*evidence.Batch
	before  *readBatch // the one that was read before, without its entries; nil for the first
	follows bool       // whether nothing stood between the two, and this one names that one
	damaged bool       // whether anything is wrong between the two
}

// batches calls visit for each batch in the order of the segments. One that goes back behind the batch before it is left out. Its entries
// have as many places as records; the place of a record that is not there is zero.
func (l *lenient) batches(ctx context.Context, visit func(*readBatch) error) error {
	names, err := fs.ReadDir(l.files, evidence.SegmentsPath)
	if err != nil && len(names) == 0 {
		return ctx.Err()
	}
	w := &lenientWalk{l: l, ctx: ctx, visit: visit}
	for _, name := range names { // sorted by name, so by number
		if n := evidence.SegmentNumber(name.Name()); n > 0 {
			if err := w.segment(n); err != nil {
				return err
			}
		}
	}
	return nil
}

type lenientWalk struct {
	l     *lenient
	ctx   context.Context
	visit func(*readBatch) error
	last  *readBatch
}

// segment walks one segment with a walker of its own, so that nothing which stands in one segment keeps another from being read.
func (w *lenientWalk) segment(n int64) error {
	file, size, err := evidence.OpenSegment(w.l.files, n)
	if err != nil {
		return w.ctx.Err()
	}
	defer file.Close()
	src := patient{file, size}
	group, broken := int64(0), false // where the records of the next batch begin, and whether anything is wrong with them
	walker := evidence.NewWalker(w.l.dec)
	walker.Report = func(*evidence.Fault) error {
		broken = true
		return nil
	}
	var failed error
	err = walker.Segment(w.ctx, n, src, size, func(b *evidence.Batch) error {
		if broken {
			failed = w.l.locate(w.ctx, b, searched{src, n, group})
		}
		if failed == nil {
			failed = w.batch(b, broken)
		}
		group, broken = b.End, false
		return failed
	})
	if failed != nil {
		return failed
	}
	_ = err // of reading: what stands behind that place is lost
	return w.ctx.Err()
}

func (w *lenientWalk) batch(b *evidence.Batch, damaged bool) error {
	r := &readBatch{Batch: b, before: w.last, damaged: damaged}
	if last := w.last; last != nil {
		if b.First < last.First+last.Count {
			return nil
		}
		r.follows = b.Batch == last.Batch.Batch+1 && b.First == last.First+last.Count && b.Prev == last.Hash
	}
	bare := *b
	bare.Entries = nil
	w.last = &readBatch{Batch: &bare}
	return w.visit(r)
}

// searched is where the records of a batch are sought: in a segment from an offset on. Which segment that is, its name says: a batch may
// stand in another than it says.
type searched struct {
	src     io.ReaderAt
	segment int64
	from    int64
}

// locate finds the records of a batch among what can be read up to the batch, by their hashes.
func (l *lenient) locate(ctx context.Context, b *evidence.Batch, in searched) error {
	type place struct{ entry, record int }
	want := map[string]place{} // by record id
	for i, e := range b.Entries {
		e.Located = make([]evidence.Located, len(e.Detail.Records))
		for j := range e.Detail.Records {
			want[evidence.RecordID(e.Detail.Nonce, j)] = place{i, j}
		}
	}
	budget := int64(64<<20) + 4*(b.Offset-in.from)
	for r := warc.NewReader(l.again, in.src, in.from, b.Offset); len(want) > 0; {
		rec, err := r.Next(ctx)
		var form *warc.FormatError
		switch {
		case errors.As(err, &form):
			next, err := warc.FindFrame(ctx, l.again, in.src, form.Offset+1, b.Offset, &budget)
			if err != nil || next < 0 {
				return ctx.Err()
			}
			r = warc.NewReader(l.again, in.src, next, b.Offset)
			continue
		case err != nil: // the end among them
			return ctx.Err()
		}
		if at, ok := want[rec.ID]; ok && b.Entries[at.entry].Names(at.record, rec) {
			b.Entries[at.entry].Located[at.record] = evidence.Located{Segment: int(in.segment), Offset: rec.Offset, Length: rec.FrameLength}
		}
	}
	return nil
}

// sector is how much is given up where a disk fails to read.
const sector = 4096

// patient reads zeros where a disk cannot read, sector by sector, so that a bad one costs what lies in it and no more.
type patient struct {
	src  io.ReaderAt
	size int64
}

func (p patient) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.src.ReadAt(b, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	for n = 0; n < len(b) && off+int64(n) < p.size; {
		at := off + int64(n)
		want := int(min(int64(len(b)-n), sector-at%sector, p.size-at))
		if got, err := p.src.ReadAt(b[n:n+want], at); got < want {
			if errors.Is(err, io.EOF) {
				return n + got, err
			}
			clear(b[n : n+want])
		}
		n += want
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
