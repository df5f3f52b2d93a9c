package acquire_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// sealable is an open case without a service behind it.
type sealable struct {
	*casefile.Case
	env casefile.Env
	dir string
}

func newSealable(t *testing.T, fields ...evidence.Pair) *sealable {
	t.Helper()
	s := &sealable{dir: filepath.Join(t.TempDir(), "case"), env: casefile.Env{Now: newClock().now, Rand: newRandom(2), Host: "lab-1", Operator: "examiner",
		Tool: []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: "1.2.3"}}}}
	given := append([]evidence.Pair{{Name: "case-number", Value: "2018-17"}, {Name: "exhibit", Value: "EX-1"}, {Name: "examiner", Value: "A. Examiner"}}, fields...)
	var err error
	if s.Case, err = casefile.New(t.Context(), s.env, s.dir, casefile.NewOptions{Fields: given, Signers: []trust.Signer{signer(t)}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sealable) reopen(t *testing.T) error {
	t.Helper()
	var err error
	s.Case, err = casefile.Open(t.Context(), s.env, s.dir, casefile.OpenOptions{Signers: []trust.Signer{signer(t)}})
	return err
}

func (s *sealable) close(t *testing.T) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// asBag requires that the case is exactly what its tag files say, and returns its bag-info.
func (s *sealable) asBag(t *testing.T) []bag.Field {
	t.Helper()
	folder, err := bag.OpenFolder(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	report, err := bag.Check(t.Context(), folder, bag.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Problems {
		t.Error(p)
	}
	return report.Info
}

func TestSeal(t *testing.T) {
	s := newSealable(t, evidence.Pair{Name: "organisation", Value: "Lab"}, evidence.Pair{Name: "description", Value: "Mailbox of A"})
	if err := s.Note(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	var steps []string
	if err := acquire.Seal(t.Context(), s.Case, acquire.SealOptions{Env: s.env, Step: func(step string) { steps = append(steps, step) }}); err != nil {
		t.Fatal(err)
	}
	if err := s.Note(t.Context(), "after"); err == nil {
		t.Error("a note was added to a sealed case")
	}
	s.close(t)
	if !slices.Contains(steps, "building the ledger") {
		t.Errorf("steps told: %q", steps)
	}
	want := []bag.Field{{Label: "Source-Organization", Value: "Lab"}, {Label: "Contact-Name", Value: "A. Examiner"}, {Label: "External-Description", Value: "Mailbox of A"},
		{Label: "External-Identifier", Value: "EX-1"}, {Label: "Internal-Sender-Identifier", Value: s.ID()}, {Label: "Internal-Sender-Description", Value: "Case 2018-17"},
		{Label: "Bagging-Date", Value: "2018-06-11"}, {Label: "Bag-Software-Agent", Value: "exhibit 1.2.3"}}
	if got := s.asBag(t); len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) { // and Payload-Oxum
		t.Errorf("bag-info.txt has %q\nexpected      %q", got, want)
	}
	for name, content := range map[string][]byte{"README.txt": stranger.Readme(), "verify.py": stranger.Verifier()} {
		b, err := os.ReadFile(filepath.Join(s.dir, "data", name))
		if err != nil || !bytes.Equal(b, content) || len(b) < 1000 {
			t.Errorf("data/%s: %d bytes, %v", name, len(b), err)
		}
	}
	work, err := os.ReadDir(filepath.Join(s.dir, "work"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range work {
		if strings.Contains(e.Name(), "seal") || strings.HasSuffix(e.Name(), ".new") {
			t.Errorf("work/%s is left", e.Name())
		}
	}
	if err := s.reopen(t); !errors.Is(err, evidence.ErrSealed) {
		t.Errorf("opening a sealed case: %v", err)
	}
}

// TestSealFields seals cases whose statements cannot stand in bag-info.txt as they are.
func TestSealFields(t *testing.T) {
	for _, value := range []string{" padded ", "two\u2028lines", "\u2029", "ends with a separator\u2028", strings.Repeat("long ", 400), "a\u202eb", "\u00a0"} {
		s := newSealable(t, evidence.Pair{Name: "organisation", Value: value}, evidence.Pair{Name: "description", Value: value})
		if err := acquire.Seal(t.Context(), s.Case, acquire.SealOptions{Env: s.env}); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		s.close(t)
		s.asBag(t)
	}
}

// TestSealSpace: without the space nothing is written, with it the seal is made.
func TestSealSpace(t *testing.T) {
	s := newSealable(t)
	if _, err := s.Index(t.Context()); err != nil { // caught up: nothing more is written to it meanwhile
		t.Fatal(err)
	}
	before := listing(t, s.dir)
	free := int64(0)
	o := acquire.SealOptions{Env: s.env, Free: func(dir string) (int64, error) {
		if dir != s.dir {
			t.Errorf("the space of %q was asked for", dir)
		}
		return free, nil
	}}
	var space *acquire.SpaceError
	if err := acquire.Seal(t.Context(), s.Case, o); !errors.As(err, &space) || space.Free != 0 || space.Need < 128<<10 {
		t.Fatalf("no space: %v", err)
	}
	free = space.Need - 1
	if err := acquire.Seal(t.Context(), s.Case, o); !errors.As(err, &space) {
		t.Fatalf("a byte short: %v", err)
	}
	if after := listing(t, s.dir); after != before {
		t.Errorf("a seal that was refused changed\n%s to\n%s", before, after)
	}
	if err := s.Note(t.Context(), "the case goes on"); err != nil {
		t.Fatal(err)
	}
	free = -1 // not known
	if err := acquire.Seal(t.Context(), s.Case, o); err != nil {
		t.Fatal(err)
	}
	s.close(t)
	size := int64(0)
	for _, name := range []string{"data/ledger.db", "data/README.txt", "data/verify.py", "manifest-sha256.txt"} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if space.Need < size {
		t.Errorf("%d bytes were asked for, %d written", space.Need, size)
	}
}

// listing is the names and sizes of what is in a case.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			b.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSealInterrupted ends a seal before each of the steps that can be interrupted: what is left is unsealed, and is sealed by the next attempt. Until the ledger is
// ended the case is as it was.
func TestSealInterrupted(t *testing.T) {
	for at, begun := range map[string]bool{"building the ledger": false, "ending the ledger": true} {
		t.Run(at, func(t *testing.T) {
			s := newSealable(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := acquire.Seal(ctx, s.Case, acquire.SealOptions{Env: s.env, Step: func(step string) {
				if step == at {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the seal was interrupted and ends with %v", err)
			}
			_ = s.Close(t.Context()) // says the same once more
			if _, err := os.Stat(filepath.Join(s.dir, "package.note")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("package.note: %v", err)
			}
			if err := s.reopen(t); err != nil {
				t.Fatal(err)
			}
			if s.Opening.Sealing != begun {
				t.Errorf("a seal is said to be begun: %v", s.Opening.Sealing)
			}
			if err := s.Note(t.Context(), "the case goes on"); begun != errors.Is(err, evidence.ErrSealed) {
				t.Errorf("a note: %v", err)
			}
			if err := acquire.Seal(t.Context(), s.Case, acquire.SealOptions{Env: s.env}); err != nil {
				t.Fatal(err)
			}
			s.close(t)
			s.asBag(t)
		})
	}
}

// TestUnfinished: a window counts until a later one of the same acquisition has ended well.
func TestUnfinished(t *testing.T) {
	a, b := evidence.Hash{1}, evidence.Hash{2}
	windows := []*row.Window{
		{Window: 1, Acquisition: a, State: evidence.Partial},
		{Window: 2, Acquisition: a, State: evidence.Complete},
		{Window: 3, Acquisition: a, State: evidence.Failed},
		{Window: 4, Acquisition: b, State: evidence.Opened},
		{Window: 5, Acquisition: b, State: evidence.Partial},
		{Window: 6, Acquisition: b, State: evidence.Empty},
		{Window: 7, Acquisition: evidence.Hash{3}, State: evidence.Opened},
	}
	var got []int64
	for _, w := range acquire.Unfinished(windows) {
		got = append(got, w.Window)
	}
	if !slices.Equal(got, []int64{3, 7}) {
		t.Errorf("windows %v are unfinished, expected 3 and 7", got)
	}
}
