package bag

import (
	"errors"
	"fmt"
	"strings"
)

// maxPath is the longest path, and maxName the longest element of one, in bytes.
const (
	maxPath = 1024
	maxName = 255
)

// checkPath refuses a path that no manifest may list; see the package comment.
func checkPath(path string) error {
	if path == "" {
		return errors.New("path is empty")
	}
	if len(path) > maxPath {
		return fmt.Errorf("path has %d bytes, at most %d", len(path), maxPath)
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\r' || c == '\n':
		case c < ' ' || c > '~' || c == '\\' || c == ':':
			return fmt.Errorf("path %q holds %q", clip(path), c)
		}
	}
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "" || name == "." || name == "..":
			return fmt.Errorf("path %q has the element %q", clip(path), name)
		case len(name) > maxName:
			return fmt.Errorf("path %q has an element of %d bytes, at most %d", clip(path), len(name), maxName)
		case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
			return fmt.Errorf("path %q has an element that ends in a dot or a space", clip(path))
		}
	}
	return nil
}

// encodePath writes CR, LF and % as RFC 8493, 2.1.3 asks.
func encodePath(path string) string {
	if !strings.ContainsAny(path, "%\r\n") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; c {
		case '%', '\r', '\n':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// decodePath reads what encodePath writes and nothing else.
func decodePath(text string) (string, error) {
	if !strings.ContainsAny(text, "%\r") {
		return text, nil
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		if rest[0] == '\r' {
			return "", fmt.Errorf("path %q holds a carriage return that is not encoded", clip(text))
		}
		if rest[0] != '%' {
			b.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		switch {
		case strings.HasPrefix(rest, "%25"):
			b.WriteByte('%')
		case strings.HasPrefix(rest, "%0D"):
			b.WriteByte('\r')
		case strings.HasPrefix(rest, "%0A"):
			b.WriteByte('\n')
		default:
			return "", fmt.Errorf("path %q holds a percent sign that starts none of %%0A, %%0D, %%25", clip(text))
		}
		rest = rest[3:]
	}
	return b.String(), nil
}
