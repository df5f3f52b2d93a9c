package main

import (
	"encoding/asn1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestAuthorityEchoes: what an authority was asked with, in the query of its URL, reaches no text and no output, though it writes it back. Its answer is kept as it came.
func TestAuthorityEchoes(t *testing.T) {
	const secret = "key-of-a-customer/0123456789"
	refusal := func(text string) []byte {
		b, err := asn1.Marshal(struct {
			Status struct {
				Status int
				Text   []asn1.RawValue
			}
		}{struct {
			Status int
			Text   []asn1.RawValue
		}{2, []asn1.RawValue{{Tag: asn1.TagUTF8String, Bytes: []byte(text)}}}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/text":
			_, _ = w.Write(refusal("no such key: " + r.URL.Query().Get("key")))
		case "/cut": // at 256 bytes, amid the secret
			_, _ = w.Write(refusal(strings.Repeat("x", 240) + r.URL.Query().Get("key")))
		case "/escaped":
			_, _ = w.Write(refusal(r.URL.String()))
		case "/coding":
			w.Header().Set("Content-Encoding", r.URL.Query().Get("key"))
		}
	}))
	defer server.Close()
	config := t.TempDir()
	dir := filepath.Join(config, "case")
	caseAt(t, config, dir)
	for _, path := range []string{"text", "cut", "escaped", "coding"} {
		code, out, talk := typedAt(t, config, "stamp", dir, "--tsa", server.URL+"/"+path+"?key=key-of-a-customer%2F0123456789")
		if code != cli.Unexpected || !strings.Contains(talk, "REDACTED") {
			t.Errorf("%s: exit %d\n%s", path, code, talk)
		}
		log := done(t, config, "log", dir, "--json")
		if !strings.Contains(log, "/"+path) {
			t.Fatalf("%s: the log does not tell of it\n%s", path, log)
		}
		for _, piece := range []string{secret[:12], secret[len(secret)-12:]} {
			if strings.Contains(out+talk+log, piece) {
				t.Errorf("%s: the secret is repeated\n%s", path, talk)
			}
		}
	}
}

// TestGivenSecrets: a secret that somebody gives where something else belongs is not repeated.
func TestGivenSecrets(t *testing.T) {
	const secret = "hunter2-0123456789"
	for _, args := range []string{
		"stamp nowhere --tsa https://user:%s@tsa.example/", "stamp nowhere --tsa https://user:x/%s@tsa.example/", "stamp nowhere --tsa https://user:x?%s@tsa.example/",
		"stamp nowhere --tsa user:%s@tsa.example", "stamp nowhere --tsa https:user:%s@tsa.example/", "stamp nowhere --tsa HTTPS://user:%s/x@tsa.example/", "stamp nowhere --tsa https://tsa.example/#%s",
		"stamp nowhere --tsa https://tsa.example/\u00e9?key=%s",
		"witness nowhere --witness https://user:%s@witness.example/", "witness nowhere --witness https://user:%s@witness.example/?a=b", "witness nowhere --witness PRIVATE+KEY+w+00000000+%s",
		"seal nowhere --yes --signer-command x --signer-key PRIVATE+KEY+w+00000000+%s", "note nowhere x --key-file PRIVATE+KEY+w+00000000+%s", "note nowhere x --agent-key PRIVATE+KEY+w+00000000+%s",
		"key allow nowhere PRIVATE+KEY+w+00000000+%s", "custody list nowhere --key PRIVATE+KEY+w+00000000+%s", "pack nowhere -o x.zip --to AGE-SECRET-KEY-1%s",
		"unpack nowhere -o x --identity AGE-SECRET-KEY-1%s", "status nowhere --AGE-SECRET-KEY-1%s",
	} {
		code, out, talk := typedAt(t, t.TempDir(), strings.Fields(fmt.Sprintf(args, secret))...)
		if code != cli.Usage || strings.Contains(out+talk, secret) {
			t.Errorf("%s: exit %d\n%s", args, code, talk)
		}
	}
}
