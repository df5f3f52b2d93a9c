package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
)

func newCase(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "case", Short: "Make a case"}
	cmd.AddCommand(newCaseNew(p))
	return cmd
}

// caseOptions are what a person states about a new case.
type caseOptions struct {
	fields map[string]*string // by the names of casefile.Fields
	json   bool
}

// AddFlags adds a flag for each field of a case.
func (o *caseOptions) AddFlags(f *pflag.FlagSet) {
	o.fields = map[string]*string{}
	for _, field := range casefile.Fields() {
		usage := "`TEXT`: " + field.Usage
		if field.Required {
			usage += " (required)"
		}
		o.fields[field.Name] = f.String(field.Name, "", usage)
	}
	f.BoolVar(&o.json, "json", false, "print case id and verifier key as JSON")
}

func newCaseNew(p *program) *cobra.Command {
	var o caseOptions
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a case in a folder that is empty or does not exist",
		Long: `new makes a case: its folder, the first segment, and the case entry, which states what the flags say and which keys may sign. What is stated
cannot be changed later and is seen by everyone who gets the case.

The first time, a signing key is made, not encrypted: $XDG_CONFIG_HOME/exhibit/keys/default. Give its verifier key ("exhibit key show") to whoever
is to check your cases, on another way than the case.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runCaseNew(cmd, p, args[0], &o) },
	}
	o.AddFlags(cmd.Flags())
	for _, f := range casefile.Fields() {
		if f.Required {
			if err := cmd.MarkFlagRequired(f.Name); err != nil {
				panic(err) // the flag was made above
			}
		}
	}
	return cmd
}

// made is a new case, as case new prints it.
type made struct {
	Case   string `json:"case"`
	Folder string `json:"folder"`
	Key    string `json:"key"` // verifier key that may sign
}

func (m *made) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, m)
	}
	_, err := fmt.Fprintf(w, "case %s in %s\nsigned with %s\n", m.Case, cli.EscapeLine(m.Folder), m.Key)
	return err
}

func runCaseNew(cmd *cobra.Command, p *program, dir string, o *caseOptions) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	if err := emptyFolder(dir); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	var fields []evidence.Pair
	for _, f := range casefile.Fields() {
		if cmd.Flags().Changed(f.Name) {
			fields = append(fields, evidence.Pair{Name: f.Name, Value: *o.fields[f.Name]})
		}
	}
	c, err := casefile.New(ctx, env, dir, casefile.NewOptions{Fields: fields})
	if err != nil {
		return caseError(err, dir)
	}
	tellKey(cmd.ErrOrStderr(), c)
	if err := c.Close(ctx); err != nil {
		return caseError(err, dir)
	}
	m := made{Case: c.ID(), Folder: dir, Key: c.Opening.Case.Keys[0]}
	return m.print(cmd.OutOrStdout(), o.json)
}

// emptyFolder is a usage error if something is in the way of a new case.
func emptyFolder(dir string) error {
	left, err := os.ReadDir(dir)
	if err == nil && len(left) > 0 {
		return cli.Fail(cli.Usage, fmt.Errorf("folder %q is not empty", dir), "nothing was changed", "name a folder that is empty or does not exist")
	}
	if info, e := os.Stat(dir); e == nil && !info.IsDir() {
		return cli.Fail(cli.Usage, fmt.Errorf("%q is no folder", dir), "nothing was changed", "name a folder that is empty or does not exist")
	}
	return nil
}
