package evidence

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// codec writes or reads one line of a batch in its only allowed spelling (docs/container.md, 1.2). A type says its members once, in
// order, and the codec does both: what it reads can be spelt in no other way, because it takes nothing but what it would write.
// The first failure stays in err and the rest does nothing. Text that was read shares the memory of the line.
type codec struct {
	reading bool
	in      string // what is left to read
	out     []byte // what was written
	sep     byte   // before the next member: '{' or ','
	err     error
}

// lines is what has members: the types of this package that stand in lines.
type lines interface{ members(*codec) }

// writeLine writes v as a line, without LF.
func writeLine(v lines) ([]byte, error) {
	c := codec{out: make([]byte, 0, 512)}
	c.object(v.members)
	if c.err == nil && len(c.out) > MaxLine {
		c.err = fmt.Errorf("line of %d bytes is longer than %d", len(c.out), MaxLine)
	}
	return c.out, c.err
}

// readLine reads all of line into v.
func readLine(line string, v lines) error {
	if len(line) > MaxLine {
		return fmt.Errorf("line of %d bytes is longer than %d", len(line), MaxLine)
	}
	c := codec{reading: true, in: line}
	c.object(v.members)
	if c.err == nil && c.in != "" {
		c.err = fmt.Errorf("%d bytes after the end of the object", len(c.in))
	}
	return c.err
}

func (c *codec) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// byte writes b, or takes it.
func (c *codec) byte(b byte) {
	switch {
	case c.err != nil:
	case !c.reading:
		c.out = append(c.out, b)
	case c.in == "" || c.in[0] != b:
		c.fail("%q where %q should stand", c.ahead(), b)
	default:
		c.in = c.in[1:]
	}
}

// ahead is what stands next, for a message.
func (c *codec) ahead() string { return c.in[:min(len(c.in), 20)] }

// object is { members }. Every type has at least one.
func (c *codec) object(members func(*codec)) {
	outer := c.sep
	c.sep = '{'
	members(c)
	c.byte('}')
	c.sep = outer
}

// key is what stands before a member's value. It reports whether to go on.
func (c *codec) key(name string) bool {
	if c.err != nil {
		return false
	}
	n, sep := len(name), c.sep
	c.sep = ','
	if !c.reading {
		c.out = append(append(append(c.out, sep, '"'), name...), '"', ':')
		return true
	}
	if s := c.in; len(s) < n+4 || s[0] != sep || s[1] != '"' || s[2:2+n] != name || s[2+n] != '"' || s[3+n] != ':' {
		c.fail("%q where the key %q should stand", c.ahead(), name)
		return false
	}
	c.in = c.in[n+4:]
	return true
}

// next reports whether another member called name follows; of reading only.
func (c *codec) next(name string) bool { return strings.HasPrefix(c.in, `,"`+name+`":`) }

// integer is a number from 0 to 2^53-1, or -1.
func (c *codec) integer(name string, v *int64) {
	if c.key(name) {
		c.number(v)
	}
}

func (c *codec) number(v *int64) {
	if c.err != nil {
		return
	}
	if !c.reading {
		if *v < None || *v > maxInteger {
			c.fail("number %d cannot stand in a line", *v)
			return
		}
		c.out = strconv.AppendInt(c.out, *v, 10)
		return
	}
	if strings.HasPrefix(c.in, "-1") {
		*v, c.in = None, c.in[2:]
		return
	}
	n, i := int64(0), 0
	for ; i < len(c.in) && i < 17 && c.in[i] >= '0' && c.in[i] <= '9'; i++ {
		n = n*10 + int64(c.in[i]-'0')
	}
	if i == 0 || i > 1 && c.in[0] == '0' || n > maxInteger {
		c.fail("%q is not a whole number as lines have them", c.ahead())
		return
	}
	*v, c.in = n, c.in[i:]
}

