package views

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// search is what is known of the search that an event belongs to: one query, from its first letter to its results. A search session has several, one after another.
type search struct {
	id         string // of the search session
	first      string // times of the first and the last letter
	last       string
	keystrokes int64
	final      string // what was searched for in the end
	how        string // where final is from: the results, or what was typed last
}

func (s *search) append(b []byte) []byte {
	for _, t := range s.texts() {
		b = appendText(b, *t)
	}
	return binary.AppendVarint(b, s.keystrokes)
}

func (s *search) texts() []*string { return []*string{&s.id, &s.first, &s.last, &s.final, &s.how} }

func (r *reader) search(s *search) {
	for _, t := range s.texts() {
		*t = r.text()
	}
	s.keystrokes = r.varint()
}

// Steps of a search.
const (
	stepStart    = "start"
	stepTyped    = "typed"
	stepExecuted = "executed"
	stepResult   = "result"
	stepOther    = "other"
)

func searchStep(typ string) string {
	switch typ {
	case "SearchSessionStart":
		return stepStart
	case "SearchSuggestionsDisplay", "SearchSuggestionDisplay":
		return stepTyped
	case "SearchQueryExecute":
		return stepExecuted
	case "SearchResult":
		return stepResult
	}
	return stepOther
}

const (
	// pause is how long, in seconds, nothing happens before letters are another search.
	pause = 10 * 60
	// maxOpen is how many search sessions of one client session are held as open.
	maxOpen = 64
)

// typing follows the searches of one client session, or of an application where there is none, by time.
type typing struct {
	now  *query   // whose letters are typed
	open []*query // with a search session's id, the latest last
}

// query is one search under way.
type query struct {
	first            uint64 // number of its first event
	id, guess        string // of the search session; guess is that of the query before
	executed, result bool
	typed, answer    string // the text of the last letter, and of the last results
	last             instant
	told             *search // by a session
}

// take says which search an event belongs to.
func (t *typing) take(e *event, number uint64) *query {
	step, id := searchStep(e.text[fType]), e.text[fSearch]
	q := t.find(step, id, e)
	fresh := q == nil
	if fresh {
		q = &query{first: number, id: strings.Clone(id)}
		if step == stepTyped && id == "" && t.now != nil && e.at.minus(t.now.last).sec < pause {
			q.guess = t.now.id
			if q.guess == "" {
				q.guess = t.now.guess
			}
		}
	}
	if q.id == "" {
		q.id = strings.Clone(id)
	}
	if step == stepStart || step == stepTyped || t.now == nil || fresh && id != "" && t.now.id == id {
		t.now = q
	}
	q.executed = q.executed || step == stepExecuted || step == stepResult
	q.result = q.result || step == stepResult
	switch text := e.text[fQuery]; {
	case step == stepTyped:
		q.typed = strings.Clone(text)
	case step == stepResult && text != "":
		q.answer = strings.Clone(text)
	}
	q.last = e.at
	t.keep(q)
	return q
}

// find finds the search that an event goes on with; nil if it begins one.
func (t *typing) find(step, id string, e *event) *query {
	if step == stepStart {
		return nil
	}
	var known *query
	for _, q := range slices.Backward(t.open) {
		if id != "" && q.id == id {
			known = q
			break
		}
	}
	now := t.now
	if now != nil {
		late := e.at.minus(now.last).sec >= pause && (now.id == "" || step == stepTyped && id == "")
		if late || id != "" && now.id != "" && now.id != id {
			now = nil // too long ago, or another search session
		}
	}
	switch step {
	case stepTyped:
		if id != "" && known != nil {
			now = known
		}
		if now != nil && now.executed {
			return nil // the next query
		}
		return now
	case stepResult:
		return answered(now, known, e.text[fQuery])
	}
	if now != nil {
		return now
	}
	return known
}

