package warc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The record types of a segment.
const (
	Warcinfo = "warcinfo"
	Request  = "request"
	Response = "response"
	Resource = "resource"
	Metadata = "metadata"
)

// MaxHeader is the longest header of a record, in bytes (docs/container.md, 2.3).
const MaxHeader = 128 << 10

const (
	versionLine = "WARC/1.1\r\n"
	recordEnd   = "\r\n\r\n"
	digestName  = "sha256:"
)

// Header holds the fields of a record. Empty text means that the field is absent.
type Header struct {
	Type          string
	ID            string // urn:uuid:…
	Date          string // docs/container.md, 1.3
	TargetURI     string
	ConcurrentTo  string // urn:uuid:…
	Truncated     string
	Filename      string
	ContentType   string
	BlockDigest   string // 64 hexadecimal digits
	ContentLength int64
}

// field is one named field: how to reach its value, and which record types must or may have it.
type field struct {
	name     string
	value    func(*Header) *string
	must     types
	may      types
	brackets bool // the value stands in angle brackets
	digest   bool // the value is sha256: and a hash
}

// types is a set of record types.
type types uint8

const (
	ofWarcinfo types = 1 << iota
	ofRequest
	ofResponse
	ofResource
	ofMetadata

	ofAll = ofWarcinfo | ofRequest | ofResponse | ofResource | ofMetadata
)

// typeOf is the set of the one type; it is empty if the type is unknown.
func typeOf(name string) types {
	switch name {
	case Warcinfo:
		return ofWarcinfo
	case Request:
		return ofRequest
	case Response:
		return ofResponse
	case Resource:
		return ofResource
	case Metadata:
		return ofMetadata
	}
	return 0
}

// fields is every field but Content-Length, in the one allowed order (docs/container.md, 2.3).
func fields() []field { return fieldTable[:] }

var fieldTable = [...]field{
	{name: "WARC-Type", value: func(h *Header) *string { return &h.Type }, must: ofAll},
	{name: "WARC-Record-ID", value: func(h *Header) *string { return &h.ID }, must: ofAll, brackets: true},
	{name: "WARC-Date", value: func(h *Header) *string { return &h.Date }, must: ofAll},
	{name: "WARC-Target-URI", value: func(h *Header) *string { return &h.TargetURI }, must: ofRequest | ofResponse | ofResource},
	{name: "WARC-Concurrent-To", value: func(h *Header) *string { return &h.ConcurrentTo }, may: ofResponse, brackets: true},
	{name: "WARC-Truncated", value: func(h *Header) *string { return &h.Truncated }, may: ofResponse},
	{name: "WARC-Filename", value: func(h *Header) *string { return &h.Filename }, must: ofWarcinfo},
	{name: "Content-Type", value: func(h *Header) *string { return &h.ContentType }, must: ofAll},
	{name: "WARC-Block-Digest", value: func(h *Header) *string { return &h.BlockDigest }, must: ofAll &^ ofRequest, digest: true},
}

// Describe fills in what follows from a block of this SHA-256 and length in bytes.
func (h Header) Describe(digest [32]byte, length int64) Header {
	h.ContentLength, h.BlockDigest = length, ""
	if h.Type != Request {
		h.BlockDigest = hex.EncodeToString(digest[:])
	}
	return h
}

// Append appends the header, its empty line included. It fails where a value cannot stand in a header or a field
// does not belong to the record's type.
func (h Header) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, versionLine...)
	for _, f := range fields() {
		v := *f.value(&h)
		if v == "" {
			continue
		}
		dst = append(dst, f.name...)
		dst = append(dst, ": "...)
		if f.brackets {
			dst = append(dst, '<')
		}
		if f.digest {
			dst = append(dst, digestName...)
		}
		dst = append(dst, v...)
		if f.brackets {
			dst = append(dst, '>')
		}
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, h.ContentLength, 10)
	dst = append(dst, recordEnd...)
	if len(dst)-start > MaxHeader {
		return nil, fmt.Errorf("record header of %d bytes is longer than %d", len(dst)-start, MaxHeader)
	}
	return dst, h.check()
}

// ParseHeader reads a header from the start of b (docs/container.md, 2.3) and returns its length, its empty line
// included. b may go on after it.
func ParseHeader(b []byte) (h Header, length int, err error) {
	end := bytes.Index(b[:min(len(b), MaxHeader)], []byte(recordEnd))
	if end < 0 {
		return h, 0, fmt.Errorf("header without an end within %d bytes", MaxHeader)
	}
	length = end + len(recordEnd)
	rest, ok := strings.CutPrefix(string(b[:end+2]), versionLine)
	if !ok {
		return h, 0, errors.New("header does not start with WARC/1.1")
	}
	order := fields()
	for rest != "" {
		cr := strings.IndexByte(rest, '\r') // a second one in the line is not printable
		if cr < 0 || cr+1 == len(rest) || rest[cr+1] != '\n' {
			return h, 0, errors.New("header line without CR LF")
		}
		line := rest[:cr]
		rest = rest[cr+2:]
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return h, 0, fmt.Errorf("header line %q is no field", clip(line))
		}
		if name == "Content-Length" {
			if h.ContentLength, err = parseLength(value); err != nil {
				return h, 0, err
			}
			if rest != "" {
				return h, 0, errors.New("header goes on after Content-Length")
			}
			return h, length, h.check()
		}
		i := 0
		for i < len(order) && order[i].name != name {
			i++
		}
		if i == len(order) {
			return h, 0, fmt.Errorf("header field %q is unknown, repeated or out of order", clip(name))
		}
		if err := order[i].set(&h, value); err != nil {
			return h, 0, err
		}
		order = order[i+1:]
	}
	return h, 0, errors.New("header without Content-Length")
}

