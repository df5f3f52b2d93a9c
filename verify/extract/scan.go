package extract

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxMembers is the number of members of one object beyond which a record is
// not interpreted.
const maxMembers = 1 << 16

// span is a range of a record's JSON text. A record is at most 1 GiB long.
type span struct{ from, to uint32 }

// member is one name and value of a JSON object. The name keeps its quotes.
type member struct {
	name, value span
	taken       bool // a column holds it exactly
}

// scanner looks once at each byte of one JSON value and remarks on it. The
// value must be syntactically valid, which the walker's decoder has seen to;
// it may hold bytes that are not UTF-8 and surrogates without partner.
type scanner struct {
	raw     []byte
	flags   Flags
	spaced  bool // white space between tokens
	escaped bool // a backslash somewhere
	oddName bool // a backslash in a name
	// No backslash stands in raw[clearFrom:clearTo].
	clearFrom, clearTo int
	open               []member            // of the objects around the current place
	groups             map[uint32][]member // of the objects that repeat a name, by place
	order              []member            // scratch for repeatedMany
}

func (s *scanner) reset(raw []byte) {
	s.raw, s.flags, s.spaced, s.oddName = raw, 0, false, false
	s.escaped = bytes.IndexByte(raw, '\\') >= 0
	s.clearFrom, s.clearTo = 0, 0
	s.open = s.open[:0]
	s.groups = nil
	if !utf8.Valid(raw) {
		s.flags |= InvalidUTF8
	}
}

func (s *scanner) text(p span) []byte { return s.raw[p.from:p.to] }

// object scans the object at i and returns the index after it. If top is not
// nil, the object's members are appended to it.
func (s *scanner) object(i int, top *[]member) int {
	at, base := uint32(i), len(s.open)
	i = s.space(i + 1)
	if s.raw[i] == '}' {
		return i + 1
	}
	for {
		var m member
		m.name.from = uint32(i)
		i = s.str(i)
		m.name.to = uint32(i)
		s.noteName(m.name)
		i = s.space(s.space(i) + 1) // the colon
		m.value.from = uint32(i)
		i = s.value(i)
		m.value.to = uint32(i)
		if len(s.open)-base < maxMembers {
			s.open = append(s.open, m)
		} else {
			s.flags |= TooManyMembers
		}
		i = s.space(i)
		c := s.raw[i]
		i++
		if c == '}' {
			break
		}
		i = s.space(i)
	}
	s.close(at, base)
	if top != nil {
		*top = append(*top, s.open[base:]...)
	}
	s.open = s.open[:base]
	return i
}

// close compares the names of the object at the given place.
func (s *scanner) close(at uint32, base int) {
	same, variant := s.repeated(s.open[base:])
	if variant {
		s.flags |= KeyCaseVariant
	}
	if !same {
		return
	}
	s.flags |= DuplicateKey
	if s.groups == nil {
		s.groups = make(map[uint32][]member)
	}
	s.groups[at] = slices.Clone(s.open[base:])
}

// noteName remembers whether a name has to be unescaped before it is compared.
func (s *scanner) noteName(p span) {
	if s.backslash(int(p.from), int(p.to)) {
		s.oddName = true
	}
}

func (s *scanner) array(i int) int {
	i = s.space(i + 1)
	if s.raw[i] == ']' {
		return i + 1
	}
	for {
		i = s.space(s.value(i))
		c := s.raw[i]
		i++
		if c == ']' {
			return i
		}
		i = s.space(i)
	}
}

func (s *scanner) value(i int) int {
	switch s.raw[i] {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, nil)
	case '[':
		return s.array(i)
	case 't', 'n':
		return i + 4
	case 'f':
		return i + 5
	}
	return s.number(i)
}

func (s *scanner) space(i int) int {
	for i < len(s.raw) && s.raw[i] <= ' ' {
		s.spaced = true
		i++
	}
	return i
}

