package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func newKey(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make or show the key that signs your cases, or let another one sign"}
	cmd.AddCommand(newKeyNew(p), newKeyShow(p), newKeyAllow(p))
	return cmd
}

// keyOptions are what a person says about a new key.
type keyOptions struct {
	name           string
	file           string
	passphraseFile string
}

func newKeyNew(p *program) *cobra.Command {
	var o keyOptions
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a signing key and print its verifier key",
		Long: `new makes an Ed25519 key in $XDG_CONFIG_HOME/exhibit/keys/default, or the file that --key-file names, with mode 0600 in a folder of mode 0700. A key
that is there stays. It prints the verifier key: give it to whoever is to check your cases, on another way than the case.

With a passphrase, of --passphrase-file or asked for twice on a terminal, the key is encrypted in OpenSSH's form, with its public half in FILE.pub:
ssh-keygen -p changes the passphrase, and ssh-add gives the key to an agent. Without a terminal and without --passphrase-file the key is not
encrypted. "exhibit case new" makes such a key by itself if there is none.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeyNew(cmd, p, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "`NAME` of the key, such as example.com/lab-3 (default host/account)")
	f.StringVar(&o.file, "key-file", "", "`FILE` to write (default $XDG_CONFIG_HOME/exhibit/keys/default)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "`FILE` with a passphrase on one line, to encrypt the key with (default: asked for on the terminal)")
	return cmd
}

func runKeyNew(cmd *cobra.Command, p *program, o *keyOptions) error {
	env, err := p.env()
	if err != nil {
		return err
	}
	path, name := casefile.DefaultKeyPath(env), casefile.KeyName(env)
	if cmd.Flags().Changed("key-file") {
		path = o.file
	}
	if cmd.Flags().Changed("name") {
		name = o.name
	}
	if err := trust.CheckName(name); err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--name: %w", err), "no key was made", "")
	}
	if path == "" {
		return cli.Fail(cli.Usage, errors.New("--key-file is empty"), "no key was made", "")
	}
	switch _, err := os.Lstat(path); { // before anybody types a passphrase
	case err == nil:
		return keyThere(path)
	case !errors.Is(err, fs.ErrNotExist):
		return cli.Fail(cli.Usage, fmt.Errorf("--key-file: %w", err), "no key was made", "name a file in a folder of mode 0700 that is yours, or in one that does not exist yet")
	}
	passphrase, err := o.passphrase(cmd, p)
	if err != nil {
		return err
	}
	defer clear(passphrase)
	key, err := trust.NewKey(env.Rand, name)
	if err != nil {
		return err
	}
	how := "not encrypted"
	if len(passphrase) > 0 {
		how, err = "encrypted", trust.WriteLockedKeyFile(path, key, passphrase)
	} else {
		err = trust.WriteKeyFile(path, key)
	}
	if err != nil {
		return newKeyError(err, path)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "made a signing key, %s, for you alone to read: %s\n", how, cli.EscapeLine(path))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), key.VerifierKey())
	return err
}

// passphrase is what the new key is to be encrypted with, empty for not at all.
func (o *keyOptions) passphrase(cmd *cobra.Command, p *program) (passphrase []byte, err error) {
	if cmd.Flags().Changed("passphrase-file") {
		passphrase, err = cli.PassphraseFile(o.passphraseFile, "no key was made")
	} else if cli.IsTerminal(cmd.InOrStdin()) {
		ctx, cancel := p.untilFirst(cmd.Context())
		defer cancel()
		passphrase, err = cli.AskNewSecret(ctx, cmd.InOrStdin(), cmd.ErrOrStderr(), "Passphrase of the new key (empty for none): ", "no key was made")
	} else {
		return nil, nil
	}
	if n := len(passphrase); err == nil && n > 0 && n < trust.MinPassphrase {
		err = cli.Fail(cli.Usage, fmt.Errorf("passphrase has %d bytes, fewer than %d", n, trust.MinPassphrase), "no key was made", "take a longer one")
	}
	return passphrase, err
}

func newKeyError(err error, path string) error {
	if errors.Is(err, fs.ErrExist) {
		return keyThere(path)
	}
	if errors.Is(err, trust.ErrKeyExposed) {
		return cli.Fail(cli.Usage, err, "no key was made", "name a file in a folder of mode 0700 that is yours, or in one that does not exist yet")
	}
	return caseError(err, "")
}

func keyThere(path string) error {
	return cli.Fail(cli.Usage, fmt.Errorf("there is a key already: %s (--key-file names another file)", path), "no key was made; cases that list the old key are signed with it",
		"show it with `exhibit key show`, or move it, and "+path+".pub if there is one, away first")
}

func newKeyShow(p *program) *cobra.Command {
	var s signing
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the verifier key of your signing key",
		Long:  `show prints the verifier key of a key file, for which no passphrase is needed, or of an ssh public key.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := p.env()
			if err != nil {
				return err
			}
			key, err := s.shown(cmd, env)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key)
			return err
		},
	}
	s.fileFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("key-file", "agent-key")
	return cmd
}

// shown is the public half of the key that the flags name.
func (s *signing) shown(cmd *cobra.Command, env casefile.Env) (trust.VKey, error) {
	switch {
	case cmd.Flags().Changed("agent-key"):
		return publicKey("agent-key", s.agentKey)
	case cmd.Flags().Changed("key-file"):
		return s.fileKey()
	}
	key, err := trust.ReadKeyFileVKey(casefile.DefaultKeyPath(env))
	if errors.Is(err, fs.ErrNotExist) {
		return key, cli.Fail(cli.Usage, fmt.Errorf("there is no key at %s", casefile.DefaultKeyPath(env)), "", "make one with `exhibit key new`")
	}
	return key, caseError(err, "")
}
