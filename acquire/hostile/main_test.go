package hostile

import (
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
var full = flag.Bool("hostile.full", false, "the whole campaign: every form with every carrier, budgets of the size that they have")

// seed begins what is random.
var seed = flag.Uint64("hostile.seed", 20261122, "seed of what is random")

// every is the part of a long table that is run: all of it in the campaign, else each nth case, from one that the seed chooses.
func every(n, i int) bool {
	return *full || (uint64(i)+*seed)%uint64(n) == 0
}

// peakVar names the file to which the process that measures another writes its peak memory, in KiB.
const peakVar = "EXHIBIT_HOSTILE_PEAK"

func TestMain(m *testing.M) {
	if file := os.Getenv(peakVar); file != "" {
		os.Exit(measure(file))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(program.dir)
		os.Exit(code)
	}))
}

// program is exhibit, built once.
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func build(t *testing.T) string {
	t.Helper()
	p := &program
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "hostile-*"); p.err != nil {
			return
		}
		p.path = filepath.Join(p.dir, "exhibit.exe")
		if out, err := exec.Command("go", "build", "-o", p.path, "../../cmd/exhibit").CombinedOutput(); err != nil {
			p.err = fmt.Errorf("building exhibit: %w\n%s", err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}
