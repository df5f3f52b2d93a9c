package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// refused runs a command line, which must be a usage error that says what each of the texts says.
func refused(t *testing.T, args []string, says ...string) {
	t.Helper()
	var out, talk bytes.Buffer
	code := run(context.Background(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
	if code != cli.Usage {
		t.Errorf("exhibit-verify %q: exit code %d, expected 2\n%s%s", args, code, &out, &talk)
	}
	for _, s := range append(says, "next: ") {
		if !strings.Contains(talk.String(), s) {
			t.Errorf("exhibit-verify %q does not say %q:\n%s", args, s, &talk)
		}
	}
}

// wrong are values that each flag cannot have.
var wrong = map[string][]string{
	"key":         {"", "x", "name+00000000+AAAA", "name+zzzzzzzz+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"},
	"custody-key": {"", "x", "name+00000000+AAAA"},
	"identity":    {"", "nowhere", ".", "usage_test.go", "../../evidence/bag/testdata/age/id_ecdsa", "../../evidence/bag/testdata/age/scrypt.age"},

	"passphrase-file": {"", "nowhere", ".", "usage_test.go"},

	"format": {"", "json", "xlsx", "JSONL", "cvs"},
	"out":    {"", "nowhere/r.jsonl", "."},
	"source": {"", "outlook", "htpp"},
	"kind":   {"", "logon", "Logons", "mails"},
	"user":   {"", "nobody@contoso.example", "adele@contoso.exampl"}, // for extract: it goes with two formats alone,

	"start":   {"", "2018-05-21", "2018-05-21T00:00:00", "2018-13-01T00:00:00Z", "yesterday", "21.05.2018", "2018-05-21T00:00:00.0001Z"},
	"end":     {"", "2018-06-11", "2018-06-11 00:00:00", "now", "2018-06-31T00:00:00Z", "2018-06-11T24:00:00Z", "1018-06-11T00:00:00Z"},
	"address": {"", " "}, // any other text is one that a record may have
	"session": {""},      // likewise

	"tsa-ca":         {"", "no-such-file", ".", "usage_test.go"},
	"known-head":     {"", "no-such-file", ".", "usage_test.go"},
	"witness":        {"", "x", "name+00000000+BAAA", "name+zzzzzzzz+BAIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"},
	"witness-quorum": {"", "x", "0", "-1", "1"},

	"max-content": {"", "x", "-1", "1.5", "16G", "99999999"},

	"listen":   {"", "x", "127.0.0.1", "127.0.0.1:99999", "nowhere.invalid:0", "https://127.0.0.1:0"},
	"ca-out":   {"", "nowhere/ca.pem", "usage_test.go", "."},
	"tls-cert": {"", "nowhere", "usage_test.go"},
	"tls-key":  {"", "nowhere", "usage_test.go"},
}

// TestMistyped mistypes the name of every command and flag, and gives every flag values that it cannot have.
func TestMistyped(t *testing.T) {
	flags, dir := 0, smallCase(t)
	for _, c := range newRoot().Commands() {
		refused(t, []string{c.Name()[:2] + c.Name()[3:]}, "unknown command", "did you mean")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			mistyped(t, c, f, dir)
		})
	}
	if flags < 10 {
		t.Errorf("only %d flags: is the tree still found?", flags)
	}
}

