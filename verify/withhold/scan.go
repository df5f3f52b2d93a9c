package withhold

import (
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// hit is a text that was found.
type hit struct {
	of   int
	form string
}

// scan looks through a stream of bytes: as it is, and with escapes taken off, up to twice. It is a writer; close it to have the end looked through.
type scan struct {
	m    *matcher
	hits []hit
	top  *view
}

// view is a stream as it is or with something taken off, and what is made of it further.
type view struct {
	s    *scan
	form string
	tail []byte // bytes in which a pattern may begin that is not whole yet
	off  []*remover
}

// remover takes escapes off what a view sees and passes it to another view, from the first escape on: before that both are the same.
type remover struct {
	take func(b []byte, final bool) (out []byte, n int) // what the bytes up to n mean, or as many of them as can be told
	rest []byte                                         // that could not be told yet
	lead []byte                                         // before the first escape, as far back as a pattern may begin
	any  bool                                           // there was an escape
	to   *view
}

func (r *remover) write(b []byte, final bool) {
	r.rest = append(r.rest, b...)
	out, n := r.take(r.rest, final)
	r.rest = append(r.rest[:0], r.rest[n:]...)
	if !r.any && len(out) == n { // every escape is longer than what it stands for
		r.lead = append(r.lead, out...)
		r.lead = r.lead[max(0, len(r.lead)-r.to.s.m.longest):]
		return
	}
	if !r.any {
		r.any = true
		r.to.write(r.lead, false)
		r.lead = nil
	}
	r.to.write(out, final)
}

func newScan(m *matcher) *scan {
	s := &scan{m: m}
	raw := &view{s: s}
	lines := func(of string) *remover {
		return &remover{take: unfold, to: &view{s: s, form: of + "broken into lines"}}
	}
	for _, first := range removers {
		once := &view{s: s, form: first.form, off: []*remover{lines(first.form + ", ")}}
		for _, second := range removers {
			once.off = append(once.off, &remover{take: second.take, to: &view{s: s, form: first.form + ", " + second.form}})
		}
		raw.off = append(raw.off, &remover{take: first.take, to: once})
	}
	raw.off = append(raw.off, lines(""))
	s.top = raw
	return s
}

// removers are the escapes that are taken off, in each other too.
var removers = [...]struct {
	form string
	take func([]byte, bool) ([]byte, int)
}{{"escaped as in JSON", unescapeJSON}, {"percent-encoded", unescapePercent}, {"as a character reference", unescapeReference}}

func (s *scan) Write(b []byte) (int, error) {
	s.top.write(b, false)
	return len(b), nil
}

// Close looks through what is left.
func (s *scan) Close() error {
	s.top.write(nil, true)
	return nil
}

// all scans a whole text.
func (s *scan) all(b []byte) []hit {
	s.Write(b)
	s.Close()
	return s.hits
}

func (v *view) write(b []byte, final bool) {
	v.tail = append(v.tail, b...)
	n := len(v.tail)
	if !final {
		n = max(0, n-v.s.m.longest+1)
	}
	v.s.m.find(v.tail, n, v.hit)
	v.tail = append(v.tail[:0], v.tail[n:]...)
	for _, r := range v.off {
		r.write(b, final)
	}
}

func (v *view) hit(p *pattern) {
	form := p.form
	if v.form != "" {
		form = v.form + ", " + form
	}
	if !slices.ContainsFunc(v.s.hits, func(h hit) bool { return h.of == p.of }) {
		v.s.hits = append(v.s.hits, hit{p.of, form})
	}
}

// unescapeJSON takes the escapes of JSON strings off; what is none stays.
func unescapeJSON(b []byte, final bool) (out []byte, n int) {
	out = make([]byte, 0, len(b))
	for n < len(b) {
		if b[n] != '\\' {
			out = append(out, b[n])
			n++
			continue
		}
		if len(b)-n < 12 && !final {
			return out, n
		}
		if r, length := jsonEscape(b[n:]); length > 0 {
			out = utf8.AppendRune(out, r)
			n += length
		} else {
			out = append(out, '\\')
			n++
		}
	}
	return out, n
}

// jsonEscape reads one escape; its length is 0 if there is none.
func jsonEscape(b []byte) (r rune, length int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b', 'f', 'n', 'r', 't':
		return map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[b[1]], 2
	case 'u':
		v, ok := unhex(b[2:], 4)
		if !ok {
			return 0, 0
		}
		if r = rune(v); !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low, ok := unhex(b[8:], 4); ok {
				if r = utf16.DecodeRune(r, rune(low)); r != utf8.RuneError {
					return r, 12
				}
			}
		}
	}
	return 0, 0
}

// unhex reads hexadecimal digits.
func unhex(b []byte, digits int) (v int, ok bool) {
	if len(b) < digits {
		return 0, false
	}
	for _, c := range b[:digits] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | int(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// unescapePercent takes percent-encoding off; what is none stays.
func unescapePercent(b []byte, final bool) (out []byte, n int) {
	out = make([]byte, 0, len(b))
	for n < len(b) {
		if b[n] == '%' {
			if len(b)-n < 3 && !final {
				return out, n
			}
			if v, ok := unhex(b[n+1:], 2); ok {
				out = append(out, byte(v))
				n += 3
				continue
			}
		}
		out = append(out, b[n])
		n++
	}
	return out, n
}

// unescapeReference takes character references of HTML and XML off: numbers, and the five names that both have.
func unescapeReference(b []byte, final bool) (out []byte, n int) {
	out = make([]byte, 0, len(b))
	for n < len(b) {
		if b[n] == '&' {
			if len(b)-n < 12 && !final {
				return out, n
			}
			if r, length := reference(b[n:]); length > 0 {
				out = utf8.AppendRune(out, r)
				n += length
				continue
			}
		}
		out = append(out, b[n])
		n++
	}
	return out, n
}

func reference(b []byte) (r rune, length int) {
	end := slices.Index(b[:min(len(b), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	name := string(b[1:end])
	if r := map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\''}[name]; r != 0 {
		return r, end + 1
	}
	if name[0] != '#' || len(name) < 2 {
		return 0, 0
	}
	base, digits := rune(10), name[1:]
	if digits[0] == 'x' || digits[0] == 'X' {
		base, digits = 16, digits[1:]
	}
	for _, c := range []byte(digits) {
		v, ok := unhex([]byte{c}, 1)
		if !ok || rune(v) >= base || r > utf8.MaxRune {
			return 0, 0
		}
		r = r*base + rune(v)
	}
	if digits == "" || r > utf8.MaxRune {
		return 0, 0
	}
	return r, end + 1
}

// unfold takes line ends off, which stand in base64 and hexadecimal of some length.
func unfold(b []byte, _ bool) (out []byte, n int) {
	out = make([]byte, 0, len(b))
	for _, c := range b {
		if c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return out, len(b)
}

// copyTo scans what a reader gives. An error is the reader's.
func (s *scan) copyTo(r io.Reader) error {
	buf := make([]byte, 32<<10)
	_, err := io.CopyBuffer(struct{ io.Writer }{s}, r, buf)
	s.Close()
	return err
}
