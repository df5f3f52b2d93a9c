package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/simwitness"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

type simulateOptions struct {
	listen                       string
	faults                       []string
	seed                         uint64
	caOut, tokenOut, passwordOut string
	tsaCAOut                     string
	witnessOut                   string
	witnessLogs                  []string
}

// AddFlags adds the flags of simulate.
func (o *simulateOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDR` to listen on; port 0 takes a free one")
	f.StringArrayVar(&o.faults, "fault", nil, "`SPEC` of what goes wrong and when, such as 429@3:retry-after=2 or cut@5:100 (repeatable)")
	f.Uint64Var(&o.seed, "seed", 1, "`N` that mailboxes and token are made of")
	f.StringVar(&o.caOut, "ca-out", "", "`FILE` for the certificate of its authority, for --ca-file")
	f.StringVar(&o.tsaCAOut, "tsa-ca-out", "", "`FILE` for the root certificate of its time-stamping authority, for exhibit-verify check --tsa-ca")
	f.StringVar(&o.tokenOut, "token-out", "", "`FILE` for its bearer token, for --token-file")
	f.StringVar(&o.witnessOut, "witness-out", "", "`FILE` for key and address of its witness, for --witness")
	f.StringArrayVar(&o.witnessLogs, "witness-log", nil, "`VKEY` that signs cases which its witness is to cosign (repeatable)")
	f.StringVar(&o.passwordOut, "password-out", "", "`FILE` for the password of its Basic user, for --password-file")
}

func newSimulate(p *program) *cobra.Command {
	var o simulateOptions
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run the simulated service until it is interrupted",
		Long: `simulate answers like the historic Outlook Activities API, over TLS, with mailboxes that are invented and a mailbox compromise in one of them.
The token file is written last: once it is there, the service answers. With --witness-out or --witness-log it is a witness as well, below /witness.

Faults: STATUS@N (429, 503, …; :retry-after=SECONDS), disabled@N, expire@N, cut@N:BYTES, reset@N, hang@N, slow@N:TIME, arrive@N:ROWS, late@N:ROWS, early@N:ROWS, vanish@N:ROWS,
loop@N, repeat@N, empty200@N, badjson@N, errorrow@N; of its timestamps, which are counted by themselves, tsa-reject@N, tsa-busy@N, tsa-hang@N,
tsa-garbage@N, tsa-huge@N, tsa-nonce@N, tsa-imprint@N, tsa-redirect@N. N counts requests from 1; N-M and N+ are ranges; several are joined by commas.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSimulate(cmd, p, &o) },
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func runSimulate(cmd *cobra.Command, p *program, o *simulateOptions) error {
	faults, err := simtenant.ParseFaults(strings.Join(o.faults, ","))
	if err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--fault: %w", err), "", "")
	}
	tenant, err := simtenant.New(simtenant.Options{Seed: o.seed, Faults: faults})
	if err != nil {
		return err
	}
	if o.listen == "" {
		return cli.Usagef("--listen is empty")
	}
	handler, witness, err := o.witness(tenant)
	if err != nil {
		return err
	}
	server, err := simtenant.Serve(o.listen, handler)
	if err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--listen: %w", err), "", "name an address of this host with a free port, such as 127.0.0.1:0")
	}
	defer server.Close()
	user, password := tenant.Basic()
	fmt.Fprintf(cmd.OutOrStdout(), "listening at %s\ntimestamps: %s%s\nmailboxes: %s %s %s %s\nBasic user: %s\n", server.URL(), server.URL(), simtenant.TSAPath,
		simtenant.Owner, simtenant.Apostrophe, simtenant.Quiet, simtenant.Locked, user)
	tsaRoot, err := tenant.TSARoot()
	if err != nil {
		return err
	}
	for _, f := range []struct{ flag, path, text string }{
		{"ca-out", o.caOut, string(server.CAPEM())}, {"tsa-ca-out", o.tsaCAOut, string(tsaRoot)}, {"witness-out", o.witnessOut, ""},
		{"password-out", o.passwordOut, password + "\n"}, {"token-out", o.tokenOut, tenant.Token() + "\n"},
	} {
		if f.flag == "witness-out" && witness != nil {
			f.text = trust.Witness{Key: witness.Key(), URL: server.URL() + witnessPath}.String() + "\n"
		}
		if err := cli.WritePrivate(f.flag, f.path, f.text); err != nil {
			return err
		}
	}
	select {
	case <-p.first:
	case <-cmd.Context().Done():
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "stopped after %d requests\n", len(tenant.Requests()))
	return nil
}

const witnessPath = "/witness"

// witness adds a simulated witness to the service, if one is asked for.
func (o *simulateOptions) witness(tenant http.Handler) (http.Handler, *simwitness.Witness, error) {
	if o.witnessOut == "" && len(o.witnessLogs) == 0 {
		return tenant, nil, nil
	}
	var logs []trust.VKey
	for _, text := range o.witnessLogs {
		key, err := trust.ParseVKey(text)
		if err != nil {
			return nil, nil, cli.Fail(cli.Usage, fmt.Errorf("--witness-log: %w", err), "", "give the line that `exhibit key show` prints")
		}
		logs = append(logs, key)
	}
	w, err := simwitness.New(simwitness.Options{Name: "witness.simulated/1", Rand: rand.Reader, Now: time.Now, Logs: logs})
	if err != nil {
		return nil, nil, err
	}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, witnessPath+"/") {
			w.ServeHTTP(out, r)
			return
		}
		tenant.ServeHTTP(out, r)
	}), w, nil
}
