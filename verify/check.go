package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ErrContent says that the records of a case decode to more than Options.MaxContent. Nothing is said about the case then.
var ErrContent = errors.New("case decodes to more than was allowed")

// ErrNoCase says that a folder is no case: it has none of data/, bagit.txt and custody/.
var ErrNoCase = errors.New("folder is no case: it has neither data/ nor bagit.txt nor custody/")

// Options is what the user of a check knows or wants.
type Options struct {
	Keys        []trust.VKey // pinned by the user; each must have signed
	Authorities []Authority  // of timestamps, pinned by the user; each must have stamped the case
	Now         time.Time    // the user's clock, ahead of which no timestamp is believed; zero for none
	Deep        bool         // also layouts and redactions of every exchange

	KnownHeads []KnownHead        // that the case must go on from
	Witnesses  []trust.WitnessKey // pinned by the user
	Quorum     int                // how many of them must be met; 0 for all

	CustodyKeys []trust.VKey // pinned by the user; each must have signed a custody record

	// MaxContent is how many bytes the records of a case may decode to. A few bytes may decode to very many, which takes hours to hash. 0 stands for 256 times
	// the size of the segments, at least 16 GiB; honest answers seldom pass 50 times.
	MaxContent int64

	// Keep is how many bytes of answers the check may keep in a temporary file of mode 0600 for an extraction that follows, so that it need not decode them a
	// second time. The container must be closed then. A deep check keeps none, and nothing depends on what is kept but speed.
	Keep int64
}

// checker is the state of one check.
type checker struct {
	opts  Options
	files fs.FS
	r     *Report

	sealed     bool                    // package.note is there
	present    []int64                 // the segments that are there
	size       int64                   // of all of them, in bytes
	tokenFiles []string                // in data/checkpoints
	stamps     []Stamped               // by pinned authorities
	notes      []int64                 // sizes of the heads in data/checkpoints, ascending
	history    history                 // heads and cosignatures that others hold or made
	roots      map[int64]evidence.Hash // at those sizes
	tree       evidence.Tree           // grows entry by entry
	walker     *evidence.Walker
	dec        *warc.Decoder
	rules      rules
	ledger     *ledgerCheck
	signed     []signedNote // newest head and package.note, as they were read
	keys       []trust.VKey // that may sign, after the last head
	ends       []segmentEnd // of a case without holes: segment n at index n-1
	tails      []heldTail
	faults     []Finding // of the segment that is being walked
	again      bitset    // exchanges that a deep check has to read again
	keeper     *keeper   // nil if no pages are to be kept

	sealers   []string // names of pinned keys that signed the newest head and package.note
	cosigners []string // names of pinned keys that have cosigned the newest head, and no more

	statement *trust.PackageStatement // of package.note, if a key that may sign signed it
	octets    int64                   // bytes of data/ that bag-info.txt counts; -1 if it does not
	part      *productionCheck        // of a production, nil for a case
}

// segmentEnd is where a segment was found to end.
type segmentEnd struct {
	segment int64
	size    int64
	hash    evidence.Hash // of its last batch
}

// Check checks the case in files and reports everything that it finds. It returns a Container only if nothing is altered or
// damaged; an incomplete one is returned. An error means that the check itself could not be done: [ErrNoCase], [ErrContent], ctx's, or no memory
// for the decoder. files must give io.ReaderAt for regular files, as [evidence/bag.OpenFolder] and [evidence/bag.OpenZip] do.
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
	names, err := fs.ReadDir(files, ".")
	return err == nil && slices.ContainsFunc(names, func(e fs.DirEntry) bool {
		return e.Name() == "data" || e.Name() == "bagit.txt" || e.Name() == "custody"
	})
}

func checkWith(ctx context.Context, dec *warc.Decoder, files fs.FS, o Options) (*Report, *Container, error) {
	c := &checker{opts: o, files: files, r: &Report{Caveats: caveats()}, dec: dec, roots: map[int64]evidence.Hash{}}
	if o.Keep > 0 && !o.Deep {
		c.keeper = &keeper{limit: o.Keep}
	}
	container, err := c.check(ctx)
	if err = errors.Join(err, c.ledger.close()); err != nil {
		container = nil
	}
	if container == nil {
		err = errors.Join(err, c.keeper.close())
	}
	if err != nil {
		return nil, nil, err
	}
	return c.r, container, nil
}

