package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

func newCheck() *cobra.Command {
	var given given
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check PATH",
		Short: "Check a case and say what holds and what does not",
		Long: `check reads every byte of the case, a folder or one packed file, makes every hash, tree, chain and manifest again, and reports every finding with its place,
what it means for the evidence and what to do next. docs/findings.md lists the codes. Of a production, the folder that "exhibit disclose" makes, it says how many
entries are disclosed and how many withheld, that there is nothing else, and whether all together are what was sealed.

Against the holder of the signing key the case alone proves nothing. What he cannot change is what somebody else has: a head that was kept elsewhere
(--known-head), or what witnesses cosigned (--witness). A history that another one stands against is altered: exit 3.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openChecked(cmd, args[0], &given)
			if err != nil {
				return err
			}
			defer c.close()
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), c.report)
			} else {
				printReport(cmd.OutOrStdout(), cli.Named(args[0]), c.report)
			}
			if err != nil {
				return err
			}
			if code := c.report.Exit(); code != cli.Done {
				return &cli.Error{Code: code, Err: fmt.Errorf("%s: %s", cli.Named(args[0]), verdict(c.report))}
			}
			return nil
		},
	}
	given.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole report as JSON")
	given.pins.DeepFlag(cmd)
	return cmd
}

func verdict(r *verify.Report) string {
	switch r.Exit() {
	case verify.ExitDamaged:
		return "ALTERED OR DAMAGED"
	case verify.ExitIncomplete:
		return "intact, but incomplete or not sealed"
	case verify.ExitUnmet:
		return "intact, but a trust flag that was given is not met"
	}
	return "verified"
}

// withVerdict is the report as --json prints it: the verdict, then the report's own fields, then what each code means.
type withVerdict struct {
	Verdict string `json:"verdict"`
	Exit    int    `json:"exit"`
	*verify.Report
	Codes []explained `json:"codes"`
}

// explained is a code that was found, with its texts.
type explained struct {
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
	Next    string `json:"next"`
}

func printJSON(w io.Writer, r *verify.Report) error {
	out := withVerdict{Verdict: verdict(r), Exit: r.Exit(), Report: r, Codes: []explained{}}
	for i := range r.Findings {
		f := &r.Findings[i]
		if !slices.ContainsFunc(out.Codes, func(e explained) bool { return e.Code == f.Code }) {
			out.Codes = append(out.Codes, explained{f.Code, f.Meaning(), f.Next()})
		}
	}
	return cli.PrintJSON(w, out)
}

func printReport(w io.Writer, path string, r *verify.Report) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.Escape(fmt.Sprintf(format, args...))) }
	for i := range r.Findings {
		f := &r.Findings[i]
		line("%s [%s] %s: %s", f.Class, f.Code, cli.EscapeLine(f.Place()), cli.EscapeLine(f.Detail))
		line("    meaning: %s", f.Meaning())
		line("    next:    %s", f.Next())
	}
	if r.More > 0 {
		line("… and %d findings more", r.More)
	}
	state := "not sealed"
	if r.Sealed {
		state = "sealed"
	}
	if r.Production != nil {
		printProduction(line, r)
	} else if r.Case != "" || r.Segments > 0 {
		line("case %s, %s: %s, %s, %s, %d bytes", r.Case, state, cli.Count(r.Entries, "entry", "entries"), cli.Count(r.Exchanges, "exchange", "exchanges"),
			cli.Count(r.Segments, "segment", "segments"), r.Bytes)
	}
	for _, f := range r.Fields {
		if f.Value != "" && (f.Name != evidence.FieldSupplements || r.Supplements == nil) {
			line("  %s: %s", cli.FieldName(f.Name), cli.EscapeLine(f.Value))
		}
	}
	if r.Supplements != nil {
		line("%s", cli.EscapeLine(r.Supplements.Words()))
	}
	printWindows(line, r)
	printSigners(line, r)
	printCosigners(line, r)
	printTokens(line, r)
	printHistory(line, r)
	printCustody(line, r.Custody)
	for _, s := range r.Statements {
		line("(%s) %s: %s (%s)", s.ID, s.Text, s.Holds, cli.EscapeLine(s.Why))
	}
	line("What none of this shows:")
	for _, c := range r.Caveats {
		line("  - %s", c)
	}
	line("%s: %s", path, verdict(r))
}

func printWindows(line func(string, ...any), r *verify.Report) {
	for i := range r.Windows {
		w := &r.Windows[i]
		note := w.Outcome
		if w.Reason != "" {
			note += ", " + w.Reason
		}
		if w.Text != "" {
			note += " (" + w.Text + ")"
		}
		if w.Superseded {
			note += "; completed by a later window"
		}
		line("window %d, %s: %s; %s, %s, %s", w.Window, cli.EscapeLine(w.Asked()), cli.EscapeLine(note), cli.Count(w.Requests, "request", "requests"),
			cli.Count(w.Pages, "page", "pages"), cli.Count(w.Records, "record", "records"))
	}
}

// printCustody prints who held the case when.
func printCustody(line func(string, ...any), c *verify.Custody) {
	if c == nil {
		return
	}
	for _, l := range c.Lines() {
		line("%s", cli.EscapeLine(l))
	}
}

func printSigners(line func(string, ...any), r *verify.Report) {
	for _, k := range r.Keys {
		if k.Entry > 0 { // those of the case entry need no word
			may := "may sign"
			if !k.May {
				may = "may not sign yet: no head covers that entry"
			}
			line("entry %d allows the key %s: it %s", k.Entry, cli.EscapeLine(k.Key), may)
		}
	}
	for _, h := range r.Heads {
		line("entries %d to %d: %s signed by %s", h.From, h.Size-1, cli.Count(h.Heads, "head", "heads"), cli.EscapeLine(strings.Join(h.Signers, ", ")))
	}
}

func printCosigners(line func(string, ...any), r *verify.Report) {
	for i := range r.Cosignatures {
		s := &r.Cosignatures[i]
		who := s.Key
		switch {
		case s.Key == "":
			who = fmt.Sprintf("a key that calls itself %s (%s): not checked, and proves nothing, unless you pin that key", s.Name, s.ID)
		case !s.Pinned:
			who += ", which the case allows and you have not pinned"
		}
		line("entries 0 to %d: cosigned by %s", s.Size-1, cli.EscapeLine(who))
	}
}

// maxTokenLines is how many timestamps are listed for a person: half of them the first ones, half the last.
const maxTokenLines = 20

func printTokens(line func(string, ...any), r *verify.Report) {
	for i, t := range r.Tokens {
		if n := len(r.Tokens); n > maxTokenLines && i >= maxTokenLines/2 && i < n-maxTokenLines/2 {
			if i == maxTokenLines/2 {
				line("… %d timestamps more: use --json", n-maxTokenLines)
			}
			continue
		}
		by := "not pinned"
		if len(t.Pinned) > 0 {
			by = "pinned by " + strings.Join(t.Pinned, ", ")
		} else if t.Why != "" {
			by = t.Why
		}
		line("entries 0 to %d: stamped %s, give or take %s, by %s (%s)", t.Size-1, t.Time, t.Accuracy, cli.EscapeLine(t.Authority), cli.EscapeLine(by))
	}
}
