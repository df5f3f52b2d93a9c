package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// secretless FILE… takes the contents of FILEs as secrets and looks for each of them, in every form that it could have taken, in everything that was printed and in
// every other file of the script's folder, segments decompressed: row K1 of the matrix. With ! something must be found.
func secretless(ts *testscript.TestScript, neg bool, args []string) {
	forms := map[string][]byte{}
	own := map[string]bool{}
	for _, name := range args {
		own[ts.MkAbs(name)] = true
		for form, b := range secretForms(secretOf(ts.ReadFile(name))) {
			forms[name+", "+form] = b
		}
	}
	found := findSecret("what was printed", []byte(transcript(ts).String()), forms)
	files := 0
	err := filepath.WalkDir(ts.Getenv("WORK"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || own[path] {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found = append(found, findSecret(path, b, forms)...)
		if strings.HasSuffix(path, ".warc.zst") {
			plain, err := inflate(b)
			if err != nil {
				return err
			}
			found = append(found, findSecret(path+", decompressed", plain, forms)...)
		}
		return nil
	})
	ts.Check(err)
	if (len(found) > 0) != neg || files == 0 {
		ts.Fatalf("%d files: found %q", files, found)
	}
}

// secretOf is the secret in a file: of a key file, the private key without its name.
func secretOf(text string) string {
	_, key, ok := strings.Cut(text, "PRIVATE+KEY+")
	if parts := strings.SplitN(key, "+", 3); ok && len(parts) == 3 {
		text = parts[2]
	}
	return strings.TrimSpace(text)
}

func findSecret(place string, b []byte, forms map[string][]byte) []string {
	var found []string
	for form, secret := range forms {
		if bytes.Contains(b, secret) {
			found = append(found, place+": "+form)
		}
	}
	return found
}

// secretForms are the secret itself, what each 18 bytes of it are, in case that it was split, and how it looks encoded. Base64 is taken at its three alignments.
// Of a JWT only the signature is secret in pieces: its claims are evidence.
func secretForms(secret string) map[string][]byte {
	forms := map[string][]byte{"itself": []byte(secret), "percent-encoded": []byte(url.QueryEscape(secret)), "hexadecimal": []byte(hex.EncodeToString([]byte(secret)))}
	piece := secret[strings.LastIndexByte(secret, '.')+1:]
	for i := 0; i+18 <= len(piece); i += 9 {
		forms["piece at "+piece[i:i+4]] = []byte(piece[i : i+18])
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		forms["base64 "+text[:2]] = []byte(text[4 : len(text)-4])
	}
	return forms
}

// inflate returns all records of a segment.
func inflate(b []byte) ([]byte, error) {
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	r := warc.NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
	var out []byte
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(append(out, rec.Header.TargetURI...), rec.Block()...)
	}
}

// TestSecretForms plants a secret in each form and requires that it is found.
func TestSecretForms(t *testing.T) {
	const secret = "hunter2-correct-horse-battery-staple/+=&"
	forms := secretForms(secret)
	for name, text := range map[string]string{
		"itself":            "x" + secret + "y",
		"split":             secret[:len(secret)-3] + "\n" + secret[len(secret)-3:],
		"in a URL":          "https://h/?t=" + url.QueryEscape(secret),
		"in Basic":          base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"in Basic, shifted": base64.StdEncoding.EncodeToString([]byte("users:" + secret)),
		"in Basic, again":   base64.StdEncoding.EncodeToString([]byte("userss:" + secret)),
		"hexadecimal":       hex.EncodeToString([]byte(secret)),
	} {
		if len(findSecret("text", []byte(text), forms)) == 0 {
			t.Errorf("%s: the secret in %q is not found", name, text)
		}
	}
	if found := findSecret("text", []byte("Authorization: Basic REDACTED"), forms); len(found) > 0 {
		t.Errorf("found %q where there is none", found)
	}
}
