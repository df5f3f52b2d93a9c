//go:build linux

package faultfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// grain is how much larger each disk is than the one before.
const grain = 64 << 10

// enough is a disk that nothing here fills.
const enough = 256 << 20

// disk is a real file system of a few bytes, in memory.
type disk struct{ dir string }

// needDisk tells loudly if no file system can be mounted.
func needDisk(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=65536"); err != nil {
		notTested(t, fmt.Sprintf("disks that are full: no file system can be mounted here: %v", err))
	}
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
}

func newDisk(dir string, size int64) (disk, error) {
	return disk{dir}, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0755", size))
}

// resize makes the disk larger or smaller; what is on it stays.
func (d disk) resize(size int64) error {
	return unix.Mount("tmpfs", d.dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d", size))
}

// used is how many bytes are taken.
func (d disk) used() (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(d.dir, &s)
	return int64(s.Blocks-s.Bfree) * int64(s.Bsize), err
}

// close takes the disk away; a process that another test is just starting may hold its files for a moment longer.
func (d disk) close() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }

// freeze makes the disk read-only, once nobody holds a file of it for writing, and thaw undoes that.
func (d disk) freeze() (err error) {
	for range 100_000 {
		if err = unix.Mount("tmpfs", d.dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_RDONLY, ""); !errors.Is(err, unix.EBUSY) {
			return err
		}
		runtime.Gosched()
	}
	return err
}

func (d disk) thaw() error {
	return unix.Mount("tmpfs", d.dir, "tmpfs", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// onDisk gives a case a disk of its own. The disk goes when done is called.
func (w *world) onDisk(size int64) (at where, d disk, done func() error, err error) {
	if at, err = w.fresh(); err != nil {
		return at, d, nil, err
	}
	dir := filepath.Dir(at.real())
	d, err = newDisk(dir, size)
	return at, d, func() error { return errors.Join(d.close(), os.Remove(dir)) }, err
}

// saysFull requires of a program that ended that it says what is full, what that means and what to do.
func (v *judge) saysFull() {
	e := v.struck
	if e.code != 1 || e.late {
		v.say("on a full disk it ended with %d: %s", e.code, e.text)
	}
	for _, text := range []string{"no space left on device", "meaning: ", "next: free space"} {
		if !strings.Contains(e.text, text) && !strings.Contains(e.text, "bytes are needed and") {
			v.say("the message does not say %q: %s", text, e.text)
		}
	}
	if !strings.Contains(e.text, "/case") && !strings.Contains(e.text, "segment 0") && !strings.Contains(e.text, "index") && !strings.Contains(e.text, "work/") {
		v.say("the message names nothing that is full: %s", e.text)
	}
	if strings.Contains(e.text, "goroutine ") {
		v.say("it ended with a trace: %s", e.text)
	}
}

// life is all that is done with a case, from making it to sealing it.
func (w *world) life(dir string, of target) [][]string {
	return [][]string{
		{"case", "new", dir, "--case-number", "2018-7", "--exhibit", "E1", "--examiner", "A. Examiner"},
		w.acquireArgs(dir, of),
		{"seal", "--yes", dir},
	}
}

// fills runs the program on a disk of a size until it is full, makes room, and goes on. untouched tells that nothing was full.
func (w *world) fills(ctx context.Context, of target, size int64) (v *judge, at string, err error) {
	a, d, done, err := w.onDisk(size)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, done()) }()
	v = &judge{where: a, of: of, from: len(w.Requests())}
	for i, args := range w.life(a.real(), of) {
		if v.struck, err = w.exhibit(args...); err != nil {
			return nil, "", err
		}
		if v.struck.code == 0 {
			continue
		}
		at = args[0]
		v.phase = []phase{phaseRecover, phaseAcquire, phaseSeal}[i]
		v.saysFull()
		if err := d.resize(enough); err != nil {
			return nil, "", err
		}
		if i > 0 {
			break
		}
		return v, at, w.anew(ctx, v, of)
	}
	v.all(ctx)
	return v, at, nil
}

// anew does what the message for a case that could not be made says: it removes what is left, and makes the case again; or goes on, where it was made.
func (w *world) anew(ctx context.Context, v *judge, of target) error {
	if strings.Contains(v.struck.text, "the case was made") {
		v.all(ctx)
		return nil
	}
	if !strings.Contains(v.struck.text, "no case was made") || !strings.Contains(v.struck.text, "remove what is left in ") {
		v.say("the message does not say what to do with half a case: %s", v.struck.text)
	}
	if err := os.RemoveAll(v.real()); err != nil {
		return err
	}
	e, err := w.exhibit(w.life(v.real(), of)[0]...)
	if err != nil {
		return err
	}
	if e.code != 0 {
		v.say("with space there again, the case could not be made: %d: %s", e.code, e.text)
		return nil
	}
	v.all(ctx)
	return nil
}

