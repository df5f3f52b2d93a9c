package main

import (
	"bufio"
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/stamping"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// The simulated service also serves two pages of invented audit records, which the demonstration asks for by their URL.
//
//go:embed demo/audit-1.json
var auditPage1 []byte

//go:embed demo/audit-2.json
var auditPage2 []byte

const (
	demoDir = "exhibit-demo"
	// demoFaults make the service throttle, fail and break off an answer.
	demoFaults = "429@3:retry-after=1,503@6,cut@9:20000"
	demoStart  = "2018-05-21T00:00:00Z"
	demoEnd    = "2018-06-11T00:00:00Z"
)

func newDemo(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Do all of it once on the simulated service: acquire, seal, check, extract",
		Long: `demo starts the simulated service, makes a case, acquires a mailbox's activities while the service throttles, fails and breaks off, acquires a list
of URLs, has it stamped by a simulated authority, seals the case, checks it and extracts its records. It takes a few seconds and 10 MB at most, and leaves in DIR (default ./exhibit-demo, with a
number if that exists):

  case            the sealed case
  records.jsonl   its records
  tsa-ca.pem      the root of the authority that stamped it
  config          the key that signed it; your own key is not touched`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			return runDemo(ctx, p, cmd.OutOrStdout(), args)
		},
	}
}

// demo is the demonstration while it runs.
type demo struct {
	w       io.Writer
	dir     string
	casedir string
	env     casefile.Env
	tenant  *simtenant.Tenant
	server  *simtenant.Server
	report  *verify.Report
	stamps  *stamping.Stamper
	steps   int
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintln(d.w, cli.Escape(fmt.Sprintf(format, args...)))
}

// step begins the next step of the story.
func (d *demo) step(format string, args ...any) {
	d.steps++
	d.say("%d. %s", d.steps, fmt.Sprintf(format, args...))
}

func runDemo(ctx context.Context, p *program, w io.Writer, args []string) error {
	d := &demo{w: w}
	var err error
	if d.dir, err = demoFolder(args); err != nil {
		return err
	}
	d.casedir = filepath.Join(d.dir, "case")
	if d.env, err = p.env(); err != nil {
		return err
	}
	d.env.ConfigDir = filepath.Join(d.dir, "config")
	if err := d.serve(); err != nil {
		return err
	}
	defer d.server.Close()
	for _, step := range []func(context.Context) error{d.acquireAll, d.check, d.next} {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil {
				return cli.Fail(cli.Interrupted, errors.New("interrupted: the demonstration is not finished"), "", "run `exhibit demo` again: it begins anew")
			}
			return caseError(err, d.casedir)
		}
	}
	return nil
}

// demoFolder is the folder that was named, or the first free one.
func demoFolder(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], emptyFolder(args[0])
	}
	for n := 1; n < 10_000; n++ {
		dir := demoDir
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", demoDir, n)
		}
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			return dir, nil
		}
	}
	return "", cli.Usagef("there are 10,000 demonstrations here already: name a DIR")
}

func (d *demo) serve() error {
	faults, err := simtenant.ParseFaults(demoFaults)
	if err != nil {
		return err
	}
	d.tenant, err = simtenant.New(simtenant.Options{Seed: 1, Faults: faults, Pages: map[string][][]byte{"audit": {auditPage1, auditPage2}}})
	if err != nil {
		return err
	}
	if d.server, err = d.tenant.Start("127.0.0.1:0"); err != nil {
		return err
	}
	d.step("The simulated service answers at %s. The mailbox of %s was broken into, and the service will\n   throttle once, fail once and break off one answer.",
		d.server.URL(), simtenant.Owner)
	return nil
}

// acquireAll makes the case, acquires, and seals it.
func (d *demo) acquireAll(ctx context.Context) error {
	c, err := casefile.New(ctx, d.env, d.casedir, casefile.NewOptions{Times: d.times(), Register: true, Fields: []evidence.Pair{
		{Name: "case-number", Value: "DEMO"}, {Name: "exhibit", Value: "DEMO-1"}, {Name: "examiner", Value: "Demo Examiner"},
		{Name: "custodian", Value: simtenant.Owner}, {Name: "description", Value: "Demonstration on the simulated service: nothing in it is real"},
	}})
	if err != nil {
		return err
	}
	d.step("Case %s is made in %s. Its key is %s.", c.ID(), d.casedir, c.KeyMade)
	tsa := tsaOptions{urls: d.times(), pool: d.pool()}
	d.stamps = tsa.stamper(d.env, c.Writer(), sayTo(d.w))
	err = d.acquireInto(ctx, c)
	return errors.Join(err, c.Close(ctx))
}

func (d *demo) acquireInto(ctx context.Context, c *casefile.Case) error {
	if err := d.stamps.Stamp(ctx); err != nil {
		return err
	}
	d.step("A simulated time-stamping authority has signed the opening: what follows was not there before.")
	if err := c.Note(ctx, "Demonstration: the service is simulated."); err != nil {
		return err
	}
	err := d.run(ctx, c, outlook.Source{}, map[string][]string{
		acquire.FlagBaseURL: {d.server.URL()}, acquire.FlagUser: {simtenant.Owner}, acquire.FlagStart: {demoStart}, acquire.FlagEnd: {demoEnd},
		acquire.FlagPageSize: {"250"},
	})
	if err != nil {
		return err
	}
	if err := d.run(ctx, c, urls.Source{}, map[string][]string{flagURL: {d.server.URL() + "/pages/audit/1?link=header"}}); err != nil {
		return err
	}
	if err := c.Note(ctx, "Both acquisitions are complete; the case is sealed next."); err != nil {
		return err
	}
	if err := acquire.Seal(ctx, c, acquire.SealOptions{Env: d.env, Stamp: d.stamps.Final}); err != nil {
		return err
	}
	d.step("The case is sealed and stamped: nothing can be added, and its manifests and signature cover every file.")
	return nil
}

