package verify

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sort"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// ErrLost says that something is not among what a damaged case still proves.
var ErrLost = errors.New("lost or not provable")

// Salvaged is what a damaged case still proves (docs/container.md, section 10).
type Salvaged struct {
	Case      string `json:"case"`      // id, "" if nothing tells it
	Entries   int64  `json:"entries"`   // that there are known to have been
	Proven    int64  `json:"proven"`    // entries that stand under a signed head
	Exchanges int64  `json:"exchanges"` // of them
	KeysFrom  string `json:"keys_from"` // where the keys that may sign come from: one of the constants below
	Heads     []Head `json:"heads"`     // that prove something, in order

	s *salvage
}

// Where the keys come from that may sign the heads of a damaged case.
const (
	KeysOfCase   = "case entry" // as in a whole case
	KeysUnproven = "case entry, not proven"
	KeysPinned   = "pinned"        // the case entry is lost, and the user gave the keys
	KeysOfLedger = "package.note"  // the case entry is lost, and the package note covers the ledger's copy of it
	KeysUnknown  = "none is known" // nothing is proven
)

// Bounds of what is kept in memory of a hostile case. What lies beyond them is not proven.
const (
	maxHeads      = 1 << 16
	maxNoteBytes  = 16 << 20 // of heads that stand in entries alone
	maxFrontiers  = 1 << 12
	maxJoins      = 1 << 26 // cells that are taken up to open subtrees
	maxRuns       = 1 << 18
	maxRemembered = 1 << 18 // windows, keys, and answers that were replaced
)

// Salvage finds what a case that [Check] found altered or damaged still proves. It reads the case three times. An error means that it could not be
// done: ctx's, or no memory for the decoder.
func Salvage(ctx context.Context, files fs.FS, o Options) (*Salvaged, error) {
	return salvageWith(ctx, files, o, 0)
}

func salvageWith(ctx context.Context, files fs.FS, o Options, leaveOut leaveOut) (*Salvaged, error) {
	s := &salvage{files: files, pinned: o.Keys, leaveOut: leaveOut, heads: map[int64][]headNote{}, windows: map[int64][]windowEntry{}}
	l, err := newLenient(files)
	if err != nil {
		return nil, err
	}
	defer l.close()
	rows := openRows(files)
	defer rows.close()
	if err := s.gather(ctx, l); err != nil {
		return nil, err
	}
	s.makeCells()
	if err := s.fill(ctx, l, rows); err != nil {
		return nil, err
	}
	s.decide()
	if err := s.plan(ctx, l, rows); err != nil {
		return nil, err
	}
	return s.result(), nil
}

// leaveOut are the rules that a test can leave out to see that its harness notices.
type leaveOut uint8

const (
	leaveOutRoot  leaveOut = 1 << iota // the ledger's rows are believed without a root
	leaveOutProof                      // what can be read is given, proven or not
)

// salvage is the state of one salvage.
type salvage struct {
	files    fs.FS
	pinned   []trust.VKey
	leaveOut leaveOut

	caseID    string
	caseKeys  []string // of the case entry that could be read
	heads     map[int64][]headNote
	noteBytes int
	frontiers []*frontierAt
	opens     bool // whether the next frontier is worth keeping: something before it is missing or does not follow

	cells []cell
	runs  []run
	keys  []keyEntry
	// Of all entries that could be read, proven or not.
	windows    map[int64][]windowEntry
	replaced   []replacement
	remembered int
	seal       *sealSeen
	known      int64 // entries that there are known to have been
	joins      int64
	opened     map[nodeAt]bool // subtrees whose leaves were looked for

	allowed  []trust.VKey // by the case entry or what stands for it
	keysFrom string
	signers  map[int64][]string // of the heads that are well signed, by size
	pages    pagePlan
}

// headNote is where a head may be read.
type headNote struct {
	path string // of a note or package.note
	note []byte // or the text of a checkpoint entry
}

// frontierAt is a frontier that the first batch of a segment states, or a part of it.
type frontierAt struct {
	subtrees
	proven int64 // size of the head that proves it; 0 for none
	signed bool  // it is itself the root of that head
}

type keyEntry struct {
	seq int64
	key string
}

type windowEntry struct {
	seq    int64
	source string
	window evidence.Window
}

type replacement struct{ by, seq int64 }

// sealSeen is a seal entry and the batch before it.
type sealSeen struct {
	seq       int64
	names     evidence.Hash // what the entry says of the batch before
	preceding evidence.Hash
	stretch   int
	end       int64 // entries up to the end of that batch
}

