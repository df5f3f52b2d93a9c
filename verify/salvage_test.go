package verify_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// wreckable is a case to damage, with what is known of it while it is whole: where each frame lies and what it holds.
type wreckable struct {
	t       *testing.T
	sealed  bool
	files   map[string][]byte
	batches []*evidence.Batch
	entries []*evidence.Entry
	inBatch []int // of each entry
	heads   []int64
	key     trust.VKey
	forge   func() *sample.Forged
	paths   map[int64][]int64 // pages of ledger.db on the way to an entry's row
	rows    map[int64]int     // where in ledger.db the entry's head line stands
}

// newWreckable makes a case of several segments, batches of one entry and of more, and a head every few entries.
func newWreckable(t *testing.T, seal bool) *wreckable {
	t.Helper()
	var w *wreckable
	synctest.Test(t, func(t *testing.T) { w = makeWreckable(t, seal) })
	w.t = t
	return w
}

// gate is an index that takes a batch in when it is let: what arrives meanwhile becomes one batch.
type gate struct{ open chan struct{} }

func (g *gate) Position(context.Context) (evidence.Position, error) { return evidence.Position{}, nil }

func (g *gate) Apply(ctx context.Context, _ []*evidence.Batch) error {
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func makeWreckable(t *testing.T, seal bool) *wreckable {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	m := sample.New(t, func(o *evidence.Options) { o.SegmentSize, o.HeadEntries, o.Index = 6500, 6, g })
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Connect()
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	rng := rand.New(rand.NewChaCha8([32]byte{3}))
	page := int64(0)
	exchange := func() *evidence.Draft {
		page++
		body := make([]byte, 200+rng.IntN(900))
		for i := range body {
			body[i] = "0123456789abcdef"[rng.IntN(16)]
		}
		return exchangeDraft(page, fmt.Sprintf(`{"value":[{"Id":"p%d","Operation":"%s"}]}`, page, body))
	}
	for i := range 8 {
		m.Append(exchange())
		if i%3 != 1 {
			continue
		}
		var together sync.WaitGroup
		g.open = make(chan struct{})
		for range 4 {
			d := exchange()
			together.Go(func() {
				if _, err := m.W.Append(t.Context(), d); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(g.open)
		together.Wait()
	}
	m.Window(1, evidence.Window{State: evidence.Complete, User: "adele@contoso.example", Requests: page, Pages: page, Records: page, Last: evidence.None})
	m.Operator(evidence.ActionRunStop, "finished")
	if seal {
		m.Seal()
	} else {
		m.Close()
	}
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	w := survey(t, m.Folder.Files(), seal, key)
	w.forge = m.Forge
	return w
}

func exchangeDraft(page int64, body string) *evidence.Draft {
	at := time.Date(2026, 11, 22, 11, 0, int(page), 0, time.UTC)
	url := fmt.Sprintf("%s/page/%d", sample.Origin, page)
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
	return &evidence.Draft{Start: at, End: at, Source: "http", Window: 1, Method: "GET", Status: 200, Run: sample.Run,
		Body: &evidence.Exchange{Counter: page, RequestID: fmt.Sprintf("aaaabbbb-cccc-8ddd-8eee-%012x", page), Connection: 2, URL: url, Page: page, Parent: evidence.None,
			Attempt: 1, RetryOf: evidence.None, Protocol: "HTTP/1.1", Framing: "content-length", Ended: evidence.EndedComplete, HeadLength: int64(len(head))},
		Records: []evidence.RecordDraft{{Type: warc.Request, URI: url, Block: fmt.Appendf(nil, "GET /page/%d HTTP/1.1\r\nHost: service.example\r\n\r\n", page)},
			{Type: warc.Response, URI: url, Block: []byte(head + body)}}}
}

func survey(t *testing.T, files map[string][]byte, sealed bool, key trust.VKey) *wreckable {
	t.Helper()
	w := &wreckable{t: t, sealed: sealed, files: files, key: key, paths: map[int64][]int64{}, rows: map[int64]int{}}
	for b, err := range evidence.Batches(t.Context(), mapFS(files)) {
		if err != nil {
			t.Fatal(err)
		}
		for range b.Entries {
			w.inBatch = append(w.inBatch, len(w.batches))
		}
		w.batches = append(w.batches, b)
		w.entries = append(w.entries, b.Entries...)
	}
	for name := range files {
		if n := evidence.NoteSize(strings.TrimPrefix(name, evidence.CheckpointsPath+"/")); strings.HasPrefix(name, evidence.CheckpointsPath) && n > 0 {
			w.heads = append(w.heads, n)
		}
	}
	slices.Sort(w.heads)
	for seq, e := range w.entries {
		w.rows[int64(seq)] = bytes.Index(files[evidence.LedgerPath], e.HeadLine)
		w.paths[int64(seq)] = pagesTo(t, files[evidence.LedgerPath], int64(seq))
	}
	if segments := w.batches[len(w.batches)-1].Segment; segments < 3 || len(w.heads) < 4 || len(w.batches) == len(w.entries) {
		t.Fatalf("a case of %d segments, %d heads, %d batches and %d entries tries too little", segments, len(w.heads), len(w.batches), len(w.entries))
	}
	return w
}

// pagesTo lists the pages that a reader of ledger.db needs for the row of an entry.
func pagesTo(t *testing.T, ledger []byte, seq int64) (pages []int64) {
	if ledger == nil {
		return nil
	}
	src := &watched{r: bytes.NewReader(ledger)}
	f, err := boltread.Open(src, int64(len(ledger)))
	if err != nil {
		t.Fatal(err)
	}
	src.pages = map[int64]bool{} // of the two meta pages one is enough
	b, err := f.Bucket(row.Entries)
	if err != nil {
		t.Fatal(err)
	}
	key := row.Key(seq)
	if c := b.Cursor(); !c.Seek(key[:]) || !bytes.Equal(c.Key(), key[:]) {
		t.Fatalf("no row of entry %d", seq)
	}
	return slices.Sorted(maps.Keys(src.pages))
}

type watched struct {
	r     io.ReaderAt
	pages map[int64]bool
}

func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	for at := off; w.pages != nil && at < off+int64(len(b)); at += boltread.PageSize {
		w.pages[at/boltread.PageSize] = true
	}
	return w.r.ReadAt(b, off)
}

// wreck is one way to damage the case: what files look like afterwards; nil for a file that is gone.
type wreck struct {
	name  string
	files map[string][]byte
}

type salvageFunc = func(context.Context, fs.FS, verify.Options) (*verify.Salvaged, error)

// salvaged runs a salvage and tells what it brought in the judge's words. It reads each exchange's bytes.
func (w *wreckable) salvaged(files map[string][]byte, o verify.Options, salvage salvageFunc) (*outcome, error) {
	ctx := w.t.Context()
	s, err := salvage(ctx, mapFS(files), o)
	if err != nil {
		return nil, err
	}
	out := &outcome{given: map[int64]bool{}, lost: map[int64]string{}}
	c := s.Container()
	var responses []int64
	for l, err := range s.Losses(ctx) {
		if err != nil {
			return nil, err
		}
		for seq := l.First; seq <= l.Last; seq++ {
			if out.lost[seq] != "" {
				return nil, fmt.Errorf("entry %d is listed twice", seq)
			}
			out.lost[seq] = l.State
			if l.Kind != "" {
				out.lost[seq] = fmt.Sprintf("%s %s of window %d at %s", l.State, l.Kind, l.Window, l.Start)
			}
			if len(l.Records) > 0 {
				out.lost[seq] += fmt.Sprintf(": %v", l.Records)
			}
		}
	}
	for e, err := range c.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if err := w.sameBytes(ctx, c, e); err != nil {
			return nil, err
		}
		out.given[e.Head.Seq] = true
		if e.Head.Kind == evidence.KindExchange && e.Located[1].Segment != 0 {
			responses = append(responses, e.Head.Seq)
		}
	}
	if pages, err := w.pages(ctx, c); err != nil || !slices.Equal(pages, responses) {
		return nil, fmt.Errorf("pages %v are given, responses of %v are there (%v)", pages, responses, err)
	}
	if int64(len(out.given)) != s.Proven {
		return nil, fmt.Errorf("%d entries are given, and %d are said to be proven", len(out.given), s.Proven)
	}
	return out, nil
}

// pages lists the exchanges whose answers can be extracted, and reads these.
func (w *wreckable) pages(ctx context.Context, c *verify.Container) (seqs []int64, err error) {
	r, err := c.NewPageReader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for _, g := range c.PageGroups("http") {
		pages, err := r.Read(ctx, g)
		if err != nil {
			return nil, err
		}
		for _, p := range pages {
			body, err := p.Body()
			if err != nil {
				return nil, err
			}
			b, err := io.ReadAll(body)
			if err != nil {
				return nil, err
			}
			if x := w.entries[p.Seq].Body.(*evidence.Exchange); !bytes.HasPrefix(b, fmt.Appendf(nil, `{"value":[{"Id":"p%d",`, x.Page)) {
				return nil, fmt.Errorf("page of entry %d is %q", p.Seq, b)
			}
			seqs = append(seqs, p.Seq)
		}
	}
	return seqs, nil
}

// sameBytes holds an entry that was given, and the records that it has, against the whole case.
func (w *wreckable) sameBytes(ctx context.Context, c *verify.Container, e *evidence.Entry) error {
	was := w.entries[e.Head.Seq]
	if !bytes.Equal(was.HeadLine, e.HeadLine) || !bytes.Equal(was.DetailLine, e.DetailLine) || len(e.Located) != len(was.Located) {
		return fmt.Errorf("entry %d is given and is not the one that was recorded", e.Head.Seq)
	}
	for i, at := range e.Located {
		if at.Segment == 0 {
			continue
		}
		b, err := c.Block(ctx, e, i)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size))
		if err := b.Close(); err != nil {
			return err
		}
		if ref := was.Detail.Records[i]; err != nil || evidence.Hash(sha256Of(string(got))) != ref.Block {
			return fmt.Errorf("record %d of entry %d: other bytes (%v)", i, e.Head.Seq, err)
		}
	}
	return nil
}

