package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// printProduction says what a production discloses of its case.
func printProduction(line func(string, ...any), r *verify.Report) {
	p := r.Production
	withheld := p.HeadOnly + p.LeafOnly
	text := "nothing else, root matches"
	if r.Exit() == verify.ExitDamaged {
		text = "and what is there does not agree: see the findings"
	}
	line("production of case %s: %d disclosed, %d withheld, %s", r.Case, p.Disclosed, withheld, text)
	line("  %s, %s known of, %s, %d bytes; of %d withheld there is the head line, of %d a hash alone", cli.Count(r.Entries, "entry", "entries"),
		cli.Count(r.Exchanges, "exchange", "exchanges"), cli.Count(r.Segments, "segment", "segments"), r.Bytes, p.HeadOnly, p.LeafOnly)
	for _, w := range p.Reasons {
		reason := w.Reason
		if reason == "" {
			reason = "no reason given"
		}
		line("  withheld, %s: %s", cli.Count(w.Entries, "entry", "entries"), cli.EscapeLine(reason))
	}
	if p.Producer != "" {
		line("  produced %s; the production calls its signer %s", p.Time, cli.EscapeLine(p.Producer))
	}
}

// showWithheld shows what a production has of an entry that it does not disclose.
func showWithheld(cmd *cobra.Command, path string, c *checked, seq int64, o *showOptions) error {
	ctx := cmd.Context()
	d, err := c.container.Disclosure(ctx, seq)
	if err != nil {
		return err
	}
	if o.request || o.response || o.body {
		return cli.Fail(cli.Incomplete, fmt.Errorf("entry %d is withheld from this production", seq), "its bytes are not here; what is here commits to them",
			"run `exhibit-verify show "+path+fmt.Sprintf(" %d` to see what there is of it", seq))
	}
	proof, err := newestProof(ctx, c, seq)
	if err != nil {
		return err
	}
	if o.json {
		return withheldJSON(cmd.OutOrStdout(), d, proof)
	}
	withheldText(cmd.OutOrStdout(), c, d, proof)
	return nil
}

func withheldJSON(w io.Writer, d *evidence.Disclosure, proof *verify.Proof) error {
	head := jsontext.Value(d.HeadLine())
	if d.Head == nil {
		head = jsontext.Value("null")
	}
	return cli.PrintJSON(w, struct {
		Level  int64          `json:"level"`
		Reason string         `json:"reason"`
		Head   jsontext.Value `json:"head"` // null where a hash alone is disclosed
		Proof  *verify.Proof  `json:"proof"`
	}{d.Level, d.Reason, head, proof})
}

func withheldText(w io.Writer, c *checked, d *evidence.Disclosure, proof *verify.Proof) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.Escape(fmt.Sprintf(format, args...))) }
	line("entry %d of case %s: WITHHELD from this production", d.Seq, c.container.CaseID())
	if d.Reason != "" {
		line("reason       %s", cli.EscapeLine(d.Reason))
	}
	if d.Head != nil {
		line("head line    %s", d.HeadLine())
	}
	printProof(line, proof)
}

// damagedProduction says why nothing is given of a production that is altered or damaged.
func damagedProduction(path string) error {
	return cli.Fail(cli.Damaged, errors.New(cli.Named(path)+", a production, is altered or damaged"), "nothing is salvaged of a production: whoever made it can make it again, from the case",
		"run `exhibit-verify check "+path+"` to see what was found, and ask the producing party for another copy")
}

// tellWithheld says of what is read from a production that part of the case is not in it.
func tellWithheld(w io.Writer, r *verify.Report) {
	if p := r.Production; p != nil {
		fmt.Fprintf(w, "a production: %d entries of %d are withheld, and no record of theirs is here\n", p.HeadOnly+p.LeafOnly, r.Entries)
	}
}
