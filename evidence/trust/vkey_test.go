package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// vkeyOf writes a verifier key around any 32 bytes, as an attacker would.
func vkeyOf(name string, typ byte, pub []byte) string {
	data := append([]byte{typ}, pub...)
	sum := sha256.Sum256(append([]byte(name+"\n"), data...))
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(sum[:]), base64.StdEncoding.EncodeToString(data))
}

// forged is a public key under which anyone makes a signature of some text.
type forged struct {
	name string
	pub  [32]byte
}

// lowOrderKeys returns the 8 canonical and the 6 other encodings of the points of
// low order.
func lowOrderKeys(c curve) []forged {
	var keys []forged
	for i, a := range c.lowOrder() {
		keys = append(keys, forged{fmt.Sprintf("canonical, %d times a point of order 8", i), c.encodePoint(a)})
	}
	one := big.NewInt(1)
	pPlus1 := new(big.Int).Add(c.p, one)
	pMinus1 := new(big.Int).Sub(c.p, one)
	return append(keys,
		forged{"y=p, x even", encode(c.p, 0)},
		forged{"y=p, x odd", encode(c.p, 1)},
		forged{"y=p+1", encode(pPlus1, 0)},
		forged{"y=p+1, x=-0", encode(pPlus1, 1)},
		forged{"y=1, x=-0", encode(one, 1)},
		forged{"y=-1, x=-0", encode(pMinus1, 1)},
	)
}

// TestLowOrderKeys shows for each encoding that crypto/ed25519 takes a signature
// made without a private key, where it takes the encoding at all, and that
// ParseVKey refuses the key.
func TestLowOrderKeys(t *testing.T) {
	c := newCurve()
	keys := lowOrderKeys(c)
	if len(keys) != 14 {
		t.Fatalf("%d encodings, want 8+6", len(keys))
	}
	seen := make(map[[32]byte]bool)
	for _, k := range keys {
		t.Run(k.name, func(t *testing.T) {
			if seen[k.pub] {
				t.Fatal("encoding was tried before")
			}
			seen[k.pub] = true
			if !forgeable(c, k.pub) {
				t.Error("no forgery found: this row shows nothing")
			}
			_, err := ParseVKey(vkeyOf("example.com/evil", algEd25519, k.pub[:]))
			if !errors.Is(err, ErrWeakKey) {
				t.Errorf("ParseVKey: %v, want ErrWeakKey", err)
			}
		})
	}
}

// forgeable looks for a text that R = S·B verifies, where the key vanishes from
// the equation: each text has a chance of at least 1 in 8.
func forgeable(c curve, pub [32]byte) bool {
	s := big.NewInt(7)
	r := c.encodePoint(c.times(s, c.base()))
	sig := append(r[:], scalar(s)...)
	for i := range 200 {
		if ed25519.Verify(pub[:], fmt.Appendf(nil, "text %d\n", i), sig) {
			return true
		}
	}
	return false
}

func TestNonCanonicalAndOffCurveKeys(t *testing.T) {
	c := newCurve()
	bad := 0
	for i := int64(0); i < 19; i++ { // every y from p to 2^255-1
		y := new(big.Int).Add(c.p, big.NewInt(i))
		for sign := range uint(2) {
			pub := encode(y, sign)
			if err := checkPoint(pub); !errors.Is(err, ErrWeakKey) {
				t.Errorf("y=p+%d, sign %d: %v, want ErrWeakKey", i, sign, err)
			}
		}
	}
	for i := int64(2); i < 200; i++ {
		y := big.NewInt(i)
		_, on := c.at(y)
		err := checkPoint(encode(y, 0))
		if on != (err == nil) {
			t.Errorf("y=%d: on the curve %v, checkPoint says %v", i, on, err)
		}
		if !on {
			bad++
		}
	}
	if bad < 50 {
		t.Errorf("only %d y off the curve tried", bad)
	}
}

// goodVKey is the key of the example in golang.org/x/mod/sumdb/note.
const goodVKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

func TestParseVKey(t *testing.T) {
	for _, s := range []string{
		goodVKey,
		"sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", // cmd/go's pinned key
	} {
		k, err := ParseVKey(s)
		if err != nil {
			t.Fatal(err)
		}
		v, err := note.NewVerifier(s)
		if err != nil {
			t.Fatal(err)
		}
		if k.String() != s || k.Name() != v.Name() || k.ID() != v.KeyHash() {
			t.Errorf("%s: got %s, name %s, id %08x", s, k, k.Name(), k.ID())
		}
	}
	pub, err := base64.StdEncoding.DecodeString(goodVKey[len("PeterNeumann+c74f20a3+"):])
	if err != nil {
		t.Fatal(err)
	}
	pub = pub[1:]
	bad := map[string]string{
		"empty":                   "",
		"no plus":                 "PeterNeumann",
		"no data":                 "PeterNeumann+c74f20a3+",
		"one part missing":        "PeterNeumann+c74f20a3",
		"other name":              strings.Replace(goodVKey, "PeterNeumann", "PaulNeumann", 1),
		"other id":                strings.Replace(goodVKey, "c74f20a3", "c74f20a4", 1),
		"upper-case id":           strings.Replace(goodVKey, "c74f20a3", "C74F20A3", 1),
		"short id":                strings.Replace(goodVKey, "+c74f20a3+", "+74f20a3+", 1),
		"empty name":              vkeyOf("", algEd25519, pub),
		"space in name":           vkeyOf("Peter Neumann", algEd25519, pub),
		"newline in name":         vkeyOf("Peter\nNeumann", algEd25519, pub),
		"name beyond ASCII":       vkeyOf("Péter", algEd25519, pub),
		"escape in name":          vkeyOf("Peter\x1b[2J", algEd25519, pub),
		"name of 256 bytes":       vkeyOf(strings.Repeat("n", 256), algEd25519, pub),
		"type 0":                  vkeyOf("PeterNeumann", 0, pub),
		"type 4, cosignature":     vkeyOf("PeterNeumann", 4, pub),
		"31 bytes":                vkeyOf("PeterNeumann", algEd25519, pub[:31]),
		"33 bytes":                vkeyOf("PeterNeumann", algEd25519, append(bytes.Clone(pub), 0)),
		"space after":             goodVKey + " ",
		"newline after":           goodVKey + "\n",
		"newline inside data":     goodVKey[:30] + "\n" + goodVKey[30:],
		"base64 without padding":  strings.TrimRight(vkeyOf("PeterNeumann", algEd25519, pub[:31]), "="),
		"base64 of URLs":          strings.ReplaceAll(goodVKey, "/", "_"),
		"private key":             "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
		"one megabyte":            strings.Repeat("a", 1<<20),
		"nothing but separators":  "++",
		"bits after the last one": goodVKey[:len(goodVKey)-1] + "X",
	}
	for what, s := range bad {
		if k, err := ParseVKey(s); err == nil {
			t.Errorf("%s: accepted as %s", what, k)
		}
	}
	if _, err := ParseVKey(vkeyOf(strings.Repeat("n", 255), algEd25519, pub)); err != nil {
		t.Errorf("name of 255 bytes: %v", err)
	}
}

func TestZeroVKeyVerifiesNothing(t *testing.T) {
	for _, sig := range [][]byte{nil, make([]byte, 64), append([]byte{1}, make([]byte, 63)...)} {
		if (VKey{}).verifies([]byte("text\n"), sig) {
			t.Errorf("zero key accepts % x", sig)
		}
	}
}
