package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

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
