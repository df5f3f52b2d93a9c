package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// story is a case that an operator could make: an acquisition of pages, with heads on the way, and a remark. Whoever has the key can tell it in another way, from the
// first entry on or from some head on: the writer makes everything agree.
type story struct {
	caseID string
	key    byte     // seed of the signing key
	pages  []string // bodies of the answers
	note   string
	heads  int  // stop at so many heads; 0 for the whole story
	sealed bool // only of a whole story
	year   int  // that the clock is set to; 0 for the sample's own
	stamps *stamper
}

// dated is the honest story with the clock set to another year.
func dated(year int) story { s := honest(); s.year = year; return s }

// clock starts in the year and moves a second at each call.
func clock(year int) func() time.Time {
	at, mu := time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC), new(sync.Mutex)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}
}

// honest is the story as it was.
func honest() story {
	return story{caseID: sample.CaseID, key: 9, note: "handed over by the administrator", sealed: true,
		pages: []string{`{"value":[{"Id":"a1","Operation":"Logon"}]}`, `{"value":[{"Id":"a2","Operation":"Search"}]}`, `{"value":[{"Id":"a3","Operation":"MailItemsAccessed"}]}`}}
}

// tell makes the case. A head is signed after the case entry, after each page, and behind the remark.
func (s story) tell(t *testing.T) map[string][]byte {
	t.Helper()
	m := sample.NewOf(t, s.caseID, func(o *evidence.Options) {
		o.Signers, o.HeadEvery = []trust.Signer{sample.Key(t, s.key)}, 1000*time.Hour
		if s.year > 0 {
			o.Now = clock(s.year)
		}
	})
	left := s.heads
	head := func() bool {
		if err := m.W.Head(context.Background()); err != nil {
			t.Fatal(err)
		}
		if left--; left != 0 {
			s.stamps.head(t, m)
		}
		return left != 0
	}
	none := int64(evidence.None)
	window := evidence.Window{State: evidence.Opened, User: "adele@contoso.example"}
	last := none
	steps := []func(){func() {
		m.Operator(evidence.ActionRunStart, "exhibit acquire http")
		m.Connect()
		m.Window(1, window)
	}}
	for i, body := range s.pages {
		steps = append(steps, func() {
			last = m.Exchange(sample.Answer{Window: 1, Page: int64(i + 1), Parent: last, RetryOf: none, Status: 200, Body: body,
				Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(body))})
		})
	}
	steps = append(steps, func() {
		n := int64(len(s.pages))
		window.State, window.Requests, window.Pages, window.Records, window.Last = evidence.Complete, n, n, n, last
		m.Window(1, window)
		m.Operator(evidence.ActionNote, s.note)
		m.Operator(evidence.ActionRunStop, "finished")
	})
	for _, step := range steps {
		step()
		if !head() { // what comes behind this head was never written
			m.Close()
			return m.Folder.Files()
		}
	}
	if s.sealed {
		s.stamps.seal(m)
	} else {
		m.Close()
	}
	return m.Folder.Files()
}

// noteOver is the name of the n-th head of a case, from 1; 0 stands for the newest.
func noteOver(t *testing.T, files map[string][]byte, n int) string {
	t.Helper()
	if n == 0 {
		return newestNote(files)
	}
	sizes := noteSizes(files)
	if n > len(sizes) {
		t.Fatalf("the case has %d heads", len(sizes))
	}
	return evidence.NotePath(sizes[n-1])
}

func noteSizes(files map[string][]byte) []int64 {
	var sizes []int64
	for size := int64(1); size < 1000; size++ {
		if files[evidence.NotePath(size)] != nil {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// witnessed is when sample witnesses cosign.
var witnessed = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func cosigner(t *testing.T, seed byte) *trust.Cosigner {
	t.Helper()
	c, err := trust.NewCosigner(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), fmt.Sprintf("witness.example/w%d", seed))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cosign has a witness cosign a head, as it stands in the case, without asking whether it should.
func cosignNote(t *testing.T, c *trust.Cosigner, note []byte) []byte {
	t.Helper()
	text, _, _ := strings.Cut(string(note), "\n\n")
	line, err := c.Cosign(context.Background(), text+"\n", witnessed)
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(note), line...)
}

// keep puts the cosignature of a witness on the n-th head into stamps/.
func keep(t *testing.T, files map[string][]byte, c *trust.Cosigner, n int) {
	t.Helper()
	name := noteOver(t, files, n)
	size := evidence.NoteSize(strings.TrimPrefix(name, evidence.CheckpointsPath+"/"))
	files[evidence.WitnessPath(size, c.Key().ID())] = cosignNote(t, c, files[name])
}
