package httpblock

import (
	"strconv"
	"strings"
)

// A section is what the field lines of a head or trailer section say.
type section struct {
	fields   Fields
	lengths  []string // values of Content-Length
	codings  []string // values of Transfer-Encoding
	doubtful bool     // two careful readers could disagree on the two above
}

// parseSection reads the field lines of a head, after its first line, or of a trailer section, up to the
// empty line. Departures become flags of l.
func parseSection(text string, l *Layout, head bool) section {
	var s section
	if head {
		line, rest, _ := strings.Cut(text, "\n")
		s.controls(s.ending(line, l), l)
		text = rest
		s.fields = make(Fields, 0, min(strings.Count(text, "\n"), 64))
	}
	last := "" // framing name of the field that a folded line continues
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = s.ending(line, l)
		if line == "" {
			break
		}
		s.controls(line, l)
		if line[0] == ' ' || line[0] == '\t' {
			s.fold(line, last, l)
			continue
		}
		last = s.field(line, l)
	}
	return s
}

// ending takes off what is left of the line's end.
func (s *section) ending(line string, l *Layout) string {
	if t, ok := strings.CutSuffix(line, "\r"); ok {
		return t
	}
	l.flag(FlagBareLF)
	return line
}

// controls flags CR and NUL, at which some readers split or stop.
func (s *section) controls(line string, l *Layout) {
	if strings.IndexByte(line, '\r') >= 0 {
		l.flag(FlagBareCR)
		s.doubtful = true
	}
	if strings.IndexByte(line, 0) >= 0 {
		l.flag(FlagNUL)
		s.doubtful = true
	}
}

// fold adds a line that begins with white space to the field before it (RFC 9112, section 5.2).
func (s *section) fold(line, last string, l *Layout) {
	l.flag(FlagObsFold)
	name, _, _ := strings.Cut(line, ":")
	if last != "" || framingName(name) != "" {
		s.doubtful = true
	}
	if len(s.fields) == 0 {
		l.flag(FlagBadField)
		return
	}
	f := &s.fields[len(s.fields)-1]
	f.Value = strings.Trim(f.Value+" "+strings.Trim(line, " \t"), " \t")
}

// field reads one field line and returns its framing name, empty for other fields.
func (s *section) field(line string, l *Layout) string {
	name, value, ok := strings.Cut(line, ":")
	framing := framingName(name)
	if !ok {
		l.flag(FlagBadField)
		s.doubtful = s.doubtful || framing != ""
		return framing
	}
	exact := true
	if t := strings.TrimRight(name, " \t"); t != name {
		l.flag(FlagSpaceBeforeColon)
		name, exact = t, false
	}
	if !IsToken(name) {
		l.flag(FlagBadField)
		exact = false
	}
	value = strings.Trim(value, " \t")
	if hasControl(value) {
		l.flag(FlagBadField)
	}
	s.fields = append(s.fields, Field{Name: name, Value: value})
	if framing == "" {
		return ""
	}
	s.doubtful = s.doubtful || !exact
	if framing == "content-length" {
		s.lengths = append(s.lengths, value)
	} else {
		s.codings = append(s.codings, value)
	}
	return framing
}

// framing applies the table of the package comment. All flags are set even where the first row decides.
func (s *section) framing(l *Layout, method string) (framing string, length int64) {
	length, lengthOK := s.length(l)
	coding := s.coding(l)
	if len(s.lengths) > 0 && len(s.codings) > 0 {
		l.flag(FlagLengthAndCoding)
	}
	switch {
	case l.Status == 101:
		l.flag(FlagSwitching)
		return FramingNone, 0
	case method == "CONNECT" && l.Status/100 == 2, method == "HEAD", l.Status == 304:
		return FramingNone, 0
	case l.Status == 204:
		if len(s.codings) > 0 || len(s.lengths) > 0 && (length > 0 || !lengthOK) {
			l.flag(FlagBodyForbidden)
		}
		return FramingNone, 0
	case s.doubtful, len(s.codings) > 0 && (len(s.lengths) > 0 || l.Proto == "HTTP/1.0"):
		return FramingAmbiguous, 0
	case len(s.codings) > 0:
		return coding, 0
	case !lengthOK:
		return FramingAmbiguous, 0
	case len(s.lengths) > 0:
		return FramingLength, length
	}
	return FramingClose, 0
}

// length reads all values of Content-Length, which may be lists (RFC 9112, section 6.3, rule 5).
func (s *section) length(l *Layout) (n int64, ok bool) {
	n, ok = -1, true
	for _, v := range s.lengths {
		for item := range strings.SplitSeq(v, ",") {
			m, good := parseLength(strings.Trim(item, " \t"))
			switch {
			case !good:
				l.flag(FlagBadContentLength)
				ok = false
			case n < 0:
				n = m
			case n == m:
				l.flag(FlagDuplicateLength)
			default:
				l.flag(FlagConflictingLength)
				ok = false
			}
		}
	}
	return max(n, 0), ok
}

// coding says which framing the values of Transfer-Encoding ask for (RFC 9112, section 6.3, rule 4).
func (s *section) coding(l *Layout) string {
	if len(s.codings) == 0 {
		return ""
	}
	items := strings.Split(strings.ToLower(strings.Join(s.codings, ",")), ",")
	if len(items) == 1 && items[0] == "chunked" {
		return FramingChunked
	}
	l.flag(FlagUnknownCoding)
	framing := FramingClose
	for i, item := range items {
		item = strings.Trim(item, " \t")
		switch {
		case item == "chunked" && i == len(items)-1 && framing == FramingClose:
			framing = FramingChunked
		case item == "", strings.Contains(item, "chunked"):
			framing = FramingAmbiguous
		}
	}
	return framing
}

// parseLength reads 1*DIGIT up to 2^63-1.
func parseLength(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if !isDigit(c) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// framingName returns the lower-case name if it is one of the two that frame a body, once stray bytes
// around it are taken off: some reader might do so.
func framingName(name string) string {
	if len(name) < len("content-length") {
		return ""
	}
	name = strings.TrimFunc(name, func(r rune) bool { return r >= 0x80 || !isTokenByte(byte(r)) })
	for _, w := range [...]string{"content-length", "transfer-encoding"} {
		if strings.EqualFold(name, w) {
			return w
		}
	}
	return ""
}

// IsToken reports whether s is a token, as methods and field names are (RFC 9110, section 5.6.2).
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
