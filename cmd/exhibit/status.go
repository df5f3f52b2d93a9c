package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/verify"
)

func newStatus(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status DIR",
		Short: "Show what a case holds and how its windows stand",
		Long: `status shows what a case says of itself and changes nothing. It may run while another process acquires. It verifies nothing: exhibit-verify check
does that.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runStatus(cmd, p, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// statusView is a case as status prints it.
type statusView struct {
	Case     string               `json:"case"`
	State    string               `json:"state"` // open, sealing, sealed
	Fields   []evidence.Pair      `json:"fields"`
	Keys     []string             `json:"keys"`
	Entries  int64                `json:"entries"`
	Counts   []evidence.KindCount `json:"counts"`
	Heads    int                  `json:"heads"`
	Signed   int64                `json:"signed_entries"` // covered by the newest head
	Segments int64                `json:"segments"`
	Bytes    int64                `json:"bytes"` // of the segments
	Windows  []caseWindow         `json:"windows"`
	Trouble  string               `json:"trouble"` // why the segments could not be read to their end
}

// windowView is a window as plan, acquire and status print it, with the names of exhibit-verify's report.
type windowView struct {
	Window     int64  `json:"window"`
	Source     string `json:"source"`
	User       string `json:"user"`
	From       string `json:"from"`
	To         string `json:"to"`
	Outcome    string `json:"outcome"` // opened, complete, partial, empty, failed
	Reason     string `json:"reason"`
	Text       string `json:"text"`
	Requests   int64  `json:"requests"`
	Pages      int64  `json:"pages"`
	Records    int64  `json:"records"`
	Superseded bool   `json:"superseded"` // a later window of the same acquisition is complete or empty
}

// caseWindow is a window of a case with what names its acquisition, as plan and status print it.
type caseWindow struct {
	windowView
	Acquisition evidence.Hash   `json:"acquisition"` // the same for all windows of one acquisition
	Parameters  []evidence.Pair `json:"parameters"`  // what shapes its requests, bounds aside
}

func windowViews(windows []*row.Window) []caseWindow {
	unfinished := map[int64]bool{}
	for _, w := range acquire.Unfinished(windows) {
		unfinished[w.Window] = true
	}
	views := []caseWindow{}
	for _, w := range windows {
		v := windowView{Window: w.Window, Source: w.Source, User: w.User, From: w.From, To: w.To, Outcome: w.State, Reason: w.Reason, Text: w.Text,
			Requests: max(w.Requests, w.Exchanges), Pages: w.Pages, Records: w.Records}
		v.Superseded = w.State != evidence.Complete && w.State != evidence.Empty && !unfinished[w.Window]
		views = append(views, caseWindow{v, w.Acquisition, append([]evidence.Pair{}, w.Parameters...)})
	}
	return views
}

// line is the window in one line, in the words of exhibit-verify.
func (v *windowView) line() string {
	asked := verify.Window{Source: v.Source, User: v.User, From: v.From, To: v.To}
	s := fmt.Sprintf("window %d, %s: %s", v.Window, asked.Asked(), v.Outcome)
	if v.Reason != "" {
		s += ", " + v.Reason
	}
	if v.Text != "" {
		s += " (" + v.Text + ")"
	}
	if v.Superseded {
		s += "; completed by a later window"
	}
	s += "; " + cli.Count(v.Requests, "request", "requests")
	if v.Outcome == evidence.Opened {
		return cli.EscapeLine(s + " so far")
	}
	return cli.EscapeLine(s + ", " + cli.Count(v.Pages, "page", "pages") + ", " + cli.Count(v.Records, "record", "records"))
}

func runStatus(cmd *cobra.Command, p *program, dir string, asJSON bool) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	s, err := casefile.ReadStatus(ctx, dir)
	if err != nil {
		return caseError(err, dir)
	}
	v := &statusView{Case: s.Case.Case, State: s.State, Fields: s.Case.Fields, Keys: s.Case.Keys, Entries: s.Entries, Counts: s.Counts, Heads: len(s.Heads),
		Segments: s.Segments, Bytes: s.Bytes, Windows: windowViews(s.Windows), Trouble: s.Trouble}
	if len(s.Heads) > 0 {
		v.Signed = s.Heads[len(s.Heads)-1]
	}
	if asJSON {
		return cli.PrintJSON(cmd.OutOrStdout(), v)
	}
	v.print(cmd.OutOrStdout())
	return nil
}

func (v *statusView) print(w io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	line("case %s: %s", v.Case, v.State)
	for _, f := range v.Fields {
		value := f.Value
		if f.Name == evidence.FieldSupplements { // a note, whose first line says which case
			value, _, _ = strings.Cut(value, "\n")
		}
		line("  %s: %s", cli.FieldName(f.Name), value)
	}
	line("%s, %d of them under %s; %s in %s", cli.Count(v.Entries, "entry", "entries"), v.Signed, cli.Count(int64(v.Heads), "signed head", "signed heads"),
		size(v.Bytes), cli.Count(v.Segments, "segment", "segments"))
	for _, c := range v.Counts {
		if c.Count > 0 {
			line("  %s: %d", c.Kind, c.Count)
		}
	}
	for i := range v.Windows {
		line("%s", v.Windows[i].line())
	}
	if v.Trouble != "" {
		line("not read to the end: %s. An unfinished write is recovered when the case is next opened; `exhibit-verify check` tells it from damage", v.Trouble)
	}
}
