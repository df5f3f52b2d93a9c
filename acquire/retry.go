package acquire

import (
	"context"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	crand "crypto/rand"
	"io"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Retry bounds patience. Zero values mean the defaults.
type Retry struct {
	Attempts int           // of one request in one run; 0 for 8
	Pages    int           // how often a page that cannot be interpreted is asked for in one run; 0 for 3
	Base     time.Duration // of the exponential waits; 0 for 1 s
	Longest  time.Duration // a single wait, whatever the service says; 0 for 5 min
	Total    time.Duration // all waits of one run, over all chains, added; 0 for 2 h
}

func (r *Retry) defaults() {
	if r.Attempts <= 0 {
		r.Attempts = 8
	}
	if r.Pages <= 0 {
		r.Pages = 3
	}
	if r.Base <= 0 {
		r.Base = time.Second
	}
	if r.Longest <= 0 {
		r.Longest = 5 * time.Minute
	}
	if r.Total <= 0 {
		r.Total = 2 * time.Hour
	}
}

// patience lets time pass between attempts, within bounds that all chains share.
type patience struct {
	retry Retry
	wait  func(context.Context, time.Duration) error
	rand  io.Reader

	mu   sync.Mutex
	left time.Duration
}

// delay is how long to wait before the next attempt, after that many failed ones: as long as the service says, up to the longest wait; else an exponential time,
// half of it random, so that clients which were refused together do not come back together. ok is false if that would pass the total.
func (p *patience) delay(failed int, told time.Duration) (d time.Duration, ok bool, err error) {
	if told > 0 {
		d = min(told, p.retry.Longest)
	} else {
		d = p.retry.Longest
		if failed <= 16 {
			d = min(d, p.retry.Base<<(failed-1))
		}
		n, err := crand.Int(p.rand, big.NewInt(int64(d/2)+1))
		if err != nil {
			return 0, false, err
		}
		d = d/2 + time.Duration(n.Int64())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d > p.left {
		return d, false, nil
	}
	p.left -= d
	return d, true, nil
}

// retryAfter reads how long a response says to wait (RFC 9110, section 10.2.3; services also send fractions of a second). A date counts from the response's own Date, so that
// a clock that is off does not matter, or from now if it has none. What says nothing usable (0, negative, past, garbage, absent) is 0.
func retryAfter(header httpblock.Fields, now time.Time) time.Duration {
	value, ok := header.Get("Retry-After")
	if !ok {
		return 0
	}
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		if strings.Trim(value, "0123456789.") != "" || s <= 0 {
			return 0
		}
		const longest = 100 * 365 * 24 * 3600
		return time.Duration(min(s, longest) * float64(time.Second))
	}
	until, ok := parseDate(value)
	if !ok {
		return 0
	}
	if date, ok := header.Get("Date"); ok {
		if t, ok := parseDate(date); ok {
			now = t
		}
	}
	return max(0, until.Sub(now))
}

// parseDate reads an HTTP date in its three forms (RFC 9110, section 5.6.7).
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
