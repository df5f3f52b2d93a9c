package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// done runs a command line that must succeed and returns what it printed.
func done(t *testing.T, config string, args ...string) string {
	t.Helper()
	code, out, talk := typedAt(t, config, args...)
	if code != cli.Done {
		t.Fatalf("exhibit %q: exit code %d\n%s", args, code, talk)
	}
	return out
}

// caseAt makes a case.
func caseAt(t *testing.T, config, dir string, more ...string) {
	t.Helper()
	done(t, config, append([]string{"case", "new", dir, "--case-number=1", "--exhibit=EX", "--examiner=E"}, more...)...)
}

// continued is what the case entry says that a case goes on from.
func continued(t *testing.T, config, dir string) string {
	t.Helper()
	first, _, _ := strings.Cut(done(t, config, "log", dir, "--json"), "\n")
	var entry struct {
		Kind string
		Body struct{ Continues *string }
	}
	if err := json.Unmarshal([]byte(first), &entry); err != nil || entry.Kind != "case" || entry.Body.Continues == nil {
		t.Fatalf("%v: %s", err, first)
	}
	return *entry.Body.Continues
}

// newestNote reads the one note with the largest number, as a person would.
func newestNote(t *testing.T, dir string) (path, text string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "data", "checkpoints", "*.note"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no notes: %v", err)
	}
	for _, p := range paths {
		if len(p) > len(path) || len(p) == len(path) && p > path {
			path = p
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(b)
}

// TestContinues: a case names the newest head of the one that it goes on from, open or sealed.
func TestContinues(t *testing.T) {
	tmp := t.TempDir()
	config, first := filepath.Join(tmp, "config"), filepath.Join(tmp, "first")
	caseAt(t, config, first)
	if got := continued(t, config, first); got != "" {
		t.Errorf("a case that goes on from none says %q", got)
	}
	for range 5 { // more heads, and numbers of two digits
		done(t, config, "note", first, "a remark")
	}
	_, want := newestNote(t, first)
	second := filepath.Join(tmp, "second")
	caseAt(t, config, second, "--continues", first)
	if got := continued(t, config, second); got != want || !strings.Contains(want, "\u2014 ") {
		t.Errorf("it says %q, expected %q", got, want)
	}
	done(t, config, "seal", first, "--yes")
	_, sealed := newestNote(t, first)
	third := filepath.Join(tmp, "third")
	caseAt(t, config, third, "--continues", first)
	if got := continued(t, config, third); got != sealed || sealed == want {
		t.Errorf("it says %q, expected %q", got, sealed)
	}
	done(t, config, "seal", third, "--yes")
}

// TestContinuesRefused: what has no head, or one that the case's keys did not sign, is not gone on from, and no case is made.
func TestContinuesRefused(t *testing.T) {
	tmp := t.TempDir()
	config, first, second := filepath.Join(tmp, "config"), filepath.Join(tmp, "first"), filepath.Join(tmp, "second")
	caseAt(t, config, first)
	path, text := newestNote(t, first)
	for _, c := range []struct {
		text string
		code int
		says string
	}{
		{strings.Replace(text, "\n", "x\n", 1), cli.Damaged, "the head over"}, {strings.Repeat("x", 200<<10), cli.Damaged, "at most"}, {"", cli.Damaged, "malformed note"},
		{text + "\u2014 x\u009b31m\u202e AAAAAAAA\n", cli.Damaged, "does not list"}, // a name that a terminal obeys
		{"gone", cli.Usage, "no signed head yet"},
	} {
		err := os.WriteFile(path, []byte(c.text), 0o600)
		if c.text == "gone" {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		code, _, talk := typedAt(t, config, "case", "new", second, "--case-number=1", "--exhibit=EX", "--examiner=E", "--continues", first)
		if code != c.code || !strings.Contains(talk, c.says) || !strings.Contains(talk, "--continues") {
			t.Errorf("%.40q: exit code %d\n%s", c.text, code, talk)
		}
		if _, err := os.Lstat(second); err == nil {
			t.Fatal("a case was made")
		}
		if code, out, _ := typedAt(t, config, "head", first); code != c.code || out != "" {
			t.Errorf("%.40q: head ends with %d and prints %q", c.text, code, out)
		}
	}
}

// TestNoFolder: a file, or a folder below a file, is no case, for every command that takes one.
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		for _, args := range [][]string{{"status", path}, {"log", path}, {"note", path, "text"}, {"seal", path, "--yes"}, {"plan", "http", "--case", path, "https://h/x"},
			{"acquire", "http", "--case", path, "--yes", "https://h/x"}} {
			refused(t, args, "folder is no case", "exhibit case new")
		}
	}
}

