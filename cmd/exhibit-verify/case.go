package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/cmd/pins"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// checked is a case after its check.
type checked struct {
	report      *verify.Report
	container   *verify.Container // nil if the case is altered or damaged; once it is salvaged, what is proven of it
	salvaged    *verify.Salvaged  // nil if the case is intact
	folder      cli.CaseFiles
	keys        []trust.VKey       // that are pinned
	authorities []verify.Authority // likewise
	pinned      bool               // whether the user has heads or witnesses that the history was held against
	form        error              // why a packed case is not in the one form, or cannot be decrypted to its end; nothing in it can be read then
}

// openChecked checks the case at path, or on in. Every command but check needs it intact.
func openChecked(cmd *cobra.Command, path string, g *given) (*checked, error) {
	o, err := g.options(cmd)
	if err != nil {
		return nil, err
	}
	if err := g.unlock.Prepare(cmd.Context(), cmd); err != nil {
		return nil, err
	}
	ctx := cmd.Context()
	folder, err := cli.OpenCase(ctx, path, cmd.InOrStdin(), &g.unlock)
	var form *bag.ZipError
	var cut *bag.AgeError
	switch {
	case errors.As(err, &form):
		return &checked{report: verify.NotPacked(form, o), folder: nowhere{}, keys: o.Keys, form: form}, nil
	case errors.As(err, &cut):
		return &checked{report: verify.NotDecrypted(cut, o), folder: nowhere{}, keys: o.Keys, form: cut}, nil
	case err != nil:
		return nil, err
	}
	report, container, err := verify.Check(ctx, folder, o)
	if err != nil {
		folder.Close()
		if errors.Is(err, verify.ErrNoCase) {
			return nil, cli.Fail(cli.Usage, errors.New(path+": "+err.Error()), "", cli.GiveCase)
		}
		if errors.Is(err, verify.ErrContent) {
			return nil, cli.Fail(cli.Unexpected, errors.New(cli.Named(path)+": "+err.Error()), "the check was given up, and says nothing about the case: a few bytes can be made to decode to very many",
				"if the case may be as large as that, run the same command with --max-content GIB")
		}
		return nil, err
	}
	return &checked{report: report, container: container, folder: folder, keys: o.Keys, authorities: o.Authorities,
		pinned: len(o.KnownHeads)+len(o.Witnesses) > 0}, nil
}

// close frees what a checked case holds.
func (c *checked) close() error { return errors.Join(c.container.Close(), c.folder.Close()) }

// nowhere is what can be read of a packed case that is not in the one form: nothing.
type nowhere struct{}

func (nowhere) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (nowhere) Close() error { return nil }

// needIntact fails where a command would show what is not proven.
func (c *checked) needIntact(path string) error {
	if c.container != nil {
		return nil
	}
	if c.report.Production != nil {
		return damagedProduction(path)
	}
	return cli.Fail(cli.Damaged, errors.New(cli.Named(path)+" is altered or damaged"), "nothing is extracted from a case that does not verify, unless you ask for it",
		"run `exhibit-verify check "+path+"` to see what was found; `exhibit-verify extract --salvage "+path+"` extracts what is still proven")
}

// needMet fails where a key, an authority, a witness or a head that the user gave is not met: what is then not done is said.
func (c *checked) needMet(path, undone string) error {
	if !c.report.Unmet() {
		return nil
	}
	return cli.Fail(c.report.Exit(), fmt.Errorf("%s: %s", path, verdict(c.report)), undone, "run `exhibit-verify check` with the same flags to see which was not met")
}

// openMet opens a case of which nothing may be shown or served unless it is intact and meets what the user gave. The caller closes it.
func openMet(cmd *cobra.Command, path string, g *given, undone string) (*checked, error) {
	g.keep = keepPages
	c, err := openChecked(cmd, path, g)
	if err != nil {
		return nil, err
	}
	err = c.needIntact(path)
	if err == nil {
		err = c.needMet(path, undone)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// given is what the user says of a case beforehand, to every command that checks one.
type given struct {
	pins   pins.Pins
	keep   int64 // bytes of pages that the check keeps for its container
	unlock cli.Unlock
}

func (g *given) flags(cmd *cobra.Command) {
	g.pins.Flags(cmd)
	g.unlock.Flags(cmd)
}

func (g *given) options(cmd *cobra.Command) (verify.Options, error) {
	o, err := g.pins.Options(cmd, time.Now(), "nothing was checked")
	o.Keep = g.keep
	return o, err
}
