package warc

import (
	"bytes"
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
	IPAddress     string
	Truncated     string
	Filename      string
	ContentType   string
	BlockDigest   string // 64 hexadecimal digits
	PayloadDigest string // 64 hexadecimal digits
	ContentLength int64
}

// field is one named field: how to reach its value, and which record types must or may have it.
type field struct {
	name     string
	value    func(*Header) *string
	must     []string
	may      []string
	brackets bool // the value stands in angle brackets
	digest   bool // the value is sha256: and a hash
}

// fields is every field but Content-Length, in the one allowed order (docs/container.md, 2.3).
func fields() []field { return fieldTable[:] }

var fieldTable = [...]field{
	{name: "WARC-Type", value: func(h *Header) *string { return &h.Type }, must: allTypes},
	{name: "WARC-Record-ID", value: func(h *Header) *string { return &h.ID }, must: allTypes, brackets: true},
	{name: "WARC-Date", value: func(h *Header) *string { return &h.Date }, must: allTypes},
	{name: "WARC-Target-URI", value: func(h *Header) *string { return &h.TargetURI }, must: []string{Request, Response, Resource}},
	{name: "WARC-Concurrent-To", value: func(h *Header) *string { return &h.ConcurrentTo }, may: []string{Request, Response}, brackets: true},
	{name: "WARC-IP-Address", value: func(h *Header) *string { return &h.IPAddress }, may: []string{Request, Response}},
	{name: "WARC-Truncated", value: func(h *Header) *string { return &h.Truncated }, may: []string{Response}},
	{name: "WARC-Filename", value: func(h *Header) *string { return &h.Filename }, must: []string{Warcinfo}},
	{name: "Content-Type", value: func(h *Header) *string { return &h.ContentType }, must: allTypes},
	{name: "WARC-Block-Digest", value: func(h *Header) *string { return &h.BlockDigest }, must: allTypes, digest: true},
	{name: "WARC-Payload-Digest", value: func(h *Header) *string { return &h.PayloadDigest }, may: []string{Response}, digest: true},
}

var allTypes = []string{Warcinfo, Request, Response, Resource, Metadata}

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
		line, after, ok := strings.Cut(rest, "\r\n")
		if !ok {
			return h, 0, errors.New("header line without CR LF")
		}
		rest = after
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
		i := slices.IndexFunc(order, func(f field) bool { return f.name == name })
		if i < 0 {
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
	if !slices.Contains(allTypes, h.Type) {
		return fmt.Errorf("record type %q is unknown", clip(h.Type))
	}
	for _, f := range fields() {
		v := *f.value(h)
		switch {
		case v == "" && slices.Contains(f.must, h.Type):
			return fmt.Errorf("%s record without %s", h.Type, f.name)
		case v != "" && !slices.Contains(f.must, h.Type) && !slices.Contains(f.may, h.Type):
			return fmt.Errorf("%s record with %s", h.Type, f.name)
		case v != "" && !printable(v):
			return fmt.Errorf("header field %s holds bytes that may not stand in a header", f.name)
		case f.digest && v != "" && !IsHash(v):
			return fmt.Errorf("header field %s is not a SHA-256 in lower-case hexadecimal", f.name)
		case f.brackets && v != "" && !IsRecordID(v):
			return fmt.Errorf("header field %s is not urn:uuid: and a UUID", f.name)
		}
	}
	if t, err := time.Parse(dateLayout, h.Date); err != nil || t.Format(dateLayout) != h.Date {
		return fmt.Errorf("malformed WARC-Date %q", clip(h.Date))
	}
	if want := contentTypes[h.Type]; want != "" && h.ContentType != want {
		return fmt.Errorf("%s record of type %q", h.Type, clip(h.ContentType))
	}
	if h.Truncated != "" && !slices.Contains(truncations, h.Truncated) {
		return fmt.Errorf("malformed WARC-Truncated %q", clip(h.Truncated))
	}
	return nil
}

// The one form of a date, the one content type of most records, and the reasons of a truncation (docs/container.md, 1.3 and 2.3).
const dateLayout = "2006-01-02T15:04:05.000000Z"

var contentTypes = map[string]string{Warcinfo: "application/warc-fields", Metadata: "application/vnd.exhibit.batch",
	Request: "application/http;msgtype=request", Response: "application/http;msgtype=response"}

var truncations = []string{"length", "time", "disconnect", "unspecified"}

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
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 80)] }
