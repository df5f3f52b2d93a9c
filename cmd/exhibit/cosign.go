package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

func newCosign(p *program) *cobra.Command {
	var key signing
	cmd := &cobra.Command{
		Use:   "cosign DIR",
		Short: "Sign what a case holds with a second key, such as that of a witness",
		Long: `cosign checks the whole case and, unless something in it is altered or damaged, signs its newest head with a key beside that of the case: of a second
examiner, or a witness in the room. The case may be open or sealed; only a file in stamps/ is added. It says that its signer had these entries before
them, and not that they sealed the case.

Whoever checks the case must get the verifier key from its owner: exhibit-verify check --key. A witness who keeps the key, and brings it, needs nothing
but --key-file or --agent-key here.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runCosign(cmd, p, args[0], &key) },
	}
	key.AddFlags(cmd)
	return cmd
}

func runCosign(cmd *cobra.Command, p *program, dir string, key *signing) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	env, err := p.env()
	if err != nil {
		return err
	}
	source, err := key.source(cmd, p, env)
	if err != nil {
		return err
	}
	report, head, err := checkedHead(ctx, dir)
	if err != nil {
		return err
	}
	s, made, err := source(ctx)
	if err != nil {
		return caseError(err, dir)
	}
	if made != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "made a signing key, not encrypted, for you alone to read: %s\n", cli.EscapeLine(made))
	}
	last := report.Heads[len(report.Heads)-1]
	if slices.Contains(last.Signers, s.VerifierKey()) {
		return cli.Fail(cli.Usage, fmt.Errorf("key %q has signed this head itself", s.VerifierKey()), "nothing was added: a cosignature is by a second key",
			"name the key of the one who is to cosign with --key-file, --agent-key or --signer-command")
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	name, err := evidence.Cosign(ctx, folder, head, s)
	if errors.Is(err, evidence.ErrPlanted) {
		return cli.Fail(cli.Damaged, err, "this key has not cosigned this head, and somebody put a file there that says so; nothing was added",
			"find out who did, keep a copy of the file elsewhere, take it away, and run the same command again")
	}
	if errors.Is(err, fs.ErrExist) {
		return cli.Fail(cli.Usage, err, "this key has cosigned this head before; nothing was added", "")
	}
	if err != nil {
		return caseError(err, dir)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "give the verifier key to whoever is to check the case, on another way than the case: %s\n", s.VerifierKey())
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "cosigned %s of case %s: %s\n", cli.Count(head.Size, "entry", "entries"), report.Case, name)
	return err
}

// checkedHead checks the case and gives its newest head.
func checkedHead(ctx context.Context, dir string) (*verify.Report, trust.Head, error) {
	if _, err := casefile.ReadStatus(ctx, dir); errors.Is(err, casefile.ErrNoFolder) { // the check takes other things for a case too
		return nil, trust.Head{}, caseError(err, dir)
	}
	folder, err := bag.OpenFolder(dir)
	if err != nil {
		return nil, trust.Head{}, err
	}
	defer folder.Close()
	report, container, err := verify.Check(ctx, folder, verify.Options{})
	if err != nil {
		return nil, trust.Head{}, err
	}
	if report.Production != nil {
		return nil, trust.Head{}, cli.Fail(cli.Usage, fmt.Errorf("%q is a production and no case", dir), "nothing was signed: a cosignature says that its signer had all of these entries", "")
	}
	if container == nil {
		return nil, trust.Head{}, cli.Fail(cli.Damaged, fmt.Errorf("%q is altered or damaged", dir), "nothing was signed", "run `"+shell([]string{"exhibit-verify", "check", dir})+"` to see what was found")
	}
	head, ok := report.NewestHead()
	if !ok || len(report.Heads) == 0 {
		return nil, trust.Head{}, cli.Fail(cli.Usage, errors.New("the case has no signed head yet"), "nothing was signed", "any command that writes to it signs one at its end, such as `exhibit note`")
	}
	return report, head, nil
}
