package evidence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/verify"
)

// quickIndex is an index that is durable the moment it is told something.
type quickIndex struct{ at evidence.Position }

func (x *quickIndex) Position(context.Context) (evidence.Position, error) { return x.at, nil }

func (x *quickIndex) Apply(_ context.Context, batches []*evidence.Batch) error {
	x.at = evidence.PositionOf(batches[len(batches)-1])
	return nil
}

// TestPowerLostAfterDeath kills a writer at every operation, so that what it wrote and did not sync still seems to be there; lets another open the case and append; and takes
// the power away from that one at every other operation. What either has acknowledged, and what an index or a head was told of, must be there afterwards.
func TestPowerLostAfterDeath(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestPowerLostAfterDeath (-short)")
	}
	ctx := context.Background()
	cases := 0
	for n := 0; ; n++ {
		first := crashfs.New()
		index := &quickIndex{}
		first.CrashAt(n)
		acked := smallWork(ctx, t, first, index)
		if !first.Crashed() {
			break
		}
		for m := n % 2; ; m += 2 {
			second := first.Restart()
			told := *index
			second.CrashAt(m)
			more, err := oneMore(ctx, t, second, &told)
			if !second.Crashed() {
				if err != nil && (acked > 0 || !errors.Is(err, evidence.ErrNoCase) && !strings.Contains(err.Error(), "not exist")) {
					t.Errorf("killed at %d: %v", n, err)
				}
				break
			}
			cases++
			if err := whole(ctx, t, second.Reboot(crashfs.Nothing), &told, acked+more); err != nil {
				t.Errorf("killed at %d, power lost at %d: %v", n, m, err)
			}
		}
	}
	t.Logf("%d cases", cases)
	if cases < 300 {
		t.Errorf("%d cases are too few to mean anything", cases)
	}
}

func restartOptions(t testing.TB, f evidence.Folder, x evidence.Index) evidence.Options {
	opts := options(t, f)
	opts.SegmentSize, opts.HeadEntries, opts.Index = 3_000, 4, x
	return opts
}

// smallWork appends six exchanges and tells how many were acknowledged.
func smallWork(ctx context.Context, t testing.TB, f evidence.Folder, x evidence.Index) (acked int) {
	w, err := evidence.Create(ctx, restartOptions(t, f, x), evidence.Case{Case: testCase})
	if err != nil {
		return 0
	}
	defer w.Close(ctx)
	for n := 1; n <= 6; n++ {
		if _, err := w.Append(ctx, exchange(n, testRun)); err == nil {
			acked++
		}
	}
	return acked
}

func oneMore(ctx context.Context, t testing.TB, f evidence.Folder, x evidence.Index) (acked int, err error) {
	w, _, err := evidence.Open(ctx, restartOptions(t, f, x))
	if err != nil {
		return 0, err
	}
	if _, err = w.Append(ctx, exchange(7, testRun)); err == nil {
		acked = 1
	}
	return acked, errors.Join(err, w.Close(ctx))
}

// whole requires that the verifier finds no damage, that the case opens, and that so many exchanges are in it at least.
func whole(ctx context.Context, t testing.TB, f *crashfs.Folder, x evidence.Index, exchanges int) error {
	r, _, err := verify.Check(ctx, f.FS(), verify.Options{})
	if err != nil {
		return err
	}
	if exchanges > 0 && r.Exit() == verify.ExitDamaged {
		return fmt.Errorf("the check says %+v", r.Findings)
	}
	w, _, err := evidence.Open(ctx, restartOptions(t, f, x))
	if exchanges == 0 && (errors.Is(err, evidence.ErrNoCase) || err != nil && strings.Contains(err.Error(), "not exist")) {
		return nil
	}
	if err == nil {
		err = w.Close(ctx)
	}
	if err != nil {
		return err
	}
	_, entries, err := walkAll(ctx, f.FS())
	have := 0
	for _, e := range entries {
		if e.Head.Kind == evidence.KindExchange {
			have++
		}
	}
	if have < exchanges {
		return fmt.Errorf("%d exchanges of %d are there", have, exchanges)
	}
	return err
}