// smallCase writes a sealed case into a folder.
func smallCase(t *testing.T) string {
	t.Helper()
	dir, m := t.TempDir(), sample.Small(t)
	m.Seal()
	for name, content := range m.Folder.Files() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inOrder is a command line with this flag, in order but for what the flag's value may be.
func inOrder(c *cobra.Command, flag, dir string) []string {
	args := []string{c.Name()}
	for _, word := range strings.Fields(c.Use)[1:] {
		args = append(args, map[string]string{"PATH": dir, "SEQ": "0"}[word])
	}
	return append(args, flag)
}

// unrefused says what is wrong with how a command line is refused: "" if it is a usage error whose first line names the flag.
func unrefused(args []string, flag string) string {
	var out, talk bytes.Buffer
	code := run(context.Background(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
	first, _, _ := strings.Cut(talk.String(), "\n")
	switch {
	case code != cli.Usage:
		return fmt.Sprintf("not refused: exit code %d\n%s", code, &talk)
	case !regexp.MustCompile("--" + flag + "([^a-z-]|$)").MatchString(first):
		return "its first line does not name --" + flag + ":\n" + talk.String()
	case !strings.Contains(talk.String(), "next: "):
		return "it does not say what to do next:\n" + talk.String()
	}
	return ""
}

// TestWrongValuesPlanted gives flags values that they can have: what is asked of a refusal must then be missing.
func TestWrongValuesPlanted(t *testing.T) {
	dir := smallCase(t)
	for _, c := range newRoot().Commands() {
		for flag, value := range map[string]string{"format": "csv", "json": "true", "deep": "true", "source": "http"} {
			if c.Flags().Lookup(flag) == nil || c.Name() == "help" || c.Name() == "replay" { // which goes on until it is interrupted
				continue
			}
			if problem := unrefused(inOrder(c, "--"+flag+"="+value, dir), flag); !strings.HasPrefix(problem, "not refused") {
				t.Errorf("%s --%s=%s, which is in order: %q", c.Name(), flag, value, problem)
			}
		}
	}
	if problem := unrefused([]string{"extract", "nowhere", "--format=csv"}, "format"); !strings.Contains(problem, "does not name") {
		t.Errorf("a refusal for another reason is taken for one of the flag: %q", problem)
	}
}

func mistyped(t *testing.T, c *cobra.Command, f *pflag.Flag, dir string) {
	slip := f.Name[:1] + f.Name[2:]
	refused(t, inOrder(c, "--"+slip+"=x", dir), "unknown flag --"+slip, "did you mean --")
	values := wrong[f.Name]
	if f.Value.Type() == "bool" {
		values = []string{"maybe"}
	}
	if len(values) == 0 {
		t.Errorf("flag --%s of %q has no wrong value: name one", f.Name, c.Name())
	}
	for _, v := range values {
		args := inOrder(c, "--"+f.Name+"="+v, dir)
		if problem := unrefused(args, f.Name); problem != "" {
			t.Errorf("exhibit-verify %q: %s", args, problem)
		}
	}
}

func TestMissing(t *testing.T) {
	for args, says := range map[string]string{
		"":                                  "no command was given",
		"check":                             "PATH is missing",
		"check a b":                         `unexpected argument "b"`,
		"show nowhere":                      "SEQ is missing",
		"show nowhere five":                 `"five"`,
		"show nowhere -1":                   "",
		"show nowhere 5 --body --request":   "body request",
		"extract":                           "PATH is missing",
		"extract nowhere --format":          "--format needs a value",
		"extract nowhere --format csv":      "nowhere",
		"chekc nowhere":                     "exhibit-verify check",
		"help chekc":                        "exhibit-verify check",
		"version --jsn":                     "--json",
		"check nowhere --key":               "--key needs a value",
		"check nowhere --known-head x":      `--known-head "x": no such file`,
		"check nowhere --witness-quorum 1":  "--witness-quorum 1 is no number",
		"check nowhere --identity":          "--identity needs a value",
		"extract nowhere --source outlookk": "is none of",
		"extract nowhere --user x":          "--user \"x\" goes with --format crowdstrike-csv, lmg-csv or item-ids",

		"views nowhere --start yesterday":                                            `--start: "yesterday" is no time of RFC 3339 with a zone, such as 2018-05-21T00:00:00Z`,
		"views nowhere --start 2018-06-01T00:00:00Z --end 2018-06-01T01:00:00+01:00": "--start: the window from 2018-06-01T00:00:00Z to 2018-06-01T00:00:00Z is empty",
		"views nowhere --end 2018-06-01T00:00:00Z --end 2018-07-01T00:00:00Z":        "--end: given more than once",
		"views nowhere --address 203.0.113.77 --address=":                            "--address: is empty",
		"views nowhere --session s1 --session=":                                      "--session: is empty",

		"extract nowhere --format lmg-csv --salvage":             "--salvage does not go with --format lmg-csv",
		"extract nowhere --format crowdstrike-csv --source http": "--source does not go with",
		"extract nowhere --format lmg-csv -o usage_test.go":      "is there already",
	} {
		refused(t, strings.Fields(args), says)
	}
}
