package trust

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const passphrase = "correct horse battery staple"

// says is an Unlock that gives a passphrase; the slice that it gave is kept, so that a test sees it erased.
type says struct{ given []byte }

func (s *says) unlock(string) ([]byte, error) { return s.given, nil }

func saying(text string) *says { return &says{[]byte(text)} }

// lockedKey writes an encrypted key and returns its path.
func lockedKey(t *testing.T, k *PrivateKey) string {
	t.Helper()
	path := keyPath(t)
	if err := WriteLockedKeyFile(path, k, []byte(passphrase)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLockedKeyFile(t *testing.T) {
	k := testKey(t, "example.com/lab", 5)
	path := lockedKey(t, k)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := ReadKeyFile(path); k != nil || !errors.Is(err, ErrPassphrase) {
		t.Errorf("without a passphrase: %v, %v; want ErrPassphrase", k, err)
	}
	if v, err := ReadKeyFileVKey(path); err != nil || v != k.vkey {
		t.Errorf("public half: %v, %v", v, err)
	}
	s := saying(passphrase)
	got, err := UnlockKeyFile(path, s.unlock)
	if err != nil || got.vkey != k.vkey || !got.key.Equal(k.key) {
		t.Fatalf("unlocked %v, %v", got, err)
	}
	if !bytes.Equal(s.given, make([]byte, len(passphrase))) {
		t.Error("the passphrase was not erased")
	}
	for _, err := range []error{WriteLockedKeyFile(path, k, []byte(passphrase)), WriteKeyFile(path, k)} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("second write: %v, want ErrExist", err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("second write changed the file (%v)", err)
	}
	for _, short := range []string{"", "seven77", strings.Repeat("x", MaxPassphrase+1)} {
		path := keyPath(t)
		if err := WriteLockedKeyFile(path, k, []byte(short)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("passphrase of %d bytes: %v, want ErrPassphrase", len(short), err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("passphrase of %d bytes: a file was written", len(short))
		}
	}
}

// TestLockedKeyFilePublicThere has something in the place of the public half: no private one is written.
func TestLockedKeyFilePublicThere(t *testing.T) {
	path := keyPath(t)
	writeRaw(t, path+".pub", "mine\n")
	if err := WriteLockedKeyFile(path, testKey(t, "example.com/lab", 5), []byte(passphrase)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a private key was written")
	}
	if b, err := os.ReadFile(path + ".pub"); err != nil || string(b) != "mine\n" {
		t.Errorf("what was there is now %q (%v)", b, err)
	}
}

// TestSSHKeygen has ssh-keygen read what is written here, change its passphrase, and make keys that are read here.
func TestSSHKeygen(t *testing.T) {
	keygen := tool(t, "ssh-keygen", "that another program reads our encrypted keys and we read its")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(keygen, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
		return string(out)
	}
	k := testKey(t, "example.com/lab", 5)
	path := lockedKey(t, k)
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if got := run("-y", "-P", passphrase, "-f", path); got != string(public) {
		t.Errorf("ssh-keygen reads %q, the public half is %q", got, public)
	}
	run("-p", "-q", "-P", passphrase, "-N", "another passphrase", "-f", path)
	if got, err := UnlockKeyFile(path, saying("another passphrase").unlock); err != nil || got.vkey != k.vkey {
		t.Errorf("after ssh-keygen changed the passphrase: %v, %v", got, err)
	}
	run("-p", "-q", "-P", "another passphrase", "-N", "", "-f", path)
	if got, err := ReadKeyFile(path); err != nil || got.vkey != k.vkey {
		t.Errorf("after ssh-keygen removed the passphrase: %v, %v", got, err)
	}
	own := filepath.Join(filepath.Dir(path), "own")
	run("-q", "-t", "ed25519", "-N", passphrase, "-C", "A. Examiner at lab-3", "-f", own)
	got, err := UnlockKeyFile(own, saying(passphrase).unlock)
	if err != nil || got.vkey.Name() != "A.-Examiner-at-lab-3" {
		t.Fatalf("key of ssh-keygen: %v, %v", got, err)
	}
	if _, err := Sign(context.Background(), "text\n", got); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"ecdsa"} {
		other := filepath.Join(filepath.Dir(path), kind)
		run("-q", "-t", kind, "-N", "", "-C", "x", "-f", other)
		if got, err := ReadKeyFile(other); got != nil || !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s key: %v, %v; want ErrKeyFile", kind, got, err)
		}
	}
}

// TestLockedKeyFileRefuses has one way for an encrypted key to be unusable in each row (K7).
func TestLockedKeyFileRefuses(t *testing.T) {
	k := testKey(t, "example.com/lab", 5)
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	path, otherPath := lockedKey(t, k), lockedKey(t, testKey(t, "example.com/lab", 6))
	private, public := read(path), read(path+".pub")
	other, otherPublic := read(otherPath), read(otherPath+".pub")
	rows := []struct {
		name, private, public, passphrase, says string
		is                                      error
	}{
		{"wrong passphrase", private, public, "not the one", "wrong", ErrPassphrase},
		{"passphrase in capitals", private, public, strings.ToUpper(passphrase), "wrong", ErrPassphrase},
		{"passphrase cut", private, public, passphrase[:len(passphrase)-1], "wrong", ErrPassphrase},
		{"passphrase with a space more", private, public, passphrase + " ", "wrong", ErrPassphrase},
		{"no passphrase", private, public, "", "0 bytes", ErrPassphrase},
		{"passphrase too long", private, public, strings.Repeat("x", MaxPassphrase+1), "1025 bytes", ErrPassphrase},
		{"empty", "", public, passphrase, "empty", ErrKeyFile},
		{"wiped", strings.Repeat("\x00", len(private)), public, passphrase, "wiped", ErrKeyFile},
		{"wiped in part", private[:200] + strings.Repeat("\x00", 50) + private[250:], public, passphrase, "wiped", ErrKeyFile},
		{"public half wiped", private, strings.Repeat("\x00", len(public)), passphrase, "public half", ErrKeyFile},
		{"public half empty", private, "", passphrase, "public half", ErrKeyFile},
		{"public half missing", private, "-", passphrase, "missing", ErrKeyFile},
		{"public half without a name", private, strings.TrimSuffix(public, " example.com/lab\n") + "\n", passphrase, "comment", ErrKeyFile},
		{"public half twice", private, public + public, passphrase, "one line", ErrKeyFile},
		{"public half of an sk key", private, skLine + "\n", passphrase, "sk-ssh-ed25519", ErrKeyFile},
		{"public half exchanged", private, otherPublic, passphrase, "exchanged", ErrKeyFile},
		{"private half exchanged", other, public, passphrase, "exchanged", ErrKeyFile},
		{"private half of another key under this header", spliced(t, private, other), public, passphrase, "exchanged", ErrKeyFile},
		{"two keys", private + other, public, passphrase, "follows", ErrKeyFile},
		{"text before", "# mine\n" + private, public, passphrase, "start with", ErrKeyFile},
		{"text behind", private + "text\n", public, passphrase, "follows", ErrKeyFile},
		{"carriage returns", strings.ReplaceAll(private, "\n", "\r\n") + "\x00", public, passphrase, "wiped", ErrKeyFile},
		{"PKCS 8", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", public, passphrase, "start with", ErrKeyFile},
		{"public key in its place", public, public, passphrase, "start with", ErrKeyFile},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			path := keyPath(t)
			writeRaw(t, path, r.private)
			if r.public != "-" {
				writeRaw(t, path+".pub", r.public)
			}
			s := saying(r.passphrase)
			k, err := UnlockKeyFile(path, s.unlock)
			if k != nil || !errors.Is(err, r.is) || !strings.Contains(err.Error(), r.says) {
				t.Fatalf("got %v, %v; want %v and %q", k, err, r.is, r.says)
			}
			hidden := strings.Contains(r.name, "under this header") // shows itself only when it is decrypted
			if v, err := ReadKeyFileVKey(path); (err == nil) != (hidden || r.is == ErrPassphrase) {
				t.Errorf("public half: %v, %v", v, err)
			}
			if r.passphrase != "" && strings.Contains(err.Error(), r.passphrase) {
				t.Errorf("error holds the passphrase: %v", err)
			}
			if i := leaks(err.Error(), strings.ReplaceAll(private[60:400], "\n", "")); i >= 0 {
				t.Errorf("error holds the key file from its character %d", i)
			}
		})
	}
}

