package cli

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, 42 %":        "plain text, 42 %",
		"line\nline\ttab":         "line\nline\ttab",
		"\x1b[31mred\x1b[0m":      `\x1b[31mred\x1b[0m`,
		"\x1b]52;c;AAAA\x07":      `\x1b]52;c;AAAA\x07`,
		"verified\rALTERED":       `verified\x0dALTERED`,
		"\u009b31m":               `\x9b31m`,
		"\x9b31m":                 `\x9b31m`,
		"\x7f":                    `\x7f`,
		"\x00":                    `\x00`,
		"invoice\u202efdp.exe":    `invoice\u{202e}fdp.exe`,
		"a\u200bb\ufeffc\u2066d":  `a\u{200b}b\u{feff}c\u{2066}d`,
		"tag\U000E0041":           `tag\u{e0041}`,
		"caf\u00e9 \u4f60 \u0416": "caf\u00e9 \u4f60 \u0416",
		"bad\xff\xfeutf8":         `bad\xff\xfeutf8`,
		"sep\u2028x":              `sep\u{2028}x`,
		"\ue000":                  `\u{e000}`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	if got := EscapeLine("a\nb\tc"); got != `a\nb\tc` {
		t.Errorf("EscapeLine: %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "\x1b[2J", "\u202e", "\xc3\x28", "é\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Escape(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q becomes %q, which is no UTF-8", s, out)
		}
		for _, r := range out {
			if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7F && r < 0xA0 || strings.ContainsRune("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200e\u200f\ufeff", r) {
				t.Fatalf("%q becomes %q", s, out)
			}
		}
	})
}
