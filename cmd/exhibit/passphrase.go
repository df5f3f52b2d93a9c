package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// unlocking gives the passphrase of an encrypted key, once: from --passphrase-file, which is read before anything else, or from the terminal.
type unlocking struct {
	cmd        *cobra.Command
	p          *program
	fromFile   bool
	passphrase []byte // of the file
	asked      bool
}

func (s *signing) unlocking(cmd *cobra.Command, p *program) (u *unlocking, err error) {
	u = &unlocking{cmd: cmd, p: p, fromFile: cmd.Flags().Changed("passphrase-file")}
	if u.fromFile {
		u.passphrase, err = cli.PassphraseFile(s.passphraseFile, "nothing was signed")
	}
	return u, err
}

// give is a trust.Unlock.
func (u *unlocking) give(path string) ([]byte, error) {
	u.asked = true
	if u.fromFile {
		return u.passphrase, nil
	}
	if !cli.IsTerminal(u.cmd.InOrStdin()) {
		return nil, cli.Fail(cli.Usage, fmt.Errorf("key file %q needs a passphrase, and there is no terminal to ask for it", path), "nothing was signed", "give --passphrase-file")
	}
	ctx, cancel := u.p.untilFirst(u.cmd.Context())
	defer cancel()
	return cli.AskSecret(ctx, u.cmd.InOrStdin(), u.cmd.ErrOrStderr(), "Passphrase of "+path+": ")
}

// end erases a passphrase that was not asked for, and says that it was not.
func (u *unlocking) end() {
	clear(u.passphrase)
	if u.fromFile && !u.asked {
		fmt.Fprintln(u.cmd.ErrOrStderr(), "the signing key is not encrypted: its passphrase was not asked for")
	}
}

// escaping passes on what another program says, so that it is safe on a terminal.
type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, cli.Escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func trimLine(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }
