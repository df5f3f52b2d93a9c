package views

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// value is what stands in a column.
type value struct {
	text string
	form form
	list []entry // of a list
	json []byte  // of a list that was made before
}

// form is how a value stands in JSON.
type form byte

const (
	aString form = iota
	aNumber      // its text
	aTruth       // yes or no
	aNull
	aList
)

// entry is one part of a list: as text, and, unless that is all, as names and values by turns.
type entry struct {
	text  string
	pairs []any
}

func text(s string) value { return value{text: s} }

func number(n int64) value { return value{text: strconv.FormatInt(n, 10), form: aNumber} }

// span is a length of time, in seconds.
func span(i instant) value { return value{text: i.seconds(), form: aNumber} }

func truth(b bool) value {
	if b {
		return value{text: "yes", form: aTruth}
	}
	return value{text: "no", form: aTruth}
}

func absent() value { return value{form: aNull} }

// list is shown with semicolons between its parts.
func list(parts []string) value {
	v := value{text: joinParts(parts), form: aList}
	for _, p := range parts {
		v.list = append(v.list, entry{text: p})
	}
	return v
}

// entries is a list of objects. Their texts are shown as parts are.
func entries(list []entry) value {
	var texts []string
	for i := range list {
		texts = append(texts, list[i].text)
	}
	return value{text: joinParts(texts), form: aList, list: list}
}

// object makes an entry of a text and of names and values by turns; a value is a string, an int64, a bool or a span of time.
func object(text string, pairs ...any) entry { return entry{text, pairs} }

// joinParts puts semicolons between parts. One that could be taken for several, or for none, stands as a JSON string.
func joinParts(parts []string) string {
	if len(parts) == 1 && plainPart(parts[0]) {
		return parts[0]
	}
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, "; "...)
		}
		if plainPart(p) {
			b = append(b, p...)
		} else {
			b = appendQuoted(b, p)
		}
	}
	return string(b)
}

func plainPart(p string) bool {
	return p != "" && !strings.ContainsAny(p, ";\"") && strings.TrimSpace(p) == p
}

func appendQuoted(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // records hold UTF-8 alone
	return b
}

// appendJSON appends the value as it stands in JSON Lines.
func (v *value) appendJSON(b []byte) []byte {
	switch v.form {
	case aNumber:
		return append(b, v.text...)
	case aTruth:
		return strconv.AppendBool(b, v.text == "yes")
	case aNull:
		return append(b, "null"...)
	case aList:
		if v.json != nil {
			return append(b, v.json...)
		}
		return appendList(b, v.list)
	}
	return appendQuoted(b, v.text)
}

func appendList(b []byte, list []entry) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = list[i].appendJSON(b)
	}
	return append(b, ']')
}

func (e *entry) appendJSON(b []byte) []byte {
	if e.pairs == nil {
		return appendQuoted(b, e.text)
	}
	b = append(b, '{')
	for i := 0; i < len(e.pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), e.pairs[i].(string)...), `":`...)
		switch v := e.pairs[i+1].(type) {
		case string:
			b = appendQuoted(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case instant:
			b = append(b, v.seconds()...)
		}
	}
	return append(b, '}')
}

// appendValues appends values in the form that values reads; lists as JSON, too, if anybody reads that.
func appendValues(b []byte, values []value, json bool) []byte {
	for i := range values {
		v := &values[i]
		b = appendText(append(b, byte(v.form)), v.text)
		if v.form != aList {
			continue
		}
		var list []byte
		if json {
			list = appendList(nil, v.list)
		}
		b = append(binary.AppendUvarint(b, uint64(len(list))), list...)
	}
	return b
}

// values reads as many values as there is room for.
func (r *reader) values(values []value) {
	for i := range values {
		values[i] = value{form: form(r.bytes(1)[0]), text: r.text()}
		if values[i].form == aList {
			values[i].json = []byte(r.text())
		}
	}
}

// isOurs reports whether a value is none of a record's texts.
func (v *value) isOurs() bool { return v.form != aString && v.form != aList }
