package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

func reopen(ctx context.Context, t *testing.T, f *crashfs.Folder) (*evidence.Writer, *evidence.Opening, error) {
	return evidence.Open(ctx, evidence.Options{Folder: f, Signers: []trust.Signer{sample.Key(t, 9)}, Now: sample.Clock(), Rand: sample.Rand(3)})
}

func exitOf(ctx context.Context, t *testing.T, f *crashfs.Folder) int {
	t.Helper()
	r, _, err := verify.Check(ctx, f.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Exit()
}

// TestEveryCrashInSeal stops a seal before each of its operations. What is left is the old state, a seal that only a seal goes on
// with, or a sealed case, and sealing again always ends in a verified one.
func TestEveryCrashInSeal(t *testing.T) {
	ctx := context.Background()
	cases, sealing := 0, 0
	for n := 0; ; n++ {
		m := sample.Small(t)
		m.Folder.CrashAt(n)
		err := m.W.Seal(ctx, sample.SealOptions(t))
		if !m.Folder.Crashed() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err == nil {
			t.Fatalf("a seal that lost power before operation %d says that it is done", n)
		}
		for _, s := range []crashfs.Survival{crashfs.Nothing, crashfs.Half, crashfs.Everything} {
			cases++
			f := m.Folder.Reboot(s)
			switch exit := exitOf(ctx, t, f); {
			case evidence.IsSealed(f.FS()) && exit != 0:
				t.Fatalf("crash before operation %d: package.note is there and the check ends with %d", n, exit)
			case !evidence.IsSealed(f.FS()) && exit != verify.ExitIncomplete:
				t.Fatalf("crash before operation %d: the check of an interrupted seal ends with %d", n, exit)
			}
			if sealAgain(ctx, t, f, n) {
				sealing++
			}
		}
	}
	t.Logf("%d crashes, %d of them after the seal entry", cases, sealing)
	if cases < 60 || sealing < 30 {
		t.Errorf("%d crashes, %d after the seal entry: too few", cases, sealing)
	}
}

// sealAgain seals what a crash left, if it is not sealed, and tells whether a seal had been begun.
func sealAgain(ctx context.Context, t *testing.T, f *crashfs.Folder, n int) bool {
	t.Helper()
	w, opening, err := reopen(ctx, t, f)
	if errors.Is(err, evidence.ErrSealed) {
		return true
	}
	if err != nil {
		t.Fatalf("crash before operation %d: %v", n, err)
	}
	if opening.Sealing {
		if _, err := w.Append(ctx, operator(evidence.ActionNote, "")); !errors.Is(err, evidence.ErrSealed) {
			t.Fatalf("crash before operation %d: an entry after the seal entry: %v", n, err)
		}
	}
	if err := errors.Join(w.Seal(ctx, sample.SealOptions(t)), w.Close(ctx)); err != nil {
		t.Fatalf("sealing again after a crash before operation %d: %v", n, err)
	}
	if exit := exitOf(ctx, t, f.Reboot(crashfs.Nothing)); exit != 0 {
		t.Fatalf("sealed again after a crash before operation %d: the check ends with %d", n, exit)
	}
	return opening.Sealing
}

// TestSealedTakesNothing appends to a sealed case, by the same writer and by a new one.
func TestSealedTakesNothing(t *testing.T) {
	ctx := context.Background()
	m := sample.Small(t)
	if err := m.W.Seal(ctx, sample.SealOptions(t)); err != nil {
		t.Fatal(err)
	}
	before := m.Folder.Files()
	if _, err := m.W.Append(ctx, operator(evidence.ActionNote, "")); !errors.Is(err, evidence.ErrSealed) {
		t.Errorf("append: %v", err)
	}
	m.Close()
	if _, _, err := reopen(ctx, t, m.Folder); !errors.Is(err, evidence.ErrSealed) {
		t.Errorf("open: %v", err)
	}
	for name, b := range m.Folder.Files() {
		if !bytes.Equal(before[name], b) {
			t.Errorf("%s changed after the seal", name)
		}
	}
}

// TestDamageIsNotRecovered alters what an opening must not take for a torn tail. It refuses and changes nothing. (Opening does not read
// the segments before the last one; their damage is for a check to find.)
func TestDamageIsNotRecovered(t *testing.T) {
	ctx := context.Background()
	make2 := func() *crashfs.Folder {
		m := sample.Small(t)
		m.Close()
		return m.Folder
	}
	last := evidence.SegmentPath(2)
	for name, change := range map[string]func(*crashfs.Folder){
		"a byte in the middle": func(f *crashfs.Folder) {
			b := f.Files()[last]
			b[len(b)/2] ^= 0xFF
			f.Put(last, b)
		},
		"a note that covers more": func(f *crashfs.Folder) {
			f.Put(evidence.NotePath(400), sample.SignHead(t, sample.Key(t, 9), sample.CaseID, 400, evidence.Hash{}))
		},
		"a note with another root": func(f *crashfs.Folder) {
			s, err := evidence.NewSurvey(f.FS())
			if err != nil {
				t.Fatal(err)
			}
			f.Put(evidence.NotePath(s.Newest()), sample.SignHead(t, sample.Key(t, 9), sample.CaseID, int(s.Newest()), evidence.Hash{}))
		},
		"the end cut off below the newest head": func(f *crashfs.Folder) { f.Put(last, f.Files()[last][:len(f.Files()[last])-1500]) },
		"a segment missing": func(f *crashfs.Folder) {
			f.Put(evidence.SegmentPath(9), f.Files()[last])
		},
	} {
		f := make2()
		change(f)
		before := f.Files()
		_, _, err := reopen(ctx, t, f)
		var damage *evidence.DamageError
		if !errors.As(err, &damage) {
			t.Errorf("%s: opened with %v", name, err)
		}
		for file, b := range f.Files() {
			if !bytes.Equal(before[file], b) {
				t.Errorf("%s: opening changed %s", name, file)
			}
		}
	}
}
