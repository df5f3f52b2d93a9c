package stamping_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/stamping"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
)

const tsa = "http://tsa.example/tsa?key=of-a-customer"

// answerer is a transport that answers by itself.
type answerer func(ctx context.Context, url string, query []byte) ([]byte, error)

func (f answerer) Post(ctx context.Context, url string, query []byte) ([]byte, error) {
	return f(ctx, url, query)
}

// simulated is the simulated authority, without a network.
func simulated(t *testing.T, faults string) answerer {
	t.Helper()
	parsed, err := simtenant.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := simtenant.New(simtenant.Options{Faults: parsed})
	if err != nil {
		t.Fatal(err)
	}
	return func(_ context.Context, _ string, query []byte) ([]byte, error) {
		w := httptest.NewRecorder()
		tenant.ServeHTTP(w, httptest.NewRequest("POST", simtenant.TSAPath, bytes.NewReader(query)))
		if w.Code != 200 {
			return nil, fmt.Errorf("answer with status %d", w.Code)
		}
		return w.Body.Bytes(), nil
	}
}

type scene struct {
	m    *sample.Maker
	s    *stamping.Stamper
	told []string
}

func set(t *testing.T, transport stamping.Transport, urls ...string) *scene {
	t.Helper()
	c := &scene{m: sample.New(t, nil)}
	c.s = stamping.New(stamping.Options{Authorities: urls, Transport: transport, Ledger: c.m.W, Now: sample.Clock(), Rand: sample.Rand(5), Operator: "jo", Host: "host.example",
		Told: func(text string) { c.told = append(c.told, text) }})
	return c
}

// entries are the operator entries on timestamps.
func (c *scene) entries(t *testing.T) (ops []*evidence.Operator, blocks []string) {
	t.Helper()
	for b, err := range evidence.Batches(context.Background(), c.m.Folder.FS()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			op, ok := e.Body.(*evidence.Operator)
			if !ok || !strings.HasPrefix(op.Action, "stamp") {
				continue
			}
			ops = append(ops, op)
			block := ""
			if len(e.Detail.Records) == 1 {
				block = e.Detail.Records[0].Block.String()
			}
			blocks = append(blocks, block)
		}
	}
	return ops, blocks
}

func TestStamp(t *testing.T) {
	ctx := context.Background()
	c := set(t, simulated(t, ""), tsa, "http://other.example/")
	if err := c.s.Stamp(ctx); err != nil {
		t.Fatal(err)
	}
	ops, _ := c.entries(t)
	if len(ops) != 2 || ops[0].Action != evidence.ActionStamp || ops[0].Fields[2].Value != "http://tsa.example/tsa" || ops[1].Fields[1].Value != "1.2.tsr" || len(c.told) > 0 {
		t.Fatalf("%+v, told %q", ops, c.told)
	}
	files := c.m.Folder.Files()
	tok, err := rfc3161.Parse(files["data/checkpoints/1.tsr"])
	if err != nil || tok.Over(files["data/checkpoints/1.note"]) != nil || tok.Nonce.Text(16) != ops[0].Fields[3].Value {
		t.Errorf("%+v, %v", tok, err)
	}
}

