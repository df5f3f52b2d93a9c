package evidence_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

func skipOrFail(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal(what)
	}
	t.Skip("NOT TESTED: " + what)
}

// workload appends ten exchanges in a run, over small segments, and records which were acknowledged.
func workload(ctx context.Context, t testing.TB, f evidence.Folder) (acked []int) {
	opts := options(t, f)
	opts.SegmentSize, opts.HeadEntries = 6_000, 4
	w, err := evidence.Create(ctx, opts, evidence.Case{Case: testCase})
	if err != nil {
		return nil
	}
	defer w.Close(ctx)
	if _, err := w.Append(ctx, operator(evidence.ActionRunStart, testRun, evidence.Pair{Name: "parallel", Value: "3"})); err != nil {
		return nil
	}
	for n := 1; n <= 10; n++ {
		if _, err := w.Append(ctx, exchange(n, testRun)); err == nil {
			acked = append(acked, n)
		}
	}
	w.Append(ctx, operator(evidence.ActionRunStop, testRun))
	return acked
}

// afterCrash opens what a crash left and holds it against what was acknowledged and what was ever written. Recovery itself may be
// interrupted.
func afterCrash(ctx context.Context, t testing.TB, f *crashfs.Folder, acked []int) error {
	written := f.Files()
	if err := opened(ctx, t, f, acked); err != nil {
		return err
	}
	return nothingLost(ctx, f, written)
}

// nothingLost requires that every byte that stood in a segment before is still in it, or is the record of a gap entry.
func nothingLost(ctx context.Context, f *crashfs.Folder, before map[string][]byte) error {
	torn := map[string]bool{}
	for b, err := range evidence.Batches(ctx, f.FS()) {
		if err != nil {
			return nil // there is no case yet
		}
		for _, e := range b.Entries {
			if gap, ok := e.Body.(*evidence.Gap); ok && gap.Reason == evidence.GapTorn {
				torn[fmt.Sprintf("%d %d %s", gap.Segment, gap.Offset, e.Detail.Records[0].Block)] = true
			}
		}
	}
	after := f.Files()
	for n := int64(1); before[evidence.SegmentPath(n)] != nil; n++ {
		old, now := before[evidence.SegmentPath(n)], after[evidence.SegmentPath(n)]
		if bytes.HasPrefix(now, old) {
			continue
		}
		cut := len(now)
		if !bytes.HasPrefix(old, now) {
			cut = 0 // the whole file was replaced
		}
		if !torn[fmt.Sprintf("%d %d %x", n, cut, sha256.Sum256(old[cut:]))] {
			return fmt.Errorf("%d bytes of segment %d are gone and in no gap entry", len(old)-cut, n)
		}
	}
	return nil
}

// opened opens the case and closes it again.
func opened(ctx context.Context, t testing.TB, f *crashfs.Folder, acked []int) error {
	opts := options(t, f)
	opts.SegmentSize, opts.HeadEntries = 6_000, 4
	w, opening, err := evidence.Open(ctx, opts)
	if err != nil {
		if len(acked) == 0 && (errors.Is(err, evidence.ErrNoCase) || strings.Contains(err.Error(), "not exist")) {
			return nil
		}
		return fmt.Errorf("open: %w", err)
	}
	if err := w.Close(ctx); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	walker, entries, err := walkAll(ctx, f.FS())
	if err != nil {
		return fmt.Errorf("walk: %w", err)
	}
	have, gaps, stops := map[string]bool{}, 0, 0
	for _, e := range entries {
		switch b := e.Body.(type) {
		case *evidence.Exchange:
			have[b.URL] = true
		case *evidence.Gap:
			if b.Reason == evidence.GapUnclean {
				gaps++
				if b.InFlight != 3 {
					return fmt.Errorf("in flight %d, want 3", b.InFlight)
				}
			}
		case *evidence.Operator:
			if b.Action == evidence.ActionRunStop {
				stops++
			}
		}
	}
	for _, n := range acked {
		if url := fmt.Sprintf("https://service.example/page/%d", n); !have[url] {
			return fmt.Errorf("acknowledged exchange %d is gone", n)
		}
	}
	if len(acked) > 0 && gaps+stops != 1 {
		return fmt.Errorf("%d stops and %d gaps for one run", stops, gaps)
	}
	if opening.Torn != nil && opening.Torn.Length == 0 && opening.Torn.Offset > 0 {
		return errors.New("an empty tail was declared")
	}
	if walker.Position().Entries != int64(len(entries)) {
		return errors.New("entries walked twice")
	}
	return nil
}

