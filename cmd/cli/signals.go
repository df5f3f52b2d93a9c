package cli

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// StopSignals are the signals that ask a program to stop, without those that it was started to ignore: by nohup, or by a shell that puts it in the background.
func StopSignals() []os.Signal {
	return slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}
