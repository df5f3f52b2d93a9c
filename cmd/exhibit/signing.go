package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/signer"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// askTime is how long an agent or a command may take for one signature: time to find a security key and touch it.
const askTime = 2 * time.Minute

// signing says which key signs, to every command that signs.
type signing struct {
	keyFile        string
	passphraseFile string
	agentKey       string
	command        string
	commandKey     string
}

// AddFlags adds the flags that name the key.
func (s *signing) AddFlags(cmd *cobra.Command) {
	s.fileFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.passphraseFile, "passphrase-file", "", "`FILE` with the passphrase of the signing key on one line (default: asked for on the terminal)")
	f.StringVar(&s.command, "signer-command", "", "`FILE` of a program that signs: gets the bytes on standard input, writes the signature in base64 to standard output")
	f.StringVar(&s.commandKey, "signer-key", "", "verifier `KEY` that --signer-command signs with, or the file of its ssh public key")
	cmd.MarkFlagsMutuallyExclusive("key-file", "agent-key", "signer-command")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "agent-key")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "signer-command")
}

// fileFlags adds the flags that name a key without using it.
func (s *signing) fileFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.keyFile, "key-file", "", "`FILE` of the signing key (default $XDG_CONFIG_HOME/exhibit/keys/default)")
	f.StringVar(&s.agentKey, "agent-key", "", "sign with this `KEY` in ssh-agent: the file of its ssh public key, or its verifier key")
}

// source checks what the flags name, and says where the key comes from. Nothing is asked of anybody yet.
func (s *signing) source(cmd *cobra.Command, p *program, env casefile.Env) (casefile.KeySource, error) {
	given := cmd.Flags().Changed
	if given("signer-command") != given("signer-key") {
		return nil, notSigned(errors.New("--signer-command and --signer-key are given together or not at all"))
	}
	unlock, err := s.unlocking(cmd, p)
	if err != nil {
		return nil, err
	}
	switch {
	case given("agent-key"):
		key, err := publicKey("agent-key", s.agentKey)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (trust.Signer, string, error) {
			a, err := signer.NewAgent(ctx, signer.AgentOptions{Socket: os.Getenv("SSH_AUTH_SOCK"), Key: key, Timeout: askTime})
			return a, "", err
		}, nil
	case given("signer-command"):
		c, err := s.external(cmd)
		return func(context.Context) (trust.Signer, string, error) { return c, "", nil }, err
	case given("key-file"):
		if _, err := s.fileKey(); err != nil {
			return nil, err
		}
		return func(context.Context) (trust.Signer, string, error) {
			defer unlock.end()
			k, err := trust.UnlockKeyFile(s.keyFile, unlock.give)
			return k, "", err
		}, nil
	}
	return func(context.Context) (trust.Signer, string, error) {
		defer unlock.end()
		return casefile.DefaultKey(env, unlock.give)
	}, nil
}

// fileKey is the public half of the key that --key-file names.
func (s *signing) fileKey() (trust.VKey, error) {
	key, err := trust.ReadKeyFileVKey(s.keyFile)
	if err == nil {
		return key, nil
	}
	err = fmt.Errorf("--key-file: %w", err)
	if errors.Is(err, fs.ErrNotExist) {
		return key, cli.Fail(cli.Usage, err, "nothing was signed", "make a key with `exhibit key new --key-file FILE`, or name one that is there")
	}
	return key, caseError(err, "")
}

// external is the program that signs.
func (s *signing) external(cmd *cobra.Command) (*signer.Command, error) {
	key, err := publicKey("signer-key", s.commandKey)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(s.command) // a file, never looked for elsewhere
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(path); err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is no regular file")
		}
	}
	if err != nil {
		return nil, notSigned(fmt.Errorf("--signer-command %q: %w", s.command, err))
	}
	return &signer.Command{Path: path, Key: key, Timeout: askTime, Stderr: escaping{cmd.ErrOrStderr()}}, nil
}

// publicKey reads the value of a flag that names a public key: a verifier key, or a file that holds one or an ssh public key.
func publicKey(flag, value string) (trust.VKey, error) {
	if key, err := trust.ParseVKey(value); err == nil {
		return key, nil
	}
	key, err := readPublicKey(value)
	if err != nil {
		return key, cli.Fail(cli.Usage, fmt.Errorf("--%s: %w", flag, err), "nothing was signed",
			"name the file of an ssh public key, such as id_ed25519.pub (`ssh-add -L` prints those of the agent), or give the verifier key that `exhibit key show` prints")
	}
	return key, nil
}

func readPublicKey(path string) (trust.VKey, error) {
	b, err := cli.ReadSmall(path, 8<<10)
	if err != nil {
		return trust.VKey{}, fmt.Errorf("file %q: %w", path, err)
	}
	line := string(b)
	if key, err := trust.ParseVKey(trimLine(line)); err == nil {
		return key, nil
	}
	key, err := trust.ParseSSHKey(line)
	if err != nil {
		return key, fmt.Errorf("file %q: %w", path, err)
	}
	return key, nil
}

func notSigned(err error) error { return cli.Fail(cli.Usage, err, "nothing was signed", "") }
