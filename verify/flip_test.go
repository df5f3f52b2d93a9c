package verify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

var update = flag.Bool("update", false, "write what is generated again")

// pinnedFlips holds the digest over (offset, flip, exit code, first finding) of every change.
const pinnedFlips = "../testdata/flips.sha256"

// alteration is one change of one file.
type alteration struct {
	file   string
	offset int
	what   string // "01", "ff": the byte was XORed; "cut": the file ends here
}

func (a alteration) apply(b []byte) []byte {
	switch a.what {
	case "cut":
		return b[:a.offset]
	case "01":
		b = slices.Clone(b)
		b[a.offset] ^= 0x01
	case "ff":
		b = slices.Clone(b)
		b[a.offset] ^= 0xff
	}
	return b
}

// alterations lists every change of a case: each byte flipped two ways, and each file cut at each byte.
func alterations(files map[string][]byte) []alteration {
	var all []alteration
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i := range files[name] {
			all = append(all, alteration{name, i, "01"}, alteration{name, i, "ff"}, alteration{name, i, "cut"})
		}
	}
	return all
}

func mapFS(files map[string][]byte) fstest.MapFS {
	m := fstest.MapFS{}
	for name, b := range files {
		m[name] = &fstest.MapFile{Data: b, Mode: 0o600}
	}
	return m
}

type checkFunc = func(context.Context, fs.FS) (*verify.Report, *verify.Container, error)

// tryAll checks the case after each change on all processors. It returns a line for each change, in order.
func tryAll(t *testing.T, files map[string][]byte, all []alteration, newCheck func() checkFunc) []string {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // each check makes little garbage, there are many
	lines := make([]string, len(all))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			check, m := newCheck(), mapFS(files)
			for i := w; i < len(all); i += workers {
				a := all[i]
				m[a.file] = &fstest.MapFile{Data: a.apply(files[a.file]), Mode: 0o600}
				lines[i] = verdictOf(check, m, a)
				m[a.file] = &fstest.MapFile{Data: files[a.file], Mode: 0o600}
			}
		})
	}
	wg.Wait()
	return lines
}

func verdictOf(check checkFunc, m fstest.MapFS, a alteration) string {
	r, c, err := check(context.Background(), m)
	if err != nil {
		return fmt.Sprintf("%s %d %s error %v", a.file, a.offset, a.what, err)
	}
	first := "-"
	if len(r.Findings) > 0 {
		first = r.Findings[0].Code
	}
	if c != nil {
		first += " container"
	}
	return fmt.Sprintf("%s %d %s %d %s", a.file, a.offset, a.what, r.Exit(), first)
}

// accepted counts the changes that were not noticed as damage.
func accepted(lines []string) (n int, example string) {
	for _, l := range lines {
		if f := strings.Fields(l); f[3] != "3" || strings.HasSuffix(l, "container") {
			n, example = n+1, l
		}
	}
	return n, example
}

func repeated(t *testing.T) func() checkFunc {
	return func() checkFunc {
		check, err := verify.NewRepeatedCheck()
		if err != nil {
			t.Error(err)
		}
		return check
	}
}

// partOfFlips is of how many changes go test takes one; it has no divisor in common with the three ways to change a byte.
const partOfFlips = 7

var allFlips = flag.Bool("flip.full", false, "TestEveryByteIsCovered tries every change and not every 7th")

// TestEveryByteIsCovered flips bytes of a small sealed case two ways and cuts every file at them: every 7th such change, or all of them. None may pass. The digest over
// all verdicts is pinned.
func TestEveryByteIsCovered(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: that each byte of a sealed case is covered (-short)")
	}
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	all, whole := alterations(files), *allFlips || *update
	if !whole {
		all = every(partOfFlips, all)
	}
	lines := tryAll(t, files, all, repeated(t))
	n, example := accepted(lines)
	t.Logf("%d changes, %d accepted", len(lines), n)
	if n > 0 {
		t.Errorf("%d changes were not noticed, for example %s", n, example)
	}
	coverage := map[string]int{}
	for _, l := range lines {
		f := strings.Fields(l)
		coverage[f[4]]++
	}
	t.Logf("first findings: %v", coverage)
	digest := func(lines []string) string {
		return fmt.Sprintf("%x %d\n", sha256.Sum256([]byte(strings.Join(lines, "\n"))), len(lines))
	}
	if *update {
		if err := os.WriteFile(pinnedFlips, []byte(digest(lines)+digest(every(partOfFlips, lines))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(pinnedFlips)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(want), digest(lines)) {
		t.Errorf("digest over the verdicts %swant one of\n%s(go test ./verify -run EveryByte -update, if the change is meant)", digest(lines), want)
	}
}

// every is one of n items, the first of them included.
func every[T any](n int, all []T) (some []T) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// TestFlipHarnessCatches lets a verifier that forgets a check go through the same harness: it must be caught.
func TestFlipHarnessCatches(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	forgetful := map[string][]string{
		"manifests":    {"bag-changed", "bag-missing", "bag-form"},
		"package.note": {"package-note"},
		"heads":        {"head-signature", "head-form", "head-root"},
	}
	for name, ignored := range forgetful {
		newCheck := func() checkFunc {
			check := repeated(t)()
			return func(ctx context.Context, f fs.FS) (*verify.Report, *verify.Container, error) {
				r, c, err := check(ctx, f)
				if err == nil {
					r.Forget(ignored...)
				}
				return r, c, err
			}
		}
		some := every(41, alterations(files))
		n, example := accepted(tryAll(t, files, some, newCheck))
		t.Logf("without %s: %d of %d changes accepted, for example %s", name, n, len(some), example)
		if n == 0 && name != "heads" { // heads are covered by the manifest as well
			t.Errorf("a verifier without %s was not caught in %d changes", name, len(some))
		}
	}
}

// TestMissingFiles takes each file away and adds one everywhere.
func TestMissingFiles(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	check := repeated(t)()
	for name := range files {
		f := mapFS(files)
		delete(f, name)
		r, c, err := check(context.Background(), f)
		if err != nil || c != nil && name != "package.note" || r.Exit() == verify.ExitVerified {
			t.Errorf("without %s: exit %d, %v", name, r.Exit(), err)
		}
		f = mapFS(files)
		extra := filepath.ToSlash(filepath.Join(filepath.Dir(name), "extra.txt"))
		f[extra] = &fstest.MapFile{Data: []byte("x")}
		r, c, err = check(context.Background(), f)
		if err != nil || c != nil || r.Exit() != verify.ExitDamaged {
			t.Errorf("with %s: exit %d, %v", extra, r.Exit(), err)
		}
	}
	if _, _, err := check(context.Background(), fstest.MapFS{"x": {}}); !errors.Is(err, verify.ErrNoCase) {
		t.Errorf("a folder that is no case: %v", err)
	}
}
