package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

// block reads record i of an entry.
func (p *player) block(e *evidence.Entry, i int) string {
	p.t.Helper()
	b, err := p.c.Block(context.Background(), e, i)
	if err != nil {
		p.t.Fatal(err)
	}
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// exchanges returns those of the case, by entry.
func (p *player) exchanges() (list []*evidence.Entry) {
	p.t.Helper()
	for e, err := range p.c.Entries(context.Background()) {
		if err != nil {
			p.t.Fatal(err)
		}
		if e.Head.Kind == evidence.KindExchange {
			list = append(list, e)
		}
	}
	return list
}

// closing is a stored request that ends the connection.
func closing(request string) string {
	return strings.Replace(request, "Connection: keep-alive", "Connection: close", 1)
}

// TestByteForByte sends every recorded request again, as it is stored, and expects the bytes that came: chunks, gzip and all. Where it was asked several times, the one
// that was taken counts; the attempts at the same page are a 429, a 503 and a cut answer.
func TestByteForByte(t *testing.T) {
	for _, gzip := range []bool{false, true} {
		for _, sized := range []bool{false, true} {
			t.Run(fmt.Sprintf("gzip=%v,sized=%v", gzip, sized), func(t *testing.T) {
				b := newBench(t, "429@2:retry-after=1,503@5,cut@8:9000", simtenant.Options{ContentLength: sized,
					Pages: map[string][][]byte{"audit": {[]byte("{\"value\":[{\"Id\":\"a\"}]}\r\n"), []byte(`{"value":[{"Id":"b"}]}`)}}})
				b.gzip = gzip
				b.activities(simtenant.Owner, wholeFrom, wholeTo, "page-size", "500")
				b.activities(simtenant.Locked, wholeFrom, wholeTo)
				b.pages("/pages/audit/1?link=header", "/pages/audit/2")
				p := b.replay()
				statuses, chunked := map[int64]int{}, 0
				for _, e := range p.exchanges() {
					statuses[e.Head.Status]++
					want := p.block(e, 1)
					if retried(p, e) {
						continue // another exchange with the same request is the answer
					}
					if strings.Contains(want, "Transfer-Encoding: chunked") {
						chunked++
					}
					if got := p.raw(closing(p.block(e, 0))); got != want {
						t.Errorf("entry %d: %d bytes, want %d: %.200q", e.Head.Seq, len(got), len(want), got)
					}
				}
				if statuses[200] < 9 || statuses[429] != 1 || statuses[503] != 1 || statuses[403] != 1 || (chunked == 0) != sized {
					t.Errorf("the case has not what was to be tested: %v, %d chunked", statuses, chunked)
				}
			})
		}
	}
}

// retried reports whether a later exchange asked the same.
func retried(p *player, e *evidence.Entry) bool {
	for _, later := range p.exchanges() {
		if later.Body.(*evidence.Exchange).RetryOf == e.Head.Seq {
			return true
		}
	}
	return false
}

// TestKeepAlive sends all recorded requests on one connection at once: the answers come in their order, each as it was recorded.
func TestKeepAlive(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities(simtenant.Apostrophe, wholeFrom, wholeTo, "page-size", "40")
	p := b.replay()
	list := p.exchanges()
	var ask, want string
	for i, e := range list {
		request := p.block(e, 0)
		if i == len(list)-1 {
			request = closing(request)
		}
		ask, want = ask+request, want+p.block(e, 1)
	}
	if got := p.raw(ask); got != want || len(list) < 2 {
		t.Errorf("%d requests: %d bytes came, want %d", len(list), len(got), len(want))
	}
}

// TestCodingNotTaken: a client that does not take gzip gets the answer without it, and is told that this is not what was recorded.
func TestCodingNotTaken(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Pages: map[string][][]byte{"audit": {[]byte(`{"value":[{"Id":"a"}]}`)}}})
	b.gzip = true
	b.pages("/pages/audit/1")
	p := b.replay()
	if got := p.get(b.host(), "/pages/audit/1", "Accept-Encoding", "br, gzip;q=0.5"); got.mark() != "" || got.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("with gzip: %v", got.Header)
	}
	if got := p.get(b.host(), "/pages/audit/1", "Accept-Encoding", "*;q=0, gzip"); got.mark() != "" {
		t.Errorf("gzip alone: %v", got.Header)
	}
	for _, coding := range []string{"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*, gzip;q=0", "*;q=0", "br, *;q=0"} {
		got := p.get(b.host(), "/pages/audit/1", "Accept-Encoding", coding)
		if string(got.body) != `{"value":[{"Id":"a"}]}` || !strings.HasSuffix(got.mark(), "; decoded") || !strings.HasPrefix(got.mark(), "derived; case=") ||
			got.Header.Get("Content-Encoding") != "" || got.Header.Get("Server") != "Microsoft-IIS/10.0" {
			t.Errorf("Accept-Encoding %q: %q, %v", coding, got.body, got.Header)
		}
	}
}

