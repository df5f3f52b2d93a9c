// Package cli is what both programs do in the same way: exit codes, streams, errors with a hint, escaping of text that
// comes from evidence, and usage errors that name the flag that was meant.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes of both programs (docs/design.md, section 5).
const (
	Done        = 0
	Unexpected  = 1
	Usage       = 2
	Damaged     = 3
	Incomplete  = 4
	Auth        = 5
	Interrupted = 6
	InUse       = 7
	KeyUnmet    = 8
)

// Error is an error with its exit code and what the user should know besides.
type Error struct {
	Code    int
	Err     error  // what happened
	Meaning string // what it means for the evidence; may be ""
	Next    string // what to run or do next; may be ""
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives what happened.
func (e *Error) Unwrap() error { return e.Err }

// Fail makes an Error.
func Fail(code int, err error, meaning, next string) error {
	return &Error{Code: code, Err: err, Meaning: meaning, Next: next}
}

// Usagef is a usage error.
func Usagef(format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...)}
}

// Streams are where a program reads and writes. Data goes to Out, talk to Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Std is the process's own streams.
func Std() Streams { return Streams{os.Stdin, os.Stdout, os.Stderr} }

// Run runs a program and returns its exit code. It prints the error, if there is one.
func Run(ctx context.Context, root *cobra.Command, args []string, s Streams) int {
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	addUnknownCommand(root)
	ran, err := root.ExecuteContextC(ctx)
	return report(s.Err, ran, err)
}

func report(w io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return Done
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: Unexpected, Err: err}
		if isCobraUsage(err) {
			e.Code = Usage
		}
	}
	if e.Err != nil && e.Err.Error() != "" {
		fmt.Fprintf(w, "%s: %s\n", cmd.Root().Name(), Escape(err.Error()))
	}
	if e.Meaning != "" {
		fmt.Fprintf(w, "  meaning: %s\n", Escape(e.Meaning))
	}
	if e.Next == "" && e.Code == Usage {
		e.Next = fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	}
	if e.Next != "" {
		fmt.Fprintf(w, "  next: %s\n", Escape(e.Next))
	}
	return e.Code
}

// isCobraUsage recognises cobra's own complaints about arguments, which carry no type.
func isCobraUsage(err error) bool {
	for _, start := range []string{"unknown command", "accepts ", "requires at least", "requires at most", "required flag(s)", "invalid argument", "if any flags in the group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// flagError names the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &Error{Code: Usage, Err: err}
	}
	name := strings.TrimLeft(unknown.GetSpecifiedName(), "-")
	next := ""
	if near := nearestFlag(cmd, name); near != "" {
		next = fmt.Sprintf("did you mean --%s? See `%s --help`", near, cmd.CommandPath())
	}
	return &Error{Code: Usage, Err: fmt.Errorf("unknown flag --%s", name), Next: next}
}

func nearestFlag(cmd *cobra.Command, name string) string {
	best, least := "", len(name)/2+2
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := distance(name, f.Name); d < least && !f.Hidden {
			best, least = f.Name, d
		}
	})
	return best
}

// distance is the number of letters to change, add or remove.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

// addUnknownCommand makes every command that only groups others say what is wrong with its argument.
func addUnknownCommand(root *cobra.Command) {
	for _, cmd := range append([]*cobra.Command{root}, root.Commands()...) {
		if cmd.Runnable() {
			continue
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				cmd.SetOut(cmd.ErrOrStderr())
				cmd.Help()
				return &Error{Code: Usage, Err: errors.New("no command was given")}
			}
			e := &Error{Code: Usage, Err: fmt.Errorf("unknown command %q", args[0])}
			if near := nearestCommand(cmd, args[0]); near != "" {
				e.Next = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near)
			}
			return e
		}
	}
}

func nearestCommand(cmd *cobra.Command, name string) string {
	best, least := "", len(name)/2+2
	for _, c := range cmd.Commands() {
		if d := distance(name, c.Name()); d < least && !c.Hidden {
			best, least = c.Name(), d
		}
	}
	return best
}

// OneOf is a usage error unless value is one of the allowed ones.
func OneOf(flag, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return Usagef("--%s %q is none of %s", flag, value, strings.Join(allowed, ", "))
}
