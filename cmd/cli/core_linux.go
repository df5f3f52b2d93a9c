package cli

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// noCore asks for both, because each has a hole: a core that is piped to a program (core_pattern with "|") minds no limit, and a program that this one starts
// inherits the limit alone. A process that is not dumpable also gives its memory to no other process of the same user; a debugger needs root.
func noCore() error {
	var errs []error
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("prctl: %w", err))
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("setrlimit: %w", err))
	}
	return errors.Join(errs...)
}
