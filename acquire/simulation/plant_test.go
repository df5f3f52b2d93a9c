package simulation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
)

// plant is a bug that is put into the world to see whether it is noticed.
type plant int

// Planted bugs.
const (
	sound       plant = iota
	noSync            // segments are acknowledged and not synced
	skipPage          // going on passes over a page
	forgetRetry       // an answer of 503 is not recorded
	wallWait          // waits end when the wall clock says so
	realChance        // random numbers are not of the seed
)

// source is the source with the bug that passes over a page.
type source struct {
	acquire.Source
	w *world
}

func (s source) Plan(p acquire.Params) (*acquire.Plan, error) {
	plan, err := s.Source.Plan(p)
	if err == nil && s.w.plant == skipPage && len(s.w.taken) > 0 {
		plan.Pager = &skipping{Pager: plan.Pager, w: s.w}
	}
	return plan, err
}

type skipping struct {
	acquire.Pager
	w    *world
	done bool
}

// Next takes the first link that leads on as if the page that it names had been taken.
func (s *skipping) Next(p *acquire.Page) (acquire.Step, error) {
	step, err := s.Pager.Next(p)
	if err != nil || s.done || step.Next == nil || int(p.Number) < len(s.w.taken) {
		return step, err
	}
	s.done = true
	var skip int
	head, tail, ok := strings.Cut(step.Next.URL, "%24skip=")
	if _, err := fmt.Sscan(tail, &skip); ok && err == nil {
		step.Next.URL = fmt.Sprintf("%s%%24skip=%d", head, skip+s.w.script.pageSize)
	}
	return step, nil
}

// plantedWait waits until the wall clock has passed a time; nil, as the product does.
func (w *world) plantedWait() func(context.Context, time.Duration) error {
	if w.plant != wallWait {
		return nil
	}
	return func(ctx context.Context, d time.Duration) error {
		until := w.clock.now().Round(0).Add(d)
		for k := 0; w.clock.now().Round(0).Before(until) && k < 1000; k++ {
			t := time.NewTimer(min(time.Minute, until.Sub(w.clock.now().Round(0))))
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
		}
		return nil
	}
}
