package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ErrWithheld says that a production does not disclose an entry.
var ErrWithheld = errors.New("withheld from this production")

// Production is what a production discloses of a case (docs/container.md, section 12).
type Production struct {
	Time      string     `json:"time"`      // when it was made, by the producer's clock
	Producer  string     `json:"producer"`  // verifier key that it names for itself
	Disclosed int64      `json:"disclosed"` // entries with both lines and all records
	HeadOnly  int64      `json:"head_only"` // entries of which the head line alone is there
	LeafOnly  int64      `json:"leaf_only"` // entries of which a hash alone is there
	Reasons   []Withheld `json:"reasons"`   // in the order in which they first occur

	withheldWindows int64 // whose outcome is withheld
	signed          bool  // a pinned key signed the sealed head
	producerPinned  bool  // a pinned key signed package.note
}

// Withheld is how many entries a reason was given for.
type Withheld struct {
	Reason  string `json:"reason"`
	Entries int64  `json:"entries"`
}

// maxReasons bounds the reasons that are told apart.
const maxReasons = 200

// productionCheck is what the check of a production knows besides.
type productionCheck struct {
	walker *evidence.ProductionWalker
	*Production
}

// checkProduction checks a production: as far as it can be, as the case that it was made of (docs/container.md, section 12).
func (c *checker) checkProduction(ctx context.Context) (*Report, *Container, error) {
	c.part = &productionCheck{walker: evidence.NewProductionWalker(c.dec, c.files), Production: &Production{Reasons: []Withheld{}}}
	c.r.Production = c.part.Production
	c.rules.part = &hidden{}
	c.r.Sealed = evidence.IsSealed(c.files)
	c.noteNames()
	c.segmentNames()
	ctx, cancel := context.WithCancel(ctx)
	wait := c.rehash(ctx)
	defer wait()
	defer cancel()
	if err := c.disclosures(ctx); err != nil {
		return nil, nil, err
	}
	if err := c.bag(wait()); err != nil {
		return nil, nil, err
	}
	if c.provable() {
		c.heads()
	}
	c.producedSeal()
	c.productionNote()
	c.completeness()
	c.producedKeys()
	if n := c.part.HeadOnly + c.part.LeafOnly; n > 0 {
		c.r.find("withheld", evidence.ProductionPath, "%d of %d entries: of %d the head line is there, of %d a hash alone", n, c.r.Entries, c.part.HeadOnly, c.part.LeafOnly)
	}
	c.producedStatements()
	if c.r.has(Damage) {
		return c.r, nil, nil
	}
	container := newContainer(c)
	if c.opts.Deep {
		if err := c.deep(ctx, container); err != nil {
			return nil, nil, err
		}
		if c.r.has(Damage) {
			c.producedStatements()
			return c.r, nil, nil
		}
	}
	return c.r, container, nil
}

// disclosures reads production.jsonl with the segments, and holds the entries against the rules of the whole ledger.
func (c *checker) disclosures(ctx context.Context) error {
	w := c.part.walker
	if c.opts.Deep {
		w.Look = look
	}
	w.Report = func(f *evidence.Fault) error {
		c.r.add(ofFault(f))
		return nil
	}
	allowed := cmp.Or(c.opts.MaxContent, max(minContent, contentRatio*c.size))
	left := allowed
	w.Content = &left
	err := w.Walk(ctx, c.disclosure)
	switch {
	case errors.Is(err, warc.ErrContent):
		return fmt.Errorf("%w: %d bytes of segments decode to more than %d", ErrContent, c.size, allowed)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		c.r.find("path-read", evidence.ProductionPath, "%v", err)
	}
	h := w.Head()
	c.r.Case, c.r.Entries, c.r.Segments, c.r.Bytes = h.Case, h.Size, w.Segments(), c.size
	if h.Case != "" {
		c.part.Time, c.part.Producer = h.Time.String(), h.Producer
	}
	if tree, ok := w.Tree(); ok {
		c.r.Root = tree.Root().String()
	}
	for _, n := range c.present {
		if n > w.Segments() {
			c.r.find("record-unclaimed", evidence.SegmentPath(n), "a segment behind one that is missing")
		}
	}
	return nil
}

// disclosure takes one line.
func (c *checker) disclosure(d *evidence.Disclosure) error {
	c.rules.batch = &evidence.Batch{BatchHead: evidence.BatchHead{Case: c.part.walker.Head().Case}, Offset: d.Offset}
	switch d.Level {
	case evidence.LevelWhole:
		c.part.Disclosed++
	case evidence.LevelHead:
		c.part.HeadOnly++
	default:
		c.part.LeafOnly++
	}
	if !c.part.walker.Lost() {
		c.ruled(d)
	}
	if d.Level != evidence.LevelWhole {
		c.part.reason(d.Reason)
	}
	c.tree.Add(d.Leaf)
	if _, ok := slices.BinarySearch(c.notes, c.tree.Size()); ok {
		c.roots[c.tree.Size()] = c.tree.Root()
	}
	return nil
}

