package casefile_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// TestKeysOverHosts lets a case go from one host to the next, each with a key of its own.
func TestKeysOverHosts(t *testing.T) {
	env, dir := newCase(t)
	second := env
	second.Host, second.ConfigDir, second.Rand = "lab-2", filepath.Join(t.TempDir(), "config"), &random{r: rand.NewChaCha8([32]byte{5})}
	key, made, err := casefile.DefaultKey(second, nil)
	if err != nil || made == "" {
		t.Fatalf("key of the second host: made %q, %v", made, err)
	}
	allowed, err := trust.ParseVKey(key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	var refused *evidence.KeyError
	if _, err := casefile.Open(t.Context(), second, dir, casefile.OpenOptions{TakeOver: true}); !errors.As(err, &refused) || refused.Waiting {
		t.Fatalf("before it is allowed: %v, want a KeyError", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "work", "host")); err != nil || string(b) != "lab-1\n" {
		t.Errorf("a key that may not sign took the case over: %q, %v", b, err)
	}
	c := open(t, env, dir)
	for _, reason := range []string{"a\nb", "\xff", strings.Repeat("x", casefile.MaxReason+1)} {
		if err := c.Allow(t.Context(), allowed, reason); err == nil {
			t.Errorf("reason %.10q was taken", reason)
		}
	}
	if err := c.Allow(t.Context(), allowed, "lab-2 goes on"); err != nil {
		t.Fatal(err)
	}
	shut(t, c) // signs the head that lets the key sign
	c, err = casefile.Open(t.Context(), second, dir, casefile.OpenOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Note(t.Context(), "at the second host"); err != nil {
		t.Fatal(err)
	}
	shut(t, c)
	c, err = casefile.Open(t.Context(), env, dir, casefile.OpenOptions{TakeOver: true}) // and back
	if err != nil {
		t.Fatal(err)
	}
	shut(t, c)
	seen := 0
	for _, line := range log(t, dir) {
		if strings.Contains(line, `"action":"allow"`) && strings.Contains(line, key.VerifierKey()[len(key.VerifierKey())-44:]) && strings.Contains(line, "lab-2 goes on") {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("%d key entries in %q", seen, log(t, dir))
	}
}

// TestKeyIsAskedForLast: nobody is asked for a passphrase for a case that cannot be written to, and what they say about the key is passed on.
func TestKeyIsAskedForLast(t *testing.T) {
	env, dir := newCase(t)
	mine := errors.New("mine")
	asked := 0
	source := func(context.Context) (trust.Signer, string, error) { asked++; return nil, "", mine }
	try := func(env casefile.Env, dir string) error {
		_, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{Key: source})
		return err
	}
	held := open(t, env, dir)
	var locked *casefile.LockedError
	if err := try(env, dir); !errors.As(err, &locked) || asked != 0 {
		t.Errorf("held: %v, asked %d times", err, asked)
	}
	shut(t, held)
	other := env
	other.Host = "lab-9"
	var host *casefile.HostError
	if err := try(other, dir); !errors.As(err, &host) || asked != 0 {
		t.Errorf("of another host: %v, asked %d times", err, asked)
	}
	if err := try(env, dir); !errors.Is(err, mine) || asked != 1 {
		t.Errorf("got %v, asked %d times", err, asked)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if _, err := casefile.New(t.Context(), env, fresh, casefile.NewOptions{Fields: fields(), Key: source}); !errors.Is(err, mine) {
		t.Errorf("new case: %v", err)
	}
	if _, err := os.Lstat(fresh); err == nil {
		t.Error("a folder was made for a case without a key")
	}
	shut(t, open(t, env, dir)) // the lock is free again
}

// TestLockedDefaultKey has a default key that is encrypted.
func TestLockedDefaultKey(t *testing.T) {
	env := environment(t.TempDir())
	key, err := trust.NewKey(env.Rand, casefile.KeyName(env))
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.WriteLockedKeyFile(casefile.DefaultKeyPath(env), key, []byte("correct horse")); err != nil {
		t.Fatal(err)
	}
	if _, made, err := casefile.DefaultKey(env, nil); !errors.Is(err, trust.ErrPassphrase) || made != "" {
		t.Errorf("without a passphrase: made %q, %v", made, err)
	}
	got, made, err := casefile.DefaultKey(env, func(string) ([]byte, error) { return []byte("correct horse"), nil })
	if err != nil || made != "" || got.VerifierKey() != key.VerifierKey() {
		t.Errorf("with it: %v, made %q, %v", got, made, err)
	}
}
