package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// AnnotationNoun says what the commands below a command are, where "command" would mislead: an annotation of cobra.
const AnnotationNoun = "exhibit-noun"

// prepare makes every command of the tree say what is wrong with what was typed, and what was probably meant.
func prepare(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	root.InitDefaultCompletionCmd()
	if root.HasSubCommands() {
		root.SetHelpCommand(newHelp())
		root.InitDefaultHelpCmd()
	}
	each(root, func(cmd *cobra.Command) {
		if cmd.Runnable() {
			cmd.Args = arguments(cmd.Args)
			return
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = group
		cmd.FParseErrWhitelist.UnknownFlags = cmd.HasParent() // that its name is wrong matters more than flags, which are those of what was meant
	})
}

func each(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range cmd.Commands() {
		each(c, visit)
	}
}

// newHelp is cobra's command help, but for one thing: an unknown topic is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				c := child(about, name)
				if c == nil {
					return unknownCommand(about, name)
				}
				about = c
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// group runs a command that only groups others, which means that none of them was named.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return Fail(Usage, fmt.Errorf("no %s was given", noun(cmd)), "", fmt.Sprintf("name one first: `%s %s …`", cmd.CommandPath(), strings.ToUpper(noun(cmd))))
}

func noun(cmd *cobra.Command) string {
	if n := cmd.Annotations[AnnotationNoun]; n != "" {
		return n
	}
	return "command"
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	e := &Error{Code: Usage, Err: fmt.Errorf("unknown %s %q", noun(cmd), name)}
	if near := nearest(name, names); near != "" {
		e.Next = meant("`" + cmd.CommandPath() + " " + near + "`")
	}
	return e
}

// arguments names the argument that is missing or too much, by the words of Use.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var own *Error
		if err == nil || errors.As(err, &own) {
			return err
		}
		words := strings.Fields(cmd.Use)[1:]
		switch {
		case len(args) < len(words):
			err = fmt.Errorf("%s is missing", words[len(args)])
		case len(args) > len(words):
			err = fmt.Errorf("unexpected argument %q", args[len(words)])
		}
		return Fail(Usage, err, "", fmt.Sprintf("usage: %s", cmd.UseLine()))
	}
}

// flagError says what is wrong with a flag, and names the one that was probably meant. Values are shown as they were given: no flag takes a secret.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, strings.TrimLeft(unknown.GetSpecifiedName(), "-"))
	case errors.As(err, &missing):
		f := missing.GetFlag()
		_, usage := pflag.UnquoteUsage(f)
		return Usagef("--%s needs a value: %s", f.Name, usage)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return Usagef("--%s %q %s", f.Name, invalid.GetValue(), wrongValue(f.Value.Type(), err))
	}
	return &Error{Code: Usage, Err: err}
}

func wrongValue(kind string, err error) string {
	switch kind {
	case "int", "int64":
		return "is no whole number"
	case "bool":
		return "is neither true nor false"
	case "duration":
		return "is no duration such as 90s or 5m"
	}
	return "cannot be used: " + errors.Unwrap(err).Error()
}

func unknownFlag(cmd *cobra.Command, name string) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	e := &Error{Code: Usage, Err: fmt.Errorf("unknown flag --%s", name)}
	if near := nearest(name, names); near != "" {
		e.Next = fmt.Sprintf("%s See `%s --help`", meant("--"+near), cmd.CommandPath())
	}
	return e
}

// nearest returns the name that differs least from what was typed; "" if none is near.
func nearest(typed string, names []string) string {
	best, least := "", len(typed)/3+2
	for _, name := range names {
		if d := distance(typed, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of bytes to change, add or remove, or of neighbours to swap.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			if i == 0 || j == 0 {
				rows[i][j] = i + j
				continue
			}
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j-1]+cost, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
