package extract

import (
	"fmt"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// TestOnlyPagesThatWereTaken keeps answers out that are no pages: refused, cut, or replaced by a later attempt.
func TestOnlyPagesThatWereTaken(t *testing.T) {
	m := sample.New(t, nil)
	none := int64(evidence.None)
	answer := func(page, attempt, retryOf, status int64, id, ended string) int64 {
		body := fmt.Sprintf(`{"value":[{"Id":%q}]}`, id)
		return m.Exchange(sample.Answer{Page: page, Parent: none, Attempt: attempt, RetryOf: retryOf, Status: status, Ended: ended, Body: body,
			Head: fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d", status, len(body))})
	}
	answer(1, 1, none, 200, "taken", "")
	answer(2, 1, none, 503, "refused", "")
	cut := answer(2, 2, none, 200, "cut", "cut")
	broken := answer(2, 3, cut, 200, "replaced", "")
	answer(2, 4, broken, 200, "taken too", "")
	m.Close()
	_, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	var ids []string
	sum, err := Extract(t.Context(), c, Options{Sources: []string{"http"}}, func(r *Record) error {
		ids = append(ids, r.ID)
		if r.Provenance.Container != sample.CaseID {
			t.Errorf("container %q", r.Provenance.Container)
		}
		return nil
	})
	if err != nil || !slices.Equal(ids, []string{"taken", "taken too"}) || sum.Pages != 2 {
		t.Errorf("%v, %d pages, %v", ids, sum.Pages, err)
	}
}