// cell is a range of entries at whose ends heads or frontiers may be held against the tree.
type cell struct {
	from, to  int64
	byBatches *subtrees // lost leaves from the ledger; nil if one is not to be had
	byLedger  *subtrees
	proven    int64 // size of the head that proves it; 0 for none
}

// run is a range of entries of one cell that are alike.
type run struct {
	from, to int64
	lost     bool          // they are not in a batch that can be read, but the ledger has their head lines
	asLedger bool          // the ledger has the same head lines
	stretch  int           // batches that follow each other
	sum      evidence.Hash // over the leaves
	asked    int64         // exchanges among them
	proven   int64         // size of the head that proves them; 0 for none
}

// gather reads what cuts the entries into cells: heads and frontiers. It finds the case entry, too.
func (s *salvage) gather(ctx context.Context, l *lenient) error {
	names, _ := fs.ReadDir(s.files, evidence.CheckpointsPath)
	for _, name := range names {
		if size := evidence.NoteSize(name.Name()); size > 0 {
			s.addHead(size, headNote{path: evidence.NotePath(size)})
		}
	}
	if note := smallFile(s.files, evidence.PackageNotePath, maxNote); note != nil {
		if size, ok := sizeOfPackage(note); ok {
			s.addHead(size, headNote{path: evidence.PackageNotePath})
		}
	}
	return l.batches(ctx, func(b *readBatch) error {
		s.known = max(s.known, b.First+b.Count)
		if s.caseID == "" {
			s.caseID = b.Case
		}
		s.opens = s.opens || !b.follows && b.First > 0
		if b.SegmentHead != nil && s.opens && s.addFrontier(b.First, b.Frontier) {
			s.opens = false
		}
		for _, e := range b.Entries {
			switch body := e.Body.(type) {
			case *evidence.Case:
				if e.Head.Seq == 0 {
					s.caseID, s.caseKeys = body.Case, body.Keys
				}
			case *evidence.Checkpoint:
				s.checkpoint(body)
			}
		}
		return nil
	})
}

// addFrontier keeps a frontier, and as others what it says of smaller trees: its first hashes are the frontier of the entries below them.
func (s *salvage) addFrontier(first int64, frontier []evidence.Hash) (ok bool) {
	f, ok := frontierOf(first, frontier)
	for n := len(f.nodes); ok && n > 0; n-- {
		if len(s.frontiers) == maxFrontiers {
			return true
		}
		s.frontiers = append(s.frontiers, &frontierAt{subtrees: subtrees{to: f.to, nodes: f.nodes[:n:n]}})
		f.to -= 1 << f.nodes[n-1].level
	}
	return ok
}

func (s *salvage) addHead(size int64, h headNote) {
	if s.heads[size] == nil && len(s.heads) == maxHeads || len(s.heads[size]) == 4 || len(h.note) > maxNoteBytes-s.noteBytes {
		return
	}
	s.noteBytes += len(h.note)
	s.heads[size] = append(s.heads[size], h)
}

// checkpoint keeps the head that an entry holds where its note is gone or another. A signature needs no place.
func (s *salvage) checkpoint(c *evidence.Checkpoint) {
	note := []byte(c.Note)
	if !bytes.Equal(smallFile(s.files, evidence.NotePath(c.Size), maxNote), note) {
		s.addHead(c.Size, headNote{note: note})
	}
}

// sizeOfPackage reads the size out of a package.note that nothing was checked of yet.
func sizeOfPackage(note []byte) (int64, bool) {
	_, _, err := trust.Verify(note, nil)
	var unverified *trust.UnverifiedError
	if !errors.As(err, &unverified) {
		return 0, false
	}
	p, err := trust.ParsePackageStatement(unverified.Text)
	return p.Head.Size, err == nil && p.Head.Size > 0
}

