package simulation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// calm is a script in which nothing happens but what its faults say.
func calm(faults string) *script {
	return &script{pageSize: 9, idle: time.Hour, faults: faults, runs: []runPlan{{}},
		weather: weatherPlan{quickest: time.Millisecond, slowest: 9 * time.Millisecond, small: 9000}}
}

func (s *stage) playCalm(t *testing.T, plan *script) (out *outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { out = s.play(plan, 7, sound) })
	for _, wrong := range out.wrong {
		t.Error(wrong)
	}
	return out
}

// statuses counts the exchanges by their status.
func statuses(entries []*evidence.Entry) map[int64]int {
	n := map[int64]int{}
	for _, e := range entries {
		if e.Head.Kind == evidence.KindExchange {
			n[e.Head.Status]++
		}
	}
	return n
}

// TestStorms refuses requests with every form of Retry-After, few times and more often than one run asks. Waits are as told, up to five minutes, and grow by themselves where
// nothing usable is told; each refusal is recorded; the case is complete in the end.
func TestStorms(t *testing.T) {
	s := newStage(t)
	for _, status := range []int64{429, 503, 504} {
		for _, c := range []struct {
			after string
			wait  time.Duration // 0 for one that grows from a second on
			slack time.Duration // of a date, which has whole seconds
		}{
			{"1", time.Second, 0}, {"7", 7 * time.Second, 0}, {"120", 2 * time.Minute, 0}, {"301", 5 * time.Minute, 0}, {"315360000", 5 * time.Minute, 0},
			{"date+30", 30 * time.Second, time.Second}, {"date+86400", 5 * time.Minute, 0},
			{"date-30", 0, 0}, {"0", 0, 0}, {"-1", 0, 0}, {"garbage", 0, 0}, {"none", 0, 0},
		} {
			for _, times := range []int{3, 20} {
				t.Run(fmt.Sprintf("%d %s %d", status, c.after, times), func(t *testing.T) {
					out := s.playCalm(t, calm(fmt.Sprintf("%d@3-%d:retry-after=%s", status, times+2, c.after)))
					if n := statuses(out.entries)[status]; n != times {
						t.Errorf("%d refusals are recorded, %d came", n, times)
					}
					if len(out.waits) < times-3 { // every eighth refusal ends a run
						t.Errorf("%d waits for %d refusals", len(out.waits), times)
					}
					for k, d := range out.waits {
						low, high := c.wait-c.slack, c.wait+c.slack
						if c.wait == 0 {
							high = min(time.Second<<(k%7), 5*time.Minute)
							low = high / 2
						}
						if d < low || d > high {
							t.Errorf("wait %d is %v, want %v to %v", k+1, d, low, high)
						}
					}
				})
			}
		}
	}
}

// TestLongStorm refuses 500 requests in a row, 5,000 in a campaign. All are recorded, and patience that is told to last lasts.
func TestLongStorm(t *testing.T) {
	times := 500
	if *seeds >= 2000 { // a campaign
		times = 5000
	}
	s := newStage(t)
	plan := calm(fmt.Sprintf("429@3-%d:retry-after=1", times+2))
	plan.retry = acquire.Retry{Attempts: times + 1, Total: 3 * time.Hour}
	out := s.playCalm(t, plan)
	if n := statuses(out.entries)[429]; n != times || out.count.runs != 1 {
		t.Errorf("%d refusals are recorded, %d came, in %d runs", n, times, out.count.runs)
	}
}

// TestExpiry lets the token expire at each request and the renewal come to each of its ends. It is asked for once for a page, and a run that gets none stops; the next one
// goes on.
func TestExpiry(t *testing.T) {
	s := newStage(t)
	for ordinal := 1; ordinal <= 10; ordinal++ {
		for _, c := range []struct {
			renewal  renewal
			refusals int
			renewals int
			runs     int
		}{{renewed, 1, 1, 1}, {noNewer, 2, 2, 2}, {renewalFails, 2, 2, 2}, {newIsRefused, 3, 2, 2}} { // a second run begins with the token that was refused
			t.Run(fmt.Sprintf("%d %d", ordinal, c.renewal), func(t *testing.T) {
				plan := calm(fmt.Sprintf("expire@%d", ordinal))
				plan.renewal, plan.pageSize = c.renewal, 6
				out := s.playCalm(t, plan)
				if n := statuses(out.entries)[401]; n != c.refusals || out.renewals != c.renewals || out.count.runs != c.runs {
					t.Errorf("%d refusals, %d renewals, %d runs; want %d, %d and %d", n, out.renewals, out.count.runs, c.refusals, c.renewals, c.runs)
				}
			})
		}
	}
}
