package trust

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const (
	peterSKey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
	peterText = "If you think cryptography is the answer to your problem,\n" +
		"then you don't know what your problem is.\n"
	peterSig  = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
	enochSig  = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
	peterNote = peterText + "\n" + peterSig
)

func mustVKey(t testing.TB, s string) VKey {
	t.Helper()
	k, err := ParseVKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// testKey makes a key of a fixed seed.
func testKey(t testing.TB, name string, seed byte) *PrivateKey {
	t.Helper()
	k, err := NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sigLine writes a signature line around any bytes.
func sigLine(name string, id uint32, sig []byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, id), sig...)) + "\n"
}

// TestRFC8032 runs tests 1 to 3 of RFC 8032, 7.1.
func TestRFC8032(t *testing.T) {
	for i, v := range []struct{ seed, pub, msg, sig string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
	} {
		unhex := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		k, err := NewKey(bytes.NewReader(unhex(v.seed)), "example.com/rfc8032")
		if err != nil {
			t.Fatal(err)
		}
		if got := vkeyOf("example.com/rfc8032", 1, unhex(v.pub)); k.VerifierKey() != got {
			t.Errorf("vector %d: verifier key %s, want %s", i+1, k.VerifierKey(), got)
		}
		sig, err := k.Sign(context.Background(), unhex(v.msg))
		if err != nil || hex.EncodeToString(sig) != v.sig {
			t.Errorf("vector %d: signature %x (%v), want %s", i+1, sig, err, v.sig)
		}
		if !k.vkey.verifies(unhex(v.msg), unhex(v.sig)) {
			t.Errorf("vector %d: does not verify", i+1)
		}
	}
}

func TestPackageNoteExample(t *testing.T) {
	peter := mustVKey(t, goodVKey)
	text, sigs, err := Verify([]byte(peterText+"\n"+peterSig+enochSig), []VKey{peter})
	if err != nil {
		t.Fatal(err)
	}
	if text != peterText {
		t.Errorf("text %q", text)
	}
	if len(sigs) != 2 || !sigs[0].Known || sigs[0].ID != 0xc74f20a3 || sigs[1].Known || sigs[1].Name != "EnochRoot" || sigs[1].ID != 0xaf0cfe78 {
		t.Errorf("signatures %+v", sigs)
	}
	k, err := parsePrivateKey(peterSKey)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := Sign(context.Background(), peterText, k)
	if err != nil || string(msg) != peterNote {
		t.Errorf("signed %q (%v), want the example", msg, err)
	}
}

