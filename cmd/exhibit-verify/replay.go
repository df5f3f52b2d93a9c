package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

type replayOptions struct {
	listen          string
	caOut           string
	tlsCert, tlsKey string
	json            bool
	given           given
}

func newReplay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay PATH",
		Short: "Serve the recorded API again, from the evidence alone, until it is interrupted",
		Long: `replay checks the case and then answers requests over HTTPS: with the recorded response for the same request, byte for byte, and listings of the Outlook Activities API
also as they follow from the recorded activities, whatever the query. Those are marked by the header Exhibit-Replay. What is not recorded gets an error that says so, never an empty answer.
Any token does, because none can be checked. docs/replay.md says more, and how clients are made to trust it.

It listens on this computer alone unless --listen says otherwise, and connects to nothing. Its certificate is made for this run; --ca-out writes it, for --ca-file of exhibit or --cacert of curl.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runReplay(cmd, args[0], &o) },
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDR` to listen on; port 0 takes a free one")
	cmd.Flags().StringVar(&o.caOut, "ca-out", "", "`FILE` for the certificate, written once requests are answered")
	cmd.Flags().StringVar(&o.tlsCert, "tls-cert", "", "`PEM` file with a certificate of your own; needs --tls-key")
	cmd.Flags().StringVar(&o.tlsKey, "tls-key", "", "`PEM` file with its private key")
	cmd.Flags().BoolVar(&o.json, "json", false, "print two lines of JSON: where it listens, and at the end what was answered")
	o.given.flags(cmd)
	return cmd
}

func runReplay(cmd *cobra.Command, path string, o *replayOptions) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	listener, err := listen(o.listen) // before the check, which may take a while
	if err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--listen: %w", err), "", "name an address of this host with a free port, such as 127.0.0.1:8443")
	}
	defer listener.Close()
	c, err := openMet(cmd, path, &o.given, "nothing was served")
	if err != nil {
		return err
	}
	defer c.close()
	archive, err := replay.Open(cmd.Context(), c.container, replay.Options{})
	if err != nil {
		return notAnyMore(err, "nothing was served")
	}
	defer archive.Close()
	answered, err := o.serve(cmd, listener, archive)
	if err != nil {
		return notAnyMore(err, "answers that were given since cannot be relied on")
	}
	code := c.report.Exit()
	if answered.Exit = code; o.json {
		err = cli.PrintJSONLine(cmd.OutOrStdout(), answered)
	} else {
		answered.print(cmd.OutOrStdout())
	}
	if code != cli.Done && err == nil {
		return cli.Fail(code, fmt.Errorf("%s: %s", path, verdict(c.report)), "what was served is what was acquired", "run `exhibit-verify check "+path+"` to see what is missing")
	}
	return err
}

// listen listens on an address. It takes no name but localhost: to look one up would be a question to somebody else.
func listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if host != "" && net.ParseIP(host) == nil {
		return nil, fmt.Errorf("%q is no IP address, and names are not looked up", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("%q is no port from 0 to 65535", port)
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// check holds the flags against each other.
func (o *replayOptions) check(cmd *cobra.Command) error {
	own := cmd.Flags().Changed("tls-cert")
	switch {
	case own != cmd.Flags().Changed("tls-key"):
		return cli.Usagef("--tls-cert and --tls-key go together")
	case own && cmd.Flags().Changed("ca-out"):
		return cli.Usagef("--ca-out writes the certificate that is made without --tls-cert")
	case cmd.Flags().Changed("ca-out") && o.caOut == "":
		return cli.Usagef("--ca-out is empty")
	}
	if own {
		_, err := readCertificate(o.tlsCert, o.tlsKey)
		return err
	}
	return replaceable(o.caOut)
}

// replaceable fails if there is a file that --ca-out would overwrite and that is not the certificate of an earlier run: it could be one of the case.
func replaceable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // there is none, or writing says what is wrong with it
	}
	if info.Mode().IsRegular() && info.Size() < 64<<10 {
		b, err := os.ReadFile(path)
		if err == nil && bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE-----\n")) {
			return nil
		}
	}
	return cli.Fail(cli.Usage, fmt.Errorf("--ca-out %q: the file is there already, and is no certificate", path), "", "name another file; an earlier certificate is replaced")
}

// notAnyMore says what it means that a case is not any more what was checked.
func notAnyMore(err error, meaning string) error {
	if errors.Is(err, verify.ErrChanged) {
		return cli.Fail(cli.Damaged, err, meaning, "check the case again")
	}
	return err
}

// serve answers until the command is interrupted.
func (o *replayOptions) serve(cmd *cobra.Command, listener net.Listener, archive *replay.Archive) (*endView, error) {
	host, _, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	cert, err := o.certificate(host, archive.Hosts(), len(archive.Coverage()) > 0)
	if err != nil {
		return nil, err
	}
	start, err := newStartView(listener.Addr(), cert, archive)
	if err != nil {
		return nil, err
	}
	talk := cmd.ErrOrStderr()
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		fmt.Fprintln(talk, "warning: whoever can reach this address can read the evidence; any token is taken")
	}
	for _, line := range start.Windows {
		fmt.Fprintln(talk, cli.EscapeLine(line))
	}
	s := newServer(listener, cert, archive, talk)
	if err := cli.WritePrivate("ca-out", o.caOut, cert.pem); err != nil {
		return nil, err
	}
	if start.Certificate = o.caOut + o.tlsCert; o.json { // one of them at most is given
		err = cli.PrintJSONLine(cmd.OutOrStdout(), start)
	} else {
		start.print(cmd.OutOrStdout())
	}
	if err != nil {
		return nil, err
	}
	return &s.answered, s.run(cmd.Context())
}

// certificate is the user's, or one for all names by which the replay may be reached.
func (o *replayOptions) certificate(host string, recorded []string, outlook bool) (certificate, error) {
	if o.tlsCert != "" {
		return readCertificate(o.tlsCert, o.tlsKey)
	}
	names := []string{"localhost", "127.0.0.1", "::1", host}
	if outlook {
		names = append(names, "outlook.office.com", "outlook.office365.com") // which the clients of the time have built in, whichever of them was asked
	}
	for _, h := range recorded {
		if name, _, err := net.SplitHostPort(h); err == nil {
			h = name
		}
		names = append(names, h)
	}
	return selfSigned(names, time.Now())
}

// tellAnswer says, on one line, what a request got. It says nothing of what the request says: that may hold secrets.
func tellAnswer(w io.Writer, a *replay.Answer, err error) {
	line := fmt.Sprintf("%d %s", a.Status, a.Kind)
	if a.Kind == replay.Derived {
		line += fmt.Sprintf(", %d rows", a.Rows)
	}
	if a.Seq >= 0 {
		line += fmt.Sprintf(", entry %d", a.Seq)
	}
	if a.Kind == replay.NotRecorded {
		line += ": " + a.Text
	}
	if err != nil {
		line += "; not to its end"
	}
	fmt.Fprintln(w, cli.EscapeLine(line))
}
