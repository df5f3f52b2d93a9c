package hostile

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// handshakes is row S8 and, at its end, row S10. The certificate is what the server shows; config changes what the server does beyond.
var handshakes = []struct {
	name          string
	cert          func(c *certs) (tls.Certificate, error) // nil for a good one
	config        func(*tls.Config)
	answer        string // nothing for the usual page
	state, reason string
	chain         int    // certificates that are recorded
	version, alpn string // of the connection entry
	says          string // the error of the connection entry, or of the exchange
}{
	{name: "good", state: evidence.Complete, chain: 2, version: "TLS 1.3"},
	{name: "expired", cert: changed(func(t *x509.Certificate) { t.NotAfter = time.Date(2018, 6, 11, 11, 0, 0, 0, time.UTC) }), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "expired"},
	{name: "not yet valid", cert: changed(func(t *x509.Certificate) { t.NotBefore = time.Date(2018, 6, 11, 13, 0, 0, 0, time.UTC) }), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "not yet valid"},
	{name: "other name", cert: changed(named("api.example")), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "127.0.0.1"},
	{name: "other address", cert: changed(named("127.0.0.2", "::1", "localhost")), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "127.0.0.2"},
	{name: "address as a name", cert: changed(func(t *x509.Certificate) { t.IPAddresses, t.DNSNames = nil, []string{"127.0.0.1"} }), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "IP SANs"},
	{name: "common name alone", cert: changed(func(t *x509.Certificate) { t.IPAddresses, t.DNSNames, t.Subject.CommonName = nil, nil, "127.0.0.1" }), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "Common Name"},
	{name: "for clients", cert: changed(func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "key usage"},
	{name: "signed by itself", cert: func(c *certs) (tls.Certificate, error) { return c.signedBy(nil) }, state: evidence.Failed, reason: acquire.ReasonTLS, chain: 1, says: "unknown authority"},
	{name: "signed by a leaf", cert: func(c *certs) (tls.Certificate, error) { return c.signedBy(&c.good) }, state: evidence.Failed, reason: acquire.ReasonTLS, chain: 3, says: "x509"},
	{name: "signed by another authority of the same name", cert: func(*certs) (tls.Certificate, error) { c, err := makeCerts(); return c.good, err }, state: evidence.Failed, reason: acquire.ReasonTLS, chain: 2, says: "authority"},
	{name: "without the authority", cert: func(c *certs) (tls.Certificate, error) {
		k := c.good
		k.Certificate = k.Certificate[:1]
		return k, nil
	}, state: evidence.Complete, chain: 1, version: "TLS 1.3"},
	{name: "with 60 others behind it", cert: func(c *certs) (tls.Certificate, error) {
		k := c.good
		k.Certificate = append([][]byte{}, k.Certificate...)
		for range 60 {
			k.Certificate = append(k.Certificate, c.ca.Raw)
		}
		return k, nil
	}, state: evidence.Complete, chain: 62, version: "TLS 1.3"},
	{name: "with 3,000 others behind it", cert: func(c *certs) (tls.Certificate, error) {
		k := c.good
		k.Certificate = append([][]byte{}, k.Certificate...)
		for range 3000 {
			k.Certificate = append(k.Certificate, c.ca.Raw)
		}
		return k, nil
	}, state: evidence.Failed, reason: acquire.ReasonNetwork, says: "exceeds maximum"},
	{name: "TLS 1.0", config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }, state: evidence.Failed, reason: acquire.ReasonNetwork, says: "protocol version"},
	{name: "TLS 1.1", config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, state: evidence.Failed, reason: acquire.ReasonNetwork, says: "protocol version"},
	{name: "TLS 1.2", config: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, state: evidence.Complete, chain: 2, version: "TLS 1.2"},
	{name: "TLS 1.2 with CBC and SHA-1 alone", config: func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}
	}, state: evidence.Failed, reason: acquire.ReasonNetwork, says: "handshake failure"},
	{name: "asks for a client's certificate", config: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, state: evidence.Complete, chain: 2, version: "TLS 1.3"},
	{name: "demands a client's certificate", config: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, state: evidence.Failed, reason: acquire.ReasonBrokenAnswer, chain: 2, version: "TLS 1.3", says: "certificate required"},
	{name: "demands a client's certificate, TLS 1.2", config: func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }, state: evidence.Failed, reason: acquire.ReasonNetwork, chain: 2, says: "handshake failure"},

	{name: "h2 before http/1.1", config: func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, state: evidence.Complete, chain: 2, version: "TLS 1.3", alpn: "http/1.1"},
	{name: "h2 alone, speaks HTTP/1.1", config: func(c *tls.Config) { c.NextProtos = []string{"h2"} }, state: evidence.Complete, chain: 2, version: "TLS 1.3"},
	{name: "h2 alone, speaks HTTP/2", config: func(c *tls.Config) { c.NextProtos = []string{"h2"} }, answer: "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", state: evidence.Failed,
		reason: acquire.ReasonBrokenAnswer, chain: 2, version: "TLS 1.3"},
	{name: "another protocol alone", config: func(c *tls.Config) { c.NextProtos = []string{"acme-tls/1"} }, state: evidence.Failed, reason: acquire.ReasonNetwork, says: "no application protocol"},
}

