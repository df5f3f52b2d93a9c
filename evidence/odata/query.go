package odata

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxQueryLength bounds a raw query in bytes.
	MaxQueryLength = 64 << 10
	// MaxList bounds the entries of $orderby and of $select.
	MaxList = 64
	// MaxCount bounds $top and $skip.
	MaxCount = 999_999_999
)

// ErrOption is in the chain of a query error that concerns the option itself:
// given twice, not supported, or not to be decoded.
var ErrOption = errors.New("option refused")

// Query is what a URL asks of a listing.
type Query struct {
	// Filter is nil if there is none or an empty one.
	Filter *Filter
	// OrderBy holds the keys of $orderby, the first key first.
	OrderBy []Order
	// Select holds the paths of $select in the order given, each once; nil
	// asks for all.
	Select []string
	// Top is the size of page asked for, if HasTop.
	Top    int
	HasTop bool
	// Skip is how many rows to pass over; absent, 0.
	Skip int
}

// Order is one key of $orderby.
type Order struct {
	Path       string
	Descending bool
}

// ParseQuery reads a URL's raw query, without its question mark. The package
// comment says what is accepted. Errors name the option and hold a
// *[SyntaxError] or [ErrOption].
func ParseQuery(raw string) (*Query, error) {
	if len(raw) > MaxQueryLength {
		return nil, fmt.Errorf("query of %d bytes is longer than %d: %w", len(raw), MaxQueryLength, ErrOption)
	}
	q := &Query{}
	var seen []string
	for part := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, fmt.Errorf("option %q cannot be decoded: %w", clip(rawName), ErrOption)
		}
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if slices.Contains(seen, name) {
			return nil, fmt.Errorf("option %q is given twice: %w", clip(name), ErrOption)
		}
		seen = append(seen, name)
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, fmt.Errorf("value of option %q cannot be decoded: %w", clip(name), ErrOption)
		}
		if err := q.set(name, value); err != nil {
			return nil, fmt.Errorf("option %q: %w", clip(name), err)
		}
	}
	return q, nil
}

func (q *Query) set(name, value string) (err error) {
	switch name {
	case "$filter":
		if strings.Trim(value, " \t") != "" {
			q.Filter, err = Parse(value)
		}
	case "$orderby":
		q.OrderBy, err = ParseOrderBy(value)
	case "$select":
		q.Select, err = ParseSelect(value)
	case "$top":
		q.HasTop = true
		q.Top, err = parseCount(name, value)
	case "$skip":
		q.Skip, err = parseCount(name, value)
	default:
		return fmt.Errorf("not supported: %w", ErrOption)
	}
	return err
}

// String gives the canonical query: $filter, $orderby, $select, $skip and $top
// in this order, each only if it says something, percent-encoded with "%20" for
// a blank. Two queries that ask the same of a listing in other words of the
// URL have one canonical form.
func (q *Query) String() string {
	var parts []string
	add := func(name, value string) {
		parts = append(parts, name+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	if q.Filter != nil {
		add("$filter", q.Filter.String())
	}
	if len(q.OrderBy) > 0 {
		keys := make([]string, len(q.OrderBy))
		for i, o := range q.OrderBy {
			keys[i] = o.String()
		}
		add("$orderby", strings.Join(keys, ","))
	}
	if len(q.Select) > 0 {
		add("$select", strings.Join(q.Select, ","))
	}
	if q.Skip != 0 {
		add("$skip", strconv.Itoa(q.Skip))
	}
	if q.HasTop {
		add("$top", strconv.Itoa(q.Top))
	}
	return strings.Join(parts, "&")
}

// String gives the key as it stands in $orderby, with its direction.
func (o Order) String() string {
	if o.Descending {
		return o.Path + " desc"
	}
	return o.Path + " asc"
}

// ParseOrderBy reads the value of $orderby: paths joined by commas, each with
// "asc" (understood if absent) or "desc". A path may stand once.
func ParseOrderBy(s string) ([]Order, error) {
	l := &lexer{what: "$orderby", text: s}
	var keys []Order
	err := l.list(func(path token) (token, error) {
		if slices.ContainsFunc(keys, func(o Order) bool { return o.Path == path.text }) {
			return token{}, l.fail(path.at, "%q stands twice", clip(path.text))
		}
		key := Order{Path: path.text}
		t, err := l.next()
		if err == nil && t.kind == tokenWord && (t.text == "asc" || t.text == "desc") {
			key.Descending = t.text == "desc"
			t, err = l.next()
		}
		keys = append(keys, key)
		return t, err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// ParseSelect reads the value of $select: paths joined by commas. One that
// stands again adds nothing.
func ParseSelect(s string) ([]string, error) {
	l := &lexer{what: "$select", text: s}
	var paths []string
	err := l.list(func(path token) (token, error) {
		if !slices.Contains(paths, path.text) {
			paths = append(paths, path.text)
		}
		return l.next()
	})
	if err != nil {
		return nil, err
	}
	return paths, nil
}

// list reads paths joined by commas. Each is given to item, which returns the
// token after it.
func (l *lexer) list(item func(path token) (token, error)) error {
	for n := 1; ; n++ {
		t, err := l.next()
		if err != nil {
			return err
		}
		if t.kind != tokenWord {
			return l.fail(t.at, "%s where a property is expected", t.describe())
		}
		if n > MaxList {
			return l.fail(t.at, "more than %d properties", MaxList)
		}
		if t, err = item(t); err != nil {
			return err
		}
		switch t.kind {
		case tokenEnd:
			return nil
		case tokenComma:
		default:
			return l.fail(t.at, "unexpected %s", t.describe())
		}
	}
}

// parseCount reads a whole number: digits, no sign, no leading zero.
func parseCount(what, s string) (int, error) {
	rest, n := digits(s)
	if n == 0 || n > 9 || rest != "" || s[0] == '0' && n > 1 {
		return 0, &SyntaxError{What: what, Reason: fmt.Sprintf("%q is no whole number from 0 to %d", clip(s), MaxCount)}
	}
	return number(s), nil
}

// Compare orders two things by the keys of $orderby: negative if a comes
// first, 0 if no key tells them apart. Null comes before every value,
// ascending. It fails as [Filter.Eval] does.
func Compare(order []Order, a, b Lookup) (int, error) {
	for _, o := range order {
		key := &node{kind: nodePath, path: o.Path}
		x, err := key.operand(a)
		if err != nil {
			return 0, err
		}
		y, err := key.operand(b)
		if err != nil {
			return 0, err
		}
		var c int
		if x.kind == kindNull || y.kind == kindNull {
			c = boolInt(x.kind != kindNull) - boolInt(y.kind != kindNull)
		} else if c, err = compare(x, y); err != nil {
			return 0, fmt.Errorf("property %q: %w", o.Path, err)
		}
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}