// TestChecksumDatabaseNote checks a head that the Go checksum database signed.
func TestChecksumDatabaseNote(t *testing.T) {
	key := mustVKey(t, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
	const text = "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	const sig = "— sum.golang.org Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
	if got, _, err := Verify([]byte(text+"\n"+sig), []VKey{key}); err != nil || got != text {
		t.Errorf("text %q, %v", got, err)
	}
	_, _, err := Verify([]byte(strings.Replace(text, "63", "64", 1)+"\n"+sig), []VKey{key})
	if bad := new(BadSignatureError); !errors.As(err, &bad) || bad.ID != 0x033de0ae {
		t.Errorf("another size: %v", err)
	}
}

// TestVerifyRefuses has one fault in each row; all keys are trusted.
func TestVerifyRefuses(t *testing.T) {
	peter := mustVKey(t, goodVKey)
	line := strings.TrimSuffix(peterSig, "\n")
	many := strings.Repeat(enochSig, 100)
	for what, msg := range map[string]string{
		"empty":                        "",
		"text only":                    peterText,
		"no signature line":            peterText + "\n",
		"no empty line":                peterText + peterSig,
		"last newline cut":             peterText + "\n" + line,
		"two newlines at the end":      peterNote + "\n",
		"line after signatures":        peterNote + "more\n",
		"carriage return in text":      "a\r\n\n" + peterSig,
		"tab in text":                  "a\tb\n\n" + peterSig,
		"NUL in text":                  "a\x00b\n\n" + peterSig,
		"not UTF-8":                    "a\xff\n\n" + peterSig,
		"hyphen for em dash":           peterText + "\n" + strings.Replace(peterSig, "—", "-", 1),
		"space before":                 peterText + "\n " + peterSig,
		"two spaces":                   peterText + "\n" + strings.Replace(peterSig, "Neumann ", "Neumann  ", 1),
		"space after":                  peterText + "\n" + line + " \n",
		"no name":                      peterText + "\n" + strings.Replace(peterSig, "PeterNeumann", "", 1),
		"plus in unknown name":         peterNote + strings.Replace(enochSig, "Enoch", "En+och", 1),
		"Unicode space in name":        peterNote + strings.Replace(enochSig, "Enoch", "En\u2003och", 1),
		"escape in name":               peterNote + strings.Replace(enochSig, "Enoch", "En\x1boch", 1),
		"carriage return in base64":    peterNote + strings.Replace(enochSig, "rwz+", "rw\rz+", 1),
		"base64 without padding":       peterText + "\n" + strings.TrimSuffix(line, "=") + "\n",
		"base64 with bits left over":   peterText + "\n" + strings.Replace(peterSig, "JnAM=", "JnAN=", 1),
		"unknown base64 bits left":     peterNote + strings.Replace(enochSig, "+QQ=", "+QR=", 1),
		"signature of no bytes":        peterNote + sigLine("EnochRoot", 0xaf0cfe78, nil),
		"no base64":                    peterNote + "— EnochRoot\n",
		"one key twice, equal":         peterNote + peterSig,
		"one key twice, second is bad": peterNote + sigLine("PeterNeumann", 0xc74f20a3, make([]byte, 64)),
		"101 signatures":               peterNote + many,
		"too long":                     strings.Repeat("a", MaxNoteSize) + "\n\n" + peterSig,
	} {
		if text, _, err := Verify([]byte(msg), []VKey{peter}); err == nil {
			t.Errorf("%s: accepted with text %q", what, text)
		} else if e := new(UnverifiedError); errors.As(err, &e) {
			t.Errorf("%s: taken for well formed: %v", what, err)
		}
	}
	if _, _, err := Verify([]byte(peterText+"\n"+peterSig+many[:99*len(enochSig)]), []VKey{peter}); err != nil {
		t.Errorf("100 signatures: %v", err)
	}
}

func TestVerifyKnownAndUnknown(t *testing.T) {
	peter := mustVKey(t, goodVKey)
	ann, ben := testKey(t, "example.com/lab", 1), testKey(t, "example.com/lab", 2) // one name, two keys
	msg, err := Sign(context.Background(), "text\n\nwith an empty line\n", ann, ben)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		keys  []VKey
		known string // one letter for each signature
	}{
		{"both", []VKey{ann.vkey, ben.vkey}, "yy"},
		{"first", []VKey{ann.vkey}, "yn"},
		{"second, and one that did not sign", []VKey{peter, ben.vkey}, "ny"},
		{"one key pinned twice", []VKey{ann.vkey, ann.vkey}, "yn"},
	} {
		_, sigs, err := Verify(msg, c.keys)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := ""
		for _, s := range sigs {
			got += map[bool]string{true: "y", false: "n"}[s.Known]
		}
		if got != c.known {
			t.Errorf("%s: known %s, want %s", c.name, got, c.known)
		}
	}
	for _, keys := range [][]VKey{nil, {peter}} {
		text, sigs, err := Verify(msg, keys)
		var e *UnverifiedError
		if !errors.As(err, &e) || text != "" || sigs != nil {
			t.Fatalf("keys %v: got %q, %v, %v", keys, text, sigs, err)
		}
		if len(e.Signatures) != 2 || e.Text != "text\n\nwith an empty line\n" {
			t.Errorf("error carries %+v", e)
		}
	}
	// Two different keys with one name and id cannot be told apart.
	twin := ben.vkey
	twin.id = ann.vkey.id
	if _, _, err := Verify(msg, []VKey{ann.vkey, twin}); err == nil || !strings.Contains(err.Error(), "ambiguous") {
		t.Errorf("twin keys: %v", err)
	}
}

// TestCraftedSignatures makes signatures by hand, each with one property, over
// one text by one honest key.
func TestCraftedSignatures(t *testing.T) {
	c := newCurve()
	seed := bytes.Repeat([]byte{9}, 32)
	k := testKey(t, "example.com/lab", 9)
	a, text := secretScalar(seed), "text\n"
	pub := k.vkey.pub
	if got := c.encodePoint(c.times(a, c.base())); got != pub {
		t.Fatalf("the curve of the test gives the key %x, want %x", got, pub)
	}
	// sign makes S = r + k·a for a commitment that is encoded as R.
	sign := func(r *big.Int, R [32]byte) []byte {
		s := c.challenge(R, pub, []byte(text))
		s.Mul(s, a).Add(s, r).Mod(s, c.l)
		return append(R[:], scalar(s)...)
	}
	r := big.NewInt(12345)
	R := c.encodePoint(c.times(r, c.base()))
	good := sign(r, R)
	plusL := new(big.Int).SetBytes(reversed(good[32:]))
	plusL.Add(plusL, c.l)
	zero, one := big.NewInt(0), big.NewInt(1)
	low := c.lowOrder()[1]
	mixed := c.encodePoint(c.add(c.times(r, c.base()), low))
	short := append(bytes.Clone(good[:63]), 0)
	for _, v := range []struct {
		name string
		sig  []byte
		ok   bool
	}{
		{"another commitment than RFC 8032 would choose", good, true},
		{"R is the identity", sign(zero, encode(one, 0)), true}, // only the key's holder can make it
		{"S + L", append(bytes.Clone(good[:32]), scalar(plusL)...), false},
		{"S of all ones", append(bytes.Clone(good[:32]), bytes.Repeat([]byte{0xff}, 32)...), false},
		{"S = L", append(bytes.Clone(good[:32]), scalar(c.l)...), false},
		{"S = 0", append(bytes.Clone(good[:32]), make([]byte, 32)...), false},
		{"R is the identity with y=p+1", sign(zero, encode(new(big.Int).Add(c.p, one), 0)), false},
		{"R is the identity with x=-0", sign(zero, encode(one, 1)), false},
		{"R with a component of order 8", sign(r, mixed), false}, // a cofactored verifier takes it
		{"R of another text", append(c.slice(c.times(big.NewInt(5), c.base())), good[32:]...), false},
		{"last byte zero", short, bytes.Equal(short, good)},
		{"63 bytes", good[:63], false},
		{"65 bytes", append(bytes.Clone(good), 0), false},
		{"one byte", good[:1], false},
		{"all zero", make([]byte, 64), false},
	} {
		msg := text + "\n" + sigLine("example.com/lab", k.vkey.id, v.sig)
		_, _, err := Verify([]byte(msg), []VKey{k.vkey})
		var bad *BadSignatureError
		if v.ok && err != nil || !v.ok && !errors.As(err, &bad) {
			t.Errorf("%s: %v, want accepted %v", v.name, err, v.ok)
		}
	}
}

