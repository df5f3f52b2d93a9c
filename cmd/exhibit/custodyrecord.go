package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// custodian is a sealed case, or a production, to which a record is to be added.
type custodian struct {
	dir    string
	bundle *bundle
	files  *bag.Folder
	chain  *custody.Chain
	found  bag.Measured
}

// adding says to which case a record is added, and which key signs it.
type adding struct {
	dir string
	key *signing
}

// runCustody measures a sealed case or a production, reads its records, and adds the one that draft gives.
func runCustody(cmd *cobra.Command, p *program, to adding, draft func(context.Context, *custodian) (custody.Record, error)) error {
	dir := to.dir
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	env, err := p.env()
	if err != nil {
		return err
	}
	source, err := to.key.source(cmd, p, env)
	if err != nil {
		return err
	}
	b, err := readBundle(ctx, dir)
	if err != nil {
		return custodyError(err, dir)
	}
	files, err := bag.OpenFolder(dir)
	if err != nil {
		return custodyError(err, dir)
	}
	defer files.Close()
	c := &custodian{dir: dir, bundle: b, files: files}
	if c.found, err = bag.Measure(ctx, files, b.keys); err != nil {
		return custodyError(err, dir)
	}
	container := custody.Hash(c.found.TagManifest)
	c.chain = custody.Read(files, custody.Expect{Origin: c.found.Head.Origin, Container: &container, Size: c.found.Size})
	if err := brokenChain(c.chain, dir); err != nil {
		return err
	}
	r, err := draft(ctx, c)
	if err != nil {
		return custodyError(err, dir)
	}
	if err := c.complete(env, &r); err != nil {
		return custodyError(err, dir)
	}
	signer, err := custodySigner(ctx, source, cmd.ErrOrStderr())
	if err != nil {
		return custodyError(err, dir)
	}
	link, err := custody.Append(ctx, dir, c.chain, r, signer, env.Rand)
	if err != nil {
		return custodyError(err, dir)
	}
	return tellRecord(cmd, link, dir)
}

// custodySigner is the key that signs records.
func custodySigner(ctx context.Context, source casefile.KeySource, talk io.Writer) (trust.Signer, error) {
	key, made, err := source(ctx)
	if err != nil {
		return nil, err
	}
	if made != "" {
		fmt.Fprintf(talk, "made a signing key, not encrypted, for you alone to read: %s\n", cli.EscapeLine(made))
	}
	return key, nil
}

// complete fills in what the program knows itself.
func (c *custodian) complete(env casefile.Env, r *custody.Record) error {
	now := env.Now()
	r.Time, r.Zone, r.Origin, r.Container, r.Size = now, now.Format("-07:00"), c.found.Head.Origin, custody.Hash(c.found.TagManifest), c.found.Size
	tool := map[string]string{}
	for _, p := range env.Tool {
		tool[p.Name] = p.Value
	}
	r.Tool = fmt.Sprintf("%s %s (executable SHA-256 %s)", tool["name"], tool["version"], tool["executable-sha256"])
	if r.Exhibit != "" {
		return nil
	}
	for _, f := range c.bundle.fields {
		if f.Name == "exhibit" {
			r.Exhibit = f.Value
		}
	}
	if r.Exhibit == "" {
		return cli.Fail(cli.Usage, errors.New("the case does not state which exhibit it is"), "nothing was recorded", "give --exhibit")
	}
	return nil
}

func tellRecord(cmd *cobra.Command, l *custody.Link, dir string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "recorded: %s, SHA-256 %s\n", l.Path, l.Hash)
	talk := cmd.ErrOrStderr()
	fmt.Fprintf(talk, "container: SHA-256 %s, %d bytes\nsigned with %s\n", l.Container, l.Size, l.Key)
	fmt.Fprintln(talk, "keep the SHA-256 of the record: that later ones were dropped cannot be seen in the folder")
	next := []string{"exhibit-verify", "check", dir}
	if l.Event == custody.Transferred {
		next = []string{"exhibit", "pack", dir, "-o", "FILE", "--to", "RECIPIENT"}
	}
	fmt.Fprintf(talk, "next: %s\n", cli.EscapeLine(shell(next)))
	return err
}

// brokenChain refuses to go on from records that do not agree.
func brokenChain(c *custody.Chain, dir string) error {
	for i := range c.Problems {
		if p := &c.Problems[i]; !p.Odd() {
			return cli.Fail(cli.Damaged, fmt.Errorf("[%s] %s: %s", p.Code, p.Path, p.Detail), "the custody records do not agree with each other or with the "+bundleNoun(dir)+"; nothing was recorded",
				"run `"+shell([]string{"exhibit-verify", "check", dir})+"` to see all of it, and ask every party for their copy of the records")
		}
	}
	return nil
}

