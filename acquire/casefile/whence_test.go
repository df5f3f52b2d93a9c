package casefile_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestWhence: where a credential came from is kept for the next run; what no run of ours can have kept is nothing.
func TestWhence(t *testing.T) {
	env, dir := newCase(t)
	c := open(t, env, dir)
	kept := casefile.Whence{Origin: "https://h", TokenFile: filepath.Join(dir, "token")}
	if err := c.KeepWhence(kept); err != nil {
		t.Fatal(err)
	}
	for _, w := range []casefile.Whence{{}, {Origin: "https://h", TokenFile: "token"}, {TokenFile: "/a"}} {
		if err := c.KeepWhence(w); err == nil {
			t.Errorf("%+v was kept", w)
		}
	}
	id := c.Opening.Case.Case
	shut(t, c)
	if got, ok := casefile.ReadWhence(t.Context(), env, dir); !ok || got != kept {
		t.Errorf("%+v, %v", got, ok)
	}
	other, elsewhere := env, filepath.Join(t.TempDir(), "other")
	other.Rand = &random{r: rand.NewChaCha8([32]byte{5})} // another id
	o, err := casefile.New(t.Context(), other, elsewhere, casefile.NewOptions{Fields: fields()})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, o)
	if got, ok := casefile.ReadWhence(t.Context(), other, elsewhere); ok {
		t.Errorf("another case remembers %+v", got)
	}
	if _, ok := casefile.ReadWhence(t.Context(), env, t.TempDir()); ok {
		t.Error("of no case")
	}
	file := filepath.Join(env.ConfigDir, "credentials", id)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for text, want := range map[string]casefile.Whence{
		`{"origin":"https://h","token_file":"/a"}`:                            {Origin: "https://h", TokenFile: "/a"},
		`{"origin":"https://h","basic_user":"u","password_file":"/a"}` + "\n": {Origin: "https://h", BasicUser: "u", PasswordFile: "/a"},
		``:                                {},
		`null`:                            {},
		`[]`:                              {},
		`{"or`:                            {},
		`{"origin":"https://h"}`:          {},
		`{"origin":"","token_file":"/a"}`: {},
		`{"origin":"https://h","token_file":"a"}`:                                        {},
		`{"origin":"https://h","token_file":"/a","more":1}`:                              {},
		`{"origin":"https://h","token_file":"/a"}{}`:                                     {},
		`{"origin":"https://h","token_file":"/a","basic_user":"u"}`:                      {},
		`{"origin":"https://h","token_file":"/a","basic_user":"u","password_file":"/b"}`: {},
		`{"origin":"https://h","password_file":"/b"}`:                                    {},
		`{"origin":"https://h","token_file":"/` + strings.Repeat("a", 16<<10) + `"}`:     {},
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := casefile.ReadWhence(t.Context(), env, dir); got != want || ok != (want != casefile.Whence{}) {
			t.Errorf("%.80s: %+v, %v", text, got, ok)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if w, ok := casefile.ReadWhence(t.Context(), env, dir); ok {
		t.Errorf("of no file %+v", w)
	}
	if err := os.Symlink("elsewhere", file); err == nil {
		if _, ok := casefile.ReadWhence(t.Context(), env, dir); ok {
			t.Error("a link was followed")
		}
	}
}

// TestForgetWhence: what was kept for a case goes, with what a process that died left beside it, and nothing else does. What cannot be removed is told.
func TestForgetWhence(t *testing.T) {
	env, dir := newCase(t)
	c := open(t, env, dir)
	defer shut(t, c)
	forget := func() error { return casefile.ForgetWhence(env, c.Opening.Case) }
	if err := forget(); err != nil {
		t.Errorf("nothing was kept: %v", err)
	}
	if err := c.KeepWhence(casefile.Whence{Origin: "https://h", TokenFile: filepath.Join(dir, "token")}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(env.ConfigDir, "credentials")
	file, other := filepath.Join(folder, c.ID()), filepath.Join(folder, strings.Repeat("0", 32))
	for _, name := range []string{file + ".new", other} {
		if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != filepath.Base(other) {
		t.Errorf("there is %v, %v", left, err)
	}
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := forget(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("what cannot be removed: %v", err)
	}
	if err := casefile.ForgetWhence(env, &evidence.Case{Case: "../" + c.ID()}); err != nil {
		t.Errorf("an id that is none: %v", err)
	}
}
