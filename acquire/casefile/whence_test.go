package casefile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
)

// TestWhence: where a credential came from is kept for the next run; what no run of ours can have kept is nothing.
func TestWhence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "work", "credential")
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o700); err != nil {
		t.Fatal(err)
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
		if got, ok := casefile.ReadWhence(dir); got != want || ok != (want != casefile.Whence{}) {
			t.Errorf("%.80s: %+v, %v", text, got, ok)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if w, ok := casefile.ReadWhence(dir); ok {
		t.Errorf("of no file %+v", w)
	}
	if err := os.Symlink("elsewhere", file); err == nil {
		if _, ok := casefile.ReadWhence(dir); ok {
			t.Error("a link was followed")
		}
	}
}
