package acquire_test

import (
	"context"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
)

// verified holds a case against the verifier, which shares no code with this package: whatever was done to the run, no rule of the container is broken, and every
// layout, payload hash and redaction is what the bytes say.
func (b *bench) verified() {
	b.t.Helper()
	folder, err := bag.OpenFolder(b.dir)
	if err != nil {
		b.t.Error(err)
		return
	}
	report, _, err := verify.Check(context.Background(), folder, verify.Options{Deep: true})
	if err != nil {
		b.t.Error(err)
		return
	}
	for _, f := range report.Findings {
		if f.Class == verify.Damage {
			b.t.Errorf("the verifier finds %+v", f)
		}
	}
}
