package killtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopSignals ask a process to stop.
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// heed makes programs that a test starts heed every signal, also where the test itself was started to ignore some, as by nohup: a program heeds by default what the one
// that started it listens to.
func heed(t *testing.T) {
	for _, s := range stopSignals() {
		if signal.Ignored(s) {
			listening := make(chan os.Signal, 1)
			signal.Notify(listening, s)
			t.Cleanup(func() { signal.Stop(listening) })
		}
	}
}

// disturbance is something that comes from outside to a command of the programs.
type disturbance struct {
	name string
	base string
	cmd  func(s *service, bin, dir string) (*exec.Cmd, error)
	do   func(ctx context.Context, x *disturbed) error
}

// disturbed is a command under way.
type disturbed struct {
	*judge
	kind    disturbance
	random  *rand.Rand
	length  time.Duration // of the command, undisturbed
	cmd     *exec.Cmd
	talk    *talk // what it says
	signals []syscall.Signal
}

func exhibit(args func(*service, string) []string) func(*service, string, string) (*exec.Cmd, error) {
	return func(s *service, bin, dir string) (*exec.Cmd, error) {
		return s.program(bin, "exhibit", args(s, dir)...)
	}
}

// disturbances are those of row F21.
func disturbances() []disturbance {
	acquiring, sealing := exhibit((*service).acquireArgs), exhibit((*service).sealArgs)
	return []disturbance{
		{name: "acquire, a signal to stop", base: "new", cmd: acquiring, do: stopped},
		{name: "resume, a signal to stop", base: "killed", cmd: acquiring, do: stopped},
		{name: "seal, a signal to stop", base: "acquired", cmd: sealing, do: stopped},
		{name: "acquire, two signals with a request in flight", base: "new", cmd: acquiring, do: brokenOff},
		{name: "acquire, three signals with a request in flight", base: "killed", cmd: acquiring, do: ended},
		{name: "acquire, two signals at any time", base: "new", cmd: acquiring, do: twice},
		{name: "seal, two signals at any time", base: "acquired", cmd: sealing, do: twice},
		{name: "acquire, its listener goes away", base: "new", cmd: acquiring, do: unheard},
		{name: "seal, its listener goes away", base: "acquired", cmd: sealing, do: unheard},
		{name: "acquire, SIGPIPE", base: "killed", cmd: acquiring, do: shrugged},
		{name: "seal, SIGPIPE", base: "acquired", cmd: sealing, do: shrugged},
		{name: "acquire under nohup, SIGHUP", base: "new", cmd: nohup(acquiring), do: hungUp},
		{name: "extract, its reader goes away", base: "sealed", cmd: extracting("-"), do: unread},
		{name: "extract, a signal to stop", base: "sealed", cmd: extracting("records"), do: unextracted},
	}
}

// extracting extracts into a file beside the case.
func extracting(out string) func(*service, string, string) (*exec.Cmd, error) {
	return func(s *service, bin, dir string) (*exec.Cmd, error) {
		cmd, err := s.program(bin, "exhibit-verify", "extract", caseIn(dir), "-o", out)
		if err == nil {
			cmd.Dir = dir
		}
		return cmd, err
	}
}

// talk keeps what a process says, and tells when it says one thing. It is safe for concurrent use.
type talk struct {
	mu    sync.Mutex
	all   bytes.Buffer
	await string
	said  chan struct{} // is closed when it was said
}

func newTalk(await string) *talk { return &talk{await: await, said: make(chan struct{})} }

func (k *talk) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.await != "" && strings.Contains(k.all.String(), k.await)
	k.all.Write(p)
	if !before && k.await != "" && strings.Contains(k.all.String(), k.await) {
		close(k.said)
	}
	return len(p), nil
}

func (k *talk) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all.String()
}

