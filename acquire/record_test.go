package acquire_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// rawServer writes what answer gives for a request, byte for byte, and closes the connection.
func rawServer(t *testing.T, answer func(r *http.Request) string) (origin string, roots *x509.CertPool) {
	t.Helper()
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, answer(r)) // a client that went away is its own affair
		conn.Close()
	})
	return s.URL, roots
}

// blocks reads the blocks of an entry's records.
func (b *bench) blocks(e *evidence.Entry) (out []string) {
	b.t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		b.t.Fatal(err)
	}
	defer dec.Close()
	for _, at := range e.Located {
		file, size, err := evidence.OpenSegment(b.files(), int64(at.Segment))
		if err != nil {
			b.t.Fatal(err)
		}
		var w strings.Builder
		_, err = warc.CopyBlock(context.Background(), dec, file, at.Offset, size, &w)
		file.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, w.String())
	}
	return out
}

func exchanges(entries []*evidence.Entry) (list []*evidence.Entry) {
	for _, e := range entries {
		if e.Head.Kind == evidence.KindExchange {
			list = append(list, e)
		}
	}
	return list
}

// TestCutAtEveryByte cuts the answer to each URL at another byte, once. Each cut is recorded as what came, and never taken for a page.
func TestCutAtEveryByte(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestCutAtEveryByte (-short)")
	}
	const whole = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"11\r\n{\"value\":[{\"Id\":\"\r\n6\r\na\"}]}\n\r\n0\r\n\r\n"
	var mu sync.Mutex
	seen := map[string]bool{}
	origin, roots := rawServer(t, func(r *http.Request) string {
		mu.Lock()
		defer mu.Unlock()
		n, err := strconv.Atoi(r.URL.Query().Get("cut"))
		if err != nil || seen[r.URL.RawQuery] {
			return whole
		}
		seen[r.URL.RawQuery] = true
		return whole[:n]
	})
	var given []string
	for n := range len(whole) {
		given = append(given, fmt.Sprintf("%s/?cut=%d", origin, n))
	}
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, func(o *acquire.Options) { o.Parallel = 4 }, given...)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if int(res.Pages) != len(whole) || int(res.Requests) != 2*len(whole) {
		t.Errorf("%+v", res)
	}
	entries, _ := read(t, b.files())
	for _, e := range exchanges(entries) {
		x := e.Body.(*evidence.Exchange)
		_, cut, _ := strings.Cut(x.URL, "cut=")
		n, err := strconv.Atoi(cut)
		if err != nil {
			t.Fatal(err)
		}
		want := whole
		if x.Attempt == 1 {
			want = whole[:n]
		}
		got := b.blocks(e)
		if len(got) == 1 {
			got = append(got, "")
		}
		if got[1] != want || (x.Ended == "complete") != (x.Attempt == 2) {
			t.Errorf("%s, attempt %d ended %s with %q", x.URL, x.Attempt, x.Ended, got[1])
		}
		if n > 0 && x.Attempt == 1 && e.Detail.Records[1].Truncated != "disconnect" {
			t.Errorf("%s: WARC-Truncated %q", x.URL, e.Detail.Records[1].Truncated)
		}
	}
}

// TestExcess: what comes behind an answer is kept apart from it.
func TestExcess(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
	origin, roots := rawServer(t, func(*http.Request) string { return answer + "HTTP/1.1 200 OK\r\n\r\nnot asked for" })
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, nil, origin+"/")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	entries, _ := read(t, b.files())
	e := exchanges(entries)[0]
	got := b.blocks(e)
	if len(got) != 3 || got[1] != answer || got[2] != "HTTP/1.1 200 OK\r\n\r\nnot asked for" || e.Detail.Records[2].URI != "urn:exhibit:excess" {
		t.Errorf("records %q", got)
	}
}

// TestConnectionEntry: the certificate chain as the server sent it, and what TLS came to.
func TestConnectionEntry(t *testing.T) {
	s, roots := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	b := newBench(t, "", simtenant.Options{})
	if _, err := b.ask(roots, nil, s.URL+"/1", s.URL+"/2"); err != nil {
		t.Fatal(err)
	}
	entries, _ := read(t, b.files())
	i := slices.IndexFunc(entries, func(e *evidence.Entry) bool { return e.Head.Kind == evidence.KindConnection })
	c := entries[i].Body.(*evidence.Connection)
	if c.Number != 1 || c.Origin != s.URL || c.Remote != s.Listener.Addr().String() || c.Protocol != "http/1.1" || c.TLSVersion != "TLS 1.3" || c.Cipher == "" ||
		c.ServerName != "127.0.0.1" || !c.Verified || c.Roots != "file" || c.Error != "" {
		t.Errorf("connection %+v", c)
	}
	block, rest := pem.Decode([]byte(b.blocks(entries[i])[0]))
	if block == nil || len(rest) > 0 || string(block.Bytes) != string(s.Certificate().Raw) {
		t.Error("the certificate is not the server's")
	}
	for _, e := range exchanges(entries) {
		if x := e.Body.(*evidence.Exchange); x.Connection != entries[i].Head.Seq {
			t.Errorf("exchange of connection %d", x.Connection)
		}
	}
}

