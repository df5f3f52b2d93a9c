package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/stamping"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// maxAuthorities is how many authorities one command may ask.
const maxAuthorities = 8

// tsaOptions name the time-stamping authorities of a command.
type tsaOptions struct {
	urls []string
	pool *x509.CertPool // that their TLS certificates are held against; nil for the system's
}

func (o *tsaOptions) AddFlags(f *pflag.FlagSet, when string) {
	f.StringArrayVar(&o.urls, "tsa", nil, "`URL` of a time-stamping authority (RFC 3161), asked "+when+" (repeatable)")
}

// check requires that each URL can be asked, and reads the certificates that --ca-file names.
func (o *tsaOptions) check(flags *pflag.FlagSet, caFile string) error {
	if len(o.urls) > maxAuthorities {
		return cli.Usagef("--tsa is given %d times, more than %d", len(o.urls), maxAuthorities)
	}
	for _, u := range o.urls {
		if acquire.OriginOf(u) == "" || len(u) > 2048 || strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
			return cli.Fail(cli.Usage, fmt.Errorf("--tsa %s is no URL of an authority", acquire.QuotedURL(u)), "nothing was asked and nothing written",
				"give an http or https URL without user name and fragment, such as https://tsa.example/tsr")
		}
	}
	if !flags.Changed("ca-file") {
		return nil
	}
	if _, err := roots(caFile); err != nil {
		return err
	}
	if o.pool, _ = x509.SystemCertPool(); o.pool == nil { // a system without one: those of the file alone
		o.pool = x509.NewCertPool()
	}
	pem, err := os.ReadFile(caFile)
	o.pool.AppendCertsFromPEM(pem)
	return err
}

// stamper asks the authorities that were named; nil if there are none. told gets a line on each that gave no token.
func (o *tsaOptions) stamper(env casefile.Env, ledger stamping.Ledger, told func(string)) *stamping.Stamper {
	if len(o.urls) == 0 {
		return nil
	}
	return stamping.New(stamping.Options{Authorities: o.urls, Ledger: ledger, Now: env.Now, Rand: env.Rand, Operator: env.Operator, Host: env.Host,
		Transport: &stamping.Client{SpoolDir: os.TempDir(), RootCAs: o.pool, Proxy: proxy, UserAgent: "exhibit", Now: env.Now},
		Told:      told, Scrub: acquire.Scrubbing(o.secrets()...)})
}

// secrets are what the URLs ask with, which no text repeats: their query, and the values in it. A key of a customer may be there.
func (o *tsaOptions) secrets() (all []string) {
	for _, u := range o.urls {
		_, query, _ := strings.Cut(u, "?")
		all = append(all, query)
		for part := range strings.SplitSeq(query, "&") {
			_, value, _ := strings.Cut(part, "=")
			plain, err := url.QueryUnescape(value)
			if all = append(all, value); err == nil {
				all = append(all, plain)
			}
		}
	}
	return all
}

// sayTo writes lines for a person.
func sayTo(w io.Writer) func(string) {
	return func(text string) { fmt.Fprintln(w, cli.EscapeLine(text)) }
}

// times are the authorities as the case entry names them.
func (o *tsaOptions) times() (out []string) {
	for _, u := range o.urls {
		u, _, _ = strings.Cut(u, "?")
		out = append(out, u)
	}
	return out
}

func newStamp(p *program) *cobra.Command {
	var o tsaOptions
	var caFile string
	var takeOver bool
	var key signing
	cmd := &cobra.Command{
		Use:   "stamp DIR",
		Short: "Have a case stamped by time-stamping authorities",
		Long: `stamp asks authorities that others trust to sign that the case existed at their time (RFC 3161). Of a case that is not sealed its newest head is stamped,
and the token goes into the ledger. Of a sealed case package.note is stamped, which covers every file, and the token goes into stamps/: nothing that was sealed
changes. Do it where a seal has no token, and again before an authority's certificate expires. "exhibit-verify check --tsa-ca" checks tokens.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd.Flags(), caFile); err != nil {
				return err
			}
			return runStamp(cmd, p, place{dir: args[0], takeOver: takeOver}, &o, &key)
		},
	}
	o.AddFlags(cmd.Flags(), "now")
	caFileFlag(cmd.Flags(), &caFile)
	takeOverFlag(cmd, &takeOver)
	key.AddFlags(cmd)
	if err := cmd.MarkFlagRequired("tsa"); err != nil {
		panic(err) // the flag was made above
	}
	return cmd
}

func caFileFlag(f *pflag.FlagSet, to *string) {
	f.StringVar(to, "ca-file", "", "`PEM` file of authorities that may certify the servers of --tsa beside the system's; it says nothing about timestamps")
}

func runStamp(cmd *cobra.Command, p *program, where place, o *tsaOptions, key *signing) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	env, err := p.env()
	if err != nil {
		return err
	}
	if hasPackageNote(where.dir) {
		names, err := o.stamper(env, nil, sayTo(cmd.ErrOrStderr())).Sealed(ctx, where.dir)
		for _, name := range names {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", cli.EscapeLine(name))
		}
		if err != nil {
			return caseError(diskError(err, where.dir, "nothing that was sealed has changed", "run the same command again"), where.dir)
		}
		return stamped(len(names), len(o.urls), "nothing was written for it, and nothing that was sealed has changed")
	}
	if where.key, err = key.source(cmd, p, env); err != nil {
		return err
	}
	failed, say := 0, sayTo(cmd.ErrOrStderr())
	err = withCase(ctx, env, cmd.ErrOrStderr(), where, func(c *casefile.Case) error {
		s := o.stamper(env, c.Writer(), func(text string) {
			failed++
			say(text)
		})
		return caseError(s.Stamp(ctx), where.dir)
	})
	if err != nil {
		return err
	}
	return stamped(len(o.urls)-failed, len(o.urls), "the ledger says so, with what came instead")
}

// stamped is an error unless each authority gave a token.
func stamped(have, want int, meaning string) error {
	if have == want {
		return nil
	}
	return cli.Fail(cli.Unexpected, fmt.Errorf("%d of %d timestamps came", have, want), meaning, "run the same command again later, or ask another authority")
}