// check makes the report. It returns a container if nothing is altered or damaged.
func (c *checker) check(ctx context.Context) (*Container, error) {
	c.rules.r = c.r
	if evidence.IsProduction(c.files) {
		c.sealed = true
		return c.checkProduction(ctx)
	}
	c.sealed = evidence.IsSealed(c.files)
	c.r.Sealed = c.sealed
	c.noteNames()
	c.historyNames()
	c.segmentNames()
	c.ledger = openLedger(c.files, c.sealed)
	wait := func() bagged { return bagged{} }
	if c.sealed {
		ctx, cancel := context.WithCancel(ctx)
		wait = c.rehash(ctx)
		defer wait() // cancelled, if it was not waited for
		defer cancel()
	}
	if err := c.segments(ctx); err != nil {
		return nil, err
	}
	if c.sealed {
		if err := c.bag(wait()); err != nil {
			return nil, err
		}
	} else {
		c.walkNames()
	}
	c.heads()
	c.tokens()
	c.seal()
	c.packageNote()
	c.cosignatures()
	c.custody()
	if err := c.packedSums(ctx); err != nil {
		return nil, err
	}
	c.ledger.finish(c.r)
	c.completeness()
	c.pinned()
	c.authorities()
	c.holdHistory()
	c.installations()
	c.statements()
	if c.r.has(Damage) {
		return nil, nil
	}
	return c.intact(ctx)
}

// intact makes the container, if a deep check finds nothing altered either.
func (c *checker) intact(ctx context.Context) (*Container, error) {
	container := newContainer(c)
	if !c.opts.Deep {
		return container, nil
	}
	if err := c.deep(ctx, container); err != nil {
		return nil, err
	}
	if c.r.has(Damage) {
		if c.part != nil {
			c.producedStatements()
		} else {
			c.statements()
		}
		return nil, nil
	}
	return container, nil
}

// segments walks all segments and holds the entries against the rules of the whole ledger.
func (c *checker) segments(ctx context.Context) error {
	c.walker = evidence.NewWalker(c.dec)
	if c.opts.Deep {
		c.walker.Look = look
	} else if c.keeper != nil {
		c.walker.Look = c.keeper.look
		defer c.keeper.finish()
	}
	c.walker.Report = func(f *evidence.Fault) error {
		if len(c.faults) < maxFindings {
			c.faults = append(c.faults, ofFault(f))
		} else {
			c.r.add(ofFault(f))
		}
		return nil
	}
	c.holes()
	allowed := cmp.Or(c.opts.MaxContent, max(minContent, contentRatio*c.size))
	left := allowed
	c.walker.Content = &left
	for _, n := range c.present {
		if err := c.segment(ctx, n); errors.Is(err, warc.ErrContent) {
			return fmt.Errorf("%w: %d bytes of segments decode to more than %d", ErrContent, c.size, allowed)
		} else if err != nil {
			return err
		}
	}
	c.tornTails()
	c.r.Case, c.r.Entries, c.r.Segments = c.walker.CaseID(), c.walker.Position().Entries, int64(len(c.present))
	if tree, ok := c.walker.Tree(); ok {
		c.r.Root = tree.Root().String()
	}
	return nil
}

// Bounds of what a case may decode to, where the user gives none.
const (
	minContent   = 16 << 30
	contentRatio = 256
)

// segmentNames lists the segments that are there, in order, and adds up their sizes.
func (c *checker) segmentNames() {
	names, _ := fs.ReadDir(c.files, evidence.SegmentsPath)
	for _, name := range names { // sorted by name, so by number
		n := evidence.SegmentNumber(name.Name())
		if n == 0 {
			continue
		}
		c.present = append(c.present, n)
		if info, err := name.Info(); err == nil {
			c.size = min(c.size+max(info.Size(), 0), 1<<50)
		}
	}
}

// holes reports which segments are missing.
func (c *checker) holes() {
	next := int64(1)
	for _, n := range c.present {
		if n > next {
			c.r.find("segment-missing", evidence.SegmentPath(next), "segments %d to %d are missing", next, n-1)
		}
		next = n + 1
	}
	if len(c.present) == 0 {
		c.r.find("segment-missing", evidence.SegmentPath(1), "there is no segment")
	}
}

