package bag

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Sum is a SHA-256 hash.
type Sum = [sha256.Size]byte

// A Line is one file of a manifest.
type Line struct {
	Path string // relative to the case folder, with slashes, not encoded
	Sum  Sum    // of the file's bytes
}

// A Manifest lists files, sorted by the bytes of their paths, each once.
type Manifest []Line

// lineStart is the length of hash and two spaces.
const lineStart = 2*sha256.Size + 2

// Text returns the manifest's file (docs/container.md, 6.2). It fails when the
// manifest is not sorted, or a path is not allowed or there in two cases.
func (m Manifest) Text() ([]byte, error) {
	var b bytes.Buffer
	folded := make(map[string]bool, len(m))
	for i, l := range m {
		if err := checkPath(l.Path); err != nil {
			return nil, fmt.Errorf("malformed manifest: %w", err)
		}
		if i > 0 && m[i-1].Path >= l.Path {
			return nil, fmt.Errorf("malformed manifest: path %q is not after %q", l.Path, m[i-1].Path)
		}
		if f := strings.ToLower(l.Path); folded[f] {
			return nil, fmt.Errorf("malformed manifest: another path differs from %q only in case", l.Path)
		} else {
			folded[f] = true
		}
		b.WriteString(hex.EncodeToString(l.Sum[:]))
		b.WriteString("  ")
		b.WriteString(encodePath(l.Path))
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// ParseManifest reads the text of the manifest file that name names and accepts
// only what [Manifest.Text] writes. It reports every line that is otherwise, with
// its number, and returns the lines that can be read none the less, sorted. Lines
// that repeat a path are left out; of a path in two cases both are returned. At
// most DefaultLimits.Files lines are read.
func ParseManifest(name string, text []byte) (Manifest, []Problem) {
	return parseManifest(name, text, DefaultLimits().Files)
}

// parseManifest is ParseManifest for at most maxLines lines.
func parseManifest(name string, text []byte, maxLines int) (Manifest, []Problem) {
	lines := min(bytes.Count(text, []byte("\n"))+1, maxLines)
	p := manifestParser{
		name: name, number: make(map[string]int, lines), folded: make(map[string]int, lines), lines: make(Manifest, 0, lines),
	}
	sorted := true
	for n := 1; len(text) > 0; n++ {
		if n > maxLines {
			p.report(Limit, n, fmt.Sprintf("more than %d lines", maxLines))
			break
		}
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		text = rest
		l, err := parseLine(string(line))
		if err == nil && !ended {
			err = errors.New("no newline at the end")
		}
		if err != nil {
			p.report(Malformed, n, err.Error())
			continue
		}
		sorted = p.add(n, l) && sorted
	}
	if !sorted {
		slices.SortFunc(p.lines, func(a, b Line) int { return cmp.Compare(a.Path, b.Path) })
	}
	return p.lines, p.problems
}

// A manifestParser holds what makes a line depend on those before it.
type manifestParser struct {
	name     string
	lines    Manifest
	last     string         // the greatest path so far
	number   map[string]int // of the line with a path
	folded   map[string]int // of the first line with a path in lower case
	problems []Problem
}

func (p *manifestParser) report(k Kind, line int, detail string) {
	p.problems = append(p.problems, Problem{Kind: k, Path: p.name, Line: line, Detail: detail})
}

// add takes line n, reports what is wrong with its place, and tells whether it is
// in order.
func (p *manifestParser) add(n int, l Line) (inOrder bool) {
	if first, ok := p.number[l.Path]; ok {
		p.report(Malformed, n, fmt.Sprintf("path %q was on line %d", clip(l.Path), first))
		return true
	}
	p.number[l.Path] = n
	lower := strings.ToLower(l.Path)
	if first, ok := p.folded[lower]; ok {
		p.report(Malformed, n, fmt.Sprintf("path %q differs from that on line %d only in case", clip(l.Path), first))
	} else {
		p.folded[lower] = n
	}
	inOrder = len(p.lines) == 0 || p.last < l.Path
	if inOrder {
		p.last = l.Path
	} else {
		p.report(Malformed, n, fmt.Sprintf("path %q is not sorted: it is before %q", clip(l.Path), clip(p.last)))
	}
	p.lines = append(p.lines, l)
	return inOrder
}

// parseLine reads a line without its LF.
func parseLine(s string) (Line, error) {
	if len(s) < lineStart || s[lineStart-2:lineStart] != "  " {
		return Line{}, fmt.Errorf("%q is not a hash, two spaces and a path", clip(s))
	}
	digits := s[:lineStart-2]
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Line{}, fmt.Errorf("hash %q is not lower-case hexadecimal", digits)
		}
	}
	var l Line
	if _, err := hex.Decode(l.Sum[:], []byte(digits)); err != nil {
		return Line{}, err
	}
	path, err := decodePath(s[lineStart:])
	if err != nil {
		return Line{}, err
	}
	l.Path = path
	return l, checkPath(path)
}

// Compare returns every difference between two manifests, in the order of paths:
// what is Missing from actual, Extra in it, or Changed.
func Compare(expected, actual Manifest) []Problem {
	var problems []Problem
	for len(expected) > 0 || len(actual) > 0 {
		switch {
		case len(actual) == 0 || len(expected) > 0 && expected[0].Path < actual[0].Path:
			problems = append(problems, Problem{Kind: Missing, Path: expected[0].Path, Detail: "listed with hash " + hex.EncodeToString(expected[0].Sum[:])})
			expected = expected[1:]
		case len(expected) == 0 || actual[0].Path < expected[0].Path:
			problems = append(problems, Problem{Kind: Extra, Path: actual[0].Path, Detail: "not listed; its hash is " + hex.EncodeToString(actual[0].Sum[:])})
			actual = actual[1:]
		default:
			if e, a := expected[0], actual[0]; e.Sum != a.Sum {
				problems = append(problems, Problem{Kind: Changed, Path: e.Path,
					Detail: fmt.Sprintf("listed with hash %x, its hash is %x", e.Sum, a.Sum)})
			}
			expected, actual = expected[1:], actual[1:]
		}
	}
	return problems
}
