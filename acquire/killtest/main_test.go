package killtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// full asks for the whole campaign; go test takes a stated part of it.
var full = flag.Bool("kill.full", false, "the whole campaign: every point, 500 random deaths, 42 pairs of processes, 200 deaths at system calls, 140 disturbances")

// seed begins what is random.
var seed = flag.Uint64("kill.seed", 20261122, "seed of what is random")

func TestMain(m *testing.M) {
	if j := os.Getenv(childJob); j != "" {
		os.Exit(child(j))
	}
	if runtime.GOOS == "windows" {
		fmt.Fprintln(os.Stderr, "NOT TESTED: deaths by SIGKILL; this system cannot tell a killed process from one that failed")
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
