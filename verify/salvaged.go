package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// What is the matter with an entry or with several.
const (
	StateLost     = "lost"         // no batch that can be read holds them
	StateRecords  = "records-lost" // the entry is proven, some of its records are not there
	StateUnproven = "unproven"     // they are there, and nothing shows that they are what was recorded
)

// Loss is one entry, or several in a row, that a damaged case does not prove in full. What is known of a single entry is proven; of others
// the neighbours that are proven say where they belong.
type Loss struct {
	First   int64     `json:"first"` // seq
	Last    int64     `json:"last"`
	State   string    `json:"state"`
	Kind    string    `json:"kind"`   // of the entry, "" if it is not known
	Window  int64     `json:"window"` // 0 for none, or if it is not known
	Start   string    `json:"start"`  // "" if it is not known
	End     string    `json:"end"`
	Method  string    `json:"method"`
	Status  int64     `json:"status"`
	URL     string    `json:"url"`
	Records []string  `json:"records"` // types of those that are lost of an entry that is proven
	After   *Neighbor `json:"after"`   // the last proven entry before, of several or unknown ones
	Before  *Neighbor `json:"before"`  // the next one
}

// Neighbor is a proven entry beside lost ones.
type Neighbor struct {
	Seq    int64  `json:"seq"`
	Window int64  `json:"window"`
	Time   string `json:"time"` // when it ended, or, of the one behind, began
}

func (s *salvage) result() *Salvaged {
	r := &Salvaged{Case: s.caseID, Entries: s.known, KeysFrom: s.keysFrom, Heads: []Head{}, s: s}
	proving := map[int64]bool{}
	for i := range s.runs {
		run := &s.runs[i]
		if run.proven != 0 && !run.lost {
			r.Proven += run.to - run.from
			r.Exchanges += run.asked
			proving[run.proven] = true
		}
	}
	covered := int64(0)
	for _, size := range slices.Sorted(maps.Keys(proving)) {
		r.Heads = joinHead(r.Heads, Head{From: covered, Size: size, Heads: 1, Signers: s.signers[size]})
		covered = size
	}
	return r
}

// Container gives access to what is proven.
func (r *Salvaged) Container() *Container {
	c := &Container{files: r.s.files, caseID: r.Case, entries: r.Entries, retried: map[int64]bool{}, pages: r.s.pages, salvage: r.s}
	for _, p := range r.s.replaced {
		if r.s.gives(p.by) {
			c.retried[p.seq] = true
		}
	}
	return c
}

// ProvenBy is the size of a head that proves entry seq; 0 if none does.
func (r *Salvaged) ProvenBy(seq int64) int64 {
	if run := r.s.runAt(seq); run != nil && !run.lost {
		return run.proven
	}
	return 0
}

// window is what the proven entries of window n say: the last state, and what was asked for.
func (s *salvage) window(n int64) (w Window, ok bool) {
	for _, e := range s.windows[n] {
		if !s.gives(e.seq) {
			continue
		}
		b := &e.window
		w = Window{Window: n, Acquisition: b.Acquisition.String(), Source: e.source, User: clip(b.User), From: clip(b.From), To: clip(b.To),
			Parameters: clipPairs(b.Parameters), Outcome: b.State, Reason: b.Reason, Text: clip(b.Text), Requests: b.Requests, Pages: b.Pages, Records: b.Records}
		ok = true
	}
	return w, ok
}

// each visits all entries again in order and fails with [ErrChanged] where what was proven is not the same any more.
func (s *salvage) each(ctx context.Context, visit func(*step, *run) error) error {
	l, err := newLenient(s.files)
	if err != nil {
		return err
	}
	defer l.close()
	rows := openRows(s.files)
	defer rows.close()
	return s.eachOf(ctx, l, rows, visit)
}

func (s *salvage) eachOf(ctx context.Context, l *lenient, rows *ledgerRows, visit func(*step, *run) error) error {
	at, sum, n := 0, evidence.Hash{}, int64(0)
	settle := func(before int64) error { // the runs that end before an entry
		for ; at < len(s.runs) && s.runs[at].to <= before; at++ {
			if r := &s.runs[at]; r.proven != 0 && (r.sum != sum || n != r.to-r.from) {
				return fmt.Errorf("entries %d to %d: %w", r.from, r.to-1, ErrChanged)
			}
			sum, n = evidence.Hash{}, 0
		}
		return nil
	}
	err := steps(ctx, l, rows, s.end(), func(st *step) error {
		if err := settle(st.seq); err != nil {
			return err
		}
		var r *run
		if at < len(s.runs) && s.runs[at].from <= st.seq && s.runs[at].lost == (st.entry == nil) {
			r = &s.runs[at]
			sum, n = above(sum, st.leaf), n+1
		}
		return visit(st, r)
	})
	if err != nil {
		return err
	}
	return settle(1<<63 - 1)
}

