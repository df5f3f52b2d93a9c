package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/export/historic"
	"github.com/exhibit-dfir/exhibit/verify/export/items"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

type extractOptions struct {
	format string
	out    string
	given  given
	source []string
	user   string // whose activities go into a file as of 2018

	salvage bool
}

func newExtract() *cobra.Command {
	var o extractOptions
	cmd := &cobra.Command{
		Use:   "extract PATH",
		Short: "Write normalised records with their provenance",
		Long: `extract checks the case and writes a record for each event in its answers. docs/records.md describes the fields; every record names the
exchange, the byte range and the SHA-256 of the JSON that it was made from. Nothing is extracted from a case that is altered or damaged. With
--salvage the records of those exchanges are written that still prove against a signed head, and what is lost is listed: on standard error, and
beside a file that is written, in FILE.losses.jsonl. The exit code is 3 all the same. Nothing is extracted of a case that does not meet a key, an authority, a
head or a witness that is given, and nothing salvaged of one against which such a head stands.

The formats crowdstrike-csv and lmg-csv are the files of the programs of 2018, byte for byte, for what reads such files: the activities of one mailbox,
chosen with --user where the case has several. They hold less than the other formats; what they leave out goes to FILE.losses.jsonl. Nothing in
them is neutralised: do not open them in a spreadsheet. item-ids lists the items that the activities of one mailbox mention, one id a line, as
exhibit acquire outlook-messages --items reads them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runExtract(cmd, args[0], &o) },
	}
	cmd.Flags().StringVar(&o.format, "format", "jsonl", "jsonl, csv, crowdstrike-csv, lmg-csv or item-ids")
	cmd.Flags().StringVarP(&o.out, "out", "o", "-", "file to write, which must not exist; - for standard output")
	cmd.Flags().StringArrayVar(&o.source, "source", nil, "only what this source brought (repeatable)")
	cmd.Flags().StringVar(&o.user, "user", "", "`UPN` of the mailbox for crowdstrike-csv, lmg-csv or item-ids, as the case names it")
	cmd.Flags().BoolVar(&o.salvage, "salvage", false, "extract what a damaged case still proves, and list what is lost")
	o.given.flags(cmd)
	return cmd
}

// keepPages is how many bytes of decoded answers go to a temporary file during the check, so that they need not be decoded twice: as much as one full segment.
const keepPages = 1 << 30

func formatNames() []string {
	var names []string
	for _, f := range export.Formats() {
		names = append(names, f.Name)
	}
	for _, f := range historic.Formats() {
		names = append(names, f.Name)
	}
	return append(names, items.Format)
}

func runExtract(cmd *cobra.Command, path string, o *extractOptions) error {
	if err := cli.OneOf("format", o.format, formatNames()); err != nil {
		return err
	}
	for _, s := range o.source {
		if err := cli.OneOf("source", s, extract.Sources()); err != nil {
			return err
		}
	}
	if err := o.checkMailbox(cmd); err != nil {
		return err
	}
	o.given.keep = keepPages
	c, err := openChecked(cmd, path, &o.given)
	if err != nil {
		return err
	}
	defer c.close()
	if c.container == nil && o.salvage {
		return extractSalvaged(cmd, path, c, o, c.keys)
	}
	if err := c.needIntact(path); err != nil {
		return err
	}
	if err := c.needMet(path, "nothing was extracted"); err != nil {
		return err
	}
	if o.ofOneMailbox() {
		return extractMailbox(cmd, path, c, o)
	}
	sum, err := writeRecords(cmd.Context(), cmd.OutOrStdout(), c, o)
	if err != nil {
		return err
	}
	return summarise(cmd.ErrOrStderr(), path, c, sum)
}

// writeRecords writes to a new file or to standard output.
func writeRecords(ctx context.Context, stdout io.Writer, c *checked, o *extractOptions) (sum extract.Summary, err error) {
	format, err := export.Find(o.format)
	if err != nil {
		return sum, err
	}
	err = toFile(stdout, o.out, func(w io.Writer) error {
		sum, err = format.Extract(ctx, c.container, extract.Options{Sources: o.source}, w)
		return changed(err)
	})
	return sum, err
}

// toFile has a new file written, or standard output, which is "-". A file that could not be finished is removed.
func toFile(stdout io.Writer, out string, write func(io.Writer) error) error {
	if out == "-" {
		return write(stdout)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), "nothing was written", "name a file that does not exist yet")
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(out)
	}
	return err
}

// tell says what was extracted and what could not be read. It returns the number of windows that this version cannot read.
func tell(w io.Writer, c *checked, sum extract.Summary) (unread int) {
	fmt.Fprintf(w, "%d records from %d pages; %d flagged\n", sum.Records, sum.Pages, sum.Flagged)
	tellWithheld(w, c.report)
	for _, win := range c.report.Windows {
		if !slices.Contains(extract.Sources(), win.Source) {
			fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf("window %d: this version makes no records of source %q; its answers can be seen with show", win.Window, win.Source)))
			unread++
		}
	}
	for _, p := range sum.Problems {
		fmt.Fprintln(w, cli.EscapeLine("problem: "+p.String()))
	}
	return unread
}

// summarise tells all that, and whether the case itself is incomplete.
func summarise(w io.Writer, path string, c *checked, sum extract.Summary) error {
	unread := tell(w, c, sum)
	if unread > 0 && sum.ProblemCount == 0 {
		return cli.Fail(cli.Incomplete, fmt.Errorf("%d windows are of sources that this version cannot read", unread), "the recorded bytes are kept; they are not among the records",
			"use a newer exhibit-verify")
	}
	return incomplete(path, c, sum)
}

// incomplete says what is missing: what could not become records, or was not acquired.
func incomplete(path string, c *checked, sum extract.Summary) error {
	if sum.ProblemCount > 0 {
		return cli.Fail(cli.Incomplete, fmt.Errorf("%d places in the answers could not become records", sum.ProblemCount),
			"the recorded bytes are kept; what they say there is not among the records", "look at them with `exhibit-verify show "+path+" SEQ --body`")
	}
	if code := c.report.Exit(); code != cli.Done {
		return cli.Fail(code, fmt.Errorf("%s: %s", path, verdict(c.report)), "the records are those of what was acquired", "run `exhibit-verify check "+path+"` to see what is missing")
	}
	return nil
}