func (d *demo) run(ctx context.Context, c *casefile.Case, s acquire.Source, values map[string][]string) error {
	token, err := auth.TokenFrom(strings.NewReader(d.tenant.Token()))
	if err != nil {
		return err
	}
	name := s.Describe().Name
	d.step("Acquiring %s:", name)
	res, err := acquire.Run(ctx, acquire.Options{Case: c, Env: d.env, SpoolDir: c.SpoolDir(), Source: s, Params: acquire.Params{Values: values},
		Credential: token, RootCAs: d.pool(), Retry: acquire.Retry{Base: 200 * time.Millisecond},
		Progress: func(e acquire.Event) {
			if e.Kind == acquire.EventRetry {
				d.say("   recorded and asked again: %s", because(&e))
			}
		}})
	if err != nil {
		return err
	}
	d.say("   %d requests, %d pages, %d records: %s", res.Requests, res.Pages, res.Records, res.State)
	if res.State != evidence.Complete {
		return fmt.Errorf("source %s ended %s: %s: %s", name, res.State, res.Reason, res.Text)
	}
	return d.stamps.Stamp(ctx)
}

// pool holds the authority of the simulated service's TLS certificate.
func (d *demo) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(d.server.CAPEM())
	return pool
}

// times are the authorities that stamp the case.
func (d *demo) times() []string { return []string{d.server.URL() + simtenant.TSAPath} }

// authority keeps the root of the authority for whoever checks the case, and pins it.
func (d *demo) authority() (verify.Authority, error) {
	root, err := d.tenant.TSARoot()
	if err != nil {
		return verify.Authority{}, err
	}
	file := filepath.Join(d.dir, "tsa-ca.pem")
	if err := os.WriteFile(file, root, 0o600); err != nil {
		return verify.Authority{}, err
	}
	return verify.ReadAuthority(file, root)
}

// check verifies the case as anyone could, and extracts its records.
func (d *demo) check(ctx context.Context) error {
	folder, err := bag.OpenFolder(d.casedir)
	if err != nil {
		return err
	}
	defer folder.Close()
	tsa, err := d.authority()
	if err != nil {
		return err
	}
	var c *verify.Container
	d.report, c, err = verify.Check(ctx, folder, verify.Options{Authorities: []verify.Authority{tsa}, Now: d.env.Now()})
	if err != nil {
		return err
	}
	if code := d.report.Exit(); code != cli.Done || c == nil {
		return cli.Fail(code, fmt.Errorf("%s does not check: %d findings", d.casedir, len(d.report.Findings)), "", "run `"+shell([]string{"exhibit-verify", "check", d.casedir})+"`")
	}
	d.step("Checked: %d entries, %d exchanges, %s. What holds:", d.report.Entries, d.report.Exchanges, size(d.report.Bytes))
	for _, s := range d.report.Statements {
		d.say("   (%s) %s: %s", s.ID, s.Text, s.Holds)
	}
	return d.extract(ctx, c)
}

// extract writes the records to a file and shows a few that tell the story.
func (d *demo) extract(ctx context.Context, c *verify.Container) (err error) {
	f, err := os.OpenFile(filepath.Join(d.dir, "records.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := bufio.NewWriter(f)
	out, err := export.New("jsonl", buf)
	if err != nil {
		return err
	}
	var told []string
	sum, err := extract.Extract(ctx, c, extract.Options{}, func(r *extract.Record) error {
		switch r.Type {
		case "LinkClicked", "SearchResult", "New-InboxRule", "CreateFolder":
			told = append(told, fmt.Sprintf("   %s  %-13s  from entry %d, %s", r.Time, r.Type, r.Provenance.Seq, r.Provenance.Pointer))
		}
		return out.Write(r)
	})
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return err
	}
	d.step("Extracted %d records to %s. Some of what happened, and where it stands:", sum.Records, f.Name())
	for _, line := range told {
		d.say("%s", cli.EscapeLine(line))
	}
	return nil
}

// next says what to run now.
func (d *demo) next(context.Context) error {
	key, err := trust.ReadKeyFile(casefile.DefaultKeyPath(d.env))
	if err != nil {
		return err
	}
	d.say("\nNext (without an installed exhibit-verify: go run ./cmd/exhibit-verify):")
	for _, args := range [][]string{
		{"exhibit-verify", "check", d.casedir, "--key", key.VerifierKey(), "--tsa-ca", filepath.Join(d.dir, "tsa-ca.pem")},
		{"exhibit-verify", "extract", d.casedir, "--format", "csv", "-o", filepath.Join(d.dir, "records.csv")},
		{"exhibit-verify", "show", d.casedir, "8", "--tsa-ca", filepath.Join(d.dir, "tsa-ca.pem")},
		{"exhibit", "log", d.casedir},
		{"python3", filepath.Join(d.casedir, "data", "verify.py"), d.casedir},
	} {
		d.say("  %s", shell(args))
	}
	return nil
}
