package wire_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

const canary = "canary-7f3a+9/==-secret"

// keep returns a script that keeps what it reads as one request with a body of n bytes and answers it.
func keep(got *[]byte, n int) func(net.Conn) {
	return func(c net.Conn) {
		*got = readRequest(c)
		body := make([]byte, n)
		io.ReadFull(c, body)
		*got = append(*got, body...)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	}
}

// restore puts the secrets back into a stored request.
func restore(stored []byte, rs []wire.Redaction, secrets []string) []byte {
	var out []byte
	at := int64(0)
	for i, r := range rs {
		out = append(out, stored[at:r.Offset]...)
		out = append(out, secrets[i]...)
		at = r.Offset + r.Length
	}
	return append(out, stored[at:]...)
}

// A requestCase is a request, what a server must receive for it and what must be stored.
type requestCase struct {
	name       string
	req        wire.Request
	auth       string
	sent       string   // as the server must receive it
	url        string   // stored
	redactions []string // what, name and the secret
}

func requestCases() []requestCase {
	q := url.QueryEscape(canary)
	return []requestCase{
		{
			name: "plain", req: wire.Request{Method: "GET", URL: "http://" + host},
			sent: "GET / HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: exhibit\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n",
			url:  "http://" + host,
		},
		{
			name: "target verbatim",
			req:  wire.Request{Method: "GET", URL: "http://API.example.test:80/a%2fb//../c;d?$filter=x%20eq%20'y'&&z=%zz?", RequestID: "0a-1"},
			sent: "GET /a%2fb//../c;d?$filter=x%20eq%20'y'&&z=%zz? HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: exhibit\r\nAccept-Encoding: identity\r\nclient-request-id: 0a-1\r\nConnection: keep-alive\r\n\r\n",
			url:  "http://API.example.test:80/a%2fb//../c;d?$filter=x%20eq%20'y'&&z=%zz?",
		},
		{
			name: "header order, bearer", auth: "Bearer " + canary,
			req: wire.Request{Method: "GET", URL: "http://" + host + "?q", Header: []httpblock.Field{
				{Name: "x-B", Value: "2"}, {Name: "ACCEPT-encoding", Value: "gzip"}, {Name: "X-a", Value: ""}, {Name: "x-b", Value: "1"}}},
			sent: "GET /?q HTTP/1.1\r\nHost: api.example.test\r\nx-B: 2\r\nACCEPT-encoding: gzip\r\nX-a: \r\nx-b: 1\r\nUser-Agent: exhibit\r\nAuthorization: Bearer " +
				canary + "\r\nConnection: keep-alive\r\n\r\n",
			url:        "http://" + host + "?q",
			redactions: []string{"header Authorization " + canary},
		},
		{
			name: "post, query and headers", auth: canary,
			req: wire.Request{Method: "POST", URL: "http://" + host + "/t?a=1&%61ccess_token=" + q + "&b=2;sig=" + q + "&My=" + q + "&code=",
				Header: []httpblock.Field{{Name: "cookie", Value: "s=" + canary}, {Name: "X-Mine", Value: canary}}, Body: []byte("\x00body\r\n")},
			sent: "POST /t?a=1&%61ccess_token=" + q + "&b=2;sig=" + q + "&My=" + q + "&code= HTTP/1.1\r\nHost: api.example.test\r\ncookie: s=" + canary +
				"\r\nX-Mine: " + canary + "\r\nUser-Agent: exhibit\r\nAccept-Encoding: identity\r\nAuthorization: " + canary +
				"\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n\x00body\r\n",
			url: "http://" + host + "/t?a=1&%61ccess_token=REDACTED&b=2;sig=REDACTED&My=REDACTED&code=",
			redactions: []string{"query %61ccess_token " + q, "query sig " + q, "query My " + q, "header cookie s=" + canary, "header X-Mine " + canary,
				"header Authorization " + canary},
		},
		{
			name: "basic from the caller", auth: "never asked",
			req: wire.Request{Method: "GET", URL: "http://" + host + "/", Header: []httpblock.Field{
				{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+canary))}}},
			sent: "GET / HTTP/1.1\r\nHost: api.example.test\r\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+canary)) +
				"\r\nUser-Agent: exhibit\r\nAccept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n",
			url:        "http://" + host + "/",
			redactions: []string{"header Authorization " + base64.StdEncoding.EncodeToString([]byte("u:"+canary))},
		},
	}
}