// answered says whose results for a text are: of the query that is typed now, or of the one that is known by the id of the search session; nil if of neither.
func answered(now, known *query, text string) *query {
	if known != nil && (known.executed && !known.result || known.answer == text && text != "" && (now == nil || now.typed != text)) {
		return known // they come late, or are a further page
	}
	if now == nil {
		now = known
	}
	if now != nil && text != "" && now.answer != "" && now.answer != text {
		return nil // the next query of the search session, of which no letter was typed
	}
	return now
}

// keep remembers a search by the id of its session.
func (t *typing) keep(q *query) {
	if q.id == "" || slices.Contains(t.open, q) {
		return
	}
	t.open = slices.DeleteFunc(t.open, func(o *query) bool { return o.id == q.id })
	if len(t.open) == maxOpen {
		t.open = slices.Delete(t.open, 0, 1)
	}
	t.open = append(t.open, q)
}

// bySearch puts the rows of each search together. Searches come in the order of their first rows.
func (v *view) bySearch() error {
	clients, searches := v.room.sorter(), v.room.sorter()
	at := uint64(0)
	err := v.collapse(func(e *event) error {
		if !v.row(e.text[fType]) {
			return v.place(e, nil)
		}
		at++
		app := e.text[fApp]
		if e.text[fSession] != "" {
			app = "" // the session counts, across applications
		}
		key := appendKey(appendKey(appendKey(nil, e.text[fMailbox]), app), e.text[fSession])
		return clients.add(binary.BigEndian.AppendUint64(key, at), e.append(nil))
	})
	if err != nil {
		return err
	}
	var group []byte
	var t typing
	err = clients.each(func(key, value []byte) error {
		g, own := key[:len(key)-8], binary.BigEndian.Uint64(key[len(key)-8:])
		if string(g) != string(group) {
			group, t = append(group[:0], g...), typing{}
		}
		var e event
		decodeEvent(&e, value)
		q := t.take(&e, own)
		k := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, q.first), own)
		return searches.add(k, e.append(appendText(nil, q.guess)))
	})
	if err != nil {
		return err
	}
	return v.placeSearches(searches)
}

// placeSearches numbers the events of searches. One stream goes ahead to the end of each search, the other follows.
func (v *view) placeSearches(searches *sorter) error {
	ahead, err := searches.Rows()
	if err != nil {
		return err
	}
	behind, err := searches.Rows()
	if err != nil {
		return err
	}
	for more := ahead.Next(); more; {
		var s search
		var guess string
		n, first := 0, slices.Clone(ahead.Key()[:8])
		for ; more && string(ahead.Key()[:8]) == string(first); more = ahead.Next() {
			n++
			in := reader{string(ahead.Value())}
			if g := in.text(); guess == "" {
				guess = g
			}
			var e event
			in.event(&e)
			s.learn(&e)
		}
		if s.id == "" {
			s.id = guess
		}
		for range n {
			if !behind.Next() {
				return errors.Join(errShort, behind.Err())
			}
			in := reader{string(behind.Value())}
			in.text()
			var e event
			in.event(&e)
			if err := v.place(&e, s.append); err != nil {
				return err
			}
		}
	}
	return errors.Join(ahead.Err(), behind.Err())
}

// learn takes an event of the search, in the order of time.
func (s *search) learn(e *event) {
	if s.id == "" {
		s.id = strings.Clone(e.text[fSearch])
	}
	switch searchStep(e.text[fType]) {
	case stepTyped:
		if s.keystrokes == 0 {
			s.first = strings.Clone(e.text[fTime])
		}
		if e.at.known() || s.keystrokes == 0 {
			s.last = strings.Clone(e.text[fTime])
			if s.how != stepResult && (e.text[fQuery] != "" || s.how == "") {
				s.final, s.how = strings.Clone(e.text[fQuery]), stepTyped
			}
		}
		s.keystrokes++
	case stepResult:
		if e.text[fQuery] != "" {
			s.final, s.how = strings.Clone(e.text[fQuery]), stepResult
		}
	}
}
