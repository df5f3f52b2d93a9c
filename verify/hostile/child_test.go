//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a child may use, whatever the bundle.
const (
	maxMemory = 1 << 30
	maxTime   = 60 * time.Second
	maxOutput = 16 << 20
)

// desk is where one child after another works: a bundle, an empty working folder, an empty folder for temporary files.
type desk struct {
	program []string // what is run, with the arguments that come first
	dir     string   // of the bundle
	cwd     string
	temp    string
	time    time.Duration
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	top := t.TempDir()
	d := &desk{program: []string{os.Getenv(programEnv)}, dir: filepath.Join(top, "case"), cwd: filepath.Join(top, "cwd"), temp: filepath.Join(top, "tmp"), time: maxTime}
	for _, dir := range []string{d.dir, d.cwd, d.temp} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// python is the same desk with verify.py, the second verifier, at it.
func (d *desk) python(t *testing.T) *desk {
	t.Helper()
	program, err := verifyPy()
	if err != nil {
		untested(t, "verify.py: %v", err)
	}
	p := *d
	p.program = program
	return &p
}

// verifyPy is the command that runs verify.py.
var verifyPy = sync.OnceValues(func() ([]string, error) {
	for _, tool := range []string{"zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, err
		}
	}
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output() // what a wrapper leads to
	if err != nil {
		return nil, fmt.Errorf("python3: %w", err)
	}
	path, err := filepath.Abs("../../evidence/bag/stranger/verify.py")
	return []string{strings.TrimSpace(string(out)), path}, err
})

// outcome is how a child ended.
type outcome struct {
	args           []string
	code           int // -1: it was ended
	ended          string
	stdout, stderr limited
	wall           time.Duration
	peak           int64 // bytes of memory
	left           []string
}

// limited keeps the first bytes that a child prints.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), max(0, maxOutput-l.Len()))])
	return len(p), nil
}

// run lets the program work with the bundle.
func (d *desk) run(args ...string) *outcome {
	ctx, cancel := context.WithTimeout(context.Background(), d.time)
	defer cancel()
	all := append(slices.Clone(d.program[1:]), args...)
	cmd := exec.CommandContext(ctx, d.program[0], all...)
	o := &outcome{args: args, code: -1}
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.cwd, &o.stdout, &o.stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.cwd, "TMPDIR=" + d.temp, "PYTHONDONTWRITEBYTECODE=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // a child's own children too
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		o.ended = err.Error()
		return o
	}
	// Private memory that can be written to: what a program allocates, whatever it reserves.
	data := &unix.Rlimit{Cur: maxMemory, Max: maxMemory}
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, data, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		o.ended = err.Error()
	}
	err := cmd.Wait()
	o.wall, o.code = time.Since(start), cmd.ProcessState.ExitCode()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.peak = usage.Maxrss << 10
	}
	switch {
	case ctx.Err() != nil:
		o.ended = fmt.Sprintf("it was still running after %v", d.time)
	case o.code < 0:
		o.ended = err.Error()
	}
	o.left = append(d.leftIn(d.cwd), d.leftIn(d.temp)...)
	return o
}

// leftIn lists what a child left in a folder that was empty, and takes it away.
func (d *desk) leftIn(dir string) (names []string) {
	left, err := os.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range left {
		names = append(names, e.Name())
		os.RemoveAll(filepath.Join(dir, e.Name()))
	}
	return names
}

// panicText is what no child may print, whatever it is given.
var panicText = regexp.MustCompile(`(?m)^panic: |^fatal error: |^goroutine \d+ \[|runtime error: |^SIG[A-Z]+: |^Traceback \(most recent call last\)|out of memory`)

// common holds a child against the rule of all rows: it ended by itself, in time, within memory, without a panic, with one of the codes, and left nothing.
func (o *outcome) common(codes ...int) error {
	switch {
	case o.ended != "":
		return o.fail("%s", o.ended)
	case panicText.Match(o.stderr.Bytes()) || panicText.Match(o.stdout.Bytes()):
		return o.fail("it printed a panic")
	case o.peak > maxMemory:
		return o.fail("it took %d MiB", o.peak>>20)
	case len(o.left) > 0:
		return o.fail("it left %q", o.left)
	case !slices.Contains(codes, o.code):
		return o.fail("exit code %d is none of %v", o.code, codes)
	}
	return nil
}

func (o *outcome) fail(format string, args ...any) error {
	return fmt.Errorf("%s: %s (exit %d, %v, %d MiB)\n%s%s", strings.Join(o.args, " "), fmt.Sprintf(format, args...), o.code, o.wall.Round(time.Millisecond),
		o.peak>>20, tail(o.stdout.String()), tail(o.stderr.String()))
}

func tail(s string) string {
	const most = 1500
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// finding is one of a report, as --json prints it.
type finding struct {
	Code, Class, Path, Detail string
	Offset, Seq               int64
}

// report is what --json prints of a check.
type report struct {
	Verdict  string
	Exit     int
	Findings []finding
	Codes    []struct{ Code, Meaning, Next string }
}

// parse reads the report and holds it against the exit code.
func (o *outcome) parse() (*report, error) {
	var r report
	if err := json.Unmarshal(o.stdout.Bytes(), &r); err != nil {
		return nil, o.fail("report: %v", err)
	}
	if r.Exit != o.code {
		return nil, o.fail("the report says exit %d", r.Exit)
	}
	return &r, nil
}

// damage reports whether a finding of class damage is about a file, or names it.
func (r *report) damage(file string) bool {
	return slices.ContainsFunc(r.Findings, func(f finding) bool {
		return f.Class == "damage" && (f.Path == file || strings.Contains(f.Detail, file))
	})
}

func (r *report) has(code string) bool {
	return slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Code == code })
}

// check runs a check and returns its report where the common rule holds.
func (d *desk) check(args []string, codes ...int) (*report, *outcome, error) {
	o := d.run(append([]string{"check", "--json", d.dir}, args...)...)
	if err := o.common(codes...); err != nil {
		return nil, o, err
	}
	r, err := o.parse()
	return r, o, err
}
