package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/witness"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// witnessOptions are who is asked to cosign heads.
type witnessOptions struct {
	witnesses []string
	caFile    string
}

// AddFlags adds the flags of every command that asks witnesses.
func (o *witnessOptions) AddFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.witnesses, "witness", nil, "`VKEY=URL` of a witness that is asked to cosign heads: its key, and where it takes them (repeatable)")
	f.StringVar(&o.caFile, "witness-ca-file", "", "`PEM` file of the authorities to trust for witnesses instead of the system's")
}

// options reads the flags; nil if nobody is to be asked.
func (o *witnessOptions) options(cmd *cobra.Command, env casefile.Env, spool string) (*witness.Options, error) {
	if len(o.witnesses) == 0 {
		if cmd.Flags().Changed("witness-ca-file") {
			return nil, cli.Fail(cli.Usage, errors.New("--witness-ca-file without --witness"), "nothing was asked and nothing written", "give --witness VKEY=URL")
		}
		return nil, nil
	}
	client := &witness.Client{SpoolDir: spool, Proxy: proxy}
	out := &witness.Options{Env: env, Post: client}
	for _, text := range o.witnesses {
		w, err := trust.ParseWitness(text)
		if err != nil {
			return nil, cli.Fail(cli.Usage, fmt.Errorf("--witness: %w", err), "nothing was asked and nothing written", "give VKEY=URL: the key of type 0x04 and the https address that the witness's operator publishes")
		}
		out.Witnesses = append(out.Witnesses, w)
	}
	if cmd.Flags().Changed("witness-ca-file") {
		pool, err := roots(o.caFile)
		if err != nil {
			var own *cli.Error
			if errors.As(err, &own) {
				own.Err = fmt.Errorf("--witness-%s", own.Err.Error()[len("--"):])
			}
			return nil, err
		}
		client.RootCAs = pool
	}
	return out, nil
}

func newWitness(p *program) *cobra.Command {
	var o witnessOptions
	var takeOver, asJSON bool
	var key signing
	cmd := &cobra.Command{
		Use:   "witness DIR",
		Short: "Have witnesses cosign the newest head of a case",
		Long: `witness shows the newest head of a case, open or sealed, to witnesses (C2SP tlog-witness) and keeps their cosignatures in its folder stamps/. A witness sees the
number of entries and a hash, nothing of what was acquired. It cosigns only what extends everything that it has seen of the case: whoever changes,
cuts or rolls back the case later gets no cosignature any more, whatever keys he has. "exhibit-verify check --witness" shows it to others.

A witness has to know the key that signs the case: give its operator the line that "exhibit key show" prints.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWitness(cmd, p, args[0], witnessing{o, key, takeOver, asJSON})
		},
	}
	o.AddFlags(cmd.Flags())
	takeOverFlag(cmd, &takeOver)
	key.AddFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what each witness answered as JSON")
	if err := cmd.MarkFlagRequired("witness"); err != nil {
		panic(err) // the flag was made above
	}
	return cmd
}

// witnessing is what the flags of witness say.
type witnessing struct {
	witnessOptions
	key            signing
	takeOver, json bool
}

func runWitness(cmd *cobra.Command, p *program, dir string, flags witnessing) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	env, err := p.env()
	if err != nil {
		return err
	}
	o, err := flags.options(cmd, env, dir)
	if err != nil {
		return err
	}
	if _, err := casefile.ReadStatus(ctx, dir); err != nil {
		return caseError(err, dir)
	}
	var answers []witness.Answer
	if hasPackageNote(dir) {
		answers, err = witness.Ask(ctx, dir, *o)
	} else {
		where := place{dir: dir, takeOver: flags.takeOver}
		if where.key, err = flags.key.source(cmd, p, env); err != nil {
			return err
		}
		err = withCase(ctx, env, cmd.ErrOrStderr(), where, func(c *casefile.Case) error {
			answers, err = headAndAsk(ctx, c, o)
			return err
		})
	}
	if err != nil {
		return caseError(err, dir)
	}
	if err := printAnswers(cmd.OutOrStdout(), answers, flags.json); err != nil {
		return err
	}
	return witnessError(p, answers, dir)
}

// headAndAsk signs a head if anything is new, and has it cosigned.
func headAndAsk(ctx context.Context, c *casefile.Case, o *witness.Options) ([]witness.Answer, error) {
	if err := c.Writer().Head(ctx); err != nil {
		return nil, err
	}
	return witness.AskOpen(ctx, c, *o)
}

// answerView is what one witness answered, as --json prints it.
type answerView struct {
	Witness  string `json:"witness"`
	Size     int64  `json:"size"` // entries under the head
	Cosigned bool   `json:"cosigned"`
	Before   bool   `json:"before"` // it had cosigned that head already
	Error    string `json:"error,omitempty"`
}

func printAnswers(w io.Writer, answers []witness.Answer, asJSON bool) error {
	views := make([]answerView, len(answers))
	for i := range answers {
		a := &answers[i]
		views[i] = answerView{Witness: a.Witness.Key.String(), Size: a.Size, Cosigned: a.Err == nil, Before: a.Known}
		if a.Err != nil {
			views[i].Error = a.Err.Error()
		}
	}
	if asJSON {
		return cli.PrintJSON(w, views)
	}
	for i := range answers {
		a := &answers[i]
		did := "cosigned"
		if a.Known {
			did = "had cosigned"
		}
		if a.Err == nil {
			if _, err := fmt.Fprintf(w, "%s %s the head over %s\n", a.Witness.Key.Name(), did, cli.Count(a.Size, "entry", "entries")); err != nil {
				return err
			}
		}
	}
	return nil
}

// witnessError explains what witnesses did not cosign. That one has seen another history counts most.
func witnessError(p *program, answers []witness.Answer, dir string) error {
	var failed error
	for i := range answers {
		if a := &answers[i]; a.OtherHistory() {
			return cli.Fail(cli.Damaged, a.Err, "the case in this folder does not extend what the witness has seen of it: it was rolled back, cut or changed, or somebody went on with a copy",
				"keep the folder as it is, find the copy that the witness has seen, and compare the two with `exhibit-verify check --known-head`")
		}
		failed = errors.Join(failed, answers[i].Err)
	}
	if failed == nil {
		return nil
	}
	return cli.Fail(cli.Unexpected, failed, "the case is not changed by that; up to this head nobody but you has seen it",
		"make sure that the witness can be reached and knows the key of this case, then run `"+shell([]string{"exhibit", "witness", dir, "--witness"})+" …`")
}

// watched lets do work on an open case while witnesses are shown its heads, and shows them the last one. What they did not cosign is told, and is an entry; it does not
// make the work fail, unless one of them has seen another history.
func watched(ctx context.Context, talk io.Writer, c *casefile.Case, o *witness.Options, do func() error) ([]witness.Answer, error) {
	if o == nil {
		return nil, do()
	}
	stop := witness.Watch(ctx, c, *o, nil)
	err := do()
	stop()
	answers, e := headAndAsk(ctx, c, o)
	for i := range answers {
		if a := &answers[i]; a.Err != nil {
			fmt.Fprintf(talk, "no cosignature: %s; the ledger says so\n", cli.EscapeLine(a.Err.Error()))
		}
	}
	return answers, errors.Join(err, e)
}

// otherHistory keeps of what witnesses answered that one has seen another history.
func otherHistory(answers []witness.Answer) []witness.Answer {
	for i := range answers {
		if answers[i].OtherHistory() {
			return answers[i : i+1]
		}
	}
	return nil
}
