package verify_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
)

// TestProductionBytes alters bytes of a production, one at a time, all over: each is found. No byte is claimed by nothing.
func TestProductionBytes(t *testing.T) {
	files := produced(smallHold(), same)(t)
	n := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		whole := files[name]
		for at := n % 7; at < len(whole); at += 7 {
			n++
			changed := bytes.Clone(whole)
			changed[at] ^= 1 << (n % 8)
			files[name] = changed
			r, c, err := verify.Check(t.Context(), mapFS(files), verify.Options{})
			if err != nil || c != nil || r.Exit() != verify.ExitDamaged {
				t.Errorf("%s, byte %d: %v, exit %d", name, at, err, r.Exit())
			}
		}
		files[name] = whole
	}
	if n < 1500 {
		t.Errorf("only %d bytes were altered", n)
	}
}

// TestProductionDamageInPython damages productions at random and makes their manifests again, so that nothing but the production's own rules can notice: both verifiers
// must come to the same exit code.
func TestProductionDamageInPython(t *testing.T) {
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("NOT TESTED: " + tool + " is missing")
		}
	}
	whole := produced(smallHold(), same)(t)
	r, dir, want := rand.New(rand.NewPCG(7, 7)), t.TempDir(), map[string]int{}
	for i := range 120 {
		files := maps.Clone(whole)
		name := []string{jsonl, jsonl, seg1, finalNote, "package.note"}[r.IntN(5)]
		b := bytes.Clone(files[name])
		at := r.IntN(len(b))
		switch r.IntN(4) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(40)))
		case 2:
			b = slices.Insert(b, at, b[r.IntN(len(b)):][:1]...)
		case 3:
			lines := strings.SplitAfter(string(b), "\n")
			x, y := r.IntN(len(lines)), r.IntN(len(lines))
			lines[x], lines[y] = lines[y], lines[x]
			b = []byte(strings.Join(lines, ""))
		}
		files[name] = b
		if name != "package.note" {
			signProductionOver(t, files, whole["package.note"])
		}
		report, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		v := &vector{name: fmt.Sprintf("damaged-%d", i), files: files}
		v.unpack(t, filepath.Join(dir, v.name))
		want[v.name] = report.Exit()
	}
	out, err := exec.Command("python3", "../evidence/bag/stranger/verify.py", "--each", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("verify.py printed %d lines", len(lines))
	}
	for _, line := range lines {
		f := strings.Split(line, "\t")
		if f[1] != fmt.Sprint(want[f[0]]) {
			t.Errorf("%s: verify.py ends with %s (%s), check with %d", f[0], f[1], f[2], want[f[0]])
		}
	}
}

// FuzzProduction puts other bytes into production.jsonl, from the line at on: the check ends, and finds it.
func FuzzProduction(f *testing.F) {
	f.Add([]byte(`{"seq":0,"level":2,"head":{},"detail":{}}`+"\n"), uint(1))
	var whole map[string][]byte
	f.Fuzz(func(t *testing.T, b []byte, at uint) {
		if whole == nil {
			whole = produced(smallHold(), same)(t)
		}
		files := maps.Clone(whole)
		lines := strings.SplitAfter(string(files[jsonl]), "\n")
		files[jsonl] = append([]byte(strings.Join(lines[:at%uint(len(lines))], "")), b...)
		if bytes.Equal(files[jsonl], whole[jsonl]) {
			return
		}
		r, c, err := verify.Check(t.Context(), mapFS(files), verify.Options{})
		if err != nil || c != nil || r.Exit() != verify.ExitDamaged {
			t.Errorf("%v, exit %d", err, r.Exit())
		}
	})
}
