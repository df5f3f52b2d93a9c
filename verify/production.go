package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Production is what a production discloses of a case (docs/container.md, section 13).
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

// checkProduction checks a production: as far as it can be, as the case that it was made of (docs/container.md, section 13).
func (c *checker) checkProduction(ctx context.Context) (*Container, error) {
	c.part = &productionCheck{walker: evidence.NewProductionWalker(c.dec, c.files), Production: &Production{Reasons: []Withheld{}}}
	c.r.Production = c.part.Production
	c.rules.part = &hidden{}
	c.r.Sealed = evidence.IsSealed(c.files)
	c.noteNames()
	c.historyNames()
	c.segmentNames()
	ctx, cancel := context.WithCancel(ctx)
	wait := c.rehash(ctx)
	defer wait()
	defer cancel()
	if err := c.disclosures(ctx); err != nil {
		return nil, err
	}
	if err := c.bag(wait()); err != nil {
		return nil, err
	}
	if c.provable() {
		c.heads()
	}
	c.tokens()
	c.producedSeal()
	c.productionNote()
	c.cosignatures()
	c.custody()
	if err := c.packedSums(ctx); err != nil {
		return nil, err
	}
	c.completeness()
	c.producedKeys()
	c.authorities()
	c.holdHistory()
	c.installations()
	if n := c.part.HeadOnly + c.part.LeafOnly; n > 0 {
		c.r.find("withheld", evidence.ProductionPath, "%d of %d entries: of %d the head line is there, of %d a hash alone", n, c.r.Entries, c.part.HeadOnly, c.part.LeafOnly)
	}
	c.producedStatements()
	if c.r.has(Damage) {
		return nil, nil
	}
	return c.intact(ctx)
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
	if _, ok := slices.BinarySearch(c.history.sizes, c.tree.Size()); ok {
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

// productionNote checks package.note, which the producer signs (docs/container.md, 13.5).
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
	c.statement = &trust.PackageStatement{Head: p.Head, TagManifest: p.TagManifest}
	if none := (bag.Sum{}); c.r.tagManifest != none && p.TagManifest != c.r.tagManifest {
		bad("it was signed over another tagmanifest-sha256.txt")
	}
	tree, ok := c.part.walker.Tree()
	if p.Head.Origin != evidence.Origin(c.r.Case) || p.Head.Size != c.r.Entries || ok && tree.Root() != evidence.Hash(p.Head.Root) {
		bad("it was signed over another ledger: %d entries of %q", p.Head.Size, p.Head.Origin)
	}
}

// producedKeys checks the keys that the user gave: each must have signed or cosigned the sealed head, or signed package.note, and one of them the sealed head.
func (c *checker) producedKeys() {
	producer, _ := trust.ParseVKey(c.part.Producer)
	for _, key := range c.opts.Keys {
		signed, bad := false, false
		for _, s := range c.signed {
			_, _, err := trust.Verify(s.note, []trust.VKey{key})
			var unverified *trust.UnverifiedError
			signed, bad = signed || err == nil, bad || err != nil && !errors.As(err, &unverified)
		}
		switch {
		case signed:
			c.part.signed, c.sealers = true, append(c.sealers, key.Name())
		case !bad && c.r.Entries > 0 && c.r.cosignedUpTo(key) == c.r.Entries:
			c.cosigners = append(c.cosigners, key.Name())
		case !c.part.producerPinned || key != producer:
			c.r.find("key-unmet", "", "%s signed neither the sealed head nor the production", key.Name())
		}
	}
	if len(c.opts.Keys) > 0 && !c.part.signed && len(c.cosigners) == 0 && c.r.codes["key-unmet"] == 0 {
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
		case s.ID == "a" && s.Holds == Yes:
			s.Why = fmt.Sprintf("%d entries disclosed, %d withheld, nothing else; all hashes together make the root that was sealed, and each record that is disclosed is the one that its entry names",
				p.Disclosed, p.HeadOnly+p.LeafOnly)
		case s.ID == "b" && s.Holds == Yes && p.producerPinned:
			s.Why = "a pinned key signed the sealed head, and a pinned key the production" + c.alsoCosigned()
		case s.ID == "b" && s.Holds == Yes:
			s.Why = strings.Join(c.sealers, ", ") + " signed the sealed head" + c.alsoCosigned() + "; who made the production of it was not checked"
		case s.ID == "e" && !damaged && p.withheldWindows > 0 && s.Holds == Yes:
			s.Holds, s.Why = NotChecked, fmt.Sprintf("the outcome of %d windows is withheld", p.withheldWindows)
		case s.ID == "e" && s.Holds == Yes:
			s.Why += "; this is what was acquired, not what is disclosed"
		}
	}
	c.r.Caveats = append(caveats(), "that what is withheld is what the producer says, or that the reasons are good ones: of it nothing but head lines and hashes can be checked")
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
