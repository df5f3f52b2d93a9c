package withhold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// ReasonUnsearchable is the reason that a production gives for what is withheld because it cannot be searched.
const ReasonUnsearchable = "withheld as a precaution: it cannot be searched for what is withheld"

// Options change what [Choose] takes.
type Options struct {
	// DiscloseUnsearchable leaves what is truncated, torn or cannot be decoded in the production, unless a selector takes it.
	DiscloseUnsearchable bool
}

// Held is one entry that is withheld.
type Held struct {
	Head    evidence.Head
	Level   int64
	Reason  string
	Because string // in words, for the producing party alone: which line of the list, or what it goes with
	Records int64  // that extraction makes of its answer: they all go with it
	Matched int64  // of them, those of which a condition holds

	precaution bool // no selector takes it
}

// Plan is what is withheld of a case.
type Plan struct {
	Held      map[int64]*Held
	Idle      []Selector // that name nothing
	Needles   []string   // texts that must not occur in the production
	withheld  [][]byte   // what identifies the withheld entries
	matcher   *matcher
	selectors []Selector
	from      []int // of a needle: its selector
	disclose  bool
}

// FixedError says that a selector takes an entry that no production can withhold: it names the case, its keys, heads and timestamps, or the seal.
type FixedError struct {
	Line int
	Seq  int64
	Kind string
}

func (e *FixedError) Error() string {
	return fmt.Sprintf("line %d takes entry %d, of kind %s, which no production can withhold", e.Line, e.Seq, e.Kind)
}

// ErrNothing says that no selector names anything in the case.
var ErrNothing = errors.New("nothing is withheld: no line names anything in this case")

// Choose decides what of an intact, sealed case is withheld. It reads the case two or three times.
func Choose(ctx context.Context, c *verify.Container, selectors []Selector, o Options) (*Plan, error) {
	p := &Plan{Held: map[int64]*Held{}, selectors: selectors, disclose: o.DiscloseUnsearchable}
	ch := &chooser{Plan: p, c: c, hits: make([]bool, len(selectors)), records: map[int64]int64{}, matched: map[int64]int64{}, queried: map[int64]int{}, unread: map[int64]bool{}}
	if err := ch.queries(ctx); err != nil {
		return nil, err
	}
	ch.needles()
	if err := ch.entriesOf(ctx); err != nil {
		return nil, err
	}
	ch.attempts()
	for i, s := range selectors {
		if !ch.hits[i] {
			p.Idle = append(p.Idle, s)
		}
	}
	if len(p.Idle) == len(selectors) {
		return nil, ErrNothing
	}
	for seq, h := range p.Held {
		h.Records, h.Matched = ch.records[seq], ch.matched[seq]
	}
	return p, ch.identify(ctx)
}

// Level says at which level an entry is disclosed, and why not wholly.
func (p *Plan) Level(e *evidence.Entry) (int64, string) {
	if h := p.Held[e.Head.Seq]; h != nil {
		return h.Level, h.Reason
	}
	return evidence.LevelWhole, ""
}

// Sorted lists what is withheld in order.
func (p *Plan) Sorted() []*Held {
	all := make([]*Held, 0, len(p.Held))
	for _, h := range p.Held {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *Held) int { return int(a.Head.Seq - b.Head.Seq) })
	return all
}

// chooser is a plan while it is made.
type chooser struct {
	*Plan
	c       *verify.Container
	hits    []bool          // selectors that name something
	records map[int64]int64 // by exchange
	matched map[int64]int64
	queried map[int64]int  // exchange → selector whose condition holds
	unread  map[int64]bool // exchanges whose answers could not all become records
	groups  map[int64]int64
	chains  map[[3]int64]int64
	asked   bool    // whether there are conditions
	order   []int64 // exchanges in order
	ids     []string
	idFrom  []int
}

