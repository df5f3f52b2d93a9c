package verify

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// rules holds entries against those before them (docs/container.md, 4.8) and gathers what the later steps need.
type rules struct {
	r     *Report
	batch *evidence.Batch // that the entry is in
	part  *hidden         // of a production, nil for a case

	exchanges               bitset // which seqs are exchanges
	connections             bitset
	counts                  map[string]int64
	windows                 []*window // by number, from 1 at index 0
	retried                 map[int64]bool
	pages                   pagePlan
	chains                  map[chainKey]attempt
	forgot                  bool // chains were forgotten
	lastIsCheckpoint        bool // and says nothing but what its head's file says
	unknownKind             bool // said already
	keys                    []allowedKey
	granted                 map[trust.VKey]bool // those of keys that may sign so far
	texts                   int64               // bytes kept of windows' texts
	checkpoints             []checkpointEntry
	stamps                  []stampEntry
	stamped                 map[string]bool // files that stamps tell of
	torn                    []tornGap
	installations           []stated
	seal                    *evidence.Seal
	privateRoots, plainHTTP bool // said already
	sealSeq                 int64
	preceding               evidence.Hash // block hash of the batch before this one
	current                 evidence.Hash
	currentNum              int64
}

type window struct {
	Window
	exchanges int64
	kept      int64 // pages that were brought and not replaced
}

// allowedKey is a key that may sign heads over entries from a seq on.
type allowedKey struct {
	key  trust.VKey
	from int64
}

// tornGap is a torn tail that a gap entry holds.
type tornGap struct {
	segment, offset int64
	hash            evidence.Hash
}

type checkpointEntry struct {
	seq, size int64
	note      evidence.Hash
}

// bitset is a set of seqs in one bit each.
type bitset []uint64