// TestProxy goes through a proxy that wants a password: the tunnel is recorded, the password is not.
func TestProxy(t *testing.T) {
	s, roots := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tunnels sync.WaitGroup
	tunnels.Go(func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			tunnels.Go(func() { tunnel(conn) })
		}
	})
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, func(o *acquire.Options) {
		o.Proxy = &url.URL{Scheme: "http", Host: proxy.Addr().String(), User: url.UserPassword("ann", "proxy-passw0rd")}
	}, s.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}
	tunnels.Wait()
	closed(t, b.files(), res, evidence.Complete, "")
	entries, _ := read(t, b.files())
	i := slices.IndexFunc(entries, func(e *evidence.Entry) bool { return e.Head.Kind == evidence.KindConnection })
	c, got := entries[i].Body.(*evidence.Connection), b.blocks(entries[i])
	if c.Proxy != "http://"+proxy.Addr().String() || len(got) != 3 || !strings.HasPrefix(got[0], "CONNECT "+s.Listener.Addr().String()+" HTTP/1.1\r\n") ||
		!strings.Contains(got[0], "Proxy-Authorization: Basic REDACTED\r\n") || got[1] != "HTTP/1.1 200 Tunnel\r\n\r\n" {
		t.Errorf("connection %+v with records %q", c, got)
	}
	if len(c.Redactions) != 1 || c.Redactions[0].Name != "Proxy-Authorization" || got[0][c.Redactions[0].Offset:][:c.Redactions[0].Length] != "REDACTED" {
		t.Errorf("redactions %+v of %q", c.Redactions, got[0])
	}
	for name, content := range b.everything() {
		if strings.Contains(content, "proxy-passw0rd") || strings.Contains(content, "YW5uOnByb3h5LXBhc3N3MHJk") {
			t.Errorf("the password stands in %s", name)
		}
	}
}

// tunnel is a proxy's side of one CONNECT.
func tunnel(conn net.Conn) {
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		return
	}
	defer up.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Tunnel\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up, conn); up.Close() })
	_, _ = io.Copy(conn, up)
	conn.Close()
	both.Wait()
}

// TestSecretInURL acquires a signed URL, in part, and goes on with one that was signed anew.
func TestSecretInURL(t *testing.T) {
	fail := true
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/1":
			fmt.Fprint(w, `{"value":[1],"@odata.nextLink":"/2?sig=link-s3cret-link-s3cret"}`)
		case fail:
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, `{"value":[2]}`)
		}
	})
	b := newBench(t, "", simtenant.Options{})
	if _, err := b.ask(roots, nil, s.URL+"/1?sig=first-s3cret-first-s3cret&v=1"); err != nil {
		t.Fatal(err)
	}
	fail = false
	res, err := b.ask(roots, nil, s.URL+"/1?sig=other-s3cret-other-s3cret&v=1")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Window != 1 || res.Asked != 1 {
		t.Errorf("%+v", res)
	}
	for name, content := range b.everything() {
		for _, secret := range []string{"first-s3cret", "other-s3cret"} {
			if strings.Contains(content, secret) {
				t.Errorf("%s stands in %s", secret, name)
			}
		}
		// The service's own answer is evidence and stays as it came; nothing else may have its link.
		if strings.Contains(content, "link-s3cret") && !strings.Contains(content, `{"value":[1],"@odata.nextLink"`) {
			t.Errorf("the signed link stands in %s", name)
		}
	}
}