// queries evaluates the conditions over all records.
func (ch *chooser) queries(ctx context.Context) error {
	for _, s := range ch.selectors {
		ch.asked = ch.asked || s.filter != nil
	}
	seen := map[string]bool{}
	sum, err := extract.Extract(ctx, ch.c, extract.Options{}, func(r *extract.Record) error {
		seq := r.Provenance.Seq
		ch.records[seq]++
		if !ch.asked {
			return nil
		}
		held, values := false, fieldsOf(r)
		for i := range ch.selectors {
			s := &ch.selectors[i]
			if s.filter == nil {
				continue
			}
			holds, err := s.filter.Eval(values)
			if err != nil {
				return &SyntaxError{s.Line, err}
			}
			if !holds {
				continue
			}
			ch.hits[i], held = true, true
			if _, ok := ch.queried[seq]; !ok {
				ch.queried[seq] = i
			}
			if id := strings.Clone(r.ID); len(id) >= minText && len(id) <= maxText && !seen[id] { // the same record may be on other pages
				seen[id] = true
				ch.ids, ch.idFrom = append(ch.ids, id), append(ch.idFrom, i)
			}
		}
		if held {
			ch.matched[seq]++
		}
		return nil
	})
	if err != nil || !ch.asked {
		return err
	}
	if int64(len(sum.Problems)) < sum.ProblemCount {
		return fmt.Errorf("%d places in the answers could not become records, too many to tell what a condition holds of", sum.ProblemCount)
	}
	for _, p := range sum.Problems {
		ch.unread[p.Seq] = true
	}
	return nil
}

// needles makes the matcher of all texts.
func (ch *chooser) needles() {
	add := func(text string, selector int) {
		ch.Needles, ch.from = append(ch.Needles, text), append(ch.from, selector)
	}
	for i := range ch.selectors {
		if ch.selectors[i].Text != "" {
			add(ch.selectors[i].Text, i)
		}
	}
	for i, id := range ch.ids {
		add(id, ch.idFrom[i])
	}
	var patterns []pattern
	for i, text := range ch.Needles {
		patterns = append(patterns, formsOf(text, i)...)
	}
	ch.matcher = newMatcher(patterns)
}

