package verify

import (
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// TestStampEntriesAreBounded: the last timestamp that a case may state is taken, and the next one is a finding. A case that holds as many is not made for it.
func TestStampEntriesAreBounded(t *testing.T) {
	op := &evidence.Operator{Action: evidence.ActionStamp, Fields: []evidence.Pair{
		{Name: "head", Value: "8"}, {Name: "file", Value: "8.tsr"}, {Name: "authority", Value: "https://tsa.example"}, {Name: "nonce", Value: "1"}}}
	e := &evidence.Entry{Head: evidence.Head{Seq: 9, Kind: evidence.KindOperator}, Body: op}
	e.Detail = evidence.Detail{Records: []evidence.RecordRef{{Type: warc.Resource, URI: evidence.StampURI, ContentType: rfc3161.ReplyType}}}
	for there, findings := range map[int]int{maxStampEntries - 1: 0, maxStampEntries: 1} {
		r := rules{r: &Report{}, batch: &evidence.Batch{}, stamps: make([]stampEntry, there)}
		r.stamp(e, op)
		if len(r.r.Findings) != findings || len(r.stamps) != maxStampEntries {
			t.Errorf("with %d there: %d stated, %+v", there, len(r.stamps), r.r.Findings)
		}
	}
}
