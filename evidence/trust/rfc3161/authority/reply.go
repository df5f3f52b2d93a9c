package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // for answers that must be refused
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
)

// Reply is what an answer holds. [Identity.Reply] makes an honest one, in which tests then change one thing.
type Reply struct {
	Status     int64
	Text       string // of the status
	Failure    int    // bit of PKIFailureInfo, -1 for none
	NoToken    bool
	Policy     asn1.ObjectIdentifier
	Hash       crypto.Hash // that the imprint names
	Imprint    []byte
	Serial     *big.Int
	Time       string // GeneralizedTime
	Accuracy   time.Duration
	Nonce      *big.Int
	Extensions []byte // content of [1], in DER
	Info       []byte // instead of the TSTInfo that the fields make

	Digest       crypto.Hash // of the signer
	Algorithm    asn1.ObjectIdentifier
	Certificates [][]byte
	CertIDs      []CertID
	Signers      int
	KeyID        bool // name the signer by its key identifier
	Key          crypto.Signer
	Signer       *x509.Certificate
	NoDigest     bool   // leave the signed digest out
	BadDigest    bool   // sign another digest
	Type         []byte // of the content, as signed, in DER; nil for that of a TSTInfo
	Tail         []byte // behind the answer
}

// CertID names a certificate in the signed attributes.
type CertID struct {
	Of     *x509.Certificate
	Hash   crypto.Hash       // SHA-1 makes an ESSCertID of RFC 2634
	Issuer *x509.Certificate // whose issuer and serial number are named as well; nil for none
}

func oids() map[crypto.Hash]asn1.ObjectIdentifier {
	return map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
		crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3}}
}

// Policy is the policy of every simulated authority.
func Policy() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 13762, 3} }

// Reply is the honest answer to q at a time, which is cut to milliseconds.
func (id *Identity) Reply(q *rfc3161.Query, at time.Time) *Reply {
	r := &Reply{Failure: -1, Policy: q.Policy, Hash: crypto.SHA256, Imprint: q.Imprint[:], Time: Time(at), Accuracy: time.Second, Nonce: q.Nonce,
		Digest: crypto.SHA256, Certificates: id.Chain, CertIDs: []CertID{{Of: id.Signer, Hash: crypto.SHA256}}, Signers: 1, Key: id.Key, Signer: id.Signer}
	if r.Policy == nil {
		r.Policy = Policy()
	}
	r.Serial = new(big.Int).SetBytes(q.Imprint[:8])
	return r
}

// Time writes a GeneralizedTime with the milliseconds that it has.
func Time(at time.Time) string {
	text := at.UTC().Format("20060102150405.000")
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "Z"
}

// DER is the answer.
func (r *Reply) DER() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(r.Status)
			if r.Text != "" {
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(der.UTF8String, raw([]byte(r.Text))) })
			}
			if r.Failure >= 0 {
				bits := make([]byte, 1+r.Failure/8+1)
				bits[0] = byte(7 - r.Failure%8)
				bits[len(bits)-1] = 1 << (7 - r.Failure%8)
				b.AddASN1(der.BIT_STRING, raw(bits))
			}
		})
		if !r.NoToken {
			r.token(b)
		}
	})
	out, err := b.Bytes()
	return append(out, r.Tail...), err
}

func raw(v []byte) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) { b.AddBytes(v) }
}

func context(n uint8) der.Tag { return der.Tag(n).ContextSpecific().Constructed() }

func algorithm(b *cryptobyte.Builder, id asn1.ObjectIdentifier, null bool) {
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		if null {
			b.AddASN1NULL()
		}
	})
}

// token writes the ContentInfo.
func (r *Reply) token(b *cryptobyte.Builder) {
	info := r.Info
	if info == nil {
		info = r.TSTInfo()
	}
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(3)
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) { algorithm(b, oids()[r.Digest], false) })
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(typeTSTInfo())
					b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(info) })
				})
				if r.Certificates != nil {
					b.AddASN1(context(0), func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(r.Certificates...)) })
				}
				b.AddASN1(der.SET, func(b *cryptobyte.Builder) {
					for range r.Signers {
						r.signer(b, info)
					}
				})
			})
		})
	})
}

func typeTSTInfo() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
}

