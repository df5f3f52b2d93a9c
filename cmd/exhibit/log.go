package main

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/verify"
)

func newLog(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log DIR",
		Short: "Show the operator log",
		Long: `log shows what operator and tool did, in order: entry, time, what. Exchanges are not in it; exhibit-verify show gives those. It changes nothing and
may run while another process acquires.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runLog(cmd, p, args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each entry as one line of JSON")
	return cmd
}

func runLog(cmd *cobra.Command, p *program, dir string, asJSON bool) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	out := cmd.OutOrStdout()
	err := casefile.ReadLog(ctx, dir, func(e *row.LogEntry) error {
		if asJSON {
			b, err := evidence.MarshalLine(e)
			if err != nil {
				return err
			}
			_, err = out.Write(append(b, '\n'))
			return err
		}
		_, err := fmt.Fprintf(out, "%6d  %s  %s\n", e.Seq, e.Start, cli.EscapeLine(logText(e)))
		return err
	})
	return caseError(err, dir)
}

// logText says in one line what an entry tells. A body that cannot be read is shown as it stands.
func logText(e *row.LogEntry) string {
	text := e.Kind
	if e.Window > 0 {
		text += fmt.Sprintf(" %d", e.Window)
	}
	switch e.Kind {
	case evidence.KindCase:
		var b evidence.Case
		if json.Unmarshal(e.Body, &b) == nil {
			return text + " " + b.Case + pairs(b.Fields)
		}
	case evidence.KindOperator:
		var b evidence.Operator
		if json.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("%s by %s at %s: %s%s", b.Action, b.Operator, b.Host, b.Text, pairs(brief(b.Fields)))
		}
	case evidence.KindWindow:
		var b evidence.Window
		if json.Unmarshal(e.Body, &b) == nil {
			return text + " " + windowText(e.Source, &b)
		}
	case evidence.KindGap:
		var b evidence.Gap
		if json.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("%s %s: %s", text, b.Reason, b.Text)
		}
	case evidence.KindCheckpoint:
		var b evidence.Checkpoint
		if json.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("%s: a head over the first %d entries was signed", text, b.Size)
		}
	case evidence.KindSeal:
		return text + ": nothing can follow"
	case evidence.KindKey:
		var b evidence.Key
		if json.Unmarshal(e.Body, &b) == nil {
			return fmt.Sprintf("%s %s %s: %s", text, b.Action, b.Key, b.Text)
		}
	}
	return text + " " + string(e.Body)
}

func windowText(source string, b *evidence.Window) string {
	asked := verify.Window{Source: source, User: b.User, From: b.From, To: b.To}
	s := b.State + ": " + asked.Asked()
	if b.State == evidence.Opened {
		return s + pairs(b.Parameters)
	}
	if b.Reason != "" {
		s += "; " + b.Reason + ": " + b.Text
	}
	return s + "; " + cli.Count(b.Requests, "request", "requests") + ", " + cli.Count(b.Pages, "page", "pages") + ", " + cli.Count(b.Records, "record", "records")
}

// brief leaves out what describes the tool itself, at length; --json has it.
func brief(ps []evidence.Pair) []evidence.Pair {
	var kept []evidence.Pair
	for _, p := range ps {
		if p.Name != "module" && p.Name != "executable-sha256" && !strings.HasPrefix(p.Name, "vcs.") {
			kept = append(kept, p)
		}
	}
	return kept
}

func pairs(ps []evidence.Pair) string {
	var words []string
	for _, p := range ps {
		words = append(words, p.Name+"="+p.Value)
	}
	if len(words) == 0 {
		return ""
	}
	return " [" + strings.Join(words, "; ") + "]"
}
