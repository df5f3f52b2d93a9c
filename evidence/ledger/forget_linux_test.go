package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/ledger/rowtest"
)

// mappedOf is how many KiB of a file are mapped and in memory, as the kernel counts them.
func mappedOf(t *testing.T, path string) (kib int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if name := strings.Fields(line)[0]; !strings.HasSuffix(name, ":") {
			inside = strings.HasSuffix(strings.TrimSpace(line), path)
		} else if n := int64(0); inside && name == "Rss:" {
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err != nil {
				t.Fatal(err)
			}
			kib += n
		}
	}
	return kib
}

// TestMappedPagesAreLetGo takes more in than may stay mapped: the file grows and what is mapped of it does not. What is read afterwards is all there.
func TestMappedPagesAreLetGo(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: what of a growing index stays mapped (-short)")
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	batches := rowtest.Sample(t, 20_000, 40)
	most := int64(0)
	for i := 0; i < len(batches); i++ {
		if err := l.Apply(t.Context(), batches[i:i+1]); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			most = max(most, mappedOf(t, path))
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a file of %d KiB, at most %d KiB of it mapped", info.Size()>>10, most)
	if most == 0 || most > info.Size()>>10/5 {
		t.Errorf("of a file of %d KiB %d KiB are mapped", info.Size()>>10, most)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := compareOpen(t, read(t, path), batches); err != nil || len(r.Differences) > 0 {
		t.Errorf("%v, %v", r.Differences, err)
	}
}