func (c curve) slice(a point) []byte {
	b := c.encodePoint(a)
	return b[:]
}

// tampered flips bits in every byte of msg, cuts it at every byte and doubles
// each line, and returns what verify accepts none the less.
func tampered(msg []byte, verify func([]byte) error) (accepted []string) {
	try := func(what string, m []byte) {
		if !bytes.Equal(m, msg) && verify(m) == nil {
			accepted = append(accepted, what)
		}
	}
	for i := range msg {
		for _, x := range []byte{0x01, 0x03, 0x20, 0x80, 0xff} {
			m := bytes.Clone(msg)
			m[i] ^= x
			try(fmt.Sprintf("byte %d xor %02x", i, x), m)
		}
		try(fmt.Sprintf("cut at %d", i), msg[:i])
		try(fmt.Sprintf("newline at %d", i), append(append(bytes.Clone(msg[:i]), '\n'), msg[i:]...))
	}
	lines := strings.SplitAfter(string(msg), "\n")
	for i := range lines {
		double := append(append(append([]string{}, lines[:i+1]...), lines[i]), lines[i+1:]...)
		try(fmt.Sprintf("line %d twice", i+1), []byte(strings.Join(double, "")))
	}
	return accepted
}

func TestTamperedNotes(t *testing.T) {
	peter := mustVKey(t, goodVKey)
	strict := func(m []byte) error { _, _, err := Verify(m, []VKey{peter}); return err }
	if got := tampered([]byte(peterNote), strict); got != nil {
		t.Errorf("accepted: %q", got)
	}
	// A verifier that decodes base64 loosely and drops a second signature by one
	// key, as package note does, must be caught.
	v, err := note.NewVerifier(goodVKey)
	if err != nil {
		t.Fatal(err)
	}
	loose := func(m []byte) error { _, err := note.Open(m, note.VerifierList(v)); return err }
	if got := tampered([]byte(peterNote), loose); len(got) < 2 {
		t.Errorf("planted bug: harness caught only %q", got)
	}
	// So must one that checks the text only up to its last line.
	blind := func(m []byte) error {
		text, sigs, err := parseNote(m)
		if err != nil || len(sigs) != 1 || !bytes.HasPrefix([]byte(text), []byte("If")) ||
			!ed25519.Verify(peter.pub[:], []byte(peterText), sigs[0].Bytes) {
			return errors.New("refused")
		}
		return nil
	}
	if got := tampered([]byte(peterNote), blind); len(got) < len(peterText) {
		t.Errorf("planted bug: harness caught only %d", len(got))
	}
}

// wrongSigner claims one key and signs with another.
type wrongSigner struct {
	*PrivateKey
	vkey string
}

func (w wrongSigner) VerifierKey() string { return w.vkey }

func TestSignRefuses(t *testing.T) {
	ctx := context.Background()
	ann, ben := testKey(t, "example.com/ann", 1), testKey(t, "example.com/ben", 2)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for what, f := range map[string]func() ([]byte, error){
		"no signer":            func() ([]byte, error) { return Sign(ctx, "text\n") },
		"one key twice":        func() ([]byte, error) { return Sign(ctx, "text\n", ann, ben, ann) },
		"empty text":           func() ([]byte, error) { return Sign(ctx, "", ann) },
		"no newline":           func() ([]byte, error) { return Sign(ctx, "text", ann) },
		"control character":    func() ([]byte, error) { return Sign(ctx, "te\x1bxt\n", ann) },
		"not UTF-8":            func() ([]byte, error) { return Sign(ctx, "te\xc3xt\n", ann) },
		"too long":             func() ([]byte, error) { return Sign(ctx, strings.Repeat("a", MaxNoteSize)+"\n", ann) },
		"key of another":       func() ([]byte, error) { return Sign(ctx, "text\n", wrongSigner{ann, ben.VerifierKey()}) },
		"malformed key":        func() ([]byte, error) { return Sign(ctx, "text\n", wrongSigner{ann, "ann"}) },
		"context that has end": func() ([]byte, error) { return Sign(ended, "text\n", ann) },
	} {
		if msg, err := f(); err == nil || msg != nil {
			t.Errorf("%s: signed %q", what, msg)
		}
	}
	if _, err := Sign(ended, "text\n", ann); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}
