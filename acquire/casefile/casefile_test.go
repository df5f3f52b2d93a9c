package casefile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// holdCase names the case that the test program opens and holds, when it runs as another process.
const holdCase = "EXHIBIT_TEST_HOLD_CASE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdCase); dir != "" {
		hold(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// hold opens a case, says so, and holds it until standard input ends.
func hold(dir string) {
	env := environment(filepath.Dir(dir))
	env.Command = []string{"exhibit", "acquire"}
	if _, err := casefile.Open(context.Background(), env, dir, casefile.OpenOptions{}); err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("open")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent ends it
	os.Exit(3)                            // as if killed: nothing is closed
}

type random struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func environment(dir string) casefile.Env {
	return casefile.Env{Now: func() time.Time { return noon }, Rand: &random{r: rand.NewChaCha8([32]byte{4})}, Host: "lab-1", Operator: "lab\\Ann Åström",
		ConfigDir: filepath.Join(dir, "config"), Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "0.1"}}}
}

func fields() []evidence.Pair {
	return []evidence.Pair{{Name: "case-number", Value: "2026-1"}, {Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "Ann Åström"}}
}

// newCase makes a case and closes it.
func newCase(t *testing.T) (casefile.Env, string) {
	t.Helper()
	root := t.TempDir()
	env, dir := environment(root), filepath.Join(root, "case")
	c, err := casefile.New(t.Context(), env, dir, casefile.NewOptions{Fields: fields()})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, c)
	return env, dir
}

func open(t *testing.T, env casefile.Env, dir string) *casefile.Case {
	t.Helper()
	c, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shut(t *testing.T, c *casefile.Case) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func note(t *testing.T, env casefile.Env, dir, text string) {
	t.Helper()
	c := open(t, env, dir)
	if err := c.Note(t.Context(), text); err != nil {
		t.Error(err)
	}
	shut(t, c)
}

// log lists the actions and texts of the operator log.
func log(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := casefile.ReadLog(t.Context(), dir, func(e *row.LogEntry) error {
		lines = append(lines, e.Kind+" "+string(e.Body))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestNewCase(t *testing.T) {
	root := t.TempDir()
	env, dir := environment(root), filepath.Join(root, "case")
	c, err := casefile.New(t.Context(), env, dir, casefile.NewOptions{Fields: fields()})
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(root, "config", "keys", "default")
	if c.KeyMade != key {
		t.Errorf("key made at %q, want %q", c.KeyMade, key)
	}
	shut(t, c)
	got, err := evidence.ReadCase(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := trust.ReadKeyFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Fields) != 4 || got.Fields[2].Value != "Ann Åström" || got.Fields[3] != (evidence.Pair{Name: "operator", Value: env.Operator}) ||
		got.Host != "lab-1" || len(got.Keys) != 1 || got.Keys[0] != signer.VerifierKey() || got.Case != c.ID() {
		t.Errorf("case entry %+v", got)
	}
	other, err := casefile.New(t.Context(), env, filepath.Join(root, "other"), casefile.NewOptions{Fields: fields()})
	if err != nil || other.KeyMade != "" {
		t.Errorf("a second case made the key %q again: %v", other.KeyMade, err)
	}
	shut(t, other)
	if _, err := casefile.New(t.Context(), env, dir, casefile.NewOptions{Fields: fields()}); err == nil {
		t.Error("a case was made in the folder of another")
	}
}

func TestFieldsAreChecked(t *testing.T) {
	for name, pairs := range map[string][]evidence.Pair{
		"examiner":    fields()[:2],
		"case-number": append(fields(), evidence.Pair{Name: "case-number", Value: "again"}),
		"operator":    append(fields(), evidence.Pair{Name: "operator", Value: "somebody"}),
		"custodian":   append(fields(), evidence.Pair{Name: "custodian", Value: "a\x1b[2Jb"}),
		"client":      append(fields(), evidence.Pair{Name: "client", Value: ""}),
	} {
		dir := filepath.Join(t.TempDir(), "case")
		_, err := casefile.New(t.Context(), environment(t.TempDir()), dir, casefile.NewOptions{Fields: pairs})
		var field *casefile.FieldError
		if !errors.As(err, &field) || field.Name != name {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the folder was made", name)
		}
	}
}

// TestLock opens a case that another process holds, then kills that process.
func TestLock(t *testing.T) {
	env, dir := newCase(t)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdCase+"="+dir)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4)
	if _, err := stdout.Read(said); err != nil || string(said) != "open" {
		t.Fatalf("the other process says %q, %v", said, err)
	}
	_, err = casefile.Open(t.Context(), env, dir, casefile.OpenOptions{})
	var locked *casefile.LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != holder.Process.Pid || locked.Holder.Host != "lab-1" || locked.Holder.Command != "exhibit acquire" || !locked.Holder.Since.Equal(noon) {
		t.Errorf("error %v, holder %+v", err, locked)
	}
	if s, err := casefile.ReadStatus(t.Context(), dir); err != nil || s.Entries < 1 {
		t.Errorf("status beside a process that writes: %+v, %v", s, err)
	}
	if err := errors.Join(holder.Process.Kill(), stdin.Close()); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed, which is an error
	shut(t, open(t, env, dir))
}

func TestLockWithinOneProcess(t *testing.T) {
	env, dir := newCase(t)
	c := open(t, env, dir)
	defer shut(t, c)
	var locked *casefile.LockedError
	if _, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{}); !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() {
		t.Errorf("error %v", err)
	}
}

func TestAnotherHostTakesOver(t *testing.T) {
	env, dir := newCase(t)
	env.Host = "lab-2"
	_, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{})
	var host *casefile.HostError
	if !errors.As(err, &host) || host.Host != "lab-1" || host.Here != "lab-2" {
		t.Fatalf("error %v", err)
	}
	c, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, c)
	shut(t, open(t, env, dir))
	found := 0
	for _, line := range log(t, dir) {
		if strings.Contains(line, `"action":"take-over"`) && strings.Contains(line, `"host":"lab-2"`) && strings.Contains(line, `{"name":"from","value":"lab-1"}`) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d take-over entries in %q", found, log(t, dir))
	}
	env.Host = "lab-1"
	if _, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{}); !errors.As(err, &host) || host.Host != "lab-2" {
		t.Errorf("the first host comes back: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "work")); err != nil { // as in a copy
		t.Fatal(err)
	}
	env.Host = "lab-3"
	if _, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{}); !errors.As(err, &host) {
		t.Errorf("a copy without work/ on a third host: %v", err)
	}
}

