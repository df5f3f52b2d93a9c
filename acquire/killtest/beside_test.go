package killtest

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// slow is a folder whose reader is held up when it comes to the first segment.
type slow struct {
	fs.FS
	meanwhile func()
}

func (s slow) Open(name string) (fs.File, error) {
	if name == evidence.SegmentPath(1) {
		s.meanwhile()
	}
	return s.FS.Open(name)
}

// TestCheckWhileHeadIsSigned checks a case whose writer signs a head between the moment when the check lists the heads and the moment when it reads the segments.
func TestCheckWhileHeadIsSigned(t *testing.T) {
	s := newService(t)
	b, err := s.base("killed")
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCase(t.Context(), caseIn(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	r, _, err := verify.Check(t.Context(), slow{os.DirFS(caseIn(b.dir)), func() {
		once.Do(func() {
			if err := errors.Join(c.Note(t.Context(), "something new"), c.Writer().Head(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}}, verify.Options{})
	if err := errors.Join(err, c.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if r.Exit() != verify.ExitIncomplete {
		t.Errorf("the check ends with %d: %v", r.Exit(), codes(r))
	}
}
