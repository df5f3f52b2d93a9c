package rfc3161

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // what hashes makes available
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidCertIDv1      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidCertIDv2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
)

// Bounds of what one answer may hold.
const (
	maxCertificates = 16
	maxAttributes   = 32
)

// signedData is a SignedData over a TSTInfo with one signer (RFC 5652, section 5).
type signedData struct {
	content      []byte
	certificates []*x509.Certificate

	issuer     []byte // of the signer's certificate, or
	serial     *big.Int
	keyID      []byte // its subject key identifier
	digest     crypto.Hash
	algorithm  asn1.ObjectIdentifier // of the signature
	attributes map[string][][]byte   // by object identifier: the values
	signed     []byte                // the attributes, as they were signed
	signature  []byte
}

// readContentInfo reads what follows the status: a ContentInfo and nothing else.
func readContentInfo(in cryptobyte.String) (*signedData, error) {
	var info, explicit, seq, digests, encap cryptobyte.String
	var typ asn1.ObjectIdentifier
	var version int64
	if !in.ReadASN1(&info, der.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&typ) || !typ.Equal(oidSignedData) ||
		!info.ReadASN1(&explicit, constructed(0)) || !info.Empty() || !explicit.ReadASN1(&seq, der.SEQUENCE) || !explicit.Empty() {
		return nil, malformed("there is no token, or it is no SignedData")
	}
	if !seq.ReadASN1Integer(&version) || version != 3 || !seq.ReadASN1(&digests, der.SET) || !seq.ReadASN1(&encap, der.SEQUENCE) {
		return nil, malformed("SignedData")
	}
	s := &signedData{}
	var content, octets cryptobyte.String
	if !encap.ReadASN1ObjectIdentifier(&typ) || !typ.Equal(oidTSTInfo) || !encap.ReadASN1(&content, constructed(0)) || !encap.Empty() ||
		!content.ReadASN1(&octets, der.OCTET_STRING) || !content.Empty() {
		return nil, malformed("what is signed is no TSTInfo")
	}
	s.content = octets
	if err := s.readCertificates(&seq); err != nil {
		return nil, err
	}
	if !seq.SkipOptionalASN1(constructed(1)) { // lists of revoked certificates
		return nil, malformed("revocation lists")
	}
	var signers, signer cryptobyte.String
	if !seq.ReadASN1(&signers, der.SET) || !seq.Empty() {
		return nil, malformed("signers")
	}
	if !signers.ReadASN1(&signer, der.SEQUENCE) || !signers.Empty() {
		return nil, fmt.Errorf("%w: none or several sign", ErrSigner)
	}
	if err := s.readSigner(signer); err != nil {
		return nil, err
	}
	return s, s.listed(digests)
}

// listed requires that the hash of the signer is one of those that the SignedData announces.
func (s *signedData) listed(digests cryptobyte.String) error {
	found := false
	for !digests.Empty() {
		var alg cryptobyte.String
		if !digests.ReadASN1(&alg, der.SEQUENCE) {
			return malformed("digest algorithms")
		}
		hash, err := hashOf(alg)
		if errors.Is(err, ErrForm) {
			return err
		}
		found = found || err == nil && hash == s.digest
	}
	if !found {
		return malformed("the signer's digest algorithm is not announced")
	}
	return nil
}

func (s *signedData) readCertificates(seq *cryptobyte.String) error {
	var all, one cryptobyte.String
	var have bool
	if !seq.ReadOptionalASN1(&all, &have, constructed(0)) {
		return malformed("certificates")
	}
	for have && !all.Empty() {
		if !all.ReadASN1Element(&one, der.SEQUENCE) {
			return malformed("certificates")
		}
		if len(s.certificates) == maxCertificates {
			return malformed("more than %d certificates", maxCertificates)
		}
		c, err := x509.ParseCertificate(one)
		if err != nil {
			return malformed("certificate: %v", err)
		}
		s.certificates = append(s.certificates, c)
	}
	return nil
}

