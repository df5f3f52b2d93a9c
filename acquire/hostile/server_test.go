package hostile

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// request is one request as a server saw it.
type request struct {
	conn          int // of the server, from 1
	target, host  string
	authorization string
	raw           string
}

// server is a TLS server that does what answer does. A connection stays open as long as answer says so.
type server struct {
	origin string
	port   string
	answer func(c net.Conn, r *request) (keep bool)

	listener net.Listener
	conf     *tls.Config
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	count int // of connections
	asked []*request
}

// serve listens on 127.0.0.1. The config may be nil for the usual certificate.
func serve(t testing.TB, conf *tls.Config, answer func(c net.Conn, r *request) bool) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, conf, answer)
}

func serveOn(t testing.TB, l net.Listener, conf *tls.Config, answer func(c net.Conn, r *request) bool) *server {
	t.Helper()
	if conf == nil {
		conf = &tls.Config{Certificates: []tls.Certificate{certificates(t).good}}
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{origin: "https://" + l.Addr().String(), port: port, answer: answer, listener: l, conf: conf, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *server) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.count++
		n := s.count
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			secure := tls.Server(c, s.conf)
			if secure.Handshake() == nil {
				s.talk(secure, n)
			}
		})
	}
}

// talk answers the requests of one connection.
func (s *server) talk(c *tls.Conn, n int) {
	in := bufio.NewReader(c)
	for {
		r, err := readRequest(in)
		if err != nil {
			return
		}
		r.conn = n
		s.mu.Lock()
		s.asked = append(s.asked, r)
		s.mu.Unlock()
		if !s.answer(c, r) {
			c.CloseWrite()
			return
		}
	}
}

// requests are those that came so far.
func (s *server) requests() []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*request(nil), s.asked...)
}

// readRequest reads the head of one request; those of the acquirer have no body.
func readRequest(in *bufio.Reader) (*request, error) {
	var raw bytes.Buffer
	for !bytes.HasSuffix(raw.Bytes(), []byte("\r\n\r\n")) {
		line, err := in.ReadBytes('\n')
		raw.Write(line)
		if err != nil {
			return nil, err
		}
		if raw.Len() > 1<<20 {
			return nil, errors.New("request head too long")
		}
	}
	r := &request{raw: raw.String()}
	first, rest, _ := strings.Cut(r.raw, "\r\n")
	_, target, _ := strings.Cut(first, " ")
	r.target, _, _ = strings.Cut(target, " ")
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch strings.ToLower(name) {
		case "host":
			r.host = value
		case "authorization":
			r.authorization = value
		}
	}
	return r, nil
}

// say writes an answer and keeps the connection; an error is that of a client that went away.
func say(c net.Conn, answer string) bool {
	_, err := io.WriteString(c, answer)
	return err == nil
}

// page is an answer with status 200 and a JSON body.
func page(body string) string { return answer("200 OK", "Content-Type: application/json\r\n", body) }

// answer is one with a length. Each line of header ends in CR LF.
func answer(status, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
}

// certs are a CA and what servers show.
type certs struct {
	pool *x509.CertPool
	pem  []byte
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	good tls.Certificate
}

// certificates makes them once.
var certificates = func() func(testing.TB) *certs {
	var once sync.Once
	var c *certs
	var err error
	return func(t testing.TB) *certs {
		t.Helper()
		once.Do(func() { c, err = makeCerts() })
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}()

func makeCerts() (*certs, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &certs{pool: x509.NewCertPool(), key: key}
	ca := template("hostile CA")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	c.pool.AddCert(c.ca)
	c.pem = pemOf(der)
	c.good, err = c.leaf(template("localhost", "127.0.0.1", "127.0.0.2", "::1"))
	return c, err
}

// template is a certificate for names and addresses.
func template(names ...string) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "hostile"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return c
}

// leaf signs a certificate with the CA.
func (c *certs) leaf(t *x509.Certificate) (tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, c.ca, c.key.Public(), c.key)
	return tls.Certificate{Certificate: [][]byte{der, c.ca.Raw}, PrivateKey: c.key}, err
}
