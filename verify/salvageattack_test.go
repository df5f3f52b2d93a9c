package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// forgeries rewrites an answer behind a place that is damaged, as somebody without the key would: made to agree with entry, chain, frontier and ledger as far
// as each case says, and with each of some frames before it destroyed.
func (w *wreckable) forgeries() (all []wreck) {
	t := w.t
	for _, how := range []struct { // of each, a third of the frames unless all are asked for
		name   string
		change func(*sample.Forged)
		ledger string // kept, made again, gone
		pinned bool   // only to be told from the real one by a key from elsewhere
	}{
		{name: "no chain", change: func(f *sample.Forged) { f.KeepHeads, f.KeepPrev, f.KeepFrontier = true, true, true }},
		{name: "chain", change: func(f *sample.Forged) { f.KeepHeads, f.KeepFrontier = true, true }},
		{name: "chain and frontiers", change: func(f *sample.Forged) { f.KeepHeads = true }},
		{name: "chain, frontiers, ledger gone", change: func(f *sample.Forged) { f.KeepHeads = true }, ledger: "gone"},
		{name: "chain, frontiers and ledger", change: func(f *sample.Forged) { f.KeepHeads = true }, ledger: "made again"},
		{name: "heads by another key", change: func(f *sample.Forged) { f.Key = sample.Key(t, 50) }, ledger: "made again"},
		{name: "heads by another key, which the case entry allows", change: func(f *sample.Forged) {
			f.Key = sample.Key(t, 50)
			f.Segments[0][1].Replace(t, w.key.String(), sample.Key(t, 50).VerifierKey())
		}, ledger: "made again", pinned: true},
	} {
		if !w.sealed && how.ledger == "gone" {
			continue
		}
		f := w.forge()
		how.change(f)
		victim := slices.IndexFunc(f.Segments[1], func(r *sample.Record) bool {
			return r.Header.Type == warc.Response && strings.Contains(r.Block, "Operation")
		})
		for i := victim + 1; i < len(f.Segments[1]); i++ { // the last of segment 2
			if f.Segments[1][i].Header.Type == warc.Response {
				victim = i
			}
		}
		f.Segments[1][victim].Replace(t, `"Operation":"`, `"Operation":"forged `)
		f.Segments[1][victim].Block = strings.Replace(f.Segments[1][victim].Block, "forged ", "forged", 1)
		files := f.Build(t)
		if how.ledger == "gone" {
			files = with(files, evidence.LedgerPath, nil)
		} else if w.sealed && how.ledger == "made again" {
			files = with(files, evidence.LedgerPath, ledgerOf(t, files))
		}
		seg := files[seg2]
		at := int64(0)
		for i, frame := range frames(t, seg) {
			if end := at + int64(len(frame)); i < victim && (*salvageFull || i%3 == 1) {
				name := fmt.Sprintf("sealed %v, %s, frame %d destroyed", w.sealed, how.name, i)
				if how.pinned {
					name += pinnedAlone
				}
				all = append(all, wreck{name, with(files, seg2, zeroed(seg, at, end))})
			}
			at += int64(len(frame))
		}
	}
	return all
}

const pinnedAlone = " (pinned alone)"

func ledgerOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	err := ledger.Build(t.Context(), path, evidence.Batches(t.Context(), mapFS(files)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tryForgeries salvages each and reports what is given and was not recorded. It returns after how many the first was found.
func (w *wreckable) tryForgeries(all []wreck, salvage salvageFunc, report func(string)) (first int) {
	for i, x := range all {
		for _, keys := range [][]trust.VKey{{w.key}, nil} {
			if keys == nil && strings.HasSuffix(x.name, pinnedAlone) {
				continue
			}
			if _, err := w.salvaged(x.files, verify.Options{Keys: keys}, salvage); err != nil {
				if first == 0 {
					first = i + 1
				}
				report(fmt.Sprintf("%s, %d keys: %v", x.name, len(keys), err))
			}
		}
	}
	return first
}

// TestSalvageGivesNothingForged: whatever is given of a case that was damaged and rewritten without the key is what was recorded.
func TestSalvageGivesNothingForged(t *testing.T) {
	for _, seal := range []bool{true, false} {
		w := newWreckable(t, seal)
		all := w.forgeries()
		if len(all) < 15 {
			t.Fatalf("%d forgeries", len(all))
		}
		w.tryForgeries(all, verify.Salvage, func(s string) { t.Error(s) })
		// What the ledger or an intact frontier still proves is given for all that.
		for _, x := range all {
			got, err := w.salvaged(x.files, verify.Options{Keys: []trust.VKey{w.key}}, verify.Salvage)
			if err == nil && strings.Contains(x.name, "no chain") && !got.given[w.heads[len(w.heads)-1]-1] {
				t.Errorf("%s: the last entry under a head is proven by a later segment's frontier and not given", x.name)
			}
		}
		t.Logf("sealed %v: %d forgeries", seal, len(all))
	}
}

// TestSalvageHarnessNotices lets salvages with a planted fault loose on the harnesses above.
func TestSalvageHarnessNotices(t *testing.T) {
	sealed, open := newWreckable(t, true), newWreckable(t, false)
	ignore := func(string) {}
	wrecks := func(w *wreckable) []wreck { return w.wrecks(w.files)[:60] }
	for _, c := range []struct {
		name  string
		first int
	}{
		{"what can be read is given, unsealed case, wrecks", open.tryWrecks(wrecks(open), verify.Options{}, verify.SalvageUnproven, ignore)},
		{"what can be read is given, forgeries", sealed.tryForgeries(sealed.forgeries(), verify.SalvageUnproven, ignore)},
		{"the ledger is believed without a root, altered rows", sealed.tryWrecks(sealed.alteredRows(), verify.Options{}, verify.SalvageGullibly, ignore)},
		{"the ledger is believed without a root, forgeries", sealed.tryForgeries(sealed.forgeries(), verify.SalvageGullibly, ignore)},
	} {
		if c.first == 0 {
			t.Errorf("%s: not noticed", c.name)
			continue
		}
		t.Logf("%s: noticed after %d", c.name, c.first)
	}
}

// alteredRows takes a batch away and changes what the ledger says of one of its entries.
func (w *wreckable) alteredRows() (all []wreck) {
	for _, b := range w.batches {
		seg := evidence.SegmentPath(b.Segment)
		files := with(w.files, seg, zeroed(w.files[seg], b.Offset, b.End))
		db := bytes.Clone(w.files[evidence.LedgerPath])
		at := bytes.Index(db, b.Entries[0].HeadLine)
		if at < 0 {
			w.t.Fatalf("no row of entry %d", b.First)
		}
		year := at + bytes.Index(db[at:], []byte(`"start":"2`)) + len(`"start":"2`)
		db[year] = '1'
		all = append(all, wreck{fmt.Sprintf("batch %d zeroed, its row altered", b.Batch), with(files, evidence.LedgerPath, db)})
	}
	return all
}

// TestSalvageWithAlteredLedger alters the row of an entry that is lost: it proves nothing then.
func TestSalvageWithAlteredLedger(t *testing.T) {
	w := newWreckable(t, true)
	for _, keys := range [][]trust.VKey{nil, {w.key}} {
		w.tryWrecks(w.alteredRows(), verify.Options{Keys: keys}, verify.Salvage, func(s string) { t.Errorf("%d keys: %s", len(keys), s) })
	}
}

// badDisk fails to read one sector of a file.
type badDisk struct {
	fs.FS
	name string
	from int64
}

type badSector struct {
	fs.File
	from int64
}

func (d badDisk) Open(name string) (fs.File, error) {
	file, err := d.FS.Open(name)
	if err != nil || name != d.name {
		return file, err
	}
	return badSector{file, d.from}, nil
}

func (d badDisk) Lstat(name string) (fs.FileInfo, error) { return fs.Stat(d.FS, name) }
func (d badDisk) ReadLink(string) (string, error)        { return "", fs.ErrInvalid }

func (b badSector) ReadAt(p []byte, off int64) (int, error) {
	if off < b.from+4096 && off+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return b.File.(interface {
		ReadAt([]byte, int64) (int, error)
	}).ReadAt(p, off)
}

// TestSalvageFromABadDisk: a sector that cannot be read costs what a sector of zeros does, and no more.
func TestSalvageFromABadDisk(t *testing.T) {
	w := newWreckable(t, true)
	tried := 0
	for _, name := range append(w.segments(), evidence.LedgerPath) {
		for at := int64(0); at < int64(len(w.files[name])); at += 4096 {
			tried++
			onDisk := func(ctx context.Context, files fs.FS, o verify.Options) (*verify.Salvaged, error) {
				return verify.Salvage(ctx, badDisk{files, name, at}, o)
			}
			got, err := w.salvaged(w.files, verify.Options{Keys: []trust.VKey{w.key}}, onDisk)
			if err != nil {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			if what := differ(got, w.judge(with(w.files, name, zeroed(w.files[name], at, at+4096)), true)); what != "" {
				t.Errorf("%s at %d: %s", name, at, what)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d sectors tried", tried)
	}
}

// TestSalvagedCaseThatChanges alters a case between the proof and the reading: nothing of it passes as proven to its end.
func TestSalvagedCaseThatChanges(t *testing.T) {
	w := newWreckable(t, true)
	b := w.batches[len(w.batches)/2]
	seg := evidence.SegmentPath(b.Segment)
	files := maps.Clone(w.files)
	s, err := verify.Salvage(t.Context(), mapFSOf(files), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files[seg] = zeroed(files[seg], b.Offset, b.End)
	s2, err := verify.Salvage(t.Context(), mapFSOf(files), verify.Options{})
	if err != nil || s2.Proven >= s.Proven {
		t.Fatalf("%d entries proven before and %d after (%v)", s.Proven, s2.Proven, err)
	}
	var last error
	for _, err := range s.Container().Entries(t.Context()) {
		last = err
	}
	if !errors.Is(last, verify.ErrChanged) {
		t.Errorf("entries of a case that changed end with %v", last)
	}
	last = nil
	for _, err := range s.Losses(t.Context()) {
		last = err
	}
	if !errors.Is(last, verify.ErrChanged) {
		t.Errorf("losses of a case that changed end with %v", last)
	}
}

// filesFS reads a map of files as it is at the time.
type filesFS map[string][]byte

func mapFSOf(files map[string][]byte) fs.FS { return filesFS(files) }

func (f filesFS) Open(name string) (fs.File, error)          { return mapFS(f).Open(name) }
func (f filesFS) Lstat(name string) (fs.FileInfo, error)     { return fs.Stat(mapFS(f), name) }
func (f filesFS) ReadLink(string) (string, error)            { return "", fs.ErrInvalid }
func (f filesFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(mapFS(f), name) }

// TestSalvageOfVectors goes through every vector: none may end in an error or list an entry twice or not at all.
func TestSalvageOfVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		if len(v.extra) > 0 {
			continue // they are about what is no regular file, which is never opened
		}
		s, err := verify.Salvage(t.Context(), mapFS(v.files), verify.Options{})
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		said := map[int64]int{}
		for e, err := range s.Container().Entries(t.Context()) {
			if err != nil {
				t.Errorf("%s: entries: %v", v.name, err)
				break
			}
			said[e.Head.Seq]++
		}
		for l, err := range s.Losses(t.Context()) {
			if err != nil {
				t.Errorf("%s: losses: %v", v.name, err)
				break
			}
			for seq := l.First; seq <= l.Last && seq < 1000 && l.State != verify.StateRecords; seq++ {
				said[seq]++
			}
		}
		for seq := range min(s.Entries, 1000) {
			if said[seq] != 1 {
				t.Errorf("%s: entry %d of %d is spoken of %d times", v.name, seq, s.Entries, said[seq])
				break
			}
		}
	}
}
