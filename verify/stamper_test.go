package verify_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// stamper is the time-stamping authority beside a story, as far as whoever tells it can have heads stamped. A nil one stamps nothing.
type stamper struct {
	by     *authority.Identity
	before map[string][]byte // a case that is told anew: of the same heads there are tokens. nil where the authority stamps whatever comes
	at     string            // what it says of other heads, a GeneralizedTime; "" for the sample's clock, and, of a case that is told anew, for no token
	final  bool              // the final head alone is stamped
}

// head stamps the newest head, or leaves an entry that says that nothing came: the case told has as many entries either way.
func (s *stamper) head(t *testing.T, m *sample.Maker) {
	t.Helper()
	if s == nil || s.final {
		return
	}
	head, err := m.W.Newest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case s.before != nil && bytes.Equal(s.before[evidence.NotePath(head.Size)], []byte(head.Note)), s.before == nil && s.at == "":
		m.Stamp(s.by, nil)
	case s.at != "":
		m.Stamp(s.by, at(s.at))
	default:
		m.Operator(evidence.ActionStampFailed, "the authority did not answer")
	}
}

// seal ends the case.
func (s *stamper) seal(m *sample.Maker) {
	switch {
	case s == nil, s.before != nil && s.at == "":
		m.Seal()
	case s.at != "":
		m.SealStamped(s.by, at(s.at))
	default:
		m.SealStamped(s.by, nil)
	}
}
