package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/witness"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// installationFlags are what installation is asked for.
type installationFlags struct {
	witnesses  witnessOptions
	known      []string // files
	head, json bool
}

func newInstallation(p *program) *cobra.Command {
	var o installationFlags
	cmd := &cobra.Command{
		Use:   "installation",
		Short: "Show the log of all cases that were opened here",
		Long: `installation checks and shows the log in $XDG_CONFIG_HOME/exhibit/installation, which "exhibit case new" adds each case to before it makes it, and which each case states.
So nobody can say later that there was only one case, unless he begins the whole log anew: give its head (--head) to somebody else now and then, or have
witnesses cosign it (--witness). The log holds case ids and times, and nothing of what was acquired.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInstallation(cmd, p, &o) },
	}
	o.witnesses.AddFlags(cmd.Flags())
	cmd.Flags().StringArrayVar(&o.known, "known-head", nil, "`FILE` with a head of this log that was kept elsewhere; the log must go on from it (repeatable)")
	cmd.Flags().BoolVar(&o.head, "head", false, "print the newest signed head alone, to be kept elsewhere")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the log as JSON, with the proof for each case")
	return cmd
}

func runInstallation(cmd *cobra.Command, p *program, o *installationFlags) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	if o.head && o.json {
		return cli.Usagef("--head and --json print different things: give one of them")
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	asked, err := o.witnesses.options(cmd, env, os.TempDir())
	if err != nil {
		return err
	}
	known, err := o.knownHeads()
	if err != nil {
		return err
	}
	n, err := casefile.ReadInstallation(env.ConfigDir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.Note == nil {
		return cli.Fail(cli.Usage, errors.New("no case was opened here yet"), "", "make one with `exhibit case new`")
	}
	if err != nil {
		return caseError(err, "")
	}
	for i, head := range known {
		if err := n.Extends(head); err != nil {
			return cli.Fail(cli.Damaged, fmt.Errorf("%s: %w", o.known[i], err), "cases may have been opened here that this log does not tell of", "find the log that the head is of; keep this one, and the head with its signatures")
		}
	}
	if o.head {
		if _, err := cmd.OutOrStdout().Write(n.Note); err != nil {
			return err
		}
	} else if err := printInstallation(cmd.OutOrStdout(), n, o.json); err != nil {
		return err
	}
	if asked == nil {
		return nil
	}
	return witnessInstallation(ctx, cmd.ErrOrStderr(), n, asked)
}

// knownHeads reads the files of --known-head. Their signatures are for whoever kept them to trust.
func (o *installationFlags) knownHeads() ([]trust.Head, error) {
	var all []trust.Head
	for _, name := range o.known {
		b, err := cli.ReadSmall(name, trust.MaxNoteSize)
		var head trust.Head
		if err == nil {
			text, _, _ := strings.Cut(string(b), "\n\n")
			head, err = trust.ParseHead(text + "\n")
		}
		if err == nil && !evidence.IsInstallationOrigin(head.Origin) { // which says nothing about any such log
			err = fmt.Errorf("%q is a head of %q, and of no installation log", name, head.Origin)
		}
		all = append(all, head)
		if err != nil {
			return nil, cli.Fail(cli.Usage, fmt.Errorf("--known-head: %w", err), "nothing was checked", "name a file as `exhibit installation --head` prints it")
		}
	}
	return all, nil
}

// installationView is the log as --json prints it.
type installationView struct {
	Origin string     `json:"origin"`
	Size   int64      `json:"size"` // cases under the head
	Head   string     `json:"head"` // the note
	Cases  []caseView `json:"cases"`
}

type caseView struct {
	Leaf  string   `json:"leaf"`
	Proof []string `json:"proof"` // that the leaf is under the head (RFC 6962, 2.1.1), in base64
}

func printInstallation(w io.Writer, n *casefile.Installation, asJSON bool) error {
	v := installationView{Origin: n.Origin, Size: n.Size, Head: string(n.Note), Cases: []caseView{}}
	for _, l := range n.Leaves[:n.Size] {
		c := caseView{Leaf: l.String(), Proof: []string{}}
		if asJSON {
			path, err := n.Proof(l.Seq)
			if err != nil {
				return err
			}
			for _, h := range path {
				c.Proof = append(c.Proof, base64.StdEncoding.EncodeToString(h[:]))
			}
		}
		v.Cases = append(v.Cases, c)
	}
	if asJSON {
		return cli.PrintJSON(w, v)
	}
	for _, l := range n.Leaves[:n.Size] {
		fmt.Fprintf(w, "case %d  %s  %s\n", l.Seq+1, l.Time, l.Case)
	}
	_, err := fmt.Fprintf(w, "%s: %s, as the newest head says\n", n.Origin, cli.Count(n.Size, "case", "cases"))
	return err
}

// witnessInstallation has witnesses cosign the newest head of the log.
func witnessInstallation(ctx context.Context, talk io.Writer, n *casefile.Installation, o *witness.Options) error {
	var failed error
	for _, w := range o.Witnesses {
		note, err := w.Cosign(ctx, o.Post, n.Note, 0, n.Proofs)
		if err == nil {
			err = n.KeepCosignature(w.Key.ID(), note)
		}
		a := witness.Answer{Err: err}
		if a.OtherHistory() {
			return cli.Fail(cli.Damaged, err, "this log does not extend what the witness has seen of it: it was rolled back, cut or begun anew under its old id",
				"find the copy that the witness has seen, and put it back")
		}
		if err == nil {
			fmt.Fprintf(talk, "%s cosigned the head over %s: %s\n", w.Key.Name(), cli.Count(n.Size, "case", "cases"), cli.EscapeLine(n.Cosignatures()))
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return cli.Fail(cli.Unexpected, failed, "the log is not changed by that", "make sure that the witness can be reached and knows your key (`exhibit key show`), then run the same command again")
	}
	return nil
}
