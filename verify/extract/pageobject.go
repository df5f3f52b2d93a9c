package extract

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// object reads the object that comes next, at offset start: a page with an
// array of records under "value" or, in JSON Lines, a record itself. Which of
// them shows only on the way, so its text is kept until an array is found.
func (w *walker) object(start int64) error {
	if w.shape.lines {
		w.feed.keep(w.dec.UnreadBuffer(), w.limit)
		defer w.feed.drop()
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return w.fail(err)
	}
	var found lists
	for w.dec.PeekKind() == jsontext.KindString {
		if err := w.objectMember(&found); err != nil {
			return err
		}
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return w.fail(err)
	}
	if found.arrays > 0 {
		return nil
	}
	return w.objectWithoutList(start, found.values)
}

// lists counts the members "value" of an object, and the arrays among them.
type lists struct{ values, arrays int }

// objectMember reads one member and, if it is a list of records, emits them.
func (w *walker) objectMember(found *lists) error {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return w.fail(err)
	}
	at := w.offset() - int64(len(raw))
	isValue, variant := compareNames(AppendExact(nil, raw), []byte("value"))
	kind := w.dec.PeekKind()
	switch {
	case isValue:
		found.values++
		if found.values == 2 {
			w.note(ProblemSecondValue, at, "\"value\" stands more than once in one object")
		}
		if kind == jsontext.KindBeginArray {
			found.arrays++
			w.feed.drop()
			return w.array("/value", `{"":[0`)
		}
		if kind != jsontext.KindInvalid {
			w.note(ProblemValueType, at, "\"value\" is not an array but "+kindName(kind))
		}
	case variant && kind == jsontext.KindBeginArray:
		w.note(ProblemValueVariant, at, "array under a name that differs from \"value\" in case")
	}
	return w.skip()
}

// objectWithoutList ends an object in which no array of records was found.
func (w *walker) objectWithoutList(start int64, values int) error {
	if !w.shape.lines {
		if values == 0 {
			w.note(ProblemNoValue, start, "object without \"value\"")
		}
		return nil
	}
	length := w.offset() - start
	raw, whole := w.feed.kept(length)
	if !whole {
		w.note(ProblemTooLarge, start, "record is longer than the limit and not interpreted")
		return nil
	}
	return w.emit("", -1, raw)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	}
	return "an array"
}

// keep starts keeping what the decoder reads: unread, which it holds already
// (with the white space before the object), and what the feed gives it next.
func (f *feed) keep(unread []byte, limit int) {
	text := bytes.TrimLeft(unread, " \t\r\n")
	f.keeping, f.keepLimit = true, limit
	f.held = append(f.held[:0], text...)
}

// drop stops keeping.
func (f *feed) drop() {
	f.keeping = false
	if cap(f.held) > bigBuffer {
		f.held = nil
	}
}

// kept returns the first length bytes since keep, if all of them are held.
func (f *feed) kept(length int64) ([]byte, bool) {
	if !f.keeping || length > int64(len(f.held)) || length > int64(f.keepLimit) {
		return nil, false
	}
	return f.held[:length], true
}
