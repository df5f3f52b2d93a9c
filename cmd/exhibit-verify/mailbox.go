package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/export/historic"
	"github.com/exhibit-dfir/exhibit/verify/export/items"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// lossesName is the file beside a file of 2018 that lists what that leaves out.
func (o *extractOptions) lossesName() string { return o.out + ".losses.jsonl" }

// ofOneMailbox reports whether the format is of the activities of one mailbox.
func (o *extractOptions) ofOneMailbox() bool {
	_, of2018 := historic.Find(o.format)
	return of2018 || o.format == items.Format
}

// checkMailbox looks at the flags that such formats have, or have not, before anything is read.
func (o *extractOptions) checkMailbox(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	switch {
	case !o.ofOneMailbox() && given("user"):
		return cli.Fail(cli.Usage, fmt.Errorf("--user %q goes with --format crowdstrike-csv, lmg-csv or item-ids", o.user), "", "the other formats hold every mailbox, each record with its own")
	case !o.ofOneMailbox():
		return nil
	case o.salvage:
		return cli.Fail(cli.Usage, fmt.Errorf("--salvage does not go with --format %s", o.format), "such a file has no place for what is lost, and would look whole",
			"extract what is still proven as jsonl or csv")
	case given("source"):
		return cli.Fail(cli.Usage, fmt.Errorf("--source does not go with --format %s", o.format), "such a file holds "+historic.Source+" and nothing else", "leave --source out")
	case o.out == "-":
		return nil
	}
	names := []string{o.out, o.lossesName()}
	if o.format == items.Format {
		names = names[:1]
	}
	for _, name := range names {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			return cli.Fail(cli.Usage, fmt.Errorf("--out: %q is there already", name), "nothing was written", "name another file, which does not exist yet")
		}
	}
	return nil
}

// mailbox is whose activities go into the file.
func (o *extractOptions) mailbox(path string, c *checked) (string, error) {
	users := export.Mailboxes(c.report.Windows, historic.Source)
	list := cli.Some(users)
	fail := func(err error, next string) (string, error) {
		return "", cli.Fail(cli.Usage, err, "nothing was extracted", next)
	}
	switch {
	case len(users) == 0:
		return fail(fmt.Errorf("%s: no activities were acquired in this case", cli.Named(path)), "see with `exhibit-verify check "+path+"` what it holds, and extract it as jsonl or csv")
	case o.user == "" && len(users) > 1:
		return fail(fmt.Errorf("%s has windows for the activities of %d mailboxes, and such a file holds one: %s", cli.Named(path), len(users), list), "name one with --user")
	case o.user == "":
		return users[0], nil
	case !slices.ContainsFunc(users, func(u string) bool { return export.SameMailbox(u, o.user) }):
		return fail(fmt.Errorf("--user %q is no mailbox of this case, which has %s", o.user, list), "name it as the case does")
	}
	return o.user, nil
}

// extractMailbox writes what is of the activities of one mailbox.
func extractMailbox(cmd *cobra.Command, path string, c *checked, o *extractOptions) error {
	user, err := o.mailbox(path, c)
	if err != nil {
		return err
	}
	if f, ok := historic.Find(o.format); ok {
		return extractHistoric(cmd, path, c, o, f, user)
	}
	var l items.Listed
	var sum extract.Summary
	err = toFile(cmd.OutOrStdout(), o.out, func(w io.Writer) (err error) {
		l, sum, err = items.Write(cmd.Context(), c.container, items.Options{Source: historic.Source, User: user}, w)
		return changed(err)
	})
	if err != nil {
		return err
	}
	talk := cmd.ErrOrStderr()
	fmt.Fprintln(talk, cli.EscapeLine(fmt.Sprintf("%s that the activities of %s mention", cli.Count(l.Items, "item", "items"), user)))
	if err := summarise(talk, path, c, sum); err != nil || l.Odd == 0 {
		return err
	}
	return cli.Fail(cli.Incomplete, fmt.Errorf("%s an item that cannot be asked for", cli.Count(l.Odd, "activity mentions", "activities mention")), "such an id is not in the list: it is no printable ASCII, or longer than 1 KiB",
		"extract as jsonl to see it in item_id")
}

// extractHistoric writes the activities of one mailbox as a program of 2018 wrote them.
func extractHistoric(cmd *cobra.Command, path string, c *checked, o *extractOptions, f historic.Format, user string) (err error) {
	g, sum, err := f.Gather(cmd.Context(), c.container, historic.Options{User: user, Windows: c.report.Windows})
	if err != nil {
		return changed(err)
	}
	defer func() { err = cmp.Or(err, g.Close()) }()
	talk := cmd.ErrOrStderr()
	if g.Rows > 0 {
		if err := o.writeHistoric(cmd.Context(), cmd.OutOrStdout(), g); err != nil {
			return err
		}
	}
	o.tellHistoric(talk, user, g)
	if err := summarise(talk, path, c, sum); err != nil {
		return err
	}
	return unwritten(path, g)
}

// writeHistoric writes the file and what it leaves out: both or none.
func (o *extractOptions) writeHistoric(ctx context.Context, stdout io.Writer, g *historic.Gathered) error {
	if o.out == "-" {
		return g.Write(ctx, stdout, nil)
	}
	list := &lossList{}
	err := toFile(stdout, o.out, func(w io.Writer) error {
		if err := list.create(o.lossesName()); err != nil {
			return err
		}
		return list.close(g.Write(ctx, w, list.buf))
	})
	if err != nil && list.file != nil {
		os.Remove(list.name)
	}
	return err
}

func (o *extractOptions) tellHistoric(w io.Writer, user string, g *historic.Gathered) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	others := "every record has a row"
	if n := total(g.Without); n > 0 {
		others = cli.Count(n, "record has no row", "records have no row")
	}
	line("%s of %s as the program of 2018 wrote them; %s", cli.Count(g.Rows, "activity", "activities"), user, others)
	for _, why := range slices.Sorted(maps.Keys(g.Without)) {
		line("  %d: %s", g.Without[why], why)
	}
	switch {
	case g.Rows == 0:
		line("nothing was written: the program wrote no file where there was nothing")
		return
	case o.out == "-":
		line("ids, flags, provenance and repeated property names are not in it: write to a file with --out to have a list of what it leaves out beside it")
	default:
		line("what it leaves out is in %s", o.lossesName())
	}
	line("nothing in it is neutralised, as nothing was in 2018: a spreadsheet would run cells that begin like formulas")
}

// unwritten is an error where activities have no row that are no repeats.
func unwritten(path string, g *historic.Gathered) error {
	n := total(g.Without) - g.Without[historic.WhyRepeat]
	if n == 0 {
		return nil
	}
	return cli.Fail(cli.Incomplete, fmt.Errorf("%s cannot stand in such a file", cli.Count(n, "activity", "activities")),
		"the program of 2018 would have ended there with an error; the recorded bytes are kept", "extract as jsonl or csv to have all records of "+path)
}

func total(counts map[string]int64) (n int64) {
	for _, k := range counts {
		n += k
	}
	return n
}