// disturb lets a disturbance happen to a copy of its base, at a time drawn by seed and number, and judges what is left.
func (s *service) disturb(ctx context.Context, bin string, n uint64, kind disturbance) (*disturbed, error) {
	b, err := s.base(kind.base)
	if err != nil {
		return nil, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, err
	}
	length, err := s.lasts(kind.name, kind.base, func(dir string) error {
		cmd, err := kind.cmd(s, bin, dir)
		if err != nil {
			return err
		}
		return cmd.Run()
	})
	if err != nil {
		return nil, err
	}
	x := &disturbed{length: length, judge: &judge{service: s, dir: dir, from: len(s.Requests())}, kind: kind, random: rand.New(rand.NewPCG(*seed, n)),
		talk: newTalk("interrupt again to break them off")}
	if x.cmd, err = kind.cmd(s, bin, dir); err != nil {
		return nil, err
	}
	x.cmd.Stderr = x.talk
	if err := kind.do(ctx, x); err != nil {
		return nil, fmt.Errorf("%w; it said %q", err, x.talk)
	}
	left, err := os.ReadDir(s.temp())
	if err == nil && len(left) > 0 {
		x.say("%d temporary files are left, %s", len(left), left[0].Name())
		err = os.RemoveAll(filepath.Join(s.temp(), left[0].Name()))
	}
	return x, errors.Join(err, os.RemoveAll(dir))
}

// any draws a signal that asks to stop, another one than before: two of the same may come as one.
func (x *disturbed) any() os.Signal {
	for {
		sig := stopSignals()[x.random.IntN(3)].(syscall.Signal)
		if len(x.signals) == 0 || x.signals[len(x.signals)-1] != sig {
			x.signals = append(x.signals, sig)
			return sig
		}
	}
}

// run runs the command and sends it signals, each after a time. It returns its end: nil, or an *exec.ExitError.
func (x *disturbed) run(signals ...os.Signal) error {
	in := time.Duration((0.05 + x.random.Float64()) * float64(x.length))
	if err := x.cmd.Start(); err != nil {
		return err
	}
	var timers []*time.Timer
	for i, sig := range signals {
		timers = append(timers, time.AfterFunc(in+time.Duration(i)*in/10, func() { _ = x.cmd.Process.Signal(sig) })) // it may have ended
	}
	err := x.cmd.Wait()
	for _, t := range timers {
		t.Stop()
	}
	return onlyExit(err)
}

// onlyExit returns nil for what a command's exit code tells.
func onlyExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// orderly requires of an exhibit that was asked to stop once, or twice, that it did in order and says how to go on; or came to its end; or had not begun.
func (x *disturbed) orderly(ctx context.Context) {
	state := x.cmd.ProcessState
	_, err := os.Stat(caseIn(x.dir) + "/package.note")
	sealed, seals := err == nil, x.kind.base == "acquired"
	changed, err := x.changed()
	if x.failed("files", err) {
		return
	}
	switch sig := signalOf(state); {
	case state.ExitCode() == exitInterrupted:
		for _, want := range []string{"interrupted: ", "next: to go on, run `exhibit "} {
			if !strings.Contains(x.talk.String(), want) {
				x.say("it does not say %q: %q", want, x.talk)
			}
		}
		if sealed {
			x.say("it says that it was interrupted, and the case is sealed")
		}
	case state.ExitCode() == 0:
		if seals != sealed {
			x.say("it ends with 0, seal %v, sealed %v", seals, sealed)
		}
	case sig != 0 && len(x.signals) > 0:
		if changed != nil {
			x.say("it died of %v amid its work; changed: %q", sig, changed)
		}
	default:
		x.say("it ends with %v: %q", state, x.talk)
	}
	x.all(ctx)
	if changed != nil && (x.unclean || x.torn) {
		x.say("it left a run without an end (%v) or a torn tail (%v): %q", x.unclean, x.torn, x.talk)
	}
}