// segments lists the segments' names.
func (w *wreckable) segments() (names []string) {
	for n := int64(1); w.files[evidence.SegmentPath(n)] != nil; n++ {
		names = append(names, evidence.SegmentPath(n))
	}
	return names
}

// with is the case with one file changed; nil for a file that is gone.
func with(files map[string][]byte, name string, b []byte) map[string][]byte {
	files = maps.Clone(files)
	if files[name] = b; b == nil {
		delete(files, name)
	}
	return files
}

// zeroed is b with a range of zeros.
func zeroed(b []byte, from, to int64) []byte {
	b = bytes.Clone(b)
	clear(b[from:min(to, int64(len(b)))])
	return b
}

// wrecks lists ways to damage the segments: each frame by one bit, each block of some sizes by zeros, the end cut at each frame and amid it, and each
// segment gone.
func (w *wreckable) wrecks(files map[string][]byte) (all []wreck) {
	add := func(name, file string, b []byte) { all = append(all, wreck{name, with(files, file, b)}) }
	for _, name := range w.segments() {
		seg := files[name]
		at := int64(0)
		for _, f := range frames(w.t, w.files[name]) {
			end := at + int64(len(f))
			b := bytes.Clone(seg)
			b[at+int64(len(f))/2] ^= 0x10
			add(fmt.Sprintf("%s: frame at %d flipped", name, at), name, b)
			add(fmt.Sprintf("%s: cut at %d", name, at), name, seg[:at:at])
			add(fmt.Sprintf("%s: cut at %d", name, (at+end)/2), name, seg[:(at+end)/2])
			at = end
		}
		for _, size := range []int64{512, 4096} {
			for at := int64(0); at < int64(len(seg)); at += size {
				add(fmt.Sprintf("%s: %d bytes at %d zeroed", name, size, at), name, zeroed(seg, at, at+size))
			}
		}
		add(name+" gone", name, nil)
	}
	return all
}

