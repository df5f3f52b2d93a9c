package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/verify"
)

// Kind says where an answer comes from.
type Kind string

// The kinds of answer.
const (
	Recorded    Kind = "recorded"     // the bytes of a response, as they came
	Derived     Kind = "derived"      // made of what was recorded
	NotRecorded Kind = "not-recorded" // the case does not hold what was asked for
	Refused     Kind = "refused"      // what the service would refuse, or nobody can answer
)

// Mark is the header field of every answer that is not recorded bytes: the kind, the case, and more in the form of parameters (docs/replay.md). What is recorded has
// it only if it was recorded so, from a replay, and then names another case.
const Mark = "Exhibit-Replay"

// Answer is what a request gets. It must be closed.
type Answer struct {
	Kind   Kind
	Status int
	Seq    int64  // of the exchange whose response it is, or which was recorded for the same request; -1 for none
	Rows   int    // of a listing that was derived
	Text   string // of an error: what is not recorded, or why it is refused; quotes the request

	head  []byte    // status line to empty line; nil for recorded bytes, which body has
	body  io.Reader // without a transfer coding; nil for none
	size  int64     // of body; -1 where it is sent in chunks
	last  bool      // the connection has to be closed after it
	close func() error
	leave func() // gives the room in memory back
}

// Close frees what the answer holds.
func (a *Answer) Close() error {
	if a.leave != nil {
		defer a.leave()
	}
	if a.close == nil {
		return nil
	}
	return a.close()
}

// header writes heads.
type header struct{ b bytes.Buffer }

func newHeader(status int) *header { return newHeaderOf(status, reason(status)) }

func newHeaderOf(status int, reason string) *header {
	h := &header{}
	fmt.Fprintf(&h.b, "HTTP/1.1 %d %s\r\n", status, reason)
	return h
}

func (h *header) add(name, value string) { h.b.WriteString(name + ": " + value + "\r\n") }

// reason is the phrase of a status that answers here have.
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 413:
		return "Content Too Large"
	case 431:
		return "Request Header Fields Too Large"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Internal Server Error"
}

// failure is an error in the form of the services: JSON with a code and a message.
func (a *Archive) failure(kind Kind, status int, code, message string, extra ...string) *Answer {
	body := []byte(`{"error":{"code":`)
	body = appendString(body, code)
	body = append(body, `,"message":`...)
	body = appendString(body, message)
	if kind == NotRecorded {
		body = append(body, `,"recorded":`...)
		body = a.appendRecorded(body)
	}
	body = append(body, "}}\n"...)
	h := newHeader(status)
	h.add("Content-Type", "application/json; charset=utf-8")
	h.add(Mark, string(kind)+"; case="+a.caseID)
	for i := 0; i+1 < len(extra); i += 2 {
		h.add(extra[i], extra[i+1])
	}
	return &Answer{Kind: kind, Status: status, Seq: -1, Text: message, head: h.b.Bytes(), body: bytes.NewReader(body), size: int64(len(body))}
}

// unauthorized is what the service answered to a request without credentials: no body, and the reason in x-ms-diagnostics. Clients that have a password send it once
// they are asked for Basic.
func (a *Archive) unauthorized() *Answer {
	h := newHeader(401)
	h.add("x-ms-diagnostics", `2000003;reason="The request has no credentials. Any will do: a replay cannot check them.";error_category="missing_token"`)
	h.add("WWW-Authenticate", `Bearer realm=""`)
	h.add("WWW-Authenticate", `Basic realm=""`)
	h.add(Mark, string(Refused)+"; case="+a.caseID)
	return &Answer{Kind: Refused, Status: 401, Seq: -1, Text: "the request has no Authorization", head: h.b.Bytes(), size: 0}
}

// appendString writes a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	var syntax *jsontext.SyntacticError
	if err != nil && !errors.As(err, &syntax) {
		panic("replay: quoting a string: " + err.Error())
	}
	return b
}

// blockReader reads a block from its start.
func blockReader(b *verify.Block) io.Reader { return io.NewSectionReader(b, 0, b.Size) }
