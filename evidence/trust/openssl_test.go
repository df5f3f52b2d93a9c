package trust

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenSSL has OpenSSL check what is signed here, and checks here what OpenSSL
// signed.
func TestOpenSSL(t *testing.T) {
	openssl := tool(t, "openssl", "that another program accepts our Ed25519 signatures and we accept its")
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	k := testKey(t, "example.com/lab", 3)
	pub, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k.vkey.pub[:]))
	if err != nil {
		t.Fatal(err)
	}
	priv, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		t.Fatal(err)
	}
	pubFile := file("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))
	privFile := file("priv.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: priv}))
	text, err := (Head{Origin: "example.com/case/1", Size: 12}).Text()
	if err != nil {
		t.Fatal(err)
	}
	msg, err := Sign(context.Background(), text, k)
	if err != nil {
		t.Fatal(err)
	}
	_, sigs, err := Verify(msg, []VKey{k.vkey})
	if err != nil {
		t.Fatal(err)
	}
	sigFile := file("sig", sigs[0].Bytes)
	for _, c := range []struct {
		text string
		ok   bool
	}{{text, true}, {strings.Replace(text, "12", "13", 1), false}} {
		out, err := exec.Command(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", pubFile, "-rawin",
			"-in", file("text", []byte(c.text)), "-sigfile", sigFile).CombinedOutput()
		if (err == nil) != c.ok {
			t.Errorf("openssl on %q: %v\n%s", c.text, err, out)
		}
	}
	out, err := exec.Command(openssl, "pkeyutl", "-sign", "-inkey", privFile, "-rawin", "-in", file("text", []byte(text))).Output()
	if err != nil {
		t.Fatalf("openssl cannot sign: %v", err)
	}
	note := text + "\n" + sigLine("example.com/lab", k.vkey.id, out)
	if _, _, err := Verify([]byte(note), []VKey{k.vkey}); err != nil {
		t.Errorf("signature by openssl: %v", err)
	}
}

// tool finds a program or skips the test, loudly; with EXHIBIT_REQUIRE_TOOLS=1 it
// fails.
func tool(t *testing.T, name, untested string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("NOT TESTED, %s is missing: %s", name, untested)
	return ""
}