// TestOtherHost: a listing that leads on is recorded bytes to a client that asks the recorded host, and derived with links to here for any other; one that does not lead on
// is recorded bytes for both.
func TestOtherHost(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities(simtenant.Owner, wholeFrom, wholeTo)
	p := b.replay()
	list := p.exchanges()
	for i, e := range list {
		request, want := closing(p.block(e, 0)), p.block(e, 1)
		moved := strings.Replace(request, b.host(), "evidence.example:444", 1)
		got := p.raw(moved)
		if i == len(list)-1 {
			if got != want {
				t.Errorf("the last page is not the recorded one for another host")
			}
			continue
		}
		a := parse(t, got)
		if w := fmt.Sprintf("; recorded=%d", e.Head.Seq); !strings.HasSuffix(a.mark(), w) || strings.Contains(string(a.body), b.host()) ||
			!strings.Contains(string(a.body), `"@odata.nextLink":"https://evidence.example:444/api/v2.0/`) {
			t.Errorf("entry %d, another host: %q, …%.300s", e.Head.Seq, a.mark(), a.body[len(a.body)-300:])
		}
		if d := differ(a, parse(t, want)); d != "" {
			t.Errorf("entry %d, another host: %s", e.Head.Seq, d)
		}
	}
}

// TestSecrets: what was redacted when it was recorded is not compared, and a request without credentials gets nothing that was recorded with some.
func TestSecrets(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Pages: map[string][][]byte{"audit": {[]byte(`{"value":[]}`)}}})
	b.pages("/pages/audit/1?sig=secretsecret&x=1")
	p := b.replay()
	for target, status := range map[string]int{
		"/pages/audit/1?sig=other&x=1": 200, "/pages/audit/1?sig=REDACTED&x=1": 200, "/pages/audit/1?x=1&sig=other": 404, "/pages/audit/1?sig=other&x=2": 404, "/pages/audit/1?x=1": 404,
	} {
		if got := p.get(b.host(), target); got.StatusCode != status || status == 404 && !strings.HasPrefix(got.mark(), "not-recorded; case=") {
			t.Errorf("%s: status %d, %q", target, got.StatusCode, got.mark())
		}
	}
	got := p.get(b.host(), "/pages/audit/1?sig=other&x=1", "Authorization", "")
	if got.StatusCode != 401 || len(got.body) != 0 || !strings.HasPrefix(got.mark(), "refused") || got.Header.Get("x-ms-diagnostics") == "" {
		t.Errorf("without Authorization: %d, %q, %v", got.StatusCode, got.body, got.Header)
	}
}

// TestBroken: an answer that broke off is not served as if it were one.
func TestBroken(t *testing.T) {
	b := newBench(t, "cut@1+:300", simtenant.Options{Pages: map[string][][]byte{"audit": {make([]byte, 5000)}}})
	b.pages("/pages/audit/1")
	if got := b.replay().get(b.host(), "/pages/audit/1"); got.StatusCode != 502 || !strings.Contains(string(got.body), "broke off (entry ") {
		t.Errorf("%d: %s", got.StatusCode, got.body)
	}
}

// exchangeURL is the URL of the only exchange with a status.
func (p *player) exchangeURL(t *testing.T, status int64) (found string) {
	t.Helper()
	for _, e := range p.exchanges() {
		if e.Head.Status == status {
			if found != "" {
				t.Fatalf("two exchanges with status %d", status)
			}
			found = e.Body.(*evidence.Exchange).URL
		}
	}
	return found
}

