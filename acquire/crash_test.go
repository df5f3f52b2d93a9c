package acquire_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

const crashCaseID = "00112233445566778899aabbccddeeff"

// crashCase is a case on a folder that loses power, with its index on a disk that does not: the harsher of two orders, since the index may then be ahead.
type crashCase struct {
	writer *evidence.Writer
	folder *crashfs.Folder
	index  *ledger.Ledger
	lazy   *ledger.Lazy

	mu    sync.Mutex
	acked map[int64]string // seq → head line, of what was acknowledged
}

func openCrashCase(b *bench, folder *crashfs.Folder, index string, create bool) (*crashCase, error) {
	c := &crashCase{folder: folder, acked: map[int64]string{}}
	var err error
	if c.index, err = ledger.Open(index, ledger.Options{}); err != nil {
		return nil, err
	}
	c.lazy = ledger.NewLazy(c.index)
	o := evidence.Options{Folder: folder, Signers: []trust.Signer{signer(b.t)}, Now: b.env.Now, Rand: newRandom(7), Index: c.lazy}
	if create {
		c.writer, err = evidence.Create(context.Background(), o, evidence.Case{Case: crashCaseID})
	} else {
		c.writer, _, err = evidence.Open(context.Background(), o)
	}
	if err != nil {
		return nil, errors.Join(err, c.lazy.Close(), c.index.Close())
	}
	return c, nil
}

func (c *crashCase) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	e, err := c.writer.Append(ctx, d)
	if err == nil {
		c.mu.Lock()
		c.acked[e.Head.Seq] = string(e.HeadLine)
		c.mu.Unlock()
	}
	return e, err
}

func (c *crashCase) Index(ctx context.Context) (*ledger.Ledger, error) {
	return c.index, c.lazy.Flush(ctx)
}

func (c *crashCase) Files() fs.FS { return c.folder.FS() }

func (c *crashCase) close() error {
	return errors.Join(c.writer.Close(context.Background()), c.lazy.Close(), c.index.Close())
}

// hasty hands each entry on before it is durable: it is written when the next one comes. This is what a source must never see, planted to show that the harness
// notices.
type hasty struct {
	*crashCase
	pending *evidence.Draft
	next    int64
}

func (h *hasty) Append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending != nil {
		e, err := h.writer.Append(ctx, h.pending)
		if err != nil {
			return nil, err
		}
		h.next = e.Head.Seq + 1
	} else {
		h.next = 1 // behind the case entry
	}
	h.pending = d
	if d.Body.Kind() == evidence.KindOperator { // run-stop is the last: nothing pushes it out
		e, err := h.writer.Append(ctx, d)
		h.pending = nil
		return e, err
	}
	e := &evidence.Entry{Head: evidence.Head{Seq: h.next}, Body: d.Body}
	return e, nil
}

// forgetful opens the case again with an index that knows nothing: progress is lost, pages are asked for twice.
type forgetful struct {
	*crashCase
	empty *ledger.Ledger
}

func (f *forgetful) Index(context.Context) (*ledger.Ledger, error) { return f.empty, nil }

// harness says what crashes are tried on.
type harness struct {
	first  func(*crashCase) acquire.Case // what the run that crashes sees
	second func(*crashCase) acquire.Case // what the run that goes on sees
}

func plain(c *crashCase) acquire.Case { return c }

