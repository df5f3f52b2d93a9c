package odata

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SyntaxError says where and why a text does not parse.
type SyntaxError struct {
	// What is the thing that was parsed: "filter", "$orderby", "$select".
	What string
	// Offset counts the bytes of the decoded text before the fault.
	Offset int
	// Reason is a phrase without full stop; it quotes what was found.
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed %s at offset %d: %s", e.What, e.Offset, e.Reason)
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenOpen
	tokenClose
	tokenComma
	tokenWord    // a keyword or a path; text holds it
	tokenLiteral // value holds it
)

type token struct {
	kind  tokenKind
	at    int
	text  string
	value Value
}

// describe names the token in an error.
func (t token) describe() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	return strconv.Quote(clip(t.text))
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// lexer splits a text into tokens; what names the text in errors.
type lexer struct {
	what string
	text string
	at   int
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &SyntaxError{What: l.what, Offset: at, Reason: fmt.Sprintf(format, args...)}
}

func (l *lexer) next() (token, error) {
	for l.at < len(l.text) && (l.text[l.at] == ' ' || l.text[l.at] == '\t') {
		l.at++
	}
	start := l.at
	if start == len(l.text) {
		return token{kind: tokenEnd, at: start}, nil
	}
	switch c := l.text[start]; {
	case c == '(':
		return l.single(tokenOpen), nil
	case c == ')':
		return l.single(tokenClose), nil
	case c == ',':
		return l.single(tokenComma), nil
	case c == '\'':
		return l.quoted()
	case isLetter(c):
		return l.word()
	case isDigit(c) || c == '-':
		return l.numberOrTime()
	}
	r, _ := utf8.DecodeRuneInString(l.text[start:])
	return token{}, l.fail(start, "unexpected character %q", r)
}

func (l *lexer) single(kind tokenKind) token {
	t := token{kind: kind, at: l.at, text: l.text[l.at : l.at+1]}
	l.at++
	return t
}

func (l *lexer) quoted() (token, error) {
	start := l.at
	var b strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		if l.text[i] != '\'' {
			b.WriteByte(l.text[i])
			continue
		}
		if i+1 < len(l.text) && l.text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		l.at = i + 1
		if !utf8.ValidString(b.String()) {
			return token{}, l.fail(start, "string is not valid UTF-8")
		}
		return token{kind: tokenLiteral, at: start, text: l.text[start:l.at], value: String(b.String())}, nil
	}
	return token{}, l.fail(start, "string is not closed")
}

// maxName bounds one name of a path, as OData bounds a simple identifier.
const maxName = 128

func (l *lexer) word() (token, error) {
	start, name := l.at, l.at
	for {
		if l.at == len(l.text) || !isLetter(l.text[l.at]) {
			return token{}, l.fail(l.at, "a name is missing after %q", clip(l.text[start:l.at]))
		}
		for l.at < len(l.text) && (isLetter(l.text[l.at]) || isDigit(l.text[l.at])) {
			l.at++
		}
		if l.at-name > maxName {
			return token{}, l.fail(name, "name of %d bytes is longer than %d", l.at-name, maxName)
		}
		if l.at == len(l.text) || l.text[l.at] != '/' {
			break
		}
		l.at++
		name = l.at
	}
	return token{kind: tokenWord, at: start, text: l.text[start:l.at]}, nil
}

func (l *lexer) numberOrTime() (token, error) {
	start := l.at
	for l.at < len(l.text) && strings.IndexByte("0123456789+-.:eETtZz", l.text[l.at]) >= 0 {
		l.at++
	}
	text := l.text[start:l.at]
	if l.at < len(l.text) && isLetter(l.text[l.at]) {
		return token{}, l.fail(start, "malformed number or time %q", clip(text+l.text[l.at:l.at+1]))
	}
	parse := parseNumber
	if len(text) > 4 && text[4] == '-' && isDigit(text[0]) && !strings.ContainsAny(text[:4], "eE") {
		parse = parseTime
	}
	v, err := parse(text)
	if err != nil {
		return token{}, l.fail(start, "%v", err)
	}
	return token{kind: tokenLiteral, at: start, text: text, value: v}, nil
}

// maxNumber bounds the length of a number: no float64 needs more digits.
const maxNumber = 40

func parseNumber(s string) (Value, error) {
	rest, whole := strings.TrimPrefix(s, "-"), true
	rest, n := digits(rest)
	ok := n > 0
	if ok && strings.HasPrefix(rest, ".") {
		whole = false
		rest, n = digits(rest[1:])
		ok = n > 0
	}
	if ok && (strings.HasPrefix(rest, "e") || strings.HasPrefix(rest, "E")) {
		whole = false
		rest = rest[1:]
		if strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") {
			rest = rest[1:]
		}
		rest, n = digits(rest)
		ok = n > 0
	}
	if !ok || rest != "" || len(s) > maxNumber {
		return Value{}, fmt.Errorf("malformed number %q", clip(s))
	}
	if whole {
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Value{}, fmt.Errorf("number %q is out of range", s)
		}
		return Int(i), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Value{}, fmt.Errorf("number %q is out of range", s)
	}
	return Float(f), nil
}

// digits drops leading digits and counts them.
func digits(s string) (rest string, n int) {
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[n:], n
}

// parseTime is strict where time.Parse is not: no comma before the fraction, no
// one-digit hour, no lower-case marks, no leap second, offsets up to 14 hours.
func parseTime(s string) (Value, error) {
	bad := fmt.Errorf("malformed time %q: want YYYY-MM-DDThh:mm:ss, a fraction of up to nine digits if any, and Z or an offset", clip(s))
	const shape = "dddd-dd-ddTdd:dd:dd"
	if len(s) <= len(shape) {
		return Value{}, bad
	}
	for i := range len(shape) {
		if shape[i] == 'd' && !isDigit(s[i]) || shape[i] != 'd' && shape[i] != s[i] {
			return Value{}, bad
		}
	}
	zone := s[len(shape):]
	nanos := 0
	if strings.HasPrefix(zone, ".") {
		rest, n := digits(zone[1:])
		if n == 0 || n > 9 {
			return Value{}, bad
		}
		nanos = number((zone[1:1+n] + "00000000")[:9])
		zone = rest
	}
	offset, ok := parseZone(zone)
	if !ok {
		return Value{}, bad
	}
	year, month, day := number(s[:4]), number(s[5:7]), number(s[8:10])
	hour, minute, second := number(s[11:13]), number(s[14:16]), number(s[17:19])
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != day ||
		t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return Value{}, fmt.Errorf("time %q does not exist", s)
	}
	t = t.Add(-offset)
	if t.Year() < 0 || t.Year() > 9999 {
		return Value{}, fmt.Errorf("time %q is out of range", s)
	}
	return Time(t), nil
}

func parseZone(s string) (time.Duration, bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' ||
		!isDigit(s[1]) || !isDigit(s[2]) || !isDigit(s[4]) || !isDigit(s[5]) {
		return 0, false
	}
	hours, minutes := number(s[1:3]), number(s[4:6])
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if minutes > 59 || d > 14*time.Hour {
		return 0, false
	}
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// number reads a text that is known to be at most nine digits.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
