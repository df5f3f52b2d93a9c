package trust

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNoteSize is the length in bytes that a note may have. It leaves room for 16
// signatures of the largest known kind, which the specification asks for.
const MaxNoteSize = 128 << 10

// maxSignatures is the number of signature lines that a note may have.
const maxSignatures = 100

// sigPrefix starts a signature line: em dash, space.
const sigPrefix = "— "

// A Signature is one signature line of a note.
type Signature struct {
	Name  string // of the key, as the line says; any text without space and plus if the key is not known
	ID    uint32 // of the key, as the line says
	Known bool   // by a key that the caller gave, and good
	Bytes []byte // the signature without the key id: 64 bytes of Ed25519 when known
}

// An UnverifiedError says that a note is well formed and that none of the given
// keys signed it. What it carries is unproven.
type UnverifiedError struct {
	Text       string
	Signatures []Signature
}

func (e *UnverifiedError) Error() string {
	return fmt.Sprintf("note is signed by no trusted key (%d signatures by others)", len(e.Signatures))
}

// A BadSignatureError says that a signature line names a trusted key and the key
// did not sign the text.
type BadSignatureError struct {
	Name string // of the key
	ID   uint32 // of the key
}

func (e *BadSignatureError) Error() string {
	return fmt.Sprintf("bad signature by trusted key %q with id %08x", e.Name, e.ID)
}

// Verify checks a note of at most [MaxNoteSize] bytes against keys that the caller
// trusts. It returns the text and all signatures in the order of their lines, at
// least one of them Known.
//
// It fails with a [*BadSignatureError] when a line names one of keys and does
// not verify, with an [*UnverifiedError] when no line names one of keys, and with
// another error when the note is malformed, one of keys signed twice, or two
// different keys have one name and id. Any number of goroutines may call it.
func Verify(msg []byte, keys []VKey) (text string, sigs []Signature, err error) {
	text, sigs, err = parseNote(msg)
	if err != nil {
		return "", nil, err
	}
	signed := make(map[VKey]bool)
	for i := range sigs {
		s := &sigs[i]
		key, err := findKey(keys, s)
		if err != nil {
			return "", nil, err
		}
		if key == (VKey{}) {
			continue
		}
		if signed[key] {
			return "", nil, fmt.Errorf("malformed note: key %q with id %08x signed twice", s.Name, s.ID)
		}
		if !key.verifies([]byte(text), s.Bytes) {
			return "", nil, &BadSignatureError{Name: s.Name, ID: s.ID}
		}
		signed[key], s.Known = true, true
	}
	if len(signed) == 0 {
		return "", nil, &UnverifiedError{Text: text, Signatures: sigs}
	}
	return text, sigs, nil
}

// findKey returns the key that s names, or the zero key.
func findKey(keys []VKey, s *Signature) (VKey, error) {
	var found VKey
	for _, k := range keys {
		if k.name != s.Name || k.id != s.ID || k == found {
			continue
		}
		if found != (VKey{}) {
			return VKey{}, fmt.Errorf("ambiguous trusted keys: two have name %q and id %08x", s.Name, s.ID)
		}
		found = k
	}
	return found, nil
}

// parseNote splits a note into text and signatures, and checks no signature.
func parseNote(msg []byte) (string, []Signature, error) {
	if len(msg) > MaxNoteSize {
		return "", nil, fmt.Errorf("malformed note: %d bytes, at most %d", len(msg), MaxNoteSize)
	}
	split := bytes.LastIndex(msg, []byte("\n\n"))
	if split < 0 {
		return "", nil, errors.New("malformed note: no empty line before signatures")
	}
	text := string(msg[:split+1])
	if err := checkText(text); err != nil {
		return "", nil, fmt.Errorf("malformed note: %w", err)
	}
	rest, ok := strings.CutSuffix(string(msg[split+2:]), "\n")
	if !ok {
		return "", nil, errors.New("malformed note: no signature line, or the last one is cut")
	}
	if n := strings.Count(rest, "\n") + 1; n > maxSignatures {
		return "", nil, fmt.Errorf("malformed note: %d signatures, at most %d", n, maxSignatures)
	}
	var sigs []Signature
	for line := range strings.SplitSeq(rest, "\n") {
		s, err := parseSignature(line)
		if err != nil {
			return "", nil, fmt.Errorf("malformed note: signature line %d: %w", len(sigs)+1, err)
		}
		sigs = append(sigs, s)
	}
	return text, sigs, nil
}