// eachCrash stops the workload before each operation, with each way of losing what was not synced, and returns the first failure.
func eachCrash(ctx context.Context, t testing.TB, wrap func(*crashfs.Folder) evidence.Folder, check func(*crashfs.Folder, []int) error) (cases int, err error) {
	for n := 0; ; n++ {
		f := crashfs.New()
		f.CrashAt(n)
		acked := workload(ctx, t, wrap(f))
		if !f.Crashed() {
			return cases, nil
		}
		for _, s := range []crashfs.Survival{crashfs.Nothing, crashfs.Half, crashfs.Everything} {
			cases++
			if err := check(f.Reboot(s), acked); err != nil {
				return cases, fmt.Errorf("crash before operation %d (%s), survival %d: %w", n, f.Trace()[len(f.Trace())-1], s, err)
			}
		}
	}
}

func plain(f *crashfs.Folder) evidence.Folder { return f }

// forgetful is a folder on which a writer forgets to sync some of its files.
type forgetful struct {
	evidence.Folder
	suffix string
}

func (f forgetful) OpenFile(name string, flag int, perm fs.FileMode) (evidence.File, error) {
	file, err := f.Folder.OpenFile(name, flag, perm)
	if err != nil || !strings.HasSuffix(name, f.suffix) {
		return file, err
	}
	return unsynced{file}, nil
}

type unsynced struct{ evidence.File }

func (unsynced) Sync() error { return nil }

// TestCrashHarnessCatches plants bugs that the harness must notice: a writer that does not sync its segments, one that does not sync
// their folder, and a recovery that throws a torn tail away.
func TestCrashHarnessCatches(t *testing.T) {
	ctx := context.Background()
	check := func(f *crashfs.Folder, acked []int) error { return afterCrash(ctx, t, f, acked) }
	for name, suffix := range map[string]string{"segments are not synced": ".warc.zst", "folder is not synced": evidence.SegmentsPath} {
		cases, err := eachCrash(ctx, t, func(f *crashfs.Folder) evidence.Folder { return forgetful{f, suffix} }, check)
		t.Logf("%s: caught after %d crashes: %v", name, cases, err)
		if err == nil {
			t.Errorf("%s: not caught in %d crashes", name, cases)
		}
	}
	cases, err := eachCrash(ctx, t, plain, func(f *crashfs.Folder, acked []int) error {
		written := f.Files()
		discardTail(ctx, f)
		if err := opened(ctx, t, f, acked); err != nil {
			return err
		}
		return nothingLost(ctx, f, written)
	})
	t.Logf("recovery discards: caught after %d crashes: %v", cases, err)
	if err == nil {
		t.Errorf("a recovery that discards was not caught in %d crashes", cases)
	}
}

// discardTail is a bad recovery: it cuts the last segment behind its last whole batch and says nothing.
func discardTail(ctx context.Context, f *crashfs.Folder) {
	dec, _ := warc.NewDecoder()
	w := evidence.NewWalker(dec)
	for n := int64(1); ; n++ {
		file, size, err := evidence.OpenSegment(f.FS(), n)
		if err != nil {
			return
		}
		w.Segment(ctx, n, file, size, func(*evidence.Batch) error { return nil })
		if w.Position().Segment == n {
			f.Put(evidence.SegmentPath(n), f.Files()[evidence.SegmentPath(n)][:w.Position().Offset])
		}
	}
}

func TestEveryCrashKeepsWhatWasAcknowledged(t *testing.T) {
	ctx := context.Background()
	cases, err := eachCrash(ctx, t, plain, func(f *crashfs.Folder, acked []int) error {
		if err := afterCrash(ctx, t, f, acked); err != nil {
			return err
		}
		return afterCrash(ctx, t, f.Reboot(crashfs.Nothing), acked) // and again: nothing may change any more
	})
	t.Logf("%d crashes", cases)
	if err != nil {
		t.Error(err)
	}
	if cases < 200 {
		t.Errorf("%d crashes only", cases)
	}
}

// TestEveryCrashInRecovery interrupts recovery at each of its operations, too.
func TestEveryCrashInRecovery(t *testing.T) {
	ctx := context.Background()
	f := crashfs.New()
	whole := workload(ctx, t, f)
	last := len(f.Trace())
	if len(whole) != 10 {
		t.Fatalf("undisturbed workload acknowledged %v", whole)
	}
	cases := 0
	for _, back := range []int{3, 6, 9, 12, 15, 20, 30} {
		f := crashfs.New()
		f.CrashAt(last - back)
		acked := workload(ctx, t, f)
		for n := 0; ; n++ {
			r := f.Reboot(crashfs.Half)
			r.CrashAt(n)
			err := afterCrash(ctx, t, r, acked)
			if !r.Crashed() {
				if err != nil {
					t.Fatalf("recovery after crash %d: %v", last-back, err)
				}
				break
			}
			for _, s := range []crashfs.Survival{crashfs.Nothing, crashfs.Half, crashfs.Everything} {
				cases++
				if err := afterCrash(ctx, t, r.Reboot(s), acked); err != nil {
					t.Fatalf("crash at operation %d of recovery after crash %d, survival %d: %v", n, last-back, s, err)
				}
			}
		}
	}
	t.Logf("%d crashes in recovery", cases)
	if cases < 100 {
		t.Errorf("%d crashes only", cases)
	}
}
