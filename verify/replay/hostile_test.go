package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

// small is a case without an activity.
func small(t testing.TB) *player {
	t.Helper()
	m := sample.Small(t)
	m.Seal()
	return play(t, m.Folder.FS())
}

const end = "Host: service.example\r\nAuthorization: Bearer x\r\n\r\n"

// TestHostileRequests: each gets this status, one answer and the end of the connection.
func TestHostileRequests(t *testing.T) {
	p := small(t)
	many := strings.Repeat("X: y\r\n", 300)
	for _, test := range []struct {
		name, request string
		status        int
	}{
		{"absolute form", "GET https://service.example/page/1 HTTP/1.1\r\n" + end, 400},
		{"authority form", "CONNECT service.example:443 HTTP/1.1\r\n" + end, 405},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\n" + end, 400},
		{"HTTP/1.0", "GET /page/1 HTTP/1.0\r\n" + end, 505},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/0.9", "GET /page/1\r\n\r\n", 400},
		{"no method", " /page/1 HTTP/1.1\r\n" + end, 400},
		{"a method of great length", strings.Repeat("G", 33) + " /page/1 HTTP/1.1\r\n" + end, 400},
		{"odd method", "G{T /page/1 HTTP/1.1\r\n" + end, 400},
		{"two blanks", "GET  /page/1 HTTP/1.1\r\n" + end, 400},
		{"a blank in the target", "GET /page/1 x HTTP/1.1\r\n" + end, 400},
		{"a tab in the target", "GET /page/\t1 HTTP/1.1\r\n" + end, 400},
		{"a fragment", "GET /page/1#x HTTP/1.1\r\n" + end, 400},
		{"raw UTF-8", "GET /page/é HTTP/1.1\r\n" + end, 400},
		{"NUL", "GET /page/1 HTTP/1.1\r\nX: \x00\r\n" + end, 400},
		{"bare LF", "GET /page/1 HTTP/1.1\nHost: service.example\n\n", 400},
		{"bare LF later", "GET /page/1 HTTP/1.1\r\nX: y\n" + end, 400},
		{"bare CR", "GET /page/1 HTTP/1.1\r\nX: y\rz\r\n" + end, 400},
		{"folded", "GET /page/1 HTTP/1.1\r\nX: y\r\n z\r\n" + end, 400},
		{"space before colon", "GET /page/1 HTTP/1.1\r\nX : y\r\n" + end, 400},
		{"no colon", "GET /page/1 HTTP/1.1\r\nX\r\n" + end, 400},
		{"no Host", "GET /page/1 HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n", 400},
		{"two Hosts", "GET /page/1 HTTP/1.1\r\nHost: a\r\n" + end, 400},
		{"a Host that would break out of a link", "GET /page/1 HTTP/1.1\r\nHost: a\"/x\r\n\r\n", 400},
		{"a Host with a user", "GET /page/1 HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
		{"a body", "GET /page/1 HTTP/1.1\r\nContent-Length: 3\r\n" + end + "abc", 413},
		{"a body that does not come", "POST /page/1 HTTP/1.1\r\nContent-Length: 300000\r\n" + end, 413},
		{"two lengths", "GET /page/1 HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n" + end, 400},
		{"a length with a sign", "GET /page/1 HTTP/1.1\r\nContent-Length: +0\r\n" + end, 400},
		{"a huge length", "GET /page/1 HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" + end, 400},
		{"chunks", "GET /page/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n", 400},
		{"chunks and a length", "GET /page/1 HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n" + end, 400},
		{"a coding nobody knows", "GET /page/1 HTTP/1.1\r\nTransfer-Encoding: x\r\n" + end, 400},
		{"many fields", "GET /page/1 HTTP/1.1\r\n" + many + end, 431},
		{"a huge field", "GET /page/1 HTTP/1.1\r\nX: " + strings.Repeat("y", 200<<10) + "\r\n" + end, 431},
		{"a line without end", "GET /" + strings.Repeat("y", 200<<10), 431},
		{"a huge head of small fields", "GET /page/1 HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 50_000) + end, 431},
		{"empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" + end, 400},
		{"TLS inside", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400},
		{"a query beyond all bounds", "GET /api/v2.0/me/Activities?$filter=" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nConnection: close\r\nPrefer: exchange.behavior=\"ActivityAccess\"\r\n" + end, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.t = t
			got := p.raw(test.request)
			a := parse(t, got)
			if a.StatusCode != test.status || !strings.HasPrefix(a.mark(), "refused; case=") && test.status != 404 {
				t.Errorf("status %d, want %d; %q", a.StatusCode, test.status, a.mark())
			}
			if n := strings.Count(got, "HTTP/1.1 "); n != 1 && test.status != 505 {
				t.Errorf("%d answers", n)
			}
			if a.Header.Get("Connection") != "close" && !a.Close {
				t.Errorf("the connection goes on: %v", a.Header)
			}
			if !bytes.Contains(a.body, []byte(`{"error":{"code":"Exhibit`)) {
				t.Errorf("no error: %s", a.body)
			}
		})
	}
	// The controls: the same requests in order are answered, one line break before them included.
	for _, request := range []string{"GET /page/1 HTTP/1.1\r\nConnection: close\r\n" + end, "\r\nGET /page/1 HTTP/1.1\r\nContent-Length: 0\r\nConnection: x, Close\r\n" + end} {
		if a := parse(t, p.raw(request)); a.StatusCode != 200 || a.mark() != "" {
			t.Errorf("a request in order: %d, %q", a.StatusCode, a.mark())
		}
	}
	got := p.raw("HEAD /nowhere HTTP/1.1\r\nConnection: close\r\n" + end)
	if !strings.HasPrefix(got, "HTTP/1.1 404 ") || !strings.HasSuffix(got, "\r\n\r\n") || strings.Contains(got, "error") {
		t.Errorf("HEAD: %q", got)
	}
}

// TestSmuggled: what follows a request that is refused is not taken for another.
func TestSmuggled(t *testing.T) {
	p := small(t)
	inner := "GET /page/1 HTTP/1.1\r\n" + end
	for _, outer := range []string{
		fmt.Sprintf("GET /page/1 HTTP/1.1\r\nContent-Length: %d\r\n", len(inner)) + end + inner,
		"GET /page/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\n" + inner,
		"GET /page/1 HTTP/1.1\r\nX : \r\n" + end + inner,
	} {
		if got := p.raw(outer); strings.Count(got, "HTTP/1.1 ") != 1 || strings.Contains(got, "200 OK") {
			t.Errorf("%.80q: %q", outer, got)
		}
	}
}

// TestSlow: a deadline ends a client that does not get on. The clock is set back at some step, so that the next deadline has passed when it is set.
func TestSlow(t *testing.T) {
	p := small(t)
	for name, test := range map[string]struct {
		send    string
		good    int // looks at the clock before it is set back
		want    string
		written bool
	}{
		"no byte":           {"", 0, "", false},
		"half a head":       {"GET /page/1 HTTP/1.1\r\nHost: a", 1, "", false},
		"nobody reads":      {"GET /page/1 HTTP/1.1\r\n" + end, 2, "", false},
		"the next is slow":  {"GET /page/1 HTTP/1.1\r\n" + end, 3, "HTTP/1.1 200 OK", true},
		"the control, slow": {"GET /page/1 HTTP/1.1\r\nConnection: close\r\n" + end, 100, "HTTP/1.1 200 OK", true},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			looks := 0
			now := func() time.Time {
				if looks++; looks > test.good {
					return time.Now().Add(-24 * time.Hour)
				}
				return time.Now()
			}
			done := make(chan error, 1)
			go func() {
				err := p.Serve(context.Background(), server, replay.ServeOptions{Now: now})
				server.Close()
				done <- err
			}()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(client, test.send)
			}()
			var got []byte
			if test.written {
				got, _ = io.ReadAll(client)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			client.Close()
			<-sent
			if !strings.HasPrefix(string(got), test.want) {
				t.Errorf("%.200q", got)
			}
		})
	}
}

