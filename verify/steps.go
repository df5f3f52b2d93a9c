package verify

import (
	"bytes"
	"context"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// step is one entry of a damaged case: out of a batch, or else the head line that the ledger has of it.
type step struct {
	seq      int64
	entry    *evidence.Entry // nil if no batch that can be read has it
	batch    *readBatch
	stretch  int           // number of the batches that follow each other without a break
	leaf     evidence.Hash // of the batch's head line, or of the ledger's
	line     []byte        // the ledger's head line, valid during the visit; nil if it has none that can be read
	ledger   evidence.Hash // its leaf
	asLedger bool          // whether the two are the same
}

// stepper goes through batches and ledger at the same time.
type stepper struct {
	rows  *rowCursor
	end   int64 // rows from here on are not wanted
	visit func(*step) error

	next    int64 // entry that was not visited yet
	stretch int
	row     int64 // seq of line
	line    []byte
	have    bool
}

// steps calls visit in order for each entry that a batch has, and before end for each that the ledger alone has.
func steps(ctx context.Context, l *lenient, rows *ledgerRows, end int64, visit func(*step) error) error {
	s := &stepper{rows: rows.cursor(), end: end, visit: visit}
	err := l.batches(ctx, func(b *readBatch) error {
		if !b.follows {
			s.stretch++
		}
		if err := s.ledgerAlone(ctx, b.First); err != nil {
			return err
		}
		for _, e := range b.Entries {
			if err := s.entry(b, e); err != nil {
				return err
			}
		}
		s.next = b.First + b.Count
		return nil
	})
	if err != nil {
		return err
	}
	return s.ledgerAlone(ctx, end)
}

// at reports whether there is a row of entry seq or a later one, and moves there.
func (s *stepper) at(seq int64) bool {
	if seq >= s.end {
		return false
	}
	if !s.have || s.row < seq {
		s.row, s.line, s.have = s.rows.next(seq)
	}
	return s.have && s.row < s.end
}

// ledgerAlone visits what no batch has before limit.
func (s *stepper) ledgerAlone(ctx context.Context, limit int64) error {
	for s.next < limit && s.at(s.next) && s.row < limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		leaf := evidence.LeafHash(s.line)
		if err := s.visit(&step{seq: s.row, leaf: leaf, line: s.line, ledger: leaf, asLedger: true}); err != nil {
			return err
		}
		s.next = s.row + 1
	}
	return ctx.Err()
}

func (s *stepper) entry(b *readBatch, e *evidence.Entry) error {
	st := &step{seq: e.Head.Seq, entry: e, batch: b, stretch: s.stretch, leaf: evidence.LeafHash(e.HeadLine)}
	if s.at(st.seq) && s.row == st.seq {
		st.line = s.line
		if st.asLedger = bytes.Equal(s.line, e.HeadLine); st.asLedger {
			st.ledger = st.leaf
		} else {
			st.ledger = evidence.LeafHash(s.line)
		}
	}
	return s.visit(st)
}