// isFile reports whether a name is that of a regular file.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// custodyError explains why nothing was recorded.
func custodyError(err error, dir string) error {
	noun := bundleNoun(dir)
	meaning := "nothing was recorded, and the " + noun + " is as it was"
	var problem bag.Problem
	var own *cli.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, context.Canceled):
		return cli.Fail(cli.Interrupted, errors.New("interrupted: nothing is recorded"), meaning, "run the same command again")
	case errors.Is(err, casefile.ErrNoFolder) && isFile(dir):
		return cli.Fail(cli.Usage, fmt.Errorf("%q is a file, and records are added to a folder", dir), meaning, "if it is a packed case, run `"+shell([]string{"exhibit", "unpack", dir, "-o", "DIR"})+"` first")
	case errors.Is(err, bag.ErrUnsealed):
		return unsealed(err, dir, meaning)
	case errors.Is(err, custody.ErrTaken):
		return cli.Fail(cli.InUse, err, meaning, "run the same command again: it goes on from that record")
	case errors.Is(err, custody.ErrFull):
		return cli.Fail(cli.Usage, err, meaning, "")
	case errors.As(err, &problem) && problem.Kind != bag.Unreadable:
		return cli.Fail(cli.Damaged, err, "the container is not what was sealed; "+meaning, "run `"+shell([]string{"exhibit-verify", "check", dir})+"`, and ask for another copy")
	}
	if explained := diskError(err, dir, meaning, "run the same command again"); errors.As(explained, &own) {
		return explained
	}
	return bundleError(err, dir)
}

// receipt is the answer to the last release that has none.
func (c *custodian) receipt() (custody.Record, error) {
	answered := map[custody.Hash]bool{}
	for _, l := range c.chain.Links {
		if l.Answers != nil {
			answered[*l.Answers] = true
		}
	}
	for _, l := range slices.Backward(c.chain.Links) {
		if l.Event == custody.Transferred && !answered[l.Hash] {
			return custody.Record{Event: custody.Received, Answers: &l.Hash, ReleasedBy: l.ReleasedBy, ReceivedBy: l.ReceivedBy, Exhibit: l.Exhibit}, nil
		}
	}
	return custody.Record{}, cli.Fail(cli.Usage, errors.New("there is no release that nobody has acknowledged"), "nothing was recorded",
		"ask whoever handed the case over for a copy with their record; or give --unreleased, with --released-by and --received-by")
}

// check checks the case and says in one line what that gave.
func (c *custodian) check(ctx context.Context, o verify.Options) (string, error) {
	report, container, err := verify.Check(ctx, c.files, o)
	if errors.Is(err, verify.ErrContent) {
		return "", cli.Fail(cli.Unexpected, err, "the check was given up; nothing was recorded", "if the case may be as large as that, run the same command with --max-content GIB")
	}
	if err != nil {
		return "", err
	}
	if err := container.Close(); err != nil {
		return "", err
	}
	next := "run `" + shell([]string{"exhibit-verify", "check", c.dir}) + "`"
	switch code := report.Exit(); code {
	case verify.ExitDamaged:
		return "", cli.Fail(code, errors.New("the case is altered or damaged, or another history of it is known: "+foundCodes(report, verify.Damage)), "nothing was recorded", next+", with the same flags, to see what was found")
	case verify.ExitUnmet:
		return "", cli.Fail(code, errors.New("what was given is not met: "+foundCodes(report, verify.Trust)), "nothing was recorded", next+", with the same flags, to see why")
	}
	text := verdictText(report, o)
	if len(text) > bag.MaxValue {
		return "", cli.Fail(cli.Usage, fmt.Errorf("the verdict with all that it was held against takes %d bytes, and a record has room for %d", len(text), bag.MaxValue), "nothing was recorded", "give fewer keys, authorities, heads or witnesses, and make another record for the others")
	}
	return text, nil
}

// foundCodes are the codes of a class, each once.
func foundCodes(r *verify.Report, class verify.Class) string {
	var codes []string
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Class == class && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return strings.Join(codes, ", ")
}

// verdictText is a verdict in one line: what holds, and what it was held against.
func verdictText(r *verify.Report, o verify.Options) string {
	words := []string{fmt.Sprintf("exit code %d", r.Exit()), fmt.Sprintf("deep: %t", o.Deep)}
	for _, s := range r.Statements {
		words = append(words, fmt.Sprintf("(%s) %s: %s", s.ID, s.Text, s.Holds))
	}
	for _, k := range o.Keys {
		words = append(words, "pinned: "+k.String())
	}
	for _, k := range o.CustodyKeys {
		words = append(words, "pinned for custody: "+k.String())
	}
	for _, a := range o.Authorities {
		words = append(words, "pinned authority: "+cli.EscapeLine(filepath.Base(a.Name)))
	}
	for _, h := range r.KnownHeads {
		words = append(words, fmt.Sprintf("goes on from the head over %d entries with root %s", h.Size, h.Root))
	}
	for i := range r.Witnesses {
		if w := &r.Witnesses[i]; w.Pinned {
			words = append(words, fmt.Sprintf("witness %s: newest head seen: %t", w.Witness, w.Met))
		}
	}
	return strings.Join(words, "; ")
}
