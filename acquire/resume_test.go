package acquire_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// twice lists the URLs that the tenant answered with 200 more than once.
func (b *bench) twice() (urls []string) {
	seen := map[string]int{}
	for _, r := range b.Requests() {
		if r.Status == 200 {
			if seen[r.URL]++; seen[r.URL] == 2 {
				urls = append(urls, r.URL)
			}
		}
	}
	return urls
}

// TestStopAtEveryPage stops each run after one page. Together the runs end as one would, and ask for no page twice.
func TestStopAtEveryPage(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	runs := 0
	for {
		if runs++; runs > 100 {
			t.Fatal("no end")
		}
		stop := make(chan struct{})
		stopped := false
		res, err := b.acquire(func(o *acquire.Options) {
			o.Stop = stop
			o.Progress = func(e acquire.Event) {
				if e.Kind == acquire.EventPage && !stopped {
					stopped = true
					close(stop)
				}
			}
		}, "page-size", "150")
		if err == nil {
			closed(t, b.files(), res, evidence.Complete, "")
			break
		}
		if !errors.Is(err, acquire.ErrInterrupted) || res.State != evidence.Opened || res.Asked != 1 {
			t.Fatalf("run %d: %+v, %v", runs, res, err)
		}
	}
	want := b.oracle(simtenant.Owner)
	b.sameIDs(want)
	if pages := (len(want) + 149) / 150; runs < pages {
		t.Errorf("%d runs for %d pages", runs, pages)
	}
	if again := b.twice(); len(again) > 0 {
		t.Errorf("asked for twice: %q", again)
	}
	entries, _ := read(t, b.files())
	for _, e := range entries {
		if e.Head.Kind == evidence.KindGap {
			t.Errorf("a gap, although every run stopped in order: %+v", e.Body)
		}
	}
}

// TestCancelled breaks a request off that gets no answer. The attempt is evidence, and the next run makes another.
func TestCancelled(t *testing.T) {
	b := newBench(t, "hang@3", simtenant.Options{Seed: 3})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := b.open()
	o := b.options(c, "page-size", "500")
	o.Progress = func(e acquire.Event) {
		if e.Kind == acquire.EventPage && e.Result.Pages == 2 {
			go func() {
				for len(b.Requests()) < 3 { // until the request has reached the tenant
					time.Sleep(time.Millisecond)
				}
				cancel()
			}()
		}
	}
	res, err := acquire.Run(ctx, o)
	if !errors.Is(err, acquire.ErrInterrupted) || res.Asked != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	res, err = b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	b.sameIDs(b.oracle(simtenant.Owner))
	entries, _ := read(t, b.files())
	var cancelled *evidence.Entry
	for _, e := range entries {
		x, ok := e.Body.(*evidence.Exchange)
		switch {
		case !ok:
		case x.Ended == "cancelled":
			cancelled = e
		case cancelled != nil && x.Page == 3 && (x.RetryOf != cancelled.Head.Seq || x.Attempt != 2):
			t.Errorf("the attempt after the cancelled one is %+v", x)
		}
	}
	if cancelled == nil {
		t.Error("no exchange is recorded as cancelled")
	}
}

// TestStopWhileWaiting stops in the wait after a refusal: the wait ends, and the attempt that was made counts in the next run.
func TestStopWhileWaiting(t *testing.T) {
	b := newBench(t, "429@2:retry-after=3600", simtenant.Options{Seed: 3})
	stop := make(chan struct{})
	res, err := b.acquire(func(o *acquire.Options) {
		o.Stop = stop
		o.Wait = func(ctx context.Context, d time.Duration) error {
			if d != 5*time.Minute {
				t.Errorf("waits %v for an hour that was asked for, capped at five minutes", d)
			}
			close(stop)
			<-ctx.Done()
			return ctx.Err()
		}
	}, "page-size", "1000")
	if !errors.Is(err, acquire.ErrInterrupted) || res.Requests != 2 || res.Pages != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	res, err = b.acquire(nil, "page-size", "1000")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	_, pages := read(t, b.files())
	if x := pages[1].exchange; x.Attempt != 2 || x.RetryOf < 0 {
		t.Errorf("page 2 was taken as attempt %d of %d", x.Attempt, x.RetryOf)
	}
}

