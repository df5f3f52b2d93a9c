package killtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// opened is a case that the parent works on, as the program does.
type opened struct{ *casefile.Case }

func (v *judge) withCase(ctx context.Context, do func(*opened) error) error {
	c, err := openCase(ctx, caseIn(v.dir))
	if err != nil {
		return err
	}
	return errors.Join(do(&opened{c}), c.Close(ctx))
}

// acquire goes on in this process.
func (v *judge) acquire(ctx context.Context, stop <-chan struct{}, progress func(acquire.Event)) (res *acquire.Result, err error) {
	token, err := v.token()
	if err != nil {
		return nil, err
	}
	err = v.withCase(ctx, func(c *opened) error {
		o := options(c.Case, v.url, v.pem, caseIn(v.dir), v.of)
		o.Credential, o.Stop, o.Progress, o.Again = token, stop, progress, v.again
		res, err = acquire.Run(ctx, o)
		return err
	})
	return res, err
}

// entriesIn lists the entries of a case whose segments are whole.
func entriesIn(ctx context.Context, dir string) (entries []*evidence.Entry, err error) {
	for b, err := range evidence.Batches(ctx, os.DirFS(dir)) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, b.Entries...)
	}
	return entries, nil
}

// pagesIn are the URLs of the pages that stand in a case (docs/container.md, 4.9).
func pagesIn(ctx context.Context, dir string) (map[string]bool, error) {
	entries, err := entriesIn(ctx, dir)
	pages, replaced := map[string]bool{}, map[int64]bool{}
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && x.RetryOf >= 0 {
			replaced[x.RetryOf] = true
		}
	}
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && e.Head.Status == 200 && x.Ended == "complete" && !replaced[e.Head.Seq] {
			pages[x.URL] = true
		}
	}
	return pages, err
}

// segmentsOf reads the segments of a case.
func segmentsOf(dir string) (map[string][]byte, error) {
	all, err := filesOf(dir)
	for name := range all {
		if !strings.HasPrefix(name, evidence.SegmentsPath+"/") {
			delete(all, name)
		}
	}
	return all, err
}

// nothingLost requires that every byte that stood in a segment is still there, or is the record of a gap entry for that place.
func nothingLost(ctx context.Context, dir string, before map[string][]byte) error {
	now, err := segmentsOf(dir)
	if err != nil {
		return err
	}
	entries, err := entriesIn(ctx, dir)
	if err != nil {
		return err
	}
	torn := map[string]bool{}
	for _, e := range entries {
		if gap, ok := e.Body.(*evidence.Gap); ok && gap.Reason == evidence.GapTorn {
			torn[fmt.Sprintf("%s %d %s", evidence.SegmentPath(gap.Segment), gap.Offset, e.Detail.Records[0].Block)] = true
		}
	}
	for name, old := range before {
		if bytes.HasPrefix(now[name], old) {
			continue
		}
		cut := len(now[name])
		if !bytes.HasPrefix(old, now[name]) {
			cut = 0 // the whole file was replaced
		}
		if !torn[fmt.Sprintf("%s %d %x", name, cut, sha256.Sum256(old[cut:]))] {
			return fmt.Errorf("%d bytes of %s are gone and in no gap entry", len(old)-cut, name)
		}
	}
	return nil
}

// discardTail plants a recovery that cuts the last segment behind its last whole batch and says nothing.
func discardTail(ctx context.Context, dir string) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	files := os.DirFS(dir)
	survey, err := evidence.NewSurvey(files)
	if err != nil {
		return err
	}
	w := evidence.NewWalker(dec)
	for n := int64(1); n <= survey.Segments; n++ {
		f, size, err := evidence.OpenSegment(files, n)
		if err != nil {
			return err
		}
		_ = w.Segment(ctx, n, f, size, func(*evidence.Batch) error { return nil }) // its error is the torn tail
		f.Close()
	}
	p := w.Position()
	return os.Truncate(filepath.Join(dir, filepath.FromSlash(evidence.SegmentPath(p.Segment))), p.Offset)
}

// sameIndex requires that the index, as it was caught up, holds the rows of one that is built from the segments (I3).
func (v *judge) sameIndex(ctx context.Context, when string) {
	path := filepath.Join(v.dir, "rebuilt.db")
	if v.failed("building an index", ledger.Build(ctx, path, evidence.Batches(ctx, os.DirFS(caseIn(v.dir))))) {
		return
	}
	want, err := rowsOf(path)
	if v.failed("the index that was built", err) {
		return
	}
	for b, err := range evidence.Batches(ctx, os.DirFS(caseIn(v.dir))) { // the index of an open case knows the places of batches besides
		if v.failed("the batches", err) {
			return
		}
		want[fmt.Sprintf("places %016x%016x", b.Segment, b.Offset)] = []byte{}
	}
	have, err := rowsOf(filepath.Join(caseIn(v.dir), evidence.WorkPath, "ledger.db"))
	if v.failed("the index", err) {
		return
	}
	if d := differ(have, want); d != nil {
		v.say("%s the index differs from the segments in %q", when, d)
	}
}

// rowsOf reads all rows of an index, by bucket and key.
func rowsOf(path string) (map[string][]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := boltread.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	buckets, err := f.Buckets()
	if err != nil {
		return nil, err
	}
	rows := map[string][]byte{}
	for _, b := range buckets {
		c := b.Cursor()
		for ok := c.First(); ok; ok = c.Next() {
			rows[fmt.Sprintf("%s %x", b.Name(), c.Key())] = bytes.Clone(c.Value())
		}
		if c.Err() != nil {
			return nil, c.Err()
		}
	}
	return rows, nil
}