// TestWhichOfSeveral: of several answers to the same target that of the same host goes first, then the one to the same Accept, then the newest.
func TestWhichOfSeveral(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Pages: map[string][][]byte{"audit": {[]byte(`{"value":[]}`)}}})
	here, there := b.url, strings.Replace(b.url, "127.0.0.1", "localhost", 1)
	for _, of := range []struct{ origin, accept string }{{here, "text/plain"}, {there, "text/plain"}, {here, "*/*"}, {here, "*/*"}, {there, "*/*"}, {there, "*/*"}} {
		b.acquire(urls.Source{}, "url", of.origin+"/pages/audit/1", "accept", of.accept)
	}
	p := b.replay()
	list := p.exchanges()
	for _, test := range []struct {
		host, accept string
		want         int
	}{
		{here, "text/plain", 0}, {here, "TEXT/plain ", 0}, {there, "text/plain", 1}, {here, "*/*", 3}, {there, "*/*", 5}, {here, "text/html", 3}, {"https://other.example", "text/html", 5}, {"https://other.example", "text/plain", 1},
	} {
		got := p.raw(head(strings.TrimPrefix(test.host, "https://"), "/pages/audit/1", "Accept", test.accept))
		if got != p.block(list[test.want], 1) {
			for i, e := range list {
				if got == p.block(e, 1) {
					t.Errorf("host %s, Accept %q: the answer is %d, want %d", test.host, test.accept, i, test.want)
				}
			}
		}
	}
}