// TestFullDisk is row F8: a disk that is full after so many bytes, in steps of 64 KiB, until all fits.
func TestFullDisk(t *testing.T) {
	needDisk(t)
	for _, of := range []target{mailbox, noise} {
		t.Run("acquire "+string(of), func(t *testing.T) {
			t.Parallel()
			step := int64(1)
			if !*full {
				step = map[target]int64{mailbox: 6, noise: 50}[of]
			}
			w, n := newWorld(t), count{by: map[string]int{}}
			for k := int64(1); ; k += step {
				v, at, err := w.fills(t.Context(), of, k*grain)
				if err != nil {
					t.Fatalf("disk of %d KiB: %v", k*grain>>10, err)
				}
				for _, wrong := range v.wrong {
					t.Errorf("disk of %d KiB: %s", k*grain>>10, wrong)
				}
				if at == "" {
					t.Logf("%d KiB are enough", k*grain>>10)
					break
				}
				n.add("full at "+at, "cases")
			}
			n.log(t)
		})
	}
}

// sealsFull seals a case on a disk that has so many bytes left. With blind set, the question for space beforehand is left out, as where somebody else fills the
// disk meanwhile.
func (w *world) sealsFull(ctx context.Context, left int64, blind bool) (v *judge, sealed bool, err error) {
	base, err := w.base(ctx, "acquired")
	if err != nil {
		return nil, false, err
	}
	a, d, done, err := w.onDisk(enough)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := os.CopyFS(filepath.Dir(a.real()), os.DirFS(filepath.Join(w.dir, "real", base))); err != nil {
		return nil, false, err
	}
	used, err := d.used()
	if err == nil {
		err = d.resize(used + left)
	}
	if err != nil {
		return nil, false, err
	}
	v = &judge{where: a, phase: phaseSeal, from: len(w.Requests())}
	if blind {
		v.struck, err = w.child(job{Phase: phaseFull, Dir: a.real(), Acks: a.acks()})
	} else {
		v.struck, err = w.exhibit("seal", "--yes", a.real())
	}
	if err != nil {
		return nil, false, err
	}
	if sealed = v.struck.code == 0; !sealed && !blind {
		v.saysFull()
		if v.asked() && sealBegun(v.real()) {
			v.say("it asked for space and had begun to seal: %s", v.struck.text)
		}
	}
	if !sealed && blind && !strings.Contains(v.struck.text, "no space left on device") {
		v.say("the message does not say what is full: %s", v.struck.text)
	}
	if err := d.resize(enough); err != nil {
		return nil, false, err
	}
	v.all(ctx)
	return v, sealed, nil
}

// asked reports whether the program refused to begin for want of space, and said how much it needs.
func (v *judge) asked() bool { return strings.Contains(v.struck.text, "bytes are needed and") }

// sealBegun reports whether anything of a seal is in a case.
func sealBegun(dir string) bool {
	entries, err := entriesIn(context.Background(), dir)
	_, e := os.Stat(filepath.Join(dir, filepath.FromSlash(evidence.LedgerPath)))
	return err != nil || e == nil || entries[len(entries)-1].Head.Kind == evidence.KindSeal
}

// TestFullDiskAtSeal seals on disks with 0, 1, 2 … steps left, until the seal fits: as the program does, which asks first, and as if the disk filled up behind
// its back.
func TestFullDiskAtSeal(t *testing.T) {
	needDisk(t)
	for _, row := range []struct {
		name        string
		blind       bool
		step, parts int64
	}{{"the program asks first", false, 32 << 10, 7}, {"filled meanwhile", true, 8 << 10, 11}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			step := row.step
			if !*full {
				step *= row.parts
			}
			w, n := newWorld(t), count{by: map[string]int{}}
			for left := int64(0); ; left += step {
				v, sealed, err := w.sealsFull(t.Context(), left, row.blind)
				if err != nil {
					t.Fatalf("%d bytes left: %v", left, err)
				}
				for _, wrong := range v.wrong {
					t.Errorf("%d bytes left: %s", left, wrong)
				}
				if sealed {
					t.Logf("%d bytes are enough", left)
					break
				}
				n.add("cases")
				for word, holds := range map[string]bool{"asked for space": v.asked(), "left a seal begun": v.sealing, "left a sealed case": v.sealed} {
					if holds {
						n.add(word)
					}
				}
			}
			n.log(t)
			if !row.blind && n.by["asked for space"] == 0 {
				t.Error("it never asked for space")
			}
		})
	}
}

