package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

const maxNote = 16 << 10 // bytes, as casefile.Case.Note takes them

func newNote(p *program) *cobra.Command {
	var takeOver bool
	var key signing
	cmd := &cobra.Command{
		Use:   "note DIR TEXT",
		Short: "Add a remark to the operator log, for good",
		Long: `note adds TEXT to the operator log with time, account and host. A note is permanent: it cannot be changed or removed, and everyone who gets the
case reads it, the other side included.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runNote(cmd, p, args[1], place{dir: args[0], takeOver: takeOver}, &key)
		},
	}
	takeOverFlag(cmd, &takeOver)
	key.AddFlags(cmd)
	return cmd
}

func runNote(cmd *cobra.Command, p *program, text string, where place, key *signing) error {
	switch {
	case strings.TrimSpace(text) == "":
		return cli.Usagef("TEXT is empty")
	case len(text) > maxNote:
		return cli.Usagef("TEXT has %d bytes, more than %d", len(text), maxNote)
	case !utf8.ValidString(text):
		return cli.Usagef("TEXT is no UTF-8")
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	if where.key, err = key.source(cmd, p, env); err != nil {
		return err
	}
	return withCase(cmd.Context(), env, cmd.ErrOrStderr(), where, func(c *casefile.Case) error {
		if err := c.Note(cmd.Context(), text); err != nil {
			return caseError(err, where.dir)
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "noted for good: it cannot be removed, and everyone who gets the case may read it")
		return nil
	})
}
