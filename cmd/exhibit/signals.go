package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// signals listens for what asks a process to stop. The first closes the channel, the second ends the context, the third ends the process. It listens to the end of
// the process: a signal that comes when all is done must not make it look undone.
func signals(ctx context.Context) (second context.Context, first <-chan struct{}) {
	second, cancel := context.WithCancel(ctx)
	came := make(chan os.Signal, 2)
	if asks := cli.StopSignals(); len(asks) > 0 { // none would mean all
		signal.Notify(came, asks...)
	}
	stop := make(chan struct{})
	go func() {
		for n := 0; n < 2; n++ {
			select {
			case <-came:
			case <-second.Done():
				return
			}
			if n == 0 {
				close(stop)
			}
		}
		signal.Stop(came)
		cancel()
	}()
	return second, stop
}
