package bag

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const h = abcSum + "  " // starts a good line

// TestParseManifest has one fault in each row: the lines that must be reported,
// and the paths that are read none the less.
func TestParseManifest(t *testing.T) {
	long := strings.Repeat("n", 255)
	for _, c := range []struct{ name, text, bad, paths string }{
		{"empty", "", "", ""},
		{"two files", h + "a\n" + h + "b/c\n", "", "a b/c"},
		{"bytes, not words: slash is after hyphen", h + "a-b\n" + h + "a/b\n", "", "a-b a/b"},
		{"upper case is before lower case", h + "Z\n" + h + "a\n", "", "Z a"},
		{"spaces inside", h + "a b  c\n", "", "a b  c"},
		{"encoded", h + "a%0A%0D%25\n", "", "a\n\r%"},
		{"encoded twice", h + "a%250A\n", "", "a%0A"},
		{"name of 255", h + long + "\n", "", long},
		{"no newline at the end", h + "a\n" + h + "b", "2", "a"},
		{"empty line", h + "a\n\n" + h + "b\n", "2", "a b"},
		{"carriage return", h + "a\r\n", "1", ""},
		{"one space", abcSum + " a\n", "1", ""},
		{"three spaces", abcSum + "   a\n", "", " a"},
		{"tab", abcSum + "\ta\n", "1", ""},
		{"binary mark", abcSum + " *a\n", "1", ""},
		{"escaped by sha256sum", `\` + h + `a\nb` + "\n", "1", ""},
		{"comment", "# comment\n" + h + "a\n", "1", "a"},
		{"byte order mark", "\ufeff" + h + "a\n", "1", ""},
		{"upper-case hash", strings.ToUpper(abcSum) + "  a\n", "1", ""},
		{"one upper-case digit", strings.Replace(h, "ba", "bA", 1) + "a\n", "1", ""},
		{"63 digits", h[1:] + "a\n", "1", ""},
		{"65 digits", "0" + h + "a\n", "1", ""},
		{"digit g", "g" + h[1:] + "a\n", "1", ""},
		{"SHA-1", h[:40] + "  a\n", "1", ""},
		{"no path", h + "\n", "1", ""},
		{"hash alone", abcSum + "\n", "1", ""},
		{"absolute", h + "/a\n", "1", ""},
		{"drive", h + "C:/a\n", "1", ""},
		{"parent", h + "../a\n", "1", ""},
		{"parent inside", h + "a/../b\n", "1", ""},
		{"dot", h + "./a\n", "1", ""},
		{"empty element", h + "a//b\n", "1", ""},
		{"slash at the end", h + "a/\n", "1", ""},
		{"backslash", h + `a\b` + "\n", "1", ""},
		{"NUL", h + "a\x00\n", "1", ""},
		{"escape", h + "a\x1b\n", "1", ""},
		{"DEL", h + "a\x7f\n", "1", ""},
		{"not UTF-8", h + "a\xff\n", "1", ""},
		{"NFC and NFD", h + "e\u0301\n" + h + "\u00e9\n", "1 2", ""},
		{"dot at the end of a name", h + "a./b\n", "1", ""},
		{"space at the end", h + "a \n", "1", ""},
		{"lower-case escape", h + "a%0a\n", "1", ""},
		{"escape of another byte", h + "a%41\n", "1", ""},
		{"bare percent sign", h + "100%\n", "1", ""},
		{"name of 256", h + long + "n\n", "1", ""},
		{"path of 1,025", h + strings.Repeat("a/", 512) + "b\n", "1", ""},
		{"twice", h + "a\n" + h + "b\n" + h + "a\n", "3", "a b"},
		{"twice at once, other hash", h + "a\n" + emptySum + "  a\n", "2", "a"},
		{"twice, one encoded", h + "a%25\n" + h + "a%\n", "2", "a%"},
		{"unsorted", h + "b\n" + h + "a\n" + h + "c\n", "2", "a b c"},
		{"two unsorted", h + "c\n" + h + "a\n" + h + "b\n", "2 3", "a b c"},
		{"case twins", h + "A/b\n" + h + "a/B\n", "2", "A/b a/B"},
		{"two faults", "x\n" + h + "b\n" + "y" + h + "a\n", "1 3", "b"},
		{"too many lines", h + "a\n" + h + "b\n" + h + "c\n" + h + "d\n", "4", "a b c"},
	} {
		m, problems := parseManifest("m.txt", []byte(c.text), 3)
		var bad, paths []string
		for _, p := range problems {
			bad = append(bad, fmt.Sprint(p.Line))
			if p.Path != "m.txt" || p.Kind != Malformed && c.name != "too many lines" {
				t.Errorf("%s: problem %+v", c.name, p)
			}
		}
		for _, l := range m {
			paths = append(paths, l.Path)
		}
		if got := strings.Join(bad, " "); got != c.bad {
			t.Errorf("%s: reports lines %q, want %q: %v", c.name, got, c.bad, problems)
		}
		if got := strings.Join(paths, " "); got != c.paths {
			t.Errorf("%s: paths %q, want %q", c.name, got, c.paths)
		}
	}
	m, problems := ParseManifest("m.txt", []byte(h+"a\n"+emptySum+"  a\n"))
	if len(m) != 1 || hex.EncodeToString(m[0].Sum[:]) != abcSum || len(problems) != 1 {
		t.Errorf("of a repeated path: %v, %v", m, problems)
	}
}

func TestCompare(t *testing.T) {
	line := func(s string) Line { return Line{Path: s[:1], Sum: Sum{s[1]}} }
	manifest := func(s string) (m Manifest) {
		for f := range strings.FieldsSeq(s) {
			m = append(m, line(f))
		}
		return m
	}
	for _, c := range []struct{ expected, actual, want string }{
		{"", "", ""},
		{"a1 b1", "a1 b1", ""},
		{"a1 b1", "", "missing a missing b"},
		{"", "a1 b1", "extra a extra b"},
		{"a1 b1 c1", "a1 b2 c1", "changed b"},
		{"a1 b1 d1 e1", "b2 c1 d1 f1", "missing a changed b extra c missing e extra f"},
	} {
		var got []string
		for _, p := range Compare(manifest(c.expected), manifest(c.actual)) {
			got = append(got, string(p.Kind), p.Path)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q and %q: %q, want %q", c.expected, c.actual, s, c.want)
		}
	}
}
