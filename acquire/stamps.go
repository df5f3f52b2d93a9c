package acquire

import (
	"context"
	"errors"

	"github.com/exhibit-dfir/exhibit/acquire/pause"
	"github.com/exhibit-dfir/exhibit/acquire/stamping"
)

// Stamper has the newest head stamped by time-stamping authorities. It returns when that is in the ledger, or what came instead; its error is the ledger's alone. A [stamping.Stamper] is one.
type Stamper interface {
	Stamp(context.Context) error
}

// stampBeside has heads stamped at once, and then every [stamping.Every], beside the acquisition. The function that it returns ends that, once what was asked is answered or given up.
func (r *run) stampBeside(ctx context.Context) (end func() error) {
	if r.o.Stamps == nil {
		return func() error { return nil }
	}
	beside, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		for {
			err := r.o.Stamps.Stamp(ctx)
			if err != nil || pause.For(beside, stamping.Every) != nil {
				done <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-done
	}
}

// stampStop has the head over a run's end stamped.
func (r *run) stampStop(ctx context.Context, err error) error {
	if r.o.Stamps == nil || err != nil && !errors.Is(err, ErrInterrupted) && !errors.Is(err, ErrAuth) {
		return err
	}
	return errors.Join(err, r.o.Stamps.Stamp(ctx))
}
