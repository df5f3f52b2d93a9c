package extract

import (
	"unicode/utf16"
	"unicode/utf8"
)

// AppendExact appends the text of a JSON string (quotes included in tok) as
// exactly as bytes can hold it: escapes are resolved, bytes that are not UTF-8
// stay as they are, and an escaped surrogate without its partner becomes the
// three bytes that UTF-8 would give it if it could. tok must be
// a JSON string, but for bytes that are not UTF-8.
func AppendExact(dst, tok []byte) []byte {
	for i := 1; i < len(tok)-1; {
		c := tok[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		i++
		switch c = tok[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, n, lone := escapedRune(tok[i-1:])
			if lone {
				dst = append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += n - 1
			continue
		}
		dst = append(dst, c)
		i++
	}
	return dst
}

// escapedRune reads the \uXXXX, or the pair of them, at the start of b. It
// returns the code point, the bytes read, and whether it is a surrogate
// without its partner.
func escapedRune(b []byte) (r rune, n int, lone bool) {
	r = hex4(b[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6, false
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(b[8:12])); pair != utf8.RuneError {
			return pair, 12, false
		}
	}
	return r, 6, true
}

// hex4 reads four hexadecimal digits that are known to be such.
func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendEscapedBytes appends a JSON string token, writing each byte that is
// not part of valid UTF-8 as \udcNN, NN being the byte: text for any JSON
// reader, and the original byte for one that knows (Python's surrogateescape).
func appendEscapedBytes(dst, tok []byte) []byte {
	const digits = "0123456789abcdef"
	for len(tok) > 0 {
		r, n := utf8.DecodeRune(tok)
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, '\\', 'u', 'd', 'c', digits[tok[0]>>4], digits[tok[0]&15])
		} else {
			dst = append(dst, tok[:n]...)
		}
		tok = tok[n:]
	}
	return dst
}

// appendLossy appends text, with U+FFFD in place of each run of bytes that is
// not UTF-8.
func appendLossy(dst, text []byte) []byte {
	inRun := false
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		bad := r == utf8.RuneError && n == 1
		switch {
		case !bad:
			dst = append(dst, text[:n]...)
		case !inRun:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		inRun = bad
		text = text[n:]
	}
	return dst
}
