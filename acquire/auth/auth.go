package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// maxSecret bounds a token or password, in bytes.
const maxSecret = 64 << 10

// Secret is a text that no print or log statement shows. It is held by a pointer, because package fmt does not ask a field that is not exported how it wants to be
// printed, but does not follow pointers there either.
type Secret struct{ text *string }

// NewSecret makes a secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Format writes REDACTED for every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "REDACTED") } // fmt has no use for the error

// Reveal is the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Token is a bearer token. It implements the credential of package acquire.
type Token struct {
	file string // where it is read again; empty if it cannot be

	mu      sync.Mutex
	value   Secret
	edition int64
}

// TokenFile reads a bearer token from a file of at most 64 KiB. White space around it is dropped, and so is a leading word Bearer.
// The file is read again when the token is refused: whoever renews tokens may replace it meanwhile.
func TokenFile(path string) (*Token, error) {
	value, err := readToken(path)
	if err != nil {
		return nil, err
	}
	return &Token{file: path, value: value}, nil
}

// TokenFrom reads a bearer token from r to its end, for example from standard input. It cannot be renewed.
func TokenFrom(r io.Reader) (*Token, error) {
	b, err := readSecret(r)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	value, err := parseToken(b)
	if err != nil {
		return nil, err
	}
	return &Token{value: value}, nil
}

func readToken(path string) (Secret, error) {
	b, err := readFile(path)
	if err != nil {
		return Secret{}, fmt.Errorf("token file: %w", err)
	}
	value, err := parseToken(b)
	if err != nil {
		return Secret{}, fmt.Errorf("token file %q: %w", path, err)
	}
	return value, nil
}

// parseToken allows the characters of RFC 6750, section 2.1, alone.
func parseToken(b []byte) (Secret, error) {
	text := strings.TrimSpace(string(b))
	if len(text) > 7 && strings.EqualFold(text[:7], "bearer ") {
		text = strings.TrimSpace(text[7:])
	}
	if text == "" {
		return Secret{}, errors.New("token is empty")
	}
	for i := range len(text) {
		c := text[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0) {
			return Secret{}, fmt.Errorf("token has a byte that no bearer token has, at %d", i)
		}
	}
	return NewSecret(text), nil
}

// Authorization is the header's value and the edition of the token in it.
func (t *Token) Authorization(ctx context.Context) (string, int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return "Bearer " + t.value.Reveal(), t.edition, ctx.Err()
}

// Renew reads the token file again, unless somebody has since that edition. It reports whether there is now another token.
func (t *Token) Renew(ctx context.Context, edition int64) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.edition != edition {
		return true, ctx.Err()
	}
	if t.file == "" {
		return false, ctx.Err()
	}
	value, err := readToken(t.file)
	if err != nil {
		return false, err
	}
	if value.Reveal() == t.value.Reveal() {
		return false, ctx.Err()
	}
	t.value = value
	t.edition++
	return true, ctx.Err()
}

// Basic is a user and a password. It implements the credential of package acquire.
type Basic struct {
	value Secret
}

// BasicFile reads the password from a file: its first line, of at most 64 KiB, without the line's end.
func BasicFile(user, path string) (*Basic, error) {
	if user == "" || strings.ContainsRune(user, ':') {
		return nil, errors.New("user is empty or has a colon") // behind which may stand a password
	}
	b, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("password file: %w", err)
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 || len(rest) > 0 {
		return nil, fmt.Errorf("password file %q does not hold one line", path)
	}
	return &Basic{NewSecret("Basic " + base64.StdEncoding.EncodeToString(append([]byte(user+":"), line...)))}, nil
}

// Authorization is the header's value; there is only one edition.
func (b *Basic) Authorization(ctx context.Context) (string, int64, error) {
	return b.value.Reveal(), 0, ctx.Err()
}

// Renew cannot get another password.
func (b *Basic) Renew(ctx context.Context, _ int64) (bool, error) { return false, ctx.Err() }

// readFile does not repeat the name of a file that cannot be opened: it may be the secret, given in the wrong place.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return nil, fmt.Errorf("it cannot be opened (the name is not repeated, because it could be the secret itself): %w", e.Err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSecret(f)
}

func readSecret(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecret {
		return nil, fmt.Errorf("more than %d bytes", maxSecret)
	}
	return b, nil
}
