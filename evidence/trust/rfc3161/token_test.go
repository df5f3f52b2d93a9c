package rfc3161_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

var (
	data    = []byte("what is stamped\n")
	stamped = time.Date(2026, 11, 26, 10, 0, 0, 500_000_000, time.UTC)
)

func random(seed byte) *mrand.ChaCha8 { return mrand.NewChaCha8([32]byte{seed}) }

func identity(t testing.TB, o authority.Options) *authority.Identity {
	t.Helper()
	id, err := authority.NewIdentity(random(1), o)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func query(t testing.TB) *rfc3161.Query {
	t.Helper()
	q, err := rfc3161.NewQuery(random(2), data)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func encode(t testing.TB, r *authority.Reply) []byte {
	t.Helper()
	b, err := r.DER()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// accept is all that a verifier does with an answer.
func accept(raw []byte, q *rfc3161.Query, roots *x509.CertPool) (*rfc3161.Token, error) {
	t, err := rfc3161.Parse(raw)
	if err == nil {
		err = t.Answers(q)
	}
	if err == nil {
		err = t.Trusted(roots, stamped.Add(time.Hour))
	}
	return t, err
}

// tokenCase is one thing that is otherwise than in an honest answer.
type tokenCase struct {
	name   string
	want   error                  // nil: accepted
	id     authority.Options      // of the authority
	query  func(*rfc3161.Query)   // what is asked, before it is answered
	reply  func(*authority.Reply) // what is answered
	after  func(*rfc3161.Query)   // what is held against the answer
	raw    func([]byte) []byte    // the answer's bytes
	pinned func(*authority.Identity) *x509.CertPool
}

func (c *tokenCase) run(t *testing.T) {
	id := identity(t, c.id)
	q := query(t)
	if c.query != nil {
		c.query(q)
	}
	r := id.Reply(q, stamped)
	if c.reply != nil {
		c.reply(r)
	}
	raw := encode(t, r)
	if c.raw != nil {
		raw = c.raw(raw)
	}
	if c.after != nil {
		c.after(q)
	}
	roots := pool(id.Root)
	if c.pinned != nil {
		roots = c.pinned(id)
	}
	if _, err := accept(raw, q, roots); !errors.Is(err, c.want) {
		t.Errorf("%v, want %v", err, c.want)
	}
}

func TestToken(t *testing.T) {
	cases := append(append(askedCases(t), signerCases(t)...), formCases(t)...)
	if len(cases) < 60 {
		t.Fatalf("%d cases, want at least 60", len(cases))
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Fatalf("two cases are called %q", c.name)
		}
		names[c.name] = true
		t.Run(c.name, c.run)
	}
}

// askedCases are about what was asked, and the time.
func askedCases(t *testing.T) []tokenCase {
	set := func(f func(*authority.Reply)) func(*authority.Reply) { return f }
	at := func(s string) func(*authority.Reply) { return func(r *authority.Reply) { r.Time = s } }
	from, to := stamped.Add(-24*time.Hour), stamped.Add(24*time.Hour)
	other := asn1.ObjectIdentifier{1, 2, 3, 4}
	return []tokenCase{
		{name: "honest"},
		{name: "imprint of something else", want: rfc3161.ErrImprint, reply: set(func(r *authority.Reply) { r.Imprint = bytes.Repeat([]byte{1}, 32) })},
		{name: "imprint of another checkpoint", want: rfc3161.ErrImprint, after: func(q *rfc3161.Query) { q.Imprint[31] ^= 1 }},
		{name: "imprint by SHA-1", want: rfc3161.ErrAlgorithm, reply: set(func(r *authority.Reply) { r.Hash, r.Imprint = crypto.SHA1, r.Imprint[:20] })},
		{name: "imprint by SHA-512", want: rfc3161.ErrAlgorithm, reply: set(func(r *authority.Reply) { r.Hash, r.Imprint = crypto.SHA512, append(r.Imprint, r.Imprint...) })},
		{name: "imprint called SHA-512", want: rfc3161.ErrAlgorithm, reply: set(func(r *authority.Reply) { r.Hash = crypto.SHA512 })},
		{name: "imprint too short", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.Imprint = r.Imprint[:31] })},
		{name: "imprint too long", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.Imprint = append(bytes.Clone(r.Imprint), 0) })},
		{name: "imprint empty", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.Imprint = nil })},
		{name: "nonce of another query", want: rfc3161.ErrNonce, reply: set(func(r *authority.Reply) { r.Nonce = big.NewInt(7) })},
		{name: "nonce missing", want: rfc3161.ErrNonce, reply: set(func(r *authority.Reply) { r.Nonce = nil })},
		{name: "nonce negated", want: rfc3161.ErrNonce, reply: set(func(r *authority.Reply) { r.Nonce = new(big.Int).Neg(r.Nonce) })},
		{name: "nonce of 300 bits", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.Nonce = new(big.Int).Lsh(big.NewInt(1), 299) })},
		{name: "policy asked for and given", query: func(q *rfc3161.Query) { q.Policy = other }},
		{name: "policy asked for and another given", want: rfc3161.ErrPolicy, query: func(q *rfc3161.Query) { q.Policy = other }, reply: set(func(r *authority.Reply) { r.Policy = authority.Policy() })},
		{name: "status granted with modifications", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status = 1 })},
		{name: "status rejected", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status, r.NoToken, r.Failure, r.Text = 2, true, 14, "no time" })},
		{name: "status rejected, with a token all the same", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status = 2 })},
		{name: "status waiting", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status, r.NoToken = 3, true })},
		{name: "status revocation imminent", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status = 4 })},
		{name: "status unknown", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status = 99 })},
		{name: "status negative", want: rfc3161.ErrStatus, reply: set(func(r *authority.Reply) { r.Status = -1 })},
		{name: "granted, without a token", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.NoToken = true })},
		{name: "signer expired when it signed", want: rfc3161.ErrChain, id: authority.Options{NotAfter: stamped.Add(-time.Second)}},
		{name: "signer not valid yet when it signed", want: rfc3161.ErrChain, id: authority.Options{NotBefore: stamped.Add(time.Second)}},
		{name: "signer expired since, valid when it signed", id: authority.Options{NotBefore: from, NotAfter: stamped.Add(time.Minute)}},
		{name: "signer valid for two days around", id: authority.Options{NotBefore: from, NotAfter: to}},
		{name: "time in the future", want: rfc3161.ErrTime, reply: at("20261128110000Z")},
		{name: "time an hour ahead of the checker's clock", reply: at("20261126120000Z")},
		{name: "time before there were such tokens", want: rfc3161.ErrTime, reply: at("19991231235959Z")},
		{name: "time without seconds", want: rfc3161.ErrForm, reply: at("202611261000Z")},
		{name: "time with an offset", want: rfc3161.ErrForm, reply: at("20261126100000+0000")},
		{name: "time without zone", want: rfc3161.ErrForm, reply: at("20261126100000")},
		{name: "time with an empty fraction", want: rfc3161.ErrForm, reply: at("20261126100000.Z")},
		{name: "time with a zero at the fraction's end", want: rfc3161.ErrForm, reply: at("20261126100000.50Z")},
		{name: "time with a comma", want: rfc3161.ErrForm, reply: at("20261126100000,5Z")},
		{name: "time of a day that does not exist", want: rfc3161.ErrForm, reply: at("20260230100000Z")},
		{name: "time with a leap second", want: rfc3161.ErrForm, reply: at("20261126235960Z")},
		{name: "accuracy of milliseconds", reply: set(func(r *authority.Reply) { r.Accuracy = 999 * time.Millisecond })},
		{name: "accuracy missing", reply: set(func(r *authority.Reply) { r.Accuracy = 0 })},
		{name: "accuracy of a month", want: rfc3161.ErrForm, reply: set(func(r *authority.Reply) { r.Accuracy = 30 * 24 * time.Hour })},
	}
}

