package rfc3161

import (
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

func context(n uint8) der.Tag     { return der.Tag(n).ContextSpecific() }
func constructed(n uint8) der.Tag { return context(n).Constructed() }

// readInfo reads a TSTInfo (RFC 3161, section 2.4.2).
func (t *Token) readInfo(raw []byte) error {
	in := cryptobyte.String(raw)
	var seq, imprint, alg cryptobyte.String
	var version int64
	var hash asn1.ObjectIdentifier
	var sum []byte
	t.Serial = new(big.Int)
	if !in.ReadASN1(&seq, der.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version != 1 || !seq.ReadASN1ObjectIdentifier(&t.Policy) {
		return malformed("TSTInfo")
	}
	if !seq.ReadASN1(&imprint, der.SEQUENCE) || !imprint.ReadASN1(&alg, der.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&hash) ||
		!imprint.ReadASN1Bytes(&sum, der.OCTET_STRING) || !imprint.Empty() {
		return malformed("imprint")
	}
	if !noParameters(alg) || !hash.Equal(oidSHA256) {
		return fmt.Errorf("%w: imprint by %v, not SHA-256", ErrAlgorithm, hash)
	}
	if len(sum) != sha256.Size {
		return malformed("imprint of %d bytes", len(sum))
	}
	t.Imprint = [sha256.Size]byte(sum)
	if !seq.ReadASN1Integer(t.Serial) || t.Serial.Sign() < 0 || t.Serial.BitLen() > 160 {
		return malformed("serial number")
	}
	if err := t.readTime(&seq); err != nil {
		return err
	}
	return t.readOptional(seq)
}

// readTime reads genTime, which may have a fraction: digits without a zero at the end.
func (t *Token) readTime(seq *cryptobyte.String) error {
	var text cryptobyte.String
	if !seq.ReadASN1(&text, der.GeneralizedTime) {
		return malformed("time")
	}
	layout := "20060102150405Z"
	if whole, fraction, ok := strings.Cut(strings.TrimSuffix(string(text), "Z"), "."); ok {
		if fraction == "" || len(fraction) > 9 || fraction[len(fraction)-1] == '0' || len(whole) != 14 {
			return malformed("time %q", clip(text))
		}
		layout = "20060102150405." + strings.Repeat("0", len(fraction)) + "Z"
	}
	at, err := time.Parse(layout, string(text))
	if err != nil || at.Format(layout) != string(text) {
		return malformed("time %q", clip(text))
	}
	if at.Year() < 2000 {
		return fmt.Errorf("%w: %s", ErrTime, at.Format(time.RFC3339))
	}
	t.Time = at
	return nil
}

// readOptional reads what may follow genTime: accuracy, ordering, nonce, name, extensions.
func (t *Token) readOptional(seq cryptobyte.String) error {
	var accuracy, name, extensions cryptobyte.String
	var have bool
	var ordering bool
	if !seq.ReadOptionalASN1(&accuracy, &have, der.SEQUENCE) || have && !t.readAccuracy(accuracy) {
		return malformed("accuracy")
	}
	if !optionalBool(&seq, &ordering) {
		return malformed("ordering")
	}
	if seq.PeekASN1Tag(der.INTEGER) {
		t.Nonce = new(big.Int)
		if !seq.ReadASN1Integer(t.Nonce) || t.Nonce.BitLen() > 256 {
			return malformed("nonce")
		}
	}
	if !seq.ReadOptionalASN1(&name, &have, constructed(0)) || have && !oneElement(name) {
		return malformed("name of the authority")
	}
	if !seq.ReadOptionalASN1(&extensions, &have, constructed(1)) || !seq.Empty() {
		return malformed("something follows the TSTInfo")
	}
	if have {
		return noCritical(extensions)
	}
	return nil
}

func oneElement(s cryptobyte.String) bool {
	var any cryptobyte.String
	var tag der.Tag
	return s.ReadAnyASN1Element(&any, &tag) && s.Empty()
}

// readAccuracy reads seconds, milliseconds and microseconds. A day and more is refused: such a time says nothing.
func (t *Token) readAccuracy(in cryptobyte.String) bool {
	var seconds int64
	if in.PeekASN1Tag(der.INTEGER) && (!in.ReadASN1Integer(&seconds) || seconds < 0 || seconds > 86_400) {
		return false
	}
	t.Accuracy = time.Duration(seconds) * time.Second
	for tag, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		if !in.PeekASN1Tag(context(uint8(tag))) {
			continue
		}
		var n int64
		if !in.ReadASN1Int64WithTag(&n, context(uint8(tag))) || n < 1 || n > 999 {
			return false
		}
		t.Accuracy += time.Duration(n) * unit
	}
	return in.Empty()
}

// noCritical refuses extensions that change what a token means.
func noCritical(in cryptobyte.String) error {
	if in.Empty() {
		return malformed("no extensions")
	}
	for !in.Empty() {
		var ext cryptobyte.String
		var id asn1.ObjectIdentifier
		var critical bool
		var value []byte
		if !in.ReadASN1(&ext, der.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) || !optionalBool(&ext, &critical) ||
			!ext.ReadASN1Bytes(&value, der.OCTET_STRING) || !ext.Empty() {
			return malformed("extension")
		}
		if critical {
			return malformed("critical extension %v", id)
		}
	}
	return nil
}

// optionalBool reads a BOOLEAN if one is there.
func optionalBool(s *cryptobyte.String, to *bool) bool {
	return !s.PeekASN1Tag(der.BOOLEAN) || s.ReadASN1Boolean(to)
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
