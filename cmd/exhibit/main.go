// Command exhibit acquires evidence from web APIs into a case, keeps its operator log, and seals it. exhibit-verify is the other program: it checks what this one
// made, without trusting it.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

func main() {
	cli.NoCore(os.Stderr)
	cli.BoundMemory(100)
	ctx, first := signals(context.Background())
	os.Exit(run(ctx, first, os.Args[1:], cli.Std()))
}

func run(ctx context.Context, first <-chan struct{}, args []string, s cli.Streams) int {
	return cli.Run(ctx, newRoot(&program{args: args, first: first}), args, s)
}

// program is what commands need of the process that they run in. The context of a command ends with the second signal.
type program struct {
	args  []string
	first <-chan struct{} // closed by the first signal
}

// env describes the process, with its command line free of secrets.
func (p *program) env() (casefile.Env, error) {
	e, err := casefile.System(cli.Version)
	e.Command = append([]string{"exhibit"}, redacted(p.args)...)
	return e, err
}

// untilFirst returns a context that ends with the first signal, for commands that need not bring anything to its end.
func (p *program) untilFirst(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-p.first:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "exhibit",
		Short: "Acquire evidence from web APIs, with a chain of custody that anyone can check",
		Long: `exhibit records every HTTP exchange verbatim into a case, commits to it, and seals it for others to check with exhibit-verify.
Begin with "exhibit demo", which does all of it once on a simulated service.

Data goes to standard output, everything else to standard error.

Exit codes: 0 done, complete · 1 unexpected · 2 usage · 3 altered or damaged · 4 incomplete: a window is partial or failed ·
5 authentication or permission · 6 interrupted, can be resumed · 7 in use by another process · 8 intact, but what was asked for is not met.`,
	}
	root.AddCommand(newCase(p), newSources(), newPlan(p), newAcquire(p), newNote(p), newLog(p), newStatus(p), newSeal(p), newStamp(p), newHead(p), newWitness(p), newCosign(p), newPack(p),
		newUnpack(p), newCustody(p), newDisclose(p), newKey(p), newInstallation(p), newSimulate(p), newDemo(p),
		cli.NewVersion())
	return root
}
