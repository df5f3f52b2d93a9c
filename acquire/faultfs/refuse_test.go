//go:build linux

package faultfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// nobody is the account that the program runs as where the tests run as root, to whom no mode says no.
const nobody = 65534

// refusal is one case of row F9: something about the case, or the process, that keeps it from working.
type refusal struct {
	name string
	base string
	seal bool     // instead of acquiring
	make []string // instead of both: arguments behind "case new"

	path   string // below the case, whose mode is changed; "key", "token", "ca" for those files
	mode   os.FileMode
	limit  string // for ulimit, before the program is started
	frozen bool   // the file system is read-only

	deaf bool // planted: the exit code is thrown away

	says []string // that the message must contain; the path goes without saying
	may  bool     // it may end well, where what is forbidden is not needed
	code int      // that it ends with; 0 for 1
}

// refusals lists them.
func refusals() (all []refusal) {
	const denied = "permission denied"
	segment := evidence.SegmentPath(2)
	for _, r := range []refusal{
		{base: "stopped", path: "", mode: 0o000}, {base: "stopped", path: "data", mode: 0o000}, {base: "stopped", path: "data", mode: 0o500, may: true},
		{base: "stopped", path: "data/evidence", mode: 0o000}, {base: "stopped", path: "data/evidence", mode: 0o500, may: true},
		{base: "stopped", path: "data/checkpoints", mode: 0o000}, {base: "stopped", path: "data/checkpoints", mode: 0o500},
		{base: "stopped", path: "work", mode: 0o000}, {base: "stopped", path: "work", mode: 0o500},
		{base: "stopped", path: segment, mode: 0o000}, {base: "stopped", path: segment, mode: 0o400},
		{base: "stopped", path: "data/checkpoints/9.note", mode: 0o000},
		{base: "stopped", path: "work/ledger.db", mode: 0o000}, {base: "stopped", path: "work/ledger.db", mode: 0o400},
		{base: "stopped", path: "work/lock", mode: 0o000}, {base: "stopped", path: "work/host", mode: 0o000, may: true},
		{base: "torn", path: "data/evidence", mode: 0o500}, {base: "torn", path: "data/evidence/00001.warc.zst", mode: 0o400},
		{base: "acquired", seal: true, path: "", mode: 0o500}, {base: "acquired", seal: true, path: "data", mode: 0o500},
		{base: "acquired", seal: true, path: "data/checkpoints", mode: 0o500, may: true}, {base: "acquired", seal: true, path: "work", mode: 0o500},
		{base: "acquired", seal: true, path: "data/evidence/00001.warc.zst", mode: 0o000},
		{base: "stopped", path: "key", mode: 0o000}, {base: "stopped", path: "token", mode: 0o000, code: 2}, {base: "stopped", path: "ca", mode: 0o000, code: 2},
	} {
		r.name = fmt.Sprintf("%s, seal %t: %q has mode %#o", r.base, r.seal, r.path, r.mode)
		r.says = []string{denied}
		all = append(all, r)
	}
	for _, r := range []refusal{{base: "stopped"}, {base: "torn"}, {base: "acquired", seal: true}, {base: "new", make: []string{"--case-number", "1", "--exhibit", "E", "--examiner", "X"}}} {
		r.name, r.frozen, r.says = fmt.Sprintf("%s, seal %t: read-only file system", r.base, r.seal), true, []string{"read-only file system"}
		all = append(all, r)
	}
	for _, n := range []int{11, 12, 13, 14, 15, 16, 17, 18, 20, 24} { // with fewer, Go's own runtime gives up
		for _, seal := range []bool{false, true} {
			r := refusal{name: fmt.Sprintf("seal %t: %d open files", seal, n), base: "stopped", seal: seal, limit: fmt.Sprintf("-n %d", n), says: []string{"too many open files"}, may: true}
			if seal {
				r.base = "acquired"
			}
			all = append(all, r)
		}
	}
	for _, n := range []int{0, 8, 16, 32, 64, 96} {
		all = append(all, refusal{name: fmt.Sprintf("files of at most %d blocks", n), base: "stopped", limit: fmt.Sprintf("-f %d", n), says: []string{"file too large"}, may: true})
		all = append(all, refusal{name: fmt.Sprintf("seal: files of at most %d blocks", n), base: "acquired", seal: true, limit: fmt.Sprintf("-f %d", n), says: []string{"file too large"}, may: true})
	}
	return all
}

