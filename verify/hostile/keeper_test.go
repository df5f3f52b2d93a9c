//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keeperEnv makes the test program a keeper.
const keeperEnv = "EXHIBIT_HOSTILE_KEEPER"

// A keeper is a small process that starts the children and measures them. The kernel counts the memory of the process that starts another one as that
// one's own, and the test program is large.
type keeper struct {
	mu   sync.Mutex
	jobs *gob.Encoder
	done *gob.Decoder
}

// job is a child to start.
type job struct {
	Program, Dir, Temp string
	Args               []string
	Time               time.Duration
}

func newKeeper(t testing.TB) *keeper {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), keeperEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("keeper: %v", err)
		}
	})
	return &keeper{jobs: gob.NewEncoder(in), done: gob.NewDecoder(out)}
}

func (k *keeper) run(j *job) (*outcome, error) {
	var o outcome
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.jobs.Encode(j); err != nil {
		return nil, err
	}
	return &o, k.done.Decode(&o)
}

// keep starts one child after another until nobody asks for more.
func keep(in io.Reader, out io.Writer) int {
	jobs, done := gob.NewDecoder(in), gob.NewEncoder(out)
	for {
		var j job
		switch err := jobs.Decode(&j); {
		case errors.Is(err, io.EOF):
			return 0
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := done.Encode(j.run()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// limited keeps the first bytes that a child prints.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), max(0, maxOutput-l.b.Len()))])
	return len(p), nil
}

// run starts the child, with bounded memory and time, and waits for it.
func (j *job) run() *outcome {
	ctx, cancel := context.WithTimeout(context.Background(), j.Time)
	defer cancel()
	var stdout, stderr limited
	cmd := exec.CommandContext(ctx, j.Program, j.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = j.Dir, &stdout, &stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + j.Dir, "TMPDIR=" + j.Temp, "PYTHONDONTWRITEBYTECODE=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // a child's own children too
	cmd.WaitDelay = 5 * time.Second
	o := &outcome{Code: -1}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		o.Ended = err.Error()
		return o
	}
	// Private memory that can be written to: what a program allocates, whatever it reserves.
	data := &unix.Rlimit{Cur: maxMemory, Max: maxMemory}
	limitErr := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, data, nil)
	err := cmd.Wait()
	o.Wall, o.Code, o.Stdout, o.Stderr = time.Since(start), cmd.ProcessState.ExitCode(), stdout.b.Bytes(), stderr.b.Bytes()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.Peak = usage.Maxrss << 10
	}
	switch {
	case ctx.Err() != nil:
		o.Ended = fmt.Sprintf("it was still running after %v", j.Time)
	case o.Code < 0:
		o.Ended = err.Error()
	case limitErr != nil && !errors.Is(limitErr, unix.ESRCH):
		o.Ended = "memory without limit: " + limitErr.Error()
	}
	return o
}
