// Package rowtest makes batches for tests of the index, by hand and without a Writer: entries that decode, in batches that follow each other.
package rowtest

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// CaseID and Run are the ids that the entries carry.
const (
	CaseID = "0123456789abcdef0123456789abcdef"
	Run    = "00112233445566778899aabbccddeeff"
)

// Maker collects entries and cuts them into batches. Everything that it makes is a function of the calls.
type Maker struct {
	t       testing.TB
	batches []*evidence.Batch
	open    []*evidence.Entry
	seq     int64
	offset  int64
	prev    evidence.Hash
}

// New returns a Maker that fails t if an entry cannot be made.
func New(t testing.TB) *Maker { return &Maker{t: t, offset: 300} }

// At is when the entry seq begins: no whole second, so that every way to write a time with its fraction agrees.
func At(seq int64) evidence.Time {
	return evidence.At(time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC).Add(time.Duration(seq) * 1500 * time.Millisecond))
}

// Hash is a hash that depends on what it is called with.
func Hash(format string, args ...any) evidence.Hash {
	return sha256.Sum256(fmt.Appendf(nil, format, args...))
}

// Add appends an entry of the kind of its body with the given head; Seq, Kind, Start, End and Detail are filled in. types are those of its records; an
// exchange has request and response if none are given.
func (m *Maker) Add(h evidence.Head, body evidence.Body, types ...string) *evidence.Entry {
	m.t.Helper()
	raw, err := evidence.MarshalLine(body)
	if err != nil {
		m.t.Fatal(err)
	}
	h.Kind = body.Kind()
	if _, ok := body.(*evidence.Exchange); ok && len(types) == 0 {
		types = []string{"request", "response"}
	}
	return m.AddRaw(h, raw, types...)
}

// AddRaw is Add with the kind in the head and a body in JSON.
func (m *Maker) AddRaw(h evidence.Head, body []byte, types ...string) *evidence.Entry {
	m.t.Helper()
	d := evidence.Detail{Nonce: Hash("nonce %d", m.seq), Run: Run, Records: []evidence.RecordRef{}, Body: jsontext.Value(body)}
	var located []evidence.Located
	for i, typ := range types {
		ref := evidence.RecordRef{Type: typ, URI: "https://graph.microsoft.com/v1.0/auditLogs", Block: Hash("block %d %d", m.seq, i), BlockLength: 1000 + m.seq}
		if typ == "resource" {
			ref.URI, ref.ContentType = "urn:exhibit:certificates", "application/pem-certificate-chain"
		}
		d.Records = append(d.Records, ref)
		located = append(located, evidence.Located{Segment: 1, Offset: m.offset, Length: 700})
		m.offset += 700
	}
	detail, err := evidence.MarshalLine(d)
	if err != nil {
		m.t.Fatal(err)
	}
	h.Seq, h.Start, h.End, h.Detail = m.seq, At(m.seq), At(m.seq+1), sha256.Sum256(detail)
	head, err := evidence.MarshalLine(h)
	if err != nil {
		m.t.Fatal(err)
	}
	e, err := evidence.DecodeEntry(head, detail)
	if err != nil {
		m.t.Fatal(err)
	}
	e.Located = located
	m.open = append(m.open, e)
	m.seq++
	return e
}

// Cut makes the entries since the last Cut a batch.
func (m *Maker) Cut() {
	b := &evidence.Batch{BatchHead: evidence.BatchHead{
		Format: "exhibit-batch/1", Case: CaseID, Batch: int64(len(m.batches) + 1), Segment: 1,
		First: m.seq - int64(len(m.open)), Count: int64(len(m.open)), Time: At(m.seq), Prev: m.prev,
	}, Entries: m.open, Offset: m.offset, End: m.offset + 900, Hash: Hash("batch %d of %d", len(m.batches)+1, m.seq)}
	m.offset, m.prev, m.open = b.End, b.Hash, nil
	m.batches = append(m.batches, b)
}

// Batches returns the batches cut so far.
func (m *Maker) Batches() []*evidence.Batch { return m.batches }

