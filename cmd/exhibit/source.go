package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/sources"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// flagURL is the flag that arguments stand for, in the source that has it.
const flagURL = "url"

// sourceOptions are what plan and acquire share: the case, the source's own flags, and the credential.
type sourceOptions struct {
	caseDir      string
	values       map[string]*[]string // by flag of the source
	tokenFile    string
	tokenStdin   bool
	basicUser    string
	passwordFile string
}

// AddFlags adds the flags of a source and those that all sources share.
func (o *sourceOptions) AddFlags(f *pflag.FlagSet, d acquire.Description) {
	f.StringVar(&o.caseDir, "case", "", "`DIR` of the case (required)")
	o.values = map[string]*[]string{}
	base := acquire.Flag{Name: acquire.FlagBaseURL, Value: "URL", Usage: "origin to ask, and the only one that the token goes to", Default: d.Origin}
	for _, flag := range append([]acquire.Flag{base}, d.Flags...) {
		o.values[flag.Name] = f.StringArray(flag.Name, nil, "`"+flag.Value+"`: "+flagUsage(flag))
		if flag.Switch {
			f.Lookup(flag.Name).NoOptDefVal = "true"
		}
	}
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with a bearer token; it is read again when the token is refused")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "read a bearer token from standard input")
	f.StringVar(&o.basicUser, "basic-user", "", "`USER` for Basic authentication")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` with the password of --basic-user on one line")
}

// sourceCommands makes one command for each source below parent.
func sourceCommands(parent *cobra.Command, make func(acquire.Source, acquire.Description) *cobra.Command) *cobra.Command {
	parent.Annotations = map[string]string{cli.AnnotationNoun: "source"}
	for _, s := range sources.All() {
		d := s.Describe()
		cmd := make(s, d)
		cmd.Args = cobra.NoArgs
		if hasFlag(d, flagURL) {
			cmd.Use += " [URL]..."
			cmd.Args = cobra.ArbitraryArgs
		}
		if err := cmd.MarkFlagRequired("case"); err != nil {
			panic(err) // every source command has it
		}
		cmd.MarkFlagsMutuallyExclusive("token-file", "token-stdin", "basic-user")
		parent.AddCommand(cmd)
	}
	return parent
}

func hasFlag(d acquire.Description, name string) bool {
	for _, f := range d.Flags {
		if f.Name == name {
			return true
		}
	}
	return false
}

// params are the values that were given.
func (o *sourceOptions) params(flags *pflag.FlagSet, args []string) acquire.Params {
	p := acquire.Params{Values: map[string][]string{}, Open: func(name string) (io.ReadCloser, error) { return os.Open(name) }}
	for name, values := range o.values {
		if flags.Changed(name) {
			p.Values[name] = *values
		}
	}
	if len(args) > 0 {
		p.Values[flagURL] = append(p.Values[flagURL], args...)
	}
	return p
}

// checkCase fails where no folder is named.
func (o *sourceOptions) checkCase() error {
	if o.caseDir == "" {
		return cli.Usagef("--case is empty: it names the folder of a case")
	}
	return nil
}

// credential reads the credential, if there is one.
func (o *sourceOptions) credential(cmd *cobra.Command) (acquire.Credential, error) {
	var c acquire.Credential
	var err error
	given, flags := cmd.Flags().Changed, ""
	switch {
	case given("basic-user") != given("password-file"):
		return nil, cli.Fail(cli.Usage, errors.New("--basic-user and --password-file are given together or not at all"), "nothing was asked and nothing written", "")
	case given("token-file"):
		flags = "--token-file"
		c, err = auth.TokenFile(o.tokenFile)
	case o.tokenStdin:
		flags = "--token-stdin"
		c, err = auth.TokenFrom(cmd.InOrStdin())
	case given("basic-user"):
		flags = "--basic-user, --password-file"
		c, err = auth.BasicFile(o.basicUser, o.passwordFile)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, cli.Fail(cli.Usage, fmt.Errorf("%s: %w", flags, err), "nothing was asked and nothing written",
			"put the secret into a file that only you can read, and name that file")
	}
	return c, nil
}

// roots reads certificates in PEM.
func roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(pem) {
		err = errors.New("it holds no certificate in PEM")
	}
	if err != nil {
		return nil, cli.Fail(cli.Usage, fmt.Errorf("--ca-file %q: %w", file, err), "nothing was asked and nothing written", "")
	}
	return pool, nil
}

// sourceHelp is the long help of a source.
func sourceHelp(d acquire.Description, intro string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n", intro, d.Title, d.Asks)
	for _, s := range d.Permissions {
		fmt.Fprintf(&b, "  needs: %s\n", s)
	}
	for _, s := range d.Limits {
		fmt.Fprintf(&b, "  limit: %s\n", s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