// TestSealingAdvice: while a seal is half done nothing can be added, and the advice that is given then works.
func TestSealingAdvice(t *testing.T) {
	tmp := t.TempDir()
	config, dir := filepath.Join(tmp, "config"), filepath.Join(tmp, "case")
	caseAt(t, config, dir)
	env, err := (&program{}).env()
	if err != nil {
		t.Fatal(err)
	}
	c, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = acquire.Seal(ctx, c, acquire.SealOptions{Env: env, Step: func(step string) {
		if step == "ending the ledger" {
			cancel()
		}
	}})
	_ = c.Close(t.Context()) // says the same again
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the seal was to be interrupted: %v", err)
	}
	if out := done(t, config, "status", dir); !strings.Contains(out, ": sealing\n") {
		t.Fatalf("not sealing: %s", out)
	}
	for _, args := range [][]string{{"note", dir, "text"}, {"plan", "http", "--case", dir, "https://h/x"}, {"acquire", "http", "--case", dir, "--yes", "https://127.0.0.1:1/x"}} {
		code, _, talk := typedAt(t, config, args...)
		if code != cli.Usage || !strings.Contains(talk, "run `exhibit seal "+dir+"`") || strings.Contains(talk, "case is sealed") {
			t.Errorf("exhibit %q: exit code %d\n%s", args, code, talk)
		}
	}
	done(t, config, "seal", dir, "--yes")
	if code, _, talk := typedAt(t, config, "note", dir, "text"); code != cli.Usage || !strings.Contains(talk, "case is sealed") {
		t.Errorf("exit code %d\n%s", code, talk)
	}
}

// TestStatusWindows: status names what was acquired by its parameters and by the name that docs/container.md, 4.7, gives the acquisition.
func TestStatusWindows(t *testing.T) {
	tmp := t.TempDir()
	config, dir := filepath.Join(tmp, "config"), filepath.Join(tmp, "case")
	caseAt(t, config, dir)
	for _, accept := range []string{"text/a", "text/a", "text/b"} {
		code, out, _ := typedAt(t, config, "acquire", "http", "--case", dir, "--yes", "--again", "--patience=1ms", "--json", "--accept", accept, "https://127.0.0.1:1/x")
		if code != cli.Incomplete || strings.Contains(out, "acquisition") {
			t.Fatalf("exit code %d: %s", code, out)
		}
	}
	var s struct {
		Windows []struct {
			Window                       int64
			Source, Outcome, Acquisition string
			Parameters                   []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal([]byte(done(t, config, "status", dir, "--json")), &s); err != nil || len(s.Windows) != 3 {
		t.Fatalf("%v, %d windows", err, len(s.Windows))
	}
	w := s.Windows
	if w[0].Acquisition == "" || w[0].Acquisition != w[1].Acquisition || w[0].Acquisition == w[2].Acquisition {
		t.Errorf("acquisitions %q, %q, %q", w[0].Acquisition, w[1].Acquisition, w[2].Acquisition)
	}
	// printf 'https://127.0.0.1:1/x\n' | sha256sum
	want := []struct{ Name, Value string }{{"origin", "https://127.0.0.1:1"}, {"urls", "1"}, {"urls-sha256", "7236eb922067f4165c7bb030f11f948e6b9be8dfb37075bbaa9ebbd3668823d9"}, {"accept", "text/b"}}
	if w[2].Source != "http" || w[2].Outcome != "failed" || !reflect.DeepEqual(w[2].Parameters, want) {
		t.Errorf("window 3 is %+v", w[2])
	}
}

// TestHeadByOwnLeave: a head is not printed, nor gone on from, which only a key has signed that the case does not allow until another one has signed over its entry.
func TestHeadByOwnLeave(t *testing.T) {
	m := sample.New(t, nil)
	m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: sample.Key(t, 42).VerifierKey(), Text: "x"}})
	m.Close()
	forged := m.Forge()
	forged.Key = sample.Key(t, 42)
	for name, c := range map[string]struct {
		files map[string][]byte
		code  int
	}{"honest": {m.Folder.Files(), cli.Done}, "forged": {forged.Build(t), cli.Damaged}} {
		dir := filepath.Join(t.TempDir(), "case")
		for name, b := range c.files {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if code, out, talk := typed(t, "head", dir); code != c.code || (out == "") != (code != cli.Done) {
			t.Errorf("%s: head: exit code %d, %q, %s", name, code, out, talk)
		}
		code, _, talk := typed(t, "case", "new", dir+"2", "--case-number=1", "--exhibit=1", "--examiner=E", "--continues="+dir)
		if code != c.code {
			t.Errorf("%s: case new --continues: exit code %d, %s", name, code, talk)
		}
	}
}
