package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ErrNoCase says that a folder is no case: it has none of data/, bagit.txt and custody/.
var ErrNoCase = errors.New("folder is no case: it has neither data/ nor bagit.txt nor custody/")

// Options is what the user of a check knows or wants.
type Options struct {
	Keys []trust.VKey // pinned by the user; each must have signed
	Deep bool         // also payload digests, layouts and redactions of every exchange
}

// checker is the state of one check.
type checker struct {
	opts  Options
	files fs.FS
	r     *Report

	sealed bool                    // package.note is there
	notes  []int64                 // sizes of the heads in data/checkpoints, ascending
	roots  map[int64]evidence.Hash // at those sizes
	tree   evidence.Tree           // grows entry by entry
	walker *evidence.Walker
	dec    *warc.Decoder
	rules  rules
	ledger *ledgerCheck
	ends   []segmentEnd // of a case without holes: segment n at index n-1
	tail   bool         // the last segment ends in a torn tail
}

// segmentEnd is where a segment was found to end.
type segmentEnd struct {
	size  int64
	first int64         // seq of its first entry
	hash  evidence.Hash // of its last batch
}

// Check checks the case in files and reports everything that it finds. It returns a Container only if nothing is altered or
// damaged; an incomplete one is returned. An error means that the check itself could not be done: [ErrNoCase], ctx's, or no memory
// for the decoder. files must give io.ReaderAt for regular files, as [evidence/bag.OpenFolder] does.
func Check(ctx context.Context, files fs.FS, o Options) (*Report, *Container, error) {
	if !isCase(files) {
		return nil, nil, ErrNoCase
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, nil, err
	}
	defer dec.Close()
	return checkWith(ctx, dec, files, o)
}

func isCase(files fs.FS) bool {
	for _, name := range []string{"data", "bagit.txt", "custody"} {
		if _, err := fs.Stat(files, name); err == nil {
			return true
		}
	}
	return false
}

func checkWith(ctx context.Context, dec *warc.Decoder, files fs.FS, o Options) (*Report, *Container, error) {
	c := &checker{opts: o, files: files, r: &Report{Caveats: caveats()}, dec: dec, roots: map[int64]evidence.Hash{}}
	c.rules.r = c.r
	c.sealed = evidence.IsSealed(files)
	c.r.Sealed = c.sealed
	if err := c.names(ctx); err != nil {
		return nil, nil, err
	}
	c.ledger = openLedger(files, c.sealed)
	if err := c.segments(ctx); err != nil {
		return nil, nil, err
	}
	c.heads()
	c.seal()
	c.packageNote()
	c.ledger.finish(c.r)
	c.completeness()
	c.pinned()
	c.statements()
	if c.r.has(Damage) {
		return c.r, nil, nil
	}
	container := newContainer(c)
	if o.Deep {
		if err := c.deep(ctx, container); err != nil {
			return nil, nil, err
		}
		if c.r.has(Damage) {
			c.statements()
			return c.r, nil, nil
		}
	}
	return c.r, container, nil
}

// segments walks all segments and holds the entries against the rules of the whole ledger.
func (c *checker) segments(ctx context.Context) error {
	c.walker = evidence.NewWalker(c.dec)
	c.walker.Report = func(f *evidence.Fault) error {
		c.r.fault(f)
		return nil
	}
	present := c.present()
	if len(present) == 0 {
		c.r.find("segment-missing", evidence.SegmentPath(1), "there is no segment")
	}
	for i, n := range present {
		if err := c.segment(ctx, n, i == len(present)-1); err != nil {
			return err
		}
	}
	c.r.Case, c.r.Entries, c.r.Segments = c.walker.CaseID(), c.walker.Position().Entries, int64(len(present))
	if tree, ok := c.walker.Tree(); ok {
		c.r.Root = tree.Root().String()
	}
	return nil
}

// present lists the segments that are there, in order, and reports the holes between them.
func (c *checker) present() []int64 {
	var all []int64
	names, _ := fs.ReadDir(c.files, evidence.SegmentsPath)
	for _, name := range names { // sorted by name, so by number
		if n := evidence.SegmentNumber(name.Name()); n > 0 {
			all = append(all, n)
		}
	}
	next := int64(1)
	for _, n := range all {
		if n > next {
			c.r.find("segment-missing", evidence.SegmentPath(next), "segments %d to %d are missing", next, n-1)
		}
		next = n + 1
	}
	return all
}

func (c *checker) segment(ctx context.Context, n int64, last bool) error {
	path := evidence.SegmentPath(n)
	file, size, err := evidence.OpenSegment(c.files, n)
	if err != nil {
		c.r.find("segment-read", path, "%v", err)
		return nil
	}
	defer file.Close()
	c.r.Bytes += size
	first := c.walker.Position().Entries
	faults := len(c.r.Findings)
	if err := c.walker.Segment(ctx, n, file, size, c.visit); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.r.find("segment-read", path, "%v", err)
	}
	c.ends = append(c.ends, segmentEnd{size: size, first: first, hash: c.walker.Position().Hash})
	c.tailOf(n, size, last, faults)
	return nil
}

// tailOf tells a torn tail, which an unsealed case may have at its very end, from damage.
func (c *checker) tailOf(n, size int64, last bool, faults int) {
	end := int64(0)
	if p := c.walker.Position(); p.Segment == n {
		end = p.Offset
	}
	inTail := c.walker.Pending() > 0
	tornable := last && !c.sealed && !c.walker.Sealed()
	if tornable {
		for _, f := range c.r.Findings[faults:] {
			if f.Offset < end || !isFrameCode(f.Code) {
				tornable = false
			}
		}
		inTail = inTail || len(c.r.Findings) > faults
	}
	switch {
	case !inTail:
	case tornable:
		c.r.Findings = c.r.Findings[:faults]
		c.tail = true
		c.r.add(Finding{Code: "torn-tail", Path: evidence.SegmentPath(n), Offset: end, Seq: -1, Detail: fmt.Sprintf("%d bytes", size-end)})
	case c.walker.Pending() > 0:
		c.r.add(Finding{Code: "record-unclaimed", Path: evidence.SegmentPath(n), Offset: end, Seq: -1,
			Detail: fmt.Sprintf("%d records at the segment's end are named by no batch", c.walker.Pending())})
	}
}

func isFrameCode(code string) bool {
	return code == "record-header" || code == "record-length" || code == "record-end" || code == "record-digest" || len(code) > 6 && code[:6] == "frame-"
}

func (c *checker) visit(b *evidence.Batch) error {
	c.rules.batch = b
	for i, e := range b.Entries {
		c.rules.entry(e, i)
		c.tree.Add(evidence.LeafHash(e.HeadLine))
		if _, ok := slices.BinarySearch(c.notes, c.tree.Size()); ok {
			c.roots[c.tree.Size()] = c.tree.Root()
		}
	}
	c.ledger.add(b)
	return nil
}