// TestIndexIsMadeAgain damages, replaces and removes the index.
func TestIndexIsMadeAgain(t *testing.T) {
	index := func(dir string) string { return filepath.Join(dir, "work", "ledger.db") }
	copied := func(t *testing.T, from, to string) {
		t.Helper()
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		damage  func(t *testing.T, env casefile.Env, dir string)
		rebuilt bool
	}{
		{"gone", func(t *testing.T, _ casefile.Env, dir string) {
			if err := os.Remove(index(dir)); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"garbage", func(t *testing.T, _ casefile.Env, dir string) {
			if err := os.WriteFile(index(dir), []byte(strings.Repeat("garbage ", 4096)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"empty", func(t *testing.T, _ casefile.Env, dir string) {
			if err := os.Truncate(index(dir), 0); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"older", func(t *testing.T, env casefile.Env, dir string) {
			old := filepath.Join(t.TempDir(), "old")
			copied(t, index(dir), old)
			note(t, env, dir, "one more")
			copied(t, old, index(dir))
		}, false},
		{"of another case", func(t *testing.T, _ casefile.Env, dir string) {
			_, other := newCaseSeeded(t, 77)
			copied(t, index(other), index(dir))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			env, dir := newCase(t)
			note(t, env, dir, "first")
			c.damage(t, env, dir)
			again := open(t, env, dir)
			if again.Rebuilt != c.rebuilt {
				t.Errorf("rebuilt: %v", again.Rebuilt)
			}
			if err := again.Note(t.Context(), "last"); err != nil {
				t.Error(err)
			}
			shut(t, again)
			fromIndex := log(t, dir)
			if err := os.Remove(index(dir)); err != nil {
				t.Fatal(err)
			}
			if fromSegments := log(t, dir); strings.Join(fromIndex, "\n") != strings.Join(fromSegments, "\n") || len(fromIndex) < 3 {
				t.Errorf("the index says\n%s\nthe segments say\n%s", strings.Join(fromIndex, "\n"), strings.Join(fromSegments, "\n"))
			}
		})
	}
}

func newCaseSeeded(t *testing.T, seed byte) (casefile.Env, string) {
	t.Helper()
	root := t.TempDir()
	env, dir := environment(root), filepath.Join(root, "case")
	env.Rand = &random{r: rand.NewChaCha8([32]byte{seed})}
	c, err := casefile.New(t.Context(), env, dir, casefile.NewOptions{Fields: fields()})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, c)
	return env, dir
}

// TestIndexAheadIsDamage cuts a batch off the segment. The index, which knows of it, is what tells.
func TestIndexAheadIsDamage(t *testing.T) {
	env, dir := newCase(t)
	segment := filepath.Join(dir, filepath.FromSlash(evidence.SegmentPath(1)))
	before, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	note(t, env, dir, "to be cut off")
	if err := os.Truncate(segment, before.Size()); err != nil {
		t.Fatal(err)
	}
	notes, err := filepath.Glob(filepath.Join(dir, "data", "checkpoints", "*.note"))
	if err != nil || len(notes) < 2 {
		t.Fatal(notes, err)
	}
	for _, n := range notes[1:] {
		if err := os.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	var damage *evidence.DamageError
	if _, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{}); !errors.As(err, &damage) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "work", "ledger.db")); err != nil {
		t.Errorf("the index that tells of the loss: %v", err)
	}
}

func TestNotes(t *testing.T) {
	env, dir := newCase(t)
	c := open(t, env, dir)
	for _, bad := range []string{"", " \n", "a\xffb", strings.Repeat("x", 16<<10+1)} {
		if err := c.Note(t.Context(), bad); err == nil {
			t.Errorf("a note of %d bytes was taken", len(bad))
		}
	}
	if err := c.Note(t.Context(), "seen: “Åström”\n\x1b[31m"); err != nil {
		t.Error(err)
	}
	if err := c.Note(t.Context(), strings.Repeat("\x01", 16<<10)); err == nil {
		t.Error("a note that no line holds was taken")
	}
	if err := c.Note(t.Context(), "after the one refused"); err != nil {
		t.Errorf("the case takes nothing more: %v", err)
	}
	shut(t, c)
	s, err := casefile.ReadStatus(t.Context(), dir)
	if err != nil || s.State != casefile.StateOpen || !s.Index || s.Segments != 1 || s.Bytes == 0 || len(s.Heads) != 2 {
		t.Errorf("status %+v, %v", s, err)
	}
	operators := int64(0)
	for _, k := range s.Counts {
		if k.Kind == evidence.KindOperator {
			operators = k.Count
		}
	}
	if operators != 2 {
		t.Errorf("%d notes counted", operators)
	}
}

// TestFileIsNoCase: where a file stands in place of the folder, that is said, not what the system calls it.
func TestFileIsNoCase(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := casefile.Open(t.Context(), environment(dir), file, casefile.OpenOptions{}); !errors.Is(err, casefile.ErrNoFolder) {
		t.Errorf("open: %v", err)
	}
	if _, err := casefile.ReadStatus(t.Context(), file); !errors.Is(err, casefile.ErrNoFolder) {
		t.Errorf("status: %v", err)
	}
}

func TestNoCase(t *testing.T) {
	dir := t.TempDir()
	if _, err := casefile.Open(t.Context(), environment(dir), dir, casefile.OpenOptions{}); !errors.Is(err, casefile.ErrNoFolder) {
		t.Errorf("open: %v", err)
	}
	if _, err := casefile.ReadStatus(t.Context(), dir); !errors.Is(err, casefile.ErrNoFolder) {
		t.Errorf("status: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("something was written: %v, %v", left, err)
	}
}

// TestNewCaseThatWasInterrupted opens what is left of a new case whose making was interrupted before it had a segment.
func TestNewCaseThatWasInterrupted(t *testing.T) {
	env, dir := newCase(t)
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(evidence.SegmentPath(1)))); err != nil {
		t.Fatal(err)
	}
	if _, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{}); !errors.Is(err, evidence.ErrNoCase) {
		t.Errorf("open: %v", err)
	}
	if _, err := casefile.ReadStatus(t.Context(), dir); !errors.Is(err, evidence.ErrNoCase) {
		t.Errorf("status: %v", err)
	}
}

