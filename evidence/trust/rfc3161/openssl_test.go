package rfc3161_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// openssl runs it in dir.
func openssl(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		what := "openssl is missing: that another program accepts the simulated authority's tokens, and we accept its, was not tested"
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(what)
		}
		t.Skip("NOT TESTED: " + what)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOpenSSLVerifies has OpenSSL check what the simulated authority answers.
func TestOpenSSLVerifies(t *testing.T) {
	dir := t.TempDir()
	id, q := identity(t, authority.Options{}), query(t)
	asked, err := q.DER()
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "data", data)
	put(t, dir, "query.tsq", asked)
	put(t, dir, "ca.pem", id.RootPEM())
	put(t, dir, "reply.tsr", encode(t, id.Reply(q, time.Now())))
	for _, against := range [][]string{{"-data", "data"}, {"-queryfile", "query.tsq"}} {
		if out, err := openssl(t, dir, append([]string{"ts", "-verify", "-in", "reply.tsr", "-CAfile", "ca.pem"}, against...)...); err != nil || !strings.Contains(out, "Verification: OK") {
			t.Errorf("%v: %v: %s", against, err, out)
		}
	}
	put(t, dir, "data", []byte("something else"))
	if out, err := openssl(t, dir, "ts", "-verify", "-in", "reply.tsr", "-CAfile", "ca.pem", "-data", "data"); err == nil {
		t.Errorf("of something else: %s", out)
	}
}

const opensslConf = `
[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
`

// TestOpenSSLAnswers has OpenSSL answer our query, in the forms that it knows, with RSA and with ECDSA keys.
func TestOpenSSLAnswers(t *testing.T) {
	for _, c := range []struct{ name, key, id string }{
		{"RSA", "rsa:2048", "sha256"}, {"RSA with a certificate id of RFC 2634", "rsa:2048", "sha1"}, {"ECDSA", "ec", "sha256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			q := query(t)
			asked, err := q.DER()
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, "query.tsq", asked)
			put(t, dir, "serial", []byte("01\n"))
			put(t, dir, "tsa.cnf", []byte(opensslConf+"ess_cert_id_alg = "+c.id+"\n"))
			args := []string{"req", "-x509", "-newkey", c.key, "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=openssl TSA", "-days", "2",
				"-addext", "extendedKeyUsage=critical,timeStamping", "-addext", "keyUsage=critical,digitalSignature"}
			if c.key == "ec" {
				args = append(args, "-pkeyopt", "ec_paramgen_curve:P-256")
			}
			for _, step := range [][]string{args,
				{"ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-inkey", "key.pem", "-signer", "cert.pem", "-out", "reply.tsr"}} {
				if out, err := openssl(t, dir, step...); err != nil {
					t.Fatalf("%v: %v: %s", step, err, out)
				}
			}
			raw, err := os.ReadFile(filepath.Join(dir, "reply.tsr"))
			if err != nil {
				t.Fatal(err)
			}
			tok, err := rfc3161.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := tok.Answers(q); err != nil {
				t.Error(err)
			}
			if err := tok.Trusted(pool(readCert(t, dir)), time.Now()); err != nil {
				t.Error(err)
			}
			if off := time.Since(tok.Time).Abs(); off > time.Minute {
				t.Errorf("time is off by %v", off)
			}
			if tok.Accuracy != 1500*time.Millisecond+100*time.Microsecond || tok.Policy.String() != "1.2.3.4.1" {
				t.Errorf("accuracy %v, policy %v", tok.Accuracy, tok.Policy)
			}
		})
	}
}

func readCert(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