// changed lists what the command changed.
func (x *disturbed) changed() ([]string, error) {
	b, err := x.base(x.kind.base)
	if err != nil {
		return nil, err
	}
	before, err := filesOf(caseIn(b.dir))
	if err != nil {
		return nil, err
	}
	now, err := filesOf(caseIn(x.dir))
	return differ(before, now), err
}

// stopped is one signal to stop at any time.
func stopped(ctx context.Context, x *disturbed) error {
	if err := x.run(x.any()); err != nil {
		return err
	}
	x.orderly(ctx)
	return nil
}

// twice is two signals to stop at any time.
func twice(ctx context.Context, x *disturbed) error {
	if err := x.run(x.any(), x.any()); err != nil {
		return err
	}
	x.orderly(ctx)
	return nil
}

// shrugged is a signal that changes nothing.
func shrugged(ctx context.Context, x *disturbed) error { return x.unmoved(ctx, syscall.SIGPIPE) }

// hungUp is the signal that a terminal sends when it goes away, to a command that was told not to mind it.
func hungUp(ctx context.Context, x *disturbed) error { return x.unmoved(ctx, syscall.SIGHUP) }

func (x *disturbed) unmoved(ctx context.Context, sig os.Signal) error {
	if err := x.run(sig); err != nil {
		return err
	}
	x.finished()
	x.all(ctx)
	return nil
}

// nohup makes a command begin with SIGHUP ignored.
func nohup(begin func(*service, string, string) (*exec.Cmd, error)) func(*service, string, string) (*exec.Cmd, error) {
	return func(s *service, bin, dir string) (*exec.Cmd, error) {
		cmd, err := begin(s, bin, dir)
		if err != nil {
			return nil, err
		}
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, cmd.Args...)
		return cmd, nil
	}
}

func (x *disturbed) finished() {
	if code := x.cmd.ProcessState.ExitCode(); code != 0 {
		x.say("it ends with %v: %q", x.cmd.ProcessState, x.talk)
	}
}

// hold starts the command and waits until the service holds an answer back.
func (x *disturbed) hold() error {
	held := x.gate.hold(1 + x.random.IntN(8))
	if err := x.cmd.Start(); err != nil {
		return err
	}
	return x.await(held, "no request came")
}

// told waits until the program says what a second signal will do.
func (x *disturbed) told() error { return x.await(x.talk.said, "the signal is not answered") }

// await waits for a channel to be closed, and kills the command if that takes too long.
func (x *disturbed) await(c <-chan struct{}, what string) error {
	select {
	case <-c:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New(what), x.cmd.Process.Kill(), x.cmd.Wait())
	}
}

// brokenOff is two signals while the service hangs: the request is broken off, and recorded.
func brokenOff(ctx context.Context, x *disturbed) error {
	if err := x.hold(); err != nil {
		return err
	}
	if err := x.cmd.Process.Signal(x.any()); err != nil {
		return err
	}
	if err := x.told(); err != nil {
		return err
	}
	if err := errors.Join(x.cmd.Process.Signal(x.any()), onlyExit(x.cmd.Wait())); err != nil {
		return err
	}
	if code := x.cmd.ProcessState.ExitCode(); code != exitInterrupted {
		x.say("it ends with %v", x.cmd.ProcessState)
	}
	x.orderly(ctx)
	return nil
}

// ended is three signals while the service hangs: the third may end the process before it is done, as SIGKILL does.
func ended(ctx context.Context, x *disturbed) error {
	if err := x.hold(); err != nil {
		return err
	}
	for range 2 {
		if err := x.cmd.Process.Signal(x.any()); err != nil {
			return err
		}
		if err := x.told(); err != nil {
			return err
		}
	}
	_ = x.cmd.Process.Signal(x.any()) // it may have ended
	if err := onlyExit(x.cmd.Wait()); err != nil {
		return err
	}
	if state := x.cmd.ProcessState; state.ExitCode() != exitInterrupted && signalOf(state) == 0 {
		x.say("it ends with %v", state)
	}
	x.all(ctx)
	return nil
}

