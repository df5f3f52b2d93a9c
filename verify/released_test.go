package verify_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/verify"
)

// releasedDir holds sealed cases as each released format wrote them. They are never made again: what was valid stays valid, and
// what was not stays that way.
const releasedDir = "../testdata/released"

// release writes another one, once, when a format is released.
var release = flag.String("release", "", "write the small sealed case of this build as `NAME`.vector to testdata/released")

func loadReleased(t *testing.T, dir string) (all []*vector, err error) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.vector"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no case in %s (%v)", dir, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		v, err := decodeVector(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		v.name = filepath.Base(path)
		all = append(all, v)
	}
	return all, nil
}

// TestReleased checks every released case: the same verdict as on the day of its release, by both verifiers (row B12).
func TestReleased(t *testing.T) {
	if *release != "" {
		writeReleased(t, *release)
	}
	all, err := loadReleased(t, releasedDir)
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.LookPath("python3")
	if err != nil && os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal(err)
	} else if err != nil {
		t.Log("NOT TESTED: python3 is missing: that verify.py says the same of released cases")
	}
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			r, c, err := v.check(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := distinct(codesOf(r)); r.Exit() != v.exit || !slices.Equal(got, v.all) || (c != nil) != (v.exit != verify.ExitDamaged) {
				t.Errorf("exit %d, findings %v; want exit %d, findings %v", r.Exit(), got, v.exit, v.all)
			}
			if python == "" {
				return
			}
			dir := t.TempDir()
			v.unpack(t, dir)
			out, err := exec.Command(python, "../evidence/bag/stranger/verify.py", dir).CombinedOutput()
			if code := exitOf(err); code != v.exit {
				t.Errorf("verify.py ends with %d, want %d: %v\n%s", code, v.exit, err, out)
			}
			if out, err := exec.Command(python, filepath.Join(dir, "data/verify.py")).CombinedOutput(); exitOf(err) != v.exit {
				t.Errorf("the verify.py that the case holds: %v\n%s", err, out)
			}
		})
	}
}

func exitOf(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// TestReleasedNeedsCases looks into an empty folder: that must be an error, or the cases could go unnoticed.
func TestReleasedNeedsCases(t *testing.T) {
	if all, err := loadReleased(t, t.TempDir()); err == nil {
		t.Errorf("%d cases in an empty folder", len(all))
	}
}

func writeReleased(t *testing.T, name string) {
	t.Helper()
	files := sealed(t)
	files["data/verify.py"] = stranger.Verifier()
	reseal(t, files)
	r, _, err := verify.Check(context.Background(), mapFS(files), verify.Options{Deep: true})
	if err != nil || r.Exit() != verify.ExitVerified {
		t.Fatalf("exit %d, findings %v, %v", r.Exit(), codesOf(r), err)
	}
	v := &vector{about: "the small sealed case, as " + name + " wrote it", exit: r.Exit(), all: distinct(codesOf(r)), files: files}
	f, err := os.OpenFile(filepath.Join(releasedDir, name+".vector"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(v.encode(t)); err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
