package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const recoveryPath = WorkPath + "/recovery.warc.zst"

// resume sets the writer's state behind what was walked and recovers a torn tail.
func (o *opener) resume(ctx context.Context) error {
	l := &o.w.ledger
	tree, ok := o.walker.Tree()
	if !ok || o.walker.Position().Batch == 0 {
		return ErrNoCase
	}
	*l = ledgerState{caseID: o.walker.CaseID(), pos: o.walker.Position(), tree: tree, sealed: o.walker.Sealed(),
		headSize: o.survey.Newest(), headTime: o.w.opts.Now(), news: o.news, readback: o.walker}
	o.out.Entries, o.out.Sealing = tree.Size(), l.sealed
	if l.headSize > o.covered && !l.sealed {
		note, err := fs.ReadFile(o.w.opts.Folder.FS(), NotePath(l.headSize))
		if err != nil {
			return err
		}
		l.uncovered = &Checkpoint{Size: l.headSize, Note: string(note)}
	}
	t := o.tail
	if t.fresh || t.offset == t.size && t.size > 0 {
		return o.goOn(ctx)
	}
	if l.sealed {
		return &DamageError{Path: SegmentPath(t.segment), Detail: "bytes after the seal"}
	}
	return o.recover(ctx)
}

// goOn opens the last segment for appending.
func (o *opener) goOn(ctx context.Context) error {
	l, t := &o.w.ledger, o.tail
	file, err := o.w.opts.Folder.OpenFile(SegmentPath(t.segment), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	o.w.file = file
	l.segment, l.offset, l.fresh = t.segment, t.size, t.fresh
	if !t.fresh {
		return nil
	}
	rec, err := warc.NewReader(o.dec, file, 0, t.size).Next(ctx)
	if err != nil {
		return err
	}
	l.warcinfo = sum(rec.Whole())
	return syncFolder(o.w.opts.Folder, SegmentsPath)
}

// recover copies the torn tail into a new segment, whose first entry declares it, and only then cuts it off
// (docs/container.md, 7.3). It can be interrupted anywhere and run again.
func (o *opener) recover(ctx context.Context) error {
	t, target := o.tail, o.tail.segment
	if t.offset > 0 {
		target++
	}
	torn, err := o.w.opts.Folder.OpenFile(SegmentPath(t.segment), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	gap := &Gap{Reason: GapTorn, Segment: t.segment, Offset: t.offset, Length: t.size - t.offset,
		Text: "bytes after the last whole batch: an interrupted write, never acknowledged"}
	err = o.writeRecovery(ctx, target, gap, torn)
	if t.offset == 0 {
		err = errors.Join(err, torn.Close()) // about to be replaced
	}
	if err == nil {
		err = renameSync(o.w.opts.Folder, recoveryPath, SegmentPath(target))
	}
	if t.offset > 0 {
		if err == nil {
			err = cut(torn, t.offset)
		}
		err = errors.Join(err, torn.Close())
	}
	if err != nil {
		return fmt.Errorf("recovery of %s: %w", path.Base(SegmentPath(t.segment)), err)
	}
	o.out.Torn = gap
	o.w.file, err = o.w.opts.Folder.OpenFile(SegmentPath(target), os.O_RDWR|os.O_APPEND, 0)
	return err
}

// writeRecovery makes the new segment, whole, as a temporary file.
func (o *opener) writeRecovery(ctx context.Context, target int64, gap *Gap, torn File) error {
	w := o.w
	now := w.opts.Now()
	rec := RecordDraft{Type: warc.Resource, URI: "urn:exhibit:torn", ContentType: "application/octet-stream"}
	src := io.NewSectionReader(torn, gap.Offset, gap.Length)
	if gap.Length <= warc.InlineLimit/2 {
		rec.Block = make([]byte, gap.Length)
		if _, err := io.ReadFull(src, rec.Block); err != nil {
			return err
		}
	} else {
		rec.Source, rec.Size = src, gap.Length
	}
	p, err := w.prepare(ctx, &Draft{Start: now, Body: gap, Records: []RecordDraft{rec}})
	if err != nil {
		return err
	}
	defer p.release()
	if err := w.createSegment(target, recoveryPath, os.O_TRUNC); err != nil {
		return err
	}
	if _, err := w.write(ctx, []*prepared{p}); err != nil {
		return err
	}
	return w.file.Close()
}

// declare appends what opening found: an unclean stop, and the checkpoint entry of a head that has none.
func (o *opener) declare(ctx context.Context) error {
	if o.out.Sealing {
		return nil
	}
	var at Position
	if err := o.w.between(ctx, func(ctx context.Context) error {
		at = o.w.ledger.pos
		return o.w.coverNote(ctx)
	}); err != nil {
		return err
	}
	run, err := o.lostRun(ctx)
	if err != nil || run == nil {
		return err
	}
	gap := &Gap{Reason: GapUnclean, LostRun: run.id, InFlight: run.parallel, Segment: at.Segment, Offset: at.Offset,
		Text: fmt.Sprintf("run %s did not stop in order: up to %d requests may have been sent whose answers were not recorded", run.id, run.parallel)}
	if _, err := o.w.Append(ctx, &Draft{Start: o.w.opts.Now(), Body: gap}); err != nil {
		return err
	}
	o.out.Unclean = gap
	return nil
}

// lostRun returns the last run if it did not stop in order (docs/container.md, 7.4). What opening did not have to walk is
// read backwards, until the last run and, if it is lost, its start are found.
func (o *opener) lostRun(ctx context.Context) (*lastRun, error) {
	run := o.run
	for n := o.survey.Segments; n >= 1 && (run.id == "" || !run.stopped && !run.started); n-- {
		earlier := lastRun{}
		if err := eachBatch(ctx, o.w.opts.Folder.FS(), n, func(b *Batch) error {
			for _, e := range b.Entries {
				earlier.add(e)
			}
			return nil
		}); err != nil {
			return nil, err
		}
		switch {
		case run.id == "":
			run = earlier
		case earlier.id == run.id && earlier.started:
			run.started, run.parallel = true, earlier.parallel
		}
	}
	if run.id == "" || run.stopped {
		return nil, nil
	}
	run.parallel = max(run.parallel, 1)
	return &run, nil
}

// eachBatch walks one segment on its own.
func eachBatch(ctx context.Context, files fs.FS, n int64, visit func(*Batch) error) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	return walkSegment(ctx, newWalkerAt(dec), files, n, visit)
}

// CatchUp gives the index the batches between its position and end, which it must reach. A nil index needs none.
// An index that does not lie on the container's chain of batches is a [*DamageError]: delete it and open again.
func CatchUp(ctx context.Context, files fs.FS, index Index, end Position) error {
	if index == nil {
		return nil
	}
	p, err := index.Position(ctx)
	if err != nil || p == end {
		return err
	}
	stale := &DamageError{Path: WorkPath + "/ledger.db", Detail: "the index does not belong to these segments"}
	if p.Entries >= end.Entries {
		return stale
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	walker := &Walker{dec: dec, known: true, pos: p, broken: true}
	for n := max(p.Segment, 1); n <= end.Segment; n++ {
		if err := catchUpSegment(ctx, walker, files, n, index); err != nil {
			var fault *Fault
			if errors.As(err, &fault) {
				stale.Err = err
				return stale
			}
			return err
		}
	}
	if walker.Position() != end {
		return stale
	}
	return nil
}

func catchUpSegment(ctx context.Context, walker *Walker, files fs.FS, n int64, index Index) error {
	var batches []*Batch
	entries := int64(0)
	err := walkSegment(ctx, walker, files, n, func(b *Batch) error {
		batches, entries = append(batches, b), entries+b.Count
		if entries < 4096 {
			return nil
		}
		err := index.Apply(ctx, batches)
		batches, entries = nil, 0
		return err
	})
	if err == nil && len(batches) > 0 {
		err = index.Apply(ctx, batches)
	}
	return err
}
