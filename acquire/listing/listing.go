// Package listing reads one page of a JSON listing as far as acquiring needs it: it counts rows and takes the next link. It reads the bytes as they
// came and holds no row; what rows mean is for extraction.
//
// It is strict where two readers could disagree about how the acquisition goes on. A second "value" or "@odata.nextLink", a spelling
// that differs in case alone, a value of the wrong type, anything after the end: interpretation stops with a reason, and no link wins. Within rows it lets pass what
// real services send, such as repeated names and bytes that are no UTF-8.
package listing

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/acquire"
)

// maxIDs is up to how many rows a page's ids are kept: more than services put on one.
const maxIDs = 4096

const (
	memberValue = "value"
	memberNext  = "@odata.nextLink"
)

// Page is what a page holds.
type Page struct {
	Rows    int64  // elements of the list, odd ones too
	Odd     int64  // those of them that are error objects or no objects
	List    bool   // there is a list: "value", or the page is an array itself
	Next    string // the next link
	HasNext bool
	Mark    string   // of the rows' ids in order; empty if a row has none
	IDs     []uint64 // hashes of the rows' ids in order; nil if a row has none, or if they are more than 4,096
	First   string   // time of the first row that has one
	Time    string   // of the last row that has one
	Failed  bool     // the page itself has a member "error"
}

// Form says what a page may look like.
type Form struct {
	ID   string // the member that names a row; empty if rows have no name
	Time string // the member that dates a row; empty if none does
	Bare bool   // a page may also be an array, or an object without "value"
}

// Read reads a page to its end. One byte order mark before the document is passed over, as extraction does it. It fails with an [*acquire.PageError].
func Read(r io.Reader, f Form) (*Page, error) {
	r, skipped, err := withoutMark(r)
	s := &scan{form: f, marks: sha256.New(), page: &Page{}, named: true,
		dec: jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	if err == nil {
		err = s.top()
	}
	if err == nil {
		if _, err = s.dec.ReadToken(); err == nil {
			err = errors.New("something follows the end of the JSON value")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		var own *acquire.PageError
		if errors.As(err, &own) {
			return nil, own
		}
		return nil, &acquire.PageError{Reason: acquire.ReasonBrokenPage, Text: fmt.Sprintf("byte %d: %v", skipped+s.dec.InputOffset(), err)}
	}
	if f.ID != "" && s.named && s.page.Rows > 0 {
		s.page.Mark = hex.EncodeToString(s.marks.Sum(nil))
	}
	if !s.named || s.page.Rows > maxIDs {
		s.page.IDs = nil
	}
	return s.page, nil
}

// withoutMark passes over one byte order mark at the start, and says how many bytes that were. It fails as the reader does, but for io.EOF.
func withoutMark(r io.Reader) (io.Reader, int64, error) {
	const mark = "\xef\xbb\xbf"
	head := make([]byte, len(mark))
	n, err := io.ReadFull(r, head)
	switch {
	case err == nil && string(head) == mark:
		return r, int64(n), nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return bytes.NewReader(head[:n]), 0, nil
	}
	return io.MultiReader(bytes.NewReader(head[:n]), r), 0, err
}

type scan struct {
	form  Form
	dec   *jsontext.Decoder
	page  *Page
	marks hash.Hash
	named bool // every row so far has an id
}

func (s *scan) top() error {
	switch s.dec.PeekKind() {
	case '{':
		return s.object()
	case '[':
		if s.form.Bare {
			return s.rows()
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	return errors.New("the page is no JSON object")
}

// object reads the page's own members.
func (s *scan) object() error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() == '"' {
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		switch name := tok.String(); {
		case name == memberValue:
			if s.page.List {
				return errors.New(`a second "value"`)
			}
			if s.dec.PeekKind() != '[' {
				return s.wrongType(memberValue)
			}
			err = s.rows()
		case name == memberNext:
			err = s.next()
		case strings.EqualFold(name, memberValue), strings.EqualFold(strings.TrimPrefix(name, "@"), memberNext[1:]):
			return fmt.Errorf("the member %.40q stands where %q or %q could be meant", name, memberValue, memberNext)
		default:
			s.page.Failed = s.page.Failed || name == "error"
			err = s.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	if !s.page.List && !s.form.Bare {
		return errors.New(`the page has no "value"`)
	}
	return nil
}

func (s *scan) next() error {
	if s.page.HasNext {
		return errors.New(`a second "@odata.nextLink"`)
	}
	if s.dec.PeekKind() != '"' {
		return s.wrongType(memberNext)
	}
	tok, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	s.page.Next, s.page.HasNext = tok.String(), true
	return nil
}

// wrongType prefers to say that the page is cut short, if it is.
func (s *scan) wrongType(name string) error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	return fmt.Errorf("%q has a value of the wrong type", name)
}

func (s *scan) rows() error {
	s.page.List = true
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for {
		switch s.dec.PeekKind() {
		case ']':
			_, err := s.dec.ReadToken()
			return err
		case '{':
			if err := s.row(); err != nil {
				return err
			}
		default: // also where the page is cut: then SkipValue says so
			if err := s.dec.SkipValue(); err != nil {
				return err
			}
			s.page.Odd++
			s.named = false
		}
		s.page.Rows++
	}
}

// row reads an object of the list. One with "error" and no id stands in the place of a row.
func (s *scan) row() error {
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	id, failed := "", false
	for s.dec.PeekKind() == '"' {
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		failed = failed || name == "error"
		isID, isTime := name == s.form.ID && id == "", name == s.form.Time && name != ""
		if !isID && !isTime || s.dec.PeekKind() != '"' {
			if err := s.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if tok, err = s.dec.ReadToken(); err != nil {
			return err
		}
		if isID {
			id = tok.String()
		} else {
			s.page.Time = tok.String()
			s.page.First = cmp.Or(s.page.First, s.page.Time)
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	if id == "" {
		s.named = false
		if failed && s.form.ID != "" {
			s.page.Odd++
		}
		return nil
	}
	fmt.Fprintf(s.marks, "%d %s\n", len(id), id)
	if s.page.Rows < maxIDs {
		h := fnv.New64a()
		_, _ = io.WriteString(h, id) // a hash takes everything
		s.page.IDs = append(s.page.IDs, h.Sum64())
	}
	return nil
}