// crashAt runs an acquisition, loses power at the n-th operation, goes on with what is left, and returns what is wrong. done tells that the first run ended
// before the crash.
func (h harness) crashAt(b *bench, n int, s crashfs.Survival) (done bool, wrong []string) {
	t := b.t
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	index := filepath.Join(t.TempDir(), "ledger.db")
	folder := crashfs.New()
	c, err := openCrashCase(b, folder, index, true)
	if err != nil {
		t.Fatal(err)
	}
	folder.CrashAt(n)
	given := map[string]bool{} // URLs of pages that a source was given
	o := h.options(b, h.first(c))
	o.Source = watched{o.Source, func(p *acquire.Page) { given[p.URL] = true }}
	_, runErr := acquire.Run(context.Background(), o)
	closeErr := c.close()
	if !folder.Crashed() {
		if runErr != nil || closeErr != nil {
			t.Fatal(runErr, closeErr)
		}
		return true, nil
	}
	asked := len(b.Requests())

	folder = folder.Reboot(s)
	again, err := openCrashCase(b, folder, index, false)
	if err != nil {
		say("cannot be opened: %v", err)
		return false, wrong
	}
	res, err := acquire.Run(context.Background(), h.options(b, h.second(again)))
	if cerr := again.close(); err != nil || cerr != nil {
		say("cannot go on: %v, %v", err, cerr)
		return false, wrong
	}
	if res.State != evidence.Complete {
		say("ends %s", res.State)
	}
	entries, pages := read(t, folder.FS())
	for seq, line := range c.acked {
		if seq >= int64(len(entries)) || string(entries[seq].HeadLine) != line {
			say("entry %d was acknowledged and is gone", seq)
		}
	}
	for _, r := range b.Requests()[asked:] {
		if given[b.url+r.URL] {
			say("%s was given to the source and is asked for again", r.URL)
		}
	}
	if !slices.Equal(idsOf(t, pages), b.oracle(simtenant.Apostrophe)) {
		say("the records are not those of an undisturbed run")
	}
	return false, wrong
}

func (h harness) options(b *bench, c acquire.Case) acquire.Options {
	o := b.options(c, "user", simtenant.Apostrophe, "page-size", "10")
	return o
}

// watched tells of each page that a source is given.
type watched struct {
	acquire.Source
	saw func(*acquire.Page)
}

func (w watched) Plan(p acquire.Params) (*acquire.Plan, error) {
	plan, err := w.Source.Plan(p)
	if err == nil {
		plan.Pager = watchedPager{plan.Pager, w.saw}
	}
	return plan, err
}

type watchedPager struct {
	acquire.Pager
	saw func(*acquire.Page)
}

func (w watchedPager) Next(p *acquire.Page) (acquire.Step, error) {
	w.saw(p)
	return w.Pager.Next(p)
}

// TestCrashAtEveryOperation loses power at every operation of a run, with nothing, half and all of what was not synced surviving.
func TestCrashAtEveryOperation(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestCrashAtEveryOperation (-short)")
	}
	b := newBench(t, "", simtenant.Options{Seed: 3})
	h := harness{plain, plain}
	for _, s := range []crashfs.Survival{crashfs.Nothing, crashfs.Half, crashfs.Everything} {
		n := 0
		for ; ; n++ {
			done, wrong := h.crashAt(b, n, s)
			for _, w := range wrong {
				t.Errorf("power lost at operation %d, survival %d: %s", n, s, w)
			}
			if done {
				break
			}
		}
		if n < 20 {
			t.Errorf("%d operations: the run is too short to mean anything", n)
		}
	}
}

// TestHarnessCatches plants faults of the kind that the harness is for.
func TestHarnessCatches(t *testing.T) {
	for _, c := range []struct {
		name string
		h    harness
	}{
		{"a page handed on before it is durable", harness{func(c *crashCase) acquire.Case { return &hasty{crashCase: c} }, plain}},
		{"progress forgotten", harness{plain, func(c *crashCase) acquire.Case {
			empty, err := ledger.Open(filepath.Join(t.TempDir(), "empty.db"), ledger.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = empty.Close() })
			return &forgetful{c, empty}
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "", simtenant.Options{Seed: 3})
			caught := 0
			for n := 0; ; n++ {
				done, wrong := c.h.crashAt(b, n, crashfs.Nothing)
				if len(wrong) > 0 {
					caught++
				}
				if done || caught > 3 {
					break
				}
			}
			if caught == 0 {
				t.Error("the harness did not notice")
			}
		})
	}
}
