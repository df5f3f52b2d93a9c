package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func newKeyAllow(p *program) *cobra.Command {
	var takeOver bool
	var reason string
	var key signing
	cmd := &cobra.Command{
		Use:   "allow DIR KEY",
		Short: "Let another key sign for a case, for good",
		Long: `allow writes an entry into the case that lets KEY sign, and has the key that signs now sign a head over it: from then on either may sign. KEY is a verifier
key, as "exhibit key show" prints it where that key is, or the file of an ssh public key. It cannot be taken back.

So a case goes on at another host, or with another examiner: allow the other key here, move the folder, and go on there with --take-over.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runKeyAllow(cmd, p, place{dir: args[0], takeOver: takeOver}, args[1], reason, &key)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT`: why, or whose key it is; everyone who gets the case reads it")
	takeOverFlag(cmd, &takeOver)
	key.AddFlags(cmd)
	return cmd
}

func runKeyAllow(cmd *cobra.Command, p *program, where place, text, reason string, key *signing) error {
	if len(reason) > casefile.MaxReason || cmd.Flags().Changed("reason") && reason == "" || cli.EscapeLine(reason) != reason {
		return cli.Usagef("--reason must be 1 to %d bytes of UTF-8 on one line, without control and hidden characters", casefile.MaxReason)
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	if where.key, err = key.source(cmd, p, env); err != nil {
		return err
	}
	allowed, err := trust.ParseVKey(text)
	if err != nil {
		if allowed, err = readPublicKey(text); err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("KEY: %w", err), "nothing was changed", "give the line that `exhibit key show` prints where that key is, or name the file of an ssh public key")
		}
	}
	err = withCase(cmd.Context(), env, cmd.ErrOrStderr(), where, func(c *casefile.Case) error {
		if err := notAllowedYet(cmd.Context(), where.dir, allowed); err != nil {
			return err
		}
		return caseError(c.Allow(cmd.Context(), allowed, reason), where.dir)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "allowed for good: %s\n", allowed)
	return err
}

// maxKeys is how many keys a case may allow (docs/container.md, 5.5).
const maxKeys = 1024

// notAllowedYet fails where the case lists the key, or has no room for one more.
func notAllowedYet(ctx context.Context, dir string, key trust.VKey) error {
	status, err := casefile.ReadStatus(ctx, dir)
	if err != nil {
		return caseError(err, dir)
	}
	keys, err := caseKeys(ctx, dir, status)
	switch {
	case err != nil:
		return caseError(err, dir)
	case slices.Contains(keys, key):
		return cli.Fail(cli.Usage, fmt.Errorf("key %q may sign for this case already", key), "nothing was added", "sign with it: name it with --key-file, --agent-key or --signer-command")
	case slices.ContainsFunc(keys, func(k trust.VKey) bool { return k.Name() == key.Name() && k.ID() == key.ID() }):
		return cli.Fail(cli.Usage, fmt.Errorf("key %q has the name and the id of another key of this case", key), "nothing was added: signatures of the two could not be told apart", "give the key another name")
	case len(keys) >= maxKeys:
		return cli.Fail(cli.Usage, fmt.Errorf("this case allows %d keys, and no case allows more", len(keys)), "nothing was added", "go on in a new case: `exhibit case new --continues`")
	}
	return nil
}

// caseKeys are the keys that a case lists, at its word: in its case entry, and in key entries. Of a case that is not sealed it may be those before a torn write.
func caseKeys(ctx context.Context, dir string, status *casefile.Status) (keys []trust.VKey, err error) {
	texts := slices.Clone(status.Case.Keys)
	for _, k := range status.Counts {
		if k.Kind != evidence.KindKey || k.Count == 0 {
			continue
		}
		more, err := laterKeys(ctx, dir)
		if err != nil && status.State == casefile.StateSealed {
			return nil, err
		}
		texts = append(texts, more...)
	}
	for _, text := range texts {
		k, err := trust.ParseVKey(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// maySign are the keys that may sign a head over size entries of a case; package.note, if that is beyond them. Where the case has no key entries, nothing has to be read for that.
func maySign(ctx context.Context, dir string, status *casefile.Status, size int64) ([]trust.VKey, error) {
	if !slices.ContainsFunc(status.Counts, func(k evidence.KindCount) bool { return k.Kind == evidence.KindKey && k.Count > 0 }) {
		return caseKeys(ctx, dir, status)
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return evidence.MaySign(ctx, folder.FS(), size)
}

// laterKeys reads all segments for the keys that entries allow.
func laterKeys(ctx context.Context, dir string) (keys []string, err error) {
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	for b, err := range evidence.Batches(ctx, folder.FS()) {
		if err != nil {
			return keys, err
		}
		for _, e := range b.Entries {
			if k, ok := e.Body.(*evidence.Key); ok {
				keys = append(keys, k.Key)
			}
		}
	}
	return keys, nil
}
