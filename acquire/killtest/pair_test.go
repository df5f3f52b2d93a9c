package killtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// pair is two processes on one case.
type pair struct {
	name  string
	first phase
	base  string
	pages int64 // that the first has taken when the second comes
	meet  func(context.Context, *encounter) error
}

// pairs lists them; go test takes one number of pages, the campaign six.
func pairs() (all []pair) {
	for pages := range int64(6) {
		for _, p := range []pair{
			{name: "acquire and acquire", first: phaseHold, meet: refused(phaseRun)},
			{name: "acquire and seal", first: phaseHold, meet: refused(phasePack)},
			{name: "seal and acquire", first: phaseHoldNow, base: "acquired", meet: refused(phaseRun)},
			{name: "acquire and check", first: phaseAcquire, meet: checked},
			{name: "two at the same time", first: phaseWork, meet: raced},
			{name: "the lock of a killed process", first: phaseHold, meet: stale},
			{name: "the lock of a copied folder", first: phaseHold, meet: twin},
		} {
			p.pages = pages*3 + 1
			all = append(all, p)
		}
	}
	return all
}

// encounter is a pair that meets.
type encounter struct {
	*judge
	cmd    *exec.Cmd // the first process
	stderr *bytes.Buffer
	stdin  io.Closer
}

// begin starts the first process and waits until it holds the case, if it is one that does.
func (s *service) begin(p pair) (*encounter, error) {
	b, err := s.base(cmp.Or(p.base, "new"))
	if err != nil {
		return nil, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, err
	}
	e := &encounter{judge: &judge{service: s, dir: dir, from: len(s.Requests())}}
	if e.cmd, e.stderr, err = s.command(job{Phase: p.first, Pages: p.pages}.in(dir)); err != nil {
		return nil, err
	}
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	if p.first != phaseHold && p.first != phaseHoldNow {
		return e, nil
	}
	if said, err := io.ReadAll(io.LimitReader(stdout, 4)); string(said) != "open" {
		return nil, errors.Join(fmt.Errorf("the first process says %q: %w", said, err), e.cmd.Wait(), errors.New(e.stderr.String()))
	}
	return e, nil
}

// let lets the first process go on, and waits for its end.
func (e *encounter) let() error {
	return errors.Join(e.stdin.Close(), ending(e.cmd.Wait(), e.stderr))
}

// refused is a second process that comes while the first holds the case: it is told who does, and changes nothing.
func refused(second phase) func(context.Context, *encounter) error {
	return func(_ context.Context, e *encounter) error {
		before, err := filesOf(caseIn(e.dir))
		if err != nil {
			return err
		}
		err = e.run(job{Phase: second}.in(e.dir))
		var exit *exitError
		holder := fmt.Sprintf(`is in use by process %d on %q since `, e.cmd.Process.Pid, here())
		if !errors.As(err, &exit) || exit.code != exitLocked || !strings.Contains(exit.said, holder) || !strings.HasSuffix(exit.said, ": exhibit acquire") {
			e.say("the second process: %v", err)
		}
		after, err := filesOf(caseIn(e.dir))
		if err != nil {
			return err
		}
		if d := differ(before, after); d != nil {
			e.say("the second process changed %q", d)
		}
		return e.let()
	}
}

// checked is a check, again and again while the first process writes, with heads and segments in short order.
func checked(ctx context.Context, e *encounter) error {
	ended := make(chan error, 1)
	go func() { ended <- e.let() }()
	for {
		r, _ := e.check(ctx)
		e.done()
		if r != nil && r.Exit() != verify.ExitIncomplete {
			e.say("a check beside a process that writes ends with %d: %v", r.Exit(), codes(r))
		}
		e.checks++
		select {
		case err := <-ended:
			return err
		default:
		}
	}
}

// raced is a second process that starts together with the first. Whoever comes too late is told so; one at least comes to the end.
func raced(_ context.Context, e *encounter) error {
	second := e.run(job{Phase: phaseWork}.in(e.dir))
	first := e.let()
	if first != nil && second != nil {
		e.say("neither came to the end: %v; %v", first, second)
	}
	for _, err := range []error{first, second} {
		var exit *exitError
		if err != nil && (!errors.As(err, &exit) || exit.code != exitLocked && !strings.Contains(exit.said, evidence.ErrSealed.Error())) {
			e.say("one ends with %v", err)
		}
	}
	return nil
}

// stale is a second process that comes when the first was killed: the lock that it left keeps nobody out.
func stale(_ context.Context, e *encounter) error {
	pid := e.cmd.Process.Pid
	if err := errors.Join(e.cmd.Process.Kill(), e.stdin.Close()); err != nil {
		return err
	}
	if err := ending(e.cmd.Wait(), e.stderr); !errors.Is(err, errKilled) {
		return err
	}
	left, err := os.ReadFile(filepath.Join(caseIn(e.dir), evidence.WorkPath, "lock"))
	if err != nil || !strings.Contains(string(left), fmt.Sprint(pid)) {
		e.say("the lock that was left is %q, %v: not what this is about", left, err)
	}
	return e.run(job{Phase: phaseWork}.in(e.dir))
}

// twin is a second process on a copy of the folder, made while the first holds the case: the copied lock keeps nobody out, and both come to their ends.
func twin(ctx context.Context, e *encounter) error {
	copied, err := e.folderFor()
	if err != nil {
		return err
	}
	if err := os.CopyFS(copied, os.DirFS(e.dir)); err != nil {
		return err
	}
	if err := e.run(job{Phase: phaseWork}.in(copied)); err != nil {
		return fmt.Errorf("on the copy: %w", err)
	}
	other := &judge{service: e.service, dir: copied, from: e.from}
	other.all(ctx)
	for _, w := range other.wrong {
		e.say("the copy: %s", w)
	}
	e.from = len(e.Requests()) // what was asked for the copy is none of the first's
	return errors.Join(e.let(), os.RemoveAll(copied))
}

// meet lets a pair meet and judges what came of it.
func (s *service) meet(ctx context.Context, p pair) (*judge, error) {
	e, err := s.begin(p)
	if err != nil {
		return nil, err
	}
	if err := p.meet(ctx, e); err != nil {
		return nil, err
	}
	e.all(ctx)
	return e.judge, os.RemoveAll(e.dir)
}

// TestTwoOnOneCase is row F17: there is one writer, and the second is told who.
func TestTwoOnOneCase(t *testing.T) {
	all := pairs()
	list := all
	if !*full {
		list = all[:len(all)/6]
		t.Logf("%d of %d pairs; -kill.full tries all", len(list), len(all))
	}
	c := newCount()
	each(t, list, func(s *service, p pair) bool {
		v, err := s.meet(t.Context(), p)
		if err != nil {
			t.Errorf("%s, %d pages: %v", p.name, p.pages, err)
			return true
		}
		for _, w := range v.wrong {
			t.Errorf("%s, %d pages: %s", p.name, p.pages, w)
		}
		c.pair(p.name, v)
		return true
	})
	c.log(t)
}
