package extract

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// normaliser knows one source.
type normaliser interface {
	// source returns the name of the source.
	source() string
	// shape says how the source's answers carry records.
	shape() shape
	// record fills d from the members of one native record, which is an
	// object. It need not set Source, Provenance, or flags of the JSON text.
	record(d *draft)
}

// normalisers lists all of them. A new source is one file and one line here.
func normalisers() []normaliser {
	return []normaliser{
		activities{},
		generic{},
	}
}

// Sources returns the names of the sources that can be extracted.
func Sources() []string {
	var names []string
	for _, n := range normalisers() {
		names = append(names, n.source())
	}
	return names
}

// chosen returns the normalisers for the given sources, or all for none.
func chosen(sources []string) ([]normaliser, error) {
	all := normalisers()
	if len(sources) == 0 {
		return all, nil
	}
	var list []normaliser
	for i, name := range sources {
		k := slices.IndexFunc(all, func(n normaliser) bool { return n.source() == name })
		if k < 0 {
			return nil, fmt.Errorf("%w %q", ErrUnknownSource, name)
		}
		if !slices.Contains(sources[:i], name) {
			list = append(list, all[k])
		}
	}
	return list, nil
}

// draft is one record in the making. Its memory is used again for the next.
type draft struct {
	page    *keptPage
	rec     Record
	scan    scanner
	members []member // of the native record
	extra   []member // members of details that come before the rest
	columns [colCount]span
	arena   []byte // texts of the columns
	scratch []byte
	exactID []byte // the id as the bytes had it, before repair
	details []byte
}

func (d *draft) reset(p *keptPage, raw []byte) {
	d.page = p
	d.rec = Record{Source: p.Source}
	d.scan.reset(raw)
	d.members = d.members[:0]
	d.extra = d.extra[:0]
	d.columns = [colCount]span{}
	d.arena = d.arena[:0]
	d.exactID = d.exactID[:0]
	d.details = append(d.details[:0], "{}"...)
}

// normalise interprets the record.
func (d *draft) normalise(n normaliser) {
	s := &d.scan
	if s.raw[0] != '{' {
		s.flags |= NotAnObject
		s.value(0)
		d.details = append(d.details[:0], `{"raw":`...)
		d.details = s.appendValue(d.details, span{0, uint32(len(s.raw))})
		d.details = append(d.details, '}')
		return
	}
	s.object(0, &d.members)
	if s.flags.Has(TooManyMembers) {
		d.members = d.members[:0]
		return
	}
	n.record(d)
	if d.empty(colID) {
		s.flags |= MissingID
	}
	if d.empty(colTime) && !s.flags.Has(TimeUnparseable) {
		s.flags |= MissingTime
	}
	d.writeDetails()
}

func (d *draft) empty(c column) bool { return d.columns[c].from == d.columns[c].to }

// assign fills columns from members. target says which column a name may
// fill and how well: rank 1 is preferred to 2, and so on; 0 is not at all. Of
// a repeated name the first counts. Members without a usable value are passed
// over.
func (d *draft) assign(ms []member, target func(name []byte) (column, int)) {
	var best [colCount]struct{ index, rank int }
	for i, m := range ms {
		c, rank := target(d.scan.name(m))
		if rank == 0 || best[c].rank != 0 && best[c].rank <= rank || !d.usable(m.value) {
			continue
		}
		best[c].index, best[c].rank = i, rank
	}
	for c := colID; c < colCount; c++ {
		if best[c].rank != 0 && d.empty(c) {
			d.take(c, &ms[best[c].index])
		}
	}
}

// usable reports whether a value can stand in a column: a string that is not
// empty, or a number.
func (d *draft) usable(v span) bool {
	switch d.scan.raw[v.from] {
	case '"':
		return v.to-v.from > 2
	case '{', '[', 't', 'f', 'n':
		return false
	}
	return true
}

