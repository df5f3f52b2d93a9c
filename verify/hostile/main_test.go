//go:build linux

package hostile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// full asks for every case; go test takes a stated part of each row.
var full = flag.Bool("hostile.full", false, "the whole campaign: all cases of every row")

// seed begins what is random.
var seed = flag.Uint64("hostile.seed", 20261122, "seed of what is random")

// programEnv names the program that is tried.
const programEnv = "EXHIBIT_VERIFY"

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withProgram(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

// withProgram builds the program, unless another one is named, and takes it away again.
func withProgram(run func() int) (code int, err error) {
	if os.Getenv(programEnv) != "" {
		return run(), nil
	}
	dir, err := os.MkdirTemp("", "hostile-*")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "exhibit-verify")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/exhibit-verify").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	if err := os.Setenv(programEnv, path); err != nil {
		return 1, err
	}
	return run(), nil
}

// part is how many cases of a row are tried: all, or the part that go test takes.
func part(all, some int) int {
	if *full {
		return all
	}
	return some
}

// untested says loudly what a test could not try, and fails where tools are required.
func untested(t *testing.T, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal("required, and not tested: " + what)
	}
	t.Skip("NOT TESTED: " + what)
}
