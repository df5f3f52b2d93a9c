package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/verify"
)

func newCustodyList(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list DIR",
		Short: "List who held a case or a production, and when",
		Long: `list reads the custody records of a case or a production, checks their form, signatures and chain, and says who held the case when. The container is not hashed:
"exhibit-verify check" does that, and holds the records against it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			origin, err := originOf(ctx, args[0])
			if err != nil {
				return bundleError(err, args[0])
			}
			files, err := bag.OpenFolder(args[0])
			if err != nil {
				return bundleError(err, args[0])
			}
			defer files.Close()
			chain := custody.Read(files, custody.Expect{Origin: origin, Size: -1})
			if err := printChain(cmd.OutOrStdout(), chain, asJSON); err != nil {
				return err
			}
			return brokenChain(chain, args[0])
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print records, holders and what is wrong as JSON")
	return cmd
}

// originOf is the origin of the case in a folder, sealed or not, or of which a production was made.
func originOf(ctx context.Context, dir string) (string, error) {
	if isProduction(dir) {
		b, err := readProduction(dir)
		if err != nil {
			return "", err
		}
		return b.origin, nil
	}
	status, err := casefile.ReadStatus(ctx, dir)
	if err != nil {
		return "", err
	}
	return evidence.Origin(status.Case.Case), nil
}

// listedChain is a chain as --json prints it.
type listedChain struct {
	*verify.Custody
	Problems []listedProblem `json:"problems"`
}

type listedProblem struct {
	Code   string `json:"code"`
	Path   string `json:"path"`
	Detail string `json:"detail"`
}

func printChain(w io.Writer, chain *custody.Chain, asJSON bool) error {
	list := listedChain{verify.CustodyOf(chain, nil), []listedProblem{}}
	for _, p := range chain.Problems {
		list.Problems = append(list.Problems, listedProblem{p.Code, p.Path, p.Detail})
	}
	if asJSON {
		return cli.PrintJSON(w, list)
	}
	for _, p := range list.Problems {
		fmt.Fprintf(w, "[%s] %s: %s\n", p.Code, cli.EscapeLine(p.Path), cli.EscapeLine(p.Detail))
	}
	if len(list.Records) == 0 {
		fmt.Fprintln(w, "custody: there are no records")
	}
	for _, l := range list.Lines() {
		if _, err := fmt.Fprintln(w, cli.EscapeLine(l)); err != nil {
			return err
		}
	}
	return nil
}
