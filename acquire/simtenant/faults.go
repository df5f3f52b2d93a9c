package simtenant

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong at certain requests. The package comment
// gives the grammar. Faults come from [ParseFaults].
type Fault struct {
	text        string
	kind        string // as in the grammar; "status" for a number
	first, last int    // ordinals; last is 0 for "from first on"
	status      int
	retryAfter  string        // as in the grammar; "" for none
	count       int           // of bytes, activities, requests
	wait        time.Duration // of slow
}

// String gives the fault as it was written.
func (f Fault) String() string { return f.text }

func (f Fault) strikes(ordinal int) bool {
	return f.first <= ordinal && (f.last == 0 || ordinal <= f.last)
}

const (
	maxFaults  = 10_000
	maxOrdinal = 1_000_000_000
	maxArrive  = 10_000
)

// ParseFaults reads faults joined by commas, as in
// "429@3,503@4-6:retry-after=2,cut@7:100". An empty text is no fault. Errors
// name the fault that does not parse.
func ParseFaults(s string) ([]Fault, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) > maxFaults {
		return nil, fmt.Errorf("faults: %d are more than %d", len(parts), maxFaults)
	}
	faults := make([]Fault, 0, len(parts))
	for _, part := range parts {
		f, err := parseFault(part)
		if err != nil {
			return nil, fmt.Errorf("fault %.80q: %w", part, err)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func parseFault(s string) (Fault, error) {
	f := Fault{text: s}
	head, argument, given := strings.Cut(s, ":")
	kind, place, ok := strings.Cut(head, "@")
	if !ok {
		return f, fmt.Errorf("place is missing: want kind@ordinal")
	}
	f.kind = kind
	if err := f.setPlace(place); err != nil {
		return f, err
	}
	if given && argument == "" {
		return f, fmt.Errorf("argument is empty")
	}
	return f, f.setArgument(argument)
}

func (f *Fault) setPlace(place string) error {
	from, open := strings.CutSuffix(place, "+")
	from, to, ranged := strings.Cut(from, "-")
	var err error
	if f.first, err = parseOrdinal(from); err != nil {
		return err
	}
	switch {
	case open && ranged:
		return fmt.Errorf("place %q is both a range and open", place)
	case open:
	case ranged:
		if f.last, err = parseOrdinal(to); err == nil && f.last < f.first {
			err = fmt.Errorf("place %q ends before it begins", place)
		}
	default:
		f.last = f.first
	}
	return err
}

func parseOrdinal(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxOrdinal || s != strconv.Itoa(n) {
		return 0, fmt.Errorf("ordinal %q is no whole number from 1", s)
	}
	return n, nil
}

func (f *Fault) setArgument(argument string) (err error) {
	switch f.kind {
	case "cut":
		f.count, err = parseCount(argument, 0, 1<<40)
	case "arrive", "late", "early", "vanish":
		f.count, err = parseCount(argument, 1, maxArrive)
	case "loop":
		f.count = 1
		if argument != "" {
			f.count, err = parseCount(argument, 1, f.first)
		}
	case "slow":
		f.wait, err = time.ParseDuration(argument)
		if err == nil && (f.wait < 0 || f.wait > time.Hour) {
			err = fmt.Errorf("wait %q is not within an hour", argument)
		}
	case "disabled", "expire", "reset", "hang", "repeat", "empty200", "badjson", "errorrow":
		if argument != "" {
			err = fmt.Errorf("argument %q where none is known", argument)
		}
	default:
		if slices.Contains(tsaFaults(), f.kind) {
			if argument != "" {
				err = fmt.Errorf("argument %q where none is known", argument)
			}
			return err
		}
		if f.status, err = parseCount(f.kind, 400, 599); err != nil {
			return fmt.Errorf("kind %q is not known", f.kind)
		}
		f.kind = "status"
		f.retryAfter, err = parseRetryAfter(argument)
	}
	return err
}

func parseCount(s string, low, high int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high || s != strconv.Itoa(n) {
		return 0, fmt.Errorf("argument %q is no whole number from %d to %d", s, low, high)
	}
	return n, nil
}

func parseRetryAfter(argument string) (string, error) {
	if argument == "" {
		return "", nil
	}
	value, ok := strings.CutPrefix(argument, "retry-after=")
	if !ok {
		return "", fmt.Errorf("argument %q where retry-after= is expected", argument)
	}
	seconds, date := strings.CutPrefix(value, "date")
	switch {
	case value == "none":
		return "", nil
	case value == "garbage":
		return value, nil
	case date && !strings.HasPrefix(seconds, "+") && !strings.HasPrefix(seconds, "-"):
		return "", fmt.Errorf("retry-after %q: want date+N or date-N", value)
	}
	if _, err := strconv.ParseInt(seconds, 10, 32); err != nil {
		return "", fmt.Errorf("retry-after %q is no number of seconds, date, garbage or none", value)
	}
	return value, nil
}

// header gives Retry-After as it is sent at the time now.
func (f Fault) header(now time.Time) (string, bool) {
	if seconds, ok := strings.CutPrefix(f.retryAfter, "date"); ok {
		n, _ := strconv.Atoi(seconds) // parseRetryAfter has seen it
		return now.Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat), true
	}
	if f.retryAfter == "garbage" {
		return "soon; or \"later\"", true
	}
	return f.retryAfter, f.retryAfter != ""
}

// struck is what goes wrong at one request: the faults that name its ordinal,
// in the order of the list.
type struck []Fault

// find gives the first fault of a kind.
func (s struck) find(kind string) (Fault, bool) {
	for _, f := range s {
		if f.kind == kind {
			return f, true
		}
	}
	return Fault{}, false
}

func (s struck) has(kind string) bool {
	_, ok := s.find(kind)
	return ok
}

// String joins the faults for the log of requests.
func (s struck) String() string {
	texts := make([]string, len(s))
	for i, f := range s {
		texts[i] = f.text
	}
	return strings.Join(texts, ",")
}