// skLine is the public half of a key in a security key, as ssh-keygen writes one.
const skLine = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIFyRSN+jK+NoCsMDeoSVp0M6xvLMDy2iPuJ+M3JKr3NPAAAABHNzaDo= me"

// spliced puts the private section of the key file b into a, whose header stays.
func spliced(t *testing.T, a, b string) string {
	t.Helper()
	type file struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public, Private      []byte
	}
	const magic = "openssh-key-v1\x00"
	var fa, fb file
	for text, to := range map[string]*file{a: &fa, b: &fb} {
		block, _ := pem.Decode([]byte(text))
		if err := ssh.Unmarshal(block.Bytes[len(magic):], to); err != nil {
			t.Fatal(err)
		}
	}
	fb.Public = fa.Public
	return string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: append([]byte(magic), ssh.Marshal(fb)...)}))
}

// TestLockedKeyFileCutAndFlipped cuts an encrypted key at every byte and flips bits in it: what is read is the key or an error.
func TestLockedKeyFileCutAndFlipped(t *testing.T) {
	k := testKey(t, "example.com/lab", 5)
	path := lockedKey(t, k)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte) (*PrivateKey, error) {
		writeRaw(t, path, string(b))
		return UnlockKeyFile(path, saying(passphrase).unlock)
	}
	for n := range len(whole) {
		if k, err := try(whole[:n]); k != nil || !errors.Is(err, ErrKeyFile) {
			t.Fatalf("cut to %d bytes: %v, %v; want ErrKeyFile", n, k, err)
		}
	}
	t.Logf("%d cuts", len(whole))
	refused := 0
	for i := 0; i < len(whole); i += 97 {
		b := bytes.Clone(whole)
		b[i] ^= 2
		got, err := try(b)
		switch {
		case err == nil && got.vkey == k.vkey && got.key.Equal(k.key): // a line's end, or the comment within, which nothing reads
		case err == nil || got != nil:
			t.Errorf("byte %d flipped: read %v, %v", i, got, err)
		default:
			refused++
		}
	}
	if refused < 3 {
		t.Errorf("only %d flips were refused: was the file read?", refused)
	}
}

