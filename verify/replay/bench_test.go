package replay_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that passes by waiting alone, and a millisecond at each look.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(time.Millisecond)
	return c.t
}

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return ctx.Err()
}

// random is deterministic and may be used by many.
type random struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}

// bench is a tenant that listens, and a case into which it is acquired.
type bench struct {
	*simtenant.Tenant
	t     testing.TB
	clock *clock
	env   casefile.Env
	key   trust.Signer
	url   string
	roots *x509.CertPool
	dir   string
	gzip  bool
}

func newBench(t testing.TB, faults string, o simtenant.Options) *bench {
	t.Helper()
	b := &bench{t: t, clock: &clock{t: time.Date(2018, 6, 12, 12, 0, 0, 0, time.UTC)}, dir: filepath.Join(t.TempDir(), "case")}
	var err error
	if o.Faults, err = simtenant.ParseFaults(faults); err != nil {
		t.Fatal(err)
	}
	o.Now, o.Wait = b.clock.now, b.clock.wait
	if b.Tenant, err = simtenant.New(o); err != nil {
		t.Fatal(err)
	}
	server, err := b.Tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	b.url, b.roots = server.URL(), x509.NewCertPool()
	if !b.roots.AppendCertsFromPEM(server.CAPEM()) {
		t.Fatal("no certificate")
	}
	source := &random{r: rand.NewChaCha8([32]byte{1})}
	if b.key, err = trust.NewKey(source, "examiner.example/test"); err != nil {
		t.Fatal(err)
	}
	b.env = casefile.Env{Now: b.clock.now, Rand: source, Host: "lab-1", Operator: "examiner", ConfigDir: filepath.Join(t.TempDir(), "config"),
		Command: []string{"exhibit", "acquire"}, Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}}}
	c, err := casefile.New(context.Background(), b.env, b.dir, casefile.NewOptions{Signers: []trust.Signer{b.key}, Fields: []evidence.Pair{
		{Name: "case-number", Value: "2018-7"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}})
	if err == nil {
		err = c.Close(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// acquire asks the tenant: a source, and name, value, name, value …
func (b *bench) acquire(s acquire.Source, flags ...string) *acquire.Result {
	b.t.Helper()
	c, err := casefile.Open(context.Background(), b.env, b.dir, casefile.OpenOptions{Signers: []trust.Signer{b.key}})
	if err != nil {
		b.t.Fatal(err)
	}
	token, err := auth.TokenFrom(strings.NewReader(b.Token()))
	if err != nil {
		b.t.Fatal(err)
	}
	values := map[string][]string{}
	for i := 0; i+1 < len(flags); i += 2 {
		values[flags[i]] = append(values[flags[i]], flags[i+1])
	}
	res, err := acquire.Run(context.Background(), acquire.Options{Case: c, Env: b.env, SpoolDir: c.SpoolDir(), Source: s, Params: acquire.Params{Values: values},
		Credential: token, RootCAs: b.roots, Gzip: b.gzip, Wait: b.clock.wait, Again: true})
	if cerr := c.Close(context.Background()); cerr != nil {
		b.t.Fatal(cerr)
	}
	if err != nil && !errors.Is(err, acquire.ErrAuth) {
		b.t.Fatal(err)
	}
	return res
}

// The whole of what the tenant has lies between these two.
const (
	wholeFrom = "2018-05-01T00:00:00Z"
	wholeTo   = "2018-06-12T00:00:00Z"
)

// activities acquires a mailbox.
func (b *bench) activities(user, from, to string, flags ...string) *acquire.Result {
	b.t.Helper()
	return b.acquire(outlook.Source{}, append([]string{"base-url", b.url, "user", user, "start", from, "end", to}, flags...)...)
}

// pages acquires the caller's own pages.
func (b *bench) pages(paths ...string) *acquire.Result {
	b.t.Helper()
	var flags []string
	for _, p := range paths {
		flags = append(flags, "url", b.url+p)
	}
	return b.acquire(urls.Source{}, flags...)
}

// host is the tenant's own.
func (b *bench) host() string { return strings.TrimPrefix(b.url, "https://") }

// player is an archive that is asked.
type player struct {
	*replay.Archive
	c *verify.Container
	t testing.TB
}

func (b *bench) replay() *player {
	b.t.Helper()
	folder, err := bag.OpenFolder(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { folder.Close() })
	return play(b.t, folder)
}

// play checks a case and opens it.
func play(t testing.TB, files fs.FS) *player {
	t.Helper()
	report, c, err := verify.Check(context.Background(), files, verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the case does not check: %v, %+v", err, report)
	}
	a, err := replay.Open(context.Background(), c, replay.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	})
	return &player{a, c, t}
}

// raw sends bytes, ends the sending, and returns everything that comes back.
func (p *player) raw(request string) string {
	p.t.Helper()
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() {
		err := p.Serve(context.Background(), server, replay.ServeOptions{Now: time.Now})
		done <- errors.Join(err, server.Close())
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(client, request) // a server that refuses does not read on
	}()
	b, err := io.ReadAll(bufio.NewReader(client))
	if err != nil {
		p.t.Errorf("reading the answer: %v", err)
	}
	client.Close()
	<-sent
	if err := <-done; err != nil {
		p.t.Errorf("serving: %v", err)
	}
	return string(b)
}

// answer is a response read to its end.
type answer struct {
	*http.Response
	body []byte
}

// mark is what tells that the answer was not recorded; "" for recorded bytes.
func (a *answer) mark() string { return a.Header.Get("Exhibit-Replay") }

// head writes the head of a request that ends the connection; the usual fields are those of a client that is in order. One without a value is left out.
func head(host, target string, fields ...string) string {
	all := [][2]string{{"Host", host}, {"Accept", "application/json; odata.metadata=none"}, {"Prefer", `exchange.behavior="ActivityAccess"`}, {"Authorization", "Bearer any"}, {"Connection", "close"}}
	for i := 0; i+1 < len(fields); i += 2 {
		found := false
		for n := range all {
			if strings.EqualFold(all[n][0], fields[i]) {
				all[n][1], found = fields[i+1], true
			}
		}
		if !found {
			all = append(all, [2]string{fields[i], fields[i+1]})
		}
	}
	text := "GET " + target + " HTTP/1.1\r\n"
	for _, f := range all {
		if f[1] != "" {
			text += f[0] + ": " + f[1] + "\r\n"
		}
	}
	return text + "\r\n"
}

// get asks the replay.
func (p *player) get(host, target string, fields ...string) *answer {
	p.t.Helper()
	return parse(p.t, p.raw(head(host, target, fields...)))
}

func parse(t testing.TB, text string) *answer {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: "GET"})
	if err != nil {
		t.Fatalf("%v: %.300q", err, text)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%v: %.300q", err, text)
	}
	return &answer{r, b}
}

