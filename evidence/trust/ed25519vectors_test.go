package trust

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
)

// edVector is one signature of testdata/ed25519vectors.
type edVector struct {
	A, R, S, M string
	Flags      []string
}

func edVectors(t *testing.T) []edVector {
	t.Helper()
	packed, err := os.ReadFile("testdata/ed25519vectors/ed25519vectors.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var all []edVector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEd25519Vectors holds keys and signatures against the flags that the vectors' author gave them: a key of low order or in a second spelling is refused whatever it
// signed, and of the others those signatures that the equation without the cofactor has, with R in its one spelling (RFC 8032, 5.1.7), are good, and no others.
func TestEd25519Vectors(t *testing.T) {
	all := edVectors(t)
	var weak, bad, good int
	for i, v := range all {
		pub, err := hex.DecodeString(v.A)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := hex.DecodeString(v.R + v.S)
		if err != nil {
			t.Fatal(err)
		}
		has := func(flag string) bool { return slices.Contains(v.Flags, flag) }
		key, err := ParseVKey(vkeyOf("example.com/vector", algEd25519, pub))
		if has("LowOrderA") || has("NonCanonicalA") {
			weak++
			if !errors.Is(err, ErrWeakKey) {
				t.Errorf("vector %d, %v: key: %v, want ErrWeakKey", i, v.Flags, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("vector %d, %v: key: %v", i, v.Flags, err)
			continue
		}
		want := !has("LowOrderResidue") && !has("NonCanonicalR")
		if got := key.verifies([]byte(v.M), sig); got != want {
			t.Errorf("vector %d, %v: verifies %v, want %v", i, v.Flags, got, want)
		}
		if want {
			good++
		} else {
			bad++
		}
		if want && key.verifies([]byte(v.M+"."), sig) {
			t.Errorf("vector %d: another text verifies", i)
		}
	}
	t.Logf("%d vectors: %d keys refused, %d signatures refused, %d good", len(all), weak, bad, good)
	if len(all) != 768 || weak < 400 || bad < 50 || good < 50 {
		t.Errorf("%d vectors (%d keys refused, %d signatures refused, %d good), want 768 with all three", len(all), weak, bad, good)
	}
}