// Each yields batches as readers of segments do.
func Each(batches []*evidence.Batch) iter.Seq2[*evidence.Batch, error] {
	return func(yield func(*evidence.Batch, error) bool) {
		for _, b := range batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// Exchange is the body of an exchange of a chain with everything filled in.
func Exchange(chain, page, attempt, retryOf int64) *evidence.Exchange {
	return &evidence.Exchange{
		Counter: chain*1000 + page, RequestID: fmt.Sprintf("00000000-0000-4000-8000-%012d", chain*1000+page), Connection: 2,
		URL:   fmt.Sprintf("https://graph.microsoft.com/v1.0/auditLogs/signIns?$top=100&$skiptoken=%d-%d", chain, page),
		Chain: chain, Page: page, Parent: evidence.None, Before: max(page-1, 0) * 100, Attempt: attempt, RetryOf: retryOf,
		Protocol: "http/1.1", Framing: "chunked", Ended: evidence.EndedComplete, Interim: []int64{}, Flags: []string{}, HeadOffset: 0,
		HeadLength: 300, Redactions: []evidence.Redaction{}, Claims: []evidence.Pair{},
	}
}

// Window is the body of a window entry.
func Window(state, reason string) *evidence.Window {
	return &evidence.Window{Acquisition: Hash("acquisition"), State: state, Reason: reason, User: "anna@example.com",
		From: "2026-01-01T00:00:00Z", To: "2026-02-01T00:00:00Z", Parameters: []evidence.Pair{{Name: "page_size", Value: "100"}}, Last: evidence.None}
}

// Sample makes a ledger of two windows with one kind of everything: exchanges pages over chains of both, every seventh answered 429 and tried
// again, in batches of at most perBatch entries.
func Sample(t testing.TB, exchanges, perBatch int) []*evidence.Batch {
	t.Helper()
	m := New(t)
	add := func(h evidence.Head, b evidence.Body, types ...string) int64 {
		seq := m.Add(h, b, types...).Head.Seq
		if len(m.open) == perBatch {
			m.Cut()
		}
		return seq
	}
	add(evidence.Head{}, &evidence.Case{Format: evidence.Format, Case: CaseID, Origin: evidence.Origin(CaseID), Fields: []evidence.Pair{{Name: "case_number", Value: "2026-7 \u00e9 \"x\""}},
		Keys: []string{}, TimeSources: []string{}, Tool: []evidence.Pair{}})
	add(evidence.Head{}, &evidence.Operator{Action: evidence.ActionRunStart, Text: "acquire", Operator: "ops", Host: "h", Fields: []evidence.Pair{}})
	add(evidence.Head{}, &evidence.Connection{Number: 1, Origin: "https://graph.microsoft.com", Remote: "192.0.2.1:443", Protocol: "http/1.1", Verified: true, Roots: "system"}, "resource")
	for w := range int64(2) {
		add(evidence.Head{Source: "m365", Window: w + 1}, Window(evidence.Opened, ""))
	}
	for i := range int64(exchanges) {
		h := evidence.Head{Source: "m365", Window: i%2 + 1, Method: "GET", Status: 200}
		chain, page := i/2%3, i/6+1
		retryOf := int64(evidence.None)
		if i%7 == 3 {
			h.Status = 429
			retryOf = add(h, Exchange(chain, page, 1, evidence.None), "request", "response")
			h.Status = 200
		}
		add(h, Exchange(chain, page, 1+i%7/3%2, retryOf), "request", "response")
	}
	add(evidence.Head{}, &evidence.Gap{Reason: evidence.GapUnclean, Text: "run did not end", LostRun: Run, InFlight: 4, Segment: 1})
	m.AddRaw(evidence.Head{Kind: "oracle"}, []byte(`{"x":[1,true,"y"]}`))
	add(evidence.Head{}, &evidence.Checkpoint{Size: 9, Note: "origin\n9\nroot\n\n\u2014 k sig\n"})
	closed := Window(evidence.Complete, "")
	closed.Requests, closed.Pages, closed.Records = int64(exchanges/2), 9, 900
	add(evidence.Head{Source: "m365", Window: 1}, closed)
	add(evidence.Head{Source: "m365", Window: 2}, Window(evidence.Partial, "throttled"))
	add(evidence.Head{}, &evidence.Seal{Counts: []evidence.KindCount{}, Segment: 1})
	if len(m.open) > 0 {
		m.Cut()
	}
	return m.Batches()
}