// TSTInfo is what the fields make.
func (r *Reply) TSTInfo() []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(r.Policy)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			algorithm(b, oids()[r.Hash], true)
			b.AddASN1OctetString(r.Imprint)
		})
		b.AddASN1BigInt(r.Serial)
		b.AddASN1(der.GeneralizedTime, raw([]byte(r.Time)))
		if r.Accuracy > 0 {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				if s := int64(r.Accuracy / time.Second); s > 0 {
					b.AddASN1Int64(s)
				}
				if ms := int64(r.Accuracy % time.Second / time.Millisecond); ms > 0 {
					b.AddASN1Int64WithTag(ms, der.Tag(0).ContextSpecific())
				}
			})
		}
		if r.Nonce != nil {
			b.AddASN1BigInt(r.Nonce)
		}
		if r.Extensions != nil {
			b.AddASN1(context(1), raw(r.Extensions))
		}
	})
	return b.BytesOrPanic()
}

// signer writes a SignerInfo.
func (r *Reply) signer(b *cryptobyte.Builder, info []byte) {
	attributes := r.attributes(info)
	var set cryptobyte.Builder
	set.AddASN1(der.SET, raw(attributes))
	signature, err := r.sign(set.BytesOrPanic())
	if err != nil {
		b.SetError(err)
		return
	}
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		if r.KeyID {
			b.AddASN1Int64(3)
			b.AddASN1(der.Tag(0).ContextSpecific(), raw(r.Signer.SubjectKeyId))
		} else {
			b.AddASN1Int64(1)
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(r.Signer.RawIssuer)
				b.AddASN1BigInt(r.Signer.SerialNumber)
			})
		}
		algorithm(b, oids()[r.Digest], false)
		b.AddASN1(context(0), raw(attributes))
		algorithm(b, r.algorithm(), false)
		b.AddASN1OctetString(signature)
	})
}

func (r *Reply) sign(set []byte) ([]byte, error) {
	if _, ok := r.Key.Public().(ed25519.PublicKey); ok {
		return r.Key.Sign(nil, set, crypto.Hash(0))
	}
	h := r.Digest.New()
	h.Write(set)
	return r.Key.Sign(nil, h.Sum(nil), r.Digest)
}

func (r *Reply) algorithm() asn1.ObjectIdentifier {
	if r.Algorithm != nil {
		return r.Algorithm
	}
	switch r.Key.Public().(type) {
	case *rsa.PublicKey:
		return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	case *ecdsa.PublicKey:
		return map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA1: {1, 2, 840, 10045, 4, 1}, crypto.SHA256: {1, 2, 840, 10045, 4, 3, 2},
			crypto.SHA384: {1, 2, 840, 10045, 4, 3, 3}, crypto.SHA512: {1, 2, 840, 10045, 4, 3, 4}}[r.Digest]
	}
	return asn1.ObjectIdentifier{1, 3, 101, 112}
}

// attributes are the signed ones, in the order of DER.
func (r *Reply) attributes(info []byte) []byte {
	h := r.Digest.New()
	h.Write(info)
	if r.BadDigest {
		h.Write([]byte{0})
	}
	typ := r.Type
	if typ == nil {
		var b cryptobyte.Builder
		b.AddASN1ObjectIdentifier(typeTSTInfo())
		typ = b.BytesOrPanic()
	}
	all := [][]byte{attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}, typ)}
	if !r.NoDigest {
		var b cryptobyte.Builder
		b.AddASN1OctetString(h.Sum(nil))
		all = append(all, attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, b.BytesOrPanic()))
	}
	for _, c := range r.CertIDs {
		all = append(all, c.attribute())
	}
	slices.SortFunc(all, slices.Compare)
	return slices.Concat(all...)
}

func attribute(id asn1.ObjectIdentifier, value []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		b.AddASN1(der.SET, raw(value))
	})
	return b.BytesOrPanic()
}

func (c CertID) attribute() []byte {
	h := c.Hash.New()
	h.Write(c.Of.Raw)
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				if c.Hash != crypto.SHA1 && c.Hash != crypto.SHA256 {
					algorithm(b, oids()[c.Hash], false)
				}
				b.AddASN1OctetString(h.Sum(nil))
				if c.Issuer != nil {
					b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(context(4), raw(c.Issuer.RawIssuer)) })
						b.AddASN1BigInt(c.Issuer.SerialNumber)
					})
				}
			})
		})
	})
	id := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	if c.Hash == crypto.SHA1 {
		id[8] = 12
	}
	return attribute(id, b.BytesOrPanic())
}