// give gives everything of a world and a case to another account.
func (w *world) give(dirs ...string) error {
	for _, dir := range append(dirs, filepath.Join(w.dir, "exhibit"), filepath.Join(w.dir, "token"), filepath.Join(w.dir, "ca.pem")) {
		if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, nobody, nobody)
		}); err != nil {
			return err
		}
	}
	return nil
}

// refused lets the program meet a refusal, takes it away, and judges what is left.
func (w *world) refused(ctx context.Context, r refusal) (*judge, error) {
	at, d, done, err := w.onDisk(enough)
	if err != nil {
		return nil, err
	}
	v := &judge{where: at, from: len(w.Requests()), phase: phaseAcquire}
	if r.seal {
		v.phase = phaseSeal
	}
	args := w.acquireArgs(at.real(), mailbox)
	switch {
	case r.seal:
		args = []string{"seal", "--yes", at.real()}
	case r.make != nil:
		args, v.phase = append([]string{"case", "new", at.real()}, r.make...), phaseRecover
	}
	if r.make == nil {
		base, err := w.base(ctx, r.base)
		if err == nil {
			err = os.CopyFS(filepath.Dir(at.real()), os.DirFS(filepath.Join(w.dir, "real", base)))
		}
		if err != nil {
			return nil, errors.Join(err, done())
		}
	}
	undo, err := w.forbid(at, d, r)
	if err == nil {
		v.struck, err = w.asNobody(ctx, r, args)
	}
	if err = errors.Join(err, undo()); err != nil {
		return nil, errors.Join(err, done())
	}
	v.refusedWell(r, at)
	if r.make == nil {
		v.all(ctx)
	} else if _, err := os.Stat(at.real()); err == nil {
		v.say("half a case was left")
	}
	return v, done()
}

// forbid brings a refusal about. undo takes it away.
func (w *world) forbid(at where, d disk, r refusal) (undo func() error, err error) {
	undo = func() error { return nil }
	if err := w.give(filepath.Dir(at.real())); err != nil {
		return undo, err
	}
	switch {
	case r.frozen:
		return d.thaw, d.freeze()
	case r.limit != "":
		return undo, nil
	}
	path := map[string]string{"key": filepath.Join(w.dir, "exhibit", "keys", "default"), "token": filepath.Join(w.dir, "token"), "ca": filepath.Join(w.dir, "ca.pem")}[r.path]
	if path == "" {
		path = filepath.Join(at.real(), filepath.FromSlash(r.path))
	}
	info, err := os.Stat(path)
	if err != nil {
		return undo, err
	}
	return func() error { return os.Chmod(path, info.Mode().Perm()) }, os.Chmod(path, r.mode)
}

// asNobody runs the program without root's rights, and with a limit.
func (w *world) asNobody(ctx context.Context, r refusal, args []string) (ending, error) {
	dir, err := programs()
	if err != nil {
		return ending{}, err
	}
	script := `exec "$@"`
	if r.limit != "" {
		script = "ulimit " + r.limit + " && " + script
	}
	if r.deaf {
		script = `"$@" || true`
	}
	cmd := []string{"sh", "-c", script, "sh"}
	if os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			return ending{}, err
		}
		cmd = append(cmd, setpriv, "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups")
	}
	return run(ctx, append(append(cmd, filepath.Join(dir, "exhibit")), args...), w.environ()...)
}

// refusedWell requires a clear error.
func (v *judge) refusedWell(r refusal, at where) {
	e, want := v.struck, r.code
	if want == 0 {
		want = 1
	}
	if strings.Contains(e.text, "goroutine ") || e.code < 0 || e.late {
		v.say("it ended with %d: %s", e.code, e.text)
		return
	}
	if e.code == 0 {
		if !r.may {
			v.say("it ended well: %s", e.out)
		}
		return
	}
	if e.code != want {
		v.say("it ended with %d: %s", e.code, e.text)
	}
	says := append([]string{"meaning: ", "next: "}, r.says...)
	if name := filepath.Base(r.path); r.path != "" && !strings.Contains(name, "evidence") {
		says = append(says, map[string]string{"key": "default", "ca": "ca.pem"}[name])
		if !strings.Contains(e.text, name) {
			v.say("the message does not name %q: %s", name, e.text)
		}
	}
	for _, text := range says {
		if !strings.Contains(e.text, text) {
			v.say("the message does not say %q: %s", text, e.text)
		}
	}
}