// TestPartialGoesOn continues a window that ended throttled.
func TestPartialGoesOn(t *testing.T) {
	b := newBench(t, "429@3-10", simtenant.Options{Seed: 3})
	res, err := b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonThrottled)
	again, err := b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), again, evidence.Complete, "")
	if again.Window != res.Window || !again.Continued {
		t.Errorf("it went on as %+v", again)
	}
	b.sameIDs(b.oracle(simtenant.Owner))
	if again := b.twice(); len(again) > 0 {
		t.Errorf("asked for twice: %q", again)
	}
}

// TestDefectIsRemembered interrupts a run behind a page with a defect. The run that goes on knows of it.
func TestDefectIsRemembered(t *testing.T) {
	b := newBench(t, "errorrow@2-4", simtenant.Options{Seed: 3})
	stop := make(chan struct{})
	_, err := b.acquire(func(o *acquire.Options) {
		o.Stop = stop
		o.Progress = func(e acquire.Event) {
			if e.Kind == acquire.EventPage && e.Result.Pages == 4 {
				close(stop)
			}
		}
	}, "page-size", "500")
	if !errors.Is(err, acquire.ErrInterrupted) {
		t.Fatal(err)
	}
	res, err := b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonErrorRow)
	b.sameIDs(b.oracle(simtenant.Owner)) // the error stood beside the rows
}

// renewing replaces the token as soon as one is asked for.
type renewing struct {
	*auth.Token
	b *bench
}

func (r renewing) Renew(ctx context.Context, edition int64) (bool, error) {
	r.b.writeToken(r.b.Tenant.Renew())
	return r.Token.Renew(ctx, edition)
}

// faultsAt scatters faults of every kind that can be got over, each kind several times: most by asking again, hang by breaking the request off, and 403, 404, 410 and disabled by
// another run. What vanishes is newer than all pages that have been asked for by then.
func faultsAt(seed uint64, requests int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	kinds := []func(n int) string{
		func(n int) string { return fmt.Sprintf("429@%d-%d:retry-after=%d", n, n+r.IntN(3), r.IntN(5)) },
		func(n int) string { return fmt.Sprintf("503@%d:retry-after=date+%d", n, r.IntN(90)) },
		func(n int) string { return fmt.Sprintf("500@%d", n) },
		func(n int) string { return fmt.Sprintf("504@%d:retry-after=garbage", n) },
		func(n int) string { return fmt.Sprintf("cut@%d:%d", n, r.IntN(3000)) },
		func(n int) string { return fmt.Sprintf("reset@%d", n) },
		func(n int) string { return fmt.Sprintf("hang@%d", n) },
		func(n int) string { return fmt.Sprintf("badjson@%d", n) },
		func(n int) string { return fmt.Sprintf("errorrow@%d", n) },
		func(n int) string { return fmt.Sprintf("repeat@%d", n) },
		func(n int) string { return fmt.Sprintf("empty200@%d", n) },
		func(n int) string { return fmt.Sprintf("slow@%d:100ms", n) },
		func(n int) string { return fmt.Sprintf("expire@%d", n) },
		func(n int) string { return fmt.Sprintf("arrive@%d:2", n) },
		func(n int) string { return fmt.Sprintf("vanish@%d:1", n) },
		func(n int) string { return fmt.Sprintf("403@%d", n) },
		func(n int) string { return fmt.Sprintf("404@%d", n) },
		func(n int) string { return fmt.Sprintf("410@%d", n) },
		func(n int) string { return fmt.Sprintf("disabled@%d", n) },
	}
	var list []string
	for n := 2; n < requests; {
		for _, k := range r.Perm(len(kinds)) {
			list = append(list, kinds[k](n))
			n += 4 + r.IntN(8) // apart, so that no page uses up its attempts
		}
	}
	return strings.Join(list, ",")
}

