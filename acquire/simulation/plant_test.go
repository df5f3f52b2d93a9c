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
	sound        plant = iota
	noSync             // segments are acknowledged and not synced
	skipPage           // going on passes over a page
	forgetRetry        // an answer of 503 is not recorded
	wallWait           // waits end when the wall clock says so
	realChance         // random numbers are not of the seed
	stillRows          // pages do not tell which rows they have: what moves is not seen
	skipAlways         // every window passes over a page
	otherMailbox       // windows that begin anew begin with a page of another mailbox
	askAnew            // every run asks in a window of its own
	askTwice           // going on asks for the last page once more
	keepBoth           // what is asked for again does not stand in the stead of what came before
)

// source is the source with a planted bug.
type source struct {
	acquire.Source
	w *world
}

func (s source) Plan(p acquire.Params) (*acquire.Plan, error) {
	plan, err := s.Source.Plan(p)
	if err != nil {
		return nil, err
	}
	switch before := len(s.w.taken[int64(len(s.w.taken))]); s.w.plant {
	case skipPage:
		if before > 0 {
			plan.Pager = &skipping{Pager: plan.Pager, from: int64(before), size: s.w.script.pageSize}
		}
	case skipAlways:
		plan.Pager = &skipping{Pager: plan.Pager, from: 1, size: s.w.script.pageSize}
	case stillRows:
		plan.Pager = still{plan.Pager}
	case otherMailbox:
		plan.Pager = &elsewhere{Pager: plan.Pager}
	case askTwice:
		if before > 0 {
			plan.Pager = &doubting{Pager: plan.Pager, page: int64(before)}
		}
	}
	return plan, nil
}

type skipping struct {
	acquire.Pager
	from int64 // page
	size int
	done bool
}

// Next takes the first link that leads on as if the page that it names had been taken.
func (s *skipping) Next(p *acquire.Page) (acquire.Step, error) {
	step, err := s.Pager.Next(p)
	if err != nil || s.done || step.Next == nil || p.Number < s.from {
		return step, err
	}
	s.done = true
	var skip int
	head, tail, ok := strings.Cut(step.Next.URL, "%24skip=")
	if _, err := fmt.Sscan(tail, &skip); ok && err == nil {
		step.Next.URL = fmt.Sprintf("%s%%24skip=%d", head, skip+s.size)
	}
	return step, nil
}

type still struct{ acquire.Pager }

// Next forgets which rows the page has.
func (s still) Next(p *acquire.Page) (acquire.Step, error) {
	step, err := s.Pager.Next(p)
	step.Rows = acquire.Rows{}
	return step, err
}

type elsewhere struct{ acquire.Pager }

// First asks for another mailbox.
func (e *elsewhere) First(chain int64) acquire.Request {
	r := e.Pager.First(chain)
	head, tail, _ := strings.Cut(r.URL, "/Users(")
	_, tail, _ = strings.Cut(tail, ")/")
	r.URL = head + "/me/" + tail
	return r
}

// Next ends there.
func (e *elsewhere) Next(p *acquire.Page) (acquire.Step, error) {
	step, err := e.Pager.Next(p)
	step.Next = nil
	return step, err
}

type doubting struct {
	acquire.Pager
	page int64
	done bool
}

// Next calls a page that was taken faulty, once.
func (s *doubting) Next(p *acquire.Page) (acquire.Step, error) {
	step, err := s.Pager.Next(p)
	if err == nil && !s.done && p.Number == s.page {
		s.done, step.Defect = true, &acquire.PageError{Reason: acquire.ReasonErrorRow, Text: "planted"}
	}
	return step, err
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
