// Command exhibit-verify checks a case that somebody else made, shows what is in it, extracts records, and answers
// clients of the API from it. It can neither sign in nor fetch anything.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

func main() {
	cli.NoCore(os.Stderr)
	cli.BoundMemory(400)
	ctx := context.Background()
	if asks := cli.StopSignals(); len(asks) > 0 { // none would mean all
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, asks...)
		context.AfterFunc(ctx, stop) // a second signal ends the process; one that comes when all is done must not make it look undone
	}
	os.Exit(run(ctx, os.Args[1:], cli.Std()))
}

func run(ctx context.Context, args []string, s cli.Streams) int {
	return cli.Run(ctx, newRoot(), args, s)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "exhibit-verify",
		Short: "Check a case offline, show what is in it, extract records, serve the API again from it",
		Long: `exhibit-verify checks a case that somebody else made. It trusts nothing in it, signs nothing and fetches nothing.

PATH is a case folder, sealed or not, or the file that "exhibit pack" made of one; - reads such a file from standard input. Data goes to standard output, everything else to standard error.

Exit codes: 0 verified · 1 unexpected · 2 usage · 3 altered or damaged · 4 incomplete or not sealed ·
8 intact, but a trust flag that was given is not met. 3 counts before 4, and 4 before 8.`,
	}
	root.AddCommand(newCheck(), newExtract(), newViews(), newShow(), newReplay(), cli.NewVersion())
	return root
}