func (c *codec) boolean(name string, v *bool) {
	if !c.key(name) {
		return
	}
	switch {
	case !c.reading:
		c.out = strconv.AppendBool(c.out, *v)
	case strings.HasPrefix(c.in, "true"):
		*v, c.in = true, c.in[4:]
	case strings.HasPrefix(c.in, "false"):
		*v, c.in = false, c.in[5:]
	default:
		c.fail("%q is neither true nor false", c.ahead())
	}
}

func (c *codec) hash(name string, v *Hash) {
	if c.key(name) {
		c.digits(v)
	}
}

// digits is 64 lower-case hexadecimal digits in quotation marks.
func (c *codec) digits(v *Hash) {
	if c.err != nil {
		return
	}
	if !c.reading {
		c.out = append(hex.AppendEncode(append(c.out, '"'), v[:]), '"')
		return
	}
	if len(c.in) < 66 || c.in[0] != '"' || c.in[65] != '"' || !unhex(v[:], c.in[1:65]) {
		c.fail("%q is no hash", c.ahead())
		return
	}
	c.in = c.in[66:]
}

const hexDigits = "0123456789abcdef"

// unhex decodes lower-case digits, two for each byte of dst.
func unhex(dst []byte, s string) bool {
	bad := byte(0)
	for i := range dst {
		hi, lo := nibble[s[2*i]], nibble[s[2*i+1]]
		bad |= hi | lo
		dst[i] = hi<<4 | lo&0xF
	}
	return bad < 0x10
}

// nibble is the value of a lower-case hexadecimal digit, 0xFF of anything else.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i, c := range hexDigits {
		t[c] = byte(i)
	}
	return t
}()

func (c *codec) time(name string, v *Time) {
	if !c.key(name) {
		return
	}
	if !c.reading {
		c.out = append(c.out, '"')
		if c.out, c.err = v.Append(c.out); c.err == nil {
			c.out = append(c.out, '"')
		}
		return
	}
	const n = len(TimeLayout) + 2
	ok := len(c.in) >= n && c.in[0] == '"' && c.in[n-1] == '"'
	if ok {
		v.Time, ok = warc.ParseDate(c.in[1 : n-1])
	}
	if !ok {
		c.fail("%q is no time", c.in[:min(len(c.in), n)])
		return
	}
	c.in = c.in[n:]
}

// Append appends the form of [TimeLayout], digit by digit, which is a good deal faster than by the layout. It fails for years that have not four digits.
func (t Time) Append(b []byte) ([]byte, error) {
	u := t.UTC()
	y, mo, d := u.Date()
	h, mi, s := u.Clock()
	if y < 0 || y > 9999 {
		return b, fmt.Errorf("time in the year %d", y)
	}
	b = append(appendDigits(b, y, 4), '-')
	b = append(appendDigits(b, int(mo), 2), '-')
	b = append(appendDigits(b, d, 2), 'T')
	b = append(appendDigits(b, h, 2), ':')
	b = append(appendDigits(b, mi, 2), ':')
	b = append(appendDigits(b, s, 2), '.')
	return append(appendDigits(b, u.Nanosecond()/1000, 6), 'Z'), nil
}

func appendDigits(b []byte, n, width int) []byte {
	var d [8]byte
	for i := width - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, d[:width]...)
}

func (c *codec) text(name string, v *string) {
	if c.key(name) {
		c.quoted(v)
	}
}

// quoted is text in quotation marks.
func (c *codec) quoted(v *string) {
	if c.err != nil {
		return
	}
	if !c.reading {
		c.out, c.err = appendText(c.out, *v)
		return
	}
	if c.in == "" || c.in[0] != '"' {
		c.fail("%q is no text", c.ahead())
		return
	}
	s := c.in[1:]
	i := 0
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x7E && s[i] != '"' && s[i] != '\\' {
		i++
	}
	if i < len(s) && s[i] == '"' {
		*v, c.in = s[:i], s[i+1:]
		return
	}
	text, rest, err := unescape(s, i)
	if err != nil {
		c.fail("%w", err)
		return
	}
	*v, c.in = text, rest
}

