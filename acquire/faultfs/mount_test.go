//go:build linux

package faultfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// mountUp mounts the file system, or tells loudly that it cannot and that faults are made in the process instead.
func (w *world) mountUp(t testing.TB) {
	t.Helper()
	seen := filepath.Join(w.dir, "seen")
	if *inProcess {
		return
	}
	m, err := New(filepath.Join(w.dir, "real"), seen)
	if err != nil {
		if required() {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "NOT TESTED: faults of index, lock and large answers, and the program itself, because no file system can be mounted here: %v\n", err)
		return
	}
	w.mount = m
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// met lets a job meet a fault and tells what became of both.
func (w *world) met(j job, at where, f Fault) (ending, outcome, error) {
	j.Dir, j.Acks = at.seen(), at.acks()
	if w.mount != nil {
		w.mount.Arm(f)
		defer w.mount.Arm(Fault{})
		e, err := w.child(j)
		return e, outcomeOf(w.mount.Plan), err
	}
	j.Fault, j.Report = &f, filepath.Join(w.dir, "report")
	e, err := w.child(j)
	if err != nil {
		return e, outcome{}, err
	}
	b, err := os.ReadFile(j.Report)
	var o outcome
	if err == nil {
		err = errors.Join(json.Unmarshal(b, &o), os.Remove(j.Report))
	}
	return e, o, err
}

// child runs a child to its end.
func (w *world) child(j job) (ending, error) {
	j.URL, j.CA, j.Token = w.url, filepath.Join(w.dir, "ca.pem"), filepath.Join(w.dir, "token")
	text, err := json.Marshal(j)
	if err != nil {
		return ending{}, err
	}
	return run(w.t.Context(), []string{os.Args[0]}, childJob+"="+string(text), "GOMAXPROCS=2")
}
