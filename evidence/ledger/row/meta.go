package row

import (
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// The keys of the bucket meta.
const (
	MetaFormat   = "format"
	MetaCase     = "case"
	MetaPosition = "position"
	MetaCounts   = "counts"
)

// Totals is what the bucket meta says of the whole ledger. The zero Totals is that of no batches.
type Totals struct {
	Case     string
	Position evidence.Position
	counts   [10]int64 // of counted()
}

// counted lists the kinds that have a count of their own; "other" has all the rest.
func counted() [10]string {
	return [10]string{evidence.KindCase, evidence.KindCheckpoint, evidence.KindConnection, evidence.KindExchange, evidence.KindGap,
		evidence.KindKey, evidence.KindOperator, "other", evidence.KindSeal, evidence.KindWindow}
}

// Add takes in a batch that follows those before. It does not check that it does.
func (t *Totals) Add(b *evidence.Batch) {
	t.Case, t.Position = b.Case, evidence.PositionOf(b)
	for _, e := range b.Entries {
		t.counts[indexOf(e.Head.Kind)]++
	}
}

func indexOf(kind string) int {
	other := 0
	for i, k := range counted() {
		if k == kind {
			return i
		}
		if k == "other" {
			other = i
		}
	}
	return other
}

// Counts returns how many entries of each kind there are, in the order of their names; "other" are those of kinds without a name here.
func (t *Totals) Counts() []evidence.KindCount {
	var c []evidence.KindCount
	for i, k := range counted() {
		c = append(c, evidence.KindCount{Kind: k, Count: t.counts[i]})
	}
	return c
}

// Rows calls put for each row of the bucket meta, in the order of the keys. Before the first batch that is the format alone.
func (t *Totals) Rows(put func(key string, value []byte) error) error {
	if t.Position.Batch == 0 {
		return put(MetaFormat, []byte(Format))
	}
	counts, err := (&countsLine{t.Counts()}).Append(nil)
	if err != nil {
		return err
	}
	position, err := (&positionLine{t.Position.Batch, t.Position.Entries, t.Position.Segment, t.Position.Offset, t.Position.Hash}).Append(nil)
	if err != nil {
		return err
	}
	for _, r := range []struct {
		key   string
		value []byte
	}{{MetaCase, []byte(t.Case)}, {MetaCounts, counts}, {MetaFormat, []byte(Format)}, {MetaPosition, position}} {
		if err := put(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// DecodeTotals reads the bucket meta; get returns the value of a key, nil if there is none.
func DecodeTotals(get func(key string) []byte) (*Totals, error) {
	t := &Totals{}
	if f := get(MetaFormat); string(f) != Format {
		return nil, fmt.Errorf("ledger of format %q instead of %q", f, Format)
	}
	if get(MetaPosition) == nil && get(MetaCase) == nil && get(MetaCounts) == nil {
		return t, nil
	}
	var p positionLine
	if err := decode(get(MetaPosition), &p); err != nil {
		return nil, fmt.Errorf("malformed position of the ledger: %w", err)
	}
	t.Position = evidence.Position{Batch: p.Batch, Entries: p.Entries, Segment: p.Segment, Offset: p.Offset, Hash: p.Hash}
	if t.Case = string(get(MetaCase)); !evidence.IsID(t.Case) {
		return nil, fmt.Errorf("ledger of case %q", t.Case)
	}
	var c countsLine
	if err := decode(get(MetaCounts), &c); err != nil {
		return nil, fmt.Errorf("malformed counts of the ledger: %w", err)
	}
	names := counted()
	if len(c.Counts) != len(names) || p.Batch < 1 {
		return nil, fmt.Errorf("ledger at batch %d with %d counts", p.Batch, len(c.Counts))
	}
	for i, n := range c.Counts {
		if n.Kind != names[i] {
			return nil, fmt.Errorf("malformed counts of the ledger: %q instead of %q", n.Kind, names[i])
		}
		t.counts[i] = n.Count
	}
	return t, nil
}

type positionLine struct {
	Batch   int64         `json:"batch"`
	Entries int64         `json:"entries"`
	Segment int64         `json:"segment"`
	Offset  int64         `json:"offset"`
	Hash    evidence.Hash `json:"hash"`
}

func (p *positionLine) Append(dst []byte) ([]byte, error) {
	l := line{b: dst}
	l.num(`{"batch":`, p.Batch)
	l.num(`,"entries":`, p.Entries)
	l.num(`,"segment":`, p.Segment)
	l.num(`,"offset":`, p.Offset)
	l.hash(`,"hash":`, p.Hash)
	return l.end()
}

type countsLine struct {
	Counts []evidence.KindCount `json:"counts"`
}

func (c *countsLine) Append(dst []byte) ([]byte, error) {
	l := line{b: append(dst, `{"counts":[`...)}
	for i, n := range c.Counts {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.str(`{"kind":`, n.Kind)
		l.num(`,"count":`, n.Count)
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, ']')
	return l.end()
}