// requestDiff lists how what was received and stored differs from the case.
func requestDiff(c *requestCase, got []byte, x *wire.Exchange) []string {
	var diff []string
	add := func(ok bool, format string, args ...any) {
		if !ok {
			diff = append(diff, fmt.Sprintf(format, args...))
		}
	}
	add(string(got) == c.sent, "server received %q, want %q", got, c.sent)
	if len(x.Redactions) != len(c.redactions) {
		return append(diff, fmt.Sprintf("redactions %+v, want %q", x.Redactions, c.redactions))
	}
	var secrets []string
	for i, d := range x.Redactions {
		secret, ok := strings.CutPrefix(c.redactions[i], d.What+" "+d.Name+" ")
		add(ok, "redaction %+v, want %q", d, c.redactions[i])
		add(string(x.Request[d.Offset:d.Offset+d.Length]) == wire.Redacted, "redaction %+v of %q", d, x.Request)
		secrets = append(secrets, secret)
	}
	b := restore(x.Request, x.Redactions, secrets)
	add(bytes.Equal(b, got), "stored with secrets %q, server received %q", b, got)
	add(x.URL == c.url && x.RequestID == c.req.RequestID, "URL %q, want %q; id %q", x.URL, c.url, x.RequestID)
	add(!x.Sent.IsZero() && !x.Sent.Before(x.Started), "sent %v, started %v", x.Sent, x.Started)
	return diff
}

func TestRequestBytes(t *testing.T) {
	for _, c := range requestCases() {
		t.Run(c.name, func(t *testing.T) {
			var got []byte
			p := &peer{script: keep(&got, len(c.req.Body))}
			r, sink := setup(t, p, func(o *wire.Options) {
				o.Authorize = func(context.Context) (string, error) { return c.auth, nil }
				o.SecretHeaders, o.SecretQuery = []string{"x-mine"}, []string{"my"}
			})
			x, err := r.Do(context.Background(), &c.req)
			if err != nil {
				t.Fatal(err)
			}
			p.wg.Wait()
			for _, d := range requestDiff(&c, got, x) {
				t.Error(d)
			}
			if _, err := httpblock.ParseRequest(bytes.NewReader(x.Request), int64(len(x.Request))); err != nil {
				t.Errorf("stored request: %v", err)
			}
			noCanary(t, sink)
			requestFaults(t, &c, got, x)
		})
	}
}

// requestFaults: the comparison and the search notice what they are there for.
func requestFaults(t *testing.T, c *requestCase, got []byte, x *wire.Exchange) {
	t.Helper()
	if len(requestDiff(c, bytes.Replace(got, []byte("\r\n"), []byte("\n"), 1), x)) == 0 {
		t.Error("a changed byte is not noticed")
	}
	kept := *x
	kept.Request = bytes.Replace(x.Request, []byte("Host"), []byte("host"), 1)
	if len(requestDiff(c, got, &kept)) == 0 {
		t.Error("a repaired header is not noticed")
	}
	if len(c.redactions) > 0 && !leaks(string(got)) {
		t.Error("the canary is not found in what was sent")
	}
}

// leaks reports whether text holds the canary in any spelling.
func leaks(text string) bool {
	for _, s := range []string{canary, url.QueryEscape(canary), url.PathEscape(canary), hex.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte("u:" + canary))} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// noCanary searches all that the sink was given.
func noCanary(t *testing.T, m *memory) {
	t.Helper()
	var b bytes.Buffer
	for _, c := range m.connections {
		fmt.Fprintf(&b, "%+v %+v %+v\n", c, c.Proxy, c.TLS)
		if c.Proxy != nil {
			fmt.Fprintf(&b, "%s %s\n", c.Proxy.Request, c.Proxy.Response)
		}
	}
	for _, x := range m.exchanges {
		fmt.Fprintf(&b, "%+v %s %s\n", x, x.Request, x.Response.Bytes())
		j, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(j)
	}
	if leaks(b.String()) {
		t.Errorf("the canary reached the sink: %s", b.String())
	}
}

