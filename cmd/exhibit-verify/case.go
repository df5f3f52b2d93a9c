package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// checked is a case after its check.
type checked struct {
	report    *verify.Report
	container *verify.Container // nil if the case is altered or damaged; once it is salvaged, what is proven of it
	salvaged  *verify.Salvaged  // nil if the case is intact
	folder    caseFiles
	form      *bag.ZipError // why a packed case is not in the one form; nothing in it can be read then
}

// openChecked checks the case at path, or on in. Every command but check needs it intact.
func openChecked(ctx context.Context, in io.Reader, path string, o verify.Options) (*checked, error) {
	folder, err := openFiles(ctx, in, path)
	var form *bag.ZipError
	if errors.As(err, &form) {
		return &checked{report: verify.NotPacked(form, o), folder: nowhere{}, form: form}, nil
	}
	if err != nil {
		return nil, err
	}
	report, container, err := verify.Check(ctx, folder, o)
	if err != nil {
		folder.Close()
		if errors.Is(err, verify.ErrNoCase) {
			return nil, cli.Fail(cli.Usage, errors.New(path+": "+err.Error()), "", giveCase)
		}
		if errors.Is(err, verify.ErrContent) {
			return nil, cli.Fail(cli.Unexpected, errors.New(named(path)+": "+err.Error()), "the check was given up, and says nothing about the case: a few bytes can be made to decode to very many",
				"if the case may be as large as that, run the same command with --max-content GIB")
		}
		return nil, err
	}
	return &checked{report: report, container: container, folder: folder}, nil
}

// nowhere is what can be read of a packed case that is not in the one form: nothing.
type nowhere struct{}

func (nowhere) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (nowhere) Close() error { return nil }

func pathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return errors.New(p.Path + ": " + p.Err.Error())
	}
	return err
}

// needIntact fails where a command would show what is not proven.
func (c *checked) needIntact(path string) error {
	if c.container != nil {
		return nil
	}
	if c.report.Production != nil {
		return damagedProduction(path)
	}
	return cli.Fail(cli.Damaged, errors.New(named(path)+" is altered or damaged"), "nothing is extracted from a case that does not verify, unless you ask for it",
		"run `exhibit-verify check "+path+"` to see what was found; `exhibit-verify extract --salvage "+path+"` extracts what is still proven")
}

// given is what the user says of a case beforehand, to every command that checks one.
type given struct {
	keys    []string
	content int64 // GiB
}

func (g *given) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.keys, "key", nil, "verifier key that must have signed, as its owner gave it to you (repeatable)")
	cmd.Flags().Int64Var(&g.content, "max-content", 0, "give up on a case that decodes to more than so many `GIB` (default 256 times its size, at least 16)")
}

func (g *given) options() (o verify.Options, err error) {
	for _, t := range g.keys {
		k, err := trust.ParseVKey(t)
		if err != nil {
			return o, cli.Fail(cli.Usage, fmt.Errorf("--key: %w", err), "", "a verifier key is one line NAME+ID+BASE64, as `exhibit key show` prints it")
		}
		o.Keys = append(o.Keys, k)
	}
	if g.content < 0 || g.content > 1<<20 {
		return o, cli.Usagef("--max-content %d is no number of GiB from 1 to %d", g.content, 1<<20)
	}
	o.MaxContent = g.content << 30
	return o, nil
}
