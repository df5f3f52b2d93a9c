package killtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// asProgram does the phases that need nothing but what the program itself uses.
func (j *job) asProgram(ctx context.Context, acks io.Writer) error {
	switch j.Phase {
	case phaseHoldNow:
		return j.withCase(ctx, func(c *casefile.Case) error {
			hold()
			return acquire.Seal(ctx, c, acquire.SealOptions{Env: environment()})
		})
	case phasePack:
		return j.pack(ctx, acks)
	case phaseNew:
		if err := j.make(acks); err != nil {
			return err
		}
	}
	err := j.withCase(ctx, func(c *casefile.Case) error {
		held := false
		_, err := j.run(ctx, &acknowledging{c, acks}, func(e acquire.Event) {
			if j.Phase == phaseHold && !held && e.Kind == acquire.EventPage && e.Result.Pages >= j.Pages {
				held = true
				hold()
			}
		})
		return err
	})
	if err == nil && (j.Phase == phaseWork || j.Phase == phaseNew) {
		err = j.pack(ctx, acks)
	}
	return err
}

// hold says that the case is open and waits until the parent ends standard input.
func hold() {
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that counts
}

func (j *job) make(acks io.Writer) error {
	if err := newCase(j.Dir); err != nil {
		return err
	}
	_, err := io.WriteString(acks, ack{done: ackMade}.String())
	return err
}

func (j *job) pack(ctx context.Context, acks io.Writer) error {
	return j.withCase(ctx, func(c *casefile.Case) error {
		err := acquire.Seal(ctx, c, acquire.SealOptions{Env: environment()})
		if err == nil {
			_, err = io.WriteString(acks, ack{done: ackSealed}.String())
		}
		return err
	})
}

func (j *job) withCase(ctx context.Context, do func(*casefile.Case) error) error {
	c, err := openCase(ctx, j.Dir)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close(ctx))
}

// maxTries is how often a lock that nobody holds is tried again.
const maxTries = 10_000

// openCase opens a case as the program does. A lock without a holder was given up by this test: a process that another worker is just starting has a copy of it
// until it executes its program.
func openCase(ctx context.Context, dir string) (*casefile.Case, error) {
	keys, err := signers()
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		c, err := casefile.Open(ctx, environment(), dir, casefile.OpenOptions{Signers: keys})
		var locked *casefile.LockedError
		if !errors.As(err, &locked) || locked.Holder.PID != 0 || try == maxTries {
			return c, err
		}
		runtime.Gosched()
	}
}

// acknowledging notes what was acknowledged.
type acknowledging struct {
	*casefile.Case
	acks io.Writer
}

func (a *acknowledging) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	e, err := a.Case.Append(ctx, d)
	if err == nil {
		_, err = io.WriteString(a.acks, ackOf(e).String())
	}
	return e, err
}
