package withhold

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/odata"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// Bounds of a list of selectors.
const (
	MaxList      = 1 << 20 // bytes
	maxSelectors = 10_000
	minText      = 6 // bytes: what is shorter occurs by chance, in base64 above all
	maxText      = 1000
)

// Selector is one line that says what is withheld.
type Selector struct {
	Line     int    // in the list, from 1
	Word     string // seq, id, text or query
	Reason   string // as a line before it gave it
	Level    int64  // evidence.LevelHead, or LevelLeaf
	From, To int64  // of seq
	Text     string // of id and text

	filter *odata.Filter
}

// SyntaxError says which line of a list is none.
type SyntaxError struct {
	Line int
	Err  error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives what is wrong with the line.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a list: UTF-8, one selector a line. Empty lines, and those that begin with #, say nothing.
//
//	seq N            entry N
//	seq N-M          entries N to M, but for those that no production can withhold
//	id MESSAGE-ID    exchanges in which the id occurs, with its angle brackets or without
//	text TEXT        exchanges in which the text occurs, byte by byte
//	query CONDITION  exchanges that brought a record of which the condition holds, in the language of package odata over the
//	                 fields of docs/records.md: query message_id eq '<a@example.com>' and time ge 2018-05-21T00:00:00Z
//	reason TEXT      the reason for withholding what the lines below name, up to the next such line; it is part of the production
//	level 1          what the lines below name is withheld but for the head line: time, source, method, status; so it is from the start
//	level 0          what the lines below name is withheld but for a hash
func Parse(text string) ([]Selector, error) {
	if len(text) > MaxList {
		return nil, fmt.Errorf("list of %d bytes, at most %d", len(text), MaxList)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	var all []Selector
	reason, level := "", int64(evidence.LevelHead)
	for i, line := range strings.Split(text, "\n") {
		line = strings.Trim(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		word, value, _ := strings.Cut(line, " ")
		value = strings.TrimLeft(value, " \t")
		s := Selector{Line: i + 1, Word: word, Reason: reason, Level: level}
		var err error
		switch {
		case !utf8.ValidString(line):
			err = errors.New("it is not UTF-8")
		case word == "reason":
			if reason = value; len(value) > evidence.MaxReason {
				err = fmt.Errorf("reason of %d bytes, at most %d", len(value), evidence.MaxReason)
			}
		case word == "level":
			if level, err = strconv.ParseInt(value, 10, 64); err != nil || level != evidence.LevelHead && level != evidence.LevelLeaf {
				err = fmt.Errorf("level %q is neither 0 nor 1", value)
			}
		default:
			err = s.parse(value)
			all = append(all, s)
		}
		if err != nil {
			return nil, &SyntaxError{i + 1, err}
		}
		if len(all) > maxSelectors {
			return nil, fmt.Errorf("more than %d selectors", maxSelectors)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it names nothing")
	}
	return all, nil
}

func (s *Selector) parse(value string) (err error) {
	switch s.Word {
	case "seq":
		return s.parseSeq(value)
	case "id":
		if strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") {
			value = value[1 : len(value)-1]
		}
		s.Text = value
		return checkText(value)
	case "text":
		s.Text = value
		return checkText(value)
	case "query":
		if s.filter, err = odata.Parse(value); err != nil {
			return err
		}
		_, err = s.filter.Eval(fieldsOf(&extract.Record{Source: "x", ID: "x", Time: "2000-01-01T00:00:00Z", Type: "x", User: "x", Mailbox: "x", ClientIP: "x", ClientApp: "x",
			UserAgent: "x", SessionID: "x", ItemID: "x", Subject: "x", MessageID: "x"})) // unknown names and types that do not fit are told before anything is read
		return err
	}
	return fmt.Errorf("%q is none of seq, id, text, query, reason, level", s.Word)
}

func (s *Selector) parseSeq(value string) error {
	from, to, isRange := strings.Cut(value, "-")
	if !isRange {
		to = from
	}
	var err1, err2 error
	s.From, err1 = strconv.ParseInt(from, 10, 64)
	s.To, err2 = strconv.ParseInt(to, 10, 64)
	if err1 != nil || err2 != nil || s.From < 0 || s.To < s.From {
		return fmt.Errorf("%q is neither an entry's number nor a range N-M", value)
	}
	return nil
}

// names reports whether a selector names an entry by its number. A range passes over what no production can withhold.
func (s *Selector) names(e *evidence.Entry) bool {
	if s.Word != "seq" || e.Head.Seq < s.From || e.Head.Seq > s.To {
		return false
	}
	return s.From == s.To || leastLevel(e) < evidence.LevelWhole
}

func checkText(s string) error {
	if len(s) < minText || len(s) > maxText {
		return fmt.Errorf("text of %d bytes, want %d to %d: what is shorter occurs by chance", len(s), minText, maxText)
	}
	return nil
}

// fields are those of a record by the names of docs/records.md; one that is empty is null.
type fields map[string]odata.Value

// Property gives a field.
func (f fields) Property(path string) (odata.Value, bool) {
	v, ok := f[path]
	return v, ok
}

func fieldsOf(r *extract.Record) fields {
	f := fields{"seq": odata.Int(r.Provenance.Seq), "time": {}}
	for name, text := range map[string]string{"source": r.Source, "id": r.ID, "type": r.Type, "user": r.User, "mailbox": r.Mailbox, "client_ip": r.ClientIP,
		"client_app": r.ClientApp, "user_agent": r.UserAgent, "session_id": r.SessionID, "item_id": r.ItemID, "subject": r.Subject, "message_id": r.MessageID} {
		f[name] = odata.Value{}
		if text != "" {
			f[name] = odata.String(text)
		}
	}
	if t, err := time.Parse(time.RFC3339, r.Time); err == nil {
		f["time"] = odata.Time(t)
	}
	return f
}
