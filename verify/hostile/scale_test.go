//go:build linux

package hostile

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// filled is a case with n entries more than the sample has, not sealed. Drafts are appended by many at once, so that batches are full.
func filled(t testing.TB, n int, draft func(i int) *evidence.Draft) bundle {
	t.Helper()
	m := sample.New(t, func(o *evidence.Options) { o.HeadEntries = 1 << 30 })
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	var wg sync.WaitGroup
	errs := make(chan error, 128)
	for w := range cap(errs) {
		wg.Go(func() {
			for i := w; i < n; i += cap(errs) {
				d := draft(i)
				d.Start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
				if _, err := m.W.Append(context.Background(), d); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	m.Operator(evidence.ActionRunStop, "finished")
	m.Close()
	return m.Folder.Files()
}

// large is a shape of case that grows.
type large struct {
	name       string
	some, full int // entries
	memory     int64
	draft      func(i int) *evidence.Draft
}

func larges() []large {
	window := func(parameters int) func(i int) *evidence.Draft {
		return func(i int) *evidence.Draft {
			w := &evidence.Window{State: evidence.Failed, Last: evidence.None, User: "adele@contoso.example"}
			for k := range parameters {
				w.Parameters = append(w.Parameters, evidence.Pair{Name: fmt.Sprint("p", k), Value: strings.Repeat("v", 2000)})
			}
			name, err := w.Name("http")
			if err != nil {
				panic(err)
			}
			w.Acquisition = name
			return &evidence.Draft{Run: sample.Run, Source: "http", Window: int64(i + 1), Body: w}
		}
	}
	return []large{
		{"records of one byte", 10_000, 1_000_000, 128 << 20, func(i int) *evidence.Draft {
			return &evidence.Draft{Body: &evidence.Operator{Action: evidence.ActionNote, Operator: "jo", Host: "host.example"},
				Records: []evidence.RecordDraft{{Type: warc.Resource, URI: "urn:exhibit:note", ContentType: "text/plain", Block: []byte{byte(i)}}}}
		}},
		{"entries without records", 10_000, 300_000, 128 << 20, func(int) *evidence.Draft {
			return &evidence.Draft{Body: &evidence.Operator{Action: evidence.ActionNote, Operator: "jo", Host: "host.example"}}
		}},
		{"windows that nobody opened", 300, 20_000, 256 << 20, window(20)},
		{"keys", 1000, 20_000, 256 << 20, func(int) *evidence.Draft {
			pub, _, err := ed25519.GenerateKey(nil)
			if err != nil {
				panic(err)
			}
			text, err := note.NewEd25519VerifierKey("examiner.example/"+strings.Repeat("k", 230), pub)
			if err != nil {
				panic(err)
			}
			return &evidence.Draft{Body: &evidence.Key{Action: "allow", Key: text}}
		}},
		{"gaps", 300, 50_000, 128 << 20, func(int) *evidence.Draft {
			return &evidence.Draft{Body: &evidence.Gap{Reason: "unknown", Text: strings.Repeat("g", 30_000)}}
		}},
	}
}

// TestLarge checks cases with very many small things in them (row B9): the memory for ten times as many is nearly the same.
func TestLarge(t *testing.T) {
	d := newDesk(t)
	for _, l := range larges() {
		t.Run(l.name, func(t *testing.T) {
			n := part(l.full, l.some)
			var peaks []int64
			for _, n := range []int{n / 10, n} {
				b := filled(t, n, l.draft)
				if err := b.write(d.dir); err != nil {
					t.Fatal(err)
				}
				_, o, err := d.check(nil, 3, 4)
				if err != nil {
					t.Fatalf("%d: %v", n, err)
				}
				peaks = append(peaks, o.Peak)
				t.Logf("%d: bundle of %d KiB, %v, %.0f a second, %d MiB", n, size(b)>>10, o.Wall.Round(time.Millisecond), float64(n)/o.Wall.Seconds(), o.Peak>>20)
			}
			if peaks[1] > l.memory {
				t.Errorf("%d MiB, want at most %d", peaks[1]>>20, l.memory>>20)
			}
		})
	}
}

// TestManyFiles puts many files where some may be.
//
// BUG: looking for a frame in a segment without one costs about a millisecond, whatever its size: 100,000 of them take more than a minute on busy cores.
func TestManyFiles(t *testing.T) {
	d, good := newDesk(t), small(t)
	n := part(100_000, 1000)
	for _, dir := range []string{"custody", "data/checkpoints", "data/evidence", "."} {
		if err := good.write(d.dir); err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(d.dir, filepath.FromSlash(dir))
		if err := os.MkdirAll(into, 0o700); err != nil {
			t.Fatal(err)
		}
		n := n
		if dir == "data/evidence" {
			n = min(n, 10_000)
		}
		for i := range n {
			name := fmt.Sprintf("x%d", i)
			switch dir {
			case "data/checkpoints":
				name = fmt.Sprintf("%d.note", 1000+i)
			case "data/evidence":
				name = fmt.Sprintf("%05d.warc.zst", min(3+i, 99_999))
			}
			if err := os.WriteFile(filepath.Join(into, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		codes := []int{3}
		if dir == "custody" { // covered by no manifest
			codes = []int{0}
		}
		_, o, err := d.check(nil, codes...)
		if err != nil {
			t.Errorf("%d files in %s: %v", n, dir, err)
			continue
		}
		t.Logf("%d files in %s: %v, %d MiB", n, dir, o.Wall.Round(time.Millisecond), o.Peak>>20)
		if o.Peak > maxFrameMemory {
			t.Errorf("%d files in %s: %d MiB", n, dir, o.Peak>>20)
		}
	}
}

// TestSparse puts a file that takes no room where a segment, a head, or anything else may be.
//
// BUG: what follows the last frame of a segment is read to its end, at 0.8 GB a second on busy cores: a file that calls itself 50 GB long takes about a minute.
func TestSparse(t *testing.T) {
	d := newDesk(t)
	bytes := int64(part(10<<30, 1<<27))
	for _, sealed := range []bool{true, false} {
		b := bundle(unsealed(t).Build(t))
		if sealed {
			b = small(t)
		}
		for _, name := range []string{evidence.SegmentPath(3), evidence.NotePath(99), "custody/x", segment2} {
			if err := b.write(d.dir); err != nil {
				t.Fatal(err)
			}
			if err := put(d.dir, name, b[name]); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(d.dir, filepath.FromSlash(name)), bytes); err != nil {
				t.Fatal(err)
			}
			_, o, err := d.check(nil, 0, 3, 4)
			switch {
			case err != nil:
				t.Errorf("%s, sealed %v: %v", name, sealed, err)
			case o.Code == 0 && name != "custody/x":
				t.Errorf("%s, sealed %v: intact", name, sealed)
			default:
				t.Logf("%s, sealed %v: %v, %d MiB", name, sealed, o.Wall.Round(time.Millisecond), o.Peak>>20)
			}
		}
	}
}