// TestConnectionEnds: after recorded bytes that end with their connection, or say that it ends, no other answer follows; after others it does.
func TestConnectionEnds(t *testing.T) {
	for head, answers := range map[string]int{
		"HTTP/1.1 200 OK": 1,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close": 1,
		"HTTP/1.0 200 OK\r\nContent-Length: 2":                      1,
		"HTTP/1.1 200 OK\r\nContent-Length: 2":                      2,
	} {
		m := sample.New(t, nil)
		m.Operator(evidence.ActionRunStart, "exhibit acquire http")
		m.Connect()
		w := evidence.Window{State: evidence.Opened, From: "", To: ""}
		m.Window(1, w)
		framing := "content-length"
		if !strings.Contains(head, "Length") {
			framing = "close"
		}
		last := m.Exchange(sample.Answer{Window: 1, Page: 1, Parent: evidence.None, RetryOf: evidence.None, Status: 200, Head: head, Body: "ok", Framing: framing})
		w.State, w.Requests, w.Pages, w.Records, w.Last = evidence.Complete, 1, 1, 1, last
		m.Window(1, w)
		m.Seal()
		p := play(t, m.Folder.FS())
		ask := "GET /page/1 HTTP/1.1\r\nHost: service.example\r\n\r\n"
		got := p.raw(ask + strings.Replace(ask, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		if got != strings.Repeat(head+"\r\n\r\nok", answers) {
			t.Errorf("%q: %q", head, got)
		}
	}
}

// TestCodedWithoutBody: an answer that has no body has no coding that could be taken off, whatever its header says: it is recorded bytes for every client, and the next answer
// follows it.
func TestCodedWithoutBody(t *testing.T) {
	for _, status := range []string{"304 Not Modified", "204 No Content", "401 Unauthorized\r\nContent-Length: 0"} {
		recorded := "HTTP/1.1 " + status + "\r\nContent-Encoding: gzip\r\nETag: \"x\"\r\n\r\n"
		framing := "none"
		if strings.Contains(status, "Length") {
			framing = "content-length"
		}
		p := only(t, strings.TrimSuffix(recorded, "\r\n\r\n"), "", framing)
		ask := "GET /page/1 HTTP/1.1\r\nHost: service.example\r\n\r\n"
		if got := p.raw(ask + strings.Replace(ask, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)); got != recorded+recorded {
			t.Errorf("%s: %q", status, got)
		}
	}
}

// TestCodedStatus: the status line of an answer whose coding is taken off is the one that was recorded.
func TestCodedStatus(t *testing.T) {
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	if _, err := w.Write([]byte("moved")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"HTTP/1.1 302 Moved Temporarily", "HTTP/1.1 299 ", "HTTP/1.1 429 Slow down"} {
		p := only(t, fmt.Sprintf("%s\r\nContent-Encoding: gzip\r\nContent-Length: %d", line, body.Len()), body.String(), "content-length")
		got := p.raw("GET /page/1 HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, line+"\r\n") || !strings.Contains(got, "\r\n5\r\nmoved\r\n0\r\n\r\n") {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// TestUnclearEnds: recorded bytes of which it is not clear where they end go out as they are, and nothing after them.
func TestUnclearEnds(t *testing.T) {
	for _, of := range []struct{ head, body, framing string }{
		{"HTTP/1.1 200 OK\r\nContent-Length: 100", "0123456789", "content-length"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "5\r\nabc", "chunked"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", "3\r\nabc\r\n0\r\n\r\n", "chunked"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4", "abcd", "content-length"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3", "abcHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "content-length"},
	} {
		ask := "GET /page/1 HTTP/1.1\r\nHost: service.example\r\n\r\n"
		if got, want := only(t, of.head, of.body, of.framing).raw(ask+ask), of.head+"\r\n\r\n"+of.body; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestInjection: a recorded head that can be read in two ways is not made into another one.
func TestInjection(t *testing.T) {
	const gzipped = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03KLJ\x06\x00\xc2A$5\x03\x00\x00\x00" // of Python: gzip.compress(b"abc", mtime=0)
	for field, want := range map[string]string{
		"X: a\rSet-Cookie: x=1": "", "X: a": "X: a\r\n", "X: a\nY: b": "X: a\r\nY: b\r\n", "X : a\r\n b": "X: a b\r\n",
	} {
		p := only(t, fmt.Sprintf("HTTP/1.1 200 OK\r\n%s\r\nContent-Encoding: gzip\r\nContent-Length: %d", field, len(gzipped)), gzipped, "content-length")
		got := p.raw("GET /page/1 HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n")
		if want == "" && strings.HasPrefix(got, "HTTP/1.1 502 ") && !strings.Contains(got, "Set-Cookie") {
			continue
		}
		if want == "" || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n"+want+"Exhibit-Replay: ") || !strings.HasSuffix(got, "\r\n\r\n3\r\nabc\r\n0\r\n\r\n") {
			t.Errorf("%q: %q", field, got)
		}
	}
}

// TestDamagedCoding: an answer whose coding turns out to be damaged breaks off, which the client sees and the caller is told.
func TestDamagedCoding(t *testing.T) {
	const whole = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03KLJ\x06\x00\xc2A$5\x03\x00\x00\x00" // of Python: gzip.compress(b"abc", mtime=0)
	for damaged, want := range map[string]error{strings.Replace(whole, "$5", "$6", 1): gzip.ErrChecksum, whole[:len(whole)-3]: io.ErrUnexpectedEOF, whole[:14]: io.ErrUnexpectedEOF, whole: nil} {
		p := only(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d", len(damaged)), damaged, "content-length")
		s := &scripted{in: "GET /page/1 HTTP/1.1\r\nHost: service.example\r\n\r\n"}
		var said error
		err := p.Serve(context.Background(), s, replay.ServeOptions{Now: time.Now, Done: func(_ *replay.Answer, err error) { said = err }})
		if !errors.Is(err, want) || (said == nil) != (want == nil) || strings.HasSuffix(s.out.String(), "0\r\n\r\n") != (want == nil) {
			t.Errorf("%v, %v: %q, want %v", err, said, s.out.String(), want)
		}
	}
}

// only makes a case of one answer.
func only(t *testing.T, head, body, framing string) *player {
	t.Helper()
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Connect()
	w := evidence.Window{State: evidence.Opened, From: "", To: ""}
	m.Window(1, w)
	status, err := strconv.ParseInt(strings.Fields(head)[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	w.Last = m.Exchange(sample.Answer{Window: 1, Page: 1, Parent: evidence.None, RetryOf: evidence.None, Status: status, Head: head, Body: body, Framing: framing})
	w.State, w.Reason, w.Requests = evidence.Failed, "http-status", 1
	w.Last = evidence.None
	m.Window(1, w)
	m.Operator(evidence.ActionRunStop, "finished")
	m.Seal()
	return play(t, m.Folder.FS())
}
