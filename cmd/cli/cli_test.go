package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// program is a tree with one of everything. Its command fail ends with err.
func program(err error) *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "Short"}
	group := &cobra.Command{Use: "fetch", Short: "Group", Annotations: map[string]string{AnnotationNoun: "source"}}
	leaf := &cobra.Command{Use: "mail DIR", Short: "Leaf", Args: cobra.ExactArgs(1), RunE: func(*cobra.Command, []string) error { return nil }}
	leaf.Flags().Int("pages", 1, "`N` pages")
	leaf.Flags().Bool("json", false, "print JSON")
	leaf.Flags().Duration("wait", time.Second, "`TIME` to wait")
	leaf.Flags().String("user", "", "`UPN` to ask for")
	if e := leaf.MarkFlagRequired("user"); e != nil {
		panic(e)
	}
	group.AddCommand(leaf)
	root.AddCommand(group, NewVersion(), &cobra.Command{Use: "fail", Short: "Fail", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return err }})
	return root
}

func run(err error, args ...string) (code int, out, talk string) {
	var stdout, stderr bytes.Buffer
	code = Run(context.Background(), program(err), args, Streams{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// TestErrors: what a command returns decides exit code and text.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		talk string
	}{
		{nil, Done, ""},
		{errors.New("disk on fire"), Unexpected, "prog: disk on fire\n"},
		{Fail(Damaged, errors.New("x"), "y", "z"), Damaged, "prog: x\n  meaning: y\n  next: z\n"},
		{fmt.Errorf("while closing: %w", Fail(Auth, errors.New("x"), "", "z")), Auth, "prog: while closing: x\n  next: z\n"},
		{errors.Join(Fail(Interrupted, errors.New("x"), "", ""), errors.New("and y")), Interrupted, "prog: x\nand y\n"},
		{Usagef("--n %q is none", "a\x1b"), Usage, "prog: --n \"a\\x1b\" is none\n  next: see `prog fail --help`\n"},
		{Fail(Unexpected, errors.New("\x1b[2J\u202e"), "\x07", "\r"), Unexpected, "prog: \\x1b[2J\\u{202e}\n  meaning: \\x07\n  next: \\x0d\n"},
		{fmt.Errorf("walk: %w", context.Canceled), Interrupted, "prog: interrupted: walk: context canceled\n"},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), Unexpected, "prog: read: unexpected EOF\n"},
	} {
		code, out, talk := run(c.err, "fail")
		if code != c.code || out != "" || talk != c.talk {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q\nexpected %d and %q", c.err, code, out, talk, c.code, c.talk)
		}
	}
}

// TestUsage: each mistake is told in one line, with what to do about it.
func TestUsage(t *testing.T) {
	for args, talk := range map[string]string{
		"fial":                       "prog: unknown command \"fial\"\n  next: did you mean `prog fail`?\n",
		"frobnicate":                 "prog: unknown command \"frobnicate\"\n  next: see `prog --help`\n",
		"fetch mial d":               "prog: unknown source \"mial\"\n  next: did you mean `prog fetch mail`?\n",
		"fetch mial d --user me":     "prog: unknown source \"mial\"\n  next: did you mean `prog fetch mail`?\n",
		"fetch mail --user me":       "prog: DIR is missing\n  next: usage: prog fetch mail DIR [flags]\n",
		"fetch mail a b --user me":   "prog: unexpected argument \"b\"\n  next: usage: prog fetch mail DIR [flags]\n",
		"fetch mail d":               "prog: required flag(s) \"user\" not set\n  next: see `prog fetch mail --help`\n",
		"fetch mail d --usr me":      "prog: unknown flag --usr\n  next: did you mean --user? See `prog fetch mail --help`\n",
		"fetch mail d --quux=secret": "prog: unknown flag --quux\n  next: see `prog fetch mail --help`\n",
		"fetch mail d --user":        "prog: --user needs a value: UPN to ask for\n  next: see `prog fetch mail --help`\n",
		"fetch mail d --pages two":   "prog: --pages \"two\" is no whole number\n  next: see `prog fetch mail --help`\n",
		"fetch mail d --json=ja":     "prog: --json \"ja\" is neither true nor false\n  next: see `prog fetch mail --help`\n",
		"fetch mail d --wait 10":     "prog: --wait \"10\" is no duration such as 90s or 5m\n  next: see `prog fetch mail --help`\n",
		"help fial":                  "prog: unknown command \"fial\"\n  next: did you mean `prog fail`?\n",
		"help fetch mial":            "prog: unknown source \"mial\"\n  next: did you mean `prog fetch mail`?\n",
		"completion bsh":             "prog: unknown command \"bsh\"\n  next: did you mean `prog completion bash`?\n",
	} {
		code, out, got := run(nil, strings.Fields(args)...)
		if code != Usage || out != "" || got != talk {
			t.Errorf("prog %s: exit code %d, stdout %q\n%s\nexpected\n%s", args, code, out, got, talk)
		}
	}
	for _, args := range [][]string{nil, {"fetch"}} { // shows what there is, as talk
		code, out, talk := run(nil, args...)
		if code != Usage || out != "" || !strings.Contains(talk, "Available Commands") || !strings.Contains(talk, "next: name one first") {
			t.Errorf("prog %q: exit code %d, stdout %q, stderr %q", args, code, out, talk)
		}
	}
}

// TestInOrder: what is asked for is data and exits 0.
func TestInOrder(t *testing.T) {
	for args, want := range map[string]string{
		"fetch mail d --user me --json": "",
		"--help":                        "Available Commands",
		"help fetch mail":               "--pages",
		"fetch --help":                  "mail",
		"version":                       "prog " + Version,
		"version --json":                `"program": "prog"`,
		"completion bash":               "__start_prog",
	} {
		code, out, talk := run(nil, strings.Fields(args)...)
		if code != Done || talk != "" || !strings.Contains(out, want) {
			t.Errorf("prog %s: exit code %d, stderr %q, stdout without %q:\n%.500s", args, code, talk, want, out)
		}
	}
}

func TestOneOf(t *testing.T) {
	if err := OneOf("format", "csv", []string{"jsonl", "csv"}); err != nil {
		t.Error(err)
	}
	var e *Error
	if err := OneOf("format", "cvs", []string{"jsonl", "csv"}); !errors.As(err, &e) || e.Code != Usage || e.Next != "did you mean csv?" ||
		err.Error() != `--format "cvs" is none of jsonl, csv` {
		t.Errorf("%+v", e)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, expected %d", c.a, c.b, got, c.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 pages", 1: "1 page", 2: "2 pages"} {
		if got := Count(n, "page", "pages"); got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
}

func TestSome(t *testing.T) {
	names := strings.Split("abcdefghijkl", "")
	for n, want := range map[int]string{0: "", 1: "a", 10: "a, b, c, d, e, f, g, h, i, j", 12: "a, b, c, d, e, f, g, h, i, j and 2 more"} {
		if got := Some(names[:n]); got != want {
			t.Errorf("%d names: %q", n, got)
		}
	}
}
