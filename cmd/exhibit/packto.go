package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// encryptOptions say to whom a packed case is encrypted.
type encryptOptions struct {
	to             []string
	passphraseFile string
	passphrase     bool
}

func (o *encryptOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.to, "to", nil, "encrypt to `RECIPIENT`: age1…, a line ssh-ed25519 … or ssh-rsa …, or a file of such lines (repeatable)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "encrypt with the passphrase in `FILE`, on one line")
	f.BoolVar(&o.passphrase, "passphrase", false, "encrypt with a passphrase that is asked for on a terminal")
	cmd.MarkFlagsMutuallyExclusive("to", "passphrase-file", "passphrase")
}

// recipients are those that the flags name; nil if the file is not to be encrypted.
func (o *encryptOptions) recipients(ctx context.Context, cmd *cobra.Command) (*bag.Recipients, error) {
	switch {
	case cmd.Flags().Changed("to"):
		return recipients(o.to)
	case cmd.Flags().Changed("passphrase-file"):
		passphrase, err := cli.PassphraseFile(o.passphraseFile, "nothing was written")
		if err != nil {
			return nil, err
		}
		defer clear(passphrase)
		return bag.WithPassphrase(string(passphrase))
	case o.passphrase:
		return askRecipient(ctx, cmd)
	}
	return nil, nil
}

// askRecipient asks for a passphrase twice.
func askRecipient(ctx context.Context, cmd *cobra.Command) (*bag.Recipients, error) {
	const meaning = "nothing was written"
	if !cli.IsTerminal(cmd.InOrStdin()) {
		return nil, cli.Fail(cli.Usage, errors.New("--passphrase asks, and there is no terminal to ask"), meaning, "give --passphrase-file")
	}
	passphrase, err := cli.AskNewSecret(ctx, cmd.InOrStdin(), cmd.ErrOrStderr(), "Passphrase to encrypt with: ", meaning)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	if err := cli.CheckPassphrase(passphrase); err != nil {
		return nil, cli.Fail(cli.Usage, fmt.Errorf("--passphrase: %w", err), meaning, "run the same command again, or give --passphrase-file")
	}
	return bag.WithPassphrase(string(passphrase))
}

// maxRecipients bounds a file of recipients, in bytes.
const maxRecipients = 1 << 20

func recipients(to []string) (*bag.Recipients, error) {
	list := &bag.Recipients{}
	for _, arg := range to {
		if err := addRecipient(list, arg); err != nil {
			return nil, cli.Fail(cli.Usage, fmt.Errorf("--to: %w", err), "nothing was written", "give age1… as `age-keygen -y` prints it, an SSH public key in quotation marks, or a file with one of them on each line")
		}
	}
	return list, nil
}

func addRecipient(list *bag.Recipients, arg string) error {
	switch {
	case strings.HasPrefix(arg, "age1"), strings.HasPrefix(arg, "ssh-"):
		if err := list.Add(arg); err != nil {
			return fmt.Errorf("%q: %w", arg, err)
		}
		return nil
	case strings.HasPrefix(arg, "AGE-SECRET-KEY-"), strings.Contains(arg, "PRIVATE KEY"):
		return errors.New("it is a private key, which is not shown here; others may have read it from the command line")
	}
	text, err := cli.ReadSmall(arg, maxRecipients)
	if err != nil {
		return fmt.Errorf("%q is no recipient, and no file of them that can be read: %w", arg, err)
	}
	if err := list.AddText(text); err != nil {
		return fmt.Errorf("%q: %w", arg, err)
	}
	return nil
}

// maxWarned is how many entries a warning names.
const maxWarned = 10

// warnSecrets says which answers of a case repeat a secret that was left out of its request: whoever reads the file reads it there.
func warnSecrets(ctx context.Context, talk io.Writer, files fs.FS) error {
	var seqs []string
	n := int64(0)
	for e, err := range disclosedEntries(ctx, files) {
		if err != nil {
			return err
		}
		if x, ok := e.Body.(*evidence.Exchange); ok && slices.Contains(x.Flags, wire.FlagSecretInResponse) {
			if n++; n <= maxWarned {
				seqs = append(seqs, fmt.Sprint(e.Head.Seq))
			}
		}
	}
	if n == 0 {
		return nil
	}
	list := strings.Join(seqs, ", ")
	if n > maxWarned {
		list += ", …"
	}
	_, err := fmt.Fprintf(talk, "warning: %s repeat a secret of their requests (entries %s), and the file is not encrypted: make sure that these secrets are of no use any more, or encrypt with --to\n",
		cli.Count(n, "answer", "answers"), list)
	return err
}
