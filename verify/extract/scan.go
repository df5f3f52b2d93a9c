package extract

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
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

// scanner looks once at each byte of one JSON value and remarks on it. It holds
// the text against the grammar of RFC 8259, but takes bytes that are not UTF-8
// and surrogates without partner. Its reading functions take the index of a
// value's first byte and return the index after it, or -1 where the grammar is
// broken.
type scanner struct {
	raw     []byte
	flags   Flags
	spaced  bool                // white space between tokens
	escaped bool                // a backslash somewhere
	oddName bool                // a backslash in a name
	room    int                 // how much deeper objects and arrays may be nested
	open    []member            // of the objects around the current place
	groups  map[uint32][]member // of the objects that repeat a name, by place
	order   []member            // scratch for repeatedMany
}

// maxDepth is the nesting that jsontext allows.
const maxDepth = 10_000

func (s *scanner) reset(raw []byte) {
	s.raw, s.flags, s.spaced, s.escaped, s.oddName = raw, 0, false, false, false
	s.room = maxDepth
	s.open = s.open[:0]
	s.groups = nil
}

func (s *scanner) text(p span) []byte { return s.raw[p.from:p.to] }

// at returns the byte at i, 0 behind the end: a byte that no token holds.
func (s *scanner) at(i int) byte {
	if i < len(s.raw) {
		return s.raw[i]
	}
	return 0
}

// object reads an object. If top is not nil, the object's members are appended to it.
func (s *scanner) object(i int, top *[]member) int {
	at, base := uint32(i), len(s.open)
	if s.room--; s.room < 0 {
		return -1
	}
	if i = s.space(i + 1); s.at(i) == '}' {
		s.room++
		return i + 1
	}
	for {
		var m member
		if i = s.member(i, &m); i < 0 {
			return -1
		}
		if len(s.open)-base < maxMembers {
			s.open = append(s.open, m)
		} else {
			s.flags |= TooManyMembers
		}
		i = s.space(i)
		c := s.at(i)
		i++
		if c == '}' {
			break
		}
		if c != ',' {
			return -1
		}
		i = s.space(i)
	}
	s.close(at, base)
	if top != nil {
		*top = append(*top, s.open[base:]...)
	}
	s.open = s.open[:base]
	s.room++
	return i
}

// member reads one member of an object.
func (s *scanner) member(i int, m *member) int {
	if s.at(i) != '"' {
		return -1
	}
	before := s.escaped
	s.escaped = false
	m.name.from = uint32(i)
	if i = s.str(i); i < 0 {
		return -1
	}
	m.name.to = uint32(i)
	s.oddName = s.oddName || s.escaped
	s.escaped = s.escaped || before
	if i = s.space(i); s.at(i) != ':' {
		return -1
	}
	i = s.space(i + 1)
	m.value.from = uint32(i)
	i = s.value(i)
	m.value.to = uint32(i)
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
	if s.escaped && bytes.IndexByte(s.text(p), '\\') >= 0 {
		s.oddName = true
	}
}

func (s *scanner) array(i int) int {
	if s.room--; s.room < 0 {
		return -1
	}
	if i = s.space(i + 1); s.at(i) == ']' {
		s.room++
		return i + 1
	}
	for {
		if i = s.value(i); i < 0 {
			return -1
		}
		i = s.space(i)
		c := s.at(i)
		i++
		if c == ']' {
			s.room++
			return i
		}
		if c != ',' {
			return -1
		}
		i = s.space(i)
	}
}

func (s *scanner) value(i int) int {
	switch s.at(i) {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, nil)
	case '[':
		return s.array(i)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	}
	return s.number(i)
}

func (s *scanner) word(i int, word string) int {
	if end := i + len(word); end <= len(s.raw) && string(s.raw[i:end]) == word {
		return end
	}
	return -1
}

func (s *scanner) space(i int) int {
	for i < len(s.raw) && s.raw[i] <= ' ' && isSpace(s.raw[i]) {
		s.spaced = true
		i++
	}
	return i
}

