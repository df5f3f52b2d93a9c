package verify

import (
	"errors"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// decide chooses the keys that may sign and proves what they signed (docs/container.md, 10.5).
func (s *salvage) decide() {
	if s.caseKeys != nil {
		s.keysFrom = KeysOfCase
		s.prove(parseVKeys(s.caseKeys))
		if !s.altered(0) {
			if !s.gives(0) {
				s.keysFrom = KeysUnproven
			}
			return
		}
	}
	s.forget()
	if len(s.pinned) > 0 {
		s.keysFrom = KeysPinned
		s.prove(s.pinned)
		return
	}
	if keys := keysOfLedger(s.files); len(keys) > 0 {
		s.keysFrom = KeysOfLedger
		s.prove(keys)
		return
	}
	s.keysFrom = KeysUnknown
}

// altered reports whether a batch has entry seq otherwise than a head commits to it.
func (s *salvage) altered(seq int64) bool {
	r := s.runAt(seq)
	i := s.cellAt(seq+1) - 1
	return r != nil && !r.lost && r.proven == 0 && i >= 0 && s.cells[i].proven != 0
}

func (s *salvage) forget() {
	for i := range s.cells {
		s.cells[i].proven = 0
	}
	for i := range s.runs {
		s.runs[i].proven = 0
	}
	s.frontiers = slices.DeleteFunc(s.frontiers, func(f *frontierAt) bool { return f.signed })
	for _, f := range s.frontiers {
		f.proven = 0
	}
	s.signers = nil
}

// prove finds every entry that stands under a head signed by these keys, or by one that an entry allows which is proven already.
func (s *salvage) prove(keys []trust.VKey) {
	s.allowed, s.signers = keys, map[int64][]string{}
	for before := -1; before < s.provenRuns(); { // until no key entry and no frontier brings anything more
		before = s.provenRuns()
		s.underHeads()
		s.underFrontiers()
		s.underSeal()
	}
	switch {
	case s.leaveOut&leaveOutProof != 0:
		for i := range s.runs {
			s.runs[i].proven = max(s.runs[i].proven, 1)
		}
	case s.leaveOut&leaveOutRoot != 0:
		for i := range s.runs {
			if s.runs[i].asLedger {
				s.runs[i].proven = max(s.runs[i].proven, 1)
			}
		}
	}
}

func (s *salvage) provenRuns() (n int) {
	for i := range s.runs {
		if s.runs[i].proven != 0 {
			n++
		}
	}
	return n
}

// base is a tree over the first entries that nothing has proven yet: what it began with, and the cells that were added to it.
type base struct {
	subtrees
	cell   int         // the first that was added
	ledger bool        // cells are taken as the ledger has them
	via    *frontierAt // what it began with, nil if that is proven or nothing
}

// add adds a cell. ok is false if one of its leaves is not to be had.
func (b *base) add(c *cell) (ok bool) {
	next := c.byBatches
	if b.ledger {
		next = c.byLedger
	}
	if next != nil {
		b.join(next)
	}
	return next != nil
}

// maxBases bounds the trees that are followed at the same time: what is proven and frontiers behind it, twice each.
const maxBases = 200

// underHeads goes through the heads in order and makes the root of each out of what was proven before, or a frontier, and the
// leaves behind it: once as the batches say, lost ones as the ledger says, and once as the ledger says alone (docs/container.md, 10.2).
func (s *salvage) underHeads() {
	bases := bothWays(subtrees{}, 0, nil)
	frontiers := map[int64][]*frontierAt{}
	for _, f := range s.frontiers {
		frontiers[f.to] = append(frontiers[f.to], f)
	}
	for i := range s.cells {
		c := &s.cells[i]
		for _, f := range frontiers[c.from] {
			if len(bases) < maxBases {
				bases = append(bases, bothWays(f.subtrees, i, f)...)
			}
		}
		kept := bases[:0]
		for _, b := range bases {
			if b.add(c) {
				kept = append(kept, b)
			}
		}
		bases = kept
		if roots := s.rootsAt(c.to); len(roots) > 0 {
			s.known = max(s.known, c.to)
			bases = s.underHead(i, roots, bases)
		}
	}
}

func bothWays(t subtrees, cell int, via *frontierAt) []*base {
	return []*base{{t.clone(), cell, false, via}, {t.clone(), cell, true, via}}
}

// signedRoot is the root that a head with good signatures states.
type signedRoot struct {
	root    evidence.Hash
	signers []string
}

// underHead marks what the head behind cell i proves and returns what to go on with.
func (s *salvage) underHead(i int, roots []signedRoot, bases []*base) []*base {
	size := s.cells[i].to
	for _, r := range roots {
		var proven *base
		for _, b := range bases {
			if b.root() != r.root {
				continue
			}
			for j := b.cell; j <= i; j++ {
				s.markCell(j, b.ledger, size)
			}
			if b.via != nil && b.via.proven == 0 {
				b.via.proven = size
			}
			proven = b
		}
		if proven != nil {
			s.signers[size] = r.signers
			return bothWays(proven.subtrees, i+1, nil)
		}
	}
	s.signers[size] = roots[0].signers
	if size&(size-1) == 0 { // the root is itself the hash of a complete subtree
		whole, _ := frontierOf(size, []evidence.Hash{roots[0].root})
		if !slices.ContainsFunc(s.frontiers, func(f *frontierAt) bool { return f.signed && f.to == size }) {
			s.frontiers = append(s.frontiers, &frontierAt{subtrees: whole, proven: size, signed: true})
		}
		return bothWays(whole, i+1, nil)
	}
	return nil
}

func (s *salvage) markCell(i int, ledger bool, size int64) {
	c := &s.cells[i]
	if c.proven == 0 {
		c.proven = size
	}
	for r := s.firstRun(c.from); r < len(s.runs) && s.runs[r].from < c.to; r++ {
		if run := &s.runs[r]; run.proven == 0 && (!ledger || run.asLedger) {
			run.proven = size
		}
	}
}

// firstRun is the index of the first run that begins at from or later.
func (s *salvage) firstRun(from int64) int {
	i, _ := slices.BinarySearchFunc(s.runs, from, func(r run, from int64) int {
		switch {
		case r.from < from:
			return -1
		case r.from > from:
			return 1
		}
		return 0
	})
	return i
}

// underFrontiers takes the hashes of frontiers that are proven as roots of the entries below each (docs/container.md, 10.3).
func (s *salvage) underFrontiers() {
	done := map[*frontierAt]bool{}
	s.opened = map[nodeAt]bool{}
	for again := true; again; {
		again = false
		for _, f := range s.frontiers {
			if f.proven == 0 || done[f] {
				continue
			}
			done[f], again = true, true
			at := int64(0)
			for _, n := range f.nodes {
				s.underNode(at, n, f.proven)
				at += 1 << n.level
			}
		}
	}
}

// nodeAt is the place of a proven hash in the tree.
type nodeAt struct {
	from  int64
	level uint8
}

// underNode makes the hash of a subtree that begins at entry from out of its leaves, or out of a frontier within it and the leaves behind that. It does so
// once: many frontiers have the same hashes below them.
func (s *salvage) underNode(from int64, node subtree, by int64) {
	at := nodeAt{from, node.level}
	if s.opened[at] {
		return
	}
	s.opened[at] = true
	to := from + 1<<node.level
	starts := []*frontierAt{nil}
	for _, f := range s.frontiers {
		if f.to > from && f.to < to {
			starts = append(starts, f)
		}
	}
	for _, f := range starts {
		begin := subtrees{from: from, to: from}
		if f != nil {
			ok := false
			if begin, ok = f.within(from); !ok {
				continue
			}
		}
		first := s.cellAt(begin.to)
		for _, b := range bothWays(begin, first, f) {
			i := first
			for i < len(s.cells) && s.cells[i].to <= to && s.joins < maxJoins && b.add(&s.cells[i]) {
				i, s.joins = i+1, s.joins+1
			}
			if b.to != to || len(b.nodes) != 1 || b.nodes[0] != node {
				continue
			}
			for j := first; j < i; j++ {
				s.markCell(j, b.ledger, by)
			}
			at := from
			for _, n := range begin.nodes {
				s.underNode(at, n, by)
				at += 1 << n.level
			}
		}
	}
}

// underSeal proves the batches from the seal back to the first break: each names the one before it, and the proven seal entry names
// the last of them (docs/container.md, 10.4).
func (s *salvage) underSeal() {
	if s.seal == nil || s.seal.names != s.seal.preceding || !s.gives(s.seal.seq) {
		return
	}
	size := s.runAt(s.seal.seq).proven
	for i := range s.runs {
		if r := &s.runs[i]; !r.lost && r.stretch == s.seal.stretch && r.to <= s.seal.end && r.proven == 0 {
			r.proven = size
		}
	}
}

// rootsAt are the roots that heads over size entries state, by keys that may sign and by each that the user pinned.
func (s *salvage) rootsAt(size int64) []signedRoot {
	keys := slices.Clone(s.allowed)
	for _, k := range s.keys {
		if key, err := trust.ParseVKey(k.key); err == nil && k.seq < size && s.gives(k.seq) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	var roots []signedRoot
	for _, h := range s.heads[size] {
		note := h.note
		if note == nil {
			note = smallFile(s.files, h.path, maxNote)
		}
		if r, ok := s.signedRoot(size, note, h.path == evidence.PackageNotePath, keys); ok {
			roots = append(roots, r)
		}
	}
	return roots
}

func (s *salvage) signedRoot(size int64, note []byte, statement bool, keys []trust.VKey) (r signedRoot, ok bool) {
	text, sigs, err := trust.Verify(note, keys)
	if err != nil {
		return r, false
	}
	var head trust.Head
	if statement {
		var p trust.PackageStatement
		p, err = trust.ParsePackageStatement(text)
		head = p.Head
	} else {
		head, err = trust.ParseHead(text)
	}
	if err != nil || head.Size != size || head.Origin != evidence.Origin(s.caseID) {
		return r, false
	}
	for _, k := range s.pinned {
		if !s.pinnedSigned(k, note, head) {
			return r, false
		}
	}
	for _, k := range keys {
		if slices.ContainsFunc(sigs, func(s trust.Signature) bool { return s.Known && s.Name == k.Name() && s.ID == k.ID() }) {
			r.signers = append(r.signers, k.String())
		}
	}
	r.root = evidence.Hash(head.Root)
	return r, true
}

// pinnedSigned reports whether a pinned key signed a note that states head, or has cosigned that head (docs/container.md, 5.10). A bad signature in its name counts against it.
func (s *salvage) pinnedSigned(k trust.VKey, note []byte, head trust.Head) bool {
	_, _, err := trust.Verify(note, []trust.VKey{k})
	var unverified *trust.UnverifiedError
	if err == nil || !errors.As(err, &unverified) {
		return err == nil
	}
	want, err := head.Text()
	if err != nil {
		return false
	}
	text, _, err := trust.Verify(smallFile(s.files, evidence.CosignaturePath(head.Size, k), maxNote), []trust.VKey{k})
	return err == nil && text == want
}
