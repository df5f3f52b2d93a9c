// Package jsonspan says where the parts of a JSON text stand, so that they can be
// taken over byte for byte.
//
// The text must have been held against the grammar before (RFC 8259; bytes that
// are not UTF-8 and names that repeat are no matter): its functions panic or
// return nonsense if it is no JSON, but never run for ever. They do not recurse.
package jsonspan

import (
	"bytes"
	"iter"
)

// Blank returns the index of the first byte at or after i that is not white space between tokens.
func Blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// Skip returns the index behind the value, or the name, that begins at i.
func Skip(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default: // a number or a word
			for i < len(b) && !ends(b[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// ends reports whether a byte ends a number or a word.
func ends(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// skipString returns the index behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// Member is where a member of an object stands: its name, with quotes, and its value, each to before the second index.
type Member struct{ Name, NameEnd, Value, ValueEnd int }

// Members yields the members of the object that begins at i, in their order; none of what is no object.
func Members(b []byte, i int) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		if i >= len(b) || b[i] != '{' {
			return
		}
		for i := Blank(b, i+1); b[i] != '}'; i = Blank(b, i) {
			if b[i] == ',' {
				i = Blank(b, i+1)
			}
			m := Member{Name: i, NameEnd: skipString(b, i)}
			m.Value = Blank(b, Blank(b, m.NameEnd)+1)
			m.ValueEnd = Skip(b, m.Value)
			i = m.ValueEnd
			if !yield(m) {
				return
			}
		}
	}
}

// Elements yields the range of each element of the array that begins at i, in their order; none of what is no array.
func Elements(b []byte, i int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		if i >= len(b) || b[i] != '[' {
			return
		}
		for i := Blank(b, i+1); b[i] != ']'; i = Blank(b, i) {
			if b[i] == ',' {
				i = Blank(b, i+1)
			}
			from := i
			i = Skip(b, from)
			if !yield(from, i) {
				return
			}
		}
	}
}