// readSigner reads a SignerInfo (RFC 5652, section 5.3).
func (s *signedData) readSigner(in cryptobyte.String) error {
	var version int64
	if !in.ReadASN1Integer(&version) || version != 1 && version != 3 {
		return malformed("signer")
	}
	var id cryptobyte.String
	if version == 1 {
		s.serial = new(big.Int)
		var issuer cryptobyte.String
		if !in.ReadASN1(&id, der.SEQUENCE) || !id.ReadASN1Element(&issuer, der.SEQUENCE) || !id.ReadASN1Integer(s.serial) || !id.Empty() {
			return malformed("signer: issuer and serial number")
		}
		s.issuer = issuer
	} else {
		if !in.ReadASN1(&id, context(0)) || id.Empty() {
			return malformed("signer: key identifier")
		}
		s.keyID = id
	}
	var digest, attributes, algorithm, signature cryptobyte.String
	if !in.ReadASN1(&digest, der.SEQUENCE) || !in.ReadASN1Element(&attributes, constructed(0)) || !in.ReadASN1(&algorithm, der.SEQUENCE) ||
		!in.ReadASN1(&signature, der.OCTET_STRING) || !in.SkipOptionalASN1(constructed(1)) || !in.Empty() {
		return malformed("signer without signed attributes, or with something else")
	}
	s.signature = signature
	var err error
	if s.digest, err = hashOf(digest); err != nil {
		return err
	}
	if !algorithm.ReadASN1ObjectIdentifier(&s.algorithm) {
		return malformed("signature algorithm")
	}
	if !noParameters(algorithm) {
		return fmt.Errorf("%w: signature by %v with parameters", ErrAlgorithm, s.algorithm)
	}
	return s.readAttributes(attributes)
}

// hashOf reads the AlgorithmIdentifier of a hash.
func hashOf(in cryptobyte.String) (crypto.Hash, error) {
	var id asn1.ObjectIdentifier
	if !in.ReadASN1ObjectIdentifier(&id) || !noParameters(in) {
		return 0, malformed("hash algorithm")
	}
	switch {
	case id.Equal(oidSHA256):
		return crypto.SHA256, nil
	case id.Equal(oidSHA384):
		return crypto.SHA384, nil
	case id.Equal(oidSHA512):
		return crypto.SHA512, nil
	}
	return 0, fmt.Errorf("%w: hash %v", ErrAlgorithm, id)
}

// readAttributes reads the signed attributes. They were signed as a SET, and stand here under another tag.
func (s *signedData) readAttributes(element cryptobyte.String) error {
	s.signed = append([]byte{byte(der.SET)}, element[1:]...)
	s.attributes = map[string][][]byte{}
	var all cryptobyte.String
	element.ReadASN1(&all, constructed(0))
	for n := 0; !all.Empty(); n++ {
		var attribute, values cryptobyte.String
		var id asn1.ObjectIdentifier
		if n == maxAttributes || !all.ReadASN1(&attribute, der.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) ||
			!attribute.ReadASN1(&values, der.SET) || !attribute.Empty() || values.Empty() || s.attributes[id.String()] != nil {
			return malformed("signed attributes")
		}
		for !values.Empty() {
			var value cryptobyte.String
			var tag der.Tag
			if !values.ReadAnyASN1Element(&value, &tag) {
				return malformed("signed attribute %v", id)
			}
			s.attributes[id.String()] = append(s.attributes[id.String()], value)
		}
	}
	return nil
}

// attribute is the one value of a signed attribute.
func (s *signedData) attribute(id asn1.ObjectIdentifier) (cryptobyte.String, bool) {
	values := s.attributes[id.String()]
	if len(values) != 1 {
		return nil, false
	}
	return values[0], true
}

// verify finds the signer's certificate and holds it and the signature against the rules. It completes t.
func (s *signedData) verify(t *Token) error {
	for _, c := range s.certificates {
		if t.Signer == nil && s.isSigner(c) {
			t.Signer = c
		} else {
			t.Others = append(t.Others, c)
		}
	}
	if t.Signer == nil {
		return fmt.Errorf("%w: its certificate is missing", ErrSigner)
	}
	if err := s.attributesFit(t.Signer); err != nil {
		return err
	}
	if err := forTimestamps(t.Signer); err != nil {
		return err
	}
	return s.checkSignature(t.Signer)
}

func (s *signedData) isSigner(c *x509.Certificate) bool {
	if s.keyID != nil {
		return bytes.Equal(s.keyID, c.SubjectKeyId)
	}
	return bytes.Equal(s.issuer, c.RawIssuer) && s.serial.Cmp(c.SerialNumber) == 0
}

// attributesFit holds the signed attributes against content and certificate.
func (s *signedData) attributesFit(signer *x509.Certificate) error {
	var typ asn1.ObjectIdentifier
	value, ok := s.attribute(oidContentType)
	if !ok || !value.ReadASN1ObjectIdentifier(&typ) || !value.Empty() || !typ.Equal(oidTSTInfo) {
		return malformed("signed content type")
	}
	var digest cryptobyte.String
	value, ok = s.attribute(oidMessageDigest)
	if !ok || !value.ReadASN1(&digest, der.OCTET_STRING) || !value.Empty() {
		return malformed("signed digest")
	}
	h := s.digest.New()
	h.Write(s.content)
	if !bytes.Equal(digest, h.Sum(nil)) {
		return fmt.Errorf("%w: the signed digest is not that of the TSTInfo", ErrSignature)
	}
	return s.certIDFits(signer)
}
