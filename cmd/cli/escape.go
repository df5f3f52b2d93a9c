package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Escape makes text that may come from evidence safe to show on a terminal: control characters, C1 controls, bidirectional and
// zero-width characters and bytes that are no UTF-8 are shown as escapes. LF and TAB stay.
func Escape(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x20 || r >= 0x7F && r < 0xA0:
			fmt.Fprintf(&b, `\x%02x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u{%04x}`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// EscapeLine is Escape for text that must stay on one line.
func EscapeLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Escape(s))
}

// FieldName is the name of a field of a case, safe to show: a word as it stands, anything else in quotation marks, so that nobody takes it for what is said of the case.
func FieldName(name string) string {
	if evidence.IsWord(name) {
		return name
	}
	return "field \"" + EscapeLine(name) + "\""
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 0x20 && c != '\n' && c != '\t') || c >= 0x7F {
			return false
		}
	}
	return true
}

// hidden reports whether a character changes how others are shown, or shows as nothing: format characters (bidirectional controls,
// zero-width characters, tags), line and paragraph separators, variation selectors, Hangul fillers, private use and non-characters.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs, unicode.Variation_Selector) ||
		r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || !unicode.IsPrint(r) && r != ' '
}
