package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// refused runs a command line, which must be a usage error that says what each of the texts says.
func refused(t *testing.T, args []string, says ...string) {
	t.Helper()
	var out, talk bytes.Buffer
	code := run(args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
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
	"key":    {"", "x", "name+00000000+AAAA", "name+zzzzzzzz+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"},
	"format": {"", "json", "xlsx", "JSONL", "cvs"},
	"out":    {"", "nowhere/r.jsonl", "."},
	"source": {"", "outlook", "htpp"},
}

// TestMistyped mistypes the name of every command and flag, and gives every flag values that it cannot have.
func TestMistyped(t *testing.T) {
	flags := 0
	for _, c := range newRoot().Commands() {
		refused(t, []string{c.Name()[:2] + c.Name()[3:]}, "unknown command", "did you mean")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			mistyped(t, c, f)
		})
	}
	if flags < 10 {
		t.Errorf("only %d flags: is the tree still found?", flags)
	}
}

func mistyped(t *testing.T, c *cobra.Command, f *pflag.Flag) {
	args := []string{c.Name()}
	for _, word := range strings.Fields(c.Use)[1:] {
		args = append(args, map[string]string{"PATH": "nowhere", "SEQ": "5"}[word])
	}
	slip := f.Name[:1] + f.Name[2:]
	refused(t, append(slices.Clone(args), "--"+slip+"=x"), "unknown flag --"+slip, "did you mean --")
	values := wrong[f.Name]
	if f.Value.Type() == "bool" {
		values = []string{"maybe"}
	}
	if len(values) == 0 {
		t.Errorf("flag --%s of %q has no wrong value: name one", f.Name, c.Name())
	}
	for _, v := range values {
		refused(t, append(slices.Clone(args), "--"+f.Name+"="+v))
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
		"check nowhere --known-head x":      "unknown flag --known-head",
		"extract nowhere --source outlookk": "is none of",
	} {
		refused(t, strings.Fields(args), says)
	}
}
