package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// holdSecret is a program that has what standard input says in memory, and minds no core dumps: what TestNoCore must notice. With an argument it minds them, and says
// what the system makes of that.
func holdSecret() {
	if len(os.Args) > 1 {
		cli.NoCore(os.Stderr)
		var limit unix.Rlimit
		dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		fmt.Println("dumpable", dumpable, err, "limit", unix.Getrlimit(unix.RLIMIT_CORE, &limit), limit)
		return
	}
	secret, err := io.ReadAll(os.Stdin)
	fmt.Fprintln(os.Stderr, "held:", len(secret), err)
	time.Sleep(time.Hour) // it is killed
	os.Stdout.Write(secret)
}

// TestNoCore is row K4: both programs die by SIGABRT and SIGQUIT, with GOTRACEBACK=crash and no limit on cores, while they hold secrets, and leave no core. What they
// print of their death holds none of the secrets either. A program without that care leaves a core that does.
func TestNoCore(t *testing.T) {
	if err := exec.Command("sh", "-c", "ulimit -c unlimited").Run(); err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatalf("the hard limit on cores cannot be lifted: %v", err)
		}
		t.Skipf("NOT TESTED, the hard limit on cores cannot be lifted (%v): that no core is left", err)
	}
	const canary = "canary-of-the-control-4f1c0e57"
	d := &dying{signal: syscall.SIGABRT, secrets: []string{canary}}
	d.die(t, func() { d.start(t, strings.NewReader(canary), "hold-secret"); <-d.said })
	if !d.core {
		t.Fatal("the control leaves no core: this test can fail nowhere")
	}
	if pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || strings.ContainsAny(string(pattern), "|/") {
		t.Logf("NOT TESTED: that the core of the control holds its secret, because cores go elsewhere (%q, %v)", pattern, err)
	} else if len(d.leaks) == 0 {
		t.Error("the core of the control does not hold its secret")
	}
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT} {
		for name, hold := range map[string]func(*testing.T, *dying){"acquire": holdToken, "check": holdPassphrase} {
			t.Run(name+", "+sig.String(), func(t *testing.T) {
				d := &dying{signal: sig}
				d.die(t, func() { hold(t, d) })
				if d.core || len(d.leaks) > 0 {
					t.Errorf("core %t, secrets found %q", d.core, d.leaks)
				}
			})
		}
	}
	// The limit alone would not do where cores are piped to a program.
	if out, err := exec.Command("hold-secret", "guarded").Output(); string(out) != "dumpable 0 <nil> limit <nil> {0 0}\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// dying is a program that is started, holds secrets, and is killed.
type dying struct {
	signal  syscall.Signal
	secrets []string
	cmd     *exec.Cmd
	talk    *watcher
	said    chan struct{} // closed once the control holds its secret
	core    bool          // the kernel says that it wrote one
	leaks   []string      // where secrets were found
}

// start starts a program in a folder of its own, without a limit on cores.
func (d *dying) start(t *testing.T, in io.Reader, args ...string) {
	t.Helper()
	d.cmd = exec.Command("sh", append([]string{"-c", `ulimit -c unlimited && exec "$0" "$@"`}, args...)...)
	d.cmd.Dir, d.cmd.Stdin = t.TempDir(), in
	d.cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	d.said = make(chan struct{})
	d.talk = &watcher{seen: func() { close(d.said) }, pattern: "held:"}
	d.cmd.Stderr = d.talk
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// die kills a program once hold has made it hold its secrets, and looks at what it leaves.
func (d *dying) die(t *testing.T, hold func()) {
	t.Helper()
	hold()
	if err := d.cmd.Process.Signal(d.signal); err != nil {
		t.Fatal(err)
	}
	d.cmd.Wait()
	status := d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || !strings.Contains(d.talk.all.String(), "goroutine") {
		t.Fatalf("it did not die as it should: %v\n%s", d.cmd.ProcessState, clip(d.talk.all.Bytes()))
	}
	d.core = status.CoreDump()
	files, err := filepath.Glob(filepath.Join(d.cmd.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range d.secrets {
		forms := secretForms(secret)
		d.leaks = append(d.leaks, findSecret("what it printed", d.talk.all.Bytes(), forms)...)
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d.leaks = append(d.leaks, findSecret(filepath.Base(file), b, forms)...)
		}
	}
}

// holdToken lets exhibit wait for an answer, with a token and a signing key that has a passphrase.
func holdToken(t *testing.T, d *dying) {
	asked := make(chan struct{})
	s := serve(t, simtenant.Options{Seed: 1, Wait: func(ctx context.Context, _ time.Duration) error {
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}}, "slow@1:1s")
	passphrase := passphraseFile(t)
	key := filepath.Join(t.TempDir(), "keys", "mine")
	signing := []string{"--key-file", key, "--passphrase-file", passphrase}
	for _, args := range [][]string{append([]string{"key", "new"}, signing...), append([]string{"case", "new", s.dir + "2", "--case-number", "1", "--exhibit", "1", "--examiner", "E"}, signing...)} {
		if _, code := exhibit(t, args...); code != cli.Done {
			t.Fatal("exit code ", code)
		}
	}
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	s.flags[1] = s.dir + "2"
	d.secrets = []string{s.tenant.Token(), passphraseOf(t), string(private)}
	d.start(t, nil, append(append([]string{"exhibit"}, s.mailbox()...), signing...)...)
	<-asked
}

// holdPassphrase lets exhibit-verify wait for the rest of an encrypted case, with its passphrase. What the pipe does not hold has been read, and that is more than the
// header.
func holdPassphrase(t *testing.T, d *dying) {
	s := serve(t, simtenant.Options{Seed: 1}, "")
	passphrase, packed := passphraseFile(t), filepath.Join(t.TempDir(), "case.age")
	for _, args := range [][]string{{"seal", s.dir, "--yes"}, {"pack", s.dir, "-o", packed, "--passphrase-file", passphrase}} {
		if _, code := exhibit(t, args...); code != cli.Done {
			t.Fatal("exit code ", code)
		}
	}
	b, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close(); in.Close() })
	size, err := unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil || len(b) < 4*size {
		t.Fatalf("a pipe of %d bytes for %d, %v", size, len(b), err)
	}
	d.secrets = []string{passphraseOf(t)}
	d.start(t, out, os.Getenv(verifierVar), "check", "-", "--passphrase-file", passphrase)
	if _, err := io.Copy(in, bytes.NewReader(b[:len(b)-1])); err != nil {
		t.Fatal(err)
	}
}

// passphraseOf is a passphrase that no other test has.
func passphraseOf(t *testing.T) string { return "canary-passphrase of " + t.Name() }

func passphraseFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(name, []byte(passphraseOf(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
