package views

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// members calls f with the name and the value of each member of a record's details, as they stand there. Details are what the extractor wrote: one JSON object without white
// space between tokens.
func members(details []byte, f func(name, value []byte)) {
	for i := 1; i < len(details) && details[i] == '"'; i++ {
		end := skipString(details, i)
		name, from := details[i+1:end-1], end+1
		i = skipValue(details, from)
		f(name, details[from:i])
	}
}

// skipString returns the index behind the string at i.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// skipValue returns the index behind the value at i, without recursion: what is nested is counted.
func skipValue(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':':
			continue
		default: // of a number or a word
			for i+1 < len(b) && b[i+1] != ',' && b[i+1] != '}' && b[i+1] != ']' {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// valueText is the text of a value: of a string, or of a number; of an array, which stands where a name repeats, that of the first such value; else "".
func valueText(v []byte) string {
	if len(v) > 0 && v[0] == '[' {
		v = v[1:]
		for len(v) > 0 && v[0] != ']' {
			end := skipValue(v, 0)
			if c := v[0]; c == '"' && end > 2 || c == '-' || c >= '0' && c <= '9' {
				return valueText(v[:end])
			}
			v = bytes.TrimPrefix(v[end:], []byte(","))
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

// properties fills an event's fields from a record's details.
func (e *event) properties(details []byte) {
	var rank [fieldCount]int
	members(details, func(name, value []byte) {
		if bytes.IndexByte(name, '\\') >= 0 {
			name, _ = jsontext.AppendUnquote(nil, `"`+string(name)+`"`)
		}
		f, r := property(name)
		if r == 0 || rank[f] != 0 && rank[f] <= r {
			return
		}
		if text := valueText(value); text != "" {
			e.set(f, text)
			rank[f] = r
		}
	})
}
