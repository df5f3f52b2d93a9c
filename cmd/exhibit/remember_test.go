package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestSealForgets: the seal removes where the credential was. If it cannot, it says so and stands, and the next one that is tried removes it.
func TestSealForgets(t *testing.T) {
	config, dir := filepath.Join(t.TempDir(), "config"), filepath.Join(t.TempDir(), "case")
	if code, _, talk := typedAt(t, config, "case", "new", dir, "--case-number", "1", "--exhibit", "1", "--examiner", "E"); code != cli.Done {
		t.Fatal(talk)
	}
	status, err := casefile.ReadStatus(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(config, "exhibit", "credentials", status.Case.Case)
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	const said = "remove the file by hand: "
	if code, out, talk := typedAt(t, config, "seal", dir, "--yes"); code != cli.Done || !strings.HasPrefix(out, "sealed: ") || !strings.Contains(talk, said) || !strings.Contains(talk, file) {
		t.Errorf("exit code %d\n%s%s", code, out, talk)
	}
	if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, []byte("{}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if code, out, talk := typedAt(t, config, "seal", dir, "--yes"); code != cli.Usage || strings.Contains(talk, said) {
		t.Errorf("exit code %d\n%s%s", code, out, talk)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
