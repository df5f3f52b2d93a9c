package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
	ask, ok := newAsker(u.cmd, u.p)
	if !ok {
		return nil, cli.Fail(cli.Usage, fmt.Errorf("key file %q needs a passphrase, and there is no terminal to ask for it", path), "nothing was signed", "give --passphrase-file")
	}
	return ask.secret("Passphrase of " + path + ": ")
}

// end erases a passphrase that was not asked for, and says that it was not.
func (u *unlocking) end() {
	clear(u.passphrase)
	if u.fromFile && !u.asked {
		fmt.Fprintln(u.cmd.ErrOrStderr(), "the signing key is not encrypted: its passphrase was not asked for")
	}
}

// asker asks for secrets on a terminal.
type asker struct {
	in   *os.File
	talk io.Writer
	ctx  context.Context // ends with the second signal
	stop <-chan struct{} // closed by the first
}

// newAsker fails where there is no terminal.
func newAsker(cmd *cobra.Command, p *program) (*asker, bool) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, false
	}
	return &asker{in, cmd.ErrOrStderr(), cmd.Context(), p.first}, true
}

// secret reads a line that is not shown. A signal ends the question and leaves the terminal as it was.
func (a *asker) secret(prompt string) ([]byte, error) {
	fd := int(a.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(a.talk, cli.EscapeLine(prompt))
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	defer fmt.Fprintln(a.talk)
	select {
	case l := <-read:
		if l.err != nil {
			return nil, fmt.Errorf("passphrase: %w", l.err)
		}
		return l.text, nil
	case <-a.stop:
	case <-a.ctx.Done():
	}
	err = term.Restore(fd, before) // the reader stays until the process ends
	return nil, errors.Join(cli.Fail(cli.Interrupted, errors.New("interrupted: no passphrase was given"), "nothing was done", "run the same command again"), err)
}

// newSecret asks twice for a passphrase; an empty one is none.
func (a *asker) newSecret() ([]byte, error) {
	first, err := a.secret("Passphrase of the new key (empty for none): ")
	if err != nil {
		return nil, err
	}
	second, err := a.secret("The same again: ")
	defer clear(second)
	if err == nil && !bytes.Equal(first, second) {
		err = cli.Fail(cli.Usage, errors.New("the two passphrases differ"), "no key was made", "run the same command again")
	}
	if err != nil {
		clear(first)
		return nil, err
	}
	return first, nil
}

// escaping passes on what another program says, so that it is safe on a terminal.
type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, cli.Escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(fmt.Errorf("file %q cannot be read", path), err)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("file %q has more than %d bytes", path, limit)
	}
	return b, err
}

func trimLine(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }
