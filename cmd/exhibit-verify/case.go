package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
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
	form        error              // why a packed case is not in the one form, or cannot be decrypted to its end; nothing in it can be read then
}

// openChecked checks the case at path, or on in. Every command but check needs it intact.
func openChecked(cmd *cobra.Command, path string, g *given) (*checked, error) {
	o, err := g.options(cmd)
	if err != nil {
		return nil, err
	}
	if err := g.unlock.Prepare(cmd); err != nil {
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
	return &checked{report: report, container: container, folder: folder, keys: o.Keys, authorities: o.Authorities}, nil
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

// given is what the user says of a case beforehand, to every command that checks one.
type given struct {
	keys    []string
	tsa     []string // files with certificates of time-stamping authorities
	custody []string
	content int64 // GiB
	deep    bool
	keep    int64      // bytes of pages that the check keeps for its container
	heads   *elsewhere // nil but for check
	unlock  cli.Unlock
}

func (g *given) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.keys, "key", nil, "verifier key that must have signed or cosigned, as its owner gave it to you (repeatable)")
	cmd.Flags().StringArrayVar(&g.tsa, "tsa-ca", nil, "`PEM` file with the root of a time-stamping authority that must have stamped the case, as it publishes it (repeatable)")
	cmd.Flags().StringArrayVar(&g.custody, "custody-key", nil, "verifier key that must have signed a custody record, as its owner gave it to you (repeatable)")
	g.unlock.Flags(cmd)
	cmd.Flags().Int64Var(&g.content, "max-content", 0, "give up on a case that decodes to more than so many `GIB` (default 256 times its size, at least 16)")
}

// maxPEM is the longest file of certificates, in bytes.
const maxPEM = 8 << 20

func readAuthority(file string) (a verify.Authority, err error) {
	f, err := os.Open(file)
	if err != nil {
		return a, err
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(pem) > maxPEM {
		err = fmt.Errorf("it is longer than %d bytes", maxPEM)
	}
	if err != nil {
		return a, err
	}
	return verify.ReadAuthority(file, pem)
}

func (g *given) options(cmd *cobra.Command) (o verify.Options, err error) {
	if o.Keys, err = parseKeys("key", g.keys); err != nil {
		return o, err
	}
	if o.CustodyKeys, err = parseKeys("custody-key", g.custody); err != nil {
		return o, err
	}
	for _, file := range g.tsa {
		a, err := readAuthority(file)
		if err != nil {
			return o, cli.Fail(cli.Usage, fmt.Errorf("--tsa-ca %q: %w", file, err), "", "name a file with the root certificate that the authority publishes, in PEM; not one out of the case")
		}
		o.Authorities = append(o.Authorities, a)
	}
	o.Now = time.Now()
	if g.heads != nil {
		if err := g.heads.options(cmd, &o); err != nil {
			return o, err
		}
	}
	if g.content < 0 || g.content > 1<<20 {
		return o, cli.Usagef("--max-content %d is no number of GiB from 1 to %d", g.content, 1<<20)
	}
	o.MaxContent, o.Deep, o.Keep = g.content<<30, g.deep, g.keep
	return o, nil
}

func parseKeys(flag string, texts []string) (keys []trust.VKey, err error) {
	for _, t := range texts {
		k, err := trust.ParseVKey(t)
		if err != nil {
			return nil, cli.Fail(cli.Usage, fmt.Errorf("--%s: %w", flag, err), "", "a verifier key is one line NAME+ID+BASE64, as `exhibit key show` prints it")
		}
		keys = append(keys, k)
	}
	return keys, nil
}
