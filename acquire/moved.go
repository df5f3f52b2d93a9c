package acquire

import (
	"context"
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Rows tells of a page's rows what shows whether rows moved between two pages. The zero value tells nothing.
type Rows struct {
	IDs []uint64 // a hash of each row's id, in order; nil where a row has none, or where they are too many
	// From and To say where the first and the last row stand in the order that was asked for: a later row has no smaller number. Both are 0 if that cannot be told.
	From, To int64
}

// MostPasses is how often [RunUntilStill] asks for the same.
const MostPasses = 5

// RunUntilStill is [Run], and asks for the same in another window as long as rows arrived where a run had been already, or may have, up to [MostPasses] times. again is told of each window
// that is not the last. Where the run has a budget of bytes or time, or is to stop, one window is all: then the same acquisition asks in another window when it is made the next time.
func RunUntilStill(ctx context.Context, o Options, again func(*Result)) (*Result, error) {
	for pass := 1; ; pass++ {
		res, err := Run(ctx, o)
		if err != nil || !AskedAnew(res.State, res.Reason) || pass == MostPasses || o.MaxBytes > 0 || o.MaxTime > 0 || ctx.Err() != nil {
			return res, err
		}
		select {
		case <-o.Stop:
			return res, nil
		default:
		}
		again(res)
		o.Again = false // the window that is open to it begins anew, with its bounds
	}
}

// moved says what a page that is taken tells of rows which arrived behind the run, where it had been already: they shift the rest, so that rows of the page before come once
// more, or rows that belong before it.
func (c *chain) moved(s *Step, page int64) *PageError {
	if s.Defect != nil && s.Defect.Reason == ReasonRepeatedPage {
		return nil // that is said, and need not be a shift; AskedAnew
	}
	const what = "rows arrived where the run had been already, and those are not here"
	before := make(map[uint64]struct{}, len(c.rows.IDs))
	for _, id := range c.rows.IDs {
		before[id] = struct{}{}
	}
	again := 0
	for _, id := range s.Rows.IDs {
		if _, ok := before[id]; ok {
			again++
		}
	}
	switch {
	case again > 0:
		return &PageError{ReasonMovedRows, fmt.Sprintf("page %d has %d of the rows of the page before: %s", page, again, what)}
	case c.rows.To != 0 && s.Rows.From != 0 && s.Rows.From < c.rows.To:
		return &PageError{ReasonMovedRows, fmt.Sprintf("page %d begins before the end of the page before: %s", page, what)}
	}
	return nil
}

// AskedAnew reports whether a window that ended so is not continued: another one asks for the same from the beginning. Nothing is left to be asked in it, and what it lacks arrived where
// the run had been already. Of a page that repeats the one before it, however often it is asked for, that may be so: rows that arrive and fill just a page give that, too.
func AskedAnew(state, reason string) bool {
	return state == evidence.Partial && (reason == ReasonMovedRows || reason == ReasonRepeatedPage)
}