// sealedCase makes a sealed case on the ordinary disk.
func (w *world) sealedCase(ctx context.Context) (where, error) {
	at, err := w.copied(ctx, "acquired")
	if err == nil {
		err = withCase(ctx, at.real(), func(c *casefile.Case) error { return sealCase(ctx, c) })
	}
	return at, err
}

// verifier runs the real exhibit-verify.
func (w *world) verifier(env []string, args ...string) (ending, error) {
	dir, err := programs()
	if err != nil {
		return ending{}, err
	}
	return run(w.t.Context(), append([]string{filepath.Join(dir, "exhibit-verify")}, args...), append(w.environ(), env...)...)
}

// TestFullDiskAtExtract extracts records onto disks of 4, 8, 12 … KiB, until they fit. Nothing is left of what could not be finished.
func TestFullDiskAtExtract(t *testing.T) {
	needDisk(t)
	w := newWorld(t)
	at, err := w.sealedCase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	step := int64(8 << 10)
	if !*full {
		step *= 5
	}
	for _, format := range []string{"jsonl", "csv"} {
		whole, err := w.verifier(nil, "extract", at.real(), "--format", format)
		if err != nil || whole.code != 0 {
			t.Fatalf("%s: %+v, %v", format, whole, err)
		}
		cases := 0
		for size := int64(4 << 10); ; size += step {
			fits := w.extractsTo(t, at, format, size, whole.out)
			if fits {
				break
			}
			cases++
		}
		t.Logf("%4d cases of %s, %d bytes in all", cases, format, len(whole.out))
		if cases == 0 {
			t.Error("all fitted at once")
		}
	}
}

// extractsTo extracts to a disk of a size and reports whether it fitted.
func (w *world) extractsTo(t *testing.T, at where, format string, size int64, want string) bool {
	t.Helper()
	dir := t.TempDir()
	d, err := newDisk(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	out := filepath.Join(dir, "records")
	e, err := w.verifier(nil, "extract", at.real(), "--format", format, "-o", out)
	if err != nil {
		t.Fatal(err)
	}
	if e.code == 0 {
		b, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(b, []byte(want)) {
			t.Errorf("%s on %d bytes: it ended with 0 and wrote %d of %d bytes, %v", format, size, len(b), len(want), err)
		}
		return true
	}
	if e.code != 1 || !strings.Contains(e.text, "no space left on device") || !strings.Contains(e.text, out) || strings.Contains(e.text, "goroutine ") {
		t.Errorf("%s on %d bytes: it ended with %d: %s", format, size, e.code, e.text)
	}
	if err := d.resize(enough); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s on %d bytes: a file that is not finished was left: %v", format, size, err)
	}
	e, err = w.verifier(nil, "extract", at.real(), "--format", format, "-o", out)
	b, rerr := os.ReadFile(out)
	if err = errors.Join(err, rerr); err != nil || e.code != 0 || string(b) != want {
		t.Errorf("%s with space there again: %d, %d bytes, %v", format, e.code, len(b), err)
	}
	return false
}

// TestFullOutput lets the output itself be full.
func TestFullOutput(t *testing.T) {
	w := newWorld(t)
	at, err := w.sealedCase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	programs, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"exhibit-verify", "extract", at.real()}, {"exhibit-verify", "extract", at.real(), "--format", "csv"}, {"exhibit-verify", "check", "--json", at.real()},
		{"exhibit", "status", at.real()}, {"exhibit", "status", "--json", at.real()}, {"exhibit", "log", at.real()}, {"exhibit", "sources"},
	} {
		args[0] = filepath.Join(programs, args[0])
		line := strings.Join(args, " ") + " >/dev/full"
		e, err := run(t.Context(), []string{"sh", "-c", line}, w.environ()...)
		if err != nil {
			t.Fatal(err)
		}
		if e.code == 0 || !strings.Contains(e.text, "no space left on device") {
			t.Errorf("%s: it ended with %d although nothing could be written: %s", line, e.code, e.text)
		}
	}
}