// ruled holds an entry against those before it, all of which are accounted for.
func (c *checker) ruled(d *evidence.Disclosure) {
	switch d.Level {
	case evidence.LevelWhole:
		c.rules.entry(d.Entry, 1)
		if !slices.ContainsFunc(d.Entry.Located, func(l evidence.Located) bool { return l.Segment == 0 }) {
			c.deepEntry(d.Entry)
		}
	case evidence.LevelHead:
		c.rules.headOnly(d.Head)
	default:
		c.rules.leafOnly(d.Seq)
	}
}

// reason counts an entry that is withheld.
func (p *Production) reason(text string) {
	for i := range p.Reasons {
		if p.Reasons[i].Reason == text {
			p.Reasons[i].Entries++
			return
		}
	}
	if len(p.Reasons) == maxReasons {
		text = "…"
		p.Reasons[maxReasons-1].Reason = text
		p.Reasons[maxReasons-1].Entries++
		return
	}
	p.Reasons = append(p.Reasons, Withheld{text, 1})
}

// producedSeal requires that the last entry is the seal and that the head over it is there.
func (c *checker) producedSeal() {
	switch {
	case !c.provable(): // lines are missing or cannot be read: no head can be held against what is left
		c.r.find("head-unproven", evidence.NotePath(c.newest()), "lines of %s are missing or cannot be read", evidence.ProductionPath)
		return
	case c.rules.seal == nil:
		c.r.find("seal-rule", evidence.ProductionPath, "it has no seal entry: a production is made of a sealed case")
	case c.rules.sealSeq != c.r.Entries-1:
		c.r.rule("seal-rule", c.rules.sealSeq, "the seal is not the last entry")
	}
	if c.newest() != c.r.Entries {
		c.r.find("head-missing", evidence.NotePath(c.r.Entries), "the final head, over the seal entry")
	}
}

// productionNote checks package.note, which the producer signs (docs/container.md, 12.5).
func (c *checker) productionNote() {
	bad := func(format string, args ...any) { c.r.find("package-note", evidence.PackageNotePath, format, args...) }
	note, err := readSmall(c.files, evidence.PackageNotePath, maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		c.r.find("bag-missing", evidence.PackageNotePath, "a production has this file")
		return
	}
	key, keyErr := trust.ParseVKey(c.part.Producer)
	if err = cmp.Or(err, keyErr); err != nil {
		bad("%v", err)
		return
	}
	text, sigs, err := trust.Verify(note, []trust.VKey{key})
	if err != nil {
		bad("%v", err)
		return
	}
	if len(sigs) > 1 {
		bad("it has more than the producer's signature")
	}
	for _, k := range c.opts.Keys {
		c.part.producerPinned = c.part.producerPinned || k == key
	}
	p, err := trust.ParseProductionStatement(text)
	if err != nil {
		bad("%v", err)
		return
	}
	if none := (bag.Sum{}); c.r.tagManifest != none && p.TagManifest != c.r.tagManifest {
		bad("it was signed over another tagmanifest-sha256.txt")
	}
	tree, ok := c.part.walker.Tree()
	if p.Head.Origin != evidence.Origin(c.r.Case) || p.Head.Size != c.r.Entries || ok && tree.Root() != evidence.Hash(p.Head.Root) {
		bad("it was signed over another ledger: %d entries of %q", p.Head.Size, p.Head.Origin)
	}
}

// producedKeys checks the keys that the user gave: each must have signed the sealed head or package.note, and one of them the sealed head.
func (c *checker) producedKeys() {
	producer, _ := trust.ParseVKey(c.part.Producer)
	for _, key := range c.opts.Keys {
		met := c.part.producerPinned && key == producer
		for _, s := range c.signed {
			if _, _, err := trust.Verify(s.note, []trust.VKey{key}); err == nil {
				met, c.part.signed = true, true
			}
		}
		if !met {
			c.r.find("key-unmet", "", "%s signed neither the sealed head nor the production", key.Name())
		}
	}
	if len(c.opts.Keys) > 0 && !c.part.signed && c.r.codes["key-unmet"] == 0 {
		c.r.find("key-unmet", evidence.NotePath(c.r.Entries), "the key that you pinned signed the production; none that you pinned signed the sealed head")
	}
}

