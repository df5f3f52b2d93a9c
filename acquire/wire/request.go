package wire

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// An outgoing request: its bytes and what of them is secret.
type outgoing struct {
	method, id string
	url        string // redacted
	wire       []byte
	spans      []span // in wire
	needles    [][]byte
	maxBody    int64 // of the answer
	close      bool  // it says "Connection: close"
	written    int   // bytes that the connection took
}

// compose checks a request and makes its bytes; nothing is sent before it returns.
func (r *Recorder) compose(ctx context.Context, req *Request) (*outgoing, error) {
	g, rest, err := splitOrigin(req.URL)
	if err != nil || g != r.origin {
		return nil, fmt.Errorf("request to another place than %s: %w", r.o.Origin, ErrOrigin)
	}
	if err := checkRequest(req, rest, r.origin); err != nil {
		return nil, err
	}
	fields, err := r.fields(ctx, req)
	if err != nil {
		return nil, err
	}
	target := rest
	if !strings.HasPrefix(rest, "/") {
		target = "/" + rest
	}
	if r.proxy != nil && r.origin.scheme == "http" {
		target = "http://" + r.origin.authority() + target
	}
	out := &outgoing{method: req.Method, id: req.RequestID, url: r.secrets.url(req.URL), maxBody: r.o.MaxBody}
	if req.MaxBody > 0 {
		out.maxBody = min(out.maxBody, req.MaxBody)
	}

	var b bytes.Buffer
	b.WriteString(req.Method + " ")
	for _, s := range r.secrets.querySpans(target) {
		s.off += b.Len()
		out.spans = append(out.spans, s)
	}
	b.WriteString(target + " HTTP/1.1\r\n")
	for _, f := range fields {
		b.WriteString(f.Name + ": ")
		if s, ok := r.secrets.headerSpan(f.Name, f.Value, b.Len()); ok {
			out.spans = append(out.spans, s)
		}
		b.WriteString(f.Value + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(req.Body)
	out.wire = b.Bytes()
	out.close = fields.HasToken("Connection", "close")
	out.needles = needles(out.wire, out.spans)
	return out, out.check()
}

// check refuses a request in which a secret would be stored: one that appears outside its own place.
func (o *outgoing) check() error {
	stored, _ := redact(o.wire, o.spans, len(o.wire))
	plain := unescaped(stored)
	for _, n := range o.needles {
		if bytes.Contains(stored, n) || bytes.Contains(plain, n) || strings.Contains(o.url, string(n)) || strings.Contains(o.id, string(n)) {
			return fmt.Errorf("%w: a secret value appears outside its header or parameter", ErrRequest)
		}
	}
	return nil
}

// unescaped undoes the percent escapes in b, leaving alone what is none.
func unescaped(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// checkRequest refuses what could not be sent as given or would change the framing.
func checkRequest(req *Request, rest string, g origin) error {
	if !httpblock.IsToken(req.Method) || req.Method == "CONNECT" {
		return fmt.Errorf("%w: method %q", ErrRequest, req.Method)
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c > '~' || c == '#' {
			return fmt.Errorf("%w: byte 0x%02x in the URL", ErrRequest, c)
		}
	}
	if !isFieldValue(req.RequestID) {
		return fmt.Errorf("%w: control byte in the request id", ErrRequest)
	}
	for _, f := range req.Header {
		if !httpblock.IsToken(f.Name) || !isFieldValue(f.Value) {
			return fmt.Errorf("%w: header %q", ErrRequest, f.Name)
		}
		wrong := false
		switch strings.ToLower(f.Name) {
		case "host":
			wrong = f.Value != g.authority()
		case "content-length":
			wrong = f.Value != strconv.Itoa(len(req.Body))
		case "transfer-encoding", "upgrade", "expect", "proxy-authorization":
			wrong = true
		}
		if wrong {
			return fmt.Errorf("%w: header %q may not say that", ErrRequest, f.Name)
		}
	}
	return nil
}

// fields returns the header as it is sent: Host, the caller's, and what the caller left out.
func (r *Recorder) fields(ctx context.Context, req *Request) (httpblock.Fields, error) {
	fs := make(httpblock.Fields, 0, len(req.Header)+8)
	host := httpblock.Field{Name: "Host", Value: r.origin.authority()}
	fs = append(fs, host)
	hosts := 0
	for _, f := range req.Header {
		if strings.EqualFold(f.Name, "Host") {
			fs[0].Name = f.Name
			hosts++
			continue
		}
		fs = append(fs, f)
	}
	if hosts > 1 || len(httpblock.Fields(req.Header).Values("Content-Length")) > 1 {
		return nil, fmt.Errorf("%w: repeated framing header", ErrRequest)
	}
	add := func(name, value string) {
		if _, ok := fs.Get(name); !ok {
			fs = append(fs, httpblock.Field{Name: name, Value: value})
		}
	}
	add("User-Agent", r.o.UserAgent)
	add("Accept-Encoding", r.o.AcceptEncoding)
	if _, ok := fs.Get("Authorization"); !ok && r.o.Authorize != nil {
		v, err := r.o.Authorize(ctx)
		if err != nil {
			return nil, fmt.Errorf("authorize: %w", err)
		}
		if !isFieldValue(v) {
			return nil, fmt.Errorf("%w: control byte in the authorization value", ErrRequest)
		}
		if v != "" {
			add("Authorization", v)
		}
	}
	if r.proxy != nil && r.proxy.authorization != "" && r.origin.scheme == "http" {
		add("Proxy-Authorization", r.proxy.authorization)
	}
	if req.RequestID != "" {
		add("client-request-id", req.RequestID)
	}
	if len(req.Body) > 0 || req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH" {
		add("Content-Length", strconv.Itoa(len(req.Body)))
	}
	add("Connection", "keep-alive")
	return fs, nil
}

// isFieldValue reports whether s can be sent as a field value as it is (RFC 9110, section 5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return strings.Trim(s, " \t") == s
}
