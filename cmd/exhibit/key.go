package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func newKey(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make or show the key that signs your cases"}
	cmd.AddCommand(newKeyNew(p), newKeyShow(p))
	return cmd
}

// keyPath is the file of the key that signs when no other is named.
func keyPath(e casefile.Env) string { return filepath.Join(e.ConfigDir, "keys", "default") }

func newKeyNew(p *program) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a signing key and print its verifier key",
		Long: `new makes an Ed25519 key, not encrypted, in $XDG_CONFIG_HOME/exhibit/keys/default, with mode 0600. A key that is there stays. It prints the
verifier key: give it to whoever is to check your cases, on another way than the case. "exhibit case new" makes a key by itself if there is none.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeyNew(cmd, p, name) },
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the key, such as example.com/lab-3 (default host/account)")
	return cmd
}

func runKeyNew(cmd *cobra.Command, p *program, name string) error {
	env, err := p.env()
	if err != nil {
		return err
	}
	path := keyPath(env)
	var key *trust.PrivateKey
	if cmd.Flags().Changed("name") {
		if err := trust.CheckName(name); err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--name: %w", err), "no key was made", "")
		}
		if key, err = trust.NewKey(env.Rand, name); err == nil {
			err = trust.WriteKeyFile(path, key)
		}
	} else if made := ""; err == nil {
		if key, made, err = casefile.DefaultKey(env); err == nil && made == "" {
			err = fs.ErrExist
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return cli.Fail(cli.Usage, fmt.Errorf("there is a key already: %s", path), "no key was made; cases that list the old key are signed with it",
			"show it with `exhibit key show`, or move it away first")
	}
	if err != nil {
		return caseError(err, "")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "made a signing key, not encrypted, for you alone to read: %s\n", cli.EscapeLine(path))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), key.VerifierKey())
	return err
}

func newKeyShow(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the verifier key of your signing key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := p.env()
			if err != nil {
				return err
			}
			key, err := trust.ReadKeyFile(keyPath(env))
			if errors.Is(err, fs.ErrNotExist) {
				return cli.Fail(cli.Usage, fmt.Errorf("there is no key at %s", keyPath(env)), "", "make one with `exhibit key new`")
			}
			if err != nil {
				return caseError(err, "")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key.VerifierKey())
			return err
		},
	}
}
