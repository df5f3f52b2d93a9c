package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newHead(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "head DIR",
		Short: "Print the newest signed head of a case, to be kept elsewhere",
		Long: `head prints the newest signed head of a case, open or sealed, as it stands in data/checkpoints. Give it to somebody else on the first day, or print it: from then on
"exhibit-verify check --known-head FILE" shows that the case goes on from it, and whoever changes what came before it, yourself included, is found out.
It holds the case id, a number of entries and a hash, and nothing of what was acquired.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			note, err := newestHead(ctx, args[0], headUse{subject: "case " + fmt.Sprintf("%q", args[0]), meaning: "no head was printed", what: "give the folder of a case"})
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), note)
			return err
		},
	}
}