// signerCases are about certificates, algorithms and signatures.
func signerCases(t *testing.T) []tokenCase {
	usage := func(critical bool, u ...asn1.ObjectIdentifier) authority.Options {
		return authority.Options{Change: func(c *x509.Certificate) { c.ExtraExtensions[0] = authority.Usage(critical, u...) }}
	}
	rsaKey := func(bits int) authority.Options {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return authority.Options{Key: k}
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards := ed25519.NewKeyFromSeed(make([]byte, 32))
	stranger, err := authority.NewIdentity(random(77), authority.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(c ...authority.CertID) func(*authority.Reply) { return func(r *authority.Reply) { r.CertIDs = c } }
	own := func(h ...crypto.Hash) func(*authority.Reply) {
		return func(r *authority.Reply) {
			r.CertIDs = nil
			for _, h := range h {
				r.CertIDs = append(r.CertIDs, authority.CertID{Of: r.Signer, Hash: h, Issuer: r.Signer})
			}
		}
	}
	between := func(change func(*x509.Certificate)) authority.Options {
		if change == nil {
			change = func(*x509.Certificate) {}
		}
		return authority.Options{Between: change}
	}
	stamping, client := authority.TimeStamping(), authority.ClientAuth()
	return []tokenCase{
		{name: "usage not critical", want: rfc3161.ErrUsage, id: usage(false, stamping)},
		{name: "usage for something else", want: rfc3161.ErrUsage, id: usage(true, client)},
		{name: "usage for something else as well", want: rfc3161.ErrUsage, id: usage(true, stamping, client)},
		{name: "usage twice", want: rfc3161.ErrUsage, id: usage(true, stamping, stamping)},
		{name: "usage any", want: rfc3161.ErrUsage, id: usage(true, asn1.ObjectIdentifier{2, 5, 29, 37, 0})},
		{name: "usage missing", want: rfc3161.ErrUsage, id: authority.Options{Change: func(c *x509.Certificate) { c.ExtraExtensions = nil }}},
		{name: "key usage without signatures", want: rfc3161.ErrUsage, id: authority.Options{Change: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }}},
		{name: "key usage beyond signatures", want: rfc3161.ErrUsage, id: authority.Options{Change: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyAgreement }}},
		{name: "key usage missing", id: authority.Options{Change: func(c *x509.Certificate) { c.KeyUsage = 0 }}},
		{name: "key usage non-repudiation", id: authority.Options{Change: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }}},
		{name: "self-signed and not pinned", want: rfc3161.ErrChain, id: authority.Options{SelfSign: true}, pinned: func(*authority.Identity) *x509.CertPool { return pool(stranger.Root) }},
		{name: "self-signed and pinned", id: authority.Options{SelfSign: true}},
		{name: "another root of the same name pinned", want: rfc3161.ErrChain, pinned: func(*authority.Identity) *x509.CertPool { return pool(stranger.Root) }},
		{name: "nothing pinned", want: rfc3161.ErrChain, pinned: func(*authority.Identity) *x509.CertPool { return nil }},
		{name: "an empty pool pinned", want: rfc3161.ErrChain, pinned: func(*authority.Identity) *x509.CertPool { return pool() }},
		{name: "root inside the answer too", reply: func(r *authority.Reply) { r.Certificates = append(r.Certificates[:1:1], stranger.Root.Raw) }},
		{name: "an authority between, inside the answer", id: between(nil)},
		{name: "an authority between, missing", want: rfc3161.ErrChain, id: between(nil), reply: func(r *authority.Reply) { r.Certificates = r.Certificates[:1] }},
		{name: "an authority between that had expired", want: rfc3161.ErrChain, id: between(func(c *x509.Certificate) { c.NotAfter = stamped.Add(-time.Second) })},
		{name: "an authority between that expired since", id: between(func(c *x509.Certificate) { c.NotAfter = stamped.Add(time.Second) })},
		{name: "an authority between that may not certify", want: rfc3161.ErrChain, id: between(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })},
		{name: "an authority between for something else", want: rfc3161.ErrChain, id: between(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		{name: "a root with a weak key", want: rfc3161.ErrAlgorithm, id: authority.Options{RootKey: p224}},
		{name: "certificates missing", want: rfc3161.ErrSigner, reply: func(r *authority.Reply) { r.Certificates = nil }},
		{name: "certificates without the signer's", want: rfc3161.ErrSigner, reply: func(r *authority.Reply) { r.Certificates = [][]byte{stranger.Root.Raw} }},
		{name: "certificate garbled", want: rfc3161.ErrForm, reply: func(r *authority.Reply) { r.Certificates = [][]byte{{0x30, 3, 2, 1, 1}} }},
		{name: "17 certificates", want: rfc3161.ErrForm, reply: func(r *authority.Reply) {
			for range 16 {
				r.Certificates = append(r.Certificates[:len(r.Certificates):len(r.Certificates)], stranger.Root.Raw)
			}
		}},
		{name: "two signers", want: rfc3161.ErrSigner, reply: func(r *authority.Reply) { r.Signers = 2 }},
		{name: "no signer", want: rfc3161.ErrSigner, reply: func(r *authority.Reply) { r.Signers = 0 }},
		{name: "signer named by its key identifier", id: authority.Options{Change: func(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3} }}, reply: func(r *authority.Reply) { r.KeyID = true }},
		{name: "certificate id by SHA-384", reply: own(crypto.SHA384)},
		{name: "certificate id with issuer and serial", reply: own(crypto.SHA256)},
		{name: "certificate id of RFC 2634", reply: own(crypto.SHA1)},
		{name: "certificate ids of both kinds", reply: own(crypto.SHA1, crypto.SHA256)},
		{name: "certificate id missing", want: rfc3161.ErrCertID, reply: ids()},
		{name: "certificate id of another certificate", want: rfc3161.ErrCertID, reply: ids(authority.CertID{Of: stranger.Signer, Hash: crypto.SHA256})},
		{name: "certificate id of RFC 2634 of another certificate", want: rfc3161.ErrCertID, reply: ids(authority.CertID{Of: stranger.Signer, Hash: crypto.SHA1})},
		{name: "certificate ids of which one is another's", want: rfc3161.ErrCertID, reply: func(r *authority.Reply) {
			r.CertIDs = append(r.CertIDs[:1:1], authority.CertID{Of: stranger.Signer, Hash: crypto.SHA1})
		}},
		{name: "certificate id twice", want: rfc3161.ErrForm, reply: own(crypto.SHA256, crypto.SHA256)},
		{name: "certificate id with another issuer", want: rfc3161.ErrCertID, reply: func(r *authority.Reply) { r.CertIDs[0].Issuer = stranger.Root }},
		{name: "digest signed by SHA-1", want: rfc3161.ErrAlgorithm, reply: func(r *authority.Reply) { r.Digest = crypto.SHA1 }},
		{name: "digest signed by SHA-512", reply: func(r *authority.Reply) { r.Digest = crypto.SHA512 }},
		{name: "digest of something else", want: rfc3161.ErrSignature, reply: func(r *authority.Reply) { r.BadDigest = true }},
		{name: "digest missing", want: rfc3161.ErrForm, reply: func(r *authority.Reply) { r.NoDigest = true }},
		{name: "signed as another type", want: rfc3161.ErrForm, reply: func(r *authority.Reply) { r.Type = []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1} }},
		{name: "signature by another key", want: rfc3161.ErrSignature, reply: func(r *authority.Reply) { r.Key = stranger.Key }},
		{name: "signature algorithm of another hash", want: rfc3161.ErrAlgorithm, reply: func(r *authority.Reply) { r.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4} }},
		{name: "signature algorithm of another key", want: rfc3161.ErrAlgorithm, reply: func(r *authority.Reply) { r.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11} }},
		{name: "signature algorithm RSASSA-PSS", want: rfc3161.ErrAlgorithm, reply: func(r *authority.Reply) { r.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} }},
		{name: "RSA of 2,048 bits", id: rsaKey(2048)},
		{name: "RSA of 2,048 bits, named with the hash", id: rsaKey(2048), reply: func(r *authority.Reply) { r.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11} }},
		{name: "RSA of 1,024 bits", want: rfc3161.ErrAlgorithm, id: rsaKey(1024)},
		{name: "P-224", want: rfc3161.ErrAlgorithm, id: authority.Options{Key: p224}},
		{name: "P-384 with SHA-384", id: authority.Options{Key: p384}, reply: func(r *authority.Reply) { r.Digest = crypto.SHA384 }},
		{name: "Ed25519 with SHA-512", id: authority.Options{Key: edwards}, reply: func(r *authority.Reply) { r.Digest = crypto.SHA512 }},
		{name: "Ed25519 with SHA-256", want: rfc3161.ErrAlgorithm, id: authority.Options{Key: edwards}},
	}
}

