package extract

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// shape says which forms a source's answers may have besides an object with
// an array under "value".
type shape struct {
	array bool // an array at the top
	lines bool // JSON Lines: any value is a record unless it holds "value"
}

// errPageEnds ends the interpretation of a page after its problem was noted.
var errPageEnds = errors.New("page ends")

// walker reads pages as streams of JSON. Its memory is bounded by the longest
// record, not by the page. jsontext limits nesting to 10,000.
type walker struct {
	w       *worker
	limit   int
	current *keptPage
	shape   shape
	dec     *jsontext.Decoder
	feed    *feed
	// base is what to add to the decoder's offsets to have those of the body.
	base    int64
	longest int // record of this page
}

func newWalker(limit int, w *worker) *walker {
	return &walker{w: w, limit: limit, dec: jsontext.NewDecoder(strings.NewReader(""))}
}

// bigBuffer is the length of record after which the decoder, whose buffer
// never shrinks, is replaced.
const bigBuffer = 1 << 20

// page emits the records of one page. Its errors end the extraction.
func (w *walker) page(p *keptPage, body io.Reader, s shape) error {
	w.current, w.shape = p, s
	if w.longest > bigBuffer {
		w.dec = jsontext.NewDecoder(strings.NewReader(""))
	}
	w.longest = 0
	w.feed = &feed{src: body, budget: int64(w.limit) + feedSlack}
	w.base = 0
	if w.feed.skipBOM() {
		w.base = bomLength
		w.note(ProblemBOM, 0, "byte order mark before the document")
	}
	w.restart()
	err := w.documents()
	if errors.Is(err, errPageEnds) {
		return nil
	}
	return err
}

// restart points the decoder at the feed.
func (w *walker) restart() {
	w.dec.Reset(w.feed, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	w.feed.dec, w.feed.given = w.dec, 0
}

func (w *walker) documents() error {
	concatenated := false
	for n := 0; ; n++ {
		kind := w.dec.PeekKind()
		blank := leadingSpace(w.dec.UnreadBuffer())
		start := w.offset() + int64(len(blank))
		if kind == jsontext.KindInvalid || kind == jsontext.KindEndArray || kind == jsontext.KindEndObject {
			return w.noMore(n, start)
		}
		lineBreak := bytes.IndexByte(blank, '\n') >= 0
		if n > 0 && !concatenated && !(w.shape.lines && lineBreak) {
			concatenated = true
			w.note(ProblemConcatenated, start, "another document follows without being a line of its own")
		}
		if err := w.document(kind, start); err != nil {
			return err
		}
	}
}

// noMore ends a page at something that starts no document; n were read.
func (w *walker) noMore(n int, start int64) error {
	_, err := w.dec.ReadToken()
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		w.note(ProblemNoDocument, start, "no JSON document")
		return nil
	case errors.Is(err, io.EOF):
		return nil
	case n > 0 && isSyntax(err):
		return w.end(ProblemTrailing, start, "data after the document is not JSON")
	}
	return w.fail(err)
}

func (w *walker) document(kind jsontext.Kind, start int64) error {
	switch {
	case kind == jsontext.KindBeginObject:
		return w.object(start)
	case kind == jsontext.KindBeginArray && !w.shape.lines && !w.shape.array:
		w.note(ProblemTopLevelArray, start, "array where an object with \"value\" was expected")
		return w.array("", "[0")
	case kind == jsontext.KindBeginArray:
		return w.array("", "[0")
	case w.shape.lines:
		raw, err := w.dec.ReadValue()
		if err != nil {
			return w.fail(err)
		}
		return w.emit("", -1, raw)
	}
	w.note(ProblemNoValue, start, kindName(kind)+" where an object with \"value\" was expected")
	return w.skip()
}

// array emits the elements of the array that comes next. pointer leads to it,
// resume is JSON text that brings a new decoder to the same depth.
func (w *walker) array(pointer, resume string) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return w.fail(err)
	}
	for i := 0; ; i++ {
		if w.dec.PeekKind() == jsontext.KindEndArray {
			_, err := w.dec.ReadToken()
			return w.failIf(err)
		}
		raw, err := w.dec.ReadValue()
		if err == nil {
			err = w.emit(pointer, i, raw)
		} else {
			err = w.unread(err, pointer, i, resume)
		}
		if err != nil {
			return err
		}
	}
}

// emit hands on the element that was read last. A negative index stands for
// the whole document.
func (w *walker) emit(pointer string, index int, raw []byte) error {
	at := place{pointer: pointer, index: index, offset: w.offset() - int64(len(raw)), length: int64(len(raw))}
	at.sha256 = sha256.Sum256(raw)
	w.longest = max(w.longest, len(raw))
	if len(raw) > w.limit {
		return w.emitUnread(at, TooLarge)
	}
	return w.w.element(w.current, at, raw, 0)
}

// emitUnread hands on an element that is not interpreted.
func (w *walker) emitUnread(at place, why Flags) error {
	if why == TooLarge {
		w.note(ProblemTooLarge, at.offset, fmt.Sprintf("record of %d bytes, with white space before it, is longer than %d and not interpreted", at.length, w.limit))
	} else {
		w.note(ProblemTooDeep, at.offset, "record is nested beyond 10,000 and not interpreted")
	}
	return w.w.element(w.current, at, nil, why)
}

// place says where the JSON text of a record stands in its page.
type place struct {
	pointer        string // to the array
	index          int    // in it; negative for the whole document
	offset, length int64
	sha256         [32]byte
}

// offset is the place in the body after what the decoder has read.
func (w *walker) offset() int64 { return w.base + w.dec.InputOffset() }

func (w *walker) skip() error { return w.failIf(w.dec.SkipValue()) }

func (w *walker) failIf(err error) error {
	if err == nil {
		return nil
	}
	return w.fail(err)
}

// fail notes why the page cannot be read on.
func (w *walker) fail(err error) error {
	if cause := w.w.x.ctx.Err(); cause != nil {
		return cause
	}
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errOverBudget):
		return w.end(ProblemTooLarge, w.offset(), fmt.Sprintf("a part longer than %d bytes; the rest of the page is not interpreted", w.limit))
	case isTooDeep(err):
		return w.end(ProblemTooDeep, w.offset(), "nested beyond 10,000; the rest of the page is not interpreted")
	case w.feed.err != nil && w.feed.err != io.EOF && errors.Is(err, w.feed.err):
		return w.end(ProblemRead, w.base+w.feed.given, w.feed.err.Error())
	case errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF):
		// The decoder's own words depend on how the body arrived in pieces.
		return w.end(ProblemSyntax, w.base+syntax.ByteOffset, "not JSON")
	}
	return w.end(ProblemSyntax, w.base+w.feed.given, "body ends inside the document")
}

func (w *walker) end(code ProblemCode, at int64, reason string) error {
	w.note(code, at, reason)
	return errPageEnds
}

func (w *walker) note(code ProblemCode, at int64, reason string) {
	w.w.problem(Problem{Source: w.current.Source, Seq: w.current.Seq, Offset: at, Code: code, Reason: printable(reason)})
}

func isSyntax(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax)
}

// isTooDeep recognises jsontext's limit by the place of the error: its pointer
// has as many tokens as there may be levels.
func isTooDeep(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax) && strings.Count(string(syntax.JSONPointer), "/") >= maxDepth
}

// leadingSpace returns the white space at the start of b.
func leadingSpace(b []byte) []byte {
	return b[:len(b)-len(bytes.TrimLeft(b, " \t\r\n"))]
}

// printable makes text from a body or a reader harmless to a terminal.
func printable(s string) string {
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
