package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// maxIdentity bounds a file of identities, in bytes.
const maxIdentity = 1 << 20

// Unlock is with what an encrypted case is opened.
type Unlock struct {
	files      []string // of identities
	passphrase string   // a file; "" asks on a terminal
	identities *bag.Identities
}

// Flags adds the flags of commands that read a case.
func (u *Unlock) Flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&u.files, "identity", nil, "`FILE` that opens an encrypted case: one that age-keygen wrote, or an SSH private key (repeatable)")
	cmd.Flags().StringVar(&u.passphrase, "passphrase-file", "", "`FILE` with the passphrase of an encrypted case, or of the SSH private key, on one line")
}

// Prepare reads what the flags name. Where a passphrase is missing, it is asked for on in, if that is a terminal; talk gets the question.
func (u *Unlock) Prepare(cmd *cobra.Command) error {
	u.identities = &bag.Identities{}
	ask := func(what string) func() (string, error) {
		return func() (string, error) {
			return AskPassphrase(cmd.InOrStdin(), cmd.ErrOrStderr(), what, "nothing was looked at")
		}
	}
	own := ask
	if cmd.Flags().Changed("passphrase-file") {
		passphrase, err := PassphraseFile(u.passphrase, "nothing was looked at")
		if err != nil {
			return err
		}
		own = func(string) func() (string, error) { return func() (string, error) { return string(passphrase), nil } }
	}
	for _, name := range u.files {
		text, err := ReadSmall(name, maxIdentity)
		if err == nil {
			err = u.identities.AddText(text, own("passphrase of "+name))
			clear(text)
		}
		var asked *Error
		if errors.As(err, &asked) {
			return asked
		}
		if err != nil {
			return Fail(Usage, fmt.Errorf("--identity %q: %w", name, err), "nothing was looked at", "give a file that age-keygen wrote, or an SSH private key of type ssh-ed25519 or ssh-rsa")
		}
	}
	u.identities.AddPassphrase(own("passphrase of the case"))
	return nil
}

// PassphraseFile reads a passphrase from a file of one line that only this user can read; meaning says what a failure means. No error holds anything of it. The caller
// overwrites the slice when it is done with it.
func PassphraseFile(name, meaning string) ([]byte, error) {
	passphrase, err := trust.ReadPassphraseFile(name)
	if err != nil {
		return nil, Fail(Usage, fmt.Errorf("--passphrase-file: %w", err), meaning, "put the passphrase on one line into a file that only you can read (mode 0600), and name that file")
	}
	return passphrase, nil
}

func checkPassphrase(b []byte) (string, error) {
	switch {
	case len(b) == 0:
		return "", errors.New("there is no passphrase")
	case bytes.ContainsAny(b, "\r\n\x00"):
		return "", errors.New("there is more than one line")
	case !utf8.Valid(b):
		return "", errors.New("the passphrase is no UTF-8")
	}
	return string(b), nil
}

// AskPassphrase asks for a passphrase on a terminal, without showing it. Without one it fails and names the flag that answers.
func AskPassphrase(in io.Reader, talk io.Writer, what, meaning string) (string, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", Fail(Usage, fmt.Errorf("the %s is needed, and there is no terminal to ask", what), meaning, "give --passphrase-file")
	}
	fmt.Fprintf(talk, "%s: ", EscapeLine(what))
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(talk)
	if err != nil {
		return "", Fail(Usage, fmt.Errorf("the %s could not be read: %w", what, err), meaning, "give --passphrase-file")
	}
	passphrase, err := checkPassphrase(b)
	if err != nil {
		return "", Fail(Usage, fmt.Errorf("%s: %w", what, err), meaning, "run the same command again, or give --passphrase-file")
	}
	return passphrase, nil
}

// ReadSmall reads a file of at most limit bytes, which may be a pipe. Its errors do not name the file.
func ReadSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err) // the name is said already
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return b, err
}
