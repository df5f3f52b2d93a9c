//go:build linux

package hostile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// planted makes a desk at which another program sits: a shell script.
func planted(t *testing.T, script string) *desk {
	t.Helper()
	d := newDesk(t)
	d.program = []string{"/bin/sh", "-c", script, os.Getenv(programEnv)} // $0 is the real program
	return d
}

// TestPlantedPrograms gives the harness programs that misbehave in each way that it must notice.
func TestPlantedPrograms(t *testing.T) {
	for _, c := range []struct{ bug, script string }{
		{"says that all is well", `echo '{"exit":0}'`},
		{"prints a panic and exits as if nothing were", `echo 'panic: runtime error: index out of range' >&2; exit 3`},
		{"prints a Python traceback", `echo 'Traceback (most recent call last):' >&2; exit 3`},
		{"dies of a signal", `kill -SEGV $$`},
		{"hangs", `sleep 30 & wait`},
		{"exits with an undocumented code", `exit 99`},
		{"leaves a file where it works", `echo x >left; exec "$0" "$@"`},
		{"leaves a temporary file", `echo x >$TMPDIR/left; exec "$0" "$@"`},
		{"prints no report", `exit 3`},
		{"reports another exit than its own", `"$0" "$@" | sed 's/"exit": 3/"exit": 0/'; exit 3`},
		{"finds something elsewhere", `"$0" "$@" | sed 's/"path": "data[^"]*"/"path": "x"/; s/"path": "[a-z]*.*txt"/"path": "x"/; s/"path": "package.note"/"path": "x"/'; exit 3`},
		{"is ended for want of memory", `ulimit -v 1000 2>/dev/null; exec "$0" "$@"`},
	} {
		d := planted(t, c.script)
		d.time = 2 * time.Second
		if c.bug != "hangs" {
			d.time = maxTime
		}
		caughtAfter(t, c.bug, d, 60, flipCase(t, small(t)))
	}
}

// TestPlantedMemory gives the harness a program that takes more memory than it may.
func TestPlantedMemory(t *testing.T) {
	d := newDesk(t).python(t)
	d.program = []string{d.program[0], "-c", "x = bytearray(2 << 30); import sys; sys.exit(3)"}
	if err := d.run().common(3); err == nil {
		t.Error("planted: a program that takes 2 GiB was not caught")
	}
	d.program[2] = "x = bytearray(b'x') * (600 << 20); import sys; sys.exit(3)"
	if o := d.run(); o.common(3) != nil || o.Peak < 600<<20 {
		t.Errorf("a program that takes 600 MiB: %d MiB, %v", o.Peak>>20, o.common(3))
	}
}

// forgetful is a verdict without some findings, as if their checks had been forgotten.
func forgetful(r *report, codes ...string) *report {
	out := *r
	out.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f finding) bool { return slices.Contains(codes, f.Code) })
	return &out
}

// forgetfulTry is a flip that is looked at by a verifier which has forgotten something: it is caught where it finds nothing.
func forgetfulTry(good bundle, codes ...string) func(d *desk, i int) error {
	return func(d *desk, i int) error {
		name, at, width, to := flip(good, i)
		altered := clone(good)
		altered[name] = to
		if err := altered.write(d.dir); err != nil {
			return err
		}
		r, _, err := d.check(nil, 3)
		if err == nil && !forgetful(r, codes...).damage("") {
			err = fmt.Errorf("%s, %d bytes at %d: called intact", name, width, at)
		}
		return err
	}
}

// TestPlantedVerifiers gives the harness verifiers that forget a check, or do not look at all bytes.
func TestPlantedVerifiers(t *testing.T) {
	good, d := small(t), newDesk(t)
	hashes := []string{"bag-changed", "frame-content", "record-digest", "record-mismatch", "ledger-differs"}
	caughtAfter(t, "it trusts every hash that an entry or a manifest names", d, 200, forgetfulTry(good, hashes...))
	caughtAfter(t, "it forgets the manifests", d, 200, forgetfulTry(good, "bag-changed", "bag-missing", "bag-extra", "bag-form"))
	caughtAfter(t, "it forgets package.note", d, 400, forgetfulTry(good, "package-note"))
	caughtAfter(t, "it does not look at the last 64 bytes of a file", d, 400, func(d *desk, i int) error {
		name, at, width, to := flip(good, i)
		from := max(0, len(to)-64)
		seen := append(slices.Clone(to[:from]), good[name][from:]...)
		b := clone(good)
		b[name] = seen
		if err := b.write(d.dir); err != nil {
			return err
		}
		if _, _, err := d.check(nil, 3); err != nil {
			return fmt.Errorf("%s, %d bytes at %d: %w", name, width, at, err)
		}
		return nil
	})
	caughtAfter(t, "it holds a segment's index to be the segment", d, 20, func(d *desk, i int) error {
		r := &report{Findings: []finding{{Class: "damage", Path: segment1}, {Class: "damage", Path: "data/ledger.db"}}}
		return intact(r, &outcome{}, false)
	})
}

// TestPlantedFrames gives the harness a verifier that takes memory for what a frame holds.
func TestPlantedFrames(t *testing.T) {
	d := planted(t, `head -c 300000000 /dev/zero | tail -c 300000000 >/dev/null; exec "$0" "$@"`)
	caughtAfter(t, "it takes memory for what a frame holds", d, 4, frameTry(t, frameCases()))
}

// TestReportIsRead makes sure that the harness reads the program's own report and not an empty one.
func TestReportIsRead(t *testing.T) {
	d, good := newDesk(t), small(t)
	if err := errors.Join(good.write(d.dir), os.Remove(filepath.Join(d.dir, "bagit.txt"))); err != nil {
		t.Fatal(err)
	}
	r, o, err := d.check(nil, 3)
	if err != nil || !r.has("bag-missing") || r.Verdict == "" || len(r.Codes) == 0 || !json.Valid(o.Stdout) {
		t.Errorf("%+v, %v", r, err)
	}
}
