package acquire_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// server answers over TLS with a certificate of its own.
func server(t testing.TB, handler http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, roots
}

// canary is a server that nobody may ask.
func canary(t testing.TB) string {
	t.Helper()
	var hits atomic.Int64
	s, _ := server(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(func() {
		plain.Close()
		if n := hits.Load(); n > 0 {
			t.Errorf("%d requests reached a foreign host", n)
		}
	})
	return s.URL
}

// ask runs the source http on URLs of a server.
func (b *bench) ask(roots *x509.CertPool, change func(*acquire.Options), given ...string) (*acquire.Result, error) {
	return b.acquire(func(o *acquire.Options) {
		o.Source, o.RootCAs = urls.Source{}, roots
		o.Params.Values = map[string][]string{"url": given}
		if change != nil {
			change(o)
		}
	})
}

// TestForeignPlaces: neither a request nor the token goes anywhere but to the origin, whatever an answer says.
func TestForeignPlaces(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter, foreign, token string)
		reason string
	}{
		{"next link", func(w http.ResponseWriter, foreign, _ string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"value":[1],"@odata.nextLink":"%s/next"}`, foreign)
		}, acquire.ReasonForeignLink},
		{"Link header", func(w http.ResponseWriter, foreign, _ string) {
			w.Header().Set("Link", "<"+foreign+`/next>; rel="next"`)
			fmt.Fprint(w, "text")
		}, acquire.ReasonForeignLink},
		{"scheme-less", func(w http.ResponseWriter, foreign, _ string) {
			w.Header().Set("Link", "<"+strings.TrimPrefix(foreign, "https:")+`/next>; rel=next`)
			fmt.Fprint(w, "text")
		}, acquire.ReasonForeignLink},
		{"redirect", func(w http.ResponseWriter, foreign, _ string) {
			w.Header().Set("Location", foreign+"/next")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, acquire.ReasonRedirect},
		{"the token in the next link", func(w http.ResponseWriter, _, token string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"value":[1],"@odata.nextLink":"/next?x=%s"}`, token)
		}, acquire.ReasonBadLink},
		{"the token in the error", func(w http.ResponseWriter, _, token string) {
			w.Header().Set("x-ms-diagnostics", "no: "+token)
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"code":"x","message":"no: %s"}}`, token)
		}, acquire.ReasonBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			foreign := canary(t)
			asked := 0
			s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				c.answer(w, foreign, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			})
			b := newBench(t, "", simtenant.Options{})
			res, err := b.ask(roots, nil, s.URL+"/first")
			if err != nil {
				t.Fatal(err)
			}
			state := evidence.Partial
			if res.Pages == 0 {
				state = evidence.Failed
			}
			closed(t, b.files(), res, state, c.reason)
			if asked != 1 {
				t.Errorf("%d requests reached the server", asked)
			}
			if secret := b.Token(); strings.Contains(res.Text, secret) || strings.Contains(res.Text, secret[len(secret)-20:]) {
				t.Errorf("the token stands in %q", res.Text)
			}
		})
	}
}

// TestEndlessPages: paging that does not end is ended, and the next run may go on.
func TestEndlessPages(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestEndlessPages (-short)")
	}
	n := 0
	rows := "[1]"
	s, roots := server(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"value":%s,"@odata.nextLink":"?page=%d"}`, rows, n)
	})
	b := newBench(t, "", simtenant.Options{})
	for run := int64(1); run <= 2; run++ {
		res, err := b.ask(roots, func(o *acquire.Options) { o.MaxPages = 50 }, s.URL+"/list")
		if err != nil {
			t.Fatal(err)
		}
		closed(t, b.files(), res, evidence.Partial, acquire.ReasonPageBudget)
		if res.Pages != 50*run || res.Records != 50*run || res.Asked != 50 {
			t.Errorf("run %d: %+v", run, res)
		}
	}
	rows = "[]"
	res, err := b.ask(roots, nil, s.URL+"/empty")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonEmptyPages)
	if res.Pages != 1000 || res.Records != 0 {
		t.Errorf("%+v", res)
	}
}

