package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

func codesOf(r *verify.Report) []string {
	var codes []string
	for _, f := range r.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func TestSealedSampleIsVerified(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	r, c, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Deep: true, Keys: []trust.VKey{key}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		t.Errorf("%s %s: %s", f.Code, f.Place(), f.Detail)
	}
	if r.Exit() != 0 || c == nil || !r.Sealed || r.Exchanges != 4 || r.Segments < 2 || len(r.Heads) != 1 || r.Heads[0].Heads < 3 || r.Heads[0].Size != r.Entries {
		t.Errorf("exit %d, container %v, sealed %v, %d exchanges, %d segments, %d heads", r.Exit(), c != nil, r.Sealed, r.Exchanges, r.Segments, len(r.Heads))
	}
}

func TestUnsealedSampleIsIncomplete(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	r, c, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := codesOf(r); !slices.Equal(got, []string{"unsealed"}) {
		t.Errorf("findings %v", got)
	}
	if r.Exit() != verify.ExitIncomplete || c == nil {
		t.Errorf("exit %d, container %v", r.Exit(), c != nil)
	}
}

// TestProofsHoldElsewhere lets x/mod check the audit path of every entry.
func TestProofsHoldElsewhere(t *testing.T) {
	ctx := context.Background()
	m := sample.Small(t)
	m.Seal()
	_, c, err := verify.Check(ctx, m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	for size := int64(1); size <= c.Len(); size += 5 {
		for seq := range size {
			p, err := c.Proof(ctx, seq, size)
			if err != nil {
				t.Fatal(err)
			}
			var path tlog.RecordProof
			for _, h := range p.Path {
				path = append(path, tlog.Hash(h))
			}
			if err := tlog.CheckRecord(path, size, tlog.Hash(p.Root), seq, tlog.Hash(p.Leaf)); err != nil {
				t.Errorf("entry %d of %d: %v", seq, size, err)
			}
		}
	}
}

func BenchmarkCheckSmall(b *testing.B) {
	m := sample.Small(b)
	m.Seal()
	files := m.Folder.FS()
	total := 0
	for _, f := range m.Folder.Files() {
		total += len(f)
	}
	b.ReportMetric(float64(total), "case-bytes")
	b.ReportAllocs()
	for b.Loop() {
		if r, _, err := verify.Check(context.Background(), files, verify.Options{}); err != nil || r.Exit() != 0 {
			b.Fatal(err, codesOf(r))
		}
	}
}

// TestMaxContent: a case that decodes to more than is allowed is not judged, and one byte more is enough.
func TestMaxContent(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	files := m.Folder.Files()
	size := int64(0)
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	for n := int64(1); files[evidence.SegmentPath(n)] != nil; n++ {
		b := files[evidence.SegmentPath(n)]
		r := warc.NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
		for {
			rec, err := r.Next(t.Context())
			if err != nil {
				break
			}
			size += int64(len(rec.Whole()))
		}
	}
	if _, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{MaxContent: size}); err != nil {
		t.Errorf("with room for all %d bytes: %v", size, err)
	}
	if _, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{MaxContent: size - 1}); !errors.Is(err, verify.ErrContent) {
		t.Errorf("with room for all but one of %d bytes: %v", size, err)
	}
}

// TestLaterWindows: statement (e) of a window that a later one made up for says so, and claims nothing of it.
func TestLaterWindows(t *testing.T) {
	m := sample.New(t, nil)
	asked := evidence.Window{User: "adele@contoso.example", Last: evidence.None}
	for i, state := range []string{evidence.Failed, evidence.Complete} {
		asked.State = evidence.Opened
		m.Window(int64(i+1), asked)
		asked.State = state
		m.Window(int64(i+1), asked)
	}
	m.Seal()
	r, _, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e := statement(r, "e"); e.Holds != verify.Yes || !strings.HasPrefix(e.Why, "1 of 2 windows say that they ended complete or empty; ") {
		t.Errorf("%s: %s", e.Holds, e.Why)
	}
	r, _, err = verify.Check(t.Context(), mapFS(laterWithheld(t)), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e := statement(r, "e"); e.Holds != verify.No || !strings.Contains(e.Why, "nothing later is known to have completed it") {
		t.Errorf("%s: %s", e.Holds, e.Why)
	}
}
