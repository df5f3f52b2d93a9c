package acquire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that passes by waiting alone, and a millisecond at each look.
type clock struct {
	mu     sync.Mutex
	t      time.Time
	waited []time.Duration
}

func newClock() *clock { return &clock{t: time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)} }

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
	c.waited = append(c.waited, d)
	return ctx.Err()
}

// random is deterministic and may be used by many.
type random struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newRandom(seed byte) *random { return &random{r: rand.NewChaCha8([32]byte{seed})} }

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}

func signer(t testing.TB) trust.Signer {
	t.Helper()
	k, err := trust.NewKey(newRandom(9), "examiner.example/test")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// bench is a tenant that listens and a case on disk.
type bench struct {
	*simtenant.Tenant
	t     testing.TB
	clock *clock
	env   casefile.Env
	url   string
	roots *x509.CertPool
	dir   string
	token string // path
}

func newBench(t testing.TB, faults string, o simtenant.Options) *bench {
	t.Helper()
	b := &bench{t: t, clock: newClock(), dir: filepath.Join(t.TempDir(), "case")}
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
	b.env = casefile.Env{Now: b.clock.now, Rand: newRandom(1), Host: "lab-1", Operator: "examiner", ConfigDir: filepath.Join(t.TempDir(), "config"),
		Command: []string{"exhibit", "acquire"}, Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "test"}}}
	b.token = filepath.Join(t.TempDir(), "token")
	b.writeToken(b.Token())
	c, err := casefile.New(context.Background(), b.env, b.dir, casefile.NewOptions{Signers: []trust.Signer{signer(t)}, Fields: caseFields()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.verified)
	return b
}

