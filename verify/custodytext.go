package verify

import (
	"fmt"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/custody"
)

// Lines says in words what the records say: the events, who held the case when, under which keys, and what all that does not show. The lines quote the records:
// escape them for their medium.
func (c *Custody) Lines() []string {
	var lines []string
	for i := range c.Records {
		lines = append(lines, c.Records[i].line())
	}
	for _, h := range c.Held {
		until := "and no release of it was acknowledged"
		if h.Until != "" {
			until = "until it was released at " + h.Until
		}
		lines = append(lines, fmt.Sprintf("custody: held by %s from %s, %s, by record %d", inWords(h.Party), h.From, until, h.Record))
	}
	lines = append(lines, c.keys()...)
	if len(c.Records) > 0 {
		lines = append(lines, "custody: the last record has the hash "+c.Last)
	}
	for _, l := range c.Limits {
		lines = append(lines, "custody does not show "+l)
	}
	return lines
}

// keys says which keys signed which records.
func (c *Custody) keys() (lines []string) {
	var order []string
	records, pinned := map[string][]string{}, map[string]bool{}
	for _, r := range c.Records {
		if records[r.Key] == nil {
			order = append(order, r.Key)
		}
		records[r.Key], pinned[r.Key] = append(records[r.Key], fmt.Sprint(r.Sequence)), r.Pinned
	}
	for _, key := range order {
		known := "found in the records: it proves nothing about who signed, unless its owner gave it to you: --custody-key"
		if pinned[key] {
			known = "pinned by you"
		}
		lines = append(lines, fmt.Sprintf("custody: records %s are signed by %s, %s", strings.Join(records[key], ", "), key, known))
	}
	return lines
}

// line says what a record says.
func (r *CustodyRecord) line() string {
	who := inWords(r.By)
	switch r.Event {
	case custody.Transferred, custody.Received:
		who = inWords(r.ReleasedBy) + " to " + inWords(r.ReceivedBy)
	}
	s := fmt.Sprintf("custody %d: %s (%s) %s: %s; exhibit %s", r.Sequence, r.Time, r.Zone, r.Event, who, r.Exhibit)
	for _, more := range []struct{ name, value string }{{"description", r.Description}, {"result", r.Result}, {"purpose", r.Purpose}, {"authority", r.Authority}, {"method", r.Method},
		{"from", r.FromPlace}, {"to", r.ToPlace}, {"storage", r.Storage}, {"condition", r.Condition}, {"changes", r.Changes}} {
		if more.value != "" {
			s += "; " + more.name + ": " + more.value
		}
	}
	return s
}

// inWords names a party.
func inWords(p custody.Party) string {
	s := p.Name
	if p.Organisation != "" {
		s += ", " + p.Organisation
	}
	if p.Contact != "" {
		s += " (" + p.Contact + ")"
	}
	return s
}