// asked asks the tenant itself the same: the oracle.
func (b *bench) asked(target string, fields ...string) *answer {
	b.t.Helper()
	fields = append([]string{"Authorization", "Bearer " + b.Token()}, fields...)
	text := head(b.host(), target, fields...)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	r.TLS = &tls.ConnectionState{}
	w := &memory{header: http.Header{}}
	b.ServeHTTP(w, r)
	return &answer{&http.Response{StatusCode: w.status, Header: w.header}, w.body.Bytes()}
}

// memory is a response in memory.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) { m.status = status }

func (m *memory) Write(p []byte) (int, error) { return m.body.Write(p) }

// listing is what a page says.
type listing struct {
	Context string            `json:"@odata.context"`
	Value   []json.RawMessage `json:"value"`
	Next    string            `json:"@odata.nextLink"`
}

// differ says in what an answer of the replay is not the tenant's: rows byte for byte, link and status. "" for nothing.
func differ(got, want *answer) string {
	if got.StatusCode != want.StatusCode {
		return fmt.Sprintf("status %d, want %d: %.300s", got.StatusCode, want.StatusCode, got.body)
	}
	var g, w listing
	if err := errors.Join(json.Unmarshal(got.body, &g), json.Unmarshal(want.body, &w)); err != nil {
		return err.Error()
	}
	if len(g.Value) != len(w.Value) {
		return fmt.Sprintf("%d rows, want %d", len(g.Value), len(w.Value))
	}
	for i := range g.Value {
		if !bytes.Equal(g.Value[i], w.Value[i]) {
			return fmt.Sprintf("row %d is %s, want %s", i, g.Value[i], w.Value[i])
		}
	}
	link := func(l string) string {
		_, rest, _ := strings.Cut(strings.TrimPrefix(l, "http"), "/api/")
		return unquoted(rest)
	}
	if link(g.Next) != link(w.Next) {
		return fmt.Sprintf("link %q, want %q", g.Next, w.Next)
	}
	return ""
}

// unquoted undoes the escapes that the tenant writes a user with.
func unquoted(s string) string { return strings.NewReplacer("%27", "'", "%40", "@").Replace(s) }
