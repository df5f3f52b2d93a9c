package rfc3161

import (
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxSize is the longest answer in bytes. Those of public authorities have 4 to 8 KB.
const MaxSize = 64 << 10

// Content types of query and answer, RFC 3161, section 3.4.
const (
	QueryType = "application/timestamp-query"
	ReplyType = "application/timestamp-reply"
)

var (
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
)

// Query asks for a timestamp over something with this SHA-256.
type Query struct {
	Imprint [sha256.Size]byte
	Nonce   *big.Int              // positive, at most 128 bits
	Policy  asn1.ObjectIdentifier // nil for the authority's own
}

// NewQuery makes a query over data with a nonce of 63 bits, of which all but the first are random.
func NewQuery(random io.Reader, data []byte) (*Query, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and without leading zeros, which some authorities drop
	return &Query{Imprint: sha256.Sum256(data), Nonce: new(big.Int).SetBytes(b[:])}, nil
}

// DER is the TimeStampReq. It asks for the certificates.
func (q *Query) DER() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidSHA256)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(q.Imprint[:])
		})
		if q.Policy != nil {
			b.AddASN1ObjectIdentifier(q.Policy)
		}
		b.AddASN1BigInt(q.Nonce)
		b.AddASN1Boolean(true)
	})
	return b.Bytes()
}

// ParseQuery reads a TimeStampReq over a SHA-256, as a simulated authority must.
func ParseQuery(raw []byte) (*Query, error) {
	if len(raw) > MaxSize {
		return nil, ErrSize
	}
	in := cryptobyte.String(raw)
	var seq, imprint, alg cryptobyte.String
	var version int64
	var hash asn1.ObjectIdentifier
	var sum []byte
	if !in.ReadASN1(&seq, der.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version != 1 || !seq.ReadASN1(&imprint, der.SEQUENCE) ||
		!imprint.ReadASN1(&alg, der.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&hash) || !imprint.ReadASN1Bytes(&sum, der.OCTET_STRING) || !imprint.Empty() {
		return nil, malformed("query")
	}
	if !noParameters(alg) || !hash.Equal(oidSHA256) || len(sum) != sha256.Size {
		return nil, fmt.Errorf("%w: query with another hash than SHA-256", ErrAlgorithm)
	}
	q := &Query{Imprint: [sha256.Size]byte(sum)}
	if seq.PeekASN1Tag(der.OBJECT_IDENTIFIER) && !seq.ReadASN1ObjectIdentifier(&q.Policy) {
		return nil, malformed("query: policy")
	}
	if seq.PeekASN1Tag(der.INTEGER) {
		q.Nonce = new(big.Int)
		if !seq.ReadASN1Integer(q.Nonce) {
			return nil, malformed("query: nonce")
		}
	}
	var certificates bool
	if !optionalBool(&seq, &certificates) || !seq.SkipOptionalASN1(constructed(0)) || !seq.Empty() {
		return nil, malformed("query: end")
	}
	return q, nil
}

// noParameters reports whether an AlgorithmIdentifier ends here, or with NULL.
func noParameters(rest cryptobyte.String) bool {
	if rest.Empty() {
		return true
	}
	var null cryptobyte.String
	return rest.ReadASN1(&null, der.NULL) && null.Empty() && rest.Empty()
}
