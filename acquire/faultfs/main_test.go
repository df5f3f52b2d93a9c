//go:build linux

package faultfs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// full asks for the whole campaign; go test takes a stated part of it.
var full = flag.Bool("fault.full", false, "the whole campaign: every operation of every scene, all sizes of a disk")

// some is how many cases of row F6, and of row F7, go test takes.
var some = flag.Int("fault.cases", 12, "cases of each of the two rows of k-th operations, without -fault.full")

// seed begins what is random.
var seed = flag.Uint64("fault.seed", 20261122, "seed of what is random")

// inProcess makes the faults in the process that acquires, as where there is no FUSE.
var inProcess = flag.Bool("fault.inprocess", false, "no FUSE: make the faults through the writer's folder")

func TestMain(m *testing.M) {
	if j := os.Getenv(childJob); j != "" {
		os.Exit(child(j))
	}
	code := m.Run()
	if dir, err := programs(); err == nil {
		err = os.RemoveAll(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// required reports whether what cannot be tested fails the test: where all tools are required, and this is a machine that allows all of it.
func required() bool {
	_, err := os.Stat("/dev/fuse")
	return os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" && os.Geteuid() == 0 && err == nil
}

// notTested says loudly what is not tested, and fails where that is required.
func notTested(t *testing.T, what string) {
	t.Helper()
	if required() {
		t.Fatalf("NOT TESTED: %s", what)
	}
	fmt.Fprintln(os.Stderr, "NOT TESTED:", what)
	t.Skip("NOT TESTED: " + what)
}

// programs builds both programs, once, into a folder.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "faultfs-programs-*")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/exhibit", "../../cmd/exhibit-verify").CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("programs: %w: %s", err, out), os.RemoveAll(dir))
	}
	return dir, os.Chmod(dir, 0o755) // for accounts that tests give up their rights for
})