// take puts the value of m into a column. Where the column then holds it
// exactly, m is marked as taken and stays out of details.
func (d *draft) take(c column, m *member) {
	tok := d.scan.text(m.value)
	exact := tok[0] == '"'
	text := tok
	if exact {
		text = d.unquoted(tok)
	}
	if c == colID {
		d.exactID = append(d.exactID[:0], text...)
	}
	start := uint32(len(d.arena))
	switch {
	case c == colTime:
		form := formOf(text)
		if tok[0] != '"' {
			form = timeBad
		}
		d.takeTime(text, form)
		exact = exact && form == timeExact
	case d.scan.flags&(InvalidUTF8|LoneSurrogate) != 0 && !utf8.Valid(text):
		d.arena = appendLossy(d.arena, text)
		exact = false
	default:
		d.arena = append(d.arena, text...)
	}
	d.columns[c] = span{start, uint32(len(d.arena))}
	m.taken = exact
}

func (d *draft) takeTime(text []byte, form timeForm) {
	switch form {
	case timeBad:
		d.scan.flags |= TimeUnparseable
		return
	case timeNoZone:
		d.scan.flags |= TimeWithoutZone
	case timeSpelling:
		d.scan.flags |= TimeNormalised
	}
	d.arena = appendTime(d.arena, text, form)
}

// unquoted returns the exact text of a JSON string, valid until the next call.
func (d *draft) unquoted(tok []byte) []byte {
	if !d.scan.escaped || bytes.IndexByte(tok, '\\') < 0 {
		return tok[1 : len(tok)-1]
	}
	d.scratch = appendExact(d.scratch[:0], tok)
	return d.scratch
}

// fill sets a column from outside the native record.
func (d *draft) fill(c column, text string) {
	start := uint32(len(d.arena))
	if utf8.ValidString(text) {
		d.arena = append(d.arena, text...)
	} else {
		d.arena = appendLossy(d.arena, []byte(text))
	}
	d.columns[c] = span{start, uint32(len(d.arena))}
}

// writeDetails writes the extra members, then those of the native record that
// no column holds exactly. A repeated name keeps all of its values.
func (d *draft) writeDetails() {
	s := &d.scan
	grouped := s.groups[0] != nil
	properties := len(d.extra)
	for _, m := range d.members {
		if !m.taken || grouped && d.repeats(m) {
			d.extra = append(d.extra, m)
		}
	}
	repeats, _ := s.repeated(d.extra)
	if repeats && (!grouped || d.repeatedProperty(properties)) {
		s.flags |= RepeatedProperty
	}
	d.details = s.appendMembers(d.details[:0], d.extra, repeats)
}

// repeatedProperty reports whether one of the first n extra members has the
// name of another one; in a record that itself repeats names.
func (d *draft) repeatedProperty(n int) bool {
	names := make(map[string]bool, len(d.extra))
	for i, m := range d.extra {
		name := string(d.scan.name(m))
		if names[name] {
			return true
		}
		if i < n {
			names[name] = true
		}
	}
	return false
}

// repeats reports whether another member of the native record has m's name.
func (d *draft) repeats(m member) bool {
	for _, o := range d.members {
		if o.name != m.name && bytes.Equal(d.scan.name(o), d.scan.name(m)) {
			return true
		}
	}
	return false
}

// finish makes the record from the draft, with one allocation for all texts.
func (d *draft) finish() {
	all := string(d.arena)
	text := func(c column) string { return all[d.columns[c].from:d.columns[c].to] }
	r := &d.rec
	r.ID, r.Time, r.Type = text(colID), text(colTime), text(colType)
	r.User, r.Mailbox = text(colUser), text(colMailbox)
	r.ClientIP, r.ClientApp, r.UserAgent = text(colClientIP), text(colClientApp), text(colUserAgent)
	r.SessionID, r.ItemID = text(colSessionID), text(colItemID)
	r.Subject, r.MessageID = text(colSubject), text(colMessageID)
	r.Details = d.details
	r.Flags = d.scan.flags
}