// TestHalfAHead: a client whose head does not end in time is told, if it listens.
func TestHalfAHead(t *testing.T) {
	p := small(t)
	s := &scripted{in: "GET / HTTP/1.1\r\nHost: a"}
	if err := p.Serve(context.Background(), s, replay.ServeOptions{Now: time.Now}); err != nil || !strings.HasPrefix(s.out.String(), "HTTP/1.1 408 ") {
		t.Errorf("%v: %.200q", err, s.out.String())
	}
}

// scripted is a stream whose client falls silent.
type scripted struct {
	in  string
	out bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error) {
	if s.in == "" {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *scripted) SetDeadline(time.Time) error { return nil }

// odd makes a case of the source with these answers, all on pages of one complete window that counts rows records.
func odd(t testing.TB, records int64, bodies ...string) *player {
	t.Helper()
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire outlook-activities")
	m.Connect()
	w := evidence.Window{State: evidence.Opened, User: "adele@contoso.example", From: "2018-05-01T00:00:00Z", To: "2018-06-01T00:00:00Z", Last: evidence.None}
	window := func() {
		var err error
		if w.Acquisition, err = w.Name("outlook-activities"); err != nil {
			t.Fatal(err)
		}
		m.Append(&evidence.Draft{Run: sample.Run, Source: "outlook-activities", Window: 1, Body: &w})
	}
	window()
	last := int64(evidence.None)
	for i, body := range bodies {
		last = m.Exchange(sample.Answer{Source: "outlook-activities", Window: 1, Page: int64(i + 1), Parent: last, RetryOf: evidence.None, Status: 200, Body: body,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(body))})
	}
	w.State, w.Requests, w.Pages, w.Records, w.Last = evidence.Complete, int64(len(bodies)), int64(len(bodies)), records, last
	window()
	m.Operator(evidence.ActionRunStop, "finished")
	m.Seal()
	return play(t, m.Folder.FS())
}