// unheard is a listener to what the program says that goes away after some bytes. The program comes to its end.
func unheard(ctx context.Context, x *disturbed) error {
	heard, err := x.deafAfter(&x.cmd.Stderr, int64(x.random.IntN(60)))
	if err != nil {
		return err
	}
	x.talk.Write(heard)
	x.finished()
	x.all(ctx)
	return nil
}

// deafAfter runs the command with one of its streams read for so many bytes and then closed.
func (x *disturbed) deafAfter(stream *io.Writer, n int64) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	*stream = w
	if err := errors.Join(x.cmd.Start(), w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	heard, err := io.ReadAll(io.LimitReader(r, n))
	return heard, errors.Join(err, r.Close(), onlyExit(x.cmd.Wait()))
}

// unread is a reader of the records that goes away after some bytes, as head does: the program does not say that all is well, and leaves nothing.
func unread(ctx context.Context, x *disturbed) error {
	heard, err := x.deafAfter(&x.cmd.Stdout, int64(x.random.IntN(100_000)))
	if err != nil {
		return err
	}
	if whole := bytes.Count(heard, []byte("\n")) >= len(x.want[mailbox]); x.cmd.ProcessState.ExitCode() == 0 && !whole {
		x.say("it ends with 0 and %d bytes were read", len(heard))
	}
	x.crashed(ctx)
	x.done()
	return nil
}

// unextracted is a signal to stop: the file of records is there, whole, or not at all.
func unextracted(ctx context.Context, x *disturbed) error {
	if err := x.run(x.any()); err != nil {
		return err
	}
	records, err := os.ReadFile(filepath.Join(x.dir, "records"))
	code := x.cmd.ProcessState.ExitCode()
	switch {
	case code == 0 && bytes.Count(records, []byte("\n")) != len(x.want[mailbox]):
		x.say("it ends with 0, and the file has %d lines, %v", bytes.Count(records, []byte("\n")), err)
	case code != 0 && !errors.Is(err, os.ErrNotExist):
		x.say("it ends with %v and leaves a file of %d bytes, %v", x.cmd.ProcessState, len(records), err)
	}
	x.crashed(ctx)
	x.done()
	return nil
}

// TestSignals is row F21: signals and closed pipes, at random, to the programs as they are.
func TestSignals(t *testing.T) {
	heed(t)
	bin := programs(t)
	kinds := disturbances()
	cases := len(kinds)
	if *full {
		cases *= 10
	}
	t.Logf("%d disturbances, seed %d (-kill.seed); -kill.full tries %d", cases, *seed, 10*len(kinds))
	c := newCount()
	each(t, upTo(cases), func(s *service, n uint64) bool {
		kind := kinds[n%uint64(len(kinds))]
		x, err := s.disturb(t.Context(), bin, n, kind)
		if err != nil {
			t.Errorf("case %d of seed %d, %s: %v", n, *seed, kind.name, err)
			return true
		}
		for _, w := range x.wrong {
			t.Errorf("case %d of seed %d, %s %v: %s", n, *seed, kind.name, x.signals, w)
		}
		c.add(fmt.Sprintf("%s: %v", kind.name, x.cmd.ProcessState), false, true, x.judge)
		return true
	})
	c.log(t)
}

// TestSignalHarnessCatches plants a program that ends at a signal without the end of its run.
func TestSignalHarnessCatches(t *testing.T) {
	s := newService(t)
	deaf := disturbance{name: "a program in a hurry", base: "new", do: stopped, cmd: func(s *service, _, dir string) (*exec.Cmd, error) {
		cmd, _, err := s.command(job{Phase: phaseRun, Plant: plantNoStop}.in(dir))
		return cmd, err
	}}
	caughtAfter(t, limit, func(i int) (*judge, error) {
		x, err := s.disturb(t.Context(), "", uint64(i), deaf)
		if err != nil {
			return nil, err
		}
		return x.judge, nil
	})
}
