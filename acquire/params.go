package acquire

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Params are the values that a person gave, by flag name.
type Params struct {
	Values map[string][]string
	Now    time.Time                                // what an end that is not given becomes; whole seconds, UTC
	Open   func(name string) (io.ReadCloser, error) // opens a file that a flag names
}

// Flags that mean the same wherever a source takes them. base-url is taken by all sources.
const (
	FlagBaseURL  = "base-url"
	FlagUser     = "user"
	FlagStart    = "start"
	FlagEnd      = "end"
	FlagPageSize = "page-size"
	FlagMax      = "max"
)

// Only fails if a value was given for a flag that d does not have, or more than one for a flag that takes one, or none for one that is required.
func (p Params) Only(d Description) error {
	for name, values := range p.Values {
		i := slices.IndexFunc(d.Flags, func(f Flag) bool { return f.Name == name })
		switch {
		case name == FlagBaseURL:
		case i < 0:
			return &UsageError{name, fmt.Sprintf("source %s does not take it", d.Name)}
		case d.Flags[i].Many:
			continue
		}
		if len(values) > 1 {
			return &UsageError{name, "given more than once"}
		}
	}
	for _, f := range d.Flags {
		if f.Required && len(p.Values[f.Name]) == 0 {
			return &UsageError{f.Name, "is required"}
		}
	}
	return nil
}

// Text is the value of a flag, or def.
func (p Params) Text(flag, def string) string {
	if v := p.Values[flag]; len(v) > 0 {
		return v[0]
	}
	return def
}

// Word is the value of a flag, or def, which must be one of allowed.
func (p Params) Word(flag, def string, allowed ...string) (string, error) {
	v := p.Text(flag, def)
	if !slices.Contains(allowed, v) {
		return "", &UsageError{flag, fmt.Sprintf("%q is none of %s", v, strings.Join(allowed, ", "))}
	}
	return v, nil
}

// Number is the value of a flag from low to high, or def.
func (p Params) Number(flag string, def, low, high int64) (int64, error) {
	v, ok := p.Values[flag]
	if !ok || len(v) == 0 {
		return def, nil
	}
	n, err := strconv.ParseInt(v[0], 10, 64)
	if err != nil || n < low || n > high || strconv.FormatInt(n, 10) != v[0] {
		return 0, &UsageError{flag, fmt.Sprintf("%q is no number from %d to %d", v[0], low, high)}
	}
	return n, nil
}

// Time is the value of a flag, as [evidence.ParseBound] reads it; ok is false if it was not given.
func (p Params) Time(flag string) (t time.Time, ok bool, err error) {
	v := p.Values[flag]
	if len(v) == 0 {
		return t, false, nil
	}
	if t, err = evidence.ParseBound(v[0]); err != nil {
		return t, false, &UsageError{flag, err.Error()}
	}
	return t, true, nil
}

// Bounds are the flags start and end. An end that is not given is Now, a start that is not given a month before the end. It fails unless start is before end.
func (p Params) Bounds() (start, end time.Time, err error) {
	end, ok, err := p.Time(FlagEnd)
	if err != nil {
		return start, end, err
	}
	if !ok {
		end = p.Now.UTC().Truncate(time.Second)
	}
	start, ok, err = p.Time(FlagStart)
	if err != nil {
		return start, end, err
	}
	if !ok {
		start = monthBefore(end)
	}
	if err := evidence.CheckBounds(start, end); err != nil {
		return start, end, &UsageError{FlagStart, err.Error()}
	}
	return start, end, nil
}

// monthBefore is the same day and time of the month before, or that month's last day if it is too short.
func monthBefore(t time.Time) time.Time {
	before := t.AddDate(0, -1, 0)
	if before.Day() != t.Day() { // it was a day that the month does not have, and went on into the next
		before = before.AddDate(0, 0, -before.Day())
	}
	return before
}

// Origin is the flag base-url, or def. It must be a scheme, a host and perhaps a port and nothing else.
func (p Params) Origin(def string) (string, error) {
	v := strings.TrimSuffix(p.Text(FlagBaseURL, def), "/")
	if v == "" {
		return "", &UsageError{FlagBaseURL, "is required"}
	}
	if OriginOf(v) != v {
		return "", &UsageError{FlagBaseURL, QuotedURL(v) + " is no origin such as https://host or https://host:port"}
	}
	return v, nil
}