// TestUnreachable: a certificate that is not trusted ends at once, a host that does not answer after bounded waits.
func TestUnreachable(t *testing.T) {
	s, roots := server(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came") })
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(x509.NewCertPool(), nil, s.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Failed, acquire.ReasonTLS)
	if n := len(b.clock.waited); n > 0 {
		t.Errorf("waited %d times for a certificate to become another", n)
	}
	url := s.URL
	s.Close()
	res, err = b.ask(roots, nil, url+"/", url+"/2", url+"/3")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Failed, acquire.ReasonNetwork)
	if n := len(b.clock.waited); n != 7 || res.Requests != 0 {
		t.Errorf("waited %d times, %+v", n, res)
	}
	entries, _ := read(t, b.files())
	failed, chain := 0, false
	for _, e := range entries {
		if c, ok := e.Body.(*evidence.Connection); ok && c.Error != "" {
			failed++
			chain = chain || len(e.Detail.Records) == 1
		}
	}
	if failed != 9 || !chain {
		t.Errorf("%d failed connections are recorded, want 9; one with the refused certificate: %v", failed, chain)
	}
}

// TestStormIsBounded: 5,000 refusals in a row are not all waited for.
func TestStormIsBounded(t *testing.T) {
	b := newBench(t, "429@1+:retry-after=600", simtenant.Options{})
	res, err := b.acquire(func(o *acquire.Options) { o.Retry.Attempts = 5000 })
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Failed, acquire.ReasonThrottled)
	if n := len(b.clock.waited); n != 24 || res.Requests != 25 { // two hours in waits of five minutes
		t.Errorf("%d waits, %d requests", n, res.Requests)
	}
}

// TestManyURLs works on many chains at once; some have pages, some fail, and the window says which.
func TestManyURLs(t *testing.T) {
	pages := map[string][][]byte{}
	var want []string
	var given []string
	b := newBench(t, "", simtenant.Options{Pages: pages})
	for i := range 40 {
		set := fmt.Sprintf("set%d", i)
		for n := range i%4 + 1 {
			body := fmt.Sprintf(`{"value":[{"Id":"%s-%d"}]}`, set, n)
			pages[set] = append(pages[set], []byte(body))
			want = append(want, fmt.Sprintf("%s-%d", set, n))
		}
		link := "header"
		if i%2 == 0 {
			link = "body"
		}
		given = append(given, fmt.Sprintf("%s/pages/%s/1?link=%s", b.url, set, link))
	}
	b = newBench(t, "", simtenant.Options{Pages: pages})
	for i := range given {
		_, path, _ := strings.Cut(strings.TrimPrefix(given[i], "https://"), "/")
		given[i] = b.url + "/" + path
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("# a list\n\n"+strings.Join(given, "\r\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	most := atomic.Int64{}
	run := func(parallel int) (*acquire.Result, error) {
		return b.ask(b.roots, func(o *acquire.Options) {
			o.Params.Values = map[string][]string{"url-file": {list}}
			o.Parallel = parallel
			o.Progress = func(e acquire.Event) { most.Store(max(most.Load(), e.Ended)) }
		})
	}
	res, err := run(8)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	ids := b.ids()
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) || res.Records != int64(len(want)) || most.Load() != 40 {
		t.Errorf("%d ids, want %d; %+v; %d chains ended", len(ids), len(want), res, most.Load())
	}
	res, err = b.ask(b.roots, func(o *acquire.Options) { o.Parallel = 4 }, append(given[:3:3], b.url+"/pages/none/1", b.url+"/pages/none/2")...)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonNotFound)
	if !strings.Contains(res.Text, "2 of 5 chains ended with not-found") || res.Pages != 6 {
		t.Errorf("%+v", res)
	}
}

// TestManyURLsInterrupted stops a run over many chains again and again, at a place where many are half done.
func TestManyURLsInterrupted(t *testing.T) {
	pages := map[string][][]byte{}
	for i := range 30 {
		for n := range 3 {
			pages[fmt.Sprint(i)] = append(pages[fmt.Sprint(i)], fmt.Appendf(nil, `{"value":[{"Id":"%d-%d"}]}`, i, n))
		}
	}
	b := newBench(t, "", simtenant.Options{Pages: pages})
	var given []string
	for i := range 30 {
		given = append(given, fmt.Sprintf("%s/pages/%d/1", b.url, i))
	}
	var res *acquire.Result
	err := acquire.ErrInterrupted
	runs := 0
	for ; errors.Is(err, acquire.ErrInterrupted) && runs < 100; runs++ {
		stop := make(chan struct{})
		taken := 0
		res, err = b.ask(b.roots, func(o *acquire.Options) {
			o.Parallel, o.Stop = 4, stop
			o.Progress = func(e acquire.Event) {
				if e.Kind == acquire.EventPage {
					if taken++; taken == 7 {
						close(stop)
					}
				}
			}
		}, given...)
	}
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Pages != 90 || runs < 3 || len(b.twice()) > 0 {
		t.Errorf("%d runs, %+v, asked for twice: %q", runs, res, b.twice())
	}
}

// TestHaltedRunCounts: a run that ends early for all chains counts what earlier runs took in chains that it did not come to.
func TestHaltedRunCounts(t *testing.T) {
	pages := map[string][][]byte{"a": {[]byte(`{"value":[1]}`)}, "b": {[]byte(`{"value":[1,2]}`)}, "c": {[]byte(`{"value":[1,2,3]}`)}}
	b := newBench(t, "500@1,401@4+", simtenant.Options{Pages: pages})
	given := []string{b.url + "/pages/a/1", b.url + "/pages/b/1", b.url + "/pages/c/1"}
	once := func(o *acquire.Options) { o.Retry.Attempts = 1 }
	res, err := b.ask(b.roots, once, given...)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonServerError)
	if res.Pages != 2 || res.Records != 5 {
		t.Errorf("%+v", res)
	}
	res, err = b.ask(b.roots, once, given...)
	if !errors.Is(err, acquire.ErrAuth) {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonUnauthorized)
	if res.Pages != 2 || res.Records != 5 || res.Asked != 1 {
		t.Errorf("%+v", res)
	}
}

