package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/witness"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
)

type acquireOptions struct {
	sourceOptions
	witnesses  witnessOptions
	caFile     string
	tsa        tsaOptions
	parallel   int
	patience   time.Duration
	maxBytes   byteCount
	maxTime    time.Duration
	again      bool
	key        signing
	takeOver   bool
	acceptGzip bool
	yes        bool
	json       bool

	whence *casefile.Whence // where the credential comes from; nil if that is not kept
}

// AddFlags adds the flags of acquire beside those of the source.
func (o *acquireOptions) AddFlags(f *pflag.FlagSet, d acquire.Description) {
	o.sourceOptions.AddFlags(f, d)
	f.StringVar(&o.caFile, "ca-file", "", "`PEM` file of the authorities to trust instead of the system's")
	o.tsa.AddFlags(f, "to stamp heads at the opening, every 15 minutes and at the stop")
	f.IntVar(&o.parallel, "parallel", 1, "`N` requests on the wire at once, 1 to 64")
	f.DurationVar(&o.patience, "patience", 2*time.Hour, "`TIME` to wait in all when the service is throttling or fails")
	f.Var(&o.maxBytes, "max-bytes", "record at most `SIZE` in this run, such as 500M or 20G; the same command goes on")
	f.DurationVar(&o.maxTime, "max-time", 0, "end this run after `TIME`, such as 8h; the same command goes on")
	f.BoolVar(&o.again, "again", false, "ask anew, in a window of its own, although this acquisition has been made or begun")
	f.BoolVar(&o.acceptGzip, "accept-gzip", false, "accept compressed answers; they are kept as they come")
	f.BoolVar(&o.yes, "yes", false, "read content without asking for a confirmation")
	f.BoolVar(&o.json, "json", false, "print how the window stands as JSON")
	o.witnesses.AddFlags(f)
}

func newAcquire(p *program) *cobra.Command {
	return sourceCommands(&cobra.Command{
		Use:   "acquire",
		Short: "Acquire from a source into a case; resumes where it stopped",
	}, func(s acquire.Source, d acquire.Description) *cobra.Command {
		var o acquireOptions
		cmd := &cobra.Command{
			Use:   d.Name,
			Short: d.Title,
			Long: sourceHelp(d, `acquire asks the source and records every exchange, retries and refusals included. The same command resumes what was interrupted; what is complete is
asked nothing. Where rows arrive behind it meanwhile, the same is asked again in another window, five in all at most. A user that is not given is the one of the
case, a credential the one of the last run on it, from the same file, for the same origin. A first Ctrl-C finishes the requests in flight and stops, a second one breaks them off. HTTPS_PROXY and NO_PROXY are honoured.
Others on this machine can read a command line: no flag takes a secret, and a URL that carries one belongs into a file.`),
			RunE: func(cmd *cobra.Command, args []string) error { return runAcquire(cmd, p, s, args, &o) },
		}
		o.AddFlags(cmd.Flags(), d)
		takeOverFlag(cmd, &o.takeOver)
		o.key.AddFlags(cmd)
		return cmd
	})
}

func runAcquire(cmd *cobra.Command, p *program, s acquire.Source, args []string, o *acquireOptions) error {
	d := s.Describe()
	if err := o.checkCase(); err != nil {
		return err
	}
	if o.parallel < 1 || o.parallel > 64 {
		return cli.Usagef("--parallel %d is no number from 1 to 64", o.parallel)
	}
	if o.patience <= 0 {
		return cli.Usagef("--patience %s is no time to wait, such as 90s or 2h", o.patience)
	}
	if o.maxTime < 0 || o.maxTime == 0 && cmd.Flags().Changed("max-time") {
		return cli.Usagef("--max-time %s is no time that a run may take, such as 90m or 8h", o.maxTime)
	}
	run := acquire.Options{Source: s, Params: o.params(cmd.Flags(), args), Again: o.again, Gzip: o.acceptGzip, Parallel: o.parallel,
		Retry: acquire.Retry{Total: o.patience}, MaxBytes: int64(o.maxBytes), MaxTime: o.maxTime, Stop: p.first}
	env, err := p.env()
	if err != nil {
		return err
	}
	run.Env = env
	if err := o.remember(cmd, d, &run.Params); err != nil {
		return err
	}
	if err := o.check(cmd, s, &run); err != nil {
		return resultError(p, &acquire.Result{}, err, o.caseDir)
	}
	witnesses, err := o.witnesses.options(cmd, env, o.caseDir)
	if err != nil {
		return err
	}
	if d.Content {
		if err := confirm(cmd, o.yes, "acquiring from "+d.Name, "it reads content, a separate act"); err != nil {
			return err
		}
		run.Confirmed = "by a typed answer"
		if o.yes {
			run.Confirmed = "by --yes"
		}
	}
	p.warnVisible(cmd.ErrOrStderr())
	where := place{dir: o.caseDir, takeOver: o.takeOver}
	if where.key, err = o.key.source(cmd, p, env); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // a reader of the progress that goes away must not end the run
	var res *acquire.Result
	var answers []witness.Answer
	err = withCase(cmd.Context(), env, cmd.ErrOrStderr(), where, func(c *casefile.Case) error {
		var err error
		answers, err = watched(cmd.Context(), cmd.ErrOrStderr(), c, witnesses, func() error {
			var err error
			res, err = o.run(cmd, p, c, run)
			return err
		})
		return err
	})
	if res == nil {
		return resultError(p, &acquire.Result{}, err, o.caseDir)
	}
	if e := o.print(cmd, res); e != nil && err == nil {
		err = e
	}
	if err := resultError(p, res, err, o.caseDir); err != nil {
		return err
	}
	return witnessError(p, otherHistory(answers), o.caseDir)
}

