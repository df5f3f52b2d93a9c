package acquire

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const (
	// actionClock is the action of an entry which tells that the clock that stamps entries was set.
	actionClock = "clock-set"
	// clockSlack is by how much wall time and monotonic time may part between two looks: a clock that is corrected by slewing gains or loses 500 µs a second
	// at most, one that is stepped for a leap second a whole one.
	clockSlack = 500 * time.Millisecond
	// lookBack is among how many entries the last one of an earlier run is looked for.
	lookBack = 64
)

// moved tells by how much the wall clock was set between two looks at it, beyond the time that passed. Both times come from time.Now, so that each holds a wall time and a
// monotonic one; where either does not, because the clock is not the system's, nothing can be told. A system clock beyond the years 1885 to 2157 gives
// no monotonic time either: going there or coming from there counts as set.
func moved(before, now time.Time) time.Duration {
	wall := now.Round(0).Sub(before.Round(0))
	if steady(before) != steady(now) {
		return wall
	}
	return wall - now.Sub(before)
}

// steady tells whether a time holds a monotonic reading.
func steady(t time.Time) bool { return t != t.Round(0) }

// look compares the clock with the last look at it and appends an entry if it was set meanwhile.
func (s *sink) look(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	before := s.clock
	if before.IsZero() || steady(before) && steady(now) && now.Before(before) { // of two exchanges that ended at once, the later one has looked first
		s.mu.Unlock()
		return nil
	}
	s.clock = now
	s.mu.Unlock()
	by := moved(before, now)
	if by.Abs() < clockSlack {
		return nil
	}
	return s.clockSet(ctx, now, fmt.Sprintf("the clock was set, or this machine slept: it moved by %s more than time passed since %s", by, evidence.At(before)),
		evidence.Pair{Name: "by", Value: by.String()}, evidence.Pair{Name: "before", Value: evidence.At(before).String()})
}

func (s *sink) clockSet(ctx context.Context, now time.Time, text string, fields ...evidence.Pair) error {
	_, err := s.append(ctx, &evidence.Draft{Start: now, Source: s.source, Run: s.run,
		Body: &evidence.Operator{Action: actionClock, Text: text, Operator: s.env.Operator, Host: s.env.Host, Fields: fields}})
	return err
}

// setBack appends an entry if the clock stands before the end of what earlier runs recorded. That it was set forward between runs cannot be told from
// time that passed.
func (r *run) setBack(ctx context.Context) error {
	seq, end, err := r.lastRecorded()
	if err != nil || r.began.Add(clockSlack).After(end) {
		return err
	}
	by := r.began.Round(0).Sub(end)
	return r.sink.clockSet(ctx, r.began, fmt.Sprintf("the clock was set back since entry %d, by at least %s", seq, -by),
		evidence.Pair{Name: "by", Value: by.String()}, evidence.Pair{Name: "before", Value: evidence.At(end).String()})
}

// lastRecorded is the latest end among the newest entries, back to the last that is no act of opening or closing a case, and whose it is.
func (r *run) lastRecorded() (seq int64, end time.Time, err error) {
	totals, err := r.index.Totals()
	if err != nil {
		return 0, end, err
	}
	newest := totals.Position.Entries - 1
	for n := newest; n >= 0 && n > newest-lookBack; n-- {
		line, err := r.index.Entry(n)
		if err != nil {
			return 0, end, err
		}
		var h evidence.Head
		if err := json.Unmarshal(line, &h); err != nil {
			return 0, end, fmt.Errorf("entry %d in the index: %w", n, err)
		}
		if t := h.End.Time; t.After(end) {
			seq, end = n, t
		}
		switch h.Kind {
		case evidence.KindOperator, evidence.KindGap, evidence.KindCheckpoint:
		default:
			return seq, end, nil
		}
	}
	return seq, end, nil
}
