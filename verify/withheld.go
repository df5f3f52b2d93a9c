package verify

import (
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
)

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
