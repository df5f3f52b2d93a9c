package export

import (
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
)

// TestMailboxes: capital letters of ASCII make no other mailbox; the long s and the Kelvin sign, which Unicode folds, do.
func TestMailboxes(t *testing.T) {
	const source = "outlook-activities"
	got := Mailboxes([]verify.Window{{Source: source, User: "ask@x"}, {Source: "http"}, {Source: source, User: "me"}, {Source: source, User: "ASK@X"},
		{Source: source, User: "a\u017fk@x"}, {Source: source, User: "as\u212a@x"}}, source)
	if !slices.Equal(got, []string{"ask@x", "me", "a\u017fk@x", "as\u212a@x"}) {
		t.Errorf("%q", got)
	}
	for _, other := range got[1:] {
		if SameMailbox("ask@x", other) {
			t.Errorf("%q is taken for another", other)
		}
	}
	if !SameMailbox("Ask@x", "aSK@X") {
		t.Error("a mailbox is not found by another case of its letters")
	}
}
