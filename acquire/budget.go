package acquire

import (
	"context"
	"fmt"
	"time"
)

const (
	// maxBody bounds the body of one answer, in bytes on the wire.
	maxBody = 1 << 30
	// perEntry is more than an entry takes in a case beyond its blocks, in bytes: lines, headers of records, rows of the index, whose file grows by doubling.
	perEntry = 8 << 10
)

// room is how many bytes the body of the next answer may have, or why nothing more may be asked in this run.
func (r *run) room() (int64, *PageError) {
	if r.pages.Load() >= r.o.MaxPages {
		return 0, &PageError{ReasonPageBudget, fmt.Sprintf("%d pages were taken, as many as one run may; the next run goes on", r.o.MaxPages)}
	}
	if r.o.MaxBytes <= 0 {
		return maxBody, nil
	}
	r.sink.mu.Lock()
	left := r.o.MaxBytes - r.sink.recorded
	r.sink.mu.Unlock()
	if left <= 0 {
		return 0, r.spent()
	}
	return min(left, maxBody), nil
}

// spent ends the run because its bytes are spent.
func (r *run) spent() *PageError {
	why := &PageError{ReasonByteBudget, fmt.Sprintf("%d bytes are recorded, or the next answer would have passed them: as many as one run may; the next run goes on", r.o.MaxBytes)}
	r.haltAll(why)
	return why
}

// limitTime makes the run end, and the context with it, when its time is over. Time is monotonic: the clock may jump.
func (r *run) limitTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.o.MaxTime <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	t := time.AfterFunc(r.o.MaxTime, func() {
		r.haltAll(&PageError{ReasonTimeBudget, fmt.Sprintf("%s have passed, as long as one run may take; the next run goes on", r.o.MaxTime)})
		cancel()
	})
	return ctx, func() {
		t.Stop()
		cancel()
	}
}
