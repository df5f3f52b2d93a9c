package bag

import "fmt"

// A Kind says what sort of difference a [Problem] is.
type Kind string

// The kinds of problem.
const (
	Missing    Kind = "missing"     // listed or required, and not there
	Extra      Kind = "extra"       // in the payload, and not listed
	Changed    Kind = "changed"     // there, and not what is listed
	Unlisted   Kind = "unlisted"    // a path that a case folder does not have
	NotRegular Kind = "not-regular" // a link, device, FIFO or folder where a file, or a file where a folder, belongs
	Malformed  Kind = "malformed"   // a line or a path in a spelling that is not allowed
	Unreadable Kind = "unreadable"  // the system gave an error for it
	Limit      Kind = "limit"       // more than is read of a hostile folder; what is beyond was not looked at
)

// A Problem is one difference between a folder and what it should be.
type Problem struct {
	Kind   Kind
	Path   string // of the file concerned, as found: hostile, print it quoted
	Line   int    // in the text file Path, from 1; 0 if no line is concerned
	Detail string // what was expected and found; input in it is quoted
}

// Error returns the problem in one line, with the path quoted.
func (p Problem) Error() string {
	s := fmt.Sprintf("%s %q", p.Kind, p.Path)
	if p.Line > 0 {
		s += fmt.Sprintf(" line %d", p.Line)
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

// clip shortens hostile input for a problem.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
