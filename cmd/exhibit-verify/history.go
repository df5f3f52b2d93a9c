package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// elsewhere is what the user has from others than the operator: heads that were kept, and keys of witnesses.
type elsewhere struct {
	heads     []string // files
	witnesses []string
	quorum    int
}

func (e *elsewhere) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&e.heads, "known-head", nil, "`FILE` with a signed head of this case that was kept elsewhere, such as one that was mailed on the first day; the case must go on from it (repeatable)")
	f.StringArrayVar(&e.witnesses, "witness", nil, "key of a witness, `VKEY`, that must have cosigned the newest head (repeatable)")
	f.IntVar(&e.quorum, "witness-quorum", 0, "be content with `N` of the witnesses (default all)")
}

// options reads what the flags name.
func (e *elsewhere) options(cmd *cobra.Command, o *verify.Options) error {
	for _, name := range e.heads {
		note, err := readKnownHead(name)
		if err == nil {
			var head verify.KnownHead
			if head, err = verify.ParseKnownHead(name, note); err == nil {
				o.KnownHeads = append(o.KnownHeads, head)
			}
		}
		if err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--known-head %q: %w", name, pathCause(err)), "nothing was checked", "name a file as in data/checkpoints of the case, or as `exhibit head` prints one")
		}
	}
	for _, text := range e.witnesses {
		key, err := trust.ParseWitnessKey(text)
		if err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--witness: %w", err), "nothing was checked", "a witness key is one line NAME+ID+BASE64 of type 0x04, as its operator publishes it")
		}
		o.Witnesses = append(o.Witnesses, key)
	}
	if o.Quorum = e.quorum; cmd.Flags().Changed("witness-quorum") && (e.quorum < 1 || e.quorum > len(e.witnesses)) {
		return cli.Usagef("--witness-quorum %d is no number from 1 to %d, of the keys that --witness gives", e.quorum, len(e.witnesses))
	}
	return nil
}

// readKnownHead reads no more of a file than shows that it is too long.
func readKnownHead(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, trust.MaxNoteSize+1))
}

// pathCause leaves out the file's name, which the message has.
func pathCause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

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