func (f field) set(h *Header, value string) error {
	if f.brackets {
		if len(value) < 2 || value[0] != '<' || value[len(value)-1] != '>' {
			return fmt.Errorf("header field %s is not in angle brackets", f.name)
		}
		value = value[1 : len(value)-1]
	}
	if f.digest {
		hash, ok := strings.CutPrefix(value, digestName)
		if !ok {
			return fmt.Errorf("header field %s is not a sha256 digest", f.name)
		}
		value = hash
	}
	if value == "" {
		return fmt.Errorf("header field %s is empty", f.name)
	}
	*f.value(h) = value
	return nil
}

func parseLength(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("malformed Content-Length %q", clip(s))
	}
	return n, nil
}

// check holds the values and the set of fields against the rules of the record's type.
func (h *Header) check() error {
	typ := typeOf(h.Type)
	if typ == 0 {
		return fmt.Errorf("record type %q is unknown", clip(h.Type))
	}
	for i := range fieldTable {
		f := &fieldTable[i]
		v := *f.value(h)
		switch {
		case v == "" && f.must&typ != 0:
			return fmt.Errorf("%s record without %s", h.Type, f.name)
		case v == "":
		case (f.must|f.may)&typ == 0:
			return fmt.Errorf("%s record with %s", h.Type, f.name)
		case !printable(v):
			return fmt.Errorf("header field %s holds bytes that may not stand in a header", f.name)
		case f.digest && !IsHash(v):
			return fmt.Errorf("header field %s is not a SHA-256 in lower-case hexadecimal", f.name)
		case f.brackets && !IsRecordID(v):
			return fmt.Errorf("header field %s is not urn:uuid: and a UUID", f.name)
		}
	}
	if _, ok := ParseDate(h.Date); !ok {
		return fmt.Errorf("malformed WARC-Date %q", clip(h.Date))
	}
	if want := contentType(typ); want != "" && h.ContentType != want {
		return fmt.Errorf("%s record of type %q", h.Type, clip(h.ContentType))
	}
	if h.Truncated != "" && !IsTruncation(h.Truncated) {
		return fmt.Errorf("malformed WARC-Truncated %q", clip(h.Truncated))
	}
	return nil
}

// contentType is the one that records of a type must have; empty where they say it themselves.
func contentType(typ types) string {
	switch typ {
	case ofWarcinfo:
		return "application/warc-fields"
	case ofMetadata:
		return "application/vnd.exhibit.batch"
	case ofRequest:
		return "application/http;msgtype=request"
	case ofResponse:
		return "application/http;msgtype=response"
	}
	return ""
}

// The reasons of a truncation (docs/container.md, 2.3).
var truncations = []string{"length", "time", "disconnect", "unspecified"}

// DateLayout is the one form of a date (docs/container.md, 1.3).
const DateLayout = "2006-01-02T15:04:05.000000Z"

// ParseDate reads a time in exactly the form of docs/container.md, 1.3.
func ParseDate(s string) (t time.Time, ok bool) {
	if len(s) != len(DateLayout) {
		return t, false
	}
	for i := range len(DateLayout) {
		if c, d := DateLayout[i], s[i]; c >= '0' && c <= '9' {
			if d < '0' || d > '9' {
				return t, false
			}
		} else if d != c {
			return t, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	month, day, hour, minute, second := two(5), two(8), two(11), two(14), two(17)
	if hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	us := two(20)*10_000 + two(22)*100 + two(24)
	t = time.Date(two(0)*100+two(2), time.Month(month), day, hour, minute, second, us*1000, time.UTC)
	_, m, d := t.Date() // a month or day that does not exist comes back as another
	return t, int(m) == month && d == day
}

// IsValue reports whether s may stand as the value of a field.
func IsValue(s string) bool { return s != "" && printable(s) }

// IsTruncation reports whether s is a reason of a truncation.
func IsTruncation(s string) bool { return slices.Contains(truncations, s) }

// printable reports whether s may stand as a value: printable ASCII, no space at either end.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// IsHash reports whether s is 64 lower-case hexadecimal digits.
func IsHash(s string) bool { return len(s) == 64 && isHex(s) }

// IsRecordID reports whether s is urn:uuid: and a lower-case UUID.
func IsRecordID(s string) bool {
	u, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(u) != 36 {
		return false
	}
	for i, part := 0, u; i < 5; i++ {
		n := [5]int{8, 4, 4, 4, 12}[i]
		if !isHex(part[:n]) || i < 4 && part[n] != '-' {
			return false
		}
		part = part[min(n+1, len(part)):]
	}
	return true
}

func isHex(s string) bool {
	for i := range len(s) {
		if !lowerHex[s[i]] {
			return false
		}
	}
	return true
}

// lowerHex is the set of the lower-case hexadecimal digits.
var lowerHex = [256]bool{'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true}

func clip(s string) string { return s[:min(len(s), 80)] }
