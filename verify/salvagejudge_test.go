package verify_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
)

// outcome is what a salvage should bring, worked out from the whole case and which of its bytes are still there.
type outcome struct {
	given map[int64]bool   // entries that can be read and are proven
	lost  map[int64]string // what is said of the others, and of given ones with lost records
}

// judge works out what the damage leaves. It knows nothing of how it is found: a hash is known if all it is made of can be read, and an entry is
// proven if it is one of the leaves that a known hash is made of, from a signed root downwards.
func (w *wreckable) judge(files map[string][]byte, pinned bool) *outcome {
	j := &judge{w: w, files: files, known: map[span]bool{}, proven: map[int64]bool{}}
	j.readable = make([]bool, len(w.batches))
	for i, b := range w.batches {
		j.readable[i] = j.intact(b.Segment, b.Offset, b.End)
	}
	j.frontiers()
	heads := map[int64]bool{}
	if j.hasKeys(pinned) {
		for _, n := range w.heads {
			heads[n] = j.same(evidence.NotePath(n)) || w.sealed && n == int64(len(w.entries)) && j.same(evidence.PackageNotePath)
		}
		for seq, e := range w.entries {
			if c, ok := e.Body.(*evidence.Checkpoint); ok && j.readable[w.inBatch[seq]] {
				heads[c.Size] = true
			}
		}
	}
	end := int64(0)
	for n, there := range heads {
		if there && n&(n-1) == 0 {
			j.roots = append(j.roots, span{0, n})
		}
	}
	for n, there := range heads {
		if there {
			j.open(span{0, n})
			end = max(end, n)
		}
	}
	j.seal()
	for i, b := range w.batches {
		if j.readable[i] {
			end = max(end, b.First+b.Count)
		}
	}
	return j.outcome(end)
}

// span is a range of leaves.
type span struct{ from, to int64 }

type judge struct {
	w        *wreckable
	files    map[string][]byte
	readable []bool // batches
	nodes    []span // whose hashes a frontier states
	roots    []span // whose hashes a head states
	known    map[span]bool
	proven   map[int64]bool
}

func (j *judge) same(name string) bool {
	return j.w.files[name] != nil && bytes.Equal(j.files[name], j.w.files[name])
}

// intact reports whether a range of a segment is as it was.
func (j *judge) intact(segment, from, to int64) bool {
	was, is := j.w.files[evidence.SegmentPath(segment)], j.files[evidence.SegmentPath(segment)]
	return int64(len(is)) >= to && bytes.Equal(was[from:to], is[from:to])
}

func (j *judge) hasKeys(pinned bool) bool {
	return j.readable[0] || pinned || j.same(evidence.PackageNotePath) && j.same("tagmanifest-sha256.txt") && j.same("manifest-sha256.txt") && j.same(evidence.LedgerPath)
}

// inLedger reports whether the ledger has the row of an entry: the line itself, and all of the pages on the way there but other lines.
func (j *judge) inLedger(seq int64) bool {
	was, is := j.w.files[evidence.LedgerPath], bytes.Clone(j.files[evidence.LedgerPath])
	if was == nil || len(is) < len(was) {
		return false
	}
	own := j.w.rows[seq]
	if line := j.w.entries[seq].HeadLine; !bytes.Equal(is[own:own+len(line)], line) {
		return false
	}
	for other, at := range j.w.rows {
		n := len(j.w.entries[other].HeadLine)
		copy(is[at:at+n], was[at:at+n])
	}
	page := func(n int64) bool {
		return bytes.Equal(was[n*boltread.PageSize:(n+1)*boltread.PageSize], is[n*boltread.PageSize:(n+1)*boltread.PageSize])
	}
	for _, n := range j.w.paths[seq] {
		if !page(n) {
			return false
		}
	}
	return page(0) || page(1)
}

func (j *judge) frontiers() {
	for i, b := range j.w.batches {
		if b.SegmentHead == nil || !j.readable[i] {
			continue
		}
		at := int64(0)
		for k := int64(1) << 40; k > 0; k >>= 1 {
			if b.First&k != 0 {
				j.nodes = append(j.nodes, span{at, at + k})
				at += k
			}
		}
	}
}

// has reports whether the hash over a span can be made.
func (j *judge) has(s span) bool {
	if known, ok := j.known[s]; ok {
		return known
	}
	known := false
	switch {
	case slices.Contains(j.nodes, s) || slices.Contains(j.roots, s):
		known = true
	case s.to-s.from == 1:
		known = j.readable[j.w.inBatch[s.from]] || j.inLedger(s.from)
	default:
		l, r := s.halves()
		known = j.has(l) && j.has(r)
	}
	j.known[s] = known
	return known
}

func (s span) halves() (l, r span) {
	k := int64(1)
	for k*2 < s.to-s.from {
		k *= 2
	}
	return span{s.from, s.from + k}, span{s.from + k, s.to}
}

// open goes from a span whose hash is proven to the leaves.
func (j *judge) open(s span) {
	if s.to-s.from == 1 {
		if j.readable[j.w.inBatch[s.from]] || j.inLedger(s.from) {
			j.proven[s.from] = true
		}
		return
	}
	if l, r := s.halves(); j.has(l) && j.has(r) {
		j.open(l)
		j.open(r)
	}
}

// seal follows the batches back from a proven seal.
func (j *judge) seal() {
	last := len(j.w.entries) - 1
	if !j.w.sealed || !j.proven[int64(last)] || !j.readable[j.w.inBatch[last]] {
		return
	}
	for i := j.w.inBatch[last]; i >= 0 && j.readable[i]; i-- {
		for _, e := range j.w.batches[i].Entries {
			j.proven[e.Head.Seq] = true
		}
	}
}

func (j *judge) outcome(end int64) *outcome {
	o := &outcome{given: map[int64]bool{}, lost: map[int64]string{}}
	for seq := range end {
		e, there := j.w.entries[seq], j.readable[j.w.inBatch[seq]]
		switch {
		case !there && j.proven[seq]:
			o.lost[seq] = fmt.Sprintf("lost %s of window %d at %s", e.Head.Kind, e.Head.Window, e.Head.Start)
		case !there:
			o.lost[seq] = "lost"
		case !j.proven[seq]:
			o.lost[seq] = "unproven"
		default:
			o.given[seq] = true
			if gone := j.gone(e); len(gone) > 0 {
				o.lost[seq] = fmt.Sprintf("records-lost %s of window %d at %s: %v", e.Head.Kind, e.Head.Window, e.Head.Start, gone)
			}
		}
	}
	return o
}

// gone lists the records of an entry that the damage took.
func (j *judge) gone(e *evidence.Entry) (types []string) {
	for i, at := range e.Located {
		if !j.intact(int64(at.Segment), at.Offset, at.Offset+at.Length) {
			types = append(types, e.Detail.Records[i].Type)
		}
	}
	return types
}

// differ is what two outcomes disagree on, "" if nothing.
func differ(got, want *outcome) string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, seq := range slices.Sorted(maps.Keys(got.given)) {
		if !want.given[seq] {
			say("entry %d is given and not proven", seq)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(want.given)) {
		if !got.given[seq] {
			say("entry %d is proven and not given", seq)
		}
	}
	all := maps.Clone(got.lost)
	maps.Copy(all, want.lost)
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		if got.lost[seq] != want.lost[seq] {
			say("of entry %d it says %q, expected %q", seq, got.lost[seq], want.lost[seq])
		}
	}
	return strings.Join(out, "; ")
}
