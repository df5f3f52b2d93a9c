package simtenant_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the clock of the tests.
var noon = time.Date(2018, time.June, 11, 12, 0, 0, 0, time.UTC)

// bench is a tenant that listens, and a client that trusts it.
type bench struct {
	*simtenant.Tenant
	t      *testing.T
	url    string
	roots  *x509.CertPool
	client *http.Client
}

func start(t *testing.T, faults string, o simtenant.Options) *bench {
	t.Helper()
	var err error
	if o.Faults, err = simtenant.ParseFaults(faults); err != nil {
		t.Fatal(err)
	}
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	tenant, err := simtenant.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.CAPEM()) {
		t.Fatal("the authority's PEM holds no certificate")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableCompression: true,
		// On a connection used before, Go repeats a failed GET by itself.
		DisableKeepAlives: faults != "",
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{tenant, t, server.URL(), roots, &http.Client{Transport: transport}}
}

// response is an answer read to its end.
type response struct {
	*http.Response
	body []byte
}

// get asks for a path and query, written raw, with a token and the Prefer
// header; headers come by name and value and replace these, an empty value
// takes one away.
func (b *bench) get(target string, headers ...string) (response, error) {
	b.t.Helper()
	raw, _ := strings.CutPrefix(target, b.url)
	path, query, _ := strings.Cut(raw, "?")
	req, err := http.NewRequest("GET", b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.URL.Opaque = path // as written, not as Go would escape it
	req.URL.RawQuery = query
	req.Header.Set("Authorization", "Bearer "+b.Token())
	req.Header.Set("Prefer", `exchange.behavior="ActivityAccess"`)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{resp, body}, err
}

// must is get where the connection has to hold and the status has to be this.
func (b *bench) must(status int, target string, headers ...string) response {
	b.t.Helper()
	r, err := b.get(target, headers...)
	if err != nil {
		b.t.Fatalf("GET %s: %v", target, err)
	}
	if r.StatusCode != status {
		b.t.Fatalf("GET %s is %d, want %d: %.300s", target, r.StatusCode, status, r.body)
	}
	return r
}

// page is what a client reads of a listing.
type page struct {
	Context string `json:"@odata.context"`
	Value   []struct {
		ODataID, Etag string `json:"-"`
		Id            string
		TimeStamp     string
		ActivityType  string `json:"ActivityIdType"`
		Error         any    `json:"error"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
}

func (r response) page(t *testing.T) page {
	t.Helper()
	var p page
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("body is no JSON: %v: %.200s", err, r.body)
	}
	return p
}

func (p page) ids() []string {
	var ids []string
	for _, v := range p.Value {
		ids = append(ids, v.Id)
	}
	return ids
}

// errorCode reads the code of an error answer.
func (r response) errorCode(t *testing.T) string {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(r.body, &e); err != nil || e.Error.Message == "" {
		t.Fatalf("body is no JSON error: %v: %.200s", err, r.body)
	}
	return e.Error.Code
}

// oracle gives the ids that a listing must hold, newest first, straight from
// the tenant's data.
func (b *bench) oracle(upn string, keep func(a simtenant.Activity) bool) []string {
	var ids []string
	rows := b.Activities(upn)
	slices.SortStableFunc(rows, func(x, y simtenant.Activity) int { return y.Time.Compare(x.Time) })
	for _, a := range rows {
		if keep == nil || keep(a) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// raw sends bytes over TLS and reads until the end of the connection.
func (b *bench) raw(request string) ([]byte, error) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: b.roots})
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	return io.ReadAll(conn)
}

const adele = "/api/v2.0/Users('adele.vance@contoso.example')/Activities"

func TestServerIsHTTP1OverTLS(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	r := b.must(200, adele)
	if r.ProtoMajor != 1 || r.TLS == nil || r.TLS.NegotiatedProtocol == "h2" {
		t.Errorf("protocol %s, ALPN %q", r.Proto, r.TLS.NegotiatedProtocol)
	}
	leaf := r.TLS.PeerCertificates[0]
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if err := leaf.VerifyHostname("outlook.office.com"); err == nil {
		t.Error("the certificate is good for a real host")
	}
	u, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: b.roots, NextProtos: []string{"h2"}})
	if err == nil {
		conn.Close()
		t.Error("a client that speaks h2 alone gets a connection")
	}
	old := &tls.Config{RootCAs: b.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", u.Host, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 gets a connection")
	}
	second, err := b.Tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if u, err = url.Parse(second.URL()); err != nil {
		t.Fatal(err)
	}
	if conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: b.roots}); err == nil {
		conn.Close()
		t.Error("two starts share an authority")
	}
	if err := second.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestHeaders(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	got, err := b.raw("GET " + adele + "?$top=1 HTTP/1.1\r\nHost: localhost\r\nPrefer: exchange.behavior=\"ActivityAccess\"\r\n" +
		"Authorization: Bearer " + b.Token() + "\r\nclient-request-id: 0b77\r\nreturn-client-request-id: true\r\nConnection: close\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(got), "\r\n\r\n")
	for _, line := range []string{
		"HTTP/1.1 200 OK", "Date: Mon, 11 Jun 2018 12:00:00 GMT", "client-request-id: 0b77", "Transfer-Encoding: chunked",
		"Content-Type: application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8",
		"OData-Version: 4.0", "X-BackEndHttpStatus: 200", "Cache-Control: private",
	} {
		if !slices.Contains(strings.Split(head, "\r\n"), line) {
			t.Errorf("the head lacks %q:\n%s", line, head)
		}
	}
	first := b.must(200, adele, "client-request-id", "0b77").Header
	second := b.must(200, adele).Header
	if first.Get("client-request-id") != "" {
		t.Error("client-request-id is echoed although nobody asked for it")
	}
	if id := first.Get("request-id"); len(id) != 36 || id == second.Get("request-id") {
		t.Errorf("request-id %q, then %q", id, second.Get("request-id"))
	}
}

func TestFramingAndCoding(t *testing.T) {
	plain := start(t, "", simtenant.Options{}).must(200, adele+"?$top=300")
	if plain.ContentLength != -1 || len(plain.body) < 100_000 {
		t.Errorf("chunked: Content-Length %d, %d bytes", plain.ContentLength, len(plain.body))
	}
	b := start(t, "", simtenant.Options{ContentLength: true})
	sized := b.must(200, adele+"?$top=300")
	if sized.ContentLength != int64(len(sized.body)) || len(sized.TransferEncoding) != 0 {
		t.Errorf("sized: Content-Length %d, %d bytes", sized.ContentLength, len(sized.body))
	}
	for _, test := range []struct {
		accept string
		coded  bool
	}{{"gzip, deflate, br", true}, {"deflate, GZIP;q=0.5", true}, {"gzip;q=0", false}, {"br", false}, {"x-gzip", false}} {
		r := b.must(200, adele+"?$top=300", "Accept-Encoding", test.accept)
		if coded := r.Header.Get("Content-Encoding") == "gzip"; coded != test.coded {
			t.Errorf("Accept-Encoding %q: coded is %v", test.accept, coded)
			continue
		}
		if test.coded {
			z, err := gzip.NewReader(bytes.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			if r.body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(r.body, sized.body) {
			t.Errorf("Accept-Encoding %q: another body", test.accept)
		}
	}
	if r, err := b.raw("GET /nowhere HTTP/1.0\r\n\r\n"); err != nil || !bytes.Contains(r, []byte("Content-Length: ")) {
		t.Errorf("HTTP/1.0: %v, %.300q", err, r)
	}
}

func TestRequestsLog(t *testing.T) {
	b := start(t, "404@2", simtenant.Options{})
	b.must(200, adele+"?$top=1", "client-request-id", "one")
	b.must(404, "/elsewhere")
	b.must(401, adele, "Authorization", "Bearer wrong")
	want := []simtenant.Request{
		{Ordinal: 1, Method: "GET", URL: adele + "?$top=1", ClientRequestID: "one", Status: 200},
		{Ordinal: 2, Method: "GET", URL: "/elsewhere", Status: 404, Fault: "404@2"},
		{Ordinal: 3, Method: "GET", URL: adele, Status: 401},
	}
	if got := b.Requests(); !slices.Equal(got, want) {
		t.Errorf("log is %+v, want %+v", got, want)
	}
}

// Many clients at once: each request has an ordinal of its own, and a fault
// strikes exactly one of them.
func TestConcurrentClients(t *testing.T) {
	b := start(t, "arrive@5:2,503@7,expire@1000,empty200@9", simtenant.Options{})
	const clients, each = 8, 6
	results := make(chan int, clients*each)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range each {
				r, err := b.get(adele + "?$top=50")
				if err != nil {
					t.Error(err)
					return
				}
				results <- r.StatusCode
			}
		})
	}
	group.Wait()
	close(results)
	counts := map[int]int{}
	for status := range results {
		counts[status]++
	}
	if counts[200] != clients*each-1 || counts[503] != 1 {
		t.Errorf("statuses: %v", counts)
	}
	for i, r := range b.Requests() {
		if r.Ordinal != i+1 || r.Status != 200 && r.Status != 503 || (r.Status == 503) != (i == 6) {
			t.Errorf("log line %d: %+v", i, r)
		}
	}
}

// serve asks a tenant without a network.
func serve(t *testing.T, handler http.Handler, request string) string {
	t.Helper()
	ours, theirs := net.Pipe()
	server := &http.Server{Handler: handler}
	listener := &oneConn{conn: theirs, done: make(chan struct{})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	go func() { _, _ = io.WriteString(ours, request) }()
	resp, err := http.ReadResponse(bufio.NewReader(ours), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	return string(body)
}

// oneConn is a listener with one connection to give.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// A tenant is a handler for any server, and its links follow the scheme.
func TestTenantIsAHandler(t *testing.T) {
	tenant, err := simtenant.New(simtenant.Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	body := serve(t, tenant, "GET /api/beta/me/Activities?$top=1 HTTP/1.1\r\nHost: tenant.example\r\nConnection: close\r\n"+
		"Authorization: bearer "+tenant.Token()+"\r\nPrefer: x, exchange.behavior=\"ActivityAccess\"\r\n\r\n")
	if !strings.HasPrefix(body, `{"@odata.context":"http://tenant.example/api/beta/$metadata#me/Activities","value":[{"@odata.id":"http://tenant.example/api/beta/me/Activities('`) {
		t.Errorf("body begins %.200s", body)
	}
}
