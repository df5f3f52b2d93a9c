package evidence

import (
	"context"
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// headDue tells whether a head must be signed now (docs/container.md, 5.4): by the number of entries, by the clock that stamps them, or, where that was set
// back, by a timer.
func (w *Writer) headDue() bool {
	l := &w.ledger
	if !l.news || l.sealed {
		return false
	}
	return l.tree.Size()-l.headSize >= w.opts.HeadEntries || w.opts.Now().Sub(l.headTime) >= w.opts.HeadEvery || w.due
}

// signHead signs a head if there is anything new, and appends its checkpoint entry. It runs in the appender's goroutine.
func (w *Writer) signHead(ctx context.Context) error {
	l := &w.ledger
	if l.sealed {
		return ErrSealed
	}
	if !l.news {
		return nil
	}
	if err := w.signNote(ctx); err != nil {
		w.fail(err)
		return err
	}
	return w.coverNote(ctx)
}

// coverNote appends the checkpoint entry of a head that has none yet.
func (w *Writer) coverNote(ctx context.Context) error {
	c := w.ledger.uncovered
	if c == nil {
		return nil
	}
	p, err := w.prepare(ctx, &Draft{Start: w.opts.Now(), Body: c})
	if err != nil {
		return err
	}
	w.commit(ctx, []*prepared{p})
	return <-p.done
}

// signNote reads back what was appended since the last head, signs a head over it and writes the note (docs/container.md, 5.3).
func (w *Writer) signNote(ctx context.Context) error {
	l := &w.ledger
	if err := w.readBack(ctx); err != nil {
		return err
	}
	text, err := trust.Head{Origin: Origin(l.caseID), Size: l.tree.Size(), Root: l.tree.Root()}.Text()
	if err != nil {
		return err
	}
	note, err := trust.Sign(ctx, text, w.opts.Signers...)
	if err != nil {
		return fmt.Errorf("head over %d entries: %w", l.tree.Size(), err)
	}
	if err := writeNew(w.opts.Folder, NotePath(l.tree.Size()), note); err != nil {
		return fmt.Errorf("head over %d entries: %w", l.tree.Size(), err)
	}
	l.uncovered = &Checkpoint{Size: l.tree.Size(), Note: string(note)}
	l.headSize, l.headTime, l.news = l.tree.Size(), w.opts.Now(), false
	w.due = false
	w.timer.Reset(w.opts.HeadEvery)
	return nil
}

// readBack walks what was appended since the last head as it stands on disk and requires the tree that is about to be signed.
// Compression and memory have corrupted backups before; a head must not cover what cannot be read.
func (w *Writer) readBack(ctx context.Context) error {
	l := &w.ledger
	if l.fresh {
		return nil
	}
	err := l.readback.Segment(ctx, l.segment, w.file, l.offset, func(*Batch) error { return nil })
	if err != nil {
		return fmt.Errorf("what was appended cannot be read back, no head was signed over it: %w", err)
	}
	if tree, ok := l.readback.Tree(); !ok || l.readback.Position() != l.pos || tree.Root() != l.tree.Root() {
		return fmt.Errorf("what was appended reads back as something else, no head was signed over %d entries", l.tree.Size())
	}
	return nil
}