// files lists what else may be damaged before.
func (w *wreckable) others() (all []wreck) {
	all = append(all, wreck{"", w.files})
	if w.sealed {
		all = append(all, wreck{"ledger.db gone; ", with(w.files, evidence.LedgerPath, nil)},
			wreck{"manifest gone; ", with(w.files, "manifest-sha256.txt", nil)},
			wreck{"package.note gone; ", with(w.files, evidence.PackageNotePath, nil)})
		seg := w.segments()[1]
		both := with(w.files, evidence.LedgerPath, nil)
		all = append(all, wreck{"ledger.db gone, 512 bytes of segment 2 zeroed; ", with(both, seg, zeroed(w.files[seg], 2048, 2560))})
	} else {
		seg := w.segments()[1]
		all = append(all, wreck{"512 bytes of segment 2 zeroed; ", with(w.files, seg, zeroed(w.files[seg], 2048, 2560))})
	}
	none := w.files
	for _, n := range w.heads {
		none = with(none, evidence.NotePath(n), nil)
	}
	return append(all, wreck{"all notes gone; ", none})
}

// tryWrecks holds a salvage against the judge for each wreck and reports the differences. It returns after how many wrecks the first one was found, 0 for none.
func (w *wreckable) tryWrecks(all []wreck, o verify.Options, salvage salvageFunc, report func(string)) (first int) {
	said := make([]string, len(all))
	var tries sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		tries.Go(func() {
			for i := worker; i < len(all); i += runtime.GOMAXPROCS(0) {
				got, err := w.salvaged(all[i].files, o, salvage)
				if err != nil {
					said[i] = err.Error()
				} else {
					said[i] = differ(got, w.judge(all[i].files, len(o.Keys) > 0))
				}
			}
		})
	}
	tries.Wait()
	for i, what := range said {
		if what == "" {
			continue
		}
		if first == 0 {
			first = i + 1
		}
		report(all[i].name + ": " + what)
	}
	return first
}

