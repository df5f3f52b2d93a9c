package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// certificate is what the replay shows to clients.
type certificate struct {
	tls.Certificate
	pem string // of the leaf
}

// days is for how long a certificate is good that is made for one replay; its key ends with the process.
const days = 30

// selfSigned makes a certificate for the names by which clients may reach the replay. It can sign nothing: to trust it is to trust this one key, for these names. It says so
// by its basic constraints alone: OpenSSL before 3.0 does not find a self-signed certificate that has a key usage without keyCertSign (github.com/openssl/openssl/issues/1418).
func selfSigned(hosts []string, now time.Time) (c certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return c, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "exhibit-verify replay"},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 0, days), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	slices.Sort(hosts)
	for _, h := range slices.Compact(hosts) {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if isName(h) {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return c, err
	}
	return certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}, nil
}

// isName reports whether a host that a case names can stand in a certificate.
func isName(h string) bool {
	return h != "" && len(h) <= 253 && !strings.ContainsFunc(h, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.'
	}) && h[0] != '.' && h[len(h)-1] != '.'
}

// readCertificate reads certificate and key from the files that the flags name.
func readCertificate(certFile, keyFile string) (c certificate, err error) {
	if c.Certificate, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return c, cli.Fail(cli.Usage, fmt.Errorf("--tls-cert %q, --tls-key %q: %w", certFile, keyFile, err), "", "name a certificate and its private key, both in PEM")
	}
	return c, nil
}

// fingerprint is how browsers and curl show which certificate it is.
func (c certificate) fingerprint() string {
	sum := sha256.Sum256(c.Certificate.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
