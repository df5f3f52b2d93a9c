package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/views"
)

type viewsOptions struct {
	kind   string
	format string
	out    string
	user   string
	rows   rowFilter
	given  given
}

func newViews() *cobra.Command {
	var o viewsOptions
	var kinds strings.Builder
	for _, k := range views.Kinds() {
		fmt.Fprintf(&kinds, "  %-16s %s\n", k.Name, k.About)
	}
	cmd := &cobra.Command{
		Use:   "views PATH",
		Short: "Show logons, searches, mails read and sessions of a mailbox",
		Long: `views checks the case and shows what its outlook-activities say, in one of these views:

` + kinds.String() + `
Each row says in which session it was, to which logon it is attributed and how: by the same client session, inferred with the time since that logon, or ambiguous with its
candidates, at most 64; and which record it was made of. docs/views.md describes the columns. Nothing is shown of a case that is altered or damaged. The table is
for reading at a terminal; the other formats have all columns.

--start, --end, --address and --session choose rows. An address is that of the logon to which a row is attributed, or of one of its candidates if it is ambiguous; sessions
are shown whole. What a row says does not depend on them. Standard error says how many rows they left out, and how many of these may be of what was asked for all the same.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runViews(cmd, args[0], &o) },
	}
	cmd.Flags().StringVar(&o.kind, "kind", "logons", strings.Join(kindNames(), ", "))
	cmd.Flags().StringVar(&o.format, "format", "table", "table, tsv, csv or jsonl")
	cmd.Flags().StringVarP(&o.out, "out", "o", "-", "file to write, which must not exist; - for standard output")
	cmd.Flags().StringVar(&o.user, "user", "", "only the mailbox of this user; without it all mailboxes, one after another")
	o.rows.flags(cmd.Flags())
	o.given.flags(cmd)
	return cmd
}

func kindNames() (names []string) {
	for _, k := range views.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

func viewFormats() (names []string) {
	for _, f := range views.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func runViews(cmd *cobra.Command, path string, o *viewsOptions) error {
	if err := cli.OneOf("kind", o.kind, kindNames()); err != nil {
		return err
	}
	if err := cli.OneOf("format", o.format, viewFormats()); err != nil {
		return err
	}
	if o.user == "" && cmd.Flags().Changed("user") {
		return cli.Usagef("--user is empty: name the mailbox, or leave the flag out for all of them")
	}
	filter, err := o.rows.read()
	if err != nil {
		return err
	}
	c, err := openMet(cmd, path, &o.given, "nothing was shown")
	if err != nil {
		return err
	}
	defer c.close()
	if err := o.knownUser(c.report); err != nil {
		return err
	}
	sum, err := writeView(cmd.Context(), cmd.OutOrStdout(), c, o, filter)
	if err != nil {
		return err
	}
	return tellView(cmd.ErrOrStderr(), path, c, o, sum)
}

// knownUser fails if the mailbox that is asked for was not acquired.
func (o *viewsOptions) knownUser(r *verify.Report) error {
	var users []string
	for _, w := range r.Windows {
		if w.Source != views.Source {
			continue
		}
		if o.user == "" || export.SameMailbox(w.User, o.user) {
			return nil
		}
		if u := fmt.Sprintf("%q", w.User); !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	if o.user == "" {
		return nil
	}
	next := "the case holds no activities"
	if users != nil {
		next = "the case holds activities of " + strings.Join(users, ", ")
	}
	return cli.Fail(cli.Usage, fmt.Errorf("--user %q: the case has no window of it", o.user), "nothing was shown", next)
}

func writeView(ctx context.Context, stdout io.Writer, c *checked, o *viewsOptions, filter views.Filter) (sum views.Summary, err error) {
	k, err := views.FindKind(o.kind)
	if err != nil {
		return sum, err
	}
	f, err := views.FindFormat(o.format)
	if err != nil {
		return sum, err
	}
	err = toFile(stdout, o.out, func(w io.Writer) (err error) {
		sum, err = views.Write(ctx, c.container, k, f, views.Options{User: o.user, Filter: filter, Escape: cli.EscapeLine}, w)
		return changed(err)
	})
	return sum, err
}

// tellView says on standard error what was shown and what could not be read.
func tellView(w io.Writer, path string, c *checked, o *viewsOptions, sum views.Summary) error {
	fmt.Fprintf(w, "%s from %s on %s\n", cli.Count(sum.Rows, "row", "rows"), cli.Count(sum.Extract.Records, "record", "records"), cli.Count(sum.Extract.Pages, "page", "pages"))
	o.rows.tell(w, path, o.kind, &sum)
	var how []string
	for _, word := range views.HowWords() {
		if n := sum.How[word]; n > 0 {
			how = append(how, fmt.Sprintf("%s %d", word, n))
		}
	}
	if how != nil {
		fmt.Fprintf(w, "attributed to logons: %s\n", strings.Join(how, ", "))
	}
	if sum.Repeats > 0 {
		fmt.Fprintf(w, "%s counted once: another one has the same id", cli.Count(sum.Repeats, "record is", "records are"))
		if sum.Differing > 0 {
			fmt.Fprintf(w, "; of %s the records say different things", cli.Count(sum.Differing, "event", "events"))
		}
		fmt.Fprintln(w)
	}
	tellWithheld(w, c.report)
	var me []string
	if len(export.Mailboxes(c.report.Windows, views.Source)) == 0 {
		fmt.Fprintln(w, "no activities were acquired in this case: that there are no rows says nothing about a mailbox")
	}
	for _, win := range c.report.Windows {
		if win.Source == views.Source && win.User == "me" {
			me = append(me, fmt.Sprint(win.Window))
		}
		if win.Source != views.Source {
			fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf("window %d: source %q is not part of the views; extract its records", win.Window, win.Source)))
		}
	}
	if len(me) > 1 {
		fmt.Fprintf(w, "windows %s were asked for \"me\": they are shown as one mailbox, and are one only if the tokens were of one user\n", strings.Join(me, ", "))
	}
	for _, p := range sum.Extract.Problems {
		fmt.Fprintln(w, cli.EscapeLine("problem: "+p.String()))
	}
	return incomplete(path, c, sum.Extract)
}
