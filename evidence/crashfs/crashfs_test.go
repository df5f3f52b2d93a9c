package crashfs_test

import (
	"os"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
)

// TestRestart: what a process wrote and did not sync outlives it, and not a loss of power after it.
func TestRestart(t *testing.T) {
	f := crashfs.New()
	file, err := f.OpenFile("data/a", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := f.OpenFile("data", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	write := func(s string) {
		t.Helper()
		if _, err := file.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	write("synced")
	for _, s := range []interface{ Sync() error }{file, dir} {
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	write(" and not")
	f.CrashAt(0)
	if err := file.Sync(); err == nil {
		t.Fatal("the process is dead and can sync")
	}
	next := f.Restart()
	if got := string(next.Files()["data/a"]); got != "synced and not" {
		t.Errorf("after the process: %q", got)
	}
	if got := string(next.Reboot(crashfs.Nothing).Files()["data/a"]); got != "synced" {
		t.Errorf("after the power: %q", got)
	}
	again, err := next.OpenFile("data/a", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := string(next.Reboot(crashfs.Nothing).Files()["data/a"]); got != "synced and not" {
		t.Errorf("after a sync by the next process: %q", got)
	}
	if got := string(f.Reboot(crashfs.Nothing).Files()["data/a"]); got != "synced" {
		t.Errorf("the old folder changed with the new one: %q", got)
	}
}
