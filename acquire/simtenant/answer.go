package simtenant

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// answer is a response before it is framed.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newAnswer(status int, contentType string, body []byte) *answer {
	a := &answer{status: status, header: http.Header{}, body: body}
	if contentType != "" {
		a.header.Set("Content-Type", contentType)
	}
	return a
}

const errorType = "application/json; charset=utf-8"

// failure is an error in the form of the API [C].
func failure(status int, code, message string) *answer {
	b := appendString([]byte(`{"error":{"code":`), code)
	b = appendString(append(b, `,"message":`...), message)
	return newAnswer(status, errorType, append(b, "}}"...))
}

// unauthorized has an empty body and says why in x-ms-diagnostics [P].
func unauthorized(reason, category string) *answer {
	a := newAnswer(http.StatusUnauthorized, "", nil)
	a.header["x-ms-diagnostics"] = []string{fmt.Sprintf("2000003;reason=%q;error_category=%q", reason, category)}
	a.header["WWW-Authenticate"] = []string{fmt.Sprintf("Bearer error=%q", category), `Basic realm=""`}
	return a
}

// ServeHTTP answers one request. See the package comment.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == TSAPath {
		t.serveTSA(w, r)
		return
	}
	ordinal, faults := t.arrive(r)
	if faults.has("reset") {
		reset(w)
		return
	}
	if faults.has("hang") {
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // the one way to end without an answer
	}
	if f, ok := faults.find("slow"); ok {
		if err := t.wait(r.Context(), f.wait); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	a := t.answer(&call{Request: r, ordinal: ordinal, faults: faults})
	t.finish(a, r, ordinal)
	t.setStatus(ordinal, a.status)
	if f, ok := faults.find("cut"); ok {
		t.cut(w, r, a, f.count)
		return
	}
	t.write(w, r, a)
}

// finish adds what every answer has.
func (t *Tenant) finish(a *answer, r *http.Request, ordinal int) {
	d := dice{state: t.seed ^ uint64(ordinal)<<32}
	d.next()
	h := a.header
	h.Set("Cache-Control", "private")
	h.Set("Server", "Microsoft-IIS/10.0")
	h.Set("Date", t.now().UTC().Format(http.TimeFormat))
	h.Set("Vary", "Accept-Encoding")
	h["OData-Version"] = []string{"4.0"}
	h["X-BackEndHttpStatus"] = []string{strconv.Itoa(a.status)}
	h["request-id"] = []string{d.guid()}
	if id := r.Header.Get("client-request-id"); id != "" && strings.EqualFold(r.Header.Get("return-client-request-id"), "true") {
		h["client-request-id"] = []string{id}
	}
	if len(a.body) > 0 && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(a.body)
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			panic("simtenant: gzip into memory: " + err.Error())
		}
		a.body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
}

// acceptsGzip reads Accept-Encoding as RFC 9110, section 12.5.3, as far as gzip goes.
func acceptsGzip(lines []string) bool {
	for item := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		coding, weight, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSpace(weight), "=")
		if !ok || !strings.EqualFold(name, "q") {
			return true
		}
		q, err := strconv.ParseFloat(value, 64)
		return err == nil && q > 0
	}
	return false
}

// sized tells whether the answer goes with a Content-Length: by option, for an
// empty body, and for HTTP/1.0.
func (t *Tenant) sized(r *http.Request, a *answer) bool {
	return t.contentLength || len(a.body) == 0 || !r.ProtoAtLeast(1, 1)
}

// chunk is how much of a body one chunk holds.
const chunk = 8 << 10

func (t *Tenant) write(w http.ResponseWriter, r *http.Request, a *answer) {
	for name, values := range a.header {
		w.Header()[name] = values // names in the case that the service uses
	}
	if t.sized(r, a) {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // a client that went away is its own affair
		return
	}
	w.Header().Set("Transfer-Encoding", "chunked")
	w.WriteHeader(a.status)
	for b := a.body; len(b) > 0; {
		n := min(chunk, len(b))
		if _, err := w.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
}

// cut writes the first n bytes of the response and ends the connection, below
// TLS: without close_notify.
func (t *Tenant) cut(w http.ResponseWriter, r *http.Request, a *answer, n int) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	sized := t.sized(r, a)
	if sized {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	} else {
		a.header.Set("Transfer-Encoding", "chunked")
	}
	_ = a.header.Write(&b) // into memory
	b.WriteString("\r\n")
	if sized {
		b.Write(a.body)
	} else {
		for rest := a.body; len(rest) > 0; {
			k := min(chunk, len(rest))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", k, rest[:k])
			rest = rest[k:]
		}
		b.WriteString("0\r\n\r\n")
	}
	conn := hijack(w)
	_, _ = conn.Write(b.Bytes()[:min(n, b.Len())])
	_ = beneath(conn).Close()
}

// reset ends the connection with RST and no byte of an answer.
func reset(w http.ResponseWriter) {
	conn := beneath(hijack(w))
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// hijack takes the connection over. A server whose connections cannot be taken
// gets the nearest thing: an aborted response.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}

// beneath gives the connection that TLS runs on.
func beneath(conn net.Conn) net.Conn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return c.NetConn()
	}
	return conn
}
