package trust

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Signer signs texts with one Ed25519 key.
type Signer interface {
	// Sign returns the signature of msg, 64 bytes (RFC 8032, Ed25519 without
	// prehash). A signer that asks a device or a person returns ctx's error
	// when ctx ends first.
	Sign(ctx context.Context, msg []byte) ([]byte, error)
	// VerifierKey returns the key as [ParseVKey] reads it, always the same.
	VerifierKey() string
}

// A PrivateKey is a [Signer] whose key is in memory. Any number of goroutines may
// use it. Printing it with any verb shows its verifier key alone.
type PrivateKey struct {
	key  ed25519.PrivateKey
	vkey VKey
}

// NewKey makes a key from 32 bytes of rand, which must be a cryptographic source
// (crypto/rand.Reader). name must pass [CheckName]. It fails when rand gives less.
func NewKey(rand io.Reader, name string) (*PrivateKey, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("new key: reading random bytes: %w", err)
	}
	return newPrivateKey(name, seed)
}

// newPrivateKey makes the key of a checked name and a seed of 32 bytes.
func newPrivateKey(name string, seed []byte) (*PrivateKey, error) {
	key := ed25519.NewKeyFromSeed(seed)
	vkey, err := newVKey(name, key[ed25519.SeedSize:])
	if err != nil {
		return nil, err
	}
	return &PrivateKey{key: key, vkey: vkey}, nil
}

// Sign returns the Ed25519 signature of msg, or ctx's error if ctx has ended.
func (k *PrivateKey) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return ed25519.Sign(k.key, msg), nil
}

// VerifierKey returns the public half as NAME+ID+BASE64.
func (k *PrivateKey) VerifierKey() string { return k.vkey.String() }

// Format writes the verifier key for every verb, so that no print or log statement
// shows the private half.
func (k *PrivateKey) Format(s fmt.State, _ rune) {
	if k == nil {
		io.WriteString(s, "private key (nil)")
		return
	}
	io.WriteString(s, "private key of "+k.VerifierKey())
}

// skeyPrefix starts a private key, so that it is never taken for a public one.
const skeyPrefix = "PRIVATE+KEY+"

// encode returns PRIVATE+KEY+NAME+ID+BASE64.
func (k *PrivateKey) encode() string {
	data := append([]byte{algEd25519}, k.key.Seed()...)
	return fmt.Sprintf("%s%s+%08x+%s", skeyPrefix, k.vkey.name, k.vkey.id, base64.StdEncoding.EncodeToString(data))
}

// parsePrivateKey reads what encode returns, in that spelling alone. Its errors
// hold the key's name and id and nothing of the key.
func parsePrivateKey(line string) (*PrivateKey, error) {
	rest, ok := strings.CutPrefix(line, skeyPrefix)
	if !ok {
		if _, err := ParseVKey(line); err == nil {
			return nil, errors.New("it holds a verifier key, which is public, and no private key")
		}
		return nil, fmt.Errorf("its key does not start with %s", skeyPrefix)
	}
	parts := strings.SplitN(rest, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("its key is cut: not of the form %sNAME+ID+BASE64", skeyPrefix)
	}
	name, id := parts[0], parts[1]
	if err := CheckName(name); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("key data of %q is cut or damaged: not base64", name)
	}
	if data[0] != algEd25519 {
		return nil, fmt.Errorf("key of %q has type 0x%02x, which is not Ed25519 (0x01)", name, data[0])
	}
	if len(data) != 1+ed25519.SeedSize {
		return nil, fmt.Errorf("key data of %q is cut or damaged: %d bytes, want %d", name, len(data)-1, ed25519.SeedSize)
	}
	k, err := newPrivateKey(name, data[1:])
	if err != nil {
		return nil, err
	}
	if k.encode() != line {
		return nil, fmt.Errorf("key is not the one that name %q and id %q belong to", name, clip(id))
	}
	return k, nil
}
