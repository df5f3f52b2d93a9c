package verify_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// unfinished is a case with so many windows that are open at once, and so long texts, that their rows in the index cannot all be held in memory until they end:
// 300 of 60,000 bytes, 17 MiB of them.
func unfinished(t *testing.T) map[string][]byte {
	t.Helper()
	m := sample.New(t, nil)
	const windows = 300
	user := strings.Repeat("u", 60_000) + "ü\"\x7f"
	for n := range int64(windows) {
		m.Window(n+1, evidence.Window{State: evidence.Opened, User: user, Last: evidence.None})
	}
	for n := range int64(windows) {
		m.Window(n+1, evidence.Window{State: evidence.Empty, User: user, Text: fmt.Sprint("end of ", n+1), Last: evidence.None})
	}
	m.Seal()
	return m.Folder.Files()
}

// inLedger replaces a text in ledger.db, and makes manifest and package.note again.
func inLedger(t *testing.T, files map[string][]byte, old, new string) map[string][]byte {
	t.Helper()
	if n := bytes.Count(files[evidence.LedgerPath], []byte(old)); n != 1 || len(old) != len(new) {
		t.Fatalf("%q is in ledger.db %d times", old, n)
	}
	files = maps.Clone(files)
	files[evidence.LedgerPath] = bytes.Replace(files[evidence.LedgerPath], []byte(old), []byte(new), 1)
	reseal(t, files)
	return files
}

// endIn is what the index says of the end of a window: in its row of windows, and of no other bucket.
func endIn(window int) string {
	return fmt.Sprintf(`"parameters":[],"state":"empty","reason":"","text":"end of %d"`, window)
}

// TestUnfinishedRows compares more rows than memory holds until they end: an honest case is intact, one row that differs is damage, wherever it stands, and nothing
// stays in the folder of temporary files.
func TestUnfinishedRows(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := unfinished(t)
	if r, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{}); err != nil || len(r.Findings) != 0 || r.Exit() != verify.ExitVerified {
		t.Errorf("as it was sealed: %+v, %v", r.Findings, err)
	}
	for _, window := range []int{1, 300} {
		altered := inLedger(t, files, endIn(window), strings.Replace(endIn(window), "end of", "END OF", 1))
		r, c, err := verify.Check(t.Context(), mapFS(altered), verify.Options{})
		if err != nil || c != nil || len(r.Findings) != 1 || findingAt(r, "ledger-differs", evidence.LedgerPath, fmt.Sprintf("bucket windows, key %d: value differs", window)) == nil {
			t.Errorf("window %d: %+v, %v", window, r.Findings, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestUncomparedRows checks the same case where no temporary file can be written: that is no damage, the check says that it did not compare these rows, and it still
// compares the others.
func TestUncomparedRows(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	files := unfinished(t)
	r, c, err := verify.Check(t.Context(), mapFS(files), verify.Options{})
	if err != nil || c == nil || r.Exit() != verify.ExitVerified || len(r.Findings) != 1 || findingAt(r, "ledger-uncompared", evidence.LedgerPath, "bucket windows has more unfinished rows") == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if a := r.Statements[0]; a.Holds != verify.Yes || !strings.Contains(a.Why, "not checked to its end") {
		t.Errorf("statement %+v", a)
	}
	other := `{"kind":"other","count":0}`
	r, c, err = verify.Check(t.Context(), mapFS(inLedger(t, files, other, strings.Replace(other, "0", "1", 1))), verify.Options{})
	if err != nil || c != nil || !slices.Equal(distinct(codesOf(r)), []string{"ledger-differs", "ledger-uncompared"}) || findingAt(r, "ledger-differs", evidence.LedgerPath, `bucket meta, key "counts": value differs`) == nil {
		t.Errorf("with a row that differs: %+v, %v", r.Findings, err)
	}
}