// TestStatusOfTornSegment tells what stands before a torn write, and why it ends there.
func TestStatusOfTornSegment(t *testing.T) {
	env, dir := newCase(t)
	note(t, env, dir, "whole")
	segment := filepath.Join(dir, filepath.FromSlash(evidence.SegmentPath(1)))
	f, err := os.OpenFile(segment, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.Write([]byte{0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3})
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := casefile.ReadStatus(t.Context(), dir)
	if err != nil || s.Index || s.Trouble == "" || s.Entries < 3 {
		t.Errorf("status %+v, %v", s, err)
	}
	c := open(t, env, dir)
	if c.Opening.Torn == nil || c.Opening.Torn.Length != 7 {
		t.Errorf("opening %+v", c.Opening)
	}
	shut(t, c)
}

func TestSpoolsOfKilledProcessGo(t *testing.T) {
	env, dir := newCase(t)
	left := filepath.Join(dir, "work", "response-"+strconv.Itoa(7)+".spool")
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	shut(t, open(t, env, dir))
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the spool file is still there: %v", err)
	}
}

func TestSystem(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "xdg"))
	e, err := casefile.System("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sha256sum", os.Args[0]).Output()
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("sha256sum is missing")
		}
		t.Skip("sha256sum is missing: the hash of the executable was not tested")
	}
	want := evidence.Pair{Name: "executable-sha256", Value: strings.Fields(string(out))[0]}
	found := false
	for _, p := range e.Tool {
		found = found || p == want
	}
	if !found || e.ConfigDir != filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "exhibit") || e.Host == "" {
		t.Errorf("%+v does not have %v", e, want)
	}
}
