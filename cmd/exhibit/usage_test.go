package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
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
	return typedAt(t, filepath.Join(t.TempDir(), "config"), args...)
}

// typedAt does the same with a configuration folder that was used before.
func typedAt(t *testing.T, config string, args ...string) (code int, out, talk string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", config)
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

// someWitness is a witness that does not listen, made of the point of RFC 8032, 7.1, TEST 2.
const (
	someWitness    = someWitnessKey + "=https://127.0.0.1:1"
	someWitnessKey = "witness.example/1+000952e9+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"
)

// wrong are values that each flag cannot have.
var wrong = map[string][]string{
	"case-number":   {"", "a\nb"},
	"exhibit":       {"", "a\nb"},
	"examiner":      {"", "a\nb"},
	"organisation":  {"", "a\nb"},
	"custodian":     {"", "a\nb"},
	"authority":     {"", "a\nb"},
	"client":        {"", "a\nb"},
	"description":   {"", "a\nb", "\xff"},
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
	"item":          {"", "a b", "ünï"},
	"items":         {"", "no-such-file", "."},
	"include-body":  {"", "maybe", "1"},
	"url":           {"", "h/x", "notaurl", "ftp://h/x", "https://h/a b", "https://h/#f", "https://user:pass@h/"},
	"url-file":      {"", "no-such-file"},
	"accept":        {" ", "a\nb"},
	"case":          {""},
	"token-file":    {"", "no-such-file"},
	"basic-user":    {"x", ""}, // without --password-file
	"password-file": {"x", ""}, // without --basic-user
	"ca-file":       {"", "no-such-file", "usage_test.go"},
	"key-file":      {"", "usage_test.go", "usage_test.go/x"},
	"agent-key":     {"", "no-such-file", "usage_test.go", "a+b+c", "-"},
	"signer-key":    {"x", ""}, // without --signer-command
	"reason":        {"", "a\nb", "\xff", "a\u202eb", strings.Repeat("x", 2049)},

	"passphrase-file": {"", "no-such-file", "usage_test.go", "."},
	"signer-command":  {"", "x"}, // without --signer-key
	"parallel":        {"", "0", "-1", "65", "two", "1.5"},
	"patience":        {"", "0", "-5m", "10", "soon"},
	"max-bytes":       {"", "0", "-1", "1.5G", "5GB", "5k", "G", "1e9", "5 G", "iB", "5iB", "9223372036854775808", "8388608T"},
	"max-time":        {"", "0", "-5m", "10", "soon"},
	"name":            {"", "a b", "a+b", "ü"},
	"listen":          {"", "nowhere", "127.0.0.1:99999", "127.0.0.1:https-not"},
	"fault":           {"teapot@1", "429", "429@0", "429@x", "200@1", "cut@1", "429@1:retry-after=soon", "tsa-reject@0", "tsa-reject@1:x", "tsa-late@1"},
	"seed":            {"", "-1", "x"},
	"continues":       {"", "nowhere", "usage_test.go"},
	"ca-out":          {"no-such-folder/ca.pem"},
	"tsa-ca-out":      {"no-such-folder/tsa.pem"},
	"tsa":             {"", "tsa.example", "ftp://h/", "http://user@h/", "http://h/#f", "http://h/a b", "http://h:0/"},
	"token-out":       {"no-such-folder/token"},
	"password-out":    {"no-such-folder/password"},
	"witness":         {"", "x", "w+00000000+BAAA=https://h", strings.Replace(someWitness, "https", "http", 1), someWitness + "/?q", someWitnessKey},
	"known-head":      {"", "no-such-file", "usage_test.go"},
	"witness-out":     {"no-such-folder/witness"},
	"witness-log":     {"", "x", "w+00000000+AAAA"},
	"witness-ca-file": {"", "no-such-file", "usage_test.go"},
	"out":             {"", "-", ".", "no-such-folder/case.zip", "usage_test.go"},
	"supplements":     {"", "nowhere", "usage_test.go"},

	"to":       {"", "me", "age1xyz", "ssh-rsa AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 x", ".", "usage_test.go"},
	"identity": {"", "nowhere", ".", "usage_test.go"},

	"event": {"", "lost", "transferred", "received", "verified", "Stored"},
	"key":   {"", "x", "name+00000000+AAAA"},

	"tsa-ca":         {"", "no-such-file", ".", "usage_test.go"},
	"custody-key":    {"", "x", "name+00000000+AAAA"},
	"witness-quorum": {"", "x", "0", "-1", "2"},
	"max-content":    {"", "x", "-1", "1.5", "16G", "99999999"},

	"by": stated, "by-organisation": stated, "by-contact": stated, "released-by": stated, "released-by-organisation": stated, "released-by-contact": stated,
	"received-by": stated, "received-by-organisation": stated, "received-by-contact": stated, "purpose": stated, "method": stated, "from-place": stated,
	"to-place": stated, "storage": stated, "condition": stated, "changes": stated,
	"withhold": {"", "no-such-file", "usage_test.go", "."},
}

// wrongHere are those of flags that mean something else in one command.
var wrongHere = map[string][]string{
	"custody verified --witness": {"", "x", "name+00000000+BAAA", someWitness},
}

// stated are values that no custody record can state.
var stated = []string{"", " x", "x ", "a\nb", "a\x1b[31m", "\xff", strings.Repeat("x", 4097)}

// bench is what command lines of TestWrongValues need to be in order but for the flag under test.
type bench struct {
	dir    string // a case
	fresh  string // a folder that does not exist
	token  string // a file
	config string // where the key of the case is
	list   string // a list of what is withheld
}

func newBench(t *testing.T) *bench {
	t.Helper()
	tmp := t.TempDir()
	b := &bench{filepath.Join(tmp, "case"), filepath.Join(tmp, "fresh"), filepath.Join(tmp, "token"), filepath.Join(tmp, "config"), filepath.Join(tmp, "list")}
	if err := os.WriteFile(b.list, []byte("seq 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.token, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, talk := typedAt(t, b.config, "case", "new", b.dir, "--case-number=1", "--exhibit=EX", "--examiner=E"); code != 0 {
		t.Fatalf("no case was made: %s", talk)
	}
	return b
}

// complete makes a command line with this value, all else in order: without the flag it would be carried out.
func (b *bench) complete(words string, c *cobra.Command, flag, value string) []string {
	args := strings.Fields(words)
	for _, word := range strings.Fields(c.Use)[1:] {
		switch {
		case word == "DIR" && words == "case new":
			args = append(args, b.fresh)
		case word == "DIR":
			args = append(args, b.dir)
		case !strings.HasPrefix(word, "["):
			args = append(args, "text")
		}
	}
	rest := map[string]string{"case": b.dir, "token-file": b.token, "patience": "1ms", "yes": "true", "base-url": "https://127.0.0.1:1", "witness": someWitness,
		"by": "E", "released-by": "E", "received-by": "F", "event": "stored", "withhold": b.list}
	if words == "pack" || words == "unpack" || words == "disclose" {
		rest["out"] = b.fresh + ".out"
	}
	if words == "case new" {
		rest["case-number"], rest["exhibit"], rest["examiner"] = "1", "EX", "E"
	}
	if words == "custody verified" {
		rest["witness"] = someWitnessKey
	}
	if words == "stamp" {
		rest["tsa"] = "http://127.0.0.1:1/"
	}
	if c.Parent().Name() == "acquire" || c.Parent().Name() == "plan" {
		rest["user"], rest["end"], rest["url"], rest["item"] = "me", "2018-06-11T00:00:00Z", "https://127.0.0.1:1/x", "AAMk="
	}
	switch flag {
	case "start":
		rest["end"] = "2019-06-11T00:00:00Z"
	case "url":
		delete(rest, "base-url")
	case "url-file":
		delete(rest, "url")
	case "basic-user", "password-file", "token-stdin":
		delete(rest, "token-file")
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		if name != flag && c.Flags().Lookup(name) != nil {
			args = append(args, "--"+name+"="+rest[name])
		}
	}
	return append(args, "--"+flag+"="+value)
}

// unrefused says what is wrong with how a command line is refused: "" if it is a usage error whose first line names the flag.
func unrefused(t *testing.T, config string, args []string, flag string) string {
	t.Helper()
	code, out, talk := typedAt(t, config, args...)
	first, _, _ := strings.Cut(talk, "\n")
	switch {
	case code != cli.Usage:
		return fmt.Sprintf("not refused: exit code %d\n%s%s", code, out, talk)
	case !regexp.MustCompile("--" + flag + "([^a-z-]|$)").MatchString(first):
		return "its first line does not name --" + flag + ":\n" + talk
	case !strings.Contains(talk, "next: "):
		return "it does not say what to do next:\n" + talk
	}
	return ""
}

// TestWrongValues gives every flag of every command each value that it cannot have, all else being in order, and requires that the flag is named and nothing written.
func TestWrongValues(t *testing.T) {
	b := newBench(t)
	_, before, _ := typed(t, "status", b.dir, "--json")
	for words, c := range tree(t) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			values, here := wrongHere[words+" --"+f.Name]
			if !here {
				values = wrong[f.Name]
			}
			if f.Value.Type() == "bool" {
				values = []string{"maybe", "ja"}
			}
			if len(values) == 0 {
				t.Errorf("flag --%s of %q has no wrong value: name one", f.Name, words)
			}
			for _, v := range values {
				args := b.complete(words, c, f.Name, v)
				if problem := unrefused(t, filepath.Join(t.TempDir(), "config"), args, f.Name); problem != "" {
					t.Errorf("exhibit %q: %s", args, problem)
				}
			}
		})
	}
	if _, after, _ := typed(t, "status", b.dir, "--json"); after != before {
		t.Errorf("a refused command line wrote to the case:\n%s", after)
	}
	if _, err := os.Lstat(b.fresh); err == nil {
		t.Error("a refused command line made a case")
	}
}

