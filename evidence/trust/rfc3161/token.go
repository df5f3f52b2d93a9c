package rfc3161

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Token is an answer that [Parse] accepted. It says what somebody with that certificate signed; who that is, only [Token.Trusted] can tell.
type Token struct {
	Time     time.Time     // UTC
	Accuracy time.Duration // the time is right within it, as the authority says; 0 if it does not say
	Imprint  [sha256.Size]byte
	Nonce    *big.Int // nil for none
	Policy   asn1.ObjectIdentifier
	Serial   *big.Int
	Signer   *x509.Certificate
	Others   []*x509.Certificate // the other certificates of the answer
}

// Parse reads a TimeStampResp and checks all that the answer alone can show.
func Parse(raw []byte) (*Token, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrSize, MaxSize)
	}
	in := cryptobyte.String(raw)
	var resp, status cryptobyte.String
	if !in.ReadASN1(&resp, der.SEQUENCE) || !in.Empty() {
		return nil, malformed("it is not one DER sequence")
	}
	if !resp.ReadASN1(&status, der.SEQUENCE) {
		return nil, malformed("status")
	}
	if err := granted(status); err != nil {
		return nil, err
	}
	s, err := readContentInfo(resp)
	if err != nil {
		return nil, err
	}
	t := &Token{}
	if err := t.readInfo(s.content); err != nil {
		return nil, err
	}
	if err := s.verify(t); err != nil {
		return nil, err
	}
	return t, nil
}

// granted reads a PKIStatusInfo (RFC 3161, section 2.4.2).
func granted(in cryptobyte.String) error {
	e := &StatusError{Failure: -1}
	if !in.ReadASN1Integer(&e.Status) {
		return malformed("status")
	}
	if in.PeekASN1Tag(der.SEQUENCE) {
		var texts, text cryptobyte.String
		in.ReadASN1(&texts, der.SEQUENCE)
		for !texts.Empty() {
			if !texts.ReadASN1(&text, der.UTF8String) {
				return malformed("status text")
			}
			if len(e.Text) < 16 {
				e.Text = append(e.Text, string(text[:min(len(text), 256)]))
			}
		}
	}
	if in.PeekASN1Tag(der.BIT_STRING) {
		var bits asn1.BitString
		if !in.ReadASN1BitString(&bits) {
			return malformed("failure")
		}
		for i := bits.BitLength - 1; i >= 0; i-- {
			if bits.At(i) == 1 {
				e.Failure = i
			}
		}
	}
	if !in.Empty() {
		return malformed("something follows the status")
	}
	if e.Status != 0 {
		return e
	}
	return nil
}

// Over requires that the timestamp is of data.
func (t *Token) Over(data []byte) error {
	if sum := sha256.Sum256(data); t.Imprint != sum {
		return fmt.Errorf("%w: it names SHA-256 %x, and this is %x", ErrImprint, t.Imprint, sum)
	}
	return nil
}

// Answers requires that the timestamp is the answer to q: imprint, nonce and, if one was asked for, policy.
func (t *Token) Answers(q *Query) error {
	switch {
	case t.Imprint != q.Imprint:
		return fmt.Errorf("%w: it names SHA-256 %x, and %x was asked for", ErrImprint, t.Imprint, q.Imprint)
	case t.Nonce == nil || q.Nonce == nil || t.Nonce.Cmp(q.Nonce) != 0:
		return fmt.Errorf("%w: nonce %v", ErrNonce, t.Nonce)
	case q.Policy != nil && !t.Policy.Equal(q.Policy):
		return fmt.Errorf("%w: %v", ErrPolicy, t.Policy)
	}
	return nil
}

// Trusted builds the chain from the signer to roots, which the caller pinned, as it was valid at the token's time: a certificate that expired since is fine, one that had expired then is not. No
// certificate of the chain may be for other things than timestamps alone, or have a weak key. now is the caller's clock: a time more than a day behind it is not believed. Zero is no clock.
func (t *Token) Trusted(roots *x509.CertPool, now time.Time) error {
	if roots == nil {
		return fmt.Errorf("%w: none is pinned", ErrChain)
	}
	if !now.IsZero() && t.Time.After(now.Add(24*time.Hour)) {
		return fmt.Errorf("%w: %s is in the future", ErrTime, t.Time.Format(time.RFC3339))
	}
	between := x509.NewCertPool()
	for _, c := range t.Others {
		between.AddCert(c)
	}
	chains, err := t.Signer.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChain, err)
	}
	for _, chain := range chains {
		if err = strongKeys(chain); err == nil {
			return nil
		}
	}
	return err
}

func strongKeys(chain []*x509.Certificate) error {
	for _, c := range chain {
		if err := strongKey(c.PublicKey); err != nil {
			return err
		}
	}
	return nil
}

// Before is the latest instant at which what was stamped must have been there: the time and what it may be off.
func (t *Token) Before() time.Time { return t.Time.Add(t.Accuracy) }

// After is the earliest instant at which the token can have been made.
func (t *Token) After() time.Time { return t.Time.Add(-t.Accuracy) }
