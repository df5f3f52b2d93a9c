package bag

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// fixture reads a file that another program made: testdata/age/README.md.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "age", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const fixturePlain = "A packed case.\n"

var errNotAsked = errors.New("a passphrase was asked for")

func notAsked() (string, error) { return "", errNotAsked }

func sesame() (string, error) { return "open sesame", nil }

// opened are the identities of a file.
func opened(t testing.TB, name string, ask func() (string, error)) *Identities {
	t.Helper()
	ids := &Identities{}
	if err := ids.AddText(fixture(t, name), ask); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ids.AddPassphrase(ask)
	return ids
}

func decrypted(file []byte, ids *Identities) (string, error) {
	r, err := Decrypt(bytes.NewReader(file), ids)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

// TestDecrypt reads what age encrypted to keys that age-keygen and ssh-keygen made.
func TestDecrypt(t *testing.T) {
	for _, c := range []struct {
		file, identity string
		ask            func() (string, error)
	}{
		{"x25519.age", "identity.txt", notAsked}, {"ssh-ed25519.age", "id_ed25519", notAsked}, {"ssh-rsa.age", "id_rsa", notAsked},
		{"ssh-protected.age", "id_protected", sesame}, {"scrypt.age", "other.txt", sesame},
	} {
		if got, err := decrypted(fixture(t, c.file), opened(t, c.identity, c.ask)); err != nil || got != fixturePlain {
			t.Errorf("%s: %q, %v", c.file, got, err)
		}
	}
	if got, err := decrypted(fixture(t, "long.age"), opened(t, "identity.txt", notAsked)); err != nil || len(got) != 200_000 || strings.Trim(got, "\x00") != "" {
		t.Errorf("long.age: %d bytes, %v", len(got), err)
	}
}

// TestDecryptRefused: who cannot open a file is told apart from a file that is not whole, and from what cannot be asked or read.
func TestDecryptRefused(t *testing.T) {
	var who *IdentityError
	for file, says := range map[string]string{"x25519.age": "an age key", "ssh-ed25519.age": "(ssh-ed25519)", "ssh-rsa.age": "(ssh-rsa)", "scrypt.age": "a passphrase"} {
		ids := &Identities{}
		if file != "scrypt.age" {
			ids = opened(t, "other.txt", notAsked)
		}
		if _, err := decrypted(fixture(t, file), ids); !errors.As(err, &who) || !strings.Contains(err.Error(), says) || who.Passphrase() != (file == "scrypt.age") {
			t.Errorf("%s with another identity: %v", file, err)
		}
	}
	wrong := &Identities{}
	wrong.AddPassphrase(func() (string, error) { return "open sesam", nil })
	if _, err := decrypted(fixture(t, "scrypt.age"), wrong); !errors.As(err, &who) || !who.Passphrase() {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := decrypted(fixture(t, "scrypt.age"), opened(t, "other.txt", notAsked)); !errors.Is(err, errNotAsked) {
		t.Errorf("a passphrase that cannot be asked for: %v", err)
	}
	broken := errors.New("the disk fails")
	for _, n := range []int{10, 190, 70_000} {
		src := io.MultiReader(bytes.NewReader(fixture(t, "long.age")[:n]), iotest.ErrReader(broken))
		r, err := Decrypt(src, opened(t, "identity.txt", notAsked))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, broken) {
			t.Errorf("a disk that fails at %d: %v", n, err)
		}
	}
}

// TestDecryptEveryCut cuts a file at every byte, flips a bit of every byte, and adds bytes: none is decrypted as if it were whole. A stanza that was altered looks
// as one for somebody else.
func TestDecryptEveryCut(t *testing.T) {
	whole, ids := fixture(t, "x25519.age"), opened(t, "identity.txt", notAsked)
	var who *IdentityError
	var damage *AgeError
	strangers := 0
	try := func(what string, at int, file []byte) {
		t.Helper()
		_, err := decrypted(file, ids)
		switch {
		case errors.As(err, &who):
			strangers++
		case !errors.As(err, &damage):
			t.Errorf("%s at %d: %v", what, at, err)
		}
	}
	for i := range whole {
		try("cut", i, whole[:i])
		flipped := bytes.Clone(whole)
		flipped[i] ^= 1
		try("flipped", i, flipped)
	}
	try("longer", len(whole), append(bytes.Clone(whole), 0))
	if strangers < 30 || strangers > 100 {
		t.Errorf("%d alterations look as files for somebody else", strangers)
	}
	if got, err := decrypted(whole, ids); err != nil || got != fixturePlain {
		t.Errorf("the whole file: %q, %v", got, err)
	}
}

// TestDecryptCost: a header without end, and a passphrase that would take hours or all memory, are refused before the work.
func TestDecryptCost(t *testing.T) {
	var damage *AgeError
	for what, endless := range map[string]repeated{"stanzas": "-> grease abcdef\n\n", "a line": "-> x", "a body": repeated(strings.Repeat("A", 64) + "\n")} {
		file := io.MultiReader(strings.NewReader(ageMagic+"-> grease a\n"), endless)
		if _, err := Decrypt(file, opened(t, "identity.txt", notAsked)); !errors.As(err, &damage) {
			t.Errorf("a header with %s without end: %v", what, err)
		}
	}
	for _, n := range []string{"19", "22", "30", "63", "999999999999999999999"} {
		file := bytes.Replace(fixture(t, "scrypt.age"), []byte(" 18\n"), []byte(" "+n+"\n"), 1)
		if _, err := decrypted(file, opened(t, "other.txt", sesame)); !errors.As(err, &damage) || !strings.Contains(err.Error(), "work factor") {
			t.Errorf("work factor %s: %v", n, err)
		}
	}
}

// repeated is a text without end.
type repeated string

func (r repeated) Read(b []byte) (int, error) { return copy(b, r), nil }

func TestSniff(t *testing.T) {
	for name, want := range map[string]Encryption{"x25519.age": Encrypted, "scrypt.age": Encrypted, "armored.age": Armored, "identity.txt": Plain} {
		if got := Sniff(fixture(t, name)[:SniffSize]); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Sniff(nil) != Plain || Sniff([]byte("age-encryption.org/v")) != Plain {
		t.Error("what is too short for an encrypted file is taken for one")
	}
}

// TestIdentityFiles: what cannot be used is refused without a word of it.
func TestIdentityFiles(t *testing.T) {
	secret := strings.TrimSpace(string(fixture(t, "identity.txt")[bytes.Index(fixture(t, "identity.txt"), []byte("AGE-SECRET")):]))
	for what, c := range map[string]struct{ text, says string }{
		"nothing":              {"", "no identity"},
		"a comment":            {"# nothing\n", "no identity"},
		"a recipient":          {"age1tc9w5sexdkth8a78dszf3578vdnrmddajhfe9k3wa90w0yxwy5vs0rkk9q\n", "no identity"},
		"a cut key":            {secret[:40], "no identity"},
		"a key and more":       {secret + "\nx\n", "no identity"},
		"another type":         {string(fixture(t, "id_ecdsa")), "another type"},
		"a public key":         {string(fixture(t, "id_ed25519.pub")), "no identity"},
		"a cut SSH key":        {string(fixture(t, "id_ed25519")[:200]), "no SSH private key"},
		"an encrypted file":    {string(fixture(t, "scrypt.age")), "itself encrypted"},
		"an encrypted text":    {string(fixture(t, "armored.age")), "itself encrypted"},
		"a key, wrong passphr": {string(fixture(t, "id_protected")), "does not open"},
		"too much":             {strings.Repeat("#\n", 1<<20), "more than"},
	} {
		err := new(Identities).AddText([]byte(c.text), func() (string, error) { return "open sesam", nil })
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET-KEY-1") || strings.Contains(err.Error(), "sesam")) {
			t.Errorf("%s: the error tells a secret: %v", what, err)
		}
	}
	if err := new(Identities).AddText(fixture(t, "id_protected"), notAsked); !errors.Is(err, errNotAsked) {
		t.Errorf("a passphrase that cannot be asked for: %v", err)
	}
}

// TestEncrypt: each recipient reads what was encrypted to several, and nobody else does; the same bytes give another file.
func TestEncrypt(t *testing.T) {
	to := &Recipients{}
	text := "# the other side\n\n" + strings.TrimSpace(strings.TrimPrefix(strings.SplitN(string(fixture(t, "identity.txt")), "\n", 2)[0], "# public key: ")) + "\r\n"
	for _, err := range []error{to.AddText([]byte(text)), to.AddText(fixture(t, "id_rsa.pub")), to.Add(strings.TrimSpace(string(fixture(t, "id_ed25519.pub"))))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	encrypt := func(to *Recipients) []byte {
		t.Helper()
		var b bytes.Buffer
		w, err := Encrypt(&b, to)
		if err == nil {
			_, err = io.WriteString(w, fixturePlain)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	file := encrypt(to)
	if to.Len() != 3 || bytes.Equal(file, encrypt(to)) {
		t.Errorf("%d recipients, or the same file twice", to.Len())
	}
	for _, name := range []string{"identity.txt", "id_rsa", "id_ed25519"} {
		if got, err := decrypted(file, opened(t, name, notAsked)); err != nil || got != fixturePlain {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	var who *IdentityError
	if _, err := decrypted(file, opened(t, "other.txt", notAsked)); !errors.As(err, &who) {
		t.Errorf("another one: %v", err)
	}
	known, err := WithPassphrase("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	file = encrypt(known)
	if !bytes.Contains(file[:200], fmt.Appendf(nil, " %d\n", workFactor)) {
		t.Errorf("work factor: %q", file[:100])
	}
	if got, err := decrypted(file, opened(t, "other.txt", sesame)); err != nil || got != fixturePlain {
		t.Errorf("a passphrase: %q, %v", got, err)
	}
	if _, err := Encrypt(io.Discard, &Recipients{}); err == nil {
		t.Error("encrypted to nobody")
	}
}

func TestRecipientsRefused(t *testing.T) {
	secret := string(fixture(t, "identity.txt"))
	secret = secret[strings.Index(secret, "AGE-SECRET"):]
	for what, text := range map[string]string{"nothing": "", "a comment": "# x\n", "a private key": secret, "an SSH private key": string(fixture(t, "id_ed25519")), "a word": "me\n",
		"a cut recipient": "age1tc9w5sexdkth8a78dszf3578vdnrmddajhfe9k3wa90w0yxwy5vs0rkk9\n", "another SSH type": "ecdsa-sha2-nistp256 AAAA x\n", "a cut SSH key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 x\n"} {
		err := new(Recipients).AddText([]byte(text))
		if err == nil {
			t.Errorf("%s was taken", what)
		} else if strings.Contains(err.Error(), strings.TrimSpace(secret)[20:40]) || strings.Contains(err.Error(), "OPENSSH") {
			t.Errorf("%s: the error tells it: %v", what, err)
		}
	}
}

// FuzzDecrypt: whatever a file holds, it is decrypted to its end, or is damaged, or is for somebody else.
func FuzzDecrypt(f *testing.F) {
	for _, name := range []string{"x25519.age", "ssh-ed25519.age", "armored.age"} {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(ageMagic))
	ids := opened(f, "identity.txt", notAsked)
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := decrypted(file, ids)
		var who *IdentityError
		var damage *AgeError
		if err != nil && !errors.As(err, &who) && !errors.As(err, &damage) && !errors.Is(err, errNotAsked) {
			t.Errorf("%v", err)
		}
	})
}
