package historic

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// repr appends repr(v).
func (p printable) repr(b []byte, v *value) []byte {
	switch v.kind {
	case '"':
		return p.reprText(b, v.text)
	case '0':
		return append(b, number(v.text)...)
	case 't':
		return append(b, "True"...)
	case 'f':
		return append(b, "False"...)
	case '[':
		b = append(b, '[')
		for i := range v.parts {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = p.repr(b, &v.parts[i].value)
		}
		return append(b, ']')
	case '{':
		b = append(b, '{')
		for i, m := range v.dict() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(p.reprText(b, m.name), ": "...)
			b = p.repr(b, &m.value)
		}
		return append(b, '}')
	}
	return append(b, "None"...)
}

// reprText appends repr of a string.
func (p printable) reprText(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, quote)
	for len(s) > 0 {
		r, n := decode(s)
		switch {
		case r == rune(quote) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case p.has(r):
			b = append(b, s[:n]...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return append(b, quote)
}

// decode reads a character of a text, surrogates without partner too.
func decode(s string) (r rune, n int) {
	if r, n = utf8.DecodeRuneInString(s); r == utf8.RuneError && n == 1 {
		return rune(s[0]&0x0F)<<12 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
	}
	return r, n
}

// cell is what the csv module makes of a value in a column.
func (p printable) cell(v *value) string {
	switch v.kind {
	case '"':
		return v.text
	case 'n', 0:
		return ""
	}
	return string(p.repr(nil, v))
}

// key tells dictionary keys apart as Python does: 1, 1.0 and True are one. ok is false for what cannot be a key.
func (v *value) key() (key string, ok bool) {
	switch v.kind {
	case '"':
		return `"` + v.text, true
	case 't':
		return "1", true
	case 'f':
		return "0", true
	case 'n':
		return "n", true
	case '0':
		text := number(v.text)
		f, _ := strconv.ParseFloat(text, 64)
		if strings.ContainsAny(text, ".e") && f == math.Trunc(f) {
			text = strconv.FormatFloat(f, 'f', 0, 64)
		}
		if text == "-0" {
			text = "0"
		}
		return text, true
	}
	return "", false
}