// needOther tells loudly if modes of files cannot be tried.
func needOther(t *testing.T) {
	t.Helper()
	needDisk(t)
	if _, err := exec.LookPath("setpriv"); err != nil && os.Geteuid() == 0 {
		notTested(t, "modes of files, limits and read-only file systems: nothing forbids root anything, and there is no setpriv here")
	}
}

// newOpenWorld makes a world that another account gets into.
func newOpenWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for dir := w.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // so that another account gets to the case
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(w.dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRefusals is row F9 but for folders that go away.
func TestRefusals(t *testing.T) {
	needOther(t)
	t.Parallel()
	w, n := newOpenWorld(t), count{by: map[string]int{}}
	list := refusals()
	if !*full {
		list = everyNth(list, 10)
	}
	for _, r := range list {
		v, err := w.refused(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		for _, wrong := range v.wrong {
			t.Errorf("%s: %s", r.name, wrong)
		}
		n.add("cases")
		if v.struck.code == 0 {
			n.add("ended well all the same")
		}
	}
	n.log(t)
}

// loss is what happens to the folder of a case while it is being acquired.
type loss struct {
	name string
	do   func(dir string) error
	undo func(dir string) error // makes a case of it again that can be gone on with; nil where nothing can
	may  bool                   // it may end well
	says string
}

func losses() []loss {
	remove := func(path string) func(string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, filepath.FromSlash(path))) }
	}
	back := func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Rename(dir+"-2", dir)) }
	around := func(dir string) string { return filepath.Dir(dir) }
	const deleted, missing = "deleted while it was in use", "no such file or directory"
	return []loss{
		{name: "the case is deleted", do: remove(""), says: deleted},
		{name: "the segments are deleted", do: remove("data/evidence"), says: deleted},
		{name: "the last segment is deleted", do: remove(evidence.SegmentPath(1)), says: deleted},
		{name: "the heads are deleted", do: remove("data/checkpoints"), says: missing},
		{name: "the working files are deleted", do: remove("work"), undo: func(string) error { return nil }, says: missing},
		{name: "the case is renamed", do: func(dir string) error { return os.Rename(dir, dir+"-2") }, undo: back, may: true},
		{name: "the case is renamed and another folder put there", do: func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-2"), os.Mkdir(dir, 0o700))
		}, undo: back, may: true},
		{name: "the folder around it is renamed", do: func(dir string) error { return os.Rename(around(dir), around(dir)+"-2") },
			undo: func(dir string) error { return os.Rename(around(dir)+"-2", around(dir)) }, may: true},
	}
}

// TestFolderGoesAway takes the folder away while the service lets the program wait for its fifth answer.
func TestFolderGoesAway(t *testing.T) {
	faults, err := simtenant.ParseFaults("slow@5:1s")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range losses() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			var dir string
			var done error
			w := newWorldOf(t, simtenant.Options{Faults: faults, Wait: func(context.Context, time.Duration) error {
				done = l.do(dir)
				return nil
			}})
			at, err := w.copied(t.Context(), "new")
			if err != nil {
				t.Fatal(err)
			}
			dir = at.real()
			v := &judge{where: at, phase: phaseAcquire, from: len(w.Requests())}
			v.struck, err = w.exhibit(w.acquireArgs(dir, mailbox)...)
			if err = errors.Join(err, done); err != nil {
				t.Fatal(err)
			}
			v.refusedWell(refusal{may: l.may, says: []string{l.says}}, at)
			if l.undo != nil && !v.failed("back", l.undo(dir)) {
				v.all(t.Context())
			}
			for _, wrong := range v.wrong {
				t.Error(wrong)
			}
		})
	}
}