func (b *bitset) set(n int64) {
	if more := n/64 + 1 - int64(len(*b)); more > 0 {
		*b = append(*b, make([]uint64, more)...)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bitset) has(n int64) bool { return n >= 0 && n/64 < int64(len(b)) && b[n/64]>>(n%64)&1 == 1 }

func (r *rules) fail(e *evidence.Entry, format string, args ...any) {
	r.r.add(Finding{Code: "entry-rule", Path: segmentPath(r.batch.Segment), Offset: r.batch.Offset, Seq: e.Head.Seq, Detail: fmt.Sprintf(format, args...)})
}

// maxKinds bounds the kinds that are counted: more than a seal entry can state in one line.
const maxKinds = 4096

// entry checks the i-th entry of the current batch.
func (r *rules) entry(e *evidence.Entry, i int) {
	if i == 0 && r.batch.Batch != r.currentNum {
		r.preceding, r.current, r.currentNum = r.current, r.batch.Hash, r.batch.Batch
	}
	if r.counts == nil {
		r.counts, r.retried, r.chains = map[string]int64{}, map[int64]bool{}, map[chainKey]attempt{}
	}
	if (e.Head.Seq == 0) != (e.Head.Kind == evidence.KindCase) {
		r.fail(e, "the case entry is entry 0 and no other")
	}
	if n := e.Head.Window; n > int64(len(r.windows)) {
		if w, ok := e.Body.(*evidence.Window); !ok || w.State != evidence.Opened || n != int64(len(r.windows))+1 {
			r.fail(e, "window %d was not opened", n)
		}
	}
	r.body(e)
	if len(r.counts) < maxKinds || r.counts[e.Head.Kind] > 0 {
		r.counts[e.Head.Kind]++
	}
}

func (r *rules) body(e *evidence.Entry) {
	r.lastIsCheckpoint = e.Head.Kind == evidence.KindCheckpoint && e.Head.Source == "" && e.Head.Window == 0 && len(e.Detail.Records) == 0
	if e.Body == nil && !r.unknownKind {
		r.unknownKind = true
		r.r.rule("unknown-kind", e.Head.Seq, "%s", e.Head.Kind)
	}
	r.installation(e)
	switch b := e.Body.(type) {
	case *evidence.Case:
		r.caseEntry(e, b)
	case *evidence.Operator:
		if b.Action == evidence.ActionStamp {
			r.stamp(e, b)
		}
	case *evidence.Connection:
		r.connections.set(e.Head.Seq)
		r.transport(e, b)
	case *evidence.Exchange:
		r.exchange(e, b)
	case *evidence.Window:
		r.window(e, b)
	case *evidence.Checkpoint:
		r.checkpoints = append(r.checkpoints, checkpointEntry{e.Head.Seq, b.Size, sha256.Sum256([]byte(b.Note))})
		if b.Size > e.Head.Seq {
			r.fail(e, "a checkpoint over %d entries", b.Size)
		}
	case *evidence.Key:
		r.allow(e, b.Key, e.Head.Seq)
	case *evidence.Gap:
		r.r.rule("gap", e.Head.Seq, "%s: %s", b.Reason, b.Text)
		if b.Reason == evidence.GapTorn && len(e.Detail.Records) == 1 {
			r.torn = append(r.torn, tornGap{b.Segment, b.Offset, e.Detail.Records[0].Block})
		}
	case *evidence.Seal:
		r.seal, r.sealSeq = b, e.Head.Seq
		r.sealEntry(e, b)
	}
}

func (r *rules) caseEntry(e *evidence.Entry, b *evidence.Case) {
	r.r.Fields = b.Fields
	if b.Case != r.batch.Case {
		r.fail(e, "the case entry names case %s in a batch of case %s", b.Case, r.batch.Case)
	}
	for _, k := range b.Keys {
		r.allow(e, k, 0)
	}
	if len(b.Keys) == 0 {
		r.fail(e, "the case allows no key")
	}
	r.supplements(e, b)
}

// transport notes the first connection of each kind that an opponent will ask about.
func (r *rules) transport(e *evidence.Entry, b *evidence.Connection) {
	switch {
	case b.Roots == "file" && !r.privateRoots:
		r.privateRoots = true
		r.r.rule("roots-private", e.Head.Seq, "%s, and perhaps later ones", b.Origin)
	case b.TLSVersion == "" && b.Error == "" && !r.plainHTTP:
		r.plainHTTP = true
		r.r.rule("plain-http", e.Head.Seq, "%s, and perhaps later ones", b.Origin)
	}
}

// maxKeys is how many keys a case may allow (docs/container.md, 5.5): each head is held against each of them.
const maxKeys = 1024

func (r *rules) allow(e *evidence.Entry, text string, from int64) {
	key, err := trust.ParseVKey(text)
	if err != nil {
		r.fail(e, "key: %v", err)
		return
	}
	if len(r.keys) == maxKeys {
		r.fail(e, "more than %d keys", maxKeys)
		return
	}
	r.keys = append(r.keys, allowedKey{key, from})
}

func (r *rules) exchange(e *evidence.Entry, x *evidence.Exchange) {
	r.r.Exchanges++
	for _, ref := range []struct {
		name string
		seq  int64
		set  bitset
	}{{"parent", x.Parent, r.exchanges}, {"retry_of", x.RetryOf, r.exchanges}, {"connection", x.Connection, r.connections}} {
		if ref.seq != evidence.None && !ref.set.has(ref.seq) && !(ref.seq < e.Head.Seq && r.hides(ref.seq)) {
			r.fail(e, "%s names entry %d, which is not of that kind or not before", ref.name, ref.seq)
		}
	}
	r.exchanges.set(e.Head.Seq)
	r.pages.add(e, x)
	r.attempt(e, x)
	if n := e.Head.Window; n >= 1 && n <= int64(len(r.windows)) {
		r.windows[n-1].exchanges++
		if evidence.Kept(e.Head, x) {
			r.windows[n-1].kept++
		}
	}
	r.exchangeRecords(e, x)
}

// chainKey names a chain of a window.
type chainKey struct{ window, chain int64 }

// attempt is the latest exchange of a chain.
type attempt struct {
	seq, page, number int64
	kept              bool
}

// maxChains bounds the chains whose latest exchange is remembered.
//
// BUG: of a case with more chains than this, a retry of an exchange that was forgotten is taken at its word.
const maxChains = 1 << 18

// attempt follows the chains: a retry replaces the latest exchange of its own chain, on the same page (docs/container.md, 4.8).
func (r *rules) attempt(e *evidence.Entry, x *evidence.Exchange) {
	key := chainKey{e.Head.Window, x.Chain}
	last, ok := r.chains[key]
	if x.RetryOf != evidence.None {
		switch {
		case r.withholds(x.RetryOf):
			if ok && last.seq > x.RetryOf {
				r.fail(e, "retry_of names entry %d, and entry %d is a later attempt at chain %d", x.RetryOf, last.seq, x.Chain)
			}
		case ok && (last.seq != x.RetryOf || last.page != x.Page || last.number >= x.Attempt), !ok && !r.forgot:
			r.fail(e, "retry_of names entry %d, which is not the latest attempt at page %d of chain %d", x.RetryOf, x.Page, x.Chain)
		case ok && last.kept:
			r.r.rule("page-replaced", x.RetryOf, "entry %d brought page %d of chain %d again", e.Head.Seq, x.Page, x.Chain)
			if key.window >= 1 && key.window <= int64(len(r.windows)) {
				r.windows[key.window-1].kept--
			}
		}
		r.retried[x.RetryOf] = true
	}
	if !ok && len(r.chains) >= maxChains {
		clear(r.chains)
		r.forgot = true
	}
	r.chains[key] = attempt{e.Head.Seq, x.Page, x.Attempt, evidence.Kept(e.Head, x)}
}

// exchangeRecords checks that the records' headers say the same as the entry.
func (r *rules) exchangeRecords(e *evidence.Entry, x *evidence.Exchange) {
	refs := e.Detail.Records
	if e.Head.Status != 0 && (len(refs) < 2 || refs[1].Type != warc.Response) {
		r.fail(e, "status %d without a response", e.Head.Status)
	}
	for i, ref := range refs {
		if ref.Type != warc.Resource && ref.URI != x.URL {
			r.fail(e, "record %d is of another URL than the entry", i)
		}
	}
}

func (r *rules) window(e *evidence.Entry, b *evidence.Window) {
	n := e.Head.Window
	if name, err := b.Name(e.Head.Source); err != nil || name != b.Acquisition {
		r.fail(e, "acquisition is not the hash of what was asked for")
	}
	if n == int64(len(r.windows))+1 {
		r.windows = append(r.windows, &window{Window: Window{Window: n, Acquisition: b.Acquisition.String(), Source: e.Head.Source,
			User: r.keep(b.User), From: r.keep(b.From), To: r.keep(b.To), Parameters: r.keepPairs(b.Parameters), Outcome: b.State}})
		if b.Last != evidence.None {
			r.fail(e, "window %d opens with a last page", n)
		}
		return
	}
	if n < 1 || n > int64(len(r.windows)) {
		return
	}
	w := r.windows[n-1]
	if b.State == evidence.Opened {
		r.fail(e, "window %d is opened twice", n)
	}
	if w.Acquisition == "" { // the entry that opened it is withheld
		w.Acquisition, w.User, w.From, w.To, w.Parameters = b.Acquisition.String(), r.keep(b.User), r.keep(b.From), r.keep(b.To), r.keepPairs(b.Parameters)
	}
	if b.Acquisition.String() != w.Acquisition {
		r.fail(e, "window %d ends as another acquisition than it was opened for", n)
	}
	if !r.mayBe(b.Requests, w.exchanges) {
		r.fail(e, "window %d ends after %d requests, and %d exchanges are recorded", n, b.Requests, w.exchanges)
	}
	if b.Last != evidence.None && !r.exchanges.has(b.Last) && !r.hides(b.Last) {
		r.fail(e, "last names entry %d, which is no exchange before", b.Last)
	}
	if !r.atMost(b.Pages, w.kept) {
		r.fail(e, "window %d ends with %d pages, and %d were brought", n, b.Pages, w.kept)
	}
	w.Outcome, w.Reason, w.Text, w.Requests, w.Pages, w.Records = b.State, b.Reason, r.keep(b.Text), b.Requests, b.Pages, b.Records
}

// maxTexts bounds what a report keeps of the texts of all windows together, in bytes: they compress well, and a small bundle may hold very many. What is
// beyond is told as an ellipsis.
const maxTexts = 32 << 20

// keep bounds a window's text.
func (r *rules) keep(s string) string {
	if s != "" && r.texts > maxTexts {
		return "…"
	}
	s = clip(s)
	r.texts += int64(len(s))
	return s
}

// keepPairs bounds a window's parameters.
func (r *rules) keepPairs(all []Pair) []Pair {
	if len(all) > 0 && r.texts > maxTexts {
		return []Pair{{Name: "…"}}
	}
	all = clipPairs(all)
	for _, p := range all {
		r.texts += int64(len(p.Name) + len(p.Value))
	}
	return all
}

// clipPairs bounds what a report keeps of a window's parameters.
func clipPairs(all []Pair) []Pair {
	out := []Pair{}
	for _, p := range all[:min(len(all), 20)] {
		out = append(out, Pair{Name: clip(p.Name), Value: clip(p.Value)})
	}
	return out
}

// clip bounds what a report keeps of a window's text, in memory of its own.
func clip(s string) string { return strings.Clone(s[:min(len(s), 1000)]) }

func (r *rules) sealEntry(e *evidence.Entry, b *evidence.Seal) {
	if r.part != nil {
		r.sealPart(e, b)
		return
	}
	bad := func(format string, args ...any) {
		r.r.add(Finding{Code: "seal-rule", Path: evidence.SegmentPath(r.batch.Segment), Offset: r.batch.Offset, Seq: e.Head.Seq, Detail: fmt.Sprintf(format, args...)})
	}
	total := int64(0)
	previous := ""
	for _, k := range b.Counts {
		total += k.Count
		if r.counts[k.Kind] != k.Count {
			bad("the seal counts %d entries of kind %s, there are %d", k.Count, k.Kind, r.counts[k.Kind])
		}
		if k.Kind <= previous {
			bad("the seal's counts are not in order")
		}
		previous = k.Kind
	}
	if total != e.Head.Seq {
		bad("the seal counts %d entries, there are %d", total, e.Head.Seq)
	}
	if b.Segment != r.batch.Segment {
		bad("the seal names segment %d as the last", b.Segment)
	}
	if b.Preceding != r.preceding {
		bad("the seal names another batch before it")
	}
}
