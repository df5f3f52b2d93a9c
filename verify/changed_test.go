package verify_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// swapped is a case that is exchanged for another one.
type swapped struct{ fs.FS }

// TestEntryOfAnotherCase: once a case was checked, nothing is handed out of another one that lies in its place, though that agrees with itself.
func TestEntryOfAnotherCase(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	f := m.Forge()
	f.Find(t, `"Operation":"Search"`).Replace(t, "Search", "Forged")
	forged := f.Build(t)
	for _, name := range []string{seg1, seg2} { // no shorter than what was checked
		forged[name] = append(forged[name], make([]byte, 1000)...)
	}
	place := &swapped{mapFS(m.Folder.Files())}
	_, c, err := verify.Check(t.Context(), place, verify.Options{})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	checked := map[int64]string{}
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		checked[e.Head.Seq] = string(e.HeadLine)
	}
	place.FS = mapFS(forged)
	other := 0
	for seq := range c.Len() {
		e, err := c.Entry(t.Context(), seq)
		switch {
		case errors.Is(err, verify.ErrChanged):
			other++
		case err != nil:
			t.Errorf("entry %d: %v", seq, err)
		case string(e.HeadLine) != checked[seq]:
			t.Errorf("entry %d of another case was handed out", seq)
		}
		if p, err := c.Proof(t.Context(), seq, seq+1); err == nil {
			t.Errorf("a proof in another case, with root %s", p.Root)
		}
	}
	if other == 0 {
		t.Error("the exchange of the case was not noticed at all")
	}
}