func (c *checker) segment(ctx context.Context, n int64) error {
	path := evidence.SegmentPath(n)
	file, size, err := evidence.OpenSegment(c.files, n)
	if err != nil {
		c.r.find("segment-read", path, "%v", err)
		return nil
	}
	defer file.Close()
	c.r.Bytes += size
	c.faults = c.faults[:0]
	if err := c.walker.Segment(ctx, n, file, size, c.visit); err != nil {
		if ctx.Err() != nil || errors.Is(err, warc.ErrContent) {
			return cmp.Or(ctx.Err(), err)
		}
		c.r.find("segment-read", path, "%v", err)
	}
	c.ends = append(c.ends, segmentEnd{segment: n, size: size, hash: c.walker.Position().Hash})
	c.tailOf(n, file, size)
	return nil
}

// heldTail is what follows the last whole batch of a segment, until it is known whether a later gap entry holds it.
type heldTail struct {
	segment, offset, size int64
	hash                  evidence.Hash
	findings              []Finding
}

// tailOf tells a torn tail from damage (docs/container.md, 7.2). It holds the segment's faults back where they are all about its
// tail and the case is not sealed; tornTails reports them if they are damage after all.
func (c *checker) tailOf(n int64, file io.ReaderAt, size int64) {
	end := int64(0)
	if p := c.walker.Position(); p.Segment == n {
		end = p.Offset
	}
	if c.walker.Pending() > 0 {
		c.faults = append(c.faults, Finding{Code: "record-unclaimed", Path: evidence.SegmentPath(n), Offset: end, Seq: -1,
			Detail: fmt.Sprintf("%d records at the segment's end are named by no batch", c.walker.Pending())})
	}
	if len(c.faults) == 0 {
		return
	}
	if hash, ok := c.tearable(file, end, size); ok {
		c.tails = append(c.tails, heldTail{n, end, size, hash, slices.Clone(c.faults)})
		return
	}
	for _, f := range c.faults {
		c.r.add(f)
	}
}

// tearable reports whether the segment's faults may all come from an interrupted write at its end, and hashes that end.
func (c *checker) tearable(file io.ReaderAt, end, size int64) (hash evidence.Hash, ok bool) {
	if c.sealed || c.walker.Sealed() || len(c.tails) >= maxTails || len(c.faults) >= maxFindings || size-end > maxTorn {
		return hash, false
	}
	for _, f := range c.faults {
		if f.Offset < end || !isFrameCode(f.Code) && f.Code != "record-unclaimed" {
			return hash, false
		}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, end, size-end)); err != nil {
		return hash, false
	}
	return evidence.Hash(sum.Sum(nil)), true
}

// maxTorn is the longest tail, in bytes, that is taken for an interrupted write. A write is a batch with its records: 4 MiB of them and one larger answer, which has at
// most 1 GiB.
const maxTorn = 4 << 30

// maxTails bounds what is held back of a hostile case: recovery leaves one.
const maxTails = 16

// tornTails decides about the tails that were held back: that of the last segment is torn, and an earlier one if a gap entry
// holds the same bytes, because recovery was interrupted before it cut them off.
func (c *checker) tornTails() {
	last := int64(0)
	if len(c.ends) > 0 {
		last = c.ends[len(c.ends)-1].segment
	}
	for _, t := range c.tails {
		moved := slices.ContainsFunc(c.rules.torn, func(g tornGap) bool { return g.segment == t.segment && g.offset == t.offset && g.hash == t.hash })
		if t.segment != last && !moved {
			for _, f := range t.findings {
				c.r.add(f)
			}
			continue
		}
		c.r.add(Finding{Code: "torn-tail", Path: evidence.SegmentPath(t.segment), Offset: t.offset, Seq: -1, Detail: fmt.Sprintf("%d bytes", t.size-t.offset)})
	}
}

func isFrameCode(code string) bool {
	return code == "record-header" || code == "record-length" || code == "record-end" || code == "record-digest" || len(code) > 6 && code[:6] == "frame-"
}

func (c *checker) visit(b *evidence.Batch) error {
	c.rules.batch = b
	for i, e := range b.Entries {
		c.rules.entry(e, i)
		c.deepEntry(e)
		c.tree.Add(evidence.LeafHash(e.HeadLine))
		if _, ok := slices.BinarySearch(c.history.sizes, c.tree.Size()); ok {
			c.roots[c.tree.Size()] = c.tree.Root()
		}
	}
	c.ledger.add(b)
	return nil
}
