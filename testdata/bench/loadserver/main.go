// Loadserver serves pages on loopback, over TLS and plain, the same bytes in every run.
//
//	GET /pages/SIZE/N[?coding=gzip][&transfer=chunked]    page N of about SIZE KB: 1, 5, 50 or 500
//	GET /chains/SIZE/CHAIN/N?length=L                     the same with a link to page N+1 of the chain, but for page L
//
//	loadserver -ca FILE [-seed S]
//
// It takes ports that are free, writes the certificate that a client must trust to FILE, and prints its two origins when it is ready.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/exhibit-dfir/exhibit/testdata/bench/pages"
)

const chunk = 8 << 10

// set is the pages of one size. They are served again and again: what a client keeps is not made smaller by that.
type set struct{ plain, packed [][]byte }

// size says how many different pages of a size there are.
type size struct{ kb, pages int }

func sizes() []size { return []size{{1, 4000}, {5, 2000}, {50, 500}, {500, 80}} }

// server knows the pages by size in KB.
type server map[string]*set

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "", "file for the certificate")
	seed := flag.Uint64("seed", 7, "seed of the pages")
	flag.Parse()
	if *ca == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*ca, *seed); err != nil {
		log.Fatalf("loadserver: %v", err)
	}
}

func serve(ca string, seed uint64) error {
	s, err := newServer(seed, sizes())
	if err != nil {
		return err
	}
	certificate, text, err := certify()
	if err != nil {
		return err
	}
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s.mux(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	failed := make(chan error, 2)
	go func() { failed <- h.Serve(plain) }()
	go func() { failed <- h.ServeTLS(secure, "", "") }()
	fmt.Printf("http://%s https://%s\n", plain.Addr(), secure.Addr())
	return <-failed
}

func newServer(seed uint64, sizes []size) (server, error) {
	s := server{}
	for _, size := range sizes {
		m := pages.New(seed)
		of := &set{}
		for range size.pages {
			body := m.Page(size.kb * 1000).Body
			packed, err := pack(body)
			if err != nil {
				return nil, err
			}
			of.plain, of.packed = append(of.plain, body), append(of.packed, packed)
		}
		s[strconv.Itoa(size.kb)] = of
	}
	return s, nil
}

func pack(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (s server) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pages/{size}/{n}", s.page)
	mux.HandleFunc("GET /chains/{size}/{chain}/{n}", s.chain)
	return mux
}

// number is a number in the path, -1 if there is none.
func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return -1
	}
	return n
}

func (s server) page(w http.ResponseWriter, r *http.Request) {
	of, n := s[r.PathValue("size")], number(r, "n")
	if of == nil || n < 0 {
		http.NotFound(w, r)
		return
	}
	bodies := of.plain
	if r.URL.Query().Get("coding") == "gzip" {
		bodies = of.packed
		w.Header().Set("Content-Encoding", "gzip")
	}
	body := bodies[n%len(bodies)]
	head(w, n)
	if r.URL.Query().Get("transfer") == "chunked" {
		sendChunked(w, body)
		return
	}
	send(w, body)
}

func (s server) chain(w http.ResponseWriter, r *http.Request) {
	of, chain, n := s[r.PathValue("size")], number(r, "chain"), number(r, "n")
	length, err := strconv.Atoi(r.URL.Query().Get("length"))
	if of == nil || err != nil || chain < 0 || n < 1 || n > length {
		http.NotFound(w, r)
		return
	}
	body := of.plain[(chain*length+n)%len(of.plain)]
	head(w, n)
	if n == length {
		send(w, body)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	send(w, pages.LinkTo(fmt.Sprintf("%s://%s/chains/%s/%d/%d?length=%d", scheme, r.Host, r.PathValue("size"), chain, n+1, length)), body[1:])
}

// head sets what such services send besides.
func head(w http.ResponseWriter, n int) {
	h := w.Header()
	h.Set("Content-Type", "application/json;odata.metadata=minimal")
	h.Set("request-id", fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n)*0x9E3779B1, n))
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"AM0001"}}`)
}

// send sends parts with their length. A client that has gone is none of our business.
func send(w http.ResponseWriter, parts ...[]byte) {
	length := 0
	for _, p := range parts {
		length += len(p)
	}
	w.Header().Set("Content-Length", strconv.Itoa(length))
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return
		}
	}
}

func sendChunked(w http.ResponseWriter, body []byte) {
	out := http.NewResponseController(w)
	for len(body) > 0 {
		n := min(chunk, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		body = body[n:]
	}
}

// certify makes a certificate for loopback that is its own authority.
func certify() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "load server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 7), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
