package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// typed runs the program in this process, with no terminal, no input and a configuration folder of its own.
func typed(t *testing.T, args ...string) (code int, out, talk string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config"))
	var stdout, stderr bytes.Buffer
	p := &program{args: args, first: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // simulate would run for ever
	defer cancel()
	code = cli.Run(ctx, newRoot(p), args, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

// refused requires a usage error that says what each of the texts says.
func refused(t *testing.T, args []string, says ...string) {
	t.Helper()
	code, out, talk := typed(t, args...)
	if code != cli.Usage {
		t.Errorf("exhibit %q: exit code %d, expected 2\n%s%s", args, code, out, talk)
	}
	for _, s := range says {
		if !strings.Contains(talk, s) {
			t.Errorf("exhibit %q does not say %q:\n%s", args, s, talk)
		}
	}
}

// tree lists all commands with the words that call them. It leaves out cobra's completion, whose flags are cobra's own.
func tree(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	all := map[string]*cobra.Command{}
	var visit func(*cobra.Command, []string)
	visit = func(c *cobra.Command, words []string) {
		for _, sub := range c.Commands() {
			next := append(slices.Clone(words), sub.Name())
			all[strings.Join(next, " ")] = sub
			visit(sub, next)
		}
	}
	visit(newRoot(&program{}), nil)
	if len(all) < 15 {
		t.Fatalf("only %d commands: is the tree still found?", len(all))
	}
	return all
}

// mistype makes the slips of a hand that types: a letter left out, doubled, and two swapped.
func mistype(name string) []string {
	i := len(name) / 2
	slips := []string{name[:i] + name[i+1:], name[:i] + name[i:i+1] + name[i:]}
	if i > 0 && name[i-1] != name[i] {
		slips = append(slips, name[:i-1]+name[i:i+1]+name[i-1:i]+name[i+1:])
	}
	return slips
}

// arguments are what a command needs beside the flag under test, so that nothing else is wrong.
func arguments(words string, c *cobra.Command) []string {
	args := strings.Fields(words)
	for _, word := range strings.Fields(c.Use)[1:] {
		if !strings.HasPrefix(word, "[") {
			args = append(args, "nowhere")
		}
	}
	return args
}

// TestMistypedNames mistypes the name of every command and of every flag of every command: each is told, with the name that was meant.
func TestMistypedNames(t *testing.T) {
	flags := 0
	for words, c := range tree(t) {
		parent, name := strings.Fields(words), c.Name()
		for _, slip := range mistype(name) {
			refused(t, append(slices.Clone(parent[:len(parent)-1]), slip), slip, "did you mean")
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			for _, slip := range mistype(f.Name) {
				if c.Flags().Lookup(slip) != nil {
					t.Errorf("flag --%s is a slip of --%s: both exist", slip, f.Name)
				}
				refused(t, append(arguments(words, c), "--"+slip+"=x"), "unknown flag --"+slip, "did you mean --")
				refused(t, append(arguments(words, c), "--"+slip), "unknown flag --"+slip)
			}
		})
	}
	if flags < 60 {
		t.Errorf("only %d flags: is the tree still found?", flags)
	}
}

// free are flags that take any text or file name; what is wrong with those is tested by scripts.
var free = []string{"case-number", "exhibit", "examiner", "organisation", "custodian", "authority", "client", "description", "seed", "ca-out", "token-out", "password-out"}

// wrong are values that each flag cannot have.
var wrong = map[string][]string{
	"user":          {"", "a b", "ünï@example.com", "a\tb"},
	"anchor":        {"", "a b"},
	"start":         {"", "2018-05-21", "2018-05-21T00:00:00", "2018-13-01T00:00:00Z", "yesterday", "21.05.2018", "2030-01-01T00:00:00Z"},
	"end":           {"", "2018-06-11", "2018-06-11 00:00:00", "now", "2018-06-31T00:00:00Z", "2018-06-11T24:00:00Z", "1018-06-11T00:00:00Z"},
	"api-version":   {"", "v3.0", "2.0", "V2.0"},
	"type":          {"", "Server Logon"},
	"app":           {"", "a b"},
	"select":        {"", "Time Stamp", "$filter"},
	"order":         {"", "TimeStamp", "asc", "Timestamp asc"},
	"metadata":      {"", "full"},
	"page-size":     {"", "0", "-1", "1001", "1e3", "ten", "100 "},
	"skip":          {"", "-1", "x", "1.5"},
	"max":           {"", "0", "-5", "many"},
	"base-url":      {"", "outlook.office.com", "http//h", "ftp://h", "https://h/path", "https://user@h", "https://h:99999", "https://h?x=y"},
	"url":           {"", "h/x", "ftp://h/x", "https://h/a b", "https://h/#f", "https://user:pass@h/"},
	"url-file":      {"", "no-such-file"},
	"accept":        {" ", "a\nb"},
	"case":          {""},
	"token-file":    {"no-such-file"},
	"basic-user":    {"x"}, // without --password-file
	"password-file": {"x"}, // without --basic-user
	"ca-file":       {"no-such-file", "usage_test.go"},
	"parallel":      {"", "0", "-1", "65", "two", "1.5"},
	"patience":      {"", "0", "-5m", "10", "soon"},
	"name":          {"", "a b", "a+b", "ü"},
	"listen":        {"", "nowhere", "127.0.0.1:99999", "127.0.0.1:https-not"},
	"fault":         {"teapot@1", "429", "429@0", "429@x", "200@1", "cut@1", "429@1:retry-after=soon"},
}

// TestWrongValues gives every flag of every command each value that it cannot have.
func TestWrongValues(t *testing.T) {
	for words, c := range tree(t) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if slices.Contains(free, f.Name) {
				return
			}
			values := wrong[f.Name]
			if f.Value.Type() == "bool" {
				values = []string{"maybe", "ja"}
			}
			if len(values) == 0 {
				t.Errorf("flag --%s of %q has no wrong value: name one, or list the flag as free", f.Name, words)
			}
			for _, v := range values {
				refused(t, complete(words, c, f.Name, v), "next: ")
			}
		})
	}
}

