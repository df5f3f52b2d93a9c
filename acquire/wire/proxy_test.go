package wire_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
)

func proxyURL(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const connectRequest = "CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\nUser-Agent: exhibit\r\n"

func TestProxyConnect(t *testing.T) {
	const answer = "HTTP/1.1 200 Go\r\nVia: x\r\n\r\n"
	for _, scheme := range []string{"http", "https"} {
		var connect []byte
		p := &peer{script: func(c net.Conn) {
			connect = readRequest(c)
			io.WriteString(c, answer)
			s := tls.Server(c, serverTLS(t))
			defer s.Close()
			reply([]byte("HTTP/1.1 204 None\r\nConnection: close\r\n\r\n"))(s)
		}}
		if scheme == "https" {
			p.tls = serverTLS(t)
		}
		r, sink := setup(t, p, func(o *wire.Options) {
			o.Origin, o.RootCAs = "https://"+host, identity(t).pool
			o.Proxy = proxyURL(t, scheme+"://u:"+url.QueryEscape(canary)+"@"+host+":3128")
		})
		x, err := get(r, "https://"+host, "/")
		if err != nil || x.Status != 204 {
			t.Fatalf("%s: %+v, %v", scheme, x, err)
		}
		p.wg.Wait()
		c := sink.connections[0]
		if len(sink.connections) != 1 || c.Address != host+":3128" || c.Proxy.URL != scheme+"://"+host+":3128" || c.Proxy.Status != 200 ||
			string(c.Proxy.Response) != answer || !c.TLS.Verified || (c.Proxy.TLS != nil) != (scheme == "https") {
			t.Errorf("%s: connection %+v, proxy %+v", scheme, c, c.Proxy)
		}
		if want := connectRequest + "Proxy-Authorization: Basic REDACTED\r\n\r\n"; string(c.Proxy.Request) != want || len(c.Proxy.Redactions) != 1 {
			t.Errorf("%s: stored CONNECT %q, want %q", scheme, c.Proxy.Request, want)
		}
		// "u:" and the canary, by an encoder outside this package: printf %s 'u:canary-…' | base64
		const basic = "dTpjYW5hcnktN2YzYSs5Lz09LXNlY3JldA=="
		if want := connectRequest + "Proxy-Authorization: Basic " + basic + "\r\n\r\n"; string(connect) != want {
			t.Errorf("%s: proxy received %q, want %q", scheme, connect, want)
		}
		noCanary(t, sink)
	}
}

func TestProxyRefuses(t *testing.T) {
	for name, answer := range map[string]string{
		"407":     "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
		"cut":     "HTTP/1.1 200",
		"garbage": "SSH-2.0-x\r\n",
		"excess":  "HTTP/1.1 200 OK\r\n\r\n\x16\x03",
		"nothing": "",
		"endless": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", 20000),
	} {
		p := &peer{script: reply([]byte(answer))}
		p.room = true
		r, sink := setup(t, p, func(o *wire.Options) {
			o.Origin, o.Proxy = "https://"+host, proxyURL(t, "http://"+host+":3128")
		})
		x, err := get(r, "https://"+host, "/")
		if x != nil || !errors.Is(err, wire.ErrProxy) {
			t.Errorf("%s: %v, %v", name, x, err)
		}
		c := sink.connections[0]
		if len(sink.exchanges) != 0 || c.Err == "" || !c.Established.IsZero() || !bytes.HasPrefix([]byte(answer), c.Proxy.Response) {
			t.Errorf("%s: connection %+v, proxy %+v", name, c, c.Proxy)
		}
		if name == "407" && (c.Proxy.Status != 407 || string(c.Proxy.Response) != answer) {
			t.Errorf("proxy %+v", c.Proxy)
		}
	}
}

func TestProxyPlain(t *testing.T) {
	var got []byte
	p := &peer{script: keep(&got, 0)}
	r, sink := setup(t, p, func(o *wire.Options) { o.Proxy = proxyURL(t, "http://u:"+url.QueryEscape(canary)+"@proxy.test:3128") })
	x, err := get(r, "http://"+host, "/a?b")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(got, []byte("GET http://api.example.test/a?b HTTP/1.1\r\nHost: api.example.test\r\n")) || !bytes.Contains(got, []byte("Proxy-Authorization: Basic dTpj")) {
		t.Errorf("proxy received %q", got)
	}
	if len(x.Redactions) != 1 || p.dialed[0] != "proxy.test:3128" {
		t.Errorf("redactions %+v, dialled %q", x.Redactions, p.dialed)
	}
	noCanary(t, sink)
}

func TestTLSRefused(t *testing.T) {
	k := identity(t)
	for name, c := range map[string]struct {
		conf  *tls.Config
		chain [][]byte
	}{
		"wrong host":  {&tls.Config{Certificates: []tls.Certificate{k.otherHost}}, k.otherHost.Certificate},
		"self-signed": {&tls.Config{Certificates: []tls.Certificate{k.selfSigned}}, k.selfSigned.Certificate},
		"expired":     {&tls.Config{Certificates: []tls.Certificate{k.cert}}, k.cert.Certificate},
		"TLS 1.1":     {&tls.Config{Certificates: []tls.Certificate{k.cert}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, nil},
	} {
		p := &peer{script: reply([]byte("HTTP/1.1 204 None\r\n\r\n")), tls: c.conf, room: true}
		r, sink := setup(t, p, func(o *wire.Options) {
			if name == "expired" {
				o.Now = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
			}
		})
		x, err := get(r, "https://"+host, "/")
		if x != nil || !errors.Is(err, wire.ErrTLS) {
			t.Errorf("%s: %v, %v", name, x, err)
			continue
		}
		h := sink.connections[0].TLS
		if h.Verified || h.Err == "" || h.Pool != "own" || len(h.Chain) != len(c.chain) || len(sink.exchanges) != 0 {
			t.Errorf("%s: %+v", name, h)
		}
		for i := range c.chain {
			if !bytes.Equal(h.Chain[i], c.chain[i]) {
				t.Errorf("%s: certificate %d differs", name, i)
			}
		}
	}
}

func TestTLSRecorded(t *testing.T) {
	conf := serverTLS(t)
	conf.MaxVersion = tls.VersionTLS12
	conf.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	conf.NextProtos = []string{"h2", "http/1.1"}
	conf.ClientAuth = tls.RequestClientCert
	p := &peer{script: reply([]byte("HTTP/1.1 204 None\r\nConnection: close\r\n\r\n")), tls: conf}
	r, sink := setup(t, p, nil)
	if _, err := get(r, "https://"+host, "/"); err != nil {
		t.Fatal(err)
	}
	c := sink.connections[0]
	h := c.TLS
	if h.Version != "TLS 1.2" || h.CipherSuite != "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" || h.ALPN != "http/1.1" || h.ServerName != host ||
		!h.Verified || h.Pool != "own" || h.Err != "" || len(h.Chain) != 2 || !bytes.Equal(h.Chain[1], identity(t).cert.Certificate[1]) {
		t.Errorf("%+v", h)
	}
	if c.Ordinal != 1 || c.Started.IsZero() || c.Established.Before(c.Started) || c.RemoteAddr != "pipe" || c.Err != "" {
		t.Errorf("%+v", c)
	}
	// A server that speaks h2 alone is spoken to in HTTP/1.1: nothing else is ever offered.
	h2 := &peer{script: reply([]byte("HTTP/1.1 204 None\r\nConnection: close\r\n\r\n")), tls: serverTLS(t), room: true}
	h2.tls.NextProtos = []string{"h2"}
	rh2, sinkh2 := setup(t, h2, nil)
	if x, err := get(rh2, "https://"+host, "/"); err != nil || x.Proto != "HTTP/1.1" || sinkh2.connections[0].TLS.ALPN != "" {
		t.Errorf("h2: %v, %+v", err, sinkh2.connections[0].TLS)
	}
	// Without an own pool the test's CA is unknown.
	p2 := &peer{script: reply(), tls: serverTLS(t), room: true}
	r2, sink2 := setup(t, p2, func(o *wire.Options) { o.RootCAs = nil })
	if _, err := get(r2, "https://"+host, "/"); !errors.Is(err, wire.ErrTLS) || sink2.connections[0].TLS.Pool != "system" {
		t.Errorf("%v, %+v", err, sink2.connections[0].TLS)
	}
}

// TestNoUserInfoInErrors: an origin or proxy that cannot be used is named without the user information in it, wherever that came to stand.
func TestNoUserInfoInErrors(t *testing.T) {
	sink := &memory{}
	for _, raw := range []string{
		"ftp://ann:s3cret@proxy.example:3128", "http://ann:s3cret@proxy.example:3128/path", "http://ann:s3cret@proxy.example:3128?q=1", "ann:s3cret@proxy.example:3128",
		"http:ann:s3cret@proxy.example:3128", "http://ann:s3@cret@proxy.example/a", "http://ann:80/s3cret@proxy.example", "http://ann:80?s3cret@proxy.example", "http://ann:80#s3cret@proxy.example",
		"http:///ann:s3cret@proxy.example", "http://ann:s3cret@proxy.example:99999",
	} {
		o := wire.Options{Origin: "https://" + host, SpoolDir: t.TempDir(), Sink: sink, Proxy: proxyURL(t, raw)}
		_, viaProxy := wire.New(o)
		_, asOrigin := wire.New(wire.Options{Origin: raw, SpoolDir: o.SpoolDir, Sink: sink})
		if viaProxy == nil || asOrigin == nil {
			t.Fatalf("%q is taken: %v, %v", raw, viaProxy, asOrigin)
		}
		for _, err := range []error{viaProxy, asOrigin} {
			if strings.Contains(err.Error(), "s3") || strings.Contains(err.Error(), "cret") || strings.Contains(err.Error(), "ann") {
				t.Errorf("%q: error %v", raw, err)
			}
		}
		if !strings.Contains(viaProxy.Error(), "proxy.example") {
			t.Errorf("%q: error %v does not name the host", raw, viaProxy)
		}
	}
}
