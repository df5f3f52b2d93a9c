package killtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// gate lets answers pass, but for one that it holds until the client goes away.
type gate struct {
	mu     sync.Mutex
	in     int           // the answer to hold is the in-th from now; 0 for none
	closed chan struct{} // is closed when the answer is held
}

// hold makes the gate hold the n-th answer from now, and returns what is closed when it does.
func (g *gate) hold(n int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in, g.closed = n, make(chan struct{})
	return g.closed
}

// pass is how the service waits before it answers.
func (g *gate) pass(ctx context.Context, _ time.Duration) error {
	g.mu.Lock()
	held := g.in == 1
	g.in = max(0, g.in-1)
	if held {
		close(g.closed)
	}
	g.mu.Unlock()
	if !held {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// service is the simulated service, which survives what is killed, and where the children of one worker find it. Its log tells what was asked; so cases of one service
// come one after the other.
type service struct {
	*simtenant.Tenant
	t     testing.TB
	dir   string
	url   string
	gate  gate // that all answers go through
	pem   []byte
	want  map[target][]string // ids of all records, in order
	cases int
	bases map[string]*base
	// lengths of what goes on undisturbed
	lengths map[string]time.Duration
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), want: map[target][]string{}, bases: map[string]*base{}, lengths: map[string]time.Duration{}}
	if err := os.Mkdir(s.temp(), 0o700); err != nil {
		t.Fatal(err)
	}
	slow, err := simtenant.ParseFaults("slow@1+:1s")
	if err != nil {
		t.Fatal(err)
	}
	if s.Tenant, err = simtenant.New(simtenant.Options{Seed: 3, Pages: s.pages(), Faults: slow, Wait: s.gate.pass}); err != nil {
		t.Fatal(err)
	}
	server, err := s.Tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s.url, s.pem = server.URL(), server.CAPEM()
	for name, content := range map[string]string{"ca.pem": string(s.pem), "token": s.Token() + "\n"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start, end := time.Date(2018, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 6, 11, 0, 0, 0, 0, time.UTC)
	for _, a := range s.Activities(simtenant.Apostrophe) {
		if !a.Time.Before(start) && a.Time.Before(end) {
			s.want[mailbox] = append(s.want[mailbox], a.ID)
		}
	}
	if len(s.want[mailbox]) < 50 {
		t.Fatalf("%d activities: too few to mean anything", len(s.want[mailbox]))
	}
	return s
}

func (s *service) token() (*auth.Token, error) { return auth.TokenFile(filepath.Join(s.dir, "token")) }

// folderFor makes a folder for one more case.
func (s *service) folderFor() (string, error) {
	s.cases++
	dir := filepath.Join(s.dir, fmt.Sprintf("%04d", s.cases))
	return dir, os.Mkdir(dir, 0o700)
}

// newCase makes a case in a folder.
func newCase(dir string) error {
	keys, err := signers()
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := casefile.New(ctx, environment(), dir, casefile.NewOptions{Signers: keys,
		Fields: []evidence.Pair{{Name: "case-number", Value: "2018-7"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}})
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

// command is a child, not started yet.
func (s *service) command(j job) (*exec.Cmd, *bytes.Buffer, error) {
	j.URL, j.CA, j.Token = s.url, filepath.Join(s.dir, "ca.pem"), filepath.Join(s.dir, "token")
	text, err := json.Marshal(j)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+string(text), "GOMAXPROCS=2")
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr, nil
}

// errKilled says that a child died as it should.
var errKilled = errors.New("killed")

// run runs a child to its end, which is errKilled, nil, or an error with what the child said.
func (s *service) run(j job) error {
	cmd, stderr, err := s.command(j)
	if err != nil {
		return err
	}
	return ending(cmd.Run(), stderr)
}

// exitError is the end of a child that failed and was not killed.
type exitError struct {
	code int
	said string
}

func (e *exitError) Error() string { return fmt.Sprintf("child ends with %d: %s", e.code, e.said) }

func ending(err error, stderr *bytes.Buffer) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return err
	case exit.ExitCode() == -1 && stderr.Len() == 0: // by a signal; a panic or a race report ends with a code
		return errKilled
	}
	return &exitError{exit.ExitCode(), strings.TrimSpace(stderr.String())}
}

// base is a case in the state that a phase begins with. Each death gets a copy of it.
type base struct {
	dir string // with the case in "case" and the acknowledgements in "acks"
}

// copied copies a base into a new folder.
func (s *service) copied(b *base) (string, error) {
	dir, err := s.folderFor()
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, os.DirFS(b.dir))
}

func caseIn(dir string) string { return filepath.Join(dir, "case") }

func acksIn(dir string) string { return filepath.Join(dir, "acks") }

// requestsFrom is what was asked from the n-th request on.
func (s *service) requestsFrom(n int) []simtenant.Request { return slices.Clone(s.Requests()[n:]) }