func caseFields() []evidence.Pair {
	return []evidence.Pair{{Name: "case-number", Value: "2018-7"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}
}

func (b *bench) writeToken(token string) {
	b.t.Helper()
	if err := os.WriteFile(b.token, []byte(token+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) open() *casefile.Case {
	b.t.Helper()
	c, err := casefile.Open(context.Background(), b.env, b.dir, casefile.OpenOptions{Signers: []trust.Signer{signer(b.t)}})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// values makes flag values of name, value, name, value …
func values(v ...string) map[string][]string {
	m := map[string][]string{}
	for i := 0; i+1 < len(v); i += 2 {
		m[v[i]] = append(m[v[i]], v[i+1])
	}
	return m
}

// options ask the tenant for the owner's activities of three weeks.
func (b *bench) options(c acquire.Case, flags ...string) acquire.Options {
	b.t.Helper()
	token, err := auth.TokenFile(b.token)
	if err != nil {
		b.t.Fatal(err)
	}
	v := values("base-url", b.url, "user", simtenant.Owner, "start", "2018-05-01T00:00:00Z", "end", "2018-06-11T00:00:00Z")
	for name, given := range values(flags...) {
		v[name] = given
	}
	return acquire.Options{Case: c, Env: b.env, SpoolDir: filepath.Join(b.dir, "work"), Source: outlook.Source{}, Params: acquire.Params{Values: v},
		Credential: token, RootCAs: b.roots, Wait: b.clock.wait}
}

// acquire opens the case, runs, and closes it.
func (b *bench) acquire(change func(*acquire.Options), flags ...string) (*acquire.Result, error) {
	b.t.Helper()
	c := b.open()
	o := b.options(c, flags...)
	if change != nil {
		change(&o)
	}
	res, err := acquire.Run(context.Background(), o)
	if cerr := c.Close(context.Background()); cerr != nil {
		b.t.Fatal(cerr)
	}
	return res, err
}

// oracle is the ids that the owner's window holds now, oldest first.
func (b *bench) oracle(upn string) []string {
	var ids []string
	start, end := time.Date(2018, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 6, 11, 0, 0, 0, 0, time.UTC)
	for _, a := range b.Activities(upn) {
		if !a.Time.Before(start) && a.Time.Before(end) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// kept is one page that the ledger says was taken.
type kept struct {
	entry    *evidence.Entry
	exchange *evidence.Exchange
	body     []byte
}

// read walks a case's segments and returns all entries, and the pages taken by docs/container.md, 4.9, in order. It uses net/http and encoding/json, not the
// readers of the code under test.
func read(t testing.TB, files fs.FS) (entries []*evidence.Entry, pages []kept) {
	t.Helper()
	replaced := map[int64]bool{}
	entries = entriesOf(t, files)
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && x.RetryOf >= 0 {
			replaced[x.RetryOf] = true
		}
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	for _, e := range entries {
		x, ok := e.Body.(*evidence.Exchange)
		if !ok || e.Head.Status != 200 || x.Ended != "complete" || replaced[e.Head.Seq] {
			continue
		}
		at := e.Located[1]
		file, size, err := evidence.OpenSegment(files, int64(at.Segment))
		if err != nil {
			t.Fatal(err)
		}
		var block bytes.Buffer
		_, err = warc.CopyBlock(context.Background(), dec, file, at.Offset, size, &block)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(&block), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, kept{e, x, body})
	}
	return entries, pages
}

// entriesOf are all entries of a case.
func entriesOf(t testing.TB, files fs.FS) (entries []*evidence.Entry) {
	t.Helper()
	for batch, err := range evidence.Batches(context.Background(), files) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, batch.Entries...)
	}
	return entries
}

// idsOf lists the ids of the rows on pages, in order.
func idsOf(t testing.TB, pages []kept) (ids []string) {
	t.Helper()
	for _, p := range pages {
		var list struct {
			Value []struct {
				ID string `json:"Id"`
			}
		}
		if err := json.Unmarshal(p.body, &list); err != nil {
			continue
		}
		for _, row := range list.Value {
			if row.ID != "" {
				ids = append(ids, row.ID)
			}
		}
	}
	return ids
}

func (b *bench) files() fs.FS { return os.DirFS(b.dir) }

// ids are those that the case holds.
func (b *bench) ids() []string {
	b.t.Helper()
	_, pages := read(b.t, b.files())
	return idsOf(b.t, pages)
}

func (b *bench) sameIDs(want []string) {
	b.t.Helper()
	got := b.ids()
	if !slices.Equal(got, want) {
		b.t.Errorf("%d ids in the case, the tenant holds %d, and they are not the same in order", len(got), len(want))
	}
}

// closed checks how a window ended, in the result and in the last window entry.
func closed(t testing.TB, files fs.FS, res *acquire.Result, state, reason string) {
	t.Helper()
	if res == nil {
		t.Fatal("no result")
	}
	if res.State != state || res.Reason != reason {
		t.Errorf("window ended %s, reason %q (%s); want %s, %q", res.State, res.Reason, res.Text, state, reason)
	}
	entries, pages := read(t, files)
	var last *evidence.Window
	requests := int64(0)
	for _, e := range entries {
		if w, ok := e.Body.(*evidence.Window); ok && e.Head.Window == res.Window {
			last = w
		}
		if e.Head.Kind == evidence.KindExchange && e.Head.Window == res.Window {
			requests++
		}
	}
	if last == nil || last.State != res.State || last.Reason != res.Reason || last.Requests != requests || last.Pages != res.Pages || last.Records != res.Records {
		t.Errorf("last window entry is %+v, the result %+v, and %d exchanges are recorded", last, res, requests)
	}
	if last != nil && last.Last >= 0 && !slices.ContainsFunc(pages, func(p kept) bool { return p.entry.Head.Seq == last.Last }) {
		t.Errorf("last names entry %d, which is no page taken", last.Last)
	}
}

// everything is the content of each file of the case, and of each record.
func (b *bench) everything() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(b.dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = string(content)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		b.t.Fatal(err)
	}
	defer dec.Close()
	file, size, err := evidence.OpenSegment(b.files(), 1)
	if err != nil {
		b.t.Fatal(err)
	}
	defer file.Close()
	r := warc.NewReader(dec, file, 0, size)
	for {
		rec, err := r.Next(context.Background())
		if err == io.EOF {
			return all
		}
		if err != nil {
			b.t.Fatal(err)
		}
		all[rec.ID] = string(rec.Whole())
	}
}