// salvageFull tries every wreck; else every 67th is.
var salvageFull = flag.Bool("salvage.full", false, "try every way to damage the cases of TestSalvage")

// part is what plain go test tries of a list: evenly spread.
func part(all []wreck) []wreck {
	if *salvageFull {
		return all
	}
	var some []wreck
	for i := range all {
		if i%67 == 0 {
			some = append(some, all[i])
		}
	}
	return some
}

// TestSalvage damages a sealed case and an unsealed one in every way of the list, each beside what else may be damaged, and requires exactly what
// the judge works out.
func TestSalvage(t *testing.T) {
	for _, seal := range []bool{true, false} {
		w := newWreckable(t, seal)
		var all []wreck
		for _, other := range w.others() {
			for _, x := range append(w.wrecks(other.files), wreck{"nothing", other.files}) {
				all = append(all, wreck{other.name + x.name, x.files})
			}
		}
		for i := range w.files[evidence.LedgerPath] {
			if i%boltread.PageSize != 0 {
				continue
			}
			page := int64(i)
			for _, b := range w.batches {
				files := with(w.files, evidence.LedgerPath, zeroed(w.files[evidence.LedgerPath], page, page+boltread.PageSize))
				seg := evidence.SegmentPath(b.Segment)
				all = append(all, wreck{fmt.Sprintf("page %d of ledger.db and batch %d zeroed", page/boltread.PageSize, b.Batch), with(files, seg, zeroed(w.files[seg], b.Offset, b.End))})
			}
		}
		all = part(all)
		for _, keys := range [][]trust.VKey{nil, {w.key}} {
			bad := 0
			w.tryWrecks(all, verify.Options{Keys: keys}, verify.Salvage, func(s string) {
				if bad++; bad <= 10 {
					t.Errorf("sealed %v, %d keys: %s", seal, len(keys), s)
				}
			})
			t.Logf("sealed %v, %d keys pinned: %d wrecks of %d entries in %d batches, %d judged otherwise", seal, len(keys), len(all), len(w.entries), len(w.batches), bad)
		}
	}
}

// TestSalvageOfExchangedSegments: what is proven is read where it stands, not where its batch says that it should.
func TestSalvageOfExchangedSegments(t *testing.T) {
	w := newWreckable(t, true)
	files := with(with(w.files, seg1, w.files[seg2]), seg2, w.files[seg1])
	got, err := w.salvaged(files, verify.Options{Keys: []trust.VKey{w.key}}, verify.Salvage)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.given) == 0 {
		t.Error("nothing is given")
	}
}
