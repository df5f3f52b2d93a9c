package simulation

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestClockIsSet sets the wall clock amid an answer, amid a wait, amid a wait of which a date tells the end, and between two runs, the first of which was interrupted. The order
// is that of the ledger, waits take as long as the service says, heads are signed in time, and the ledger says that the clock was set.
func TestClockIsSet(t *testing.T) {
	s := newStage(t)
	const year = 365 * 24 * time.Hour
	date := func(y int, m time.Month, d, h, min, sec int) time.Time {
		return time.Date(y, m, d, h, min, sec, 0, time.UTC)
	}
	cases := 0
	for _, c := range []struct {
		name string
		jump jump
		told bool // amid a run; between runs only what goes back can be told
	}{
		{"ten years back", jump{by: -10 * year}, true},
		{"a day back", jump{by: -24 * time.Hour}, true},
		{"an hour back", jump{by: -time.Hour}, true},
		{"a leap second is repeated", jump{by: -time.Second}, true},
		{"a leap second is left out", jump{by: time.Second}, true},
		{"a smear of 11 µs", jump{by: 11 * time.Microsecond}, false},
		{"a correction of a third of a second", jump{by: -333 * time.Millisecond}, false},
		{"an hour forward", jump{by: time.Hour}, true},
		{"forty years forward", jump{by: 40 * year}, true},
		{"the epoch", jump{to: date(1970, 1, 1, 0, 0, 0)}, true},
		{"before the epoch", jump{to: date(1969, 12, 31, 23, 59, 58)}, true},
		{"the end of 31 bits", jump{to: date(2038, 1, 19, 3, 14, 6)}, true},
		{"the end of 32 bits", jump{to: date(2106, 2, 7, 6, 28, 14)}, true},
		{"the end of package time's monotonic readings", jump{to: date(2156, 12, 1, 23, 59, 59)}, true},
		{"no monotonic reading", jump{to: date(9998, 5, 6, 7, 8, 9)}, true},
	} {
		for place, plan := range map[string]*script{
			"amid an answer":         {faults: "slow@3:30s", runs: []runPlan{{jumps: []jump{at(10*time.Second, c.jump)}}}},
			"amid a wait":            {faults: "429@3:retry-after=150", runs: []runPlan{{jumps: []jump{at(10*time.Second, c.jump)}}}},
			"amid a wait for a date": {faults: "503@3:retry-after=date+40", runs: []runPlan{{jumps: []jump{at(10*time.Second, c.jump)}}}},
			"there and back":         {faults: "slow@3:30s,slow@5:30s", runs: []runPlan{{jumps: []jump{at(10*time.Second, c.jump), {after: 45 * time.Second, to: story.Add(45 * time.Second)}}}}},
			"between runs":           {faults: "slow@3:30s", runs: []runPlan{{stop: 5 * time.Second}, {before: c.jump}}},
			"after a death":          {faults: "slow@3:30s", runs: []runPlan{{disk: diskPlan{fate: killed, at: 12}}, {before: c.jump}}},
		} {
			cases++
			t.Run(c.name+", "+place, func(t *testing.T) {
				plan.pageSize, plan.idle = 9, time.Hour
				plan.weather = weatherPlan{quickest: time.Millisecond, slowest: 9 * time.Millisecond, small: 9000}
				var out *outcome
				synctest.Test(t, func(*testing.T) { out = s.play(plan, 7, sound) })
				for _, wrong := range out.wrong {
					t.Error(wrong)
				}
				told := clockEntries(out.entries)
				want := c.told
				if place == "there and back" && c.told && len(told) != 2 {
					t.Errorf("the ledger tells %q, want two", told)
				}
				if len(plan.runs) > 1 { // the clock went back by more than the hour at most that lies between runs
					want = c.told && (c.jump.by < -time.Hour || !c.jump.to.IsZero() && c.jump.to.Before(story))
					if c.jump.by == -time.Hour {
						return // it depends on how long the pause was
					}
				}
				if (len(told) > 0) != want {
					t.Errorf("the ledger tells %q, want %v\n%s", told, want, out.trace)
				}
			})
		}
	}
	if cases < 80 {
		t.Errorf("%d cases", cases)
	}
}

func at(after time.Duration, j jump) jump {
	j.after = after
	return j
}

// clockEntries are the texts of the entries that tell of a clock that was set.
func clockEntries(entries []*evidence.Entry) (texts []string) {
	for _, e := range entries {
		if b, ok := e.Body.(*evidence.Operator); ok && b.Action == "clock-set" {
			texts = append(texts, fmt.Sprintf("%d: %s", e.Head.Seq, b.Text))
		}
	}
	return texts
}
