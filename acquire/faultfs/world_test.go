//go:build linux

package faultfs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// target is what an acquisition asks for.
type target string

const (
	mailbox target = ""      // a small mailbox, in one chain of 9 pages
	large   target = "large" // an answer that is larger than what is held in memory of a record
	noise   target = "noise" // 64 answers of 48 KiB that do not compress
)

// window of the mailbox that is asked for.
const (
	pageSize = "20"
	start    = "2018-05-01T00:00:00Z"
	end      = "2018-06-11T00:00:00Z"
)

// world is a simulated service, a mounted file system with the cases in it, and what a program needs to work on them. It lives in the test's own process, and
// all that works on the mounted file system is a child.
type world struct {
	*simtenant.Tenant
	t     testing.TB
	dir   string // of everything; what is mounted shows dir/real
	mount *Mount // nil where faults are made in the process
	url   string
	pem   []byte
	want  map[target][]string // ids of all records, in order
	cases int
	bases map[string]string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, simtenant.Options{})
}

// newWorldOf makes a world whose service is of a kind.
func newWorldOf(t testing.TB, o simtenant.Options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), want: map[target][]string{}, bases: map[string]string{}}
	var err error
	o.Seed, o.Pages = 3, w.pages()
	if w.Tenant, err = simtenant.New(o); err != nil {
		t.Fatal(err)
	}
	server, err := w.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	w.url, w.pem = server.URL(), server.CAPEM()
	for _, sub := range []string{"real", "seen", "notes"} {
		if err := os.Mkdir(filepath.Join(w.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"ca.pem": string(w.pem), "token": w.Token() + "\n"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := signers()
	if err == nil {
		err = trust.WriteKeyFile(filepath.Join(w.dir, "exhibit", "keys", "default"), keys[0].(*trust.PrivateKey))
	}
	if err != nil {
		t.Fatal(err)
	}
	w.oracle()
	w.mountUp(t)
	return w
}

// oracle asks the service, past all HTTP, what it holds.
func (w *world) oracle() {
	from, err := time.Parse(time.RFC3339, start)
	to, e := time.Parse(time.RFC3339, end)
	if err := errors.Join(err, e); err != nil {
		w.t.Fatal(err)
	}
	for _, a := range w.Activities(simtenant.Apostrophe) {
		if !a.Time.Before(from) && a.Time.Before(to) {
			w.want[mailbox] = append(w.want[mailbox], a.ID)
		}
	}
	if len(w.want[mailbox]) < 50 {
		w.t.Fatalf("%d activities: too few to mean anything", len(w.want[mailbox]))
	}
}

// pages are what the service has besides mailboxes.
func (w *world) pages() map[string][][]byte {
	sets := map[string][][]byte{}
	random := rand.NewChaCha8([32]byte{5})
	for _, set := range []struct {
		of           target
		pages, bytes int
	}{{large, 1, warc.InlineLimit}, {noise, 64, 48 << 10}} {
		for n := range set.pages {
			id := fmt.Sprintf("%s-%d", set.of, n)
			w.want[set.of] = append(w.want[set.of], id)
			b := make([]byte, set.bytes)
			_, _ = random.Read(b) // it never fails
			sets[string(set.of)] = append(sets[string(set.of)], fmt.Appendf(nil, `{"value":[{"id":%q,"noise":"%s"}]}`, id, base64.StdEncoding.EncodeToString(b)))
		}
	}
	return sets
}

func (w *world) token() (*auth.Token, error) { return auth.TokenFile(filepath.Join(w.dir, "token")) }

// signers are the same in all processes.
func signers() ([]trust.Signer, error) {
	key, err := trust.NewKey(strings.NewReader(strings.Repeat("a disk that fails", 8)), "examiner.example/test")
	return []trust.Signer{key}, err
}

// environment is that of this process, which takes its time to find out.
var environment = sync.OnceValues(func() (casefile.Env, error) {
	env, err := casefile.System("test")
	env.Command = []string{"exhibit", "acquire"}
	return env, err
})

// where is a case: its name below dir/real and whatever shows that.
type where struct {
	w    *world
	name string
}

// fresh makes a folder for one more case.
func (w *world) fresh() (where, error) {
	w.cases++
	at := where{w, fmt.Sprintf("%04d", w.cases)}
	return at, os.Mkdir(filepath.Join(w.dir, "real", at.name), 0o700)
}

// real is the case on the disk itself.
func (a where) real() string { return filepath.Join(a.w.dir, "real", a.name, "case") }

// seen is the case on the file system with the fault.
func (a where) seen() string {
	if a.w.mount == nil {
		return a.real()
	}
	return filepath.Join(a.w.dir, "seen", a.name, "case")
}

// acks is the file of acknowledgements, beside the case and on no faulty disk.
func (a where) acks() string { return filepath.Join(a.w.dir, "notes", a.name) }

// newCase makes a case.
func newCase(ctx context.Context, dir string) error {
	env, err := environment()
	if err != nil {
		return err
	}
	keys, err := signers()
	if err != nil {
		return err
	}
	c, err := casefile.New(ctx, env, dir, casefile.NewOptions{Signers: keys,
		Fields: []evidence.Pair{{Name: "case-number", Value: "2018-7"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}})
	if err != nil {
		return err
	}
	return c.Close(ctx)
}

func withCase(ctx context.Context, dir string, do func(*casefile.Case) error) error {
	env, err := environment()
	if err != nil {
		return err
	}
	keys, err := signers()
	if err != nil {
		return err
	}
	c, err := casefile.Open(ctx, env, dir, casefile.OpenOptions{Signers: keys})
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close(ctx))
}

// sealCase seals as the program does.
func sealCase(ctx context.Context, c *casefile.Case) error {
	env, err := environment()
	if err != nil {
		return err
	}
	return acquire.Seal(ctx, c, acquire.SealOptions{Env: env})
}

// ending is how a process came to its end.
type ending struct {
	code int // -1 by a signal
	out  string
	text string // standard error
	late bool   // it had to be killed
}

// longest is how long any process may take.
const longest = 30 * time.Second

// run runs a program to its end.
func run(ctx context.Context, cmd []string, env ...string) (ending, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	c := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGQUIT) } // so that it tells where it hangs
	c.WaitDelay = 5 * time.Second
	c.Env = append(os.Environ(), env...)
	var out, text bytes.Buffer
	c.Stdout, c.Stderr = &out, &text
	err := c.Run()
	e := ending{c.ProcessState.ExitCode(), out.String(), text.String(), ctx.Err() != nil}
	var exit *exec.ExitError
	if errors.As(err, &exit) || c.ProcessState != nil && e.late {
		err = nil
	}
	return e, err
}

// exhibit runs the real program.
func (w *world) exhibit(args ...string) (ending, error) {
	dir, err := programs()
	if err != nil {
		return ending{}, err
	}
	return run(w.t.Context(), append([]string{filepath.Join(dir, "exhibit")}, args...), w.environ()...)
}

// environ is what the real program needs to find its key, and nothing else.
func (w *world) environ() []string {
	return []string{"XDG_CONFIG_HOME=" + w.dir, "TZ=UTC"}
}

// acquireArgs are the arguments of an acquisition that asks for what [options] ask for.
func (w *world) acquireArgs(dir string, of target) []string {
	common := []string{"--case", dir, "--ca-file", filepath.Join(w.dir, "ca.pem"), "--token-file", filepath.Join(w.dir, "token")}
	if of != mailbox {
		return append([]string{"acquire", "http", w.first(of), "--yes"}, common...)
	}
	return append([]string{"acquire", "outlook-activities", "--base-url", w.url, "--user", simtenant.Apostrophe, "--page-size", pageSize, "--start", start, "--end", end}, common...)
}

func (w *world) first(of target) string { return fmt.Sprintf("%s/pages/%s/1", w.url, of) }

// simRequest is a line of the service's log.
type simRequest = simtenant.Request
