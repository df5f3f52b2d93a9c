package wire

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// names are the headers and query parameters whose values are secret, in lower case.
type names struct {
	header, query map[string]bool
}

// signatures are the query parameters that sign a URL: secret, and never what tells one page from another.
func signatures() []string {
	return []string{"sig", "signature", "tempauth", "x-amz-signature", "x-amz-security-token", "x-goog-signature", "oauth_signature"}
}

// validities are those that go with a signature and say from when to when it is good; they are not secret.
func validities() []string { return []string{"se", "st", "x-amz-date", "x-amz-expires"} }

func newNames(header, query []string) names {
	n := names{header: map[string]bool{}, query: map[string]bool{}}
	for _, s := range append([]string{
		"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token",
		"x-ms-authorization-auxiliary", "ocp-apim-subscription-key",
	}, header...) {
		n.header[strings.ToLower(s)] = true
	}
	for _, s := range slices.Concat(signatures(), []string{
		"access_token", "refresh_token", "id_token", "oauth_token", "token", "auth_token", "code", "assertion",
		"client_secret", "client_assertion", "password", "api_key", "apikey", "subscription-key",
	}, query) {
		n.query[strings.ToLower(s)] = true
	}
	return n
}

// RedactURL is a URL as [Exchange].URL has it where [Options] name no further secrets: REDACTED in place of each secret query value.
func RedactURL(u string) string {
	if !strings.Contains(u, "?") {
		return u // as in long lists of URLs
	}
	return newNames(nil, nil).url(u)
}

// UnsignedURL is a URL with REDACTED in place of what signs it and, if anything does, of the times of the signature: a URL that is signed anew has the
// same one. Tokens stay, for a service may page by a parameter of such a name; the result is as secret as u.
func UnsignedURL(u string) string {
	if !strings.Contains(u, "?") {
		return u
	}
	n := names{query: map[string]bool{}}
	for _, s := range signatures() {
		n.query[s] = true
	}
	if len(n.querySpans(u)) == 0 {
		return u
	}
	for _, s := range validities() {
		n.query[s] = true
	}
	return n.url(u)
}

// url replaces the secret query values of a URL.
func (n names) url(u string) string {
	out, _ := redact([]byte(u), n.querySpans(u), len(u))
	return string(out)
}

// schemes are the words of Authorization that are not secret themselves; another word is redacted with the rest.
var schemes = []string{"basic", "bearer", "digest", "dpop", "negotiate", "ntlm", "pop", "sharedkey"}

// A span is a secret in bytes to be sent.
type span struct {
	off, n     int
	what, name string
}

// headerSpan returns the secret part of a header value that begins at off.
func (n names) headerSpan(name, value string, off int) (span, bool) {
	lower := strings.ToLower(name)
	if !n.header[lower] {
		return span{}, false
	}
	start := 0
	if word, rest, ok := strings.Cut(value, " "); ok && strings.HasSuffix(lower, "authorization") {
		for _, s := range schemes {
			if strings.EqualFold(word, s) {
				start = len(value) - len(strings.TrimLeft(rest, " "))
			}
		}
	}
	return span{off + start, len(value) - start, "header", name}, start < len(value)
}

// querySpans returns the secret values in a request target or URL. A value reaches to the next '&'; a name is also seen
// after ';' and '?', where some servers split.
func (n names) querySpans(target string) []span {
	var spans []span
	off := strings.IndexByte(target, '?') + 1
	if off == 0 {
		return nil
	}
	for pair := range strings.SplitSeq(target[off:], "&") {
		for at := 0; ; {
			name, value, ok := strings.Cut(pair[at:], "=")
			if ok && value != "" && n.isQuery(name) {
				spans = append(spans, span{off + at + len(name) + 1, len(value), "query", name})
				break
			}
			i := strings.IndexAny(pair[at:], ";?")
			if i < 0 {
				break
			}
			at += i + 1
		}
		off += len(pair) + 1
	}
	return spans
}

func (n names) isQuery(name string) bool {
	if u, err := url.QueryUnescape(name); err == nil {
		name = u
	}
	return n.query[strings.ToLower(name)]
}

// redact copies b up to end with the word REDACTED in place of each span, which are in order and do not overlap.
func redact(b []byte, spans []span, end int) ([]byte, []Redaction) {
	out := make([]byte, 0, end)
	var rs []Redaction
	at := 0
	for _, s := range spans {
		if s.off >= end {
			break
		}
		out = append(out, b[at:s.off]...)
		rs = append(rs, Redaction{What: s.what, Name: s.name, Offset: int64(len(out)), Length: int64(len(Redacted))})
		out = append(out, Redacted...)
		at = min(s.off+s.n, end)
	}
	return append(out, b[at:end]...), rs
}

// minSecret is the length, in bytes, from which a secret is looked for: a shorter one is found everywhere by chance.
const minSecret = 8

// needles returns what to look for to find the secrets: the last 32 bytes of each, where a token differs from every
// other, as sent and with percent escapes undone; of Basic the password as well.
func needles(b []byte, spans []span) [][]byte {
	var ns [][]byte
	add := func(v []byte) {
		if len(v) >= minSecret {
			ns = append(ns, bytes.Clone(v[max(0, len(v)-32):]))
		}
	}
	for _, s := range spans {
		v := b[s.off : s.off+s.n]
		add(v)
		if s.what == "header" {
			if plain, err := base64.StdEncoding.DecodeString(string(v)); err == nil { // of Basic
				_, password, _ := bytes.Cut(plain, []byte(":"))
				add(password)
			}
			continue
		}
		if u, err := url.QueryUnescape(string(v)); err == nil && u != string(v) {
			add([]byte(u))
		}
	}
	return ns
}

// A finder looks for needles in a stream that is written to it in pieces of any size.
type finder struct {
	needles [][]byte
	tail    []byte // of what was written, shorter than a needle
	found   bool
}

func (f *finder) Write(p []byte) (int, error) {
	if f.found || len(f.needles) == 0 {
		return len(p), nil
	}
	const keep = 32 - 1
	edge := append(f.tail, p[:min(len(p), keep)]...)
	for _, n := range f.needles {
		if bytes.Contains(edge, n) || bytes.Contains(p, n) {
			f.found = true
			return len(p), nil
		}
	}
	if len(p) < keep {
		f.tail = append(f.tail[:0], edge[max(0, len(edge)-keep):]...)
	} else {
		f.tail = append(f.tail[:0], p[len(p)-keep:]...)
	}
	return len(p), nil
}
