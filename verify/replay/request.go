package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Request is what a client asked: the head of a request in HTTP/1.1 without a body.
type Request struct {
	Method string
	Target string // in origin form, as sent
	Host   string
	Fields httpblock.Fields
}

// Bounds of a request. The longest target fits the longest query of evidence/odata.
const (
	maxRequestHead = 128 << 10 // bytes
	maxFields      = 200
	maxMethod      = 32 // bytes; it is repeated in errors
)

// RequestError says why a request cannot be answered. The connection has to be closed after it: where the next request begins is not known.
type RequestError struct {
	Status int // of the answer
	Reason string
}

func (e *RequestError) Error() string { return e.Reason }

func refuse(status int, format string, args ...any) error {
	return &RequestError{status, fmt.Sprintf(format, args...)}
}

// ReadRequest reads one request. It takes the form of RFC 9112 alone: no bare LF, no folded fields, no space before a colon; and of that, origin form, HTTP/1.1,
// one Host, and no body. Everything else is a [*RequestError]; io.EOF says that no request began.
func ReadRequest(r *bufio.Reader) (*Request, error) {
	head, err := readHead(r)
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	method, rest, _ := strings.Cut(string(line), " ")
	target, proto, ok := strings.Cut(rest, " ")
	switch {
	case !ok || !httpblock.IsToken(method) || strings.Contains(proto, " "):
		return nil, refuse(400, "the request line is not METHOD TARGET HTTP/1.1")
	case len(method) > maxMethod:
		return nil, refuse(400, "the method is longer than %d bytes", maxMethod)
	case method == "CONNECT":
		return nil, refuse(405, "CONNECT is refused: this is no proxy")
	case proto != "HTTP/1.1":
		return nil, refuse(505, "HTTP/1.1 alone is spoken here")
	case !strings.HasPrefix(target, "/"):
		return nil, refuse(400, "the target is not in origin form: it must begin with /, without scheme and host")
	case strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c > '~' || c == '#' }):
		return nil, refuse(400, "the target holds a byte that must be percent-encoded")
	}
	layout, err := httpblock.ParseRequest(bytes.NewReader(head), int64(len(head)))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, refuse(413, "requests with a body are not answered: nothing but GET was recorded")
	case err != nil:
		return nil, refuse(400, "the header is malformed, or says in two ways where the request ends")
	case len(layout.Fields) > maxFields:
		return nil, refuse(431, "more than %d header fields", maxFields)
	}
	hosts := layout.Fields.Values("Host")
	if len(hosts) != 1 || !isAuthority(hosts[0]) {
		return nil, refuse(400, "there must be one Host, a name or an address with or without a port")
	}
	return &Request{method, target, hosts[0], layout.Fields}, nil
}

// readHead reads up to the empty line. Empty lines before the request line are passed over (RFC 9112, 2.2), but not many.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for blank := 0; ; {
		part, err := r.ReadSlice('\n')
		if len(head)+len(part) > maxRequestHead {
			return nil, refuse(431, "the head of the request is longer than %d bytes", maxRequestHead)
		}
		head = append(head, part...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(head) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case !bytes.HasSuffix(head, []byte("\r\n")):
			return nil, refuse(400, "a line does not end in CR LF")
		case len(head) == 2:
			if blank++; blank > 2 {
				return nil, refuse(400, "empty lines in place of a request")
			}
			head = head[:0]
		case bytes.HasSuffix(head, []byte("\r\n\r\n")):
			return head, nil
		}
	}
}

// isAuthority reports whether s can stand as the authority of a link.
func isAuthority(s string) bool {
	return s != "" && len(s) <= 300 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune(".-_:[]", c)
	})
}

// close reports whether the client wants the connection closed after the answer.
func (r *Request) close() bool { return r.Fields.HasToken("Connection", "close") }

// authorized reports whether there is an Authorization. What it says is not looked at: a replay cannot tell a good token from a bad one.
func authorized(fs httpblock.Fields) bool {
	v, ok := fs.Get("Authorization")
	return ok && v != ""
}

// list splits the values of a field at commas outside of quotes, without white space around the parts.
func list(fs httpblock.Fields, name string) []string {
	var parts []string
	for _, v := range fs.Values(name) {
		quoted, from := false, 0
		for i := 0; i <= len(v); i++ {
			if i < len(v) && v[i] == '"' {
				quoted = !quoted
			}
			if i == len(v) || v[i] == ',' && !quoted {
				if part := strings.Trim(v[from:i], " \t"); part != "" {
					parts = append(parts, part)
				}
				from = i + 1
			}
		}
	}
	return parts
}

// samePreferences reports whether two requests prefer the same, in whatever order.
func samePreferences(a, b httpblock.Fields) bool {
	return slices.Equal(slices.Sorted(slices.Values(list(a, "Prefer"))), slices.Sorted(slices.Values(list(b, "Prefer"))))
}

// sameAccept reports whether two requests accept the same kinds of answer, as spelt but for white space and case.
func sameAccept(a, b httpblock.Fields) bool {
	plain := func(fs httpblock.Fields) string {
		return strings.ToLower(strings.Join(strings.Fields(strings.Join(fs.Values("Accept"), ",")), ""))
	}
	return plain(a) == plain(b)
}

// accepts reports whether the client names a content coding that it takes. Without Accept-Encoding a client could be sent anything (RFC 9110, 12.5.3); but those that send
// none mostly cannot decode, and services do not code for them.
func (r *Request) accepts(coding string) (takes bool) {
	for _, part := range list(r.Fields, "Accept-Encoding") {
		name, weight, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.Trim(name, " \t"))
		named := name == coding || name == "x-"+coding
		if !named && name != "*" {
			continue
		}
		weight = strings.ReplaceAll(strings.ToLower(weight), " ", "")
		takes = !strings.HasPrefix(weight, "q=0") || strings.Trim(weight[3:], ".0") != ""
		if named { // which * leaves alone, wherever it stands
			break
		}
	}
	return takes
}
