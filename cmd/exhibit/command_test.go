package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestRedacted(t *testing.T) {
	for in, want := range map[string]string{
		"acquire":                        "acquire",
		"https://h/x":                    "https://h/x",
		"https://h/x?sig=abc":            "https://h/x?sig=REDACTED",
		"https://h/x?$top=5&sig=a&b":     "https://h/x?$top=5&sig=REDACTED&REDACTED",
		"https://h/x?%24top=5":           "https://h/x?%24top=5",
		"https://user:word@h/x@y":        "https://REDACTED@h/x@y",
		"--url=https://h/x?code=z":       "--url=https://h/x?code=REDACTED",
		"--base-url=https://u:p@h:8443":  "--base-url=https://REDACTED@h:8443",
		"https://h?x=y":                  "https://h?x=REDACTED",
		"https://h/?$skiptoken=a=b&tk=c": "https://h/?$skiptoken=a=b&tk=REDACTED",
	} {
		if got := redacted([]string{in})[0]; got != want {
			t.Errorf("%q becomes %q, expected %q", in, got, want)
		}
	}
}

// TestShell asks a shell to read what was written for one.
func TestShell(t *testing.T) {
	words := []string{"plain", "two words", "o'neil@contoso.example", "", "$HOME", "a\"b", "*", "; rm", "back\\slash", "new\nline", "ü"}
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+shell(words)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("a shell reads %q, expected %q", got, words)
	}
}

// TestAgain leaves out what would begin anew.
func TestAgain(t *testing.T) {
	p := &program{args: []string{"acquire", "http", "--again", "--case", "my case", "https://h/x?sig=s"}}
	if got, want := p.again(), "exhibit acquire http --case 'my case' 'https://h/x?sig=REDACTED'"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}
