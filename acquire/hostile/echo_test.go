package hostile

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// secret is what a server was sent and writes back.
type secret struct {
	name  string
	flags []string // of the command
	forms []string // that the server has: the value as sent, and of Basic the password
}

func secrets() []secret {
	basic := base64.StdEncoding.EncodeToString([]byte("ann@contoso.example:" + password))
	return []secret{
		{"token", []string{"--token-file", "token"}, []string{token}},
		{"Basic", []string{"--basic-user", "ann@contoso.example", "--password-file", "password"}, []string{basic, password}},
	}
}

// echo is a case of row K2: how a server writes a secret, s, back.
type echo struct {
	name   string
	answer func(s, origin string) string
	exit   int
	second int // requests that follow
}

var echoes = []echo{
	{"in the body", func(s, _ string) string { return page(`{"value":[{"Id":"a","x":` + quoted(s) + `}]}`) }, 0, 0},
	{"in a refusal", func(s, _ string) string {
		return answer("400 Bad", "Content-Type: application/json\r\n", `{"error":{"code":"Bad","message":`+quoted("no: "+s)+`}}`)
	}, 4, 0},
	{"in a refusal's code", func(s, _ string) string { return answer("404 No", "", `{"error":{"code":`+quoted(s)+`}}`) }, 4, 0},
	{"in a refusal, behind 480 bytes", func(s, _ string) string {
		return answer("403 No", "", `{"error":{"code":"x","message":`+quoted(strings.Repeat("y ", 240)+s)+`}}`)
	}, 5, 0},
	{"in a refusal, in two halves", func(s, _ string) string {
		return answer("403 No", "", `{"error":{"code":`+quoted(s[:len(s)/2])+`,"message":`+quoted(s[len(s)/2:])+`}}`)
	}, 5, 0},
	{"in a refusal, percent-encoded", func(s, _ string) string {
		return answer("400 No", "", `{"error":{"message":`+quoted(url.QueryEscape(s))+`}}`)
	}, 4, 0},
	{"in x-ms-diagnostics", func(s, _ string) string {
		return answer("401 No", "x-ms-diagnostics: 2000003;reason=\""+s+"\"\r\n", "")
	}, 5, 0},
	{"in WWW-Authenticate and a cookie", func(s, _ string) string {
		return answer("401 No", "WWW-Authenticate: Bearer error_description=\""+s+"\"\r\nSet-Cookie: t="+s+"\r\n", "")
	}, 5, 0},
	{"in the reason phrase", func(s, _ string) string { return answer("500 "+s, "", "") }, 4, 0},
	{"in Retry-After and Date", func(s, _ string) string { return answer("429 Slow", "Retry-After: "+s+"\r\nDate: "+s+"\r\n", "") }, 4, 0},
	{"in the coding", func(s, _ string) string { return answer("200 OK", "Content-Encoding: "+s+"\r\n", "x") }, 4, 0},
	{"in the name of a member", func(s, _ string) string { return page(`{"value":[{` + quoted(s) + `:}]}`) }, 4, 0},
	{"in the next link", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("/next?x="+s) + `}`)
	}, 4, 0},
	{"in the next link, percent-encoded", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("/next?x="+escaped(s)) + `}`)
	}, 4, 0},
	{"in the next link, as a parameter that is secret", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("?$skiptoken=2&access_token="+url.QueryEscape(s)) + `}`)
	}, 0, 1},
	{"in the path of the next link", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("/"+strings.ReplaceAll(s, "%", "%25")) + `}`)
	}, 4, 0},
	{"in a next link elsewhere", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("https://127.0.0.2:1/"+s) + `}`)
	}, 4, 0},
	{"in a next link elsewhere, cut by the message", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("https://127.0.0.2:1/"+strings.Repeat("y", 150)+s) + `}`)
	}, 4, 0},
	{"as the host of a next link", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("https://"+s+".example/") + `}`)
	}, 4, 0},
	{"as user information", func(s, _ string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted("https://u:"+s+"@127.0.0.1/") + `}`)
	}, 4, 0},
	{"in a redirect", func(s, origin string) string { return answer("302 Found", "Location: "+origin+"/?x="+s+"\r\n", "") }, 4, 0},
	{"in a redirect elsewhere", func(s, _ string) string { return answer("307 Found", "Location: https://127.0.0.2:1/"+s+"\r\n", s) }, 4, 0},
	{"in an interim answer", func(s, _ string) string {
		return "HTTP/1.1 103 Early\r\nLink: <" + s + ">\r\n\r\n" + page(`{"value":[{"Id":"a"}]}`)
	}, 0, 0},
	{"in a trailer", func(s, _ string) string {
		body := `{"value":[{"Id":"a"}]}`
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX: %s\r\n\r\n", len(body), body, s)
	}, 0, 0},
	{"across two chunks", func(s, _ string) string {
		a, b := `{"value":[{"Id":"a","x":"`+s[:len(s)-9], s[len(s)-9:]+`"}]}`
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", len(a), a, len(b), b)
	}, 0, 0},
	{"behind the answer", func(s, _ string) string { return page(`{"value":[{"Id":"a"}]}`) + s }, 0, 0},
	{"and nothing else", func(s, _ string) string { return s }, 4, 0},
	{"cut amid it", func(s, _ string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + s[:len(s)-4] }, 4, 0},
}

