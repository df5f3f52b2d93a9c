package rfc3161

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1" // of certificates, as RFC 2634 wants it
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// certIDFits requires that the signer signed which certificate is its own: an ESSCertIDv2 (RFC 5816), an ESSCertID (RFC 2634), or both, of which each must fit. The first of several ids is the
// signer's.
func (s *signedData) certIDFits(signer *x509.Certificate) error {
	found := false
	for _, id := range []asn1.ObjectIdentifier{oidCertIDv2, oidCertIDv1} {
		if s.attributes[id.String()] == nil {
			continue
		}
		value, ok := s.attribute(id)
		var seq, all, first cryptobyte.String
		if !ok || !value.ReadASN1(&seq, der.SEQUENCE) || !value.Empty() || !seq.ReadASN1(&all, der.SEQUENCE) || !all.ReadASN1(&first, der.SEQUENCE) ||
			!seq.SkipOptionalASN1(der.SEQUENCE) || !seq.Empty() {
			return malformed("certificate id")
		}
		if err := certIDOf(first, id.Equal(oidCertIDv2), signer); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("%w: there is none", ErrCertID)
	}
	return nil
}

// certIDOf holds one ESSCertID or ESSCertIDv2 against a certificate.
func certIDOf(in cryptobyte.String, v2 bool, c *x509.Certificate) error {
	var sum []byte
	if v2 {
		hash := crypto.SHA256
		if in.PeekASN1Tag(der.SEQUENCE) {
			var alg cryptobyte.String
			in.ReadASN1(&alg, der.SEQUENCE)
			var err error
			if hash, err = hashOf(alg); err != nil {
				return err
			}
		}
		h := hash.New()
		h.Write(c.Raw)
		sum = h.Sum(nil)
	} else {
		v1 := sha1.Sum(c.Raw)
		sum = v1[:]
	}
	var got []byte
	if !in.ReadASN1Bytes(&got, der.OCTET_STRING) {
		return malformed("certificate id")
	}
	if !bytes.Equal(got, sum) {
		return fmt.Errorf("%w: another hash", ErrCertID)
	}
	return issuerSerialFits(in, c)
}

// issuerSerialFits holds an IssuerSerial, if there is one, against a certificate.
func issuerSerialFits(in cryptobyte.String, c *x509.Certificate) error {
	if in.Empty() {
		return nil
	}
	var seq, names, name, dn cryptobyte.String
	serial := new(big.Int)
	if !in.ReadASN1(&seq, der.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&names, der.SEQUENCE) || !seq.ReadASN1Integer(serial) || !seq.Empty() ||
		!names.ReadASN1(&name, constructed(4)) || !names.Empty() || !name.ReadASN1Element(&dn, der.SEQUENCE) || !name.Empty() {
		return malformed("certificate id: issuer and serial number")
	}
	if !bytes.Equal(dn, c.RawIssuer) || serial.Cmp(c.SerialNumber) != 0 {
		return fmt.Errorf("%w: another issuer or serial number", ErrCertID)
	}
	return nil
}

var (
	oidExtKeyUsage  = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

// forTimestamps requires an extended key usage that is critical and timeStamping alone (RFC 3161, section 2.3), and, if there is a key usage, signatures alone.
func forTimestamps(c *x509.Certificate) error {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidExtKeyUsage) {
			continue
		}
		in := cryptobyte.String(e.Value)
		var seq cryptobyte.String
		var usage asn1.ObjectIdentifier
		switch {
		case !e.Critical:
			return fmt.Errorf("%w: the extended key usage is not critical", ErrUsage)
		case !in.ReadASN1(&seq, der.SEQUENCE), !in.Empty(), !seq.ReadASN1ObjectIdentifier(&usage), !usage.Equal(oidTimeStamping), !seq.Empty():
			return fmt.Errorf("%w: it has another extended key usage", ErrUsage)
		case c.KeyUsage&^(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) != 0:
			return fmt.Errorf("%w: its key usage is not signatures alone", ErrUsage)
		}
		return nil
	}
	return fmt.Errorf("%w: it has no extended key usage", ErrUsage)
}

var (
	oidRSA       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECSHA256  = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECSHA384  = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECSHA512  = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidEd25519   = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// fits reports whether a signature algorithm is one of these for a hash. An RSA key's own identifier goes with each hash (RFC 3370, section 3.2).
func (s *signedData) fits(byHash map[crypto.Hash]asn1.ObjectIdentifier, any asn1.ObjectIdentifier) bool {
	return s.algorithm.Equal(byHash[s.digest]) || any != nil && s.algorithm.Equal(any)
}

// strongKey refuses keys that are too weak, and kinds of which nothing is known.
func strongKey(key any) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 16384 {
			return fmt.Errorf("%w: RSA key of %d bits", ErrAlgorithm, bits)
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return fmt.Errorf("%w: curve %s", ErrAlgorithm, key.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("%w: key of the certificate", ErrAlgorithm)
	}
	return nil
}

// checkSignature checks the signature over the signed attributes.
func (s *signedData) checkSignature(c *x509.Certificate) error {
	if err := strongKey(c.PublicKey); err != nil {
		return err
	}
	h := s.digest.New()
	h.Write(s.signed)
	sum := h.Sum(nil)
	fit, good := false, false
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		fit = s.fits(map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA256: oidRSASHA256, crypto.SHA384: oidRSASHA384, crypto.SHA512: oidRSASHA512}, oidRSA)
		good = rsa.VerifyPKCS1v15(key, s.digest, sum, s.signature) == nil
	case *ecdsa.PublicKey:
		fit = s.fits(map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA256: oidECSHA256, crypto.SHA384: oidECSHA384, crypto.SHA512: oidECSHA512}, nil)
		good = ecdsa.VerifyASN1(key, sum, s.signature)
	case ed25519.PublicKey:
		fit = s.fits(map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA512: oidEd25519}, nil) // RFC 8419, section 3.1
		good = ed25519.Verify(key, s.signed, s.signature)
	}
	if !fit {
		return fmt.Errorf("%w: signature by %v over a digest by %v", ErrAlgorithm, s.algorithm, s.digest)
	}
	if !good {
		return ErrSignature
	}
	return nil
}
