package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// place is a case that is to be written to.
type place struct {
	dir      string
	takeOver bool
	key      casefile.KeySource
}

// withCase opens a case, says what opening it found, lets do work on it and closes it.
func withCase(ctx context.Context, env casefile.Env, talk io.Writer, where place, do func(*casefile.Case) error) error {
	c, err := casefile.Open(ctx, env, where.dir, casefile.OpenOptions{TakeOver: where.takeOver, Key: where.key})
	if err != nil {
		return caseError(err, where.dir)
	}
	tellOpening(talk, c)
	err = do(c)
	if e := c.Close(ctx); e != nil {
		err = errors.Join(err, caseError(e, where.dir))
	}
	return err
}

func tellOpening(w io.Writer, c *casefile.Case) {
	say := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	o := c.Opening
	if o.Torn != nil {
		say("recovered: %d bytes of an unfinished write were moved into the evidence and declared; nothing that was acknowledged is lost", o.Torn.Length)
	}
	if o.Unclean != nil {
		say("the run before was cut off: up to %d requests may have been sent and not recorded; the ledger says so", o.Unclean.InFlight)
	}
	if c.Rebuilt {
		say("the index was made again from the segments")
	}
	tellKey(w, c)
}

func tellKey(w io.Writer, c *casefile.Case) {
	if c.KeyMade != "" {
		fmt.Fprintf(w, "made a signing key, not encrypted, for you alone to read: %s\n", cli.EscapeLine(c.KeyMade))
	}
}

func takeOverFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "take-over", false, "go on although another host worked on the case")
}

// confirm asks on a terminal. Without one it fails and names the flag that answers.
func confirm(cmd *cobra.Command, yes bool, what, warning string) error {
	if yes {
		return nil
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return cli.Fail(cli.Usage, fmt.Errorf("%s needs a confirmation, and there is no terminal to ask", what), "nothing was done", "give --yes")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s. Go on? [y/N] ", what, warning)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return cli.Fail(cli.Usage, errors.New("not confirmed"), "nothing was done", "")
	}
	return nil
}
