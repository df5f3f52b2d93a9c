package evidence

import (
	"fmt"
	"time"
)

// ParseBound reads a bound of a window as a person gives it: RFC 3339 with a zone, of the years 1900 to 9999, with at most milliseconds. It is returned in UTC.
// What it fails with begins with the text, quoted, and is for whoever gave it: the name of the flag goes before it.
func ParseBound(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1900 || t.Year() > 9999 || t.Nanosecond()%1e6 != 0 {
		return time.Time{}, fmt.Errorf("%q is no time of RFC 3339 with a zone, such as 2018-05-21T00:00:00Z", s)
	}
	return t.UTC(), nil
}

// FormatBound writes a bound as queries and window entries have it: RFC 3339 in UTC, milliseconds only if there are any.
func FormatBound(t time.Time) string {
	if t.Nanosecond() == 0 {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// CheckBounds fails unless there is time between two bounds, of which the second does not belong to the window.
func CheckBounds(from, to time.Time) error {
	if !from.Before(to) {
		return fmt.Errorf("the window from %s to %s is empty", FormatBound(from), FormatBound(to))
	}
	return nil
}
