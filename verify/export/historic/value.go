package historic

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// value is a JSON value as Python's json module reads it.
type value struct {
	kind  jsontext.Kind
	text  string   // of a string: exact, a surrogate without partner as three bytes; of a number: as it was written
	parts []member // of an object, in the order received; of an array, without names
}

type member struct {
	name  string
	value value
}

// parser reads JSON values. Its memory is used again for the next.
type parser struct {
	dec     *jsontext.Decoder
	scratch []byte
}

func newParser() *parser { return &parser{dec: jsontext.NewDecoder(strings.NewReader(""))} }

// parse reads one JSON value. Bytes that are not UTF-8 are read as the clients
// of the time read them.
func (p *parser) parse(text []byte) (value, error) {
	if !utf8.Valid(text) {
		text = replaced(text)
	}
	p.dec.Reset(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return p.read()
}

func (p *parser) read() (v value, err error) {
	v.kind = p.dec.PeekKind()
	switch v.kind {
	case '{', '[':
		return v, p.readParts(&v)
	case '"':
		v.text, err = p.readText()
		return v, err
	}
	raw, err := p.dec.ReadValue()
	v.text = string(raw)
	return v, err
}

func (p *parser) readText() (string, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return "", err
	}
	p.scratch = extract.AppendExact(p.scratch[:0], raw)
	return string(p.scratch), nil
}

// readParts reads an object or an array.
func (p *parser) readParts(v *value) (err error) {
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	v.parts = make([]member, 0, 4)
	for p.dec.PeekKind() != v.kind+2 { // '}' and ']' stand two behind '{' and '['
		var m member
		if v.kind == '{' {
			if m.name, err = p.readText(); err != nil {
				return err
			}
		}
		if m.value, err = p.read(); err != nil {
			return err
		}
		v.parts = append(v.parts, m)
	}
	_, err = p.dec.ReadToken()
	return err
}

// dict gives the members as a Python dictionary has them: of a name that
// stands more than once the last value, at the place of the first.
func (v *value) dict() []member {
	places := make(map[string]int, len(v.parts))
	kept := make([]member, 0, len(v.parts))
	for _, m := range v.parts {
		if i, ok := places[m.name]; ok {
			kept[i].value = m.value
			continue
		}
		places[m.name] = len(kept)
		kept = append(kept, m)
	}
	return kept
}

// find gives the value that Python finds under a name; ok is false if there is none.
func (v *value) find(name string) (found value, ok bool) {
	for i := range v.parts {
		if m := &v.parts[i]; m.name == name && v.kind == '{' {
			found, ok = m.value, true
		}
	}
	return found, ok
}

// truth is bool(v).
func (v *value) truth() bool {
	switch v.kind {
	case '{', '[':
		return len(v.parts) > 0
	case '"':
		return v.text != ""
	case '0':
		f, _ := strconv.ParseFloat(v.text, 64) // beyond its range it is no zero
		return f != 0
	}
	return v.kind == 't'
}

// replaced is text.decode("utf-8", "replace"): U+FFFD for each longest start of
// a character that does not go on, and for each byte that starts none.
func replaced(text []byte) []byte {
	out := make([]byte, 0, len(text)+len(text)/2)
	for len(text) > 0 {
		_, n := utf8.DecodeRune(text)
		if n > 1 || text[0] < utf8.RuneSelf {
			out, text = append(out, text[:n]...), text[n:]
			continue
		}
		out, text = utf8.AppendRune(out, utf8.RuneError), text[brokenLength(text):]
	}
	return out
}

// brokenLength is how many bytes at the start of b could begin one character, at least one. b does not start with a whole one.
func brokenLength(b []byte) int {
	low, high, length := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		length = 2
	case c >= 0xE0 && c <= 0xEF:
		length = 3
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		length = 4
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	}
	n := 1
	for n < length && n < len(b) && b[n] >= low && b[n] <= high {
		n, low, high = n+1, 0x80, 0xBF
	}
	return n
}

// float is repr of a number that Python reads as a float.
func float(text string) string {
	f, _ := strconv.ParseFloat(text, 64) // an error is of the range: then f is infinite, or zero, as in Python
	if math.IsInf(f, 0) {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	}
	short := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(short, "e")
	if n, err := strconv.Atoi(exponent); err != nil || n < -4 || n >= 16 {
		return short
	}
	fixed := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(fixed, ".") {
		fixed += ".0"
	}
	return fixed
}

// number is repr of a number.
func number(text string) string {
	switch {
	case strings.ContainsAny(text, ".eE"):
		return float(text)
	case text == "-0":
		return "0"
	}
	return text
}
