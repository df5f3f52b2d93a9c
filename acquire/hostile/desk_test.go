package hostile

import (
	"context"
	"encoding/pem"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// token is what the servers must not pass on.
const token = "eyJ0eXAiOiJKV1QifQ.eyJhcHBpZCI6ImNhbmFyeSJ9.Y2FuYXJ5LW9mLXRoZS1ob3N0aWxlLXNlcnZlcnMtN2YzYQ"

// password is what goes with a user by Basic.
const password = "Canary-pass+word/of=the;hostile%servers"

func pemOf(der []byte) []byte { return pemTyped("CERTIFICATE", der) }

func pemTyped(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

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

// desk is an examiner's: a case that is open, a token, and a note of every address that was dialled.
type desk struct {
	t     testing.TB
	dir   string
	env   casefile.Env
	c     *casefile.Case
	token acquire.Credential
	wait  func(context.Context, time.Duration) error

	mu     sync.Mutex
	dialed []string
}

// newDesk makes a case. At the end it is held against the verifier, which shares no code with the acquirer.
func newDesk(t testing.TB) *desk {
	t.Helper()
	at := &clock{t: time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)}
	d := newDeskAt(t, at.now)
	d.wait = at.wait
	t.Cleanup(d.verified)
	return d
}

func newDeskAt(t testing.TB, now func() time.Time) *desk {
	t.Helper()
	d := &desk{t: t, dir: filepath.Join(t.TempDir(), "case")}
	d.env = casefile.Env{Now: now, Rand: &random{r: rand.NewChaCha8([32]byte{1})}, Host: "lab-1", Operator: "examiner", ConfigDir: filepath.Join(t.TempDir(), "config"),
		Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "test"}}}
	key, err := trust.NewKey(d.env.Rand, "examiner.example/test")
	if err != nil {
		t.Fatal(err)
	}
	if d.c, err = casefile.New(context.Background(), d.env, d.dir, casefile.NewOptions{Signers: []trust.Signer{key},
		Fields: []evidence.Pair{{Name: "case-number", Value: "2018-7"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.token, err = auth.TokenFile(file); err != nil {
		t.Fatal(err)
	}
	return d
}

// run acquires with the patience of one attempt, unless change says otherwise.
func (d *desk) run(s acquire.Source, values map[string][]string, change func(*acquire.Options)) *acquire.Result {
	d.t.Helper()
	o := acquire.Options{Case: d.c, Env: d.env, SpoolDir: d.c.SpoolDir(), Source: s, Params: acquire.Params{Values: values}, Credential: d.token,
		RootCAs: certificates(d.t).pool, Wait: d.wait, Dial: d.dial, Retry: acquire.Retry{Attempts: 1, Pages: 1}, Parallel: 1}
	if change != nil {
		change(&o)
	}
	res, err := acquire.Run(d.t.Context(), o)
	if res == nil {
		d.t.Fatalf("%v: %v", values, err)
	}
	return res
}

// mailbox asks for the activities of a user, with pages of up to ten rows.
func (d *desk) mailbox(origin, user string, change func(*acquire.Options)) *acquire.Result {
	d.t.Helper()
	return d.run(outlook.Source{}, map[string][]string{"base-url": {origin}, "user": {user}, "start": {"2018-05-01T00:00:00Z"}, "end": {"2018-06-11T00:00:00Z"}, "page-size": {"10"}}, change)
}

// list asks for URLs.
func (d *desk) list(change func(*acquire.Options), given ...string) *acquire.Result {
	d.t.Helper()
	return d.run(urls.Source{}, map[string][]string{"url": given}, change)
}

// dial notes the address, and dials those on loopback alone.
func (d *desk) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.dialed = append(d.dialed, addr)
	d.mu.Unlock()
	return dialLoopback(ctx, network, addr)
}

func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		err = &net.DNSError{Err: "no network beyond loopback in tests", Name: host}
	}
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// elsewhere are the addresses that were dialled and are not the server's.
func (d *desk) elsewhere(s *server) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.dialed), func(a string) bool { return "https://"+a == s.origin })
}

// recorded is an exchange of the case with its blocks.
type recorded struct {
	*evidence.Exchange
	seq      int64
	window   int64
	status   int64
	request  string
	response string
	excess   string
}

// entries are those of the case so far.
func (d *desk) entries() (all []*evidence.Entry) {
	d.t.Helper()
	for batch, err := range evidence.Batches(context.Background(), os.DirFS(d.dir)) {
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, batch.Entries...)
	}
	return all
}

// exchanges are those of the case, in order.
func (d *desk) exchanges() (all []*recorded) {
	d.t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		d.t.Fatal(err)
	}
	defer dec.Close()
	for _, e := range d.entries() {
		x, ok := e.Body.(*evidence.Exchange)
		if !ok {
			continue
		}
		r := &recorded{Exchange: x, seq: e.Head.Seq, window: e.Head.Window, status: e.Head.Status}
		for i, at := range e.Located {
			switch b := d.block(dec, at); {
			case i == 0:
				r.request = b
			case e.Detail.Records[i].Type == warc.Response:
				r.response = b
			default:
				r.excess = b
			}
		}
		all = append(all, r)
	}
	return all
}

// blockOf is that of the n-th record of an entry.
func (d *desk) blockOf(e *evidence.Entry, n int) string {
	d.t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		d.t.Fatal(err)
	}
	defer dec.Close()
	return d.block(dec, e.Located[n])
}

// block is that of a record.
func (d *desk) block(dec *warc.Decoder, at evidence.Located) string {
	d.t.Helper()
	file, size, err := evidence.OpenSegment(os.DirFS(d.dir), int64(at.Segment))
	if err != nil {
		d.t.Fatal(err)
	}
	var w strings.Builder
	_, err = warc.CopyBlock(context.Background(), dec, file, at.Offset, size, &w)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return w.String()
}

// verified closes the case and lets the verifier find no damage in it.
func (d *desk) verified() {
	d.t.Helper()
	if err := d.c.Close(context.Background()); err != nil {
		d.t.Error(err)
	}
	undamaged(d.t, d.dir)
}

// undamaged holds a case against the verifier: it finds no damage, and derives every layout, payload hash and redaction again.
func undamaged(t testing.TB, dir string) {
	t.Helper()
	folder, err := bag.OpenFolder(dir)
	if err != nil {
		t.Error(err)
		return
	}
	report, _, err := verify.Check(context.Background(), folder, verify.Options{Deep: true})
	if err != nil {
		t.Error(err)
		return
	}
	for _, f := range report.Findings {
		if f.Class == verify.Damage {
			t.Errorf("the verifier finds %+v", f)
		}
	}
}
