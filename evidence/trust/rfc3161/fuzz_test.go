package rfc3161_test

import (
	"testing"

	"github.com/digitorus/timestamp"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// FuzzParse holds Parse against another library: what is accepted here is accepted there, with the same time and imprint.
func FuzzParse(f *testing.F) {
	id, q := identity(f, authority.Options{}), query(f)
	for _, change := range []func(*authority.Reply){
		func(*authority.Reply) {}, func(r *authority.Reply) { r.NoToken, r.Status, r.Failure, r.Text = true, 2, 14, "busy" }, func(r *authority.Reply) { r.Certificates = nil },
		func(r *authority.Reply) { r.Signers = 2 }, func(r *authority.Reply) { r.Accuracy, r.Nonce, r.Time = 0, nil, "20261126100000Z" },
	} {
		r := id.Reply(q, stamped)
		change(r)
		f.Add(encode(f, r))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ours, err := rfc3161.Parse(raw)
		if err != nil {
			return
		}
		theirs, err := timestamp.ParseResponse(raw)
		if err != nil {
			t.Fatalf("accepted here alone: %v", err)
		}
		if !theirs.Time.Equal(ours.Time) || string(theirs.HashedMessage) != string(ours.Imprint[:]) {
			t.Errorf("%v and %v", theirs, ours)
		}
	})
}

func FuzzQuery(f *testing.F) {
	q := query(f)
	raw, err := q.DER()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := rfc3161.ParseQuery(raw)
		if err != nil || q.Nonce == nil {
			return
		}
		again, err := q.DER()
		if err != nil {
			t.Fatal(err)
		}
		if p, err := rfc3161.ParseQuery(again); err != nil || p.Imprint != q.Imprint || p.Nonce.Cmp(q.Nonce) != 0 || !p.Policy.Equal(q.Policy) {
			t.Errorf("%v, %v", p, err)
		}
	})
}
