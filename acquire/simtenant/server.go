package simtenant

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// Server is a tenant, or another simulated service, that listens.
type Server struct {
	address string
	ca      []byte
	server  *http.Server
	done    chan error
}

// Start listens on addr, as [Serve] does.
func (t *Tenant) Start(addr string) (*Server, error) { return Serve(addr, t) }

// Serve lets a handler listen on addr ("127.0.0.1:0" takes a free port) with TLS 1.2 or
// later and HTTP/1.1 only. Its certificate is for localhost, 127.0.0.1 and
// ::1, by a certification authority made at this start, of which nothing but
// the certificate remains. Keys are not of the seed.
func Serve(addr string, handler http.Handler) (*Server, error) {
	leaf, ca, err := certify()
	if err != nil {
		return nil, fmt.Errorf("certificate of the simulated tenant: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("address of the simulated tenant: %w", err)
	}
	var only http.Protocols
	only.SetHTTP1(true)
	s := &Server{
		address: listener.Addr().String(), ca: ca, done: make(chan error, 1),
		server: &http.Server{
			Handler: handler, Protocols: &only,
			TLSConfig:         &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12},
			ReadHeaderTimeout: time.Minute,
			ErrorLog:          log.New(io.Discard, "", 0), // handshakes that clients break off
		},
	}
	go func() { s.done <- s.server.ServeTLS(listener, "", "") }()
	return s, nil
}

// URL is the origin that the server answers at: https, host and port.
func (s *Server) URL() string { return "https://" + s.address }

// CAPEM is the certificate of the authority, in PEM.
func (s *Server) CAPEM() []byte { return append([]byte(nil), s.ca...) }

// Close ends the listener and all connections.
func (s *Server) Close() error {
	err := s.server.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	s.done <- http.ErrServerClosed // Close may be called again
	return err
}

// The certificates are valid whatever clock the client was given.
var (
	notBefore = time.Date(2018, time.January, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)
)

// certify makes an authority and a leaf below it, both ECDSA P-256.
func certify() (leaf tls.Certificate, ca []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return leaf, nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "simulated tenant CA"},
		NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	if err != nil {
		return leaf, nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: new(big.Int).Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: notBefore, NotAfter: notAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, leafKey.Public(), caKey)
	if err != nil {
		return leaf, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: leafKey},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}
