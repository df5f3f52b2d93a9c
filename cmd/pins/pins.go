// Package pins is what the user of a check has from others than whoever made the case, as flags: keys, roots of time-stamping authorities, heads that were kept, keys of
// witnesses. Both programs take the same, wherever they check a case.
package pins

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// Pins are the values of the flags. The zero value is ready for Flags.
type Pins struct {
	keys      []string
	tsa       []string // files with certificates of time-stamping authorities
	custody   []string
	heads     []string // files
	witnesses []string
	quorum    int
	content   int64 // GiB
	deep      bool
}

// Flags adds the flags that every check takes.
func (p *Pins) Flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&p.keys, "key", nil, "verifier key that must have signed or cosigned, as its owner gave it to you (repeatable)")
	f.StringArrayVar(&p.tsa, "tsa-ca", nil, "`PEM` file with the root of a time-stamping authority that must have stamped the case, as it publishes it (repeatable)")
	f.StringArrayVar(&p.custody, "custody-key", nil, "verifier key that must have signed a custody record, as its owner gave it to you (repeatable)")
	f.StringArrayVar(&p.heads, "known-head", nil, "`FILE` with a signed head of this case that was kept elsewhere, such as one that was mailed on the first day; the case must go on from it (repeatable)")
	f.StringArrayVar(&p.witnesses, "witness", nil, "key of a witness, `VKEY`, that must have cosigned the newest head (repeatable)")
	f.IntVar(&p.quorum, "witness-quorum", 0, "be content with `N` of the witnesses (default all)")
	f.Int64Var(&p.content, "max-content", 0, "give up on a case that decodes to more than so many `GIB` (default 256 times its size, at least 16)")
}

// DeepFlag adds --deep, of commands whose purpose is the check.
func (p *Pins) DeepFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.deep, "deep", false, "also derive layouts and redactions of every exchange again")
}

// Options reads what the flags name. now is the user's clock. meaning says in an error what it means that there was no check.
func (p *Pins) Options(cmd *cobra.Command, now time.Time, meaning string) (o verify.Options, err error) {
	if o.Keys, err = parseKeys("key", p.keys, meaning); err != nil {
		return o, err
	}
	if o.CustodyKeys, err = parseKeys("custody-key", p.custody, meaning); err != nil {
		return o, err
	}
	for _, file := range p.tsa {
		a, err := readAuthority(file)
		if err != nil {
			return o, cli.Fail(cli.Usage, fmt.Errorf("--tsa-ca %q: %w", file, err), meaning, "name a file with the root certificate that the authority publishes, in PEM; not one out of the case")
		}
		o.Authorities = append(o.Authorities, a)
	}
	if err := p.history(cmd, &o, meaning); err != nil {
		return o, err
	}
	if p.content < 0 || p.content > 1<<20 {
		return o, cli.Usagef("--max-content %d is no number of GiB from 1 to %d", p.content, 1<<20)
	}
	o.Now, o.MaxContent, o.Deep = now, p.content<<30, p.deep
	return o, nil
}

// history reads the heads that were kept, and the keys of witnesses.
func (p *Pins) history(cmd *cobra.Command, o *verify.Options, meaning string) error {
	for _, name := range p.heads {
		head, err := readKnownHead(name)
		if err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--known-head %q: %w", name, err), meaning, "name a file as in data/checkpoints of the case, or as `exhibit head` prints one")
		}
		o.KnownHeads = append(o.KnownHeads, head)
	}
	for _, text := range p.witnesses {
		key, err := trust.ParseWitnessKey(text)
		if err != nil {
			return cli.Fail(cli.Usage, fmt.Errorf("--witness: %w", err), meaning, "a witness key is one line NAME+ID+BASE64 of type 0x04, as its operator publishes it")
		}
		o.Witnesses = append(o.Witnesses, key)
	}
	if o.Quorum = p.quorum; cmd.Flags().Changed("witness-quorum") && (p.quorum < 1 || p.quorum > len(p.witnesses)) {
		return cli.Usagef("--witness-quorum %d is no number from 1 to %d, of the keys that --witness gives", p.quorum, len(p.witnesses))
	}
	return nil
}

func parseKeys(flag string, texts []string, meaning string) (keys []trust.VKey, err error) {
	for _, t := range texts {
		k, err := trust.ParseVKey(t)
		if err != nil {
			return nil, cli.Fail(cli.Usage, fmt.Errorf("--%s: %w", flag, err), meaning, "a verifier key is one line NAME+ID+BASE64, as `exhibit key show` prints it")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// maxPEM is the longest file of certificates, in bytes.
const maxPEM = 8 << 20

func readAuthority(file string) (a verify.Authority, err error) {
	pem, err := cli.ReadSmall(file, maxPEM)
	if err != nil {
		return a, err
	}
	return verify.ReadAuthority(file, pem)
}

func readKnownHead(name string) (h verify.KnownHead, err error) {
	note, err := cli.ReadSmall(name, trust.MaxNoteSize)
	if err != nil {
		return h, err
	}
	return verify.ParseKnownHead(name, note)
}
