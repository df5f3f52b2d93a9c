package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// shownRequests is how many first requests a plan shows.
const shownRequests = 3

type planOptions struct {
	sourceOptions
	json bool
}

func newPlan(p *program) *cobra.Command {
	return sourceCommands(&cobra.Command{
		Use:   "plan",
		Short: "Show what an acquisition would ask; asks for nothing",
	}, func(s acquire.Source, d acquire.Description) *cobra.Command {
		var o planOptions
		cmd := &cobra.Command{
			Use:   d.Name,
			Short: d.Title,
			Long:  sourceHelp(d, "plan takes the same flags as acquire, sends nothing and writes nothing."),
			RunE:  func(cmd *cobra.Command, args []string) error { return runPlan(cmd, p, s, args, &o) },
		}
		o.AddFlags(cmd.Flags(), d)
		cmd.Flags().BoolVar(&o.json, "json", false, "print as JSON")
		return cmd
	})
}

// planView is a plan as it is printed.
type planView struct {
	Source      string          `json:"source"`
	Origin      string          `json:"origin"`
	User        string          `json:"user"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Parameters  []evidence.Pair `json:"parameters"`
	Chains      int64           `json:"chains"`
	Requests    []string        `json:"first_requests"` // of the first chains, secrets redacted
	Permissions []string        `json:"permissions"`
	Limits      []string        `json:"limits"`
	Content     bool            `json:"content"`
	Claims      []evidence.Pair `json:"claims"`  // what the token says of itself
	Windows     []caseWindow    `json:"windows"` // of the case, for this source and user
}

func runPlan(cmd *cobra.Command, p *program, s acquire.Source, args []string, o *planOptions) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	if err := o.checkCase(); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	params, d := o.params(cmd.Flags(), args), s.Describe()
	if err := o.remember(cmd, d, &params); err != nil {
		return err
	}
	params.Now = env.Now().UTC()
	plan, err := s.Plan(params)
	var usage *acquire.UsageError
	if errors.As(err, &usage) {
		return usageError(usage)
	}
	if err != nil {
		return err
	}
	if err := o.recall(cmd, env, d, plan.Origin); err != nil {
		return err
	}
	p.warnVisible(cmd.ErrOrStderr())
	v := &planView{Source: d.Name, Origin: plan.Origin, User: plan.User, From: plan.From, To: plan.To, Parameters: plan.Parameters, Chains: plan.Chains,
		Permissions: d.Permissions, Limits: d.Limits, Content: d.Content, Claims: []evidence.Pair{}, Requests: []string{}, Windows: []caseWindow{}}
	for n := range min(plan.Chains, shownRequests) {
		v.Requests = append(v.Requests, "GET "+redacted([]string{plan.Pager.First(n).URL})[0])
	}
	if err := v.addClaims(ctx, cmd, &o.sourceOptions); err != nil {
		return err
	}
	if err := v.addWindows(ctx, o.caseDir); err != nil {
		return err
	}
	if o.json {
		return cli.PrintJSON(cmd.OutOrStdout(), v)
	}
	v.print(cmd.OutOrStdout())
	return nil
}

func (v *planView) addClaims(ctx context.Context, cmd *cobra.Command, o *sourceOptions) error {
	c, err := o.credential(cmd)
	if err != nil || c == nil {
		return err
	}
	value, _, err := c.Authorization(ctx)
	if err == nil {
		v.Claims = append(v.Claims, auth.Claims(value)...)
	}
	return err
}

func (v *planView) addWindows(ctx context.Context, dir string) error {
	status, err := casefile.ReadStatus(ctx, dir)
	if err != nil {
		return caseError(err, dir)
	}
	if status.State != casefile.StateOpen {
		return caseError(fmt.Errorf("case %q: %w", dir, evidence.ErrSealed), dir)
	}
	for _, w := range windowViews(status.Windows) {
		if w.Source == v.Source && w.User == v.User {
			v.Windows = append(v.Windows, w)
		}
	}
	return nil
}

func (v *planView) print(w io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	line("source   %s at %s", v.Source, v.Origin)
	if v.User != "" {
		line("user     %s", v.User)
	}
	if v.From != "" {
		line("window   from %s until before %s", v.From, v.To)
	}
	for _, p := range v.Parameters {
		line("         %s = %s", p.Name, p.Value)
	}
	line("requests %d to begin with, each followed page by page:", v.Chains)
	for _, r := range v.Requests {
		line("         %s", r)
	}
	if n := v.Chains - int64(len(v.Requests)); n > 0 {
		line("         … and %d more", n)
	}
	if v.Content {
		line("content  it reads content: acquire asks for a confirmation, or --yes")
	}
	for _, s := range v.Permissions {
		line("needs    %s", s)
	}
	for _, s := range v.Limits {
		line("limit    %s", s)
	}
	for _, c := range v.Claims {
		line("token    %s: %s", c.Name, c.Value)
	}
	for _, win := range v.Windows {
		line("in case  %s", win.line())
	}
	line("Nothing was asked.")
}