// TestUsage: what cannot be used is refused before anything is written or asked.
func TestUsage(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	before, _ := read(t, b.files())
	for _, flags := range [][]string{
		{"page-size", "1001"}, {"api-version", "v3.0"}, {"start", "2018-05-01"}, {"order", "Subject"}, {"select", "Id,Subject"}, {"type", "a b"}, {"colour", "blue"},
		{"base-url", "https://a.example/path"}, {"user", ""}, {"max", "0"},
	} {
		_, err := b.acquire(nil, flags...)
		var usage *acquire.UsageError
		if !errors.As(err, &usage) || usage.Flag != flags[0] {
			t.Errorf("%q: %v", flags, err)
		}
	}
	for _, given := range [][]string{{}, {"/relative"}, {b.url + "/a", "https://other.example/b"}, {b.url + "/a b"}, {b.url + "/#f"}} {
		_, err := b.ask(b.roots, nil, given...)
		var usage *acquire.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%q: %v", given, err)
		}
	}
	if after, _ := read(t, b.files()); len(after) != len(before) || len(b.Requests()) != 0 {
		t.Errorf("%d entries were written, %d requests made", len(after)-len(before), len(b.Requests()))
	}
}

// TestLargeAnswer passes an answer through spool files and reads it back when the run is continued.
func TestLargeAnswer(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 400_000)
	fail := true
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/1":
			fmt.Fprintf(w, `{"value":["%s"],"@odata.nextLink":"/2"}`, big)
		case fail:
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, `{"value":[2]}`)
		}
	})
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, nil, s.URL+"/1")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonNotFound)
	fail = false
	res, err = b.ask(roots, nil, s.URL+"/1")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Pages != 2 || res.Asked != 1 {
		t.Errorf("%+v", res)
	}
	if left, err := filepath.Glob(filepath.Join(b.dir, "work", "*.spool")); err != nil || len(left) > 0 {
		t.Errorf("spool files are left: %q, %v", left, err)
	}
}

// TestDiskFull: when nothing more can be recorded the run ends with an error and nothing is said to be complete.
func TestDiskFull(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	full := errors.New("no space left on device")
	c := b.open()
	defer func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	o := b.options(failing{c, func(d *evidence.Draft) error {
		if n++; n > 5 {
			return full
		}
		return nil
	}}, "page-size", "500")
	res, err := acquire.Run(context.Background(), o)
	if !errors.Is(err, full) || res.State != evidence.Opened {
		t.Errorf("%+v, %v", res, err)
	}
}

// failing is a case that refuses entries.
type failing struct {
	acquire.Case
	refuse func(*evidence.Draft) error
}

func (f failing) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	if err := f.refuse(d); err != nil {
		return nil, err
	}
	return f.Case.Append(ctx, d)
}

// TestIdleConnectionGone: a server that closes idle connections costs an attempt and no wait.
func TestIdleConnectionGone(t *testing.T) {
	n := 0
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 2 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"value":[%d]}`, n)
	})
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, nil, s.URL+"/1", s.URL+"/2")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Requests != 3 || len(b.clock.waited) != 0 {
		t.Errorf("%+v after waits of %v", res, b.clock.waited)
	}
}