func changed(change func(*x509.Certificate)) func(*certs) (tls.Certificate, error) {
	return func(c *certs) (tls.Certificate, error) {
		t := template("localhost", "127.0.0.1")
		change(t)
		return c.leaf(t)
	}
}

func named(names ...string) func(*x509.Certificate) {
	return func(t *x509.Certificate) {
		n := template(names...)
		t.DNSNames, t.IPAddresses = n.DNSNames, n.IPAddresses
	}
}

// signedBy makes a leaf that is signed by another one, or by itself.
func (c *certs) signedBy(parent *tls.Certificate) (tls.Certificate, error) {
	t := template("127.0.0.1")
	if parent == nil {
		der, err := x509.CreateCertificate(rand.Reader, t, t, c.own.Public(), c.own)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.own}, err
	}
	above, err := x509.ParseCertificate(parent.Certificate[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, above, c.own.Public(), c.own)
	return tls.Certificate{Certificate: append([][]byte{der}, parent.Certificate...), PrivateKey: c.own}, err
}

// TestTLS is rows S8 and S10: below TLS 1.2 and with a certificate that is not good nothing is sent; the chain is recorded all the same, and what is spoken is HTTP/1.1.
func TestTLS(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	d := newDesk(t)
	for _, h := range handshakes {
		cert := c.good
		if h.cert != nil {
			var err error
			if cert, err = h.cert(c); err != nil {
				t.Fatal(h.name, err)
			}
		}
		conf := &tls.Config{Certificates: []tls.Certificate{cert}}
		if h.config != nil {
			h.config(conf)
		}
		s := serve(t, conf, func(conn net.Conn, _ *request) bool {
			if h.answer != "" {
				say(conn, h.answer)
				return false
			}
			return say(conn, page(`{"value":[{"Id":"a"}]}`))
		})
		res := d.mailbox(s.origin, "a", nil)
		if res.State != h.state || res.Reason != h.reason {
			t.Errorf("%s: %s, %q (%s); want %s, %q", h.name, res.State, res.Reason, res.Text, h.state, h.reason)
		}
		if n := len(s.requests()); n > 0 && (h.reason == acquire.ReasonTLS || h.reason == acquire.ReasonNetwork) {
			t.Errorf("%s: %d requests came", h.name, n)
		}
		entries := d.entries()
		var last *evidence.Connection
		chain, trouble := "", ""
		for _, e := range entries {
			switch b := e.Body.(type) {
			case *evidence.Connection:
				last, trouble, chain = b, b.Error, ""
				if len(e.Located) > 0 {
					chain = d.blockOf(e, 0)
				}
			case *evidence.Exchange:
				trouble += b.Error
			}
		}
		good := h.reason != acquire.ReasonTLS && h.reason != acquire.ReasonNetwork
		if last.Verified != good || last.Roots != "file" || last.TLSVersion != h.version || last.Protocol != h.alpn {
			t.Errorf("%s: connection %+v", h.name, last)
		}
		if n := strings.Count(chain, "BEGIN CERTIFICATE"); n != h.chain {
			t.Errorf("%s: %d certificates are recorded, want %d", h.name, n, h.chain)
		}
		if !strings.Contains(trouble, h.says) {
			t.Errorf("%s: the entries say %q, want %q", h.name, trouble, h.says)
		}
		s.close()
	}
	t.Logf("%d servers", len(handshakes))
}

