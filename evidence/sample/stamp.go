package sample

import (
	"context"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// Authority is the time-stamping authority with this seed.
func Authority(t testing.TB, seed byte, o authority.Options) *authority.Identity {
	t.Helper()
	id, err := authority.NewIdentity(Rand(seed), o)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Token is a timestamp over data at the maker's time, in which change may alter the answer; nil changes nothing.
func (m *Maker) Token(id *authority.Identity, data []byte, change func(*authority.Reply)) (der []byte, nonce string) {
	m.t.Helper()
	q, err := rfc3161.NewQuery(Rand(byte(len(data))), data)
	if err != nil {
		m.t.Fatal(err)
	}
	r := id.Reply(q, m.now())
	if change != nil {
		change(r)
	}
	if der, err = r.DER(); err != nil {
		m.t.Fatal(err)
	}
	return der, q.Nonce.Text(16)
}

// Stamp has the newest head stamped, and returns its size.
func (m *Maker) Stamp(id *authority.Identity, change func(*authority.Reply)) int64 {
	m.t.Helper()
	ctx := context.Background()
	head, err := m.W.Newest(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	der, nonce := m.Token(id, []byte(head.Note), change)
	err = m.W.Stamp(ctx, evidence.Stamp{Size: head.Size, DER: der, Authority: "http://tsa.example/", Nonce: nonce, Operator: "jo", Host: "host.example"})
	if err == nil {
		err = m.W.Settle(ctx)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return head.Size
}

// SealStamped seals with a token over the final head and closes the case.
func (m *Maker) SealStamped(id *authority.Identity, change func(*authority.Reply)) {
	m.t.Helper()
	o := SealOptions(m.t)
	o.Stamp = func(_ context.Context, head *evidence.Checkpoint) [][]byte {
		der, _ := m.Token(id, []byte(head.Note), change)
		return [][]byte{der}
	}
	if err := m.W.Seal(context.Background(), o); err != nil {
		m.t.Fatal(err)
	}
	m.Close()
}
