package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/withhold"
)

// halfMade is a production of a small sealed case that is about to be made.
func halfMade(t *testing.T) *disclosure {
	t.Helper()
	dir, config := filepath.Join(t.TempDir(), "case"), filepath.Join(t.TempDir(), "config")
	for _, args := range [][]string{{"case", "new", dir, "--case-number=1", "--exhibit=EX", "--examiner=E"}, {"note", dir, "A remark about Falcon-77."}, {"seal", dir, "--yes"}} {
		if code, _, talk := typedAt(t, config, args...); code != 0 {
			t.Fatal(talk)
		}
	}
	files, err := bag.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	report, c, err := checkWhole(t.Context(), files, dir)
	if err != nil {
		t.Fatal(err)
	}
	selectors, err := withhold.Parse("text Falcon-77")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := withhold.Choose(t.Context(), c, selectors, withhold.Options{})
	if err != nil {
		t.Fatal(err)
	}
	env, err := (&program{}).env()
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := casefile.DefaultKey(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &disclosure{env: env, files: files, report: report, c: c, plan: plan, key: key, out: filepath.Join(t.TempDir(), "production")}
}

// left lists what lies in the folder of a production to be.
func left(t *testing.T, d *disclosure) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(d.out))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestProductionWholeOrNothing: what is interrupted, finds its name taken or holds what is withheld leaves nothing behind.
func TestProductionWholeOrNothing(t *testing.T) {
	d := halfMade(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.make(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if names := left(t, d); len(names) > 0 {
		t.Errorf("interrupted, it left %v", names)
	}
	for _, h := range d.plan.Held { // the reason gives it away
		h.Reason = "because of Falcon-77"
	}
	var leak *leakError
	if _, err := d.make(t.Context()); !errors.As(err, &leak) || !strings.Contains(err.Error(), "data/production.jsonl: what line 1 of the list names") {
		t.Errorf("a leak: %v", err)
	}
	for _, h := range d.plan.Held {
		h.Reason = ""
	}
	if names := left(t, d); len(names) > 0 {
		t.Errorf("with a leak, it left %v", names)
	}
	if err := os.Mkdir(d.out, 0o700); err != nil { // empty: a rename would replace it
		t.Fatal(err)
	}
	if _, err := d.make(t.Context()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that was taken: %v", err)
	}
	if names := left(t, d); len(names) != 1 {
		t.Errorf("beside the name that was taken lie %v", names)
	}
	if err := os.Remove(d.out); err != nil {
		t.Fatal(err)
	}
	made, err := d.make(t.Context())
	if err != nil || made.Entries[1] != 1 || len(left(t, d)) != 1 {
		t.Errorf("%+v, %v, %v", made, err, left(t, d))
	}
	if info, err := os.Stat(d.out); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestDiscloseErrors: each failure ends with a code that fits it, and says that no production was made.
func TestDiscloseErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		next string
	}{
		{context.Canceled, cli.Interrupted, "run the same command again"},
		{&withhold.SyntaxError{Line: 3, Err: errors.New("x")}, cli.Usage, "name something narrower"},
		{&withhold.FixedError{Line: 3}, cli.Usage, "exhibit pack"},
		{withhold.ErrNothing, cli.Usage, "exhibit pack"},
		{&leakError{}, cli.Unexpected, "withhold the entries that are named here"},
		{errProduction, cli.Usage, "give the folder of the sealed case"},
		{errDamaged, cli.Damaged, "exhibit-verify check"},
		{bag.ErrUnsealed, cli.Incomplete, "exhibit seal"},
		{verify.ErrChanged, cli.Damaged, "exhibit-verify check"},
		{verify.ErrContent, cli.Unexpected, "--max-content"},
		{fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: "/elsewhere/p", Err: syscall.ENOSPC}), cli.Unexpected, "free space, then run the same command again"},
		{&fs.PathError{Op: "rename", Path: "p", Err: fs.ErrExist}, cli.Usage, "does not exist yet"},
	} {
		var own *cli.Error
		if err := discloseError(c.err, "dir"); !errors.As(err, &own) || own.Code != c.code || !strings.Contains(own.Next, c.next) {
			t.Errorf("%v: %+v", c.err, own)
		} else if !strings.Contains(own.Meaning, "no production was made") && !strings.Contains(own.Meaning, "it was removed") {
			t.Errorf("%v: it is not said what became of the production: %s", c.err, own.Meaning)
		}
	}
}
