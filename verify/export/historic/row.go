package historic

import (
	"strings"
	"unicode/utf8"
)

// columns are the properties that the programs asked for, in the order of their columns.
func columns() []string {
	return []string{"TimeStamp", "AppIdType", "ActivityIdType", "ActivityItemId", "ActivityCreationTime", "ClientSessionId", customProperties}
}

const customProperties = "CustomProperties"

// Reasons why an activity has no row.
const (
	WhyRepeat         = "repeat"            // an earlier record of the mailbox has the same id and the same bytes
	WhyNotInterpreted = "not_interpreted"   // too large, too deep, or too many members
	WhyNotAnObject    = "not_an_object"     // the programs ended at it with an error
	WhyProperties     = "custom_properties" // they ended at it, too: CustomProperties is something, and no list of objects with Name and Value
	WhySurrogate      = "surrogate"         // and here: a text in a column holds half of a surrogate pair, which UTF-8 cannot have
)

// activity is what the programs made of one.
type activity struct {
	native     value
	properties []member   // as the dictionary has them, but for the names, which are repr
	repeated   []repeated // names of properties that stand more than once
}

// repeated is a name with all of its values, in order.
type repeated struct {
	name   string
	values []member // without names
}

// newActivity makes one of what was read. why says where the programs ended with an error.
func (p printable) newActivity(v value) (a *activity, why string) {
	a = &activity{native: v}
	if v.kind != '{' {
		return a, WhyNotAnObject
	}
	if !p.addProperties(a) {
		a.repeated = nil
		return a, WhyProperties
	}
	return a, ""
}

// addProperties makes the dictionary of the custom properties.
func (p printable) addProperties(a *activity) (ok bool) {
	list, ok := a.native.find(customProperties)
	if !ok || !list.truth() {
		return true
	}
	if list.kind != '[' {
		return false
	}
	places, all := make(map[string]int, len(list.parts)), map[string][]member{}
	for i := range list.parts {
		pair := &list.parts[i].value
		name, named := pair.find("Name")
		v, valued := pair.find("Value")
		key, hashable := name.key()
		if !named || !valued || !hashable {
			return false
		}
		at, again := places[key]
		if !again {
			places[key] = len(a.properties)
			a.properties = append(a.properties, member{string(p.repr(nil, &name)), v})
			continue
		}
		if all[key] == nil {
			a.repeated = append(a.repeated, repeated{name: key})
			all[key] = []member{{value: a.properties[at].value}}
		}
		all[key] = append(all[key], member{value: v})
		a.properties[at].value = v
	}
	for i, r := range a.repeated {
		a.repeated[i] = repeated{strings.TrimPrefix(r.name, `"`), all[r.name]}
	}
	return true
}

// appendRow appends the row of an activity. why is set, and nothing appended, where that cannot be.
func (p printable) appendRow(b []byte, a *activity) (row []byte, why string) {
	start := len(b)
	for i, name := range columns() {
		if i > 0 {
			b = append(b, ',')
		}
		cell := ""
		if name == customProperties {
			cell = p.propertiesCell(a)
		} else if v, ok := a.native.find(name); ok {
			cell = p.cell(&v)
		}
		if !utf8.ValidString(cell) {
			return b[:start], WhySurrogate
		}
		b = appendCell(b, cell)
	}
	return append(b, '\n'), ""
}

// propertiesCell is repr of the dictionary; nothing where there is none.
func (p printable) propertiesCell(a *activity) string {
	if len(a.properties) == 0 {
		return ""
	}
	b := []byte{'{'}
	for i := range a.properties {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, a.properties[i].name...), ": "...)
		b = p.repr(b, &a.properties[i].value)
	}
	return string(append(b, '}'))
}

// appendCell quotes where csv.QUOTE_MINIMAL does: for the delimiter, a quote, and the line end, which is LF. A CR alone was no reason
// before Python 3.13.
func appendCell(b []byte, cell string) []byte {
	if !strings.ContainsAny(cell, ",\"\n") {
		return append(b, cell...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(cell, `"`, `""`)...)
	return append(b, '"')
}
