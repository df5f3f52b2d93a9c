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

// Run runs a program and returns its exit code. It prints the error, if there is one. Data that could not be written to Out is one.
func Run(ctx context.Context, root *cobra.Command, args []string, s Streams) int {
	out := &output{Writer: s.Out}
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(out)
	root.SetErr(s.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	prepare(root)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("output: %w", out.err)
	}
	return report(s.Err, ran, err)
}

// output remembers that it could not be written: what was to be said there was not said.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func report(w io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return Done
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: Unexpected, Err: err}
		switch {
		case isCobraUsage(err):
			e.Code = Usage
		case errors.Is(err, context.Canceled): // only a signal ends the context of a command
			err = fmt.Errorf("interrupted: %w", err)
			e = &Error{Code: Interrupted, Err: err}
		}
	}
	if e.Err != nil && e.Err.Error() != "" {
		fmt.Fprintf(w, "%s: %s\n", cmd.Root().Name(), Escape(withoutKeys(err.Error())))
	}
	if e.Meaning != "" {
		fmt.Fprintf(w, "  meaning: %s\n", Escape(withoutKeys(e.Meaning)))
	}
	next := e.Next
	if next == "" && e.Code == Usage {
		next = fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	}
	if next != "" {
		fmt.Fprintf(w, "  next: %s\n", Escape(withoutKeys(next)))
	}
	return e.Code
}

// isCobraUsage recognises cobra's own complaints about flags, which carry no type.
func isCobraUsage(err error) bool {
	for _, start := range []string{"required flag(s)", "if any flags in the group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// OneOf is a usage error unless value is one of the allowed ones.
func OneOf(flag, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	err := fmt.Errorf("--%s %q is none of %s", flag, value, strings.Join(allowed, ", "))
	return &Error{Code: Usage, Err: err, Next: meant(nearest(value, allowed))}
}

// meant asks whether that was meant; "" if there is nothing near.
func meant(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// Count is a number with the word for one or for many.
func Count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Some lists names, ten of them at most.
func Some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