// escaped writes each byte as a percent escape.
func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// traces are the secret itself, what each 18 bytes of it are, and how it looks encoded.
func traces(forms []string) (all []string) {
	for _, s := range forms {
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s), escaped(s), hex.EncodeToString([]byte(s)))
		for i := 0; i+18 <= len(s); i += 6 {
			all = append(all, s[i:i+18])
		}
		for shift := range 3 {
			b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + s))
			all = append(all, b[4:len(b)-4])
		}
	}
	return all
}

// found names the traces in b.
func found(b []byte, all []string) (hits []string) {
	for _, s := range all {
		if bytes.Contains(b, []byte(s)) {
			hits = append(hits, s)
		}
	}
	return hits
}

// TestEcho is rows K1 and K2 as far as a server goes, over the program itself: a server writes the token or the password back wherever it can. What it wrote stays in the record of its answer, as it came, and is flagged; no
// other record, entry, file, message or output holds it or a piece of it.
func TestEcho(t *testing.T) {
	t.Parallel()
	if len(echoes) < 15 {
		t.Fatalf("%d echoes", len(echoes))
	}
	cases, planted, noticed := 0, 0, 0
	for _, sec := range secrets() {
		l := newLab(t)
		var s *server
		form := ""
		s = serve(t, nil, func(c net.Conn, r *request) bool {
			n := numberIn(r.target)
			if n < 0 || strings.Contains(r.target, "skiptoken") {
				return say(c, page(`{"value":[]}`))
			}
			say(c, echoes[n].answer(form, s.origin))
			return false
		})
		ran := 0
		for f := range sec.forms {
			form = sec.forms[f]
			for i := range echoes {
				e := &echoes[i]
				if !every(2, i+f) {
					continue
				}
				cases++
				before := len(s.requests())
				user := fmt.Sprint(i)
				args := append(acquisition(s.origin, user, "--again"), sec.flags...)
				code, out := l.exhibit(args...)
				if code != e.exit {
					t.Errorf("%s, %s: exit code %d, want %d\n%s", sec.name, e.name, code, e.exit, out)
				}
				if n := len(s.requests()) - before - 1; n != e.second {
					t.Errorf("%s, %s: %d more requests, want %d", sec.name, e.name, n, e.second)
				}
				ran++
			}
		}
		for _, args := range [][]string{{"status", caseName}, {"status", caseName, "--json"}, {"log", caseName}, {"log", caseName, "--json"}, {"seal", caseName, "--yes"}} {
			l.exhibit(args...)
		}
		all := traces(sec.forms)
		if hits := found([]byte(l.said.String()), all); len(hits) > 0 {
			t.Errorf("%s: printed: %q", sec.name, hits)
		}
		l.files(all)
		inAnswers := 0
		l.records(func(r *warc.Record) {
			hits := found(r.Whole(), all)
			answer := r.Type == warc.Response || r.Type == warc.Resource && strings.HasPrefix(r.TargetURI, "urn:exhibit:")
			if len(hits) > 0 && !answer {
				t.Errorf("%s: a record of type %s, %s, holds %q", sec.name, r.Type, r.TargetURI, hits)
			}
			if head := r.Whole()[:r.HeaderLength]; len(found(head, all)) > 0 {
				t.Errorf("%s: the header of a record holds %q: %s", sec.name, found(head, all), head)
			}
			if answer && len(hits) > 0 {
				inAnswers++
			}
			// The planted leak: the same words in a record that is no answer.
			if r.Type == warc.Request {
				planted++
				if len(found(append(bytes.Clone(r.Whole()), all[len(all)/2]...), all)) > 0 {
					noticed++
				}
			}
		})
		if inAnswers < ran/2 {
			t.Errorf("%s: %d answers hold the secret: is it looked for?", sec.name, inAnswers)
		}
		flagged(t, l, &sec)
		undamaged(t, filepath.Join(l.dir, caseName))
	}
	if planted == 0 || noticed != planted {
		t.Errorf("%d of %d planted leaks are noticed", noticed, planted)
	}
	t.Logf("%d cases of %d ways; %d of %d planted leaks are noticed", cases, len(echoes), noticed, planted)
}