// str returns the index after the string that starts at i.
func (s *scanner) str(i int) int {
	end := i + 1 + bytes.IndexByte(s.raw[i+1:], '"')
	if !s.backslash(i+1, end) {
		return end + 1
	}
	for i++; s.raw[i] != '"'; {
		switch {
		case s.raw[i] != '\\':
			i++
		case s.raw[i+1] != 'u':
			i += 2
		default:
			_, n, lone := escapedRune(s.raw[i:])
			if lone {
				s.flags |= LoneSurrogate
			}
			i += n
		}
	}
	return i + 1
}

// backslash reports whether there is one in raw[from:to]. It looks a little
// further, so that most strings cost one comparison.
func (s *scanner) backslash(from, to int) bool {
	const ahead = 1024
	switch {
	case !s.escaped || from >= s.clearFrom && to <= s.clearTo:
		return false
	case from >= s.clearFrom && from < s.clearTo:
		from = s.clearTo
	default:
		s.clearFrom = from
	}
	s.clearTo = min(to+ahead, len(s.raw))
	if k := bytes.IndexByte(s.raw[from:s.clearTo], '\\'); k >= 0 {
		s.clearTo = from + k
	}
	return s.clearTo < to
}

// number returns the index after the number that starts at i.
func (s *scanner) number(i int) int {
	from, whole := i, true
	for ; i < len(s.raw); i++ {
		c := s.raw[i]
		if c >= '0' && c <= '9' || c == '-' {
			continue
		}
		if c != '.' && c != 'e' && c != 'E' && c != '+' {
			break
		}
		whole = false
	}
	if n := i - from; n > 18 || !whole {
		s.judge(s.raw[from:i], whole)
	}
	return i
}

// judge flags a number that common readers cannot hold.
func (s *scanner) judge(text []byte, whole bool) {
	if whole {
		if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
			s.flags |= NumberBeyondInt64
		}
	}
	if len(text) > 300 || bytes.ContainsAny(text, "eE") {
		if f, _ := strconv.ParseFloat(string(text), 64); math.IsInf(f, 0) {
			s.flags |= NumberBeyondFloat64
		}
	}
}

// skip returns the index after the value at i, which was scanned before.
func (s *scanner) skip(i int) int {
	for depth := 0; ; {
		switch s.raw[i] {
		case '"':
			i = s.str(i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\r', '\n':
			i++
			continue
		default:
			for i < len(s.raw) && strings.IndexByte(",:]} \t\r\n", s.raw[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// name returns the text of a member's name, exact as [appendExact] has it.
func (s *scanner) name(m member) []byte {
	tok := s.text(m.name)
	if !s.oddName || bytes.IndexByte(tok, '\\') < 0 {
		return tok[1 : len(tok)-1]
	}
	return appendExact(nil, tok)
}

// repeated reports whether a name stands twice, and whether two names differ
// in the case of ASCII letters alone.
func (s *scanner) repeated(ms []member) (same, variant bool) {
	if len(ms) > 32 {
		return s.repeatedMany(ms)
	}
	for i := 1; i < len(ms); i++ {
		for j := range i {
			a, b := ms[i].name, ms[j].name
			if !s.oddName && a.to-a.from != b.to-b.from {
				continue
			}
			sm, v := compareNames(s.name(ms[i]), s.name(ms[j]))
			same, variant = same || sm, variant || v
		}
	}
	return same, variant
}

// repeatedMany is repeated for objects too large to compare all pairs.
func (s *scanner) repeatedMany(ms []member) (same, variant bool) {
	s.order = append(s.order[:0], ms...)
	slices.SortFunc(s.order, func(a, b member) int {
		x, y := s.name(a), s.name(b)
		if c := compareFolded(x, y); c != 0 {
			return c
		}
		return bytes.Compare(x, y)
	})
	for i := 1; i < len(s.order); i++ {
		sm, v := compareNames(s.name(s.order[i-1]), s.name(s.order[i]))
		same, variant = same || sm, variant || v
	}
	return same, variant
}

func compareNames(a, b []byte) (same, variant bool) {
	if bytes.Equal(a, b) {
		return true, false
	}
	return false, compareFolded(a, b) == 0
}

// compareFolded orders names without regard to the case of ASCII letters.
func compareFolded(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