func TestParseSSHKey(t *testing.T) {
	k := testKey(t, "example.com/lab", 5)
	line, err := sshLine(k.vkey)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{line, strings.TrimSuffix(line, "\n"), strings.TrimSuffix(line, "\n") + "\r\n"} {
		if got, err := ParseSSHKey(s); err != nil || got != k.vkey {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	identity := ssh.Marshal(struct {
		Type string
		Key  []byte
	}{ssh.KeyAlgoED25519, append([]byte{1}, make([]byte, 31)...)})
	weak, err := ssh.ParsePublicKey(identity)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseSSHKey(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(weak))) + " name"); !errors.Is(err, ErrWeakKey) {
		t.Errorf("key of low order: %v, want ErrWeakKey", err)
	}
	for what, s := range map[string]string{
		"empty": "", "options before": `command="x" ` + line, "two lines": line + line, "comment line before": "# x\n" + line,
		"no base64": "ssh-ed25519 ???? name", "cut": line[:40], "type alone": "ssh-ed25519", "no comment": strings.TrimSuffix(line, " example.com/lab\n"),
		"sk key": skLine, "verifier key": goodVKey, "long": line[:len(line)-1] + strings.Repeat("x", 5000), "zero": line + "\x00",
	} {
		if got, err := ParseSSHKey(s); err == nil {
			t.Errorf("%s: accepted as %s", what, got)
		}
	}
	for text, want := range map[string]string{"a b": "a-b", " me@host ": "me@host", "a+b": "a-b", "ü\x1b[2J": "--[2J", "": "", strings.Repeat("n", 300): strings.Repeat("n", 255)} {
		if got := KeyName(text); got != want || got != "" && CheckName(got) != nil {
			t.Errorf("name of %q: %q, want %q", text, got, want)
		}
	}
	if key, err := k.vkey.SSHKey(); err != nil || !bytes.Equal(key.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey), k.vkey.pub[:]) {
		t.Errorf("as an ssh key: %v, %v", key, err)
	}
}

func TestReadPassphraseFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "passphrase")
	for content, want := range map[string]string{"secret\n": "secret", "secret": "secret", "secret\r\n": "secret", "with space \n": "with space ",
		strings.Repeat("x", MaxPassphrase) + "\n": strings.Repeat("x", MaxPassphrase)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadPassphraseFile(path); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	for _, content := range []string{"", "\n", "secret\nsecond\n", "secret\n\n", "sec\x00ret\n", strings.Repeat("x", MaxPassphrase+1) + "\n", strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPassphraseFile(path)
		if got != nil || !errors.Is(err, ErrPassphrase) {
			t.Errorf("%d bytes: %q, %v; want ErrPassphrase", len(content), got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error holds the passphrase: %v", err)
		}
	}
	if _, err := ReadPassphraseFile(dir); err == nil {
		t.Error("a folder was read")
	}
	if _, err := ReadPassphraseFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