// TestRenegotiation: a server that wants to negotiate anew when it has the request is refused. Only another implementation can ask for that.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip("NOT TESTED: renegotiation: ", err)
	}
	c := certificates(t)
	dir := t.TempDir()
	key, err := x509.MarshalECPrivateKey(c.own)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cert.pem": pemOf(c.good.Certificate[0]), "key.pem": pemTyped("EC PRIVATE KEY", key)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, "s_server", "-accept", addr, "-tls1_2", "-cert", "cert.pem", "-key", "key.pem", "-naccept", "1", "-client_renegotiation")
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	accepting := make(chan struct{})
	ended := make(chan struct{})
	go func() { // when the request has come, the wish
		defer close(ended)
		var seen strings.Builder
		b := make([]byte, 4096)
		listens, said := false, false
		for {
			n, err := out.Read(b)
			seen.Write(b[:n])
			if strings.Contains(seen.String(), "ACCEPT") && !listens {
				listens = true
				close(accepting)
			}
			if !said && strings.Contains(seen.String(), "Connection: keep-alive\r\n\r\n") {
				said = true
				_, _ = io.WriteString(in, "R\n") // a server that is gone shows below
			}
			if err != nil {
				return
			}
		}
	}()
	<-accepting
	res := d.list(nil, "https://"+addr+"/")
	in.Close()
	<-ended
	_ = cmd.Wait() // how it ends is its own affair
	if res.State != evidence.Failed || res.Reason != acquire.ReasonBrokenAnswer {
		t.Errorf("%s, %q (%s)", res.State, res.Reason, res.Text)
	}
	all := d.exchanges()
	if len(all) != 1 || all[0].response != "" || all[0].Ended == "complete" || !strings.Contains(all[0].Error, "renegotiation") {
		t.Errorf("%d exchanges: ended %q with %q, %s", len(all), all[0].Ended, all[0].response, all[0].Error)
	}
}

// TestAuthorities: which authorities are believed is what the command line says, and the case tells which they were. An authority that somebody put into the system's store is believed if none is named, and not otherwise.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: an authority in the system's store; only where the environment names the store")
	}
	l := newLab(t)
	other, err := makeCerts()
	if err != nil {
		t.Fatal(err)
	}
	l.write("other.pem", other.pem)
	l.env = append(l.env, "SSL_CERT_FILE="+filepath.Join(l.dir, "ca.pem"), "SSL_CERT_DIR="+filepath.Join(l.dir, "none"))
	s := serve(t, nil, func(c net.Conn, _ *request) bool { return say(c, page("{}")) })
	for _, c := range []struct {
		name  string
		flags []string
		exit  int
		roots string
	}{
		{"the system's", nil, 0, "system"},
		{"another one", []string{"--ca-file", "other.pem"}, 4, "file"},
		{"the right one", []string{"--ca-file", "ca.pem"}, 0, "file"},
	} {
		before := len(s.requests())
		code, out := l.exhibit(append([]string{"acquire", "http", "--yes", "--again", "--case", caseName, "--token-file", "token", "--patience", "1ns", s.origin + "/"}, c.flags...)...)
		if came := len(s.requests()) - before; code != c.exit || (came > 0) != (c.exit == 0) {
			t.Errorf("%s: exit code %d after %d requests, want %d\n%s", c.name, code, came, c.exit, out)
		}
		d := &desk{t: t, dir: filepath.Join(l.dir, caseName)}
		var last *evidence.Connection
		for _, e := range d.entries() {
			if b, ok := e.Body.(*evidence.Connection); ok {
				last = b
			}
		}
		if last == nil || last.Roots != c.roots || last.Verified != (c.exit == 0) {
			t.Errorf("%s: connection %+v", c.name, last)
		}
	}
}
