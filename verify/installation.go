package verify

import (
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Installation is what the case states about the log of the installation that it was opened on (docs/container.md, 5.13).
type Installation struct {
	Seq    int64  `json:"seq"`    // of the entry
	Origin string `json:"origin"` // of the log
	Case   int64  `json:"case"`   // which one this was, from 1
	Cases  int64  `json:"cases"`  // that had been opened by then
	Time   string `json:"time"`   // when this one was, by the operator's clock
	Root   string `json:"root"`   // of the head that covers them
}

// maxInstallations bounds what is kept of a hostile case; honest ones have two.
const maxInstallations = 16

// stated is a statement about the installation, until the keys of the case are known.
type stated struct {
	seq    int64
	fields []evidence.Pair
}

// installation keeps a statement about the installation.
func (r *rules) installation(e *evidence.Entry) {
	var fields []evidence.Pair
	switch b := e.Body.(type) {
	case *evidence.Case:
		fields = evidence.InstallationFields(b.Tool)
	case *evidence.Operator:
		if b.Action == evidence.ActionInstallation {
			fields = append([]evidence.Pair{}, b.Fields...)
		}
	}
	if fields != nil && len(r.installations) < maxInstallations {
		r.installations = append(r.installations, stated{e.Head.Seq, fields})
	}
}

// installations proves what the case states of its installation.
func (c *checker) installations() {
	for _, s := range c.rules.installations {
		i, err := c.installation(s)
		if err == nil {
			err = i.contradicts(c.r.Installations)
		}
		if err != nil {
			c.r.rule("installation-unproven", s.seq, "%v", err)
			continue
		}
		c.r.Installations = append(c.r.Installations, *i)
	}
}

// contradicts says which statement before i cannot be true of the same log beside it: a log only grows, and no leaf of it changes.
func (i *Installation) contradicts(before []Installation) error {
	for _, b := range before {
		if b.Origin == i.Origin && (b.Case != i.Case || b.Time != i.Time || b.Cases > i.Cases || b.Cases == i.Cases && b.Root != i.Root) {
			return fmt.Errorf("entry %d says otherwise of the same log: there are two histories of it", b.Seq)
		}
	}
	return nil
}

func (c *checker) installation(s stated) (*Installation, error) {
	st, err := evidence.ParseInstallationStatement(s.fields)
	if err != nil {
		return nil, err
	}
	text, _, err := trust.Verify([]byte(st.Note), c.keys)
	if err != nil {
		return nil, err
	}
	head, err := trust.ParseHead(text)
	switch {
	case err != nil:
		return nil, err
	case !evidence.IsInstallationOrigin(head.Origin):
		return nil, fmt.Errorf("the head is one of %q", head.Origin)
	case st.Leaf.Case != c.r.Case:
		return nil, fmt.Errorf("the leaf is of case %s", st.Leaf.Case)
	}
	if err := evidence.CheckInclusion(evidence.LeafHash([]byte(st.Leaf.String())), st.Leaf.Seq, head.Size, head.Root, st.Proof); err != nil {
		return nil, err
	}
	return &Installation{Seq: s.seq, Origin: head.Origin, Case: st.Leaf.Seq + 1, Cases: head.Size, Time: st.Leaf.Time.String(), Root: evidence.Hash(head.Root).String()}, nil
}
