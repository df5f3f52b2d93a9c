package historic

import (
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// lossesFormat names the form of the list of what a file leaves out, docs/records.md.
const lossesFormat = "exhibit-csv-losses/1"

// appendHead appends the first line of the list: what it belongs to.
func (g *Gathered) appendHead(b []byte) []byte {
	b = append(b, `{"format":"`+lossesFormat+`","csv":`...)
	b = appendText(b, g.format.Name)
	b = appendText(append(b, `,"case":`...), g.caseID)
	b = appendText(append(b, `,"user":`...), g.user)
	b = strconv.AppendInt(append(b, `,"rows":`...), g.Rows, 10)
	b = strconv.AppendInt(append(b, `,"without_row":`...), g.without(), 10)
	return append(b, "}\n"...)
}

// appendWindow appends the line of a window of which the file has nothing.
func appendWindow(b []byte, w *verify.Window) []byte {
	b = strconv.AppendInt(append(b, `{"window":`...), w.Window, 10)
	b = appendText(append(b, `,"source":`...), w.Source)
	b = appendText(append(b, `,"user":`...), w.User)
	b = strconv.AppendInt(append(b, `,"records":`...), w.Records, 10)
	return append(b, "}\n"...)
}

// appendLoss appends the line of a record behind its row number. a is nil if the record was not read.
func appendLoss(b []byte, r *extract.Record, a *activity, why string) []byte {
	b = appendText(append(b, `,"why":`...), why)
	b = appendText(append(b, `,"id":`...), r.ID)
	b = append(b, `,"members":{`...)
	var again []repeated
	var missing []string
	if a != nil {
		b, again = a.appendMembers(b, why == "" || why == WhyRepeat)
		again, missing = append(again, a.repeated...), a.missing()
	}
	b = append(b, '}')
	if why == WhyNotAnObject {
		b = appendValue(append(b, `,"value":`...), &a.native)
	}
	b = append(b, `,"missing":[`...)
	for i, name := range missing {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, name)
	}
	b = append(b, `],"repeated":[`...)
	for i, m := range again {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"name":`...), m.name)
		b = appendValue(append(b, `,"values":`...), &value{kind: '[', parts: m.values})
		b = append(b, '}')
	}
	b = append(b, `],"flags":[`...)
	for i, word := range r.Flags.Words() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), word...), '"')
	}
	p := &r.Provenance
	b = strconv.AppendInt(append(b, `],"provenance":{"seq":`...), p.Seq, 10)
	b = appendText(append(b, `,"pointer":`...), p.Pointer)
	b = strconv.AppendInt(append(b, `,"offset":`...), p.Offset, 10)
	b = strconv.AppendInt(append(b, `,"length":`...), p.Length, 10)
	b = hex.AppendEncode(append(b, `,"sha256":"`...), p.SHA256[:])
	return append(b, "\"}}\n"...)
}

// appendMembers appends the members of the native record that a row does not hold: those without a column but for Id, in a column what is no text, and custom properties of
// which the dictionary shows less than was received. Without a row that is every member. It returns the names that stand more than once.
func (a *activity) appendMembers(b []byte, row bool) (_ []byte, again []repeated) {
	kept, first := a.native.dict(), true
	for _, m := range kept {
		if len(kept) < len(a.native.parts) {
			if values := a.native.all(m.name); len(values) > 1 {
				again = append(again, repeated{m.name, values})
			}
		}
		if row && a.shown(&m) || m.name == "Id" && m.value.kind == '"' {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendText(b, m.name), ':')
		b = appendValue(b, &m.value)
	}
	return b, again
}

// shown reports whether a row holds a member as it was received.
func (a *activity) shown(m *member) bool {
	if m.name == customProperties {
		return m.value.kind == '[' && len(a.properties) == len(m.value.parts) && !slices.ContainsFunc(m.value.parts, func(pair member) bool { return !plainPair(&pair.value) })
	}
	return m.value.kind == '"' && slices.Contains(columns(), m.name)
}

// plainPair reports whether the dictionary holds all of a custom property: it has a name and a value and no more, and both can be told from what repr makes of them.
func plainPair(pair *value) bool {
	if len(pair.parts) != 2 {
		return false
	}
	name, _ := pair.find("Name")
	v, valued := pair.find("Value")
	return name.kind == '"' && valued && v.plain()
}

// plain reports whether repr shows a value as it was received.
func (v *value) plain() bool {
	switch v.kind {
	case '0':
		return number(v.text) == v.text
	case '{':
		if len(v.dict()) < len(v.parts) {
			return false
		}
	case '"':
		return true
	}
	return !slices.ContainsFunc(v.parts, func(m member) bool { return !m.value.plain() })
}

// missing lists the columns that the native record has no member for, in order.
func (a *activity) missing() (names []string) {
	if a.native.kind != '{' {
		return nil
	}
	for _, name := range columns() {
		if _, ok := a.native.find(name); !ok {
			names = append(names, name)
		}
	}
	return names
}

// all gives every value of a name, in order.
func (v *value) all(name string) (values []member) {
	for _, m := range v.parts {
		if m.name == name {
			values = append(values, m)
		}
	}
	return values
}

// appendValue appends a value as JSON, with every value of a name that stands more than once.
func appendValue(b []byte, v *value) []byte {
	switch v.kind {
	case '"':
		return appendText(b, v.text)
	case '[':
		b = append(b, '[')
		for i := range v.parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, &v.parts[i].value)
		}
		return append(b, ']')
	case '{':
		b = append(b, '{')
		for i, m := range v.parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, m.name), ':')
			b = appendValue(b, &m.value)
		}
		return append(b, '}')
	}
	return append(b, v.text...)
}

// appendText appends a JSON string. A surrogate without partner becomes an escape, as it was received.
func appendText(b []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(b, s)
	if err == nil {
		return quoted
	}
	b = append(b, '"')
	for len(s) > 0 {
		r, n := decode(s)
		if r >= 0xD800 && r < 0xE000 {
			b = append(append(b, `\u`...), strconv.FormatInt(int64(r), 16)...)
		} else if piece, err := jsontext.AppendQuote(nil, s[:n]); err == nil {
			b = append(b, piece[1:len(piece)-1]...)
		}
		s = s[n:]
	}
	return append(b, '"')
}