// producedStatements says which statements hold of a production.
func (c *checker) producedStatements() {
	c.statements()
	p, damaged := c.part.Production, c.r.has(Damage)
	for i := range c.r.Statements {
		s := &c.r.Statements[i]
		switch {
		case s.ID == "a" && !damaged:
			s.Why = fmt.Sprintf("%d entries disclosed, %d withheld, nothing else; all hashes together make the root that was sealed, and each record that is disclosed is the one that its entry names",
				p.Disclosed, p.HeadOnly+p.LeafOnly)
		case s.ID == "b" && s.Holds == Yes && p.producerPinned:
			s.Why = "a pinned key signed the sealed head, and a pinned key the production"
		case s.ID == "b" && s.Holds == Yes:
			s.Why = "each pinned key signed the sealed head; who made the production of it was not checked"
		case s.ID == "e" && !damaged && p.withheldWindows > 0 && s.Holds == Yes:
			s.Holds, s.Why = NotChecked, fmt.Sprintf("the outcome of %d windows is withheld", p.withheldWindows)
		case s.ID == "e" && s.Holds == Yes:
			s.Why += "; this is what was acquired, not what is disclosed"
		}
	}
	c.r.Caveats = append(caveats(), "that what is withheld is what the producer says, or that the reasons are good ones: of it nothing but head lines and hashes can be checked")
}

// hidden is what is known of the entries that a production does not disclose.
type hidden struct {
	leaves bitset // seqs of which there is a hash alone
	heads  bitset // seqs of which there is the head line
	count  int64  // of leaves so far
}

// hides reports whether entry seq may be of any kind, because a production has a hash of it alone.
func (r *rules) hides(seq int64) bool { return r.part != nil && r.part.leaves.has(seq) }

// withholds reports whether entry seq is not disclosed.
func (r *rules) withholds(seq int64) bool {
	return r.part != nil && (r.part.leaves.has(seq) || r.part.heads.has(seq))
}

// leafOnly takes an entry of which there is a hash alone.
func (r *rules) leafOnly(seq int64) {
	if seq == 0 {
		r.add("production-level", seq, "entry 0 is the case entry, and is withheld")
	}
	r.part.leaves.set(seq)
	r.part.count++
}

// headOnly takes an entry of which there is the head line.
func (r *rules) headOnly(h *evidence.Head) {
	r.part.heads.set(h.Seq)
	if r.counts == nil {
		r.counts, r.retried, r.chains = map[string]int64{}, map[int64]bool{}, map[chainKey]attempt{}
	}
	if h.Seq == 0 && h.Kind != evidence.KindCase {
		r.add("entry-rule", h.Seq, "the case entry is entry 0 and no other")
	}
	opens := h.Kind == evidence.KindWindow && h.Window == int64(len(r.windows))+1
	switch {
	case opens:
		r.windows = append(r.windows, &window{Window: Window{Window: h.Window, Source: h.Source, Parameters: []Pair{}, Outcome: OutcomeWithheld}})
	case h.Window > int64(len(r.windows)) || h.Kind == evidence.KindWindow && h.Window == 0:
		r.add("entry-rule", h.Seq, fmt.Sprintf("window %d was not opened", h.Window))
	case h.Kind == evidence.KindWindow:
		r.windows[h.Window-1].Outcome, r.windows[h.Window-1].Reason, r.windows[h.Window-1].Text = OutcomeWithheld, "", ""
	}
	switch h.Kind {
	case evidence.KindExchange:
		r.r.Exchanges++
		r.exchanges.set(h.Seq)
		if h.Window >= 1 && h.Window <= int64(len(r.windows)) {
			w := r.windows[h.Window-1]
			w.exchanges++
			if h.Status == 200 { // it may have brought a page
				w.kept++
			}
		}
	case evidence.KindConnection:
		r.connections.set(h.Seq)
	}
	if len(r.counts) < maxKinds || r.counts[h.Kind] > 0 {
		r.counts[h.Kind]++
	}
}

// OutcomeWithheld is the outcome of a window whose last entry a production does not disclose.
const OutcomeWithheld = "withheld"

// mayBe reports whether a number that an entry states can be that of what was seen: with entries of which there is a hash alone, there may be more.
func (r *rules) mayBe(stated, seen int64) bool {
	if r.part == nil {
		return stated == seen
	}
	return stated >= seen && stated-seen <= r.part.count
}

// atMost reports whether a number that an entry states is not above that of what was seen.
func (r *rules) atMost(stated, seen int64) bool {
	return stated <= seen || r.part != nil && stated-seen <= r.part.count
}