// run acquires into a case that is open.
func (o *acquireOptions) run(cmd *cobra.Command, p *program, c *casefile.Case, run acquire.Options) (*acquire.Result, error) {
	show := newProgress(cmd.ErrOrStderr(), run.Env.Now, p.first)
	defer show.end()
	run.Case, run.SpoolDir, run.Progress = c, c.SpoolDir(), show.tell
	if s := o.tsa.stamper(run.Env, c.Writer(), show.say); s != nil {
		run.Stamps = s
	}
	if o.whence != nil {
		if err := c.KeepWhence(*o.whence); err != nil {
			show.say("name the credential the next time, too: where it is could not be kept: " + err.Error())
		}
	}
	return acquire.RunUntilStill(cmd.Context(), run, func(earlier *acquire.Result) {
		show.say(windowError(earlier).Error() + "; the same is asked once more, in another window")
	})
}

// check reads what the flags name, so that a mistake is told before the case is opened.
func (o *acquireOptions) check(cmd *cobra.Command, s acquire.Source, run *acquire.Options) error {
	params := run.Params
	params.Now = run.Env.Now()
	plan, err := s.Plan(params)
	if err != nil {
		return err
	}
	if err := o.tsa.check(cmd.Flags(), o.caFile); err != nil {
		return err
	}
	if err := o.recall(cmd, run.Env, s.Describe(), plan.Origin); err != nil {
		return err
	}
	if run.Credential, err = o.credential(cmd); err != nil {
		return err
	}
	if d := s.Describe(); run.Credential == nil && !d.Anonymous {
		return cli.Fail(cli.Usage, fmt.Errorf("source %s answers nobody without a credential", d.Name), "nothing was asked and nothing written",
			"give --token-file, --token-stdin, or --basic-user with --password-file")
	}
	if o.whence, err = o.keep(s.Describe(), plan.Origin); err != nil {
		return err
	}
	if cmd.Flags().Changed("ca-file") {
		if run.RootCAs, err = roots(o.caFile); err != nil {
			return err
		}
	}
	run.Proxy, err = proxy(plan.Origin)
	return err
}

// proxy is what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say for an origin.
func proxy(origin string) (*url.URL, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	p, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil || p != nil && acquire.OriginOf(p.Scheme+"://"+p.Host) == "" { // nothing of the address is quoted: it may hold a password
		return nil, cli.Fail(cli.Usage, fmt.Errorf("what the environment names as the proxy for %s is no URL of one", origin), "nothing was asked and nothing written",
			"correct HTTPS_PROXY, such as http://proxy.example:3128, or unset it")
	}
	return p, nil
}

// print says how the window stands.
func (o *acquireOptions) print(cmd *cobra.Command, res *acquire.Result) error {
	v := windowView{Window: res.Window, Source: res.Source, User: res.User, From: res.From, To: res.To, Outcome: res.State, Reason: res.Reason, Text: res.Text,
		Requests: res.Requests, Pages: res.Pages, Records: res.Records}
	if o.json {
		return cli.PrintJSON(cmd.OutOrStdout(), v)
	}
	if res.Finished {
		fmt.Fprintln(cmd.ErrOrStderr(), "this acquisition was made before: nothing was asked (--again asks anew)")
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), v.line())
	if res.State == evidence.Empty && err == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "the service answered and has no records for this window")
	}
	return err
}
