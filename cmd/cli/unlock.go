package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"

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
	asking     sync.Mutex // held while a question is open
}

// Flags adds the flags of commands that read a case.
func (u *Unlock) Flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&u.files, "identity", nil, "`FILE` that opens an encrypted case: one that age-keygen wrote, or an SSH private key (repeatable)")
	cmd.Flags().StringVar(&u.passphrase, "passphrase-file", "", "`FILE` with the passphrase of an encrypted case, or of the SSH private key, on one line")
}

// Prepare reads what the flags name. Where a passphrase is missing, it is asked for on standard input, if that is a terminal, until ctx ends.
func (u *Unlock) Prepare(ctx context.Context, cmd *cobra.Command) error {
	u.identities = &bag.Identities{}
	ask := func(what string) func() (string, error) {
		return func() (string, error) {
			u.asking.Lock()
			defer u.asking.Unlock()
			return askPassphrase(ctx, cmd.InOrStdin(), cmd.ErrOrStderr(), what, "nothing was looked at")
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

// settle waits until no question is open: the terminal is as it was then.
func (u *Unlock) settle() {
	u.asking.Lock()
	defer u.asking.Unlock()
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
