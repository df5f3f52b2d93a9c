package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/sources"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

func newSources() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sources",
		Short: "List what can be acquired, with permissions, limits and flags",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), sourcesView())
			}
			for _, s := range sources.All() {
				printSource(cmd.OutOrStdout(), s.Describe())
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func printSource(w io.Writer, d acquire.Description) {
	fmt.Fprintf(w, "%s\n  %s\n  asks: %s\n", d.Name, d.Title, d.Asks)
	if d.Origin != "" {
		fmt.Fprintf(w, "  of:   %s\n", d.Origin)
	}
	if d.Content {
		fmt.Fprintln(w, "  reads content: it asks for a confirmation, or --yes")
	}
	for _, s := range d.Permissions {
		fmt.Fprintf(w, "  needs: %s\n", s)
	}
	for _, s := range d.Limits {
		fmt.Fprintf(w, "  limit: %s\n", s)
	}
	for _, f := range d.Flags {
		name := f.Name
		if !f.Switch {
			name += " " + f.Value
		}
		fmt.Fprintf(w, "  --%-26s %s\n", name, flagUsage(f))
	}
	fmt.Fprintln(w)
}

// flagUsage is a flag's line of help.
func flagUsage(f acquire.Flag) string {
	s := f.Usage
	switch {
	case f.Required && f.Name == acquire.FlagUser:
		s += " (required, unless all windows of the case name the same)"
	case f.Required:
		s += " (required)"
	case f.Default != "":
		s += " (default " + f.Default + ")"
	}
	if f.Many {
		s += " (repeatable)"
	}
	return s
}

// sourceView is a source as --json prints it.
type sourceView struct {
	Name        string     `json:"name"`
	Title       string     `json:"title"`
	Asks        string     `json:"asks"`
	Origin      string     `json:"origin"`
	Permissions []string   `json:"permissions"`
	Limits      []string   `json:"limits"`
	Content     bool       `json:"content"`
	Flags       []flagView `json:"flags"`
}

type flagView struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Usage    string `json:"usage"`
	Default  string `json:"default"`
	Many     bool   `json:"many"`
	Required bool   `json:"required"`
	Switch   bool   `json:"switch"` // may stand without a value
}

func sourcesView() []sourceView {
	var all []sourceView
	for _, s := range sources.All() {
		d := s.Describe()
		v := sourceView{Name: d.Name, Title: d.Title, Asks: d.Asks, Origin: d.Origin, Permissions: d.Permissions, Limits: d.Limits, Content: d.Content, Flags: []flagView{}}
		for _, f := range d.Flags {
			v.Flags = append(v.Flags, flagView(f))
		}
		all = append(all, v)
	}
	return all
}