// parseSignature reads a signature line without its LF.
func parseSignature(line string) (Signature, error) {
	body, ok := strings.CutPrefix(line, sigPrefix)
	if !ok {
		return Signature{}, fmt.Errorf("%q does not start with an em dash and a space", clip(line))
	}
	name, b64, _ := strings.Cut(body, " ")
	if name == "" || strings.Contains(name, "+") || strings.ContainsFunc(name, unicode.IsSpace) || checkRunes(name) != nil {
		return Signature{}, fmt.Errorf("key name %q is not allowed", clip(name))
	}
	data, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || strings.ContainsAny(b64, "\r\n") {
		return Signature{}, fmt.Errorf("signature %q is not base64", clip(b64))
	}
	if len(data) < 5 {
		return Signature{}, fmt.Errorf("signature has %d bytes, want a key id of 4 and more", len(data))
	}
	return Signature{Name: name, ID: binary.BigEndian.Uint32(data), Bytes: data[4:]}, nil
}

// checkText refuses what no note may have as its text.
func checkText(text string) error {
	if text == "" || text[len(text)-1] != '\n' {
		return errors.New("text does not end in a newline")
	}
	return checkRunes(text)
}

// checkRunes refuses bytes that are not UTF-8 and control characters but LF.
func checkRunes(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("text is not UTF-8")
	}
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\n' {
			return fmt.Errorf("text holds the control character %q at byte %d", s[i], i)
		}
	}
	return nil
}

// clip shortens hostile input for an error.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// ErrForeignSignature is matched by the error of [Sign] where a signer returned
// something else than a signature by its own key.
var ErrForeignSignature = errors.New("what the signer returned does not verify with its own verifier key")

// Sign returns a note: text and one signature line for each signer, in order. The
// text is UTF-8, ends in LF and holds no other control character. Each signature
// is checked against its signer's verifier key before it goes into the note, so
// that a fault or a mix-up of a signing device makes no bad note.
func Sign(ctx context.Context, text string, signers ...Signer) ([]byte, error) {
	if err := checkText(text); err != nil {
		return nil, fmt.Errorf("note cannot be signed: %w", err)
	}
	if len(signers) == 0 || len(signers) > maxSignatures {
		return nil, fmt.Errorf("note cannot be signed: %d signers, want 1 to %d", len(signers), maxSignatures)
	}
	var b strings.Builder
	b.WriteString(text + "\n")
	var done []VKey
	for _, s := range signers {
		key, err := ParseVKey(s.VerifierKey())
		if err != nil {
			return nil, fmt.Errorf("note cannot be signed: %w", err)
		}
		for _, k := range done {
			if k.name == key.name && k.id == key.id {
				return nil, fmt.Errorf("note cannot be signed: key %q with id %08x was given twice", key.name, key.id)
			}
		}
		done = append(done, key)
		sig, err := s.Sign(ctx, []byte(text))
		if err != nil {
			return nil, fmt.Errorf("signing with key %q: %w", key.name, err)
		}
		if !key.verifies([]byte(text), sig) {
			return nil, fmt.Errorf("signing with key %q: %w", key.name, ErrForeignSignature)
		}
		data := append(binary.BigEndian.AppendUint32(nil, key.id), sig...)
		b.WriteString(sigPrefix + key.name + " " + base64.StdEncoding.EncodeToString(data) + "\n")
	}
	if b.Len() > MaxNoteSize {
		return nil, fmt.Errorf("note cannot be signed: %d bytes, at most %d", b.Len(), MaxNoteSize)
	}
	return []byte(b.String()), nil
}