// TestNothingNew asks nothing where nothing was added.
func TestNothingNew(t *testing.T) {
	asked := 0
	good := simulated(t, "")
	c := set(t, answerer(func(ctx context.Context, u string, q []byte) ([]byte, error) { asked++; return good(ctx, u, q) }), tsa)
	for range 2 {
		if err := c.s.Stamp(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 { // the second time over the first token's own entry
		t.Errorf("asked %d times", asked)
	}
}

// TestRefused keeps what came in place of a token, and goes on.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		fault, want string
		kept        bool
	}{
		{"tsa-reject@1", "clock is not available", true}, {"tsa-busy@1", "status 503", false}, {"tsa-garbage@1", "malformed", true},
		{"tsa-huge@1", "too long", true}, {"tsa-nonce@1", "another query", true}, {"tsa-imprint@1", "something else", true}, {"tsa-redirect@1", "status 307", false},
	} {
		t.Run(c.fault, func(t *testing.T) {
			s := set(t, simulated(t, c.fault), tsa)
			for range 2 {
				if err := s.s.Stamp(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			ops, blocks := s.entries(t)
			if len(ops) != 2 || ops[0].Action != evidence.ActionStampFailed || !strings.Contains(ops[0].Text, c.want) || ops[1].Action != evidence.ActionStamp {
				t.Fatalf("%+v", ops)
			}
			if (blocks[0] != "") != c.kept || len(s.told) != 1 || strings.Contains(s.told[0]+ops[0].Text, "of-a-customer") {
				t.Errorf("kept %q, told %q", blocks[0], s.told)
			}
		})
	}
}

// TestPatience gives an authority up that does not answer; the others' tokens are kept.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := simulated(t, "")
		c := set(t, answerer(func(ctx context.Context, u string, q []byte) ([]byte, error) {
			if u == tsa {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return good(ctx, u, q)
		}), tsa, "http://other.example/")
		began := time.Now()
		if err := c.s.Stamp(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != stamping.Patience {
			t.Errorf("it took %v", took)
		}
		ops, _ := c.entries(t)
		if len(ops) != 2 || ops[0].Action != evidence.ActionStampFailed || !strings.Contains(ops[0].Text, "within 20s") || ops[1].Action != evidence.ActionStamp {
			t.Errorf("%+v", ops)
		}
		c.m.Close()
	})
}

// TestLedgerFails is the one thing that ends the work.
func TestLedgerFails(t *testing.T) {
	c := set(t, simulated(t, ""), tsa)
	c.m.Close()
	if err := c.s.Stamp(context.Background()); !errors.Is(err, evidence.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// client asks a server that answers one connection by script over a pipe.
func client(script func(net.Conn, *http.Request)) *stamping.Client {
	return &stamping.Client{SpoolDir: "/nonexistent", Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			r := bufio.NewReader(far)
			if req, err := http.ReadRequest(r); err == nil {
				req.Body = io.NopCloser(io.LimitReader(req.Body, req.ContentLength))
				body, _ := io.ReadAll(req.Body)
				req.Body = io.NopCloser(bytes.NewReader(body))
				script(far, req)
			}
		}()
		return near, nil
	}}
}

// TestHostileServers lets authorities misbehave on the wire, on a simulated clock (S2, and those that are slow, huge or garbage).
func TestHostileServers(t *testing.T) {
	write := func(s string) func(net.Conn, *http.Request) {
		return func(c net.Conn, _ *http.Request) { io.WriteString(c, s) }
	}
	answer := func(status string, headers string, body string) func(net.Conn, *http.Request) {
		return write("HTTP/1.1 " + status + "\r\n" + headers + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body)
	}
	for _, c := range []struct {
		name   string
		script func(net.Conn, *http.Request)
		want   string
		within time.Duration
	}{
		{"301", answer("301 Moved", "Location: http://elsewhere.example/\r\n", ""), "status 301", 0},
		{"302", answer("302 Found", "Location: http://elsewhere.example/\r\n", ""), "status 302", 0},
		{"307", answer("307 Again", "Location: http://169.254.169.254/\r\n", ""), "status 307", 0},
		{"308", answer("308 Again", "Location: https://tsa.example/\r\n", ""), "status 308", 0},
		{"204", answer("204 No Content", "", ""), "status 204", 0},
		{"silent", func(c net.Conn, _ *http.Request) { io.Copy(io.Discard, c) }, "idle", 15 * time.Second},
		{"slow body", func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
			for range 60000 {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte{0x30}); err != nil {
					return
				}
			}
		}, "cancelled", stamping.Patience},
		{"slow head", func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 60000 {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "X: y\r\n"); err != nil {
					return
				}
			}
		}, "slow", 15 * time.Second},
		{"a body that is announced as 1 TiB", write("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n0"), "cut", 0},
		{"endless chunks", func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for {
				if _, err := io.WriteString(c, "1000\r\n"+strings.Repeat("0", 4096)+"\r\n"); err != nil {
					return
				}
			}
		}, "body-budget", 0},
		{"endless head", func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, "header-budget", 0},
		{"no HTTP", write("SSH-2.0-OpenSSH_9.6\r\n"), "malformed", 20 * time.Second},
		{"cut", write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0"), "cut", 0},
		{"gzip", answer("200 OK", "Content-Encoding: gzip\r\n", "0"), "content coding", 0},
		{"closed at once", func(net.Conn, *http.Request) {}, "no-response", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), stamping.Patience)
				defer cancel()
				began := time.Now()
				asked, dials := client(c.script), 0
				dial := asked.Dial
				asked.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials++
					return dial(ctx, network, addr)
				}
				body, err := asked.Post(ctx, tsa, []byte("query"))
				if dials != 1 {
					t.Errorf("%d connections", dials)
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%q, %v; want %q", body[:min(len(body), 40)], err, c.want)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("it took %v, more than %v", took, c.within)
				}
				time.Sleep(time.Minute) // until the server has noticed
			})
		})
	}
}

// TestClient sends what RFC 3161, section 3.4, says, and gives the body of the answer.
func TestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked *http.Request
		var query []byte
		got, err := client(func(c net.Conn, r *http.Request) {
			asked = r
			query, _ = io.ReadAll(r.Body)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nans\r\n3\r\nwer\r\n0\r\n\r\n")
		}).Post(context.Background(), tsa, []byte("query"))
		if err != nil || string(got) != "answer" || string(query) != "query" {
			t.Fatalf("%q, %v; sent %q", got, err, query)
		}
		if asked.Method != "POST" || asked.RequestURI != "/tsa?key=of-a-customer" || asked.Host != "tsa.example" || asked.Header.Get("Content-Type") != "application/timestamp-query" {
			t.Errorf("%+v", asked)
		}
		for name := range asked.Header {
			if !slices.Contains([]string{"Content-Type", "Accept", "User-Agent", "Accept-Encoding", "Content-Length", "Connection"}, name) {
				t.Errorf("header %s: %q", name, asked.Header[name])
			}
		}
	})
}

// TestProxy asks the proxy that the environment names.
func TestProxy(t *testing.T) {
	c := client(func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0") })
	var dialled, asked string
	dial := c.Dial
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = addr
		return dial(ctx, network, addr)
	}
	c.Proxy = func(origin string) (*url.URL, error) {
		asked = origin
		return url.Parse("http://proxy.example:3128")
	}
	if _, err := c.Post(context.Background(), tsa, []byte("query")); err != nil {
		t.Fatal(err)
	}
	if dialled != "proxy.example:3128" || asked != "http://tsa.example" {
		t.Errorf("dialled %q, asked for %q", dialled, asked)
	}
}
