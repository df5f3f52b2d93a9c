package historic

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// value is a JSON value as Python's json module reads it.
type value struct {
	kind    jsontext.Kind
	text    string   // of a string: exact, a surrogate without partner as three bytes; of a number: as it was written
	list    []value  // of an array
	members []member // of an object, in the order received
}

type member struct {
	name  string
	value value
}

// parse reads one JSON value. Bytes that are not UTF-8 are read as the clients
// of the time read them.
func parse(text []byte) (value, error) {
	if !utf8.Valid(text) {
		text = replaced(text)
	}
	return read(jsontext.NewDecoder(strings.NewReader(string(text)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)))
}

func read(dec *jsontext.Decoder) (v value, err error) {
	v.kind = dec.PeekKind()
	switch v.kind {
	case '{', '[':
		return v, v.readParts(dec)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return v, err
	}
	if v.kind == '"' {
		v.text = string(extract.AppendExact(nil, raw))
	} else {
		v.text = string(raw)
	}
	return v, nil
}

// readParts reads an object or an array.
func (v *value) readParts(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != v.kind+2 { // '}' and ']' stand two behind '{' and '['
		var m member
		if v.kind == '{' {
			name, err := read(dec)
			if err != nil {
				return err
			}
			m.name = name.text
		}
		var err error
		if m.value, err = read(dec); err != nil {
			return err
		}
		if v.kind == '{' {
			v.members = append(v.members, m)
		} else {
			v.list = append(v.list, m.value)
		}
	}
	_, err := dec.ReadToken()
	return err
}

// dict gives the members as a Python dictionary has them: of a name that
// stands more than once the last value, at the place of the first.
func (v *value) dict() []member { return dict(v.members) }

func dict(all []member) []member {
	places := make(map[string]int, len(all))
	var kept []member
	for _, m := range all {
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
	for _, m := range v.members {
		if m.name == name {
			found, ok = m.value, true
		}
	}
	return found, ok
}

// truth is bool(v).
func (v *value) truth() bool {
	switch v.kind {
	case '{':
		return len(v.members) > 0
	case '[':
		return len(v.list) > 0
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