// TestSignedLoop: pages whose links are signed anew each time lead in a circle. That is noticed, also by the run that goes on, and no signature stands in a text. A
// token that tells the pages apart is no circle.
func TestSignedLoop(t *testing.T) {
	asked, fail := 0, true
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		n := map[string]int{"/1": 2, "/2": 3, "/3": 1}[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/paged" && r.URL.Query().Get("token") == "end":
			fmt.Fprint(w, `{"value":[1]}`)
		case r.URL.Path == "/paged":
			fmt.Fprintf(w, `{"value":[1],"@odata.nextLink":"/paged?token=%s"}`, map[string]string{"": "b", "b": "c", "c": "end"}[r.URL.Query().Get("token")])
		case n == 1 && fail:
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprintf(w, `{"value":[1],"@odata.nextLink":"/%d?sig=s1gnature-%08d&se=%d"}`, n, asked, asked)
		}
	})
	b := newBench(t, "", simtenant.Options{})
	first := s.URL + "/1?sig=s1gnature-first&se=0"
	if _, err := b.ask(roots, nil, first); err != nil {
		t.Fatal(err)
	}
	fail = false
	res, err := b.ask(roots, nil, first)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonLinkLoop)
	if res.Pages != 3 || res.Asked != 1 || strings.Contains(res.Text, "s1gnature") || !strings.Contains(res.Text, "/1?sig=REDACTED") {
		t.Errorf("%+v", res)
	}
	res, err = b.ask(roots, nil, s.URL+"/paged")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Pages != 4 {
		t.Errorf("%+v", res)
	}
}

// TestRunEntries: what the operator log says of a run.
func TestRunEntries(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	b.env.Machine = []evidence.Pair{{Name: "os", Value: "test/os"}}
	if _, err := b.acquire(func(o *acquire.Options) { o.Parallel = 3 }); err != nil {
		t.Fatal(err)
	}
	var actions []string
	fields := map[string]string{}
	entries, _ := read(t, b.files())
	run := ""
	for _, e := range entries {
		op, ok := e.Body.(*evidence.Operator)
		if !ok {
			continue
		}
		if run == "" {
			run = e.Detail.Run
		}
		if e.Detail.Run != run || !evidence.IsID(run) || op.Operator != "examiner" || op.Host != "lab-1" {
			t.Errorf("entry %d: run %q, %+v", e.Head.Seq, e.Detail.Run, op)
		}
		actions = append(actions, op.Action)
		for _, f := range op.Fields {
			fields[op.Action+" "+f.Name] = f.Value
		}
	}
	if !slices.Equal(actions, []string{"run-start", "run-stop"}) {
		t.Errorf("actions %q", actions)
	}
	for name, want := range map[string]string{"run-start parallel": "3", "run-start command": "exhibit acquire", "run-start version": "test", "run-start os": "test/os",
		"run-start origin": b.url, "run-stop reason": "complete", "run-stop requests": strconv.Itoa(len(b.Requests()))} {
		if fields[name] != want {
			t.Errorf("%s is %q, want %q", name, fields[name], want)
		}
	}
	if !strings.HasPrefix(fields["run-stop clock-first"], "server +0 s at 2018-06-11T12:00:00.") {
		t.Errorf("clock %q", fields["run-stop clock-first"])
	}
	for _, e := range exchanges(entries) {
		x := e.Body.(*evidence.Exchange)
		if r := b.Requests()[x.Counter-1]; r.ClientRequestID != x.RequestID || len(x.RequestID) != 36 {
			t.Errorf("exchange %d: request id %q, the tenant saw %q", e.Head.Seq, x.RequestID, r.ClientRequestID)
		}
	}
}

// TestSealedCase reads a sealed case and is refused by it.
func TestSealedCase(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	if _, err := b.acquire(nil); err != nil {
		t.Fatal(err)
	}
	c := b.open()
	if err := acquire.Seal(context.Background(), c, acquire.SealOptions{Env: b.env}); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	s, err := casefile.ReadStatus(context.Background(), b.dir)
	if err != nil || s.State != casefile.StateSealed || !s.Index || len(s.Windows) != 1 || s.Windows[0].State != evidence.Complete {
		t.Errorf("status %+v, %v", s, err)
	}
	kinds := map[string]int{}
	if err := casefile.ReadLog(context.Background(), b.dir, func(e *row.LogEntry) error { kinds[e.Kind]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if kinds[evidence.KindSeal] != 1 || kinds[evidence.KindWindow] != 2 || kinds[evidence.KindOperator] != 2 {
		t.Errorf("log %v", kinds)
	}
	before, err := filepath.Glob(filepath.Join(b.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := casefile.Open(context.Background(), b.env, b.dir, casefile.OpenOptions{}); !errors.Is(err, evidence.ErrSealed) {
		t.Errorf("error %v", err)
	}
	if after, err := filepath.Glob(filepath.Join(b.dir, "*", "*")); err != nil || !slices.Equal(before, after) {
		t.Errorf("files %q were %q, %v", after, before, err)
	}
}