// entriesOf takes the entries that selectors name or that cannot be searched, and notes which exchanges are attempts at the same page.
func (ch *chooser) entriesOf(ctx context.Context) error {
	ch.groups, ch.chains = map[int64]int64{}, map[[3]int64]int64{}
	for e, err := range ch.c.Entries(ctx) {
		if err == nil {
			err = ch.entry(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (ch *chooser) entry(ctx context.Context, e *evidence.Entry) error {
	ch.attempt(e)
	for i := range ch.selectors {
		if s := &ch.selectors[i]; s.names(e) {
			if err := ch.take(e, i, s.Level); err != nil {
				return err
			}
		}
	}
	if i, ok := ch.queried[e.Head.Seq]; ok {
		if err := ch.take(e, i, ch.selectors[i].Level); err != nil {
			return err
		}
	}
	if len(ch.Needles) == 0 && !ch.asked {
		return nil
	}
	if hits := newScan(ch.matcher).all(e.HeadLine); len(hits) > 0 { // then the head line would say it
		for _, h := range hits {
			if err := ch.take(e, ch.from[h.of], evidence.LevelLeaf); err != nil {
				return err
			}
		}
	}
	hits, unsearchable, err := scanEntry(ctx, ch.c, e, ch.matcher)
	if err != nil {
		return err
	}
	for _, h := range hits {
		if err := ch.take(e, ch.from[h.of], ch.selectors[ch.from[h.of]].Level); err != nil {
			return err
		}
	}
	unsearchable = cmp.Or(unsearchable, ch.unjudged(e))
	if unsearchable != "" && !ch.disclose && ch.Held[e.Head.Seq] == nil && leastLevel(e) < evidence.LevelWhole {
		ch.Held[e.Head.Seq] = &Held{Head: e.Head, Level: evidence.LevelHead, Reason: ReasonUnsearchable, Because: "it cannot be searched: " + unsearchable, precaution: true}
	}
	return nil
}

// unjudged says why it cannot be told whether a condition holds of the records of an exchange; "" if it can.
func (ch *chooser) unjudged(e *evidence.Entry) string {
	x, ok := e.Body.(*evidence.Exchange)
	switch {
	case !ok || !ch.asked:
		return ""
	case ch.unread[e.Head.Seq]:
		return "not all of its answer could become records"
	case evidence.Kept(e.Head, x) && !slices.Contains(extract.Sources(), e.Head.Source):
		return "this version makes no records of its source"
	}
	return ""
}

// leastLevel is the lowest level at which an entry is disclosed. One that states a token is disclosed as it is: the token is in data/checkpoints all the same
// (docs/container.md, 13.3).
func leastLevel(e *evidence.Entry) int64 {
	if op, ok := e.Body.(*evidence.Operator); ok && op.Action == evidence.ActionStamp {
		return evidence.LevelWhole
	}
	return evidence.LeastLevel(e.Head.Kind)
}

// take withholds an entry because of a selector.
func (ch *chooser) take(e *evidence.Entry, selector int, level int64) error {
	s := &ch.selectors[selector]
	least := leastLevel(e)
	if least == evidence.LevelWhole {
		return &FixedError{s.Line, e.Head.Seq, e.Head.Kind}
	}
	if level < least {
		level = least
	}
	ch.hits[selector] = true
	h := ch.Held[e.Head.Seq]
	if h == nil {
		ch.Held[e.Head.Seq] = &Held{Head: e.Head, Level: level, Reason: s.Reason, Because: fmt.Sprintf("line %d of the list, %s", s.Line, s.Word)}
		return nil
	}
	h.Level = min(h.Level, level)
	return nil
}

// attempt joins an exchange with the others that were for the same page.
func (ch *chooser) attempt(e *evidence.Entry) {
	x, ok := e.Body.(*evidence.Exchange)
	if !ok {
		return
	}
	seq := e.Head.Seq
	other := int64(evidence.None)
	if x.RetryOf != evidence.None {
		other = x.RetryOf
	}
	if e.Head.Window > 0 {
		key := [3]int64{e.Head.Window, x.Chain, x.Page}
		if first, ok := ch.chains[key]; ok {
			ch.join(seq, first)
		} else {
			ch.chains[key] = seq
		}
	}
	if other != evidence.None {
		ch.join(seq, other)
	}
	ch.order = append(ch.order, seq)
}

func (ch *chooser) root(seq int64) int64 {
	for {
		up, ok := ch.groups[seq]
		if !ok {
			return seq
		}
		seq = up
	}
}

func (ch *chooser) join(a, b int64) {
	if a, b = ch.root(a), ch.root(b); a != b {
		ch.groups[max(a, b)] = min(a, b)
	}
}

// attempts takes every attempt at a page of which one is withheld.
func (ch *chooser) attempts() {
	by := map[int64]*Held{}
	for _, h := range ch.Sorted() {
		if h.Head.Kind != evidence.KindExchange {
			continue
		}
		root := ch.root(h.Head.Seq)
		if !h.precaution && by[root] == nil {
			by[root] = h
		}
	}
	for _, seq := range ch.order {
		first := by[ch.root(seq)]
		if first != nil && ch.Held[seq] == nil {
			ch.Held[seq] = &Held{Head: evidence.Head{Seq: seq}, Level: first.Level, Reason: first.Reason, Because: fmt.Sprintf("another attempt at the page of entry %d", first.Head.Seq)}
		}
	}
}

// identify gathers what identifies the withheld entries, for the search of the finished production.
func (ch *chooser) identify(ctx context.Context) error {
	for e, err := range ch.c.Entries(ctx) {
		if err != nil {
			return err
		}
		h := ch.Held[e.Head.Seq]
		if h == nil {
			continue
		}
		h.Head = e.Head
		add := func(b []byte) { ch.withheld = append(ch.withheld, b) }
		add(e.Detail.Nonce[:])
		add([]byte(e.Detail.Nonce.String()))
		for i, r := range e.Detail.Records {
			add([]byte(strings.TrimPrefix(evidence.RecordID(e.Detail.Nonce, i), "urn:uuid:")))
			add(slices.Clone(r.Block[:]))
			add([]byte(r.Block.String()))
		}
		if h.Level == evidence.LevelLeaf {
			add([]byte(e.Head.Detail.String()))
		}
	}
	return ch.sharedBlocks(ctx)
}

// sharedBlocks takes out of what identifies withheld entries the hashes of blocks that disclosed entries have too, such as certificates.
func (ch *chooser) sharedBlocks(ctx context.Context) error {
	known := map[string]bool{}
	for e, err := range ch.c.Entries(ctx) {
		if err != nil {
			return err
		}
		if ch.Held[e.Head.Seq] != nil {
			continue
		}
		for _, r := range e.Detail.Records {
			known[r.Block.String()], known[string(r.Block[:])] = true, true
		}
	}
	ch.withheld = slices.DeleteFunc(ch.withheld, func(b []byte) bool { return known[string(b)] })
	return nil
}
