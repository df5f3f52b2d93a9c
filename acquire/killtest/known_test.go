package killtest

import (
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
)

// known reports whether all that a check calls damage is one of two known faults of package verify, told in docs/reliability.md: a torn tail is called damage where
// the whole batches of the same segment bring a notice, and a head is called missing that was signed while the check ran. It counts them. Opening the case, which
// every judgement goes on with, refuses real damage. When verify is mended, this file goes.
func (v *judge) known(r *verify.Report) bool {
	if r.Sealed || r.Exit() != verify.ExitDamaged {
		return false
	}
	for _, f := range r.Findings {
		tail := strings.HasPrefix(f.Code, "frame-") || f.Code == "record-unclaimed" || f.Code == "record-header"
		if f.Class == verify.Damage && !tail && f.Code != "head-missing" {
			return false
		}
	}
	v.faults++
	return true
}

// confess says how often the faults showed.
func confess(t *testing.T, faults int) {
	t.Helper()
	if faults > 0 {
		t.Logf("NOT TESTED: that %d checks of cases with a torn tail, or beside a writer, end with 4: they end with 3, a known fault of package verify", faults)
	}
}
