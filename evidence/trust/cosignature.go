package trust

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// algCosignature is the signature type of timestamped Ed25519 cosignatures (https://c2sp.org/tlog-cosignature).
const algCosignature = 0x04

// cosignatureLength is that of a signature without the key id: the time and 64 bytes of Ed25519.
const cosignatureLength = 8 + ed25519.SignatureSize

// A WitnessKey is the public key of a witness, with its name (docs/container.md, 5.12). Two of them are the same key exactly when they are equal by ==. The zero
// WitnessKey verifies nothing.
type WitnessKey struct {
	name string
	id   uint32
	pub  [ed25519.PublicKeySize]byte
}

// ParseWitnessKey reads NAME+ID+BASE64 of type 0x04, in the one spelling that [WitnessKey.String] gives. It refuses what [ParseVKey] refuses.
func ParseWitnessKey(s string) (WitnessKey, error) {
	if len(s) > maxVKey {
		return WitnessKey{}, fmt.Errorf("malformed witness key: %d bytes, at most %d", len(s), maxVKey)
	}
	parts := strings.SplitN(s, "+", 3) // base64 may hold a plus
	if len(parts) != 3 {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: not of the form NAME+ID+BASE64", s)
	}
	if err := CheckName(parts[0]); err != nil {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: %w", s, err)
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) == 0 {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: key data is not base64", s)
	}
	if data[0] != algCosignature {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: type 0x%02x is not that of timestamped Ed25519 cosignatures (0x04)", s, data[0])
	}
	if len(data) != 1+ed25519.PublicKeySize {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: %d bytes of key, want %d", s, len(data)-1, ed25519.PublicKeySize)
	}
	k, err := newWitnessKey(parts[0], data[1:])
	if err != nil {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: %w", s, err)
	}
	if k.String() != s {
		return WitnessKey{}, fmt.Errorf("malformed witness key %q: id %q does not fit name and key, want %08x", s, parts[1], k.id)
	}
	return k, nil
}

// newWitnessKey makes the key of a checked name and a public key of 32 bytes.
func newWitnessKey(name string, pub []byte) (WitnessKey, error) {
	k := WitnessKey{name: name}
	copy(k.pub[:], pub)
	if err := checkPoint(k.pub); err != nil {
		return WitnessKey{}, err
	}
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), pub...))
	k.id = binary.BigEndian.Uint32(sum[:])
	return k, nil
}

// Name returns the witness's name.
func (k WitnessKey) Name() string { return k.name }

// ID returns the key's id: the first four bytes of SHA-256(name ‖ LF ‖ 0x04 ‖ public key), big-endian.
func (k WitnessKey) ID() uint32 { return k.id }

// String returns NAME+ID+BASE64.
func (k WitnessKey) String() string {
	data := append([]byte{algCosignature}, k.pub[:]...)
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id, base64.StdEncoding.EncodeToString(data))
}

// A Cosignature is a signature line that has the form of one by a witness.
type Cosignature struct {
	Name string     // of the witness, as the line says; any text without space and plus if the key is not known
	ID   uint32     // of its key, as the line says
	Key  WitnessKey // that the caller gave and that made it; zero if the key is not known
	Time time.Time  // when it was made, in whole seconds of UTC, as the witness says; unproven without a Key
}

// cosigned is what a witness signs.
func cosigned(seconds uint64, text string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text)
}

// Cosignatures checks the cosignatures on the note of a head against keys of witnesses that the caller trusts. It returns the text and every line that has the
// form of a cosignature, in order, at least one of them with a Key. It checks no other signature.
//
// It fails as [Verify] does: with a [*BadSignatureError] when a line names one of keys and does not verify, with an [*UnverifiedError] when no line names one, and
// with another error when the note is malformed or one of keys cosigned twice. Any number of goroutines may call it.
func Cosignatures(msg []byte, keys []WitnessKey) (text string, all []Cosignature, err error) {
	text, sigs, err := parseNote(msg)
	if err != nil {
		return "", nil, err
	}
	signed := map[WitnessKey]bool{}
	for i := range sigs {
		s := &sigs[i]
		key, err := findWitness(keys, s)
		if err != nil {
			return "", nil, err
		}
		c, ok := cosignature(s)
		if key != (WitnessKey{}) {
			switch {
			case signed[key]:
				return "", nil, fmt.Errorf("malformed note: witness %q with id %08x cosigned twice", s.Name, s.ID)
			case !ok || !ed25519.Verify(key.pub[:], cosigned(uint64(c.Time.Unix()), text), s.Bytes[8:]):
				return "", nil, &BadSignatureError{Name: s.Name, ID: s.ID}
			}
			signed[key], c.Key = true, key
		}
		if ok {
			all = append(all, c)
		}
	}
	if len(signed) == 0 {
		return "", nil, &UnverifiedError{Text: text, Signatures: sigs}
	}
	return text, all, nil
}

// cosignature reads a signature that has the length of a cosignature.
func cosignature(s *Signature) (c Cosignature, ok bool) {
	if len(s.Bytes) != cosignatureLength {
		return c, false
	}
	seconds := binary.BigEndian.Uint64(s.Bytes)
	if seconds > math.MaxInt64 {
		return c, false
	}
	return Cosignature{Name: s.Name, ID: s.ID, Time: time.Unix(int64(seconds), 0).UTC()}, true
}

// UnverifiedCosignatures lists the lines of a note that has no trusted signature which have the form of cosignatures. Nothing of them is proven.
func (e *UnverifiedError) UnverifiedCosignatures() []Cosignature {
	var all []Cosignature
	for i := range e.Signatures {
		if c, ok := cosignature(&e.Signatures[i]); ok {
			all = append(all, c)
		}
	}
	return all
}

// findWitness returns the key that s names, or the zero key.
func findWitness(keys []WitnessKey, s *Signature) (WitnessKey, error) {
	var found WitnessKey
	for _, k := range keys {
		if k.name != s.Name || k.id != s.ID || k == found {
			continue
		}
		if found != (WitnessKey{}) {
			return WitnessKey{}, fmt.Errorf("ambiguous witness keys: two have name %q and id %08x", s.Name, s.ID)
		}
		found = k
	}
	return found, nil
}

// A Cosigner makes cosignatures. A witness needs more: it must never cosign two heads that do not extend each other.
type Cosigner struct {
	key  WitnessKey
	priv ed25519.PrivateKey
}

// NewCosigner makes a key pair.
func NewCosigner(rand io.Reader, name string) (*Cosigner, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	priv := ed25519.NewKeyFromSeed(seed)
	key, err := newWitnessKey(name, priv.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	return &Cosigner{key, priv}, nil
}

// Key is the public key.
func (c *Cosigner) Key() WitnessKey { return c.key }

// Cosign returns the signature line of a cosignature on the text of a head, with its LF.
func (c *Cosigner) Cosign(_ context.Context, text string, at time.Time) (string, error) {
	if _, err := ParseHead(text); err != nil {
		return "", err
	}
	if at.Unix() < 0 {
		return "", errors.New("cosignature of a time before 1970")
	}
	seconds := uint64(at.Unix())
	data := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, c.key.id), seconds)
	data = append(data, ed25519.Sign(c.priv, cosigned(seconds, text))...)
	return sigPrefix + c.key.name + " " + base64.StdEncoding.EncodeToString(data) + "\n", nil
}