// files requires that no file but those of the examiner holds a trace. Segments are compressed and are looked through record by record.
func (l *lab) files(all []string) {
	l.t.Helper()
	looked := 0
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || path == filepath.Join(l.dir, "token") || path == filepath.Join(l.dir, "password") {
			return err
		}
		looked++
		b, err := os.ReadFile(path)
		if hits := found(b, all); len(hits) > 0 {
			l.t.Errorf("%s holds %q", path, hits)
		}
		return err
	})
	if err != nil || looked < 8 {
		l.t.Errorf("%d files: %v", looked, err)
	}
}

// flagged requires the flag on each exchange whose answer holds the last 32 bytes of a secret (docs of package wire), and on no other.
func flagged(t *testing.T, l *lab, sec *secret) {
	t.Helper()
	d := &desk{t: t, dir: filepath.Join(l.dir, caseName)}
	flags := 0
	for _, x := range d.exchanges() {
		want := numberIn(x.URL) >= 0 && echoes[numberIn(x.URL)].name == "across two chunks" && !strings.Contains(x.URL, "skiptoken")
		for _, form := range sec.forms {
			want = want || strings.Contains(x.response, form[len(form)-32:])
		}
		if want {
			flags++
		}
		if has := slices.Contains(x.Flags, "secret-in-response"); has != want {
			t.Errorf("%s: flags %q, want the secret flagged: %v\n%q", sec.name, x.Flags, want, x.response)
		}
	}
	if flags < 8 {
		t.Errorf("%s: %d answers with the secret", sec.name, flags)
	}
}

// TestEchoInCertificate: a server that has the token writes it into the certificate of its next connection, from where it would come into an error. The chain is evidence and is kept; the error and the window's text hold nothing of it.
func TestEchoInCertificate(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	other, err := c.leaf(template(token+".example", "x."+strings.Repeat("y", 40)+token[20:]))
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int64
	conf := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if conns.Add(1) == 1 {
			return &c.good, nil
		}
		return &other, nil
	}}
	s := serve(t, conf, func(conn net.Conn, _ *request) bool {
		say(conn, answer("200 OK", "Connection: close\r\nContent-Type: application/json\r\n", `{"value":[{"Id":"a"}],"@odata.nextLink":"/next"}`))
		return false
	})
	d := newDesk(t)
	res := d.mailbox("https://localhost:"+s.port, "a", nil)
	if res.State != evidence.Partial || res.Reason != acquire.ReasonTLS || !strings.Contains(res.Text, "certificate is valid for") {
		t.Errorf("%s, %q (%s)", res.State, res.Reason, res.Text)
	}
	all := traces([]string{token})
	if hits := found([]byte(res.Text), all); len(hits) > 0 {
		t.Errorf("the window's text holds %q", hits)
	}
	refusals := 0
	for _, e := range d.entries() {
		if b, ok := e.Body.(*evidence.Connection); ok && b.Error != "" {
			refusals++
			if hits := found([]byte(b.Error), all); len(hits) > 0 || !strings.Contains(b.Error, "REDACTED") {
				t.Errorf("the error of a connection holds %q: %s", hits, b.Error)
			}
		}
	}
	if refusals != 1 {
		t.Errorf("%d refused connections", refusals)
	}
}
