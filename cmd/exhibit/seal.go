package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/witness"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

type sealOptions struct {
	yes, takeOver bool
	tsa           tsaOptions
	caFile        string
	key           signing
	witnesses     witnessOptions
}

func newSeal(p *program) *cobra.Command {
	var o sealOptions
	cmd := &cobra.Command{
		Use:   "seal DIR",
		Short: "End a case and make it ready to hand over",
		Long: `seal ends the ledger, writes the index, the manifests and what a stranger needs to check the case, and signs the whole. Nothing can be added
afterwards. A case with partial or failed windows can be sealed: it stays what it is, and the check says so. An interrupted seal goes on when it is run
again. The final head is shown to the witnesses that --witness names once the case is sealed; what one of them does not cosign can be asked for again with
"exhibit witness".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSeal(cmd, p, args[0], &o) },
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "seal without asking for a confirmation")
	o.tsa.AddFlags(cmd.Flags(), "to stamp the final head")
	caFileFlag(cmd.Flags(), &o.caFile)
	o.witnesses.AddFlags(cmd.Flags())
	takeOverFlag(cmd, &o.takeOver)
	o.key.AddFlags(cmd)
	return cmd
}

func runSeal(cmd *cobra.Command, p *program, dir string, o *sealOptions) error {
	if err := o.tsa.check(cmd.Flags(), o.caFile); err != nil {
		return err
	}
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	talk := cmd.ErrOrStderr()
	env, err := p.env()
	if err != nil {
		return err
	}
	where := place{dir: dir, takeOver: o.takeOver}
	if where.key, err = o.key.source(cmd, p, env); err != nil {
		return err
	}
	witnesses, err := o.witnesses.options(cmd, env, dir)
	if err != nil {
		return err
	}
	status, err := casefile.ReadStatus(ctx, dir) // what cannot be sealed is told before anybody is asked
	if err != nil {
		return sealError(p, err, dir)
	}
	left := acquire.Unfinished(status.Windows)
	tellUnfinished(talk, left)
	if err := confirm(cmd, o.yes || status.State == casefile.StateSealed, "sealing "+cli.EscapeLine(dir), "nothing can be added afterwards"); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // a reader of the steps that goes away must not end the seal
	err = withCase(ctx, env, talk, where, func(c *casefile.Case) error {
		if status.State == casefile.StateOpen { // a seal that goes on adds nothing
			if err := c.StateInstallation(ctx); err != nil {
				return err
			}
		}
		seal := acquire.SealOptions{Env: env, Step: func(step string) { fmt.Fprintln(talk, step) }}
		if s := o.tsa.stamper(env, c.Writer(), sayTo(talk)); s != nil {
			seal.Stamp = s.Final
		}
		return acquire.Seal(ctx, c, seal)
	})
	if err == nil || status.State == casefile.StateSealed { // the second where an earlier seal could not, or came to no end
		forget(talk, env, status.Case)
	}
	if err != nil {
		return sealError(p, err, dir)
	}
	text := "sealed: " + dir
	if len(left) > 0 {
		text += fmt.Sprintf(", incomplete: %d windows are not finished", len(left))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), cli.EscapeLine(text))
	fmt.Fprintf(talk, "next: %s\n", cli.EscapeLine(shell([]string{"exhibit-verify", "check", dir})))
	if err != nil || witnesses == nil {
		return err
	}
	answers, err := witness.Ask(ctx, dir, *witnesses)
	if err == nil {
		err = printAnswers(cmd.OutOrStdout(), answers, false)
	}
	return cmp.Or(err, witnessError(p, answers, dir))
}

// forget removes where the credential was: a sealed case acquires nothing any more.
func forget(talk io.Writer, env casefile.Env, c *evidence.Case) {
	if err := casefile.ForgetWhence(env, c); err != nil {
		fmt.Fprintln(talk, cli.EscapeLine("the configuration folder still says where the credential of this case was; the case is sealed all the same: remove the file by hand: "+err.Error()))
	}
}

// sealError explains a seal that did not come to its end.
func sealError(p *program, err error, dir string) error {
	if errors.Is(err, context.Canceled) {
		return cli.Fail(cli.Interrupted, errors.New("interrupted: the case is not sealed"), "nothing is lost", "to go on, run `"+p.again()+"`")
	}
	return caseError(err, dir)
}

func tellUnfinished(w io.Writer, left []*row.Window) {
	for _, v := range windowViews(left) {
		fmt.Fprintf(w, "not finished: %s\n", v.line())
	}
}
