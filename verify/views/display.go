package views

import "strings"

// displayed is an item that a reading pane showed.
type displayed struct {
	item, subject, from, since string
	displays, unended          int64
	shown                      instant // how long
	listed                     bool

	open    bool
	at      instant // since when, while it is open,
	made    instant // and when that was recorded
	again   bool    // whether it was open already when it was displayed,
	earlier instant // and since when
}

// reading takes an event of a reading pane.
func (s *session) reading(r *row) {
	e := &r.e
	start := e.text[fType] == readingStart
	if start {
		s.displays++
	}
	d := s.display(e)
	if d == nil {
		return
	}
	if start {
		d.displays++
	}
	switch {
	case !e.at.known(): // nobody can say how long
	case start:
		if d.again = d.open; d.again {
			d.unended, d.earlier = d.unended+1, d.at
		}
		d.open, d.at, d.made = true, e.at, e.made
	case e.text[fType] != readingEnd:
	case d.again && d.at == e.at && d.made == e.made:
		// An end and a start of one time: the display before ends, and this one goes on.
		d.again, d.unended = false, d.unended-1
		s.showed(d, e.at.minus(d.earlier))
	case d.open:
		d.open, d.again = false, false
		s.showed(d, e.at.minus(d.at))
	default:
		s.remark(e, "display-end", "the display of an item ends that did not begin in this session")
	}
	if !d.listed && !d.open {
		delete(s.items, d.item)
		s.unlisted--
	}
}

// display is what is known of the displays of an event's item. An item that is not listed is known as long as it is displayed; nil if there are too many of these.
func (s *session) display(e *event) *displayed {
	if d := s.items[e.text[fItem]]; d != nil {
		return d
	}
	d := &displayed{item: strings.Clone(e.text[fItem])}
	switch {
	case s.fits(len(s.shown), e.text[fItem], e.text[fSubject], e.text[fFrom]):
		d.subject, d.from, d.since, d.listed = strings.Clone(e.text[fSubject]), strings.Clone(e.text[fFrom]), strings.Clone(e.text[fTime]), true
		s.shown = append(s.shown, d)
	case s.unlisted == sessionList:
		return nil
	default:
		s.unlisted++
	}
	s.items[d.item] = d
	return d
}

// showed notes how long an item was displayed.
func (s *session) showed(d *displayed, span instant) {
	d.shown, s.seconds = d.shown.plus(span), s.seconds.plus(span)
}
