package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// keyPath returns a path in a folder that does not exist yet.
func keyPath(t *testing.T) string {
	return filepath.Join(t.TempDir(), "exhibit", "keys", "default")
}

func TestKeyFile(t *testing.T) {
	path := keyPath(t)
	k := testKey(t, "example.com/lab", 5)
	if err := WriteKeyFile(path, k); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 3 || lines[2] != "" || !strings.HasPrefix(lines[0], "# ") || !strings.Contains(lines[0], k.VerifierKey()) {
		t.Errorf("file is %d lines", len(lines))
	}
	// Package note reads the key line and signs the same.
	s, err := note.NewSigner(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	want, err := note.Sign(&note.Note{Text: "text\n"}, s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := Sign(context.Background(), "text\n", got)
	if err != nil || !bytes.Equal(msg, want) {
		t.Errorf("signed %q (%v), package note signs %q", msg, err, want)
	}
	if err := WriteKeyFile(path, testKey(t, "example.com/lab", 6)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second write: %v, want ErrExist", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
		t.Errorf("second write changed the file (%v)", err)
	}
}

func TestReadKeyFileRefuses(t *testing.T) {
	const comment = "# a key\n"
	seed := peterSKey[len(skeyPrefix+"PeterNeumann+c74f20a3+"):]
	for _, c := range []struct{ name, content, says string }{
		{"empty", "", "empty"},
		{"wiped", strings.Repeat("\x00", 120), "wiped"},
		{"partly wiped", comment + peterSKey[:60] + strings.Repeat("\x00", 20) + "\n", "wiped"},
		{"newline cut", comment + peterSKey, "cut"},
		{"comment alone", comment, "cut"},
		{"cut in the comment", comment[:4] + "\n", "cut"},
		{"cut in the data", comment + peterSKey[:60] + "\n", "cut"},
		{"cut by four characters", comment + peterSKey[:len(peterSKey)-4] + "\n", "cut"},
		{"cut before the data", comment + "PRIVATE+KEY+PeterNeumann\n", "cut"},
		{"cut to the name", comment + "PRIVATE+KEY+PeterNeumann+c74f20a3+\n", "cut"},
		{"key of another name", comment + strings.Replace(peterSKey, "PeterNeumann", "EnochRoot", 1) + "\n", "EnochRoot"},
		{"other id", comment + strings.Replace(peterSKey, "c74f20a3", "c74f20a4", 1) + "\n", "c74f20a4"},
		{"data swapped", comment + "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFy\n", "belong"},
		{"upper-case id", comment + strings.Replace(peterSKey, "c74f20a3", "C74F20A3", 1) + "\n", "belong"},
		{"verifier key", comment + goodVKey + "\n", "public"},
		{"PEM", "-----BEGIN PRIVATE KEY-----\n" + seed + "\n-----END PRIVATE KEY-----\n", "start with"},
		{"other type", comment + "PRIVATE+KEY+PeterNeumann+c74f20a3+BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n", "type 0x04"},
		{"two keys", peterSKey + "\n" + peterSKey + "\n", "follows"},
		{"comment after", peterSKey + "\n" + comment, "follows"},
		{"empty line", "\n" + peterSKey + "\n", "start with"},
		{"carriage return", peterSKey + "\r\n", "belong"},
		{"space before", " " + peterSKey + "\n", "start with"},
		{"space in name", comment + strings.Replace(peterSKey, "PeterN", "Peter N", 1) + "\n", "name"},
		{"too long", strings.Repeat(comment, 1000) + peterSKey + "\n", "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := keyPath(t)
			writeRaw(t, path, c.content)
			k, err := ReadKeyFile(path)
			if k != nil || !errors.Is(err, ErrKeyFile) {
				t.Fatalf("got %v, %v; want ErrKeyFile", k, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if i := leaks(err.Error(), seed); i >= 0 {
				t.Errorf("error holds the key from its character %d", i)
			}
		})
	}
	path := keyPath(t)
	writeRaw(t, path, comment+comment+peterSKey+"\n")
	if k, err := ReadKeyFile(path); err != nil || k.VerifierKey() != goodVKey {
		t.Errorf("two comments: %v", err)
	}
	if _, err := ReadKeyFile(filepath.Join(t.TempDir(), "none", "default")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// leaks finds 6 characters in a row of secret in s.
func leaks(s, secret string) int {
	for i := 0; i+6 <= len(secret); i++ {
		if strings.Contains(s, secret[i:i+6]) {
			return i
		}
	}
	return -1
}

func writeRaw(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewKeyRefuses(t *testing.T) {
	if k, err := NewKey(bytes.NewReader(make([]byte, 31)), "example.com/lab"); err == nil {
		t.Errorf("31 random bytes: made %v", k)
	}
	for _, name := range []string{"", "a b", "a+b", "a\n", "ä", "a\x7f", strings.Repeat("n", 256)} {
		if k, err := NewKey(bytes.NewReader(make([]byte, 32)), name); err == nil {
			t.Errorf("name %q: made %v", name, k)
		}
	}
}

// TestPrintingHidesKey prints a key in every way that fmt knows.
func TestPrintingHidesKey(t *testing.T) {
	k := testKey(t, "example.com/lab", 0x5a)
	holder := struct{ K *PrivateKey }{k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v"} {
		for _, v := range []any{k, holder} {
			s := fmt.Sprintf(verb, v)
			for _, secret := range []string{"5a5a5a", "5A5A5A", "ZZZ", "WlpaW", "90 90", "0x5a, 0x5a"} {
				if strings.Contains(s, secret) {
					t.Errorf("%s of %T shows the key: %s", verb, v, s)
				}
			}
		}
	}
	if s := fmt.Sprint(k); !strings.Contains(s, k.VerifierKey()) {
		t.Errorf("prints %q, without its verifier key", s)
	}
}
