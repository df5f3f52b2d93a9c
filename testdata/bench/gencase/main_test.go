package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// TestWrite: what is written stands up to the check that derives everything again, and holds what it says that it holds.
func TestWrite(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	o := &options{dir: filepath.Join(dir, "case"), bodies: filepath.Join(dir, "bodies"), exchanges: 250, size: 3000, chain: 20, window: 100, workers: 4, seed: 1, seal: true}
	ctx := context.Background()
	out, err := write(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	files := os.DirFS(o.dir)
	report, c, err := verify.Check(ctx, files, verify.Options{Deep: true})
	if err != nil || report.Exit() != verify.ExitVerified {
		t.Fatalf("check: exit %d, %+v, %v", report.Exit(), report.Findings, err)
	}
	if out.Exchanges != 250 || report.Exchanges != 250 || report.Entries != out.Entries || len(report.Windows) != 3 || out.Windows != 3 {
		t.Errorf("%+v was written, the check found %d exchanges, %d entries, %d windows", out, report.Exchanges, report.Entries, len(report.Windows))
	}
	ids := map[string]bool{}
	sum, err := extract.Extract(ctx, c, extract.Options{}, func(r *extract.Record) error {
		ids[r.ID] = true
		return nil
	})
	if err != nil || sum.Records != out.Records || int64(len(ids)) != out.Records {
		t.Errorf("%d records were written, %d extracted with %d ids: %v", out.Records, sum.Records, len(ids), err)
	}
	bodies, err := os.ReadFile(o.bodies)
	if err != nil {
		t.Fatal(err)
	}
	lines, rows := bytes.Split(bytes.TrimSpace(bodies), []byte("\n")), 0
	for _, l := range lines {
		var page struct{ Value []struct{ Id string } }
		if err := json.Unmarshal(l, &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Value {
			if !ids[r.Id] {
				t.Errorf("id %q is in a body and was not extracted", r.Id)
			}
			rows++
		}
	}
	if len(lines) != 250 || int64(rows) != out.Records || int64(len(bodies)) != out.BodyBytes+250 {
		t.Errorf("%d bodies with %d records in %d bytes were put aside, want 250 with %d in %d", len(lines), rows, len(bodies), out.Records, out.BodyBytes+250)
	}
}
