package custody

import (
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// odd reports what the parties of a chain have to explain (docs/container.md, 12.5).
func (c *Chain) odd() {
	var holder trust.VKey // of record 1, or of the last receipt
	releases, answered := map[Hash]*Link{}, map[Hash]bool{}
	for i := range c.Links {
		l := &c.Links[i]
		if i == 0 || l.Event == Received {
			holder = l.Key
		} else if l.Key != holder {
			c.report(CodeHolder, l.Path, "%s, signed by %s, and by the records before the case was held under the key %s", l.Event, l.Key.Name(), holder.Name())
		}
		if i > 0 && l.Time.Before(c.Links[i-1].Time) {
			c.report(CodeTime, l.Path, "its time is before that of record %d", c.Links[i-1].Sequence)
		}
		if l.Event == Transferred {
			releases[l.Hash] = l
		}
		if l.Event == Received {
			c.receipt(l, releases)
			if l.Answers != nil {
				answered[*l.Answers] = true
			}
		}
	}
	for i := range c.Links {
		if l := &c.Links[i]; l.Event == Transferred && !answered[l.Hash] {
			c.report(CodeOpen, l.Path, "released to %q, and no record says that it arrived", clip(l.ReceivedBy.Name))
		}
	}
}

// receipt holds a receipt against the release that it answers.
func (c *Chain) receipt(l *Link, releases map[Hash]*Link) {
	if l.Answers == nil {
		c.report(CodeHandover, l.Path, "received from %q, and it answers no signed release", clip(l.ReleasedBy.Name))
		return
	}
	release := releases[*l.Answers]
	if release == nil {
		return // which is reported as a broken chain
	}
	if release.Key == l.Key {
		c.report(CodeHandover, l.Path, "signed with the key %s, which signed the release as well", l.Key.Name())
	}
	if release.ReleasedBy.Name != l.ReleasedBy.Name {
		c.report(CodeHandover, l.Path, "received from %q, and the release is by %q", clip(l.ReleasedBy.Name), clip(release.ReleasedBy.Name))
	}
	if release.ReceivedBy.Name != l.ReceivedBy.Name {
		c.report(CodeHandover, l.Path, "received by %q, and the release is to %q", clip(l.ReceivedBy.Name), clip(release.ReceivedBy.Name))
	}
}

// A Span says who held the case for a time.
type Span struct {
	Party
	Key   trust.VKey // under which that was signed
	From  time.Time  // of the receipt, or of the first record
	Until time.Time  // of the release that somebody acknowledged later; zero if there is none
	First int        // record by which it is known that they held it
	Last  int        // that release; 0 if there is none
}

// Held says who held the case when, as the records have it: from the first record or a receipt until the release that the next receipt answers. Between
// a release and its receipt nobody says that they held it.
func (c *Chain) Held() (spans []Span) {
	releases := map[Hash]*Link{}
	for i := range c.Links {
		l := &c.Links[i]
		if l.Event == Transferred {
			releases[l.Hash] = l
		}
		if i > 0 && l.Event != Received {
			continue
		}
		if n := len(spans); n > 0 && l.Answers != nil && releases[*l.Answers] != nil {
			release := releases[*l.Answers]
			spans[n-1].Until, spans[n-1].Last = release.Time, release.Sequence
		}
		spans = append(spans, Span{Party: l.Signer(), Key: l.Key, From: l.Time, First: l.Sequence})
	}
	return spans
}