const (
	good   = `{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","ActivityIdType":"Logon"}`
	within = "/api/v2.0/Users('adele@contoso.example')/Activities?$filter=TimeStamp+ge+2018-05-01T00:00:00Z+and+TimeStamp+lt+2018-06-01T00:00:00Z"
)

// TestOddAnswers: a window in whose answers something cannot be read as activities answers no query, because it could lack rows; the recorded bytes are there all the same.
func TestOddAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"an error object":                    `{"value":[` + good + `,{"error":{"code":"x"}}]}`,
		"no object":                          `{"value":[` + good + `,1]}`,
		"a list of lists":                    `{"value":[[` + good + `]]}`,
		"no Id":                              `{"value":[{"TimeStamp":"2018-05-02T00:00:00Z"}]}`,
		"an empty Id":                        `{"value":[{"Id":"","TimeStamp":"2018-05-02T00:00:00Z"}]}`,
		"an Id that is a number":             `{"value":[{"Id":1,"TimeStamp":"2018-05-02T00:00:00Z"}]}`,
		"two Ids":                            `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","Id":"b"}]}`,
		"an escaped second Id":               `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","\u0049d":"b"}]}`,
		"no time":                            `{"value":[{"Id":"a"}]}`,
		"a time without zone":                `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00"}]}`,
		"a day that is none":                 `{"value":[{"Id":"a","TimeStamp":"2018-02-30T00:00:00Z"}]}`,
		"a type that is an object":           `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","ActivityIdType":{}}]}`,
		"a huge Id":                          `{"value":[{"Id":"` + strings.Repeat("a", 5000) + `","TimeStamp":"2018-05-02T00:00:00Z"}]}`,
		"a cut answer":                       `{"value":[` + good,
		"a cut row":                          `{"value":[` + good[:30],
		"two lists":                          `{"value":[` + good + `],"value":[]}`,
		"a value that is none":               `{"value":{}}`,
		"no value":                           `{"Value":[` + good + `]}`,
		"an array":                           `[` + good + `]`,
		"two documents":                      `{"value":[` + good + `]}{"value":[]}`,
		"no document":                        " ",
		"no JSON":                            "<html>",
		"a row too long":                     `{"value":[` + good + `,{"Id":"b","TimeStamp":"2018-05-02T00:00:00Z","x":"` + strings.Repeat("x", 17<<20) + `"}]}`,
		"a row long for all clients at once": `{"value":[{"Id":"b","TimeStamp":"2018-05-02T00:00:00Z","x":"` + strings.Repeat("x", 2<<20) + `"}]}`,
		"nested deeply":                      `{"value":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]}`,
		"another count":                      `{"value":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := odd(t, 1, `{"value":[]}`, body)
			got := p.get("outlook.office.com", within)
			if got.StatusCode != 404 || !strings.Contains(string(got.body), "window 1 answers requests that were recorded and no others") {
				t.Errorf("%d: %.500s", got.StatusCode, got.body)
			}
			if got := p.get("service.example", "/page/2"); string(got.body) != body || got.mark() != "" {
				t.Errorf("recorded bytes: %d of them, %q", len(got.body), got.mark())
			}
		})
	}
	// The controls: white space, other members and unknown ones, escapes, nulls and bad UTF-8 are no reason not to answer.
	for name, body := range map[string]string{
		"plain":   `{"value":[` + good + `]}`,
		"spaced":  " {\r\n\t\"x\" : [ { \"value\" : [ ] } ] , \"value\" : [ \r\n" + strings.ReplaceAll(good, ":\"", " :\t\"") + "\n ] , \"y\" : 1e5 } \r\n",
		"nulls":   `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","ActivityItemId":null,"ActivityCreationTime":null,"CustomProperties":null}]}`,
		"escapes": `{"v\u0061lue":[{"\u0049d":"\u0061\"\\","TimeStamp":"2018-05-02T00:00:00\u005a","}":"]}","x":{"Id":"b","Id":"c"}}]}`,
		"many":    `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z"` + strings.Repeat(`,"":1`, 100_000) + `}]}`,
		"long":    `{"value":[{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z","x":"` + strings.Repeat("x", 1_000_000) + `"}]}`,
		"UTF-8":   "{\"value\":[{\"Id\":\"a\",\"TimeStamp\":\"2018-05-02T00:00:00Z\",\"x\":\"\xff\"}]}",
	} {
		p := odd(t, 1, body)
		got := p.get("outlook.office.com", within)
		want, _, _ := strings.Cut(body[strings.LastIndex(body[:strings.Index(body, "TimeStamp")], "{"):], "\n ]")
		if i := strings.LastIndex(want, "]}"); name != "spaced" {
			want = want[:i]
		}
		if got.StatusCode != 200 || string(got.body) != `{"value":[`+want+`]}` {
			t.Errorf("%s: %d %.500q, want %.500q", name, got.StatusCode, got.body, want)
		}
	}
}

