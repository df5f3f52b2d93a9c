package wire_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// serve starts net/http's server over TLS on loopback.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// loopback makes a recorder for s; the connections go to s whatever the origin's name is.
func loopback(t testing.TB, s *httptest.Server, sink wire.Sink) (*wire.Recorder, string) {
	t.Helper()
	origin := strings.Replace(s.URL, "127.0.0.1", "example.com", 1)
	r, err := wire.New(wire.Options{
		Origin: origin, SpoolDir: t.TempDir(), Sink: sink,
		RootCAs:   s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Authorize: func(context.Context) (string, error) { return "Bearer " + strings.Repeat("eyJ0", 300) + canary, nil },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, origin
}

// TestManyAtOnce: eight goroutines share a recorder; each answer belongs to its request.
func TestManyAtOnce(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if req.ProtoMajor != 1 {
			http.Error(w, "not HTTP/1.1", 500)
		}
		body, _ := io.ReadAll(req.Body)
		if strings.HasSuffix(req.URL.Path, "7") {
			w.(http.Flusher).Flush() // chunked
		}
		fmt.Fprintf(w, "%s %s %s", req.URL.Path, req.Header.Get("client-request-id"), body)
	})
	sink := &memory{}
	r, origin := loopback(t, s, sink)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				path, id := fmt.Sprintf("/%d/%d", g, i), fmt.Sprintf("id-%d-%d", g, i)
				x, err := r.Do(context.Background(), &wire.Request{Method: "POST", URL: origin + path, RequestID: id, Body: []byte("b" + id)})
				if err != nil {
					t.Error(err)
					return
				}
				want := path + " " + id + " b" + id
				payload, err := x.Payload(x.Response)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(payload)
				if err != nil || string(b) != want {
					t.Errorf("%q, %v, want %q", b, err, want)
				}
				if chunked := strings.HasSuffix(path, "7"); (x.Framing == httpblock.FramingChunked) != chunked || len(x.Flags) > 0 {
					t.Errorf("%s: framing %s, flags %q", path, x.Framing, x.Flags)
				}
				l, err := httpblock.ParseResponse(x.Response, x.Response.Size(), x.Method)
				if err != nil || l.Size != x.Size || l.PayloadLength != x.PayloadLength || l.End != x.End {
					t.Errorf("stored: %+v, %v, want %+v", l, err, x.Layout)
				}
			}
		})
	}
	wg.Wait()
	if len(sink.exchanges) != 1600 || len(sink.connections) > 8 {
		t.Errorf("%d exchanges over %d connections", len(sink.exchanges), len(sink.connections))
	}
	perConnection := map[*wire.Connection]int64{}
	for _, x := range sink.exchanges {
		perConnection[x.Connection]++
	}
	for _, x := range sink.exchanges {
		if x.Ordinal < 1 || x.Ordinal > perConnection[x.Connection] || x.Reused != (x.Ordinal > 1) {
			t.Errorf("ordinal %d of %d, reused %v", x.Ordinal, perConnection[x.Connection], x.Reused)
		}
	}
	noCanary(t, sink)
}

type discard struct{}

func (discard) Connection(context.Context, *wire.Connection) error { return nil }
func (discard) Exchange(context.Context, *wire.Exchange) error     { return nil }

// BenchmarkTLS compares Do, into a Sink that does nothing, with net/http's client in HTTP/1.1, over TLS on loopback.
func BenchmarkTLS(b *testing.B) {
	for _, size := range []int{2 << 10, 50 << 10, 500 << 10} {
		body := []byte(strings.Repeat("0123456789abcdef", size/16))
		s := serve(b, func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })
		r, origin := loopback(b, s, discard{})
		b.Run(fmt.Sprintf("recorder/%dK", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				x, err := get(r, origin, "/x")
				if err != nil || x.PayloadLength != int64(len(body)) {
					b.Fatal(err)
				}
				x.Response.Close()
			}
		})
		conf := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		conf.NextProtos = []string{"http/1.1"}
		tr := &http.Transport{TLSClientConfig: conf, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
		client := &http.Client{Transport: tr}
		b.Run(fmt.Sprintf("net-http/%dK", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				resp, err := client.Get(s.URL + "/x")
				if err != nil {
					b.Fatal(err)
				}
				if got, err := io.ReadAll(resp.Body); err != nil || len(got) != len(body) {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
		tr.CloseIdleConnections()
		r.Close()
	}
}