// struck counts, for each kind of fault in a list, the requests that the tenant's log says were struck by it.
func (b *bench) struck(faults string) map[string]int {
	n := map[string]int{}
	for f := range strings.SplitSeq(faults, ",") {
		kind, _, _ := strings.Cut(f, "@")
		n[kind] += 0
	}
	for _, r := range b.Requests() {
		for f := range strings.SplitSeq(r.Fault, ",") {
			if kind, _, ok := strings.Cut(f, "@"); ok {
				n[kind]++
			}
		}
	}
	return n
}

// breakOff cancels when a request hangs, until done is closed.
func (b *bench) breakOff(cancel context.CancelFunc, done <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for before := len(b.Requests()); ; {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if all := b.Requests(); len(all) > before && strings.HasPrefix(all[len(all)-1].Fault, "hang@") {
			cancel()
		}
	}
}

// TestThousandPages acquires a mailbox in some 1,300 pages through scattered faults of every kind that does not lose rows, interrupted now and then, run again as long as the window is
// not complete, and ends with what an undisturbed run has.
func TestThousandPages(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestThousandPages (-short)")
	}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			faults := faultsAt(seed, 1100)
			b := newBench(t, faults, simtenant.Options{Seed: seed})
			var res *acquire.Result
			for runs := 1; res == nil || res.State != evidence.Complete; runs++ {
				if runs > 100 {
					t.Fatalf("no end: %+v", res)
				}
				var err error
				if res, err = b.disturbed(); err != nil && !errors.Is(err, acquire.ErrInterrupted) && !errors.Is(err, acquire.ErrAuth) {
					t.Fatal(err)
				}
			}
			if res.Pages < 1000 || res.Requests < res.Pages+90 {
				t.Errorf("%d pages in %d requests: not what this test is about", res.Pages, res.Requests)
			}
			for kind, n := range b.struck(faults) {
				if n < 3 {
					t.Errorf("%s struck %d times", kind, n)
				}
			}
			closed(t, b.files(), res, evidence.Complete, "")
			b.sameIDs(b.oracle(simtenant.Owner))
		})
	}
}

// disturbed runs until 300 pages are taken, a request hangs or the window is closed.
func (b *bench) disturbed() (*acquire.Result, error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := b.open()
	o := b.options(c, "page-size", "2", "metadata", "minimal")
	o.Credential = renewing{o.Credential.(*auth.Token), b}
	o.Retry.Total = 100 * time.Hour
	stop, taken := make(chan struct{}), 0
	o.Stop = stop
	o.Progress = func(e acquire.Event) {
		if e.Kind == acquire.EventPage {
			if taken++; taken == 300 {
				close(stop)
			}
		}
	}
	var watch sync.WaitGroup
	done := make(chan struct{})
	watch.Go(func() { b.breakOff(cancel, done) })
	res, err := acquire.Run(ctx, o)
	close(done)
	watch.Wait()
	if cerr := c.Close(context.Background()); cerr != nil {
		b.t.Fatal(cerr)
	}
	return res, err
}