// makeCells cuts the entries wherever a head ends or a subtree of a frontier does.
func (s *salvage) makeCells() {
	cuts := []int64{0}
	for size := range s.heads {
		cuts = append(cuts, size)
	}
	for _, f := range s.frontiers {
		cuts = append(cuts, f.to)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := range cuts[1:] {
		s.cells = append(s.cells, cell{from: cuts[i], to: cuts[i+1]})
	}
}

// cellAt is the index of the cell that begins at from or later.
func (s *salvage) cellAt(from int64) int {
	return sort.Search(len(s.cells), func(i int) bool { return s.cells[i].from >= from })
}

// fill reads all leaves and makes the cells' subtrees and the runs of them.
func (s *salvage) fill(ctx context.Context, l *lenient, rows *ledgerRows) error {
	if len(s.cells) == 0 {
		return nil
	}
	at := 0
	s.openCell(0)
	err := steps(ctx, l, rows, s.end(), func(st *step) error {
		s.remember(st)
		if st.seq >= s.end() {
			return nil // no head covers it
		}
		for st.seq >= s.cells[at].to {
			s.closeCell(at)
			at++
			s.openCell(at)
		}
		c := &s.cells[at]
		addLeaf(c.byBatches, st.seq, st.leaf)
		if st.line != nil {
			addLeaf(c.byLedger, st.seq, st.ledger)
		}
		s.addRun(st, c)
		return nil
	})
	for ; at < len(s.cells); at++ {
		s.closeCell(at)
		if at+1 < len(s.cells) {
			s.openCell(at + 1)
		}
	}
	return err
}

// end is how many entries heads may cover.
func (s *salvage) end() int64 {
	if len(s.cells) == 0 {
		return 0
	}
	return s.cells[len(s.cells)-1].to
}

func (s *salvage) openCell(i int) {
	c := &s.cells[i]
	c.byBatches, c.byLedger = &subtrees{from: c.from, to: c.from}, &subtrees{from: c.from, to: c.from}
}

// closeCell forgets what has holes.
func (s *salvage) closeCell(i int) {
	c := &s.cells[i]
	if c.byBatches.to != c.to {
		c.byBatches = nil
	}
	if c.byLedger.to != c.to {
		c.byLedger = nil
	}
}

// addLeaf adds the leaf of entry seq unless one before it is missing.
func addLeaf(t *subtrees, seq int64, leaf evidence.Hash) {
	if t.to == seq {
		t.add(leaf)
	}
}

// addRun takes an entry into the last run, or begins another one.
func (s *salvage) addRun(st *step, c *cell) {
	lost, last := st.entry == nil, len(s.runs)-1
	sealed := !lost && st.entry.Head.Kind == evidence.KindSeal
	if last < 0 || s.runs[last].to != st.seq || s.runs[last].from < c.from || sealed ||
		s.runs[last].lost != lost || s.runs[last].asLedger != st.asLedger || s.runs[last].stretch != st.stretch {
		if len(s.runs) == maxRuns {
			return
		}
		s.runs = append(s.runs, run{from: st.seq, lost: lost, asLedger: st.asLedger, stretch: st.stretch})
		last++
	}
	r := &s.runs[last]
	r.to, r.sum = st.seq+1, above(r.sum, st.leaf)
	if !lost && st.entry.Head.Kind == evidence.KindExchange {
		r.asked++
	}
}

// remember keeps what the entry says of others.
func (s *salvage) remember(st *step) {
	e := st.entry
	if e == nil {
		return
	}
	if seal, ok := e.Body.(*evidence.Seal); ok && st.batch.before != nil {
		b := st.batch.before
		s.seal = &sealSeen{seq: st.seq, names: seal.Preceding, preceding: b.Hash, stretch: st.stretch, end: b.First + b.Count}
		if !st.batch.follows {
			s.seal.stretch-- // that of the batch before
		}
	}
	if s.remembered == maxRemembered {
		return
	}
	switch body := e.Body.(type) {
	case *evidence.Window:
		s.windows[e.Head.Window] = append(s.windows[e.Head.Window], windowEntry{st.seq, e.Head.Source, *body})
	case *evidence.Key:
		if len(s.keys) == maxKeys {
			return
		}
		s.keys = append(s.keys, keyEntry{st.seq, body.Key})
	case *evidence.Exchange:
		if body.RetryOf == evidence.None {
			return
		}
		s.replaced = append(s.replaced, replacement{st.seq, body.RetryOf})
	default:
		return
	}
	s.remembered++
}

// runAt is the run that holds entry seq, nil if none does.
func (s *salvage) runAt(seq int64) *run {
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].to > seq })
	if i == len(s.runs) || s.runs[i].from > seq {
		return nil
	}
	return &s.runs[i]
}

// gives reports whether entry seq can be read and is proven.
func (s *salvage) gives(seq int64) bool {
	r := s.runAt(seq)
	return r != nil && !r.lost && r.proven != 0
}
