package signer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/exhibit-dfir/exhibit/evidence/signer"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// pair is an Ed25519 key and the verifier key of its public half.
func pair(t *testing.T, seed byte) (ed25519.PrivateKey, trust.VKey) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := trust.ParseSSHKey(strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(pub)), "\n") + " example.com/token")
	if err != nil {
		t.Fatal(err)
	}
	return key, vkey
}

// serve answers at a socket until the test ends.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				answer(c)
			}()
		}
	}()
	return path
}

// serveAgent answers as an agent does.
func serveAgent(t *testing.T, a agent.Agent) string {
	return serve(t, func(c net.Conn) { agent.ServeAgent(a, c) }) // ends when the client goes away
}

const long = time.Minute

func TestAgent(t *testing.T) {
	key, vkey := pair(t, 1)
	other, _ := pair(t, 2)
	ring := agent.NewKeyring()
	for _, k := range []ed25519.PrivateKey{other, key} {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := signer.NewAgent(t.Context(), signer.AgentOptions{Socket: serveAgent(t, ring), Key: vkey, Timeout: long})
	if err != nil {
		t.Fatal(err)
	}
	note, err := trust.Sign(t.Context(), "text\n", a)
	if err != nil {
		t.Fatal(err)
	}
	_, sigs, err := trust.Verify(note, []trust.VKey{vkey})
	if err != nil || len(sigs) != 1 || !bytes.Equal(sigs[0].Bytes, ed25519.Sign(key, []byte("text\n"))) {
		t.Errorf("note %q: %v", note, err)
	}
	if err := ring.RemoveAll(); err != nil { // taken out of its slot
		t.Fatal(err)
	}
	if _, err := trust.Sign(t.Context(), "text\n", a); !errors.Is(err, signer.ErrSigner) {
		t.Errorf("key removed: %v, want ErrSigner", err)
	}
}

// liar is an agent that has a key and signs as sign says.
type liar struct {
	agent.Agent
	sign func(ssh.PublicKey, []byte) (*ssh.Signature, error)
}

func (l liar) Sign(k ssh.PublicKey, b []byte) (*ssh.Signature, error) { return l.sign(k, b) }

// TestAgentRefused has an agent that does not do what it should in each row: no note is made, and none of it hangs.
func TestAgentRefused(t *testing.T) {
	key, vkey := pair(t, 1)
	wrong, _ := pair(t, 2)
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	sig := func(format string, blob []byte) func(ssh.PublicKey, []byte) (*ssh.Signature, error) {
		return func(ssh.PublicKey, []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: format, Blob: blob}, nil
		}
	}
	good := ed25519.Sign(key, []byte("text\n"))
	for name, sign := range map[string]func(ssh.PublicKey, []byte) (*ssh.Signature, error){
		"signature by another key":    sig("ssh-ed25519", ed25519.Sign(wrong, []byte("text\n"))),
		"signature of another text":   sig("ssh-ed25519", ed25519.Sign(key, []byte("other\n"))),
		"signature of another format": sig("rsa-sha2-256", good),
		"signature cut":               sig("ssh-ed25519", good[:63]),
		"signature with more":         sig("ssh-ed25519", append(bytes.Clone(good), 0)),
		"signature empty":             sig("ssh-ed25519", nil),
		"refusal":                     func(ssh.PublicKey, []byte) (*ssh.Signature, error) { return nil, errors.New("no") },
	} {
		t.Run(name, func(t *testing.T) {
			a, err := signer.NewAgent(t.Context(), signer.AgentOptions{Socket: serveAgent(t, liar{ring, sign}), Key: vkey, Timeout: long})
			if err != nil {
				t.Fatal(err)
			}
			if note, err := trust.Sign(t.Context(), "text\n", a); err == nil {
				t.Errorf("made a note: %q", note)
			}
		})
	}
	silent := serve(t, func(c net.Conn) { c.Read(make([]byte, 1<<10)); c.Read(make([]byte, 1)) }) // until the client gives up
	for name, o := range map[string]signer.AgentOptions{
		"no socket named": {Key: vkey, Timeout: long},
		"no such socket":  {Socket: filepath.Join(t.TempDir(), "none"), Key: vkey, Timeout: long},
		"key not there":   {Socket: serveAgent(t, agent.NewKeyring()), Key: vkey, Timeout: long},
		"silence":         {Socket: silent, Key: vkey, Timeout: 50 * time.Millisecond},
		"hangs up":        {Socket: serve(t, func(net.Conn) {}), Key: vkey, Timeout: long},
		"nonsense":        {Socket: serve(t, func(c net.Conn) { fmt.Fprint(c, "\xff\xff\xff\xff and more") }), Key: vkey, Timeout: long},
	} {
		if a, err := signer.NewAgent(t.Context(), o); a != nil || !errors.Is(err, signer.ErrSigner) {
			t.Errorf("%s: %v, %v; want ErrSigner", name, a, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signer.NewAgent(ctx, signer.AgentOptions{Socket: silent, Key: vkey, Timeout: long}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRealAgent has OpenSSH's agent hold the key.
func TestRealAgent(t *testing.T) {
	program := tool(t, "ssh-agent", "that OpenSSH's agent signs for us")
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(program, "-D", "-a", socket)
	out, err := cmd.StdoutPipe() // it says where it listens as soon as it does
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) // it is ended by force, so that its state says nothing
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	key, vkey := pair(t, 1)
	if err := agent.NewClient(conn).Add(agent.AddedKey{PrivateKey: key, Comment: "example.com/token"}); err != nil {
		t.Fatal(err)
	}
	a, err := signer.NewAgent(t.Context(), signer.AgentOptions{Socket: socket, Key: vkey, Timeout: long})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Sign(t.Context(), []byte("text\n"))
	if err != nil || !bytes.Equal(got, ed25519.Sign(key, []byte("text\n"))) {
		t.Errorf("signature %x: %v", got, err)
	}
}

func tool(t *testing.T, name, untested string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing", name)
	}
	if err != nil {
		t.Skipf("NOT TESTED, %s is missing: %s", name, untested)
	}
	return path
}

// script writes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED, no POSIX shell: signer commands")
	}
	path := filepath.Join(t.TempDir(), "signer")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCommand signs with a program that OpenSSL does the work for.
func TestCommand(t *testing.T) {
	openssl := tool(t, "openssl", "that a command signs for us")
	key, vkey := pair(t, 1)
	der := append([]byte{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20}, key.Seed()...) // RFC 8410, section 7
	keyFile := filepath.Join(t.TempDir(), "key.der")
	if err := os.WriteFile(keyFile, der, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := &signer.Command{Path: script(t, `in=$(mktemp) && cat >$in && echo "asked $# arguments" >&2
`+openssl+` pkeyutl -sign -rawin -keyform DER -inkey '`+keyFile+`' -in $in | `+openssl+` base64 -A; rm $in`), Key: vkey, Timeout: long, Stderr: &said}
	note, err := trust.Sign(t.Context(), "text\n", c)
	if err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	if _, sigs, err := trust.Verify(note, []trust.VKey{vkey}); err != nil || !bytes.Equal(sigs[0].Bytes, ed25519.Sign(key, []byte("text\n"))) {
		t.Errorf("note %q: %v", note, err)
	}
	if said.String() != "asked 0 arguments\n" {
		t.Errorf("standard error %q", &said)
	}
}

// TestCommandRefused has a command that does not do what it should in each row.
func TestCommandRefused(t *testing.T) {
	key, vkey := pair(t, 1)
	wrong, _ := pair(t, 2)
	good := base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte("text\n")))
	for _, r := range []struct{ name, text, says string }{
		{"signature by another key", "echo " + base64.StdEncoding.EncodeToString(ed25519.Sign(wrong, []byte("text\n"))), "does not verify"},
		{"signature of another text", "echo " + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte("other\n"))), "does not verify"},
		{"nothing", "true", "wrote 0 bytes"},
		{"text before", "echo signature: " + good, "not the base64"},
		{"two lines", "echo " + good + "; echo", "not the base64"},
		{"cut", "echo " + good[:84], "not the base64"},
		{"no padding", "echo " + strings.TrimRight(good, "="), "not the base64"},
		{"hexadecimal", "echo " + fmt.Sprintf("%x", ed25519.Sign(key, []byte("text\n"))), "not the base64"},
		{"much", "head -c 2000 /dev/zero", "too much output"},
		{"fails", "echo " + good + "; exit 3", "exit status 3"},
		{"killed", "kill -9 $$", "killed"},
		{"reads nothing and fails", "exec 0<&-; exit 1", "exit status 1"},
	} {
		t.Run(r.name, func(t *testing.T) {
			c := &signer.Command{Path: script(t, r.text), Key: vkey, Timeout: long}
			note, err := trust.Sign(t.Context(), "text\n", c)
			if note != nil || err == nil || !strings.Contains(err.Error(), r.says) {
				t.Errorf("note %q, %v; want an error that says %q", note, err, r.says)
			}
			if r.says != "does not verify" && !errors.Is(err, signer.ErrSigner) {
				t.Errorf("%v is no ErrSigner", err)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		c := &signer.Command{Path: path, Key: vkey, Timeout: long}
		if _, err := c.Sign(t.Context(), nil); !errors.Is(err, signer.ErrSigner) {
			t.Errorf("%s: %v, want ErrSigner", path, err)
		}
	}
	c := &signer.Command{Path: script(t, "cat >/dev/null; exec sleep 600"), Key: vkey, Timeout: 100 * time.Millisecond}
	if _, err := c.Sign(t.Context(), nil); !errors.Is(err, signer.ErrSigner) || !strings.Contains(err.Error(), "stopped after") {
		t.Errorf("hangs: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Sign(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestCommandTalk bounds what a command can say.
func TestCommandTalk(t *testing.T) {
	key, vkey := pair(t, 1)
	good := base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte("text\n")))
	var said bytes.Buffer
	c := &signer.Command{Path: script(t, "head -c 1000000 /dev/zero >&2; echo "+good), Key: vkey, Timeout: long, Stderr: &said}
	if _, err := trust.Sign(t.Context(), "text\n", c); err != nil {
		t.Fatal(err)
	}
	if said.Len() != 64<<10 {
		t.Errorf("%d bytes were passed on, want 65,536", said.Len())
	}
}
