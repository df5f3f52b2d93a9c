package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/evidence"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for content, want := range map[string]string{
		"abc.def-_~+/=\n":          "Bearer abc.def-_~+/=",
		" Bearer abc \r\n":         "Bearer abc",
		"bearer\tabc":              "",
		"":                         "",
		"sekrit two":               "",
		"abc\ndef":                 "",
		"ab\x00":                   "",
		"tök":                      "",
		strings.Repeat("a", 1<<17): "",
	} {
		tok, err := auth.TokenFile(write(t, path, content))
		if (err == nil) != (want != "") {
			t.Errorf("%.20q: error %v", content, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), strings.TrimSpace(content)) && content != "" {
				t.Errorf("%.20q: the error holds it: %v", content, err)
			}
			continue
		}
		if got, _, err := tok.Authorization(t.Context()); got != want || err != nil {
			t.Errorf("%q gives %q, %v", content, got, err)
		}
	}
	if _, err := auth.TokenFile(path + ".gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestRenew lets many ask at once after one edition was refused: the file is read again, and all get the newer one.
func TestRenew(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "token"), "first")
	tok, err := auth.TokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, edition, err := tok.Authorization(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if newer, err := tok.Renew(t.Context(), edition); newer || err != nil {
		t.Errorf("the same file gives a newer token: %v, %v", newer, err)
	}
	write(t, path, "second")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if newer, err := tok.Renew(t.Context(), edition); !newer || err != nil {
				t.Errorf("renewed: %v, %v", newer, err)
			}
		})
	}
	wg.Wait()
	value, now, err := tok.Authorization(t.Context())
	if value != "Bearer second" || now != edition+1 || err != nil {
		t.Errorf("%q, edition %d after %d, %v", value, now, edition, err)
	}
	write(t, path, "")
	if newer, err := tok.Renew(t.Context(), now); newer || err == nil {
		t.Errorf("an empty file gives a token: %v, %v", newer, err)
	}
	if value, _, err := tok.Authorization(t.Context()); value != "Bearer second" || err != nil {
		t.Errorf("the token is lost: %q, %v", value, err)
	}
	input, err := auth.TokenFrom(strings.NewReader("abc\n"))
	if err != nil {
		t.Fatal(err)
	}
	if newer, err := input.Renew(t.Context(), 0); newer || err != nil {
		t.Errorf("standard input is read twice: %v, %v", newer, err)
	}
}

func TestBasic(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "password"), "open sesame\n")
	b, err := auth.BasicFile("Aladdin", path)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 7617, section 2
	if got, _, err := b.Authorization(t.Context()); got != "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if newer, err := b.Renew(t.Context(), 0); newer || err != nil {
		t.Errorf("another password: %v, %v", newer, err)
	}
	for user, content := range map[string]string{"a:b": "x", "": "x", "empty": "", "two": "x\ny"} {
		if _, err := auth.BasicFile(user, write(t, path, content)); err == nil {
			t.Errorf("user %q with %q was taken", user, content)
		}
	}
}

// TestSecretsDoNotPrint prints the credentials with every verb.
func TestSecretsDoNotPrint(t *testing.T) {
	const secret = "hunter2hunter2"
	path := write(t, filepath.Join(t.TempDir(), "secret"), secret)
	token, err := auth.TokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	basic, err := auth.BasicFile("u", path)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte("u:" + secret))
	for _, v := range []any{token, basic, auth.NewSecret(secret), struct{ S auth.Secret }{auth.NewSecret(secret)}, []auth.Secret{auth.NewSecret(secret)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "hunter") || strings.Contains(out, encoded) || strings.Contains(out, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
	if auth.NewSecret(secret).Reveal() != secret {
		t.Error("the secret is not what it was")
	}
}

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return "Bearer " + enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + ".c2ln"
}

func TestClaims(t *testing.T) {
	long := strings.Repeat("é", 1000)
	for _, c := range []struct {
		name, authorization string
		want                []evidence.Pair
	}{
		{"all", jwt(`{"exp":2,"upn":"ann@x.example","aud":"https://outlook.office.com","roles":["a.b","c.d"],"tid":"t","nbf":1,"iat":1528718400,"ver":"1.0","scp":"Mail.Read","oid":"o","appid":"p","iss":"https://sts.example/","name":"Ann"}`),
			[]evidence.Pair{{Name: "aud", Value: "https://outlook.office.com"}, {Name: "iss", Value: "https://sts.example/"}, {Name: "tid", Value: "t"}, {Name: "appid", Value: "p"},
				{Name: "oid", Value: "o"}, {Name: "scp", Value: "Mail.Read"}, {Name: "roles", Value: "a.b c.d"}, {Name: "iat", Value: "1528718400"}, {Name: "exp", Value: "2"}}},
		{"long", jwt(`{"aud":"` + long + `"}`), []evidence.Pair{{Name: "aud", Value: long[:512]}}},
		{"twice", jwt(`{"aud":"a","aud":"b"}`), nil},
		{"other types", jwt(`{"aud":{"a":1},"iss":null,"roles":["a",1],"tid":true}`), nil},
		{"cut", jwt(`{"aud":"a"`), nil},
		{"array", jwt(`["aud"]`), nil},
		{"no JWT", "Bearer abc", nil},
		{"bad base64", "Bearer a.!!!.c", nil},
		{"basic", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", nil},
		{"empty", "", nil},
	} {
		if got := auth.Claims(c.authorization); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestColonInUser: who gives a user and a password in one is told so without the password.
func TestColonInUser(t *testing.T) {
	if _, err := auth.BasicFile("ann:CANARY", "none"); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("error %v", err)
	}
}

// TestSecretForName gives secrets where the names of their files belong: no error repeats them.
func TestSecretForName(t *testing.T) {
	const secret = "eyJhbGciOiJub25lIn0.eyJvaWQiOiJ4In0.c2ln"
	for _, name := range []string{secret, "missing/" + secret, secret + strings.Repeat("A", 5000), secret + "\x00"} {
		_, token := auth.TokenFile(name)
		_, password := auth.BasicFile("user", name)
		for _, err := range []error{token, password} {
			if err == nil || strings.Contains(err.Error(), secret[4:]) {
				t.Errorf("%.60q: %.200v", name, err)
			}
		}
	}
}