// plan lists the pages among what is proven. What lies between the pages of a group must be whole, and so a group ends where anything is wrong.
func (s *salvage) plan(ctx context.Context, l *lenient, rows *ledgerRows) error {
	wrong := false
	return s.eachOf(ctx, l, rows, func(st *step, r *run) error {
		if st.entry == nil {
			return nil
		}
		x, ok := st.entry.Body.(*evidence.Exchange)
		if !ok || r == nil || r.proven == 0 || slices.Contains(lostRecords(st.entry), warc.Response) {
			wrong = wrong || st.batch.damaged
			return nil
		}
		if wrong || st.batch.damaged {
			s.pages.split()
		}
		wrong = st.batch.damaged
		s.pages.add(st.entry, x)
		return nil
	})
}

// entries yields the entries that are proven.
func (s *salvage) entries(ctx context.Context) iter.Seq2[*evidence.Entry, error] {
	return func(yield func(*evidence.Entry, error) bool) {
		err := s.each(ctx, func(st *step, r *run) error {
			if st.entry != nil && r != nil && r.proven != 0 && !yield(st.entry, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// entry returns one proven entry once all of them were read again.
func (s *salvage) entry(ctx context.Context, seq int64) (found *evidence.Entry, err error) {
	for e, err := range s.entries(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Head.Seq == seq {
			found = e
		}
	}
	if found == nil {
		return nil, fmt.Errorf("entry %d: %w", seq, ErrLost)
	}
	return found, nil
}

// lostRecords are the types of the records of an entry that are not there.
func lostRecords(e *evidence.Entry) []string {
	lost := []string{}
	for i, at := range e.Located {
		if at.Segment == 0 {
			lost = append(lost, e.Detail.Records[i].Type)
		}
	}
	return lost
}

// Losses yields what is lost or not proven, in order. Ranges are as long as nothing tells more of what is in them. An error ends it, as in [Container.Entries].
func (r *Salvaged) Losses(ctx context.Context) iter.Seq2[*Loss, error] {
	return func(yield func(*Loss, error) bool) {
		l := &lister{s: r.s, yield: yield}
		err := r.s.each(ctx, l.step)
		if err == nil {
			err = l.finish(r.Entries)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// lister makes losses out of steps. Those that wait for the next proven entry are held back.
type lister struct {
	s     *salvage
	yield func(*Loss, error) bool
	next  int64 // entry that nothing was said of yet
	after *Neighbor
	held  []*Loss
}

// maxHeld bounds what is held back of a hostile case.
const maxHeld = 1 << 12

func (l *lister) step(st *step, r *run) error {
	if err := l.hold(l.next, st.seq, StateLost); err != nil {
		return err
	}
	l.next = st.seq + 1
	switch {
	case st.entry == nil && r != nil && r.proven != 0:
		return l.lostEntry(st.line)
	case st.entry == nil:
		return l.hold(st.seq, l.next, StateLost)
	case r == nil || r.proven == 0:
		return l.hold(st.seq, l.next, StateUnproven)
	}
	h := &st.entry.Head
	if err := l.flush(&Neighbor{h.Seq, h.Window, h.Start.String()}); err != nil {
		return err
	}
	l.after = &Neighbor{h.Seq, h.Window, h.End.String()}
	lost := lostRecords(st.entry)
	if len(lost) == 0 {
		return nil
	}
	loss := lossOf(h, StateRecords)
	loss.Records = lost
	if x, ok := st.entry.Body.(*evidence.Exchange); ok {
		loss.URL = x.URL
	}
	return l.give(loss)
}

// lostEntry tells what the proven head line of a lost entry says.
func (l *lister) lostEntry(line []byte) error {
	var h evidence.Head
	if err := json.Unmarshal(line, &h, json.RejectUnknownMembers(true)); err != nil {
		return l.hold(l.next-1, l.next, StateLost)
	}
	if err := l.flush(&Neighbor{h.Seq, h.Window, h.Start.String()}); err != nil {
		return err
	}
	l.after = &Neighbor{h.Seq, h.Window, h.End.String()}
	return l.give(lossOf(&h, StateLost))
}

func lossOf(h *evidence.Head, state string) *Loss {
	return &Loss{First: h.Seq, Last: h.Seq, State: state, Kind: h.Kind, Window: h.Window, Start: h.Start.String(), End: h.End.String(),
		Method: h.Method, Status: h.Status, Records: []string{}}
}

// hold keeps the entries from…to-1 until it is known what follows them.
func (l *lister) hold(from, to int64, state string) error {
	if from >= to {
		return nil
	}
	if n := len(l.held); n > 0 && l.held[n-1].State == state && l.held[n-1].Last == from-1 {
		l.held[n-1].Last = to - 1
		return nil
	}
	if len(l.held) == maxHeld {
		if err := l.flush(nil); err != nil {
			return err
		}
	}
	l.held = append(l.held, &Loss{First: from, Last: to - 1, State: state, Records: []string{}, After: l.after})
	return nil
}

func (l *lister) flush(before *Neighbor) error {
	for _, loss := range l.held {
		loss.Before = before
		if err := l.give(loss); err != nil {
			return err
		}
	}
	l.held = l.held[:0]
	return nil
}

func (l *lister) give(loss *Loss) error {
	if !l.yield(loss, nil) {
		return errEnough
	}
	return nil
}

func (l *lister) finish(entries int64) error {
	if err := l.hold(l.next, entries, StateLost); err != nil {
		return err
	}
	return l.flush(nil)
}