// TestRefused: nothing is dialled, and no error repeats a secret.
func TestRefused(t *testing.T) {
	p := &peer{script: reply()}
	r, sink := setup(t, p, func(o *wire.Options) { o.Origin = "https://" + host })
	h := func(name, value string) []httpblock.Field { return []httpblock.Field{{Name: name, Value: value}} }
	type refusal struct {
		req  wire.Request
		want error
	}
	var cases []refusal
	for _, u := range []string{
		"", "/", "//" + host + "/", "http://" + host + "/", "https:/" + host, "https:" + host, "ftp://" + host, "https://", "https:///",
		"https://" + host + ".", "https://" + host + ".evil.test/", "https://evil.test/" + host, "https://evil" + host, "https://" + host + "@evil.test/",
		"https://u:p@" + host + "/", "https://@" + host, "https://" + host + ":8443/", "https://" + host + ":", "https://" + host + ":0443/",
		"https://" + host + ":443443/", "https://" + host + ":-443/", "https://" + host + "\\@evil.test/", "https://" + host + "\\", "https://" + host + "%2f@evil.test",
		"https://" + host + "%00.evil.test/", " https://" + host, "https://" + host + " ", "https://" + host + "\t/", "https://\r\n" + host, "https://[" + host + "]/",
		"https://[::1]/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://xn--" + host, "https://ap\u0131.example.test/",
		"https://\uff41pi.example.test/", "https://api\u3002example.test/", "https://api.example.test\u2024/", "https://*." + host, "https://" + host + ",evil.test/",
		"https://" + host + ";/", "https://" + host + "&x/", "javascript://" + host + "/", "https+x://" + host, "https://" + strings.Repeat("a", 65536) + "/",
		"HTTP://" + host + "/", "https://api_example.test/", "https://[::ffff:127.0.0.1%25lo]/", "blob:https://" + host + "/",
	} {
		cases = append(cases, refusal{wire.Request{Method: "GET", URL: u}, wire.ErrOrigin})
	}
	base := "https://" + host + "/"
	for _, u := range []string{base + " ", base + "a b", base + "#f", base + "\r\nX: 1", base + "\x00", base + "\u00e9", base + "\x7f", base + "?\n", base[:len(base)-1] + "#"} {
		cases = append(cases, refusal{wire.Request{Method: "GET", URL: u}, wire.ErrRequest})
	}
	for _, m := range []string{"", "CONNECT", "G T", "GET\r\n", "G\x00"} {
		cases = append(cases, refusal{wire.Request{Method: m, URL: base}, wire.ErrRequest})
	}
	for _, f := range [][]httpblock.Field{h("Host", "evil.test"), h("Content-Length", "1"), h("Transfer-Encoding", "chunked"), h("Upgrade", "h2c"),
		h("Expect", "100-continue"), h("A b", "1"), h("A", "1\r\nB: 2"), h("", "1"), h("A", "\x00"), h("A", " 1"), h("Proxy-Authorization", "x"),
		{{Name: "Host", Value: host}, {Name: "host", Value: host}}, {{Name: "Content-Length", Value: "0"}, {Name: "content-length", Value: "0"}}} {
		cases = append(cases, refusal{wire.Request{Method: "GET", URL: base, Header: f}, wire.ErrRequest})
	}
	cases = append(cases,
		refusal{wire.Request{Method: "GET", URL: base, RequestID: "a\r\nb"}, wire.ErrRequest},
		refusal{wire.Request{Method: "POST", URL: base, Header: h("Authorization", "Bearer "+canary), Body: []byte("again " + canary)}, wire.ErrRequest},
		refusal{wire.Request{Method: "GET", URL: base + "?x=" + canary, Header: h("Authorization", "Bearer "+canary)}, wire.ErrRequest},
		refusal{wire.Request{Method: "GET", URL: base + "%zz?x=" + escapedAll(canary) + "&%4", Header: h("Authorization", "Bearer "+canary)}, wire.ErrRequest},
		refusal{wire.Request{Method: "GET", URL: base + canary, Header: h("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+canary)))}, wire.ErrRequest},
		refusal{wire.Request{Method: "GET", URL: base + escapedAll(canary), Header: h("Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte("u:"+canary)))}, wire.ErrRequest},
	)
	for _, c := range cases {
		x, err := r.Do(context.Background(), &c.req)
		if x != nil || !errors.Is(err, c.want) {
			t.Errorf("%.60q %q: error %v, want %v", c.req.URL, c.req.Method, err, c.want)
		}
		if err != nil && leaks(err.Error()) {
			t.Errorf("error repeats the secret: %v", err)
		}
	}
	if len(p.dialed) > 0 || len(sink.connections) > 0 {
		t.Errorf("dialled %q", p.dialed)
	}
	_, err := wire.New(wire.Options{Origin: "https://u@h/", SpoolDir: "x", Sink: sink})
	if !errors.Is(err, wire.ErrOrigin) {
		t.Errorf("origin with userinfo: %v", err)
	}
}

// escapedAll writes each byte as a percent escape.
func escapedAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// TestAuthorizeFails: the error comes back and nothing is sent.
func TestAuthorizeFails(t *testing.T) {
	want := errors.New("no token")
	p := &peer{script: reply()}
	r, _ := setup(t, p, func(o *wire.Options) { o.Authorize = func(context.Context) (string, error) { return "", want } })
	if _, err := get(r, "http://"+host, "/"); !errors.Is(err, want) || len(p.dialed) > 0 {
		t.Errorf("error %v, dialled %q", err, p.dialed)
	}
}

// TestSecretInResponse: echoed in a head, a body, across two writes, across two chunks; and not where it is not.
func TestSecretInResponse(t *testing.T) {
	secret := strings.Repeat("0123456789", 9) + canary
	head := "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n"
	body := head + "\r\n" + strings.Repeat("x", 40) + secret + strings.Repeat("x", 160-len(secret))
	cut := strings.Index(body, canary) + 9
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", len(secret)-9, secret[:len(secret)-9], 9, secret[len(secret)-9:])
	for name, c := range map[string]struct {
		pieces [][]byte
		want   bool
	}{
		"head":         {[][]byte{[]byte(head + "X: " + secret + "\r\n\r\n" + strings.Repeat("x", 200))}, true},
		"body":         {[][]byte{[]byte(body)}, true},
		"two reads":    {[][]byte{[]byte(body[:cut]), []byte(body[cut:])}, true},
		"byte by byte": {split([]byte(body), 1), true},
		"two chunks":   {[][]byte{[]byte(chunked)}, true},
		"other token":  {[][]byte{[]byte(strings.ReplaceAll(body, "7f3a", "7f3b"))}, false},
	} {
		p := &peer{script: reply(c.pieces...)}
		r, _ := setup(t, p, func(o *wire.Options) {
			o.Authorize = func(context.Context) (string, error) { return "Bearer " + secret, nil }
			o.SpoolThreshold = 50
		})
		x, err := get(r, "http://"+host, "/")
		if err != nil {
			t.Fatal(err)
		}
		if x.Has(wire.FlagSecretInResponse) != c.want {
			t.Errorf("%s: flags %q", name, x.Flags)
		}
	}
}

// TestPasswordInResponse: a server that was sent a password by Basic writes it as it is.
func TestPasswordInResponse(t *testing.T) {
	for name, c := range map[string]struct {
		echo string
		want bool
	}{"the password": {canary, true}, "the user": {"somebody@example.test", false}, "another": {"7f3b-another-password", false}} {
		p := &peer{script: reply([]byte("HTTP/1.1 401 No\r\nX: wrong is " + c.echo + "\r\nContent-Length: 0\r\n\r\n"))}
		r, _ := setup(t, p, func(o *wire.Options) {
			o.Authorize = func(context.Context) (string, error) {
				return "Basic " + base64.StdEncoding.EncodeToString([]byte("somebody@example.test:"+canary)), nil
			}
		})
		x, err := get(r, "http://"+host, "/")
		if err != nil {
			t.Fatal(err)
		}
		if x.Has(wire.FlagSecretInResponse) != c.want {
			t.Errorf("%s: flags %q", name, x.Flags)
		}
	}
}

// TestURLs: what is left of a URL without its secrets, and without its signature alone.
func TestURLs(t *testing.T) {
	for _, c := range []struct{ in, redacted, unsigned string }{
		{"https://h/a?n=1", "https://h/a?n=1", "https://h/a?n=1"},
		{"https://h/sig=1?n=1", "https://h/sig=1?n=1", "https://h/sig=1?n=1"},
		{"https://h/a?sig=A&n=1", "https://h/a?sig=REDACTED&n=1", "https://h/a?sig=REDACTED&n=1"},
		{"https://h/a?%73ig=A%2B", "https://h/a?%73ig=REDACTED", "https://h/a?%73ig=REDACTED"},
		{"https://h/a?n=1;SIG=A", "https://h/a?n=1;SIG=REDACTED", "https://h/a?n=1;SIG=REDACTED"},
		{"https://h/a?st=1&se=2", "https://h/a?st=1&se=2", "https://h/a?st=1&se=2"},
		{"https://h/a?st=1&se=2&sig=A", "https://h/a?st=1&se=2&sig=REDACTED", "https://h/a?st=REDACTED&se=REDACTED&sig=REDACTED"},
		{"https://h/a?X-Amz-Date=1&X-Amz-Signature=A", "https://h/a?X-Amz-Date=1&X-Amz-Signature=REDACTED", "https://h/a?X-Amz-Date=REDACTED&X-Amz-Signature=REDACTED"},
		{"https://h/a?token=A&code=B", "https://h/a?token=REDACTED&code=REDACTED", "https://h/a?token=A&code=B"},
		{"https://h/a?token=A&sig=B", "https://h/a?token=REDACTED&sig=REDACTED", "https://h/a?token=A&sig=REDACTED"},
	} {
		if got := wire.RedactURL(c.in); got != c.redacted {
			t.Errorf("RedactURL(%q) = %q, want %q", c.in, got, c.redacted)
		}
		if got := wire.UnsignedURL(c.in); got != c.unsigned {
			t.Errorf("UnsignedURL(%q) = %q, want %q", c.in, got, c.unsigned)
		}
	}
}
