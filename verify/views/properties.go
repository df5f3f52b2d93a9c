package views

import (
	"bytes"
	"hash/maphash"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/verify/jsonspan"
)

// valueText is the text of a value: of a string, or of a number; of an array, which stands where a name repeats, that of the first such value; else "".
func valueText(v []byte) string {
	if len(v) > 0 && v[0] == '[' {
		for from, to := range jsonspan.Elements(v, 0) {
			if c := v[from]; c == '"' && to-from > 2 || c == '-' || c >= '0' && c <= '9' {
				return valueText(v[from:to])
			}
		}
		return ""
	}
	if len(v) == 0 {
		return ""
	}
	switch c := v[0]; {
	case c == '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return string(v[1 : len(v)-1])
		}
		text, _ := jsontext.AppendUnquote(nil, v) // half a surrogate becomes U+FFFD
		return string(text)
	case c == '-' || c >= '0' && c <= '9':
		return string(v)
	}
	return ""
}

// property says which field a custom property fills, and how well: 1 is preferred to 2. 0 is not at all.
func property(name []byte) (field, int) {
	switch string(name) {
	case "Query", "SuggestionStimulus":
		return fQuery, 1
	case "Sid", "SearchSessionId":
		return fSearch, 1
	case "UserName":
		return fUser, 1
	case "Result":
		return fResult, 1
	case "AttachmentAction":
		return fAction, 1
	case "SenderSmtpAddress":
		return fFrom, 1
	case "SenderAddress":
		return fFrom, 2
	case "From":
		return fFrom, 3
	case "ReceivedTime":
		return fReceived, 1
	case "DeliveredFolderType":
		return fFolder, 1
	case "SourceFolder":
		return fFolder, 2
	case "SourceDefaultFolderType":
		return fFolder, 3
	case "Recipients":
		return fRecipients, 1
	case "ActivityCreationTime":
		return fCreated, 1
	}
	return 0, 0
}

// properties fills an event's fields from a record's details, and adds to says what they say: each member by itself, so that their order does not matter. What OData adds
// to an answer is not of the event.
func (e *event) properties(details []byte, seed maphash.Seed) {
	var rank [fieldCount + 1]int
	for m := range jsonspan.Members(details, 0) {
		name, value := details[m.Name+1:m.NameEnd-1], details[m.Value:m.ValueEnd]
		if bytes.IndexByte(name, '\\') >= 0 {
			name, _ = jsontext.AppendUnquote(nil, `"`+string(name)+`"`)
		}
		if !bytes.HasPrefix(name, []byte("@odata.")) {
			e.says += (maphash.Bytes(seed, name) | 1) * maphash.Bytes(seed, value)
		}
		f, r := property(name)
		if r == 0 || rank[f] != 0 && rank[f] <= r {
			continue
		}
		if text := valueText(value); text != "" {
			if rank[f] = r; f == fCreated {
				e.made = parseCreated(text)
			} else {
				e.set(f, text)
			}
		}
	}
}
