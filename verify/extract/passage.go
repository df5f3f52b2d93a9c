package extract

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// passage finds the end of one array element without interpreting it: it
// counts brackets outside of strings. It takes the comma before the element.
type passage struct {
	blank    int64 // bytes before the element
	length   int64 // bytes of the element
	hash     hash.Hash
	depth    int
	inString bool
	escape   bool
	scalar   bool
}

// step reads the next piece. done reports that the element ended after used
// bytes of it.
func (s *passage) step(b []byte) (used int, done bool) {
	from := 0
	if s.length == 0 {
		for from < len(b) && (isSpace(b[from]) || b[from] == ',') {
			from++
		}
		s.blank += int64(from)
	}
	i := from
	for i < len(b) && !done {
		var more bool
		more, done = s.char(b[i], i > from || s.length > 0)
		if more {
			i++
		}
	}
	s.length += int64(i - from)
	s.hash.Write(b[from:i])
	return i, done
}

// char looks at one byte. took is false if the byte is not of the element.
func (s *passage) char(c byte, started bool) (took, done bool) {
	switch {
	case s.escape:
		s.escape = false
		return true, false
	case s.inString:
		s.escape = c == '\\'
		s.inString = c != '"'
		return true, !s.inString && s.depth == 0
	case s.scalar:
		end := isSpace(c) || c == ',' || c == ']' || c == '}'
		return !end, end
	}
	switch c {
	case '"':
		s.inString = true
	case '{', '[':
		s.depth++
	case '}', ']':
		if !started {
			return false, true
		}
		s.depth--
		return true, s.depth == 0
	default:
		s.scalar = !started
	}
	return true, false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// unread handles an array element that the decoder refused. If it is merely
// too long or nested too deeply, its end is found without interpreting it and
// the walk goes on behind it; otherwise the page ends.
func (w *walker) unread(err error, pointer string, index int, resume string) error {
	why := TooLarge
	switch {
	case isTooDeep(err):
		why = TooDeep
	case !errors.Is(err, errOverBudget):
		return w.fail(err)
	}
	from := w.offset()
	w.feed.before = append([][]byte{w.dec.UnreadBuffer()}, w.feed.before...)
	w.feed.keeping = false
	s := passage{hash: sha256.New()}
	if err := w.feed.pass(&s); err != nil {
		if err != io.EOF {
			return w.fail(err)
		}
		return w.end(ProblemSyntax, from+s.blank, "record without an end")
	}
	if s.length > 0 { // otherwise it was white space before the array's end
		p := place{pointer: pointer, index: index, offset: from + s.blank, length: s.length}
		s.hash.Sum(p.sha256[:0])
		if err := w.emitUnread(p, why); err != nil {
			return err
		}
	}
	w.feed.before = append([][]byte{[]byte(resume)}, w.feed.before...)
	w.base = from + s.blank + s.length - int64(len(resume))
	w.dec = jsontext.NewDecoder(w.feed)
	w.restart()
	return w.enter(len(resume))
}

// enter reads the resume text of a new decoder.
func (w *walker) enter(n int) error {
	for w.dec.InputOffset() < int64(n) {
		if _, err := w.dec.ReadToken(); err != nil {
			return w.fail(err)
		}
	}
	return nil
}

// pass reads past one element and leaves what follows for the decoder.
func (f *feed) pass(s *passage) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.next(buf)
		used, done := s.step(buf[:n])
		if done {
			f.before = append([][]byte{bytes.Clone(buf[used:n])}, f.before...)
			return nil
		}
		if err != nil {
			return err
		}
	}
}
