package extract

import "github.com/exhibit-dfir/exhibit/verify/jsonspan"

// appendMembers appends a JSON object of the given members. Where repeats is
// set, a name that stands more than once is written once, at its first place,
// with an array of all its values in order.
func (s *scanner) appendMembers(dst []byte, ms []member, repeats bool) []byte {
	if repeats {
		return s.appendGrouped(dst, ms)
	}
	dst = append(dst, '{')
	for i := 0; i < len(ms); {
		if i > 0 {
			dst = append(dst, ',')
		}
		run := i + 1
		if s.clean() { // members that stand side by side are copied as they stand
			for run < len(ms) && ms[run].name.from == ms[run-1].value.to+1 {
				run++
			}
			if ms[i].value.from == ms[i].name.to+1 {
				dst = append(dst, s.raw[ms[i].name.from:ms[run-1].value.to]...)
				i = run
				continue
			}
			run = i + 1
		}
		dst = s.appendValue(dst, ms[i].name)
		dst = append(dst, ':')
		dst = s.appendValue(dst, ms[i].value)
		i = run
	}
	return append(dst, '}')
}

// clean reports whether values are written as they were received.
func (s *scanner) clean() bool { return !s.spaced && s.flags&(InvalidUTF8|DuplicateKey) == 0 }

func (s *scanner) appendGrouped(dst []byte, ms []member) []byte {
	next := s.chain(ms)
	dst = append(dst, '{')
	for i, m := range ms {
		if next[i] < 0 {
			continue
		}
		if i > 0 { // the first member is the first of its name
			dst = append(dst, ',')
		}
		dst = append(s.appendValue(dst, m.name), ':')
		if next[i] == 0 {
			dst = s.appendValue(dst, m.value)
			continue
		}
		dst = s.appendValue(append(dst, '['), m.value)
		for j := next[i]; j != 0; j = -next[j] - 1 {
			dst = s.appendValue(append(dst, ','), ms[j].value)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// chain links members of one name. The entry of the first of a name is the
// index of the second, or 0; that of a later one is the index of the one after
// it, or 0, negated and less one, so that it is negative.
func (s *scanner) chain(ms []member) []int {
	next := make([]int, len(ms))
	last := make(map[string]int, len(ms))
	for i, m := range ms {
		name := s.name(m)
		if j, ok := last[string(name)]; ok {
			if next[j] < 0 {
				next[j] = -i - 1
			} else {
				next[j] = i
			}
			next[i] = -1
		}
		last[string(name)] = i
	}
	return next
}

// appendValue appends a value as it was received, without white space between
// tokens, with bytes that are not UTF-8 as [appendEscapedBytes] has them, and
// with repeated names grouped. Number and string texts are not touched.
func (s *scanner) appendValue(dst []byte, v span) []byte {
	if s.clean() {
		return append(dst, s.text(v)...)
	}
	dst, _ = s.appendClean(dst, int(v.from))
	return dst
}

// appendClean is appendValue for the value at i; it returns the index after it.
func (s *scanner) appendClean(dst []byte, i int) ([]byte, int) {
	end := 0
	switch s.raw[i] {
	case '{':
		return s.appendCleanObject(dst, i)
	case '[':
		dst = append(dst, '[')
		i = s.space(i + 1)
		for n := 0; s.raw[i] != ']'; n++ {
			if n > 0 {
				dst = append(dst, ',')
				i = s.space(i + 1)
			}
			dst, i = s.appendClean(dst, i)
			i = s.space(i)
		}
		return append(dst, ']'), i + 1
	case '"':
		end = s.str(i)
		return appendEscapedBytes(dst, s.raw[i:end]), end
	}
	end = jsonspan.Skip(s.raw, i)
	return append(dst, s.raw[i:end]...), end
}

func (s *scanner) appendCleanObject(dst []byte, i int) ([]byte, int) {
	if ms, ok := s.groups[uint32(i)]; ok {
		end := s.space(int(ms[len(ms)-1].value.to))
		return s.appendGrouped(dst, ms), end + 1
	}
	dst = append(dst, '{')
	i = s.space(i + 1)
	for n := 0; s.raw[i] != '}'; n++ {
		if n > 0 {
			dst = append(dst, ',')
			i = s.space(i + 1)
		}
		end := s.str(i)
		dst = append(appendEscapedBytes(dst, s.raw[i:end]), ':')
		dst, i = s.appendClean(dst, s.space(s.space(end)+1))
		i = s.space(i)
	}
	return append(dst, '}'), i + 1
}