// formCases are about bytes.
func formCases(t *testing.T) []tokenCase {
	info := func(change func([]byte) []byte) func(*authority.Reply) {
		return func(r *authority.Reply) {
			r.Info = change(r.TSTInfo())
		}
	}
	extension := func(critical bool) []byte {
		b, err := asn1.Marshal(struct {
			ID       asn1.ObjectIdentifier
			Critical bool `asn1:"optional"`
			Value    []byte
		}{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, critical, []byte{5, 0}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return []tokenCase{
		{name: "empty", want: rfc3161.ErrForm, raw: func([]byte) []byte { return nil }},
		{name: "a byte behind the answer", want: rfc3161.ErrForm, raw: func(b []byte) []byte { return append(b, 0) }},
		{name: "a second answer behind the answer", want: rfc3161.ErrForm, raw: func(b []byte) []byte { return append(b, b...) }},
		{name: "the token alone", want: rfc3161.ErrForm, raw: func(b []byte) []byte { return b[9:] }},
		{name: "indefinite length", want: rfc3161.ErrForm, raw: func(b []byte) []byte { return append(append([]byte{0x30, 0x80}, b[4:]...), 0, 0) }},
		{name: "length in a second spelling", want: rfc3161.ErrForm, raw: func(b []byte) []byte { return append([]byte{0x30, 0x83, 0, b[2], b[3]}, b[4:]...) }},
		{name: "answer above the bound", want: rfc3161.ErrSize, raw: func([]byte) []byte { return make([]byte, rfc3161.MaxSize+1) }},
		{name: "answer of 10 MiB", want: rfc3161.ErrSize, raw: func(b []byte) []byte { return append(b, make([]byte, 10<<20)...) }},
		{name: "garbage", want: rfc3161.ErrForm, raw: func([]byte) []byte { return []byte("<html>busy</html>") }},
		{name: "nested 10,000 deep", want: rfc3161.ErrForm, raw: func([]byte) []byte {
			b := []byte{}
			for range 10_000 {
				b = append(append([]byte{0x30, 0x83}, byte(len(b)>>16), byte(len(b)>>8), byte(len(b))), b[:min(len(b), 60_000)]...)
			}
			return b[:min(len(b), rfc3161.MaxSize)]
		}},
		{name: "an element behind the TSTInfo's last", want: rfc3161.ErrForm, reply: info(func(b []byte) []byte {
			b = append(bytes.Clone(b), 5, 0)
			b[1] += 2
			return b
		})},
		{name: "a byte behind the TSTInfo", want: rfc3161.ErrForm, reply: info(func(b []byte) []byte { return append(bytes.Clone(b), 0) })},
		{name: "TSTInfo of version 2", want: rfc3161.ErrForm, reply: info(func(b []byte) []byte {
			b = bytes.Clone(b)
			b[4] = 2
			return b
		})},
		{name: "extension that is not critical", reply: func(r *authority.Reply) { r.Extensions = extension(false) }},
		{name: "extension that is critical", want: rfc3161.ErrForm, reply: func(r *authority.Reply) { r.Extensions = extension(true) }},
		{name: "extensions that are none", want: rfc3161.ErrForm, reply: func(r *authority.Reply) { r.Extensions = []byte{} }},
	}
}

// TestEveryLength cuts an answer at each of its lengths.
func TestEveryLength(t *testing.T) {
	id, q := identity(t, authority.Options{}), query(t)
	raw := encode(t, id.Reply(q, stamped))
	t.Logf("%d lengths", len(raw))
	for n := range raw {
		if _, err := rfc3161.Parse(raw[:n]); !errors.Is(err, rfc3161.ErrForm) {
			t.Errorf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}

// TestEveryBit changes each bit of an answer: each is held by something.
func TestEveryBit(t *testing.T) {
	id, q := identity(t, authority.Options{}), query(t)
	raw := encode(t, id.Reply(q, stamped))
	t.Logf("%d bits", len(raw)*8)
	for n := range len(raw) * 8 {
		b := bytes.Clone(raw)
		b[n/8] ^= 1 << (n % 8)
		if _, err := accept(b, q, pool(id.Root)); err == nil {
			t.Errorf("bit %d of %d changes nothing", n, len(raw)*8)
		}
	}
}

func TestStatusError(t *testing.T) {
	id, q := identity(t, authority.Options{}), query(t)
	r := id.Reply(q, stamped)
	r.Status, r.NoToken, r.Failure, r.Text = 2, true, 14, "clock is gone"
	_, err := rfc3161.Parse(encode(t, r))
	var status *rfc3161.StatusError
	if !errors.As(err, &status) || status.Status != 2 || status.Failure != 14 || len(status.Text) != 1 || status.Text[0] != "clock is gone" {
		t.Errorf("%#v", err)
	}
}

func TestBounds(t *testing.T) {
	id, q := identity(t, authority.Options{}), query(t)
	tok, err := rfc3161.Parse(encode(t, id.Reply(q, stamped)))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Before() != stamped.Add(time.Second) || tok.After() != stamped.Add(-time.Second) {
		t.Errorf("%v to %v", tok.After(), tok.Before())
	}
}

// TestOtherLibrary has another program's library read what our authority answers and our query, and reads here what it answers.
func TestOtherLibrary(t *testing.T) {
	id, q := identity(t, authority.Options{}), query(t)
	raw := encode(t, id.Reply(q, stamped))
	theirs, err := timestamp.ParseResponse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !theirs.Time.Equal(stamped) || !bytes.Equal(theirs.HashedMessage, q.Imprint[:]) || theirs.Nonce.Cmp(q.Nonce) != 0 || theirs.Accuracy != time.Second {
		t.Errorf("%+v", theirs)
	}
	asked, err := q.DER()
	if err != nil {
		t.Fatal(err)
	}
	req, err := timestamp.ParseRequest(asked)
	if err != nil || !bytes.Equal(req.HashedMessage, q.Imprint[:]) || req.Nonce.Cmp(q.Nonce) != 0 || !req.Certificates {
		t.Errorf("%+v, %v", req, err)
	}
	req = &timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: q.Imprint[:], Nonce: q.Nonce, Certificates: true}
	der, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := rfc3161.ParseQuery(der); err != nil || ours.Imprint != q.Imprint || ours.Nonce.Cmp(q.Nonce) != 0 {
		t.Errorf("%+v, %v", ours, err)
	}
	answer := &timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: q.Imprint[:], Time: stamped.Truncate(time.Second), Nonce: q.Nonce, Policy: authority.Policy(), AddTSACertificate: true}
	der, err = answer.CreateResponseWithOpts(id.Signer, id.Key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accept(der, q, pool(id.Root)); err != nil {
		t.Errorf("what it answers: %v", err)
	}
}

// TestMain makes the root of the tests' authority one of the system's: whoever pins nothing must not believe it all the same.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		id, err := authority.NewIdentity(random(1), authority.Options{})
		if err != nil {
			panic(err)
		}
		dir, err := os.MkdirTemp("", "rfc3161-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "roots.pem")
		if err := errors.Join(os.WriteFile(file, id.RootPEM(), 0o600), os.Setenv("SSL_CERT_FILE", file), os.Setenv("SSL_CERT_DIR", dir)); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}