// TestVersions: of an activity that was recorded twice in the same window, the one recorded last is given.
func TestVersions(t *testing.T) {
	second := strings.Replace(good, "Logon", "ServerLogon", 1)
	p := odd(t, 2, `{"value":[`+good+`]}`, `{"value":[`+second+`]}`)
	if got := p.get("outlook.office.com", within); string(got.body) != `{"value":[`+second+`]}` {
		t.Errorf("%s", got.body)
	}
}

// TestManySame: very many activities with one time and one id take no more memory than one.
func TestManySame(t *testing.T) {
	rows := strings.TrimSuffix(strings.Repeat(good+",", 20_000), ",")
	p := odd(t, 20_000, `{"value":[`+rows+`]}`)
	if got := p.get("outlook.office.com", within); string(got.body) != `{"value":[`+good+`]}` || p.Activities() != 1 {
		t.Errorf("%d activities: %.200s", p.Activities(), got.body)
	}
}

// TestManyInstants: a query that names very many instants is answered or refused, and soon.
func TestManyInstants(t *testing.T) {
	p := odd(t, 1, `{"value":[`+good+`]}`)
	var parts []string
	for i := range 250 {
		parts = append(parts, fmt.Sprintf("TimeStamp+eq+2018-05-%02dT%02d:00:00Z", 1+i%30, i%24))
	}
	got := p.get("outlook.office.com", "/api/v2.0/Users('adele@contoso.example')/Activities?$filter="+strings.Join(parts, "+or+"))
	if got.StatusCode != 200 && !strings.Contains(string(got.body), "too complex") {
		t.Errorf("%d: %.300s", got.StatusCode, got.body)
	}
}

// TestChanged: a case that is altered while it is replayed is not answered from.
func TestChanged(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := bag.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	p := play(t, folder)
	segments, err := filepath.Glob(filepath.Join(dir, "data", "evidence", "*"))
	if err != nil || len(segments) == 0 {
		t.Fatal(err)
	}
	for _, name := range segments {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &scripted{in: "GET /page/1 HTTP/1.1\r\n" + end}
	err = p.Serve(context.Background(), s, replay.ServeOptions{Now: time.Now})
	if !errors.Is(err, verify.ErrChanged) || !strings.HasPrefix(s.out.String(), "HTTP/1.1 500 ") || strings.Contains(s.out.String(), "200 OK") {
		t.Errorf("%v: %.300q", err, s.out.String())
	}
}
