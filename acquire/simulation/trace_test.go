package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// trace is what happened, in the order in which each actor saw it. Actors that do something at one instant are not put in an order.
type trace struct {
	began time.Time
	mu    sync.Mutex
	lines map[string][]line
}

type line struct {
	at   time.Duration
	text string
}

func newTrace() *trace { return &trace{began: time.Now(), lines: map[string][]line{}} }

func (t *trace) note(actor, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[actor] = append(t.lines[actor], line{time.Since(t.began), fmt.Sprintf(format, args...)})
}

// hash covers every line of every actor.
func (t *trace) hash() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := sha256.New()
	for _, actor := range slices.Sorted(maps.Keys(t.lines)) {
		fmt.Fprintf(h, "%s %d\n", actor, len(t.lines[actor]))
		for _, l := range t.lines[actor] {
			fmt.Fprintf(h, "%d %s\n", l.at, l.text)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// String lists all lines by time.
func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	type entry struct {
		line
		actor string
	}
	var all []entry
	for _, actor := range slices.Sorted(maps.Keys(t.lines)) {
		for _, l := range t.lines[actor] {
			all = append(all, entry{l, actor})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return int(a.at - b.at) })
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%18.9fs %-14s %s\n", e.at.Seconds(), e.actor, e.text)
	}
	return b.String()
}