// sealPart holds the seal entry of a production against what is there: entries of kinds that may not be withheld altogether are all to be seen.
func (r *rules) sealPart(e *evidence.Entry, b *evidence.Seal) {
	total, previous, seen := int64(0), "", int64(0)
	for _, k := range b.Counts {
		total += k.Count
		n := r.counts[k.Kind]
		seen += n
		if n > k.Count || n < k.Count && evidence.LeastLevel(k.Kind) > evidence.LevelLeaf {
			r.add("seal-rule", e.Head.Seq, fmt.Sprintf("the seal counts %d entries of kind %s, there are %d", k.Count, k.Kind, n))
		}
		if k.Kind <= previous {
			r.add("seal-rule", e.Head.Seq, "the seal's counts are not in order")
		}
		previous = k.Kind
	}
	if total != e.Head.Seq {
		r.add("seal-rule", e.Head.Seq, fmt.Sprintf("the seal counts %d entries, there are %d", total, e.Head.Seq))
	} else if total-seen != r.part.count {
		r.add("seal-rule", e.Head.Seq, "there are entries of kinds that the seal does not count")
	}
	if b.Segment < 1 {
		r.add("seal-rule", e.Head.Seq, "the seal names no segment")
	}
}

// add reports a finding at the line that is being read.
func (r *rules) add(code string, seq int64, detail string) {
	r.r.add(Finding{Code: code, Path: segmentPath(r.batch.Segment), Offset: r.batch.Offset, Seq: seq, Detail: detail})
}

// segmentPath is the file of segment n, or production.jsonl where that is what is read.
func segmentPath(n int64) string {
	if n == 0 {
		return evidence.ProductionPath
	}
	return evidence.SegmentPath(n)
}

// productionName reports whether a production may have a file of this name in data/.
func productionName(name string) bool {
	switch name {
	case evidence.ProductionPath:
		return true
	case evidence.LedgerPath:
		return false
	}
	return payloadName(name)
}

// disclosed is what a container holds the production against while it is read again.
type disclosed struct{ root evidence.Hash }

// walk reads the production again and calls visit for each line, until visit returns [errEnough] or another error.
func (c *Container) walk(ctx context.Context, visit func(*evidence.Disclosure) error) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	w := evidence.NewProductionWalker(dec, c.files)
	w.Locate = true
	err = w.Walk(ctx, visit)
	var fault *evidence.Fault
	if errors.As(err, &fault) {
		return fmt.Errorf("%s: %w", segmentPath(fault.Segment), ErrChanged)
	}
	if err != nil {
		return err
	}
	if tree, ok := w.Tree(); !ok || tree.Root() != c.production.root {
		return fmt.Errorf("%s: %w", evidence.ProductionPath, ErrChanged)
	}
	return nil
}

// disclosedEntries yields the entries that a production discloses.
func (c *Container) disclosedEntries(ctx context.Context) iter.Seq2[*evidence.Entry, error] {
	return func(yield func(*evidence.Entry, error) bool) {
		err := c.walk(ctx, func(d *evidence.Disclosure) error {
			if d.Entry != nil && !yield(d.Entry, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// Disclosure returns what a production has of entry seq, once all of it was read again. Of a case it is nil.
func (c *Container) Disclosure(ctx context.Context, seq int64) (found *evidence.Disclosure, err error) {
	if c.production == nil {
		return nil, nil
	}
	err = c.walk(ctx, func(d *evidence.Disclosure) error {
		if d.Seq == seq {
			found = d
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("entry %d of %d: %w", seq, c.entries, ErrNoEntry)
	}
	return found, err
}

// disclosedEntry returns an entry that a production discloses, and [ErrWithheld] for another.
func (c *Container) disclosedEntry(ctx context.Context, seq int64) (*evidence.Entry, error) {
	d, err := c.Disclosure(ctx, seq)
	if err != nil {
		return nil, err
	}
	if d.Entry == nil {
		return nil, fmt.Errorf("entry %d: %w", seq, ErrWithheld)
	}
	return d.Entry, nil
}

// leaf is a leaf with its place in the tree.
type leaf struct {
	seq  int64
	hash evidence.Hash
}

// leaves yields all leaves in order.
func (c *Container) leaves(ctx context.Context) iter.Seq2[leaf, error] {
	return func(yield func(leaf, error) bool) {
		var err error
		if c.production != nil {
			err = c.walk(ctx, func(d *evidence.Disclosure) error {
				if !yield(leaf{d.Seq, d.Leaf}, nil) {
					return errEnough
				}
				return nil
			})
		} else {
			for e, eerr := range c.Entries(ctx) {
				if err = eerr; err != nil || !yield(leaf{e.Head.Seq, evidence.LeafHash(e.HeadLine)}, nil) {
					break
				}
			}
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(leaf{}, err)
		}
	}
}
