package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals listens for what asks a process to stop. The first closes the channel, the second ends the context, the third ends the process.
func signals(ctx context.Context) (second context.Context, first <-chan struct{}, release func()) {
	second, cancel := context.WithCancel(ctx)
	came := make(chan os.Signal, 2)
	signal.Notify(came, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
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
	return second, stop, func() {
		signal.Stop(came)
		cancel()
	}
}
