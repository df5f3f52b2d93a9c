package historic

import (
	"strings"
	"testing"
)

// reprs are JSON values and what Python makes of them, worked out by hand from the rules of Python's reference (repr of str, int, float, dict and list).
func reprs() [][2]string {
	return [][2]string{
		// Quotes: single ones, but for a text that holds single ones alone.
		{`""`, `''`},
		{`"plain"`, `'plain'`},
		{`"O'Brien"`, `"O'Brien"`},
		{`"say \"x\""`, `'say "x"'`},
		{`"it's \"x\""`, `'it\'s "x"'`},
		{`"\""`, `'"'`},
		{`"'"`, `"'"`},
		{`"'\""`, `'\'"'`},
		{`"''"`, `"''"`},
		// Backslashes.
		{`"a\\b"`, `'a\\b'`},
		{`"\\"`, `'\\'`},
		{`"\\n"`, `'\\n'`},
		{`"\\'"`, `"\\'"`},
		{`"\/"`, `'/'`},
		// Control characters.
		{`"\r\n\t"`, `'\r\n\t'`},
		{`"\b\f"`, `'\x08\x0c'`},
		{`"\u0000"`, `'\x00'`},
		{`"\u001b[31m"`, `'\x1b[31m'`},
		{`"\u007f"`, `'\x7f'`},
		{`"\u0080\u009f"`, `'\x80\x9f'`},
		{`"\u0085"`, `'\x85'`},
		// Latin letters and what looks like a space.
		{`"caf\u00e9"`, `'café'`},
		{`"\u00a0"`, `'\xa0'`},
		{`"\u00ad"`, `'\xad'`},
		{`"\u00a1"`, `'¡'`},
		{`"a b"`, `'a b'`},
		{`"\u2028\u2029"`, `'\u2028\u2029'`},
		{`"\u3000"`, `'\u3000'`},
		{`"\u200b\u200f"`, `'\u200b\u200f'`},
		{`"\u202egpj.exe"`, `'\u202egpj.exe'`},
		{`"\ufeff"`, `'\ufeff'`},
		{`"\ufffd"`, `'` + "\ufffd" + `'`},
		{`"\uffff"`, `'\uffff'`},
		{`"e\u0301"`, "'e\u0301'"},
		{`"\u20ac\u0416\u4e2d\uff1d"`, `'€Ж中＝'`},
		{`"\ue000"`, `'\ue000'`},
		// Beyond the basic plane, and halves of it.
		{`"\ud83d\ude00"`, `'😀'`},
		{`"😀"`, `'😀'`},
		{`"\udb40\udc01"`, `'\U000e0001'`},
		{`"\udbff\udfff"`, `'\U0010ffff'`},
		{`"\ud800"`, `'\ud800'`},
		{`"\udc00x"`, `'\udc00x'`},
		{`"\ud800\ud800\udc00"`, `'\ud800` + "\U00010000" + `'`},
		// What is no string.
		{`null`, `None`},
		{`true`, `True`},
		{`false`, `False`},
		{`0`, `0`},
		{`-0`, `0`},
		{`18446744073709551615`, `18446744073709551615`},
		{`1156492.00`, `1156492.0`},
		{`1e16`, `1e+16`},
		{`1e15`, `1000000000000000.0`},
		{`123456789012345678.0`, `1.2345678901234568e+17`},
		{`0.0001`, `0.0001`},
		{`0.00001`, `1e-05`},
		{`1E400`, `inf`},
		{`-1E400`, `-inf`},
		{`-0.0`, `-0.0`},
		{`1e-400`, `0.0`},
		{`[]`, `[]`},
		{`[1,"a",null]`, `[1, 'a', None]`},
		{`{}`, `{}`},
		{`{"a":{"b":[true]}}`, `{'a': {'b': [True]}}`},
		{`{"k'":1,"x":2,"k'":3}`, `{"k'": 3, 'x': 2}`},
	}
}

func reprOf(t *testing.T, p printable, text string) string {
	t.Helper()
	v, err := newParser().parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(p.repr(nil, &v))
}

// TestRepr holds our repr against the hand, and the hand against Python.
func TestRepr(t *testing.T) {
	p, cases := newPrintable(), reprs()
	if len(cases) < 40 {
		t.Fatalf("%d cases", len(cases))
	}
	var lines []string
	for _, c := range cases {
		lines = append(lines, c[0])
		if got := reprOf(t, p, c[0]); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
	answer := strings.Split(strings.TrimSuffix(string(python(t, strings.Join(lines, "\n")+"\n", "repr")), "\n"), "\n")
	if len(answer) != len(cases) {
		t.Fatalf("Python answers %d lines", len(answer))
	}
	for i, c := range cases {
		if answer[i] != c[1] {
			t.Errorf("%s: Python says %s, the hand %s", c[0], answer[i], c[1])
		}
	}
}

// TestPrintable: what is in the list, this Python shows too; what Python shows besides came after Unicode 9.0, as another program knows.
func TestPrintable(t *testing.T) {
	p := newPrintable()
	if len(p) != 640 || p.has(0x7F) || p.has('\n') || !p.has('~') || p.has(0xA0) || p.has(0x10FFFF) || !p.has(0x1F600) {
		t.Fatalf("%d ranges", len(p))
	}
	later := pythonPrintable(t)
	for r := rune(0x80); r <= 0x10FFFF; r++ {
		if p.has(r) && !later.has(r) {
			t.Fatalf("U+%04X is in the list and Python does not show it", r)
		}
	}
	script := `for my $c (0x80..0x10FFFF) { next if $c >= 0xD800 && $c <= 0xDFFF; my $s = chr $c;
print "$c\n" if $s =~ /\p{Present_In: 9.0}/ && $s !~ /[\p{C}\p{Z}]/ }`
	n := 0
	for line := range strings.Lines(string(tool(t, "", "perl", "-e", script))) {
		r := rune(0)
		for _, d := range strings.TrimSpace(line) {
			r = r*10 + d - '0'
		}
		if n++; !p.has(r) {
			t.Fatalf("U+%04X is printable in Unicode 9.0 and not in the list", r)
		}
	}
	for _, r := range p {
		n -= int(r[1]-r[0]) + 1
	}
	if n != 0 {
		t.Errorf("the list has %d characters more than Unicode 9.0", -n)
	}
}
