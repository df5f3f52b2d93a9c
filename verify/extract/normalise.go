package extract

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
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
		messages{},
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
	stage   *stage // where the record goes: columns and details are written there at once
	scan    scanner
	members []member // of the native record
	extra   []member // members of details that come before the rest
	columns [colCount]span
	details int // where the details begin
	scratch []byte
	exactID []byte // the id as the bytes had it, before repair
	key     []byte // scratch for idKey
}

func (d *draft) reset(p *keptPage) {
	d.page = p
	d.members = d.members[:0]
	d.extra = d.extra[:0]
	d.columns = [colCount]span{}
	d.exactID = d.exactID[:0]
	d.details = len(d.stage.details)
}

// read scans the record that the scanner was given and returns the index after
// it, or -1 if the text is not what the scanner reads.
func (d *draft) read() int {
	if d.scan.raw[0] == '{' {
		return d.scan.object(0, &d.members)
	}
	return d.scan.value(0)
}

// interpret makes columns and details of the record that was read.
func (d *draft) interpret(n normaliser) {
	s, out := &d.scan, d.stage
	if s.raw[0] != '{' {
		s.flags |= NotAnObject
		out.details = append(out.details, `{"raw":`...)
		out.details = s.appendValue(out.details, span{0, uint32(len(s.raw))})
		out.details = append(out.details, '}')
		return
	}
	if s.flags.Has(TooManyMembers) {
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
	start := uint32(len(d.stage.texts))
	switch {
	case c == colTime:
		form := formOf(text)
		if tok[0] != '"' {
			form = timeBad
		}
		d.takeTime(text, form)
		exact = exact && form == timeExact
	case d.scan.flags&(InvalidUTF8|LoneSurrogate) != 0 && !utf8.Valid(text):
		d.stage.texts = appendLossy(d.stage.texts, text)
		exact = false
	default:
		d.stage.texts = append(d.stage.texts, text...)
	}
	d.columns[c] = span{start, uint32(len(d.stage.texts))}
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
	d.stage.texts = appendTime(d.stage.texts, text, form)
}

// unquoted returns the exact text of a JSON string, valid until the next call.
func (d *draft) unquoted(tok []byte) []byte {
	if !d.scan.escaped || bytes.IndexByte(tok, '\\') < 0 {
		return tok[1 : len(tok)-1]
	}
	d.scratch = AppendExact(d.scratch[:0], tok)
	return d.scratch
}

// fill sets a column from outside the native record.
func (d *draft) fill(c column, text string) {
	start := uint32(len(d.stage.texts))
	if utf8.ValidString(text) {
		d.stage.texts = append(d.stage.texts, text...)
	} else {
		d.stage.texts = appendLossy(d.stage.texts, []byte(text))
	}
	d.columns[c] = span{start, uint32(len(d.stage.texts))}
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
	d.stage.details = s.appendMembers(d.stage.details, d.extra, repeats)
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

// finish stages the record.
func (d *draft) finish(at place) {
	out := d.stage
	if len(out.details) == d.details {
		out.details = append(out.details, "{}"...)
	}
	details := span{uint32(d.details), uint32(len(out.details))}
	if out.native {
		out.details = append(out.details, d.scan.raw...)
	}
	native := span{details.to, uint32(len(out.details))}
	out.source, out.container = d.page.Source, d.page.Container
	from := len(out.texts)
	out.texts = append(out.texts, at.pointer...)
	if at.index >= 0 {
		out.texts = strconv.AppendInt(append(out.texts, '/'), int64(at.index), 10)
	}
	out.records = append(out.records, staged{
		columns: d.columns, pointer: span{uint32(from), uint32(len(out.texts))},
		details: details, native: native, flags: d.scan.flags,
		seq: d.page.Seq, window: d.page.Window, offset: at.offset, length: at.length, sha256: at.sha256,
	})
	if !d.empty(colID) {
		r := &out.records[len(out.records)-1]
		r.hasKey, r.key = true, d.idKey()
	}
}

// idKey is the hash of source, mailbox and id. A mailbox is the same one in capital letters.
func (d *draft) idKey() [32]byte {
	mailbox := d.columns[colMailbox]
	d.key = binary.LittleEndian.AppendUint64(d.key[:0], uint64(len(d.page.Source)))
	d.key = append(d.key, d.page.Source...)
	d.key = binary.LittleEndian.AppendUint64(d.key, uint64(mailbox.to-mailbox.from))
	for _, c := range d.stage.texts[mailbox.from:mailbox.to] {
		d.key = append(d.key, lower(c))
	}
	d.key = append(d.key, d.exactID...)
	return sha256.Sum256(d.key)
}
