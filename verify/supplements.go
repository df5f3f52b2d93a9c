package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Supplements is the earlier, sealed case that this one says it supplements. Its head is pinned thereby; who signed that cannot be told from this case.
type Supplements struct {
	Case    string   `json:"case"`    // id
	Entries int64    `json:"entries"` // that it was sealed with
	Root    string   `json:"root"`    // of the tree over them
	Names   []string `json:"names"`   // in which it is signed; unproven
}

// Words says that in one line, which quotes the case: escape it.
func (s *Supplements) Words() string {
	return fmt.Sprintf("supplements case %s, sealed with %s entries under the root %s; that head is pinned here, and the signatures that it bears (%s) can be checked with that case alone",
		s.Case, fmt.Sprint(s.Entries), s.Root, strings.Join(s.Names, ", "))
}

// supplements holds what a case entry says of an earlier case against docs/container.md, 4.10.
func (r *rules) supplements(e *evidence.Entry, b *evidence.Case) {
	for _, f := range b.Fields {
		if f.Name != evidence.FieldSupplements {
			continue
		}
		if r.r.Supplements != nil {
			r.fail(e, "two cases that this one supplements")
			return
		}
		s, err := supplementsOf(f.Value)
		if err == nil && s.Case == b.Case {
			err = errors.New("it is this case itself")
		}
		if err != nil {
			r.fail(e, "the case that this one supplements: %v", err)
			return
		}
		r.r.Supplements = s
	}
}

// supplementsOf reads a final head note of which no key is known.
func supplementsOf(note string) (*Supplements, error) {
	var unverified *trust.UnverifiedError
	if _, _, err := trust.Verify([]byte(note), nil); !errors.As(err, &unverified) {
		return nil, err
	}
	if len(note) > maxNote {
		return nil, fmt.Errorf("a note of more than %d bytes", maxNote)
	}
	head, err := trust.ParseHead(unverified.Text)
	if err != nil {
		return nil, err
	}
	id := strings.TrimPrefix(head.Origin, evidence.Origin(""))
	if evidence.Origin(id) != head.Origin || !evidence.IsID(id) || head.Size == 0 || head.Size > maxHeadSize {
		return nil, fmt.Errorf("it is no head of a case: %d entries of %q", head.Size, head.Origin)
	}
	s := &Supplements{Case: id, Entries: head.Size, Root: evidence.Hash(head.Root).String()}
	for i, sig := range unverified.Signatures {
		for _, before := range unverified.Signatures[:i] {
			if before.Name == sig.Name && before.ID == sig.ID {
				return nil, fmt.Errorf("two signatures in the name of %q", sig.Name)
			}
		}
		s.Names = append(s.Names, sig.Name)
	}
	return s, nil
}