// Constants for looking at eight bytes at once.
const (
	each = 0x0101010101010101
	high = 0x8080808080808080
)

// plain returns the index of the first byte at or after i that is a quote, a
// backslash, a control character, or beyond ASCII; len(s.raw) if there is none.
func (s *scanner) plain(i int) int {
	raw := s.raw
	for ; i+8 <= len(raw); i += 8 {
		v := binary.LittleEndian.Uint64(raw[i:])
		quote, slash := v^each*'"', v^each*'\\'
		// The lowest bit that is set is right; higher ones may be borrowed.
		if hit := ((quote-each)&^quote | (slash-each)&^slash | (v-each*' ')&^v | v) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(raw) && raw[i] >= ' ' && raw[i] < utf8.RuneSelf && raw[i] != '"' && raw[i] != '\\' {
		i++
	}
	return i
}

// str reads the string that starts at i.
func (s *scanner) str(i int) int {
	for i++; ; {
		i = s.plain(i)
		switch c := s.at(i); {
		case c == '"':
			return i + 1
		case c == '\\':
			s.escaped = true
			n := s.escape(i)
			if n == 0 {
				return -1
			}
			i += n
		case c < ' ':
			return -1
		default:
			r, n := utf8.DecodeRune(s.raw[i:])
			if r == utf8.RuneError && n == 1 {
				s.flags |= InvalidUTF8
			}
			i += n
		}
	}
}

// escape returns the length of the escape at i, 0 if it is none.
func (s *scanner) escape(i int) int {
	switch s.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if !s.hex4(i+2) || s.at(i+6) == '\\' && s.at(i+7) == 'u' && !s.hex4(i+8) {
			return 0
		}
		_, n, lone := escapedRune(s.raw[i:])
		if lone {
			s.flags |= LoneSurrogate
		}
		return n
	}
	return 0
}

// hex4 reports whether four hexadecimal digits stand at i.
func (s *scanner) hex4(i int) bool {
	for k := i; k < i+4; k++ {
		c := s.at(k)
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// number reads the number that starts at i.
func (s *scanner) number(i int) int {
	from, whole := i, true
	if s.at(i) == '-' {
		i++
	}
	first := s.at(i)
	n := s.digits(i)
	if n == 0 || n > 1 && first == '0' {
		return -1
	}
	i += n
	if s.at(i) == '.' {
		whole = false
		if n = s.digits(i + 1); n == 0 {
			return -1
		}
		i += 1 + n
	}
	if s.at(i)|0x20 == 'e' {
		whole = false
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		if n = s.digits(i); n == 0 {
			return -1
		}
		i += n
	}
	if i-from > 18 || !whole {
		s.judge(s.raw[from:i], whole)
	}
	return i
}

// digits counts the decimal digits at i.
func (s *scanner) digits(i int) int {
	n := i
	for n < len(s.raw) && s.raw[n] >= '0' && s.raw[n] <= '9' {
		n++
	}
	return n - i
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

// name returns the text of a member's name, exact as [AppendExact] has it.
func (s *scanner) name(m member) []byte {
	tok := s.text(m.name)
	if !s.oddName || bytes.IndexByte(tok, '\\') < 0 {
		return tok[1 : len(tok)-1]
	}
	return AppendExact(nil, tok)
}

// repeated reports whether a name stands twice, and whether two names differ
// in the case of ASCII letters alone.
func (s *scanner) repeated(ms []member) (same, variant bool) {
	if len(ms) > 32 {
		return s.repeatedMany(ms)
	}
	var marks [4]uint64 // one bit for each name before, by its length and ends
	for i := range ms {
		mark := uint8(0)
		if a := ms[i].name; !s.oddName && a.to-a.from > 2 {
			mark = uint8(a.to-a.from) ^ lower(s.raw[a.from+1])<<3 ^ lower(s.raw[a.to-2])*37
		}
		if word := &marks[mark/64]; *word>>(mark%64)&1 == 0 {
			*word |= 1 << (mark % 64)
			continue
		}
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
