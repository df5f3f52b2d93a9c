//go:build linux

package faultfs

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// limit is within how many cases a planted bug must be caught.
const limit = 40

// caught tries cases until one goes wrong, and says how many it took.
func caught[T any](t *testing.T, list []T, try func(T) (*judge, error)) {
	t.Helper()
	for i, c := range list[:min(len(list), limit)] {
		v, err := try(c)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.wrong) > 0 {
			t.Logf("caught after %d cases: %v: %.300s", i+1, c, v.wrong[0])
			return
		}
	}
	t.Errorf("not caught in %d cases", min(len(list), limit))
}

// TestHarnessCatches plants bugs in what writes. Faults must bring each to light.
func TestHarnessCatches(t *testing.T) {
	segments := func(f Fault) Fault { f.In = evidence.SegmentsPath + "/"; return f }
	for _, c := range []struct {
		name  string
		plant plant
		scene int
		fault Fault
	}{
		{"a sync that failed is taken for one that succeeded", plantSwallow, 0, segments(Fault{Op: Sync, Errno: syscall.EIO, Lose: true})},
		{"a sync that failed is tried again", plantRetry, 0, segments(Fault{Op: Sync, Errno: syscall.EIO})},
		{"a sync of a seal that failed is tried again", plantRetry, 2, Fault{Op: Sync, Errno: syscall.EIO}},
		{"entries are acknowledged before they are written", plantEarlyAck, 0, segments(Fault{Op: Write, Errno: syscall.EIO, Sticky: true})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := shuffled(w.casesOf(t, scenes()[c.scene:c.scene+1], []way{{c.fault, false}}))
			caught(t, list, func(f faultCase) (*judge, error) {
				v, _, err := w.meets(t.Context(), f, c.plant)
				return v, err
			})
		})
	}
}

// TestFlipHarnessCatches plants a writer that believes that the disk holds what it wrote.
func TestFlipHarnessCatches(t *testing.T) {
	t.Parallel()
	for _, op := range []Op{Read, Write} {
		w := newWorld(t)
		caught(t, drawFlips(t, w, op, limit), func(c flipCase) (*judge, error) {
			v, _, err := w.flips(t.Context(), c, plantNoReadBack)
			return v, err
		})
	}
}

// TestFullDiskHarnessCatches plants a writer that takes no notice of a full disk.
func TestFullDiskHarnessCatches(t *testing.T) {
	needDisk(t)
	w := newWorld(t)
	caught(t, []int64{8, 4, 6}, func(k int64) (v *judge, err error) {
		at, _, done, err := w.onDisk(k * grain)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, done()) }()
		v = &judge{where: at, of: noise, phase: phaseAcquire, from: len(w.Requests())}
		if err := newCase(t.Context(), at.real()); err != nil {
			return nil, err
		}
		v.struck, err = w.child(job{Phase: phaseAcquire, Dir: at.real(), Acks: at.acks(), Of: noise, Plant: plantIgnoreFull})
		v.all(t.Context())
		return v, err
	})
}

// TestRefusalHarnessCatches plants a program whose exit code is thrown away.
func TestRefusalHarnessCatches(t *testing.T) {
	needOther(t)
	w := newOpenWorld(t)
	caught(t, shuffled(refusals()), func(r refusal) (*judge, error) {
		r.deaf, r.limit = true, ""
		return w.refused(t.Context(), r)
	})
}

// TestPlanStrikes holds the plan itself against what it was told.
func TestPlanStrikes(t *testing.T) {
	p := &Plan{}
	p.Arm(Fault{Op: Write, At: 2, Errno: syscall.EIO, In: "data/"})
	got := []syscall.Errno{}
	for _, path := range []string{"data/a", "work/b", "data/c", "data/d"} {
		got = append(got, p.step(Write, path).errno)
	}
	if want := []syscall.Errno{0, 0, syscall.EIO, 0}; !slices.Equal(got, want) {
		t.Errorf("once: %v, not %v", got, want)
	}
	p.Arm(Fault{Op: Sync, At: 1, Errno: syscall.EIO, Sticky: true})
	p.step(Sync, "data/a")
	if p.step(Sync, "data/a"); len(p.Misuses()) != 1 || len(p.Strikes()) != 2 {
		t.Errorf("a second sync: %q, %v", p.Misuses(), p.Strikes())
	}
	p.step(Write, "data/a")
	if len(p.Misuses()) != 2 {
		t.Errorf("a write behind a failed sync: %q", p.Misuses())
	}
}