// shortEscapes are the letters of the escapes that have one, by character.
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// longEscapes are the characters by those letters.
var longEscapes = [256]byte{'"': '"', '\\': '\\', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

var errUTF8 = errors.New("text is not valid UTF-8")

func appendText(b []byte, s string) ([]byte, error) {
	b = append(b, '"')
	for i := 0; i < len(s); {
		ch := s[i]
		switch {
		case shortEscapes[ch] != 0:
			b = append(b, '\\', shortEscapes[ch])
		case ch >= 0x20 && ch < 0x7F:
			b = append(b, ch)
		case ch < 0x80:
			b = appendUnit(b, rune(ch))
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return b, errUTF8
			}
			if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
				b = appendUnit(appendUnit(b, r1), r2)
			} else {
				b = appendUnit(b, r)
			}
			i += n - 1
		}
		i++
	}
	return append(b, '"'), nil
}

// appendUnit appends one UTF-16 unit.
func appendUnit(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&0xF], hexDigits[r>>8&0xF], hexDigits[r>>4&0xF], hexDigits[r&0xF])
}

// unescape reads text up to its closing quotation mark; the first i bytes of s need no look.
func unescape(s string, i int) (text, rest string, err error) {
	var b strings.Builder
	b.WriteString(s[:i])
	for i < len(s) {
		switch ch := s[i]; {
		case ch == '"':
			return b.String(), s[i+1:], nil
		case ch != '\\':
			if ch < 0x20 || ch > 0x7E {
				return "", "", fmt.Errorf("byte 0x%02x in text", ch)
			}
			b.WriteByte(ch)
			i++
		case i+1 < len(s) && longEscapes[s[i+1]] != 0:
			b.WriteByte(longEscapes[s[i+1]])
			i += 2
		default:
			r, n := unit(s[i:])
			if utf16.IsSurrogate(r) {
				low, m := unit(s[min(i+n, len(s)):])
				r, n = utf16.DecodeRune(r, low), n+m
				if r == utf8.RuneError {
					n = 0
				}
			}
			if n == 0 || r >= 0x20 && r < 0x7F || r < 0x20 && shortEscapes[r] != 0 {
				return "", "", fmt.Errorf("escape %q is not one that lines have", s[i:min(i+12, len(s))])
			}
			b.WriteRune(r)
			i += n
		}
	}
	return "", "", errors.New("text without an end")
}

// unit reads \u and four digits; its length is 0 if they do not stand there.
func unit(s string) (r rune, length int) {
	var v [2]byte
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' || !unhex(v[:], s[2:6]) {
		return 0, 0
	}
	return rune(v[0])<<8 | rune(v[1]), 6
}

// list is an array whose items each writes and reads.
func list[T any](c *codec, name string, items *[]T, each func(*codec, *T)) {
	if !c.key(name) {
		return
	}
	c.byte('[')
	if !c.reading {
		for i := range *items {
			if i > 0 {
				c.byte(',')
			}
			each(c, &(*items)[i])
		}
		c.byte(']')
		return
	}
	*items = (*items)[:0]
	if *items == nil {
		*items = []T{}
	}
	for c.err == nil && !strings.HasPrefix(c.in, "]") {
		if len(*items) > 0 {
			c.byte(',')
		}
		var item T
		each(c, &item)
		*items = append(*items, item)
	}
	c.byte(']')
}

// members is an object as an item of a list.
func members[T any, P interface {
	*T
	lines
}](c *codec, v *T) {
	c.object(P(v).members)
}

func (c *codec) texts(name string, v *[]string)   { list(c, name, v, (*codec).quoted) }
func (c *codec) integers(name string, v *[]int64) { list(c, name, v, (*codec).number) }
func (c *codec) hashes(name string, v *[]Hash)    { list(c, name, v, (*codec).digits) }
func (c *codec) pairs(name string, v *[]Pair)     { list(c, name, v, members[Pair]) }