// complete makes a command line with this value, all else in order.
func complete(words string, c *cobra.Command, flag, value string) []string {
	args := arguments(words, c)
	set := func(name, value string) {
		if c.Flags().Lookup(name) != nil && name != flag {
			args = append(args, "--"+name, value)
		}
	}
	set("case", "nowhere")
	if c.Parent().Name() == "acquire" || c.Parent().Name() == "plan" {
		set("user", "me")
		if flag != "start" {
			set("end", "2018-06-11T00:00:00Z")
		}
		if flag != "url-file" {
			set("url", "https://h/x")
		}
		set("yes", "true")
	}
	for i, a := range args { // booleans take no second word
		if a == "--yes" {
			args = slices.Replace(args, i, i+2, "--yes")
			break
		}
	}
	return append(args, "--"+flag+"="+value)
}

// TestMissing leaves out what a command needs.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		args string
		says []string
	}{
		{"", []string{"no command was given"}},
		{"case", []string{"no command was given"}},
		{"key", []string{"no command was given"}},
		{"acquire", []string{"no source was given", "outlook-activities"}},
		{"plan", []string{"no source was given"}},
		{"acquire outlok-activities --case c", []string{`unknown source "outlok-activities"`, "exhibit acquire outlook-activities"}},
		{"acquire graph", []string{`unknown source "graph"`}},
		{"acquire --again outlook-activities", []string{"name one first: `exhibit acquire SOURCE"}},
		{"acquire outlook-activities", []string{`"case"`}},
		{"acquire outlook-activities --case nowhere", []string{"--user", "is required"}},
		{"acquire outlook-activities --case nowhere --user me --user you", []string{"--user", "more than once"}},
		{"acquire outlook-activities extra --case nowhere --user me", []string{`"extra"`}},
		{"acquire http --case nowhere", []string{"0 URLs"}},
		{"acquire http --case nowhere https://h/x https://other/y", []string{"https://other/y"}},
		{"acquire http --case nowhere https://h/x", []string{"--yes"}},
		{"case new", []string{"DIR is missing"}},
		{"case new d", []string{`"case-number"`, `"examiner"`, `"exhibit"`}},
		{"note d", []string{"TEXT is missing"}},
		{"note d a b", []string{`unexpected argument "b"`}},
		{"log", []string{"DIR is missing"}},
		{"status", []string{"DIR is missing"}},
		{"seal", []string{"DIR is missing"}},
		{"demo a b", []string{`unexpected argument "b"`}},
		{"version 1", []string{`unexpected argument "1"`}},
		{"sources x", []string{`unexpected argument "x"`}},
		{"help sael", []string{"exhibit seal"}},
		{"completion bsh", []string{"exhibit completion bash"}},
		{"--version", []string{"unknown flag --version"}},
		{"note nowhere --tex", []string{"unknown flag --tex"}},
		{"seal nowhere", []string{"folder is no case"}},
	} {
		refused(t, strings.Fields(c.args), append(c.says, "next: ")...)
	}
	refused(t, []string{"note", "nowhere", "  "}, "TEXT is empty")
	refused(t, []string{"note", "nowhere", strings.Repeat("x", 16<<10+1)}, "16385 bytes")
	refused(t, []string{"note", "nowhere", "\xff"}, "no UTF-8")
}

// TestHelp requires that every command explains itself, exits 0 and names each of its flags with a line of help.
func TestHelp(t *testing.T) {
	for words, c := range tree(t) {
		code, out, _ := typed(t, append(strings.Fields(words), "--help")...)
		if code != 0 || c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("exhibit %s --help: exit code %d, short text %q", words, code, c.Short)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || !strings.Contains(out, "--"+f.Name) {
				t.Errorf("exhibit %s --help does not explain --%s", words, f.Name)
			}
		})
	}
}

// TestPlanted shows that the harness notices a flag with a slip that works and a value that is not refused.
func TestPlanted(t *testing.T) {
	code, _, talk := typed(t, "version", "--json")
	if code == cli.Usage || strings.Contains(talk, "did you mean") {
		t.Fatalf("a command line in order is refused: %d %s", code, talk)
	}
	if slips := mistype("json"); !slices.Equal(slips, []string{"jsn", "jsoon", "josn"}) {
		t.Errorf("slips of json are %q", slips)
	}
}
