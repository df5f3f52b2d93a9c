package casefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// The states of a case.
const (
	StateOpen    = "open"
	StateSealing = "sealing" // a seal was begun: only that may go on
	StateSealed  = "sealed"
)

// Status is what a case holds, at its word: nothing of it is verified.
type Status struct {
	Dir      string
	Case     *evidence.Case
	State    string
	Entries  int64
	Counts   []evidence.KindCount
	Heads    []int64 // sizes of the signed heads, ascending
	Segments int64
	Bytes    int64 // of the segments
	Windows  []*row.Window
	Index    bool   // told by the index; else read from the segments
	Trouble  string // why the segments could not be read to their end: a torn write, which opening recovers, or damage
}

// ReadStatus tells what a case holds and changes nothing. It may run beside a process that writes. It fails with [ErrNoFolder] and [evidence.ErrNoCase].
func ReadStatus(ctx context.Context, dir string) (*Status, error) {
	v, err := openView(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer v.close()
	s := &Status{Dir: dir, State: StateOpen}
	if s.Case, err = readCase(ctx, v.files); err != nil {
		return nil, err
	}
	if err := s.survey(v.files); err != nil {
		return nil, err
	}
	err = v.status(s)
	if errors.Is(err, errNoIndex) {
		err = v.walkStatus(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	for _, k := range s.Counts {
		if k.Kind == evidence.KindSeal && k.Count > 0 {
			s.State = StateSealing
		}
	}
	if v.sealed {
		s.State = StateSealed
	}
	return s, nil
}

func (s *Status) survey(files fs.FS) error {
	survey, err := evidence.NewSurvey(files)
	if err != nil {
		return err
	}
	s.Segments, s.Heads = survey.Segments, survey.Notes
	for n := int64(1); n <= s.Segments; n++ {
		info, err := fs.Stat(files, evidence.SegmentPath(n))
		if err != nil {
			return err
		}
		s.Bytes += info.Size()
	}
	return nil
}

// walkStatus reads all segments.
func (v *view) walkStatus(ctx context.Context, s *Status) error {
	windows := map[int64]*row.Window{}
	s.Windows, s.Counts, s.Index = nil, nil, false
	var totals row.Totals
	trouble, err := v.walk(ctx, func(b *evidence.Batch) error {
		totals.Add(b)
		for _, e := range b.Entries {
			n := e.Head.Window
			before := windows[n]
			after := row.FoldWindow(before, e)
			if before == nil && after != nil {
				windows[n] = after
				s.Windows = append(s.Windows, after)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.Entries, s.Counts = totals.Position.Entries, totals.Counts()
	if trouble != nil {
		s.Trouble = trouble.Error()
	}
	return nil
}

// ReadLog calls yield for each row of the operator log, in order: what operator and tool did, window by window, with gaps, keys and checkpoints. An error
// of yield ends it and is returned. It changes nothing and may run beside a process that writes.
func ReadLog(ctx context.Context, dir string, yield func(*row.LogEntry) error) error {
	v, err := openView(ctx, dir)
	if err != nil {
		return err
	}
	defer v.close()
	err = v.log(ctx, yield)
	if !errors.Is(err, errNoIndex) {
		return err
	}
	trouble, err := v.walk(ctx, func(b *evidence.Batch) error {
		for _, e := range b.Entries {
			if !row.Logged(e.Head.Kind) {
				continue
			}
			if err := yield(row.LogOf(e)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && trouble != nil {
		err = fmt.Errorf("log ends early: %w", trouble)
	}
	return err
}
