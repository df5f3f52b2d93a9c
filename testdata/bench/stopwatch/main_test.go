//go:build linux

package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestConditions: each is kept by a program that does its work and broken by one that does not.
func TestConditions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("a line\n", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	must := conditions{exit: 3, expect: []*regexp.Regexp{regexp.MustCompile(`(?m)^read it$`)}, lines: 100_000, reads: 700_000}
	for _, c := range []struct{ script, want string }{
		{`cat "$0"; echo read it >&2; exit 3`, ""},
		{`cat "$0"; echo read it >&2`, "it exited with 0, not 3"},
		{`cat "$0"; exit 3`, "nothing that it printed matches"},
		{`tail -n +2 "$0"; echo read it >&2; exit 3`, "it wrote 99999 lines, not 100000"},
		{`yes | head -100000; head -c 650000 "$0" >/dev/null; echo read it >&2; exit 3`, ""}, // bytes of a pipe count as read: the check against altered cases is for such
		{`i=0; while [ $i -lt 100000 ]; do echo; i=$((i + 1)); done; echo read it >&2; exit 3`, "and cannot have read the 700000"},
	} {
		o := &options{stdout: filepath.Join(t.TempDir(), "out")}
		got, err := run(o, []string{"sh", "-c", c.script, file})
		if err != nil {
			t.Fatal(err)
		}
		if err := must.check(got); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.script, err, c.want)
		}
	}
}

// TestTimes: waiting is wall time alone, work is processor time, of children too; memory is that of the program.
func TestTimes(t *testing.T) {
	wait, err := run(&options{}, []string{"sleep", "0.2"})
	if err != nil || wait.wall < 200*time.Millisecond || wait.user+wait.system > 100*time.Millisecond {
		t.Errorf("sleep 0.2: %+v, %v", wait, err)
	}
	work, err := run(&options{}, []string{"sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; true | head -c 1"})
	if err != nil || work.user < 10*time.Millisecond {
		t.Errorf("a loop: %+v, %v", work, err)
	}
	large, err := run(&options{}, []string{"sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=20; true"})
	if err != nil || large.rss < 200_000 || large.rss > 260_000 || large.anonymous < 190_000 || large.anonymous > large.rss {
		t.Errorf("dd with a buffer of 200 MiB: %d KiB, %d of it anonymous, %v", large.rss, large.anonymous, err)
	}
}

func TestRows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "table.csv")
	for round := range int64(2) {
		o := &options{csv: name, measure: "check, deep", setting: "5 KB", variant: "x", round: round, n: 7, bytes: 8, target: 1.5}
		if err := o.add(&taken{wall: 1500 * time.Millisecond, user: time.Second, rss: 9, anonymous: 6}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[2], "|") != "check, deep|5 KB|1|x|7|8|1.5000|1.0000|0.0000|9|6|1.5" {
		t.Errorf("%q, %v", rows, err)
	}
}

// TestSaid takes the time that a program says itself, and nothing where it says none.
func TestSaid(t *testing.T) {
	if d, err := said([]byte(`{"open_seconds":3.5,"seal_seconds":0.25}`), "seal_seconds"); err != nil || d != 250*time.Millisecond {
		t.Errorf("%v, %v", d, err)
	}
	for _, printed := range []string{`{"open_seconds":3.5}`, `"seal_seconds":x`, `"seal_seconds":1.2.3`} {
		if d, err := said([]byte(printed), "seal_seconds"); err == nil {
			t.Errorf("%s: %v", printed, d)
		}
	}
}
