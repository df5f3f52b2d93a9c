package main

import (
	"fmt"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify"
)

func printHistory(line func(string, ...any), r *verify.Report) {
	for i := range r.Installations {
		n := &r.Installations[i]
		line("installation %s: this is case %d, opened at %s; %s had been opened there by entry %d", cli.EscapeLine(n.Origin), n.Case, n.Time, cli.Count(n.Cases, "case", "cases"), n.Seq)
	}
	if len(r.Installations) > 0 {
		line("  ask for the other cases of that installation; that its log was not begun anew, or another one kept beside it, only a head of the log that was kept elsewhere shows")
	}
	for _, h := range r.KnownHeads {
		state := "the case does not go on from it, or it says nothing about this case"
		if h.Extends {
			state = "the case goes on from it"
		}
		line("known head %s, over %s: %s", cli.EscapeLine(h.Name), cli.Count(h.Size, "entry", "entries"), state)
	}
	for i := range r.Witnesses {
		s := &r.Witnesses[i]
		who := "witness that you pinned"
		if !s.Pinned {
			who = "witness that you did not pin"
		}
		saw := "no head of this history cosigned"
		if s.Size > 0 {
			saw = fmt.Sprintf("%s cosigned, the last over %d of %d entries, at %s", cli.Count(s.Heads, "head", "heads"), s.Size, r.Entries, s.Time)
		}
		line("%s %s: %s", who, cli.EscapeLine(s.Witness), saw)
	}
}