// TestWrongValuesPlanted gives flags values that they can have: what TestWrongValues asks for must then be missing.
func TestWrongValuesPlanted(t *testing.T) {
	b, all := newBench(t), tree(t)
	for _, c := range []struct{ words, flag, value string }{
		{"plan outlook-activities", "page-size", "5"}, {"plan outlook-activities", "start", "2018-05-21T00:00:00Z"}, {"plan http", "accept", "text/html"},
		{"plan http", "base-url", "https://127.0.0.1:1"}, {"acquire outlook-activities", "page-size", "5"}, {"acquire http", "parallel", "2"}, {"status", "json", "true"},
		{"note", "take-over", "true"}, {"case new", "description", "text"},
	} {
		if problem := unrefused(t, b.config, b.complete(c.words, all[c.words], c.flag, c.value), c.flag); !strings.HasPrefix(problem, "not refused") {
			t.Errorf("%s --%s=%s, which is in order: %q", c.words, c.flag, c.value, problem)
		}
	}
	if problem := unrefused(t, b.config, []string{"plan", "outlook-activities", "--case=nowhere", "--user=me", "--page-size=5"}, "page-size"); !strings.Contains(problem, "does not name") {
		t.Errorf("a refusal for another reason is taken for one of the flag: %q", problem)
	}
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
		{"acquire outlook-messages --case nowhere --user me", []string{"no id", "--item or --items"}},
		{"acquire outlook-messages --case nowhere --user me --item x", []string{"without a credential"}},
		{"acquire outlook-messages --case nowhere --user me --item x --token-file usage_test.go", []string{"--token-file"}},
		{"acquire outlook-activities extra --case nowhere --user me", []string{`"extra"`}},
		{"acquire http --case nowhere", []string{"0 URLs"}},
		{"acquire http --case nowhere https://h/x https://other/y", []string{"https://other/y"}},
		{"acquire http --case nowhere https://h/x", []string{"--yes"}},
		{"acquire http --case nowhere notaurl", []string{"--url", `"notaurl"`, "no absolute URL"}},
		{"plan http --case nowhere https://h/a https://other/y?code=x", []string{"--url", "URL 2", `"https://other/y"`, "does not lead to https://h"}},
		{"acquire outlook-activities --case nowhere --user me --token-file x --token-stdin", []string{"[token-file token-stdin]"}},
		{"case new", []string{"DIR is missing"}},
		{"case new d", []string{`"case-number"`, `"examiner"`, `"exhibit"`}},
		{"note d", []string{"TEXT is missing"}},
		{"note d x --key-file k --agent-key k", []string{"[key-file agent-key signer-command]"}},
		{"note d x --passphrase-file k --agent-key k", []string{"[passphrase-file agent-key]"}},
		{"seal d --signer-command usage_test.go", []string{"--signer-command and --signer-key are given together"}},
		{"seal d --signer-command usage_test.go --signer-key k", []string{"--signer-key"}},
		{"key allow d", []string{"KEY is missing"}},
		{"cosign", []string{"DIR is missing"}},
		{"cosign nowhere", []string{"folder is no case"}},
		{"key show --key-file k --agent-key k", []string{"[key-file agent-key]"}},
		{"key allow nowhere nonsense", []string{"KEY: ", "nonsense"}},
		{"note d a b", []string{`unexpected argument "b"`}},
		{"log", []string{"DIR is missing"}},
		{"status", []string{"DIR is missing"}},
		{"seal", []string{"DIR is missing"}},
		{"pack", []string{"DIR is missing"}},
		{"pack d", []string{`"out"`}},
		{"pack d -o nowhere.zip --to x --passphrase", []string{"[to passphrase-file passphrase]"}},
		{"pack d -o nowhere.zip --to x --passphrase-file x", []string{"[to passphrase-file passphrase]"}},
		{"pack d -o nowhere.zip --passphrase", []string{"there is no terminal to ask", "--passphrase-file"}},
		{"pack d -o nowhere.zip --to AGE-SECRET-KEY-1QQQ", []string{"--to: it is a private key"}},
		{"unpack", []string{"FILE is missing"}},
		{"unpack f", []string{`"out"`}},
		{"unpack nowhere.zip -o nowhere", []string{"nowhere.zip: no such file"}},
		{"unpack . -o nowhere", []string{". is a folder, and no packed case"}},
		{"custody", []string{"no command was given"}},
		{"custody transfre d", []string{"exhibit custody transfer"}},
		{"custody transfer d", []string{`"received-by"`, `"released-by"`}},
		{"custody transfer nowhere --released-by A --received-by B", []string{"folder is no case"}},
		{"custody receive", []string{"DIR is missing"}},
		{"custody receive d --unreleased", []string{"--unreleased needs --released-by and --received-by"}},
		{"custody receive nowhere", []string{"folder is no case"}},
		{"custody add d --event stored", []string{`"by"`}},
		{"custody add d --by A", []string{`"event"`}},
		{"custody verified nowhere --by A", []string{"folder is no case"}},
		{"custody list nowhere", []string{"folder is no case"}},
		{"disclose", []string{"DIR is missing"}},
		{"disclose d", []string{`"out"`, `"withhold"`}},
		{"disclose d --withhold nowhere -o e", []string{"--withhold", "nowhere"}},
		{"pack nowhere -o nowhere.zip", []string{"folder is no case"}},
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

// TestNoCredential: a source that needs a credential is not asked without one, and no window is opened. The other may go without.
func TestNoCredential(t *testing.T) {
	b := newBench(t)
	_, before, _ := typed(t, "status", b.dir, "--json")
	refused(t, []string{"acquire", "outlook-activities", "--case", b.dir, "--user", "me", "--base-url", "https://127.0.0.1:1"},
		"without a credential", "--token-file", "--token-stdin", "--basic-user")
	if _, after, _ := typed(t, "status", b.dir, "--json"); after != before {
		t.Errorf("it was refused, and wrote to the case:\n%s", after)
	}
	if _, _, talk := typed(t, "acquire", "http", "--case", "nowhere", "--yes", "https://127.0.0.1:1/x"); strings.Contains(talk, "credential") || !strings.Contains(talk, "folder is no case") {
		t.Errorf("source http asks for a credential:\n%s", talk)
	}
}

// TestUserInformation: a password in a URL is refused and not said again.
func TestUserInformation(t *testing.T) {
	const secret = "swordfish"
	for _, args := range [][]string{
		{"--url", "https://u:" + secret + "@h/x"}, {"--url", "https://h/x", "--url", "https://u:" + secret + "@h/y"}, {"--url", "https://u:" + secret + "/w@h/x"},
		{"--url", "https://u:" + secret + "?w@h/x"}, {"--url", "u:" + secret + "@h/x"}, {"--url", "https://h/x", "--base-url", "https://u:" + secret + "@h"},
		{"--url", "//u:" + secret + "@h/x"}, {"--url", "https://h/x", "--base-url", "u:" + secret + "@h"},
	} {
		args = append([]string{"plan", "http", "--case", "nowhere"}, args...)
		if problem := unrefused(t, filepath.Join(t.TempDir(), "config"), args, "(base-)?url"); problem != "" {
			t.Errorf("%q: %s", args, problem)
		}
		if _, out, talk := typed(t, args...); strings.Contains(out+talk, secret) {
			t.Errorf("%q: the password is said again:\n%s", args, talk)
		}
	}
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
