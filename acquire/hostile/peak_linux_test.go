package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// peakIsMeasured says that measure notes a peak.
const peakIsMeasured = true

// measure runs the program named by the arguments and notes its peak memory. It is a process of its own because the system counts the memory that the parent had when it started a child.
func measure(file string) int {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		if err := os.WriteFile(file, []byte(strconv.FormatInt(int64(usage.Maxrss), 10)), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return cmd.ProcessState.ExitCode()
}
