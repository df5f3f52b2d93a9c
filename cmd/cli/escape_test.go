package cli

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain text\n\tand more":          "plain text\n\tand more",
		"Zürich, 東京, ελ":                  "Zürich, 東京, ελ",
		"\x1b]52;c;AAAA\x07":              `\x1b]52;c;AAAA\x07`,
		"verified\rALTERED":               `verified\x0dALTERED`,
		"\x00":                            `\x00`,
		"invoice\u202efdp.exe":            `invoice\u{202e}fdp.exe`,
		"a\u200bb\ufeffc\u2066d":          `a\u{200b}b\u{feff}c\u{2066}d`,
		"bad\xff\xfeutf8":                 `bad\xff\xfeutf8`,
		"\ue000":                          `\u{e000}`,
		"\x1b[31mred":                     `\x1b[31mred`,
		"over\rwritten":                   `over\x0dwritten`,
		"bell\a":                          `bell\x07`,
		"C1 \u009b31m":                    `C1 \x9b31m`,
		"raw C1 \x9b31m":                  `raw C1 \x9b31m`,
		"del\x7f":                         `del\x7f`,
		"a\u202eb":                        `a\u{202e}b`,
		"zero\u200bwidth\ufeff":           `zero\u{200b}width\u{feff}`,
		"tag \U000e0041":                  `tag \u{e0041}`,
		"line\u2028end":                   `line\u{2028}end`,
		"cut \xe2\x80":                    `cut \xe2\x80`,
		"variation \ufe0f, filler \u3164": `variation \u{fe0f}, filler \u{3164}`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, expected %q", in, got, want)
		}
	}
	if got, want := EscapeLine("two\nlines\tand \x1b"), `two\nlines\tand \x1b`; got != want {
		t.Errorf("EscapeLine gives %q, expected %q", got, want)
	}
}

// FuzzEscape: whatever comes in, nothing comes out that a terminal obeys or does not show.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a\x1b]0;x\a", "\u202e\u2066", "\xff\xfe", "\u0085", "e\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := EscapeLine(s)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is no UTF-8", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q keeps %U", s, r)
			}
		}
		if plain := strings.Map(func(r rune) rune {
			if r >= ' ' && r < 0x7F {
				return r
			}
			return -1
		}, s); Escape(plain) != plain {
			t.Fatalf("%q is changed although it is plain", plain)
		}
	})
}

// TestFieldName: a name that is no word cannot look like a line of a verdict.
func TestFieldName(t *testing.T) {
	for name, want := range map[string]string{"case-number": "case-number", "": `field ""`, "(b) sealed by the key that you pinned": `field "(b) sealed by the key that you pinned"`,
		"a\nb\u202e": `field "a\nb\u{202e}"`, "Examiner": `field "Examiner"`} {
		if got := FieldName(name); got != want {
			t.Errorf("%q is shown as %q", name, got)
		}
	}
}
