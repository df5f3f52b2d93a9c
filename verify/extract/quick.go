package extract

import (
	"crypto/sha256"
)

// quickLimit is the longest page, in bytes, that is held in memory as a whole.
const quickLimit = 2 << 20

// quick stages the records of a page that is in memory and of the plain form: one document, an array of records or an object
// with one under "value", nothing to note about the page. It reports false where anything is otherwise; what it staged is
// void then, and [walker] reads the page from its start. Both make the same records of a plain page.
func (w *worker) quick(p *keptPage, body []byte) bool {
	q := quickPage{w: w, page: p, body: body}
	s := &q.top
	s.reset(body)
	i, ok := s.space(0), false
	shape := w.x.norm.shape()
	switch {
	case s.at(i) == '{':
		i, ok = q.object(i)
	case s.at(i) == '[' && (shape.array || shape.lines):
		i, ok = q.array(i, "")
	}
	return ok && s.space(i) == len(body)
}

// quickPage is one page in memory.
type quickPage struct {
	w    *worker
	page *keptPage
	body []byte
	top  scanner // of what is outside of records
}

// object reads the object around the list of records.
func (q *quickPage) object(i int) (end int, ok bool) {
	s := &q.top
	lists := 0
	for i = s.space(i + 1); ; i = s.space(i + 1) {
		from := i
		if s.at(i) != '"' {
			return 0, false
		}
		if i = s.str(i); i < 0 {
			return 0, false
		}
		name := s.raw[from:i]
		same, variant := compareNames(name, []byte(`"value"`))
		if i = s.space(i); variant || s.escaped || s.at(i) != ':' {
			return 0, false
		}
		i = s.space(i + 1)
		if same {
			lists++
			if s.at(i) != '[' {
				return 0, false
			}
			i, ok = q.array(i, "/value")
		} else {
			i = s.value(i)
			ok = i >= 0
			s.escaped = false
		}
		if !ok || lists > 1 {
			return 0, false
		}
		if i = s.space(i); s.at(i) != ',' {
			return i + 1, lists == 1 && s.at(i) == '}'
		}
	}
}

// array reads the list of records.
func (q *quickPage) array(i int, pointer string) (end int, ok bool) {
	s := &q.top
	if i = s.space(i + 1); s.at(i) == ']' {
		return i + 1, true
	}
	for n := 0; ; n++ {
		i = s.space(i)
		length := q.element(place{pointer: pointer, index: n, offset: int64(i)})
		if length < 0 || q.w.stage.size() > 4*stageLimit {
			return 0, false
		}
		i = s.space(i + length)
		switch s.at(i) {
		case ',':
			i++
		case ']':
			return i + 1, true
		default:
			return 0, false
		}
	}
}

// element stages one record and returns its length, or -1.
func (q *quickPage) element(at place) int {
	d := &q.w.draft
	d.reset(q.page)
	s := &d.scan
	s.reset(q.body[at.offset:])
	if len(s.raw) == 0 {
		return -1
	}
	s.room = quickDepth
	n := d.read()
	if n < 0 || s.flags.Has(TooManyMembers) {
		return -1
	}
	s.raw = s.raw[:n]
	at.length, at.sha256 = int64(n), sha256.Sum256(s.raw)
	d.interpret(q.w.x.norm)
	d.finish(at)
	return n
}

// quickDepth keeps the two ways to count depth, from the page and from the record, out of each other's way.
const quickDepth = 1000
