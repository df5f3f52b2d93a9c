package trust

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// maxName is the longest name of a key and the longest origin, in bytes.
const maxName = 255

// maxVKey bounds a verifier key: name, plus, 8 digits, plus, base64 of 33 bytes.
const maxVKey = maxName + 1 + 8 + 1 + 44

// algEd25519 is the signature type that a key's data starts with
// (https://c2sp.org/signed-note, "Signature types").
const algEd25519 = 0x01

// ErrWeakKey is matched by errors that refuse a public key for what it is:
// of low order, not on the curve, or a second spelling of a point.
var ErrWeakKey = errors.New("unsafe public key")

// A VKey is a public key with its name. Two VKeys are the same key exactly when
// they are equal by ==. The zero VKey verifies nothing.
type VKey struct {
	name string
	id   uint32
	pub  [ed25519.PublicKeySize]byte
}

// ParseVKey reads NAME+ID+BASE64. It requires the one spelling that
// [VKey.String] gives, an id that fits name and key, type Ed25519, and a sound
// public key (else an error that matches [ErrWeakKey]).
//
// It cannot tell whether a sound key has a component of low order besides its
// large one. Such a key gives its owner two spellings of a signature and nobody
// else anything.
func ParseVKey(s string) (VKey, error) {
	if len(s) > maxVKey {
		return VKey{}, fmt.Errorf("malformed verifier key: %d bytes, at most %d", len(s), maxVKey)
	}
	parts := strings.SplitN(s, "+", 3) // base64 may hold a plus
	if len(parts) != 3 {
		return VKey{}, fmt.Errorf("malformed verifier key %q: not of the form NAME+ID+BASE64", s)
	}
	if err := CheckName(parts[0]); err != nil {
		return VKey{}, fmt.Errorf("malformed verifier key %q: %w", s, err)
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) == 0 {
		return VKey{}, fmt.Errorf("malformed verifier key %q: key data is not base64", s)
	}
	if data[0] != algEd25519 {
		return VKey{}, fmt.Errorf("malformed verifier key %q: type 0x%02x is not Ed25519 (0x01)", s, data[0])
	}
	if len(data) != 1+ed25519.PublicKeySize {
		return VKey{}, fmt.Errorf("malformed verifier key %q: %d bytes of key, want %d", s, len(data)-1, ed25519.PublicKeySize)
	}
	k, err := newVKey(parts[0], data[1:])
	if err != nil {
		return VKey{}, fmt.Errorf("malformed verifier key %q: %w", s, err)
	}
	if k.String() != s {
		return VKey{}, fmt.Errorf("malformed verifier key %q: id %q does not fit name and key, want %08x", s, parts[1], k.id)
	}
	return k, nil
}

// newVKey makes the key of a checked name and a public key of 32 bytes.
func newVKey(name string, pub []byte) (VKey, error) {
	k := VKey{name: name}
	copy(k.pub[:], pub)
	if err := checkPoint(k.pub); err != nil {
		return VKey{}, err
	}
	s, err := note.NewEd25519VerifierKey(name, pub)
	if err != nil {
		return VKey{}, err
	}
	id, err := strconv.ParseUint(s[len(name)+1:len(name)+9], 16, 32)
	if err != nil {
		return VKey{}, err
	}
	k.id = uint32(id)
	return k, nil
}

// Name returns the key's name.
func (k VKey) Name() string { return k.name }

// ID returns the key's id: the first four bytes of
// SHA-256(name ‖ LF ‖ 0x01 ‖ public key), big-endian.
func (k VKey) ID() uint32 { return k.id }

// String returns NAME+ID+BASE64.
func (k VKey) String() string {
	data := append([]byte{algEd25519}, k.pub[:]...)
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id, base64.StdEncoding.EncodeToString(data))
}

// verifies reports whether sig is a signature of text by k. S ≥ L and an R in a
// second spelling are refused (RFC 8032, 5.1.7; crypto/ed25519 does so).
func (k VKey) verifies(text, sig []byte) bool {
	return k != (VKey{}) && ed25519.Verify(k.pub[:], text, sig)
}

// CheckName refuses a name that no key and no origin may have. A name is 1 to
// 255 bytes of printable ASCII without space and plus; a host and a path are
// customary: "example.com/lab-3".
func CheckName(name string) error {
	if name == "" {
		return errors.New("name is empty")
	}
	if len(name) > maxName {
		return fmt.Errorf("name has %d bytes, at most %d", len(name), maxName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '+' {
			return fmt.Errorf("name %q holds %q: only printable ASCII without space and plus is allowed", name, c)
		}
	}
	return nil
}