// TestUnrecoverable: where a fault does not go away the window says so, with its reason, and what is missing is exactly what lay behind the last page taken.
func TestUnrecoverable(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestUnrecoverable (-short)")
	}
	const size = 100
	for _, c := range []struct {
		faults, state, reason string
		pages                 int // taken
	}{
		{"404@10", evidence.Partial, acquire.ReasonNotFound, 9},
		{"404@1", evidence.Failed, acquire.ReasonNotFound, 0},
		{"403@10", evidence.Partial, acquire.ReasonNoPermission, 9},
		{"403@1", evidence.Failed, acquire.ReasonNoPermission, 0},
		{"410@10", evidence.Partial, acquire.ReasonGone, 9},
		{"disabled@10+", evidence.Partial, acquire.ReasonAPIDisabled, 9},
		{"disabled@1+", evidence.Failed, acquire.ReasonAPIDisabled, 0},
		{"loop@10", evidence.Partial, acquire.ReasonLinkLoop, 10},
		{"loop@10:4", evidence.Partial, acquire.ReasonLinkLoop, 10},
		{"429@10+", evidence.Partial, acquire.ReasonThrottled, 9},
		{"500@10+", evidence.Partial, acquire.ReasonServerError, 9},
		{"cut@10+:100", evidence.Partial, acquire.ReasonBrokenAnswer, 9},
		{"reset@10+", evidence.Partial, acquire.ReasonBrokenAnswer, 9},
		{"badjson@10+", evidence.Partial, acquire.ReasonBrokenPage, 9},
		{"500@2,badjson@5,vanish@6:20,429@8,404@20", evidence.Partial, acquire.ReasonNotFound, 16},
	} {
		t.Run(c.faults, func(t *testing.T) {
			b := newBench(t, c.faults, simtenant.Options{Seed: 3})
			res, err := b.acquire(nil, "page-size", fmt.Sprint(size))
			if err != nil && !errors.Is(err, acquire.ErrAuth) {
				t.Fatal(err)
			}
			closed(t, b.files(), res, c.state, c.reason)
			for kind, n := range b.struck(c.faults) {
				if n == 0 {
					t.Errorf("%s did not strike", kind)
				}
			}
			want, got := b.oracle(simtenant.Owner), b.ids()
			missing := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return slices.Contains(got, id) })
			if !slices.Equal(got, want[:c.pages*size]) || !slices.Equal(missing, want[c.pages*size:]) || int(res.Records) != len(got) {
				t.Errorf("%d of %d ids are in the case and %d missing; want those of %d pages: missing are %q", len(got), len(want), len(missing), c.pages, missing)
			}
		})
	}
}

// TestVanishingRows: what the service loses between two pages cannot be told from what never was; what was taken before stays.
func TestVanishingRows(t *testing.T) {
	b := newBench(t, "vanish@3:40", simtenant.Options{Seed: 3})
	res, err := b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	b.sameIDs(b.oracle(simtenant.Owner))
}

// TestNewestFirstLoses shows why oldest first is the default: a row that arrives between two pages shifts the rest, and one row comes twice.
func TestNewestFirstLoses(t *testing.T) {
	b := newBench(t, "arrive@2:1", simtenant.Options{Seed: 3})
	if _, err := b.acquire(nil, "page-size", "500", "order", "TimeStamp desc"); err != nil {
		t.Fatal(err)
	}
	ids := b.ids()
	slices.Sort(ids)
	if n := len(slices.Compact(slices.Clone(ids))); n == len(ids) {
		t.Error("no row came twice")
	}
}

// TestCancelledWhileLoading cancels a run that goes on while it reads pages back: it is interrupted, not broken.
func TestCancelledWhileLoading(t *testing.T) {
	b := newBench(t, "404@3", simtenant.Options{Seed: 3})
	if _, err := b.acquire(nil, "page-size", "500"); err != nil {
		t.Fatal(err)
	}
	c := b.open()
	ctx, cancel := context.WithCancel(context.Background())
	o := b.options(cancelling{c, cancel}, "page-size", "500")
	res, err := acquire.Run(ctx, o)
	if !errors.Is(err, acquire.ErrInterrupted) || res.Asked != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	res, err = b.acquire(nil, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	b.sameIDs(b.oracle(simtenant.Owner))
}

// cancelling cancels when a page is read back.
type cancelling struct {
	acquire.Case
	cancel context.CancelFunc
}

func (c cancelling) Files() fs.FS {
	c.cancel()
	return c.Case.Files()
}
