// Package authority is a time-stamping authority for the simulated service and for tests. It answers honestly, or in any of the ways in which an answer can be wrong.
//
// It vouches for nothing: its keys are made when it is made, and its clock is whatever it is given.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Identity is an authority's certificates and key: a root, and a signer that it certified.
type Identity struct {
	Key    crypto.Signer
	Signer *x509.Certificate
	Root   *x509.Certificate
	Chain  [][]byte // what an honest answer carries, in DER

	issuer    *x509.Certificate // of the signer's
	issuerKey crypto.Signer
}

// Options say how an identity is made. The zero value makes a good one.
type Options struct {
	Name      string
	Key       crypto.Signer // nil for a new ECDSA key
	NotBefore time.Time     // of the signer; zero for 2018
	NotAfter  time.Time     // zero for 2049
	Change    func(*x509.Certificate)
	SelfSign  bool // the signer is its own root

	RootKey crypto.Signer           // nil for a new ECDSA key
	Between func(*x509.Certificate) // if set, an authority stands between root and signer, which this may change
}

// The certificates of an identity are valid whatever clock the client was given.
var (
	notBefore = time.Date(2018, time.January, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)
)

// fixed is an ECDSA key whose signatures depend on nothing but what is signed (RFC 6979).
type fixed struct{ *ecdsa.PrivateKey }

func (k fixed) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return k.PrivateKey.Sign(nil, digest, o)
}

// NewKey makes an ECDSA key on P-256 of 32 bytes from random, so that the same bytes give the same key.
func NewKey(random io.Reader) (crypto.Signer, error) {
	for {
		var b [32]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, fmt.Errorf("random bytes: %w", err)
		}
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b[:]); err == nil { // else the number is above the order: one in 2³²
			return fixed{k}, nil
		}
	}
}

// Usage is the extension that says what a certificate may be used for.
func Usage(critical bool, usages ...asn1.ObjectIdentifier) pkix.Extension {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, u := range usages {
			b.AddASN1ObjectIdentifier(u)
		}
	})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: b.BytesOrPanic()}
}

// TimeStamping is the extended key usage of an authority.
func TimeStamping() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8} }

// ClientAuth is an extended key usage that has nothing to do with timestamps.
func ClientAuth() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2} }

// NewIdentity makes an identity. The same random bytes give the same one.
func NewIdentity(random io.Reader, o Options) (*Identity, error) {
	if o.Name == "" {
		o.Name = "simulated time-stamping authority"
	}
	rootKey := o.RootKey
	var err error
	if rootKey == nil {
		if rootKey, err = NewKey(random); err != nil {
			return nil, err
		}
	}
	id := &Identity{issuerKey: rootKey}
	if id.Root, err = certify(certifier(random, o.Name+" root"), nil, rootKey.Public(), rootKey); err != nil {
		return nil, err
	}
	id.issuer = id.Root
	if o.Between == nil {
		return id.issue(random, o)
	}
	if id.issuerKey, err = NewKey(random); err != nil {
		return nil, err
	}
	c := certifier(random, o.Name+" authority")
	o.Between(c)
	if id.issuer, err = certify(c, id.Root, id.issuerKey.Public(), rootKey); err != nil {
		return nil, err
	}
	id.Chain = [][]byte{id.issuer.Raw}
	return id.issue(random, o)
}

// certifier is the certificate of whoever certifies others.
func certifier(random io.Reader, name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: serial(random), Subject: pkix.Name{CommonName: name}, NotBefore: notBefore, NotAfter: notAfter, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
}

func (id *Identity) issue(random io.Reader, o Options) (*Identity, error) {
	var err error
	if id.Key = o.Key; id.Key == nil {
		if id.Key, err = NewKey(random); err != nil {
			return nil, err
		}
	}
	c := &x509.Certificate{SerialNumber: serial(random), Subject: pkix.Name{CommonName: o.Name}, NotBefore: notBefore, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{Usage(true, TimeStamping())}}
	if !o.NotBefore.IsZero() {
		c.NotBefore = o.NotBefore
	}
	if !o.NotAfter.IsZero() {
		c.NotAfter = o.NotAfter
	}
	if o.Change != nil {
		o.Change(c)
	}
	parent, key := id.issuer, id.issuerKey
	if o.SelfSign {
		parent, key = nil, id.Key
	}
	if id.Signer, err = certify(c, parent, id.Key.Public(), key); err != nil {
		return nil, err
	}
	id.Chain = append([][]byte{id.Signer.Raw}, id.Chain...)
	if o.SelfSign {
		id.Root = id.Signer
	}
	return id, nil
}

func certify(c, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(nil, c, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of the simulated authority: %w", err)
	}
	return x509.ParseCertificate(raw)
}

// serial is a positive number of at most 120 bits.
func serial(random io.Reader) *big.Int {
	var b [15]byte
	_, _ = io.ReadFull(random, b[:]) // a source that fails fails for the key as well
	return new(big.Int).Add(new(big.Int).SetBytes(b[:]), big.NewInt(1))
}

// RootPEM is the root's certificate, which a verifier pins.
func (id *Identity) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Root.Raw})
}
