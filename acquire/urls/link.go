package urls

import (
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// linkHeader returns the target of the one link with relation next in the Link fields (RFC 8288, section 3), or "". Two different ones are an error.
func linkHeader(h httpblock.Fields) (string, error) {
	next := ""
	for _, field := range h.Values("Link") {
		for rest := strings.TrimLeft(field, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			var target, params string
			var ok bool
			if target, rest, ok = strings.Cut(strings.TrimPrefix(rest, "<"), ">"); !ok {
				return "", &acquire.PageError{Reason: acquire.ReasonBrokenPage, Text: "the header Link cannot be read"}
			}
			params, rest = cut(rest, ',')
			if !isNext(params) {
				continue
			}
			if target == "" || next != "" && next != target {
				return "", &acquire.PageError{Reason: acquire.ReasonBrokenPage, Text: "the header Link names no one next page"}
			}
			next = target
		}
	}
	return next, nil
}

// cut splits s at the first separator that stands in no quoted string.
func cut(s string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isNext reports whether the first rel parameter has the relation next.
func isNext(params string) bool {
	for params != "" {
		var p string
		p, params = cut(params, ';')
		name, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for word := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(word, "next") {
				return true
			}
		}
		return false
	}
	return false
}
