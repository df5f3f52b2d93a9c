package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// exhibit runs the program as a process of its own and returns what it printed and its exit code.
func exhibit(t *testing.T, args ...string) (out []byte, code int) {
	t.Helper()
	cmd := exec.Command("exhibit", args...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("exhibit %q: %d\n%s%s", args, cmd.ProcessState.ExitCode(), clip(out), &talk)
	return out, cmd.ProcessState.ExitCode()
}

func clip(b []byte) []byte { return b[:min(len(b), 1000)] }

// service is a simulated service, a case, and the flags that name both.
type service struct {
	tenant *simtenant.Tenant
	url    string
	dir    string
	flags  []string
}

func serve(t *testing.T, o simtenant.Options, faults string) *service {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config"))
	var err error
	if o.Faults, err = simtenant.ParseFaults(faults); err != nil {
		t.Fatal(err)
	}
	s := &service{dir: filepath.Join(t.TempDir(), "case")}
	if s.tenant, err = simtenant.New(o); err != nil {
		t.Fatal(err)
	}
	server, err := s.tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s.url = server.URL()
	ca, token := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "token")
	for path, b := range map[string][]byte{ca: server.CAPEM(), token: []byte(s.tenant.Token())} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, code := exhibit(t, "case", "new", s.dir, "--case-number", "1", "--exhibit", "1", "--examiner", "E"); code != cli.Done {
		t.Fatal("case new failed")
	}
	s.flags = []string{"--case", s.dir, "--ca-file", ca, "--token-file", token}
	return s
}

// mailbox is the command that acquires the apostrophe's mailbox in one page.
func (s *service) mailbox() []string {
	return append([]string{"acquire", "outlook-activities", "--base-url", s.url, "--user", simtenant.Apostrophe, "--start", demoStart, "--end", demoEnd}, s.flags...)
}

func (s *service) status(t *testing.T) (v statusView) {
	t.Helper()
	out, code := exhibit(t, "status", s.dir, "--json")
	if err := json.Unmarshal(out, &v); err != nil || code != cli.Done {
		t.Fatal(err, code)
	}
	return v
}

// TestInterruptFinishes asks to stop while a request is in flight and lets the service answer after that: the answer is recorded, and nothing is asked twice.
func TestInterruptFinishes(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) { stopInFlight(t, sig) })
	}
}

func stopInFlight(t *testing.T, sig os.Signal) {
	if signal.Ignored(sig) { // the test was started by nohup: what it starts heeds what it listens to itself
		listening := make(chan os.Signal, 1)
		signal.Notify(listening, sig)
		defer signal.Stop(listening)
	}
	arrived, answer := make(chan struct{}), make(chan struct{})
	s := serve(t, simtenant.Options{Seed: 1, Wait: func(ctx context.Context, _ time.Duration) error {
		close(arrived)
		<-answer
		return nil
	}}, "slow@1:1s")
	cmd := exec.Command("exhibit", append(s.mailbox(), "--page-size", "100")...)
	talk := &watcher{pattern: "requests in flight are finished", seen: func() { close(answer) }}
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != cli.Interrupted {
		t.Fatalf("%v, expected exit code 6\n%s", err, &talk.all)
	}
	if w := s.status(t).Windows; len(w) != 1 || w[0].Outcome != "opened" || w[0].Requests != 1 {
		t.Fatalf("after the interrupt: %+v", w)
	}
	if _, code := exhibit(t, append(s.mailbox(), "--page-size", "100")...); code != cli.Done {
		t.Error("the same command does not resume")
	}
	if w := s.status(t).Windows; len(w) != 1 || w[0].Outcome != "complete" || w[0].Requests != 2 || len(s.tenant.Requests()) != 2 {
		t.Errorf("after resuming: %+v, %d requests reached the service; expected 2", w, len(s.tenant.Requests()))
	}
}

// TestInterruptTwice interrupts twice while the service hangs: the request is broken off and recorded as such.
func TestInterruptTwice(t *testing.T) {
	s := serve(t, simtenant.Options{Seed: 1}, "hang@1")
	cmd := exec.Command("exhibit", s.mailbox()...)
	talk := &watcher{pattern: "interrupt again to break them off", seen: func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}}
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3000 { // the request reaches the service
		if len(s.tenant.Requests()) == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != cli.Interrupted {
		t.Fatalf("%v, expected exit code 6\n%s", err, &talk.all)
	}
	if took := time.Since(began); took > 30*time.Second { // a hanging answer is waited for two minutes
		t.Errorf("it took %s", took)
	}
	if w := s.status(t).Windows; len(w) != 1 || w[0].Outcome != "opened" || w[0].Requests != 1 {
		t.Errorf("the request that was broken off is not recorded: %+v", w)
	}
	if _, code := exhibit(t, s.mailbox()...); code != cli.Done {
		t.Error("the same command does not resume")
	}
}

// TestListenerGone closes the reader of the progress before anything is written to it: the run goes on to its end.
func TestListenerGone(t *testing.T) {
	s := serve(t, simtenant.Options{Seed: 1}, "429@1:retry-after=2")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := exec.Command("exhibit", s.mailbox()...)
	cmd.Stderr = w
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	w.Close()
	if v := s.status(t).Windows; len(v) != 1 || v[0].Outcome != "complete" {
		t.Errorf("%+v", v)
	}
}
