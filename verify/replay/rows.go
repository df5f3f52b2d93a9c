package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
	"github.com/exhibit-dfir/exhibit/verify"
)

// Source is the source whose listings are derived.
const Source = "outlook-activities"

// rows are the activities of all mailboxes: their JSON text in a spool, and what queries ask of them in order of mailbox, time and id.
type rows struct {
	dir   string
	texts *spool
	base  *sorted
}

// Key of a row: mailbox (4), time (12), id, class (1), and seq downwards (8). Of rows with the same mailbox, time, id and class the newest is kept.
const (
	keyTail = 9
	keyOnce = 8
)

const maxVersions = 64 // of an activity

// indexRows reads all recorded pages.
func indexRows(ctx context.Context, c *verify.Container, ws *windows, dir string) (r *rows, err error) {
	r = &rows{dir: dir, texts: &spool{dir: dir}}
	s := newSorter(dir, grouping{tail: keyTail, once: keyOnce, most: maxVersions})
	pages, err := c.NewPageReader()
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, pages.Close())
		if err != nil {
			err = errors.Join(err, s.Close(), r.close())
		}
	}()
	for _, g := range c.PageGroups(Source) {
		list, err := pages.Read(ctx, g)
		if err != nil {
			return r, err
		}
		for i := range list {
			if err := r.page(ctx, s, ws, &list[i]); err != nil {
				return r, err
			}
		}
	}
	if err := r.texts.flush(); err != nil {
		return r, err
	}
	r.base, err = s.finish()
	return r, err
}

// page adds the rows of one page. What is wrong with the page is noted of its window.
func (r *rows) page(ctx context.Context, s *sorter, ws *windows, p *verify.Page) error {
	w := ws.of(p.Window)
	if w == nil {
		return nil
	}
	w.pages++
	body, err := p.Body()
	if err != nil {
		w.odd(p.Seq)
		return nil
	}
	dec := decode(body)
	list, err := enterList(dec)
	if err != nil || !list {
		w.odd(p.Seq)
		return nil
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		raw, err := dec.ReadValue()
		if err != nil {
			w.odd(p.Seq)
			return ctx.Err()
		}
		if err := r.add(s, w, p.Seq, bytes.TrimLeft(raw, " \t\r\n")); err != nil {
			return err
		}
	}
	if !endsPlainly(dec) {
		w.odd(p.Seq)
	}
	return ctx.Err()
}

// enterList reads up to the first element of the array under "value". list is false where the document is otherwise.
func enterList(dec *jsontext.Decoder) (list bool, err error) {
	if t, err := dec.ReadToken(); err != nil || t.Kind() != jsontext.KindBeginObject {
		return false, err
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return false, err
		}
		if name.String() == "value" {
			t, err := dec.ReadToken()
			return err == nil && t.Kind() == jsontext.KindBeginArray, err
		}
		if err := dec.SkipValue(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// endsPlainly reads what follows the last element: no second list, and nothing behind the document.
func endsPlainly(dec *jsontext.Decoder) bool {
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil || name.String() == "value" || dec.SkipValue() != nil {
			return false
		}
	}
	t, err := dec.ReadToken()
	return err == nil && t.Kind() == jsontext.KindEndObject && dec.PeekKind() == jsontext.KindInvalid
}

// add keeps one element of a page.
func (r *rows) add(s *sorter, w *window, seq int64, raw []byte) error {
	w.rows++
	columns, id, err := readRow(raw)
	if err != nil || len(raw) > maxRow {
		w.odd(seq)
		return nil
	}
	if seconds, nanos, ok := columns[colTime].Instant(); ok && w.newest.Before(time.Unix(seconds, int64(nanos))) {
		w.newest = time.Unix(seconds, int64(nanos)).UTC()
	}
	at, err := r.texts.add(raw)
	if err != nil {
		return err
	}
	key := binary.BigEndian.AppendUint32(nil, w.box)
	key = appendValue(key, columns[colTime])
	key = appendText(key, id)
	key = append(key, byte(w.class))
	key = binary.BigEndian.AppendUint64(key, ^uint64(seq))
	return s.Add(key, appendRow(nil, &columns, at, int64(len(raw))))
}

// appendText writes a text so that its bytes order as it does, and no other text begins with it.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if b = append(b, s[i]); s[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 1)
}

// appendValue writes a value so that its bytes order as [odata.Compare] orders values: null first.
func appendValue(b []byte, v odata.Value) []byte {
	if seconds, nanos, ok := v.Instant(); ok {
		b = binary.BigEndian.AppendUint64(append(b, 1), uint64(seconds)^1<<63)
		return binary.BigEndian.AppendUint32(b, uint32(nanos))
	}
	if text, ok := v.Text(); ok {
		return appendText(append(b, 1), text)
	}
	return append(b, 0)
}

// appendRow writes the payload of a row: where its text stands, and its columns.
func appendRow(b []byte, r *row, at, length int64) []byte {
	b = binary.AppendUvarint(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(length))
	for c := range columns {
		if seconds, nanos, ok := r[c].Instant(); ok {
			b = binary.AppendVarint(append(b, 2), seconds)
			b = binary.AppendUvarint(b, uint64(nanos))
		} else if text, ok := r[c].Text(); ok {
			b = binary.AppendUvarint(append(b, 1), uint64(len(text)))
			b = append(b, text...)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// readPayload reads what appendRow wrote.
func readPayload(b []byte) (r row, at, length int64) {
	number := func() uint64 {
		n, k := binary.Uvarint(b)
		b = b[k:]
		return n
	}
	at, length = int64(number()), int64(number())
	for c := range columns {
		kind := b[0]
		b = b[1:]
		switch kind {
		case 1:
			n := number()
			r[c] = odata.String(string(b[:n]))
			b = b[n:]
		case 2:
			seconds, k := binary.Varint(b)
			b = b[k:]
			r[c] = odata.Time(time.Unix(seconds, int64(number())))
		}
	}
	return r, at, length
}

func (r *rows) close() error {
	if r == nil {
		return nil
	}
	err := r.texts.close()
	if r.base != nil {
		err = errors.Join(err, r.base.close())
	}
	return err
}
