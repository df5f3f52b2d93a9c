package views

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// What a record gives to the sorters. Each frame stands behind the next: its lengths, tag, key and value.
const (
	tagEvent = iota // an event: a row of the view, or a logon; by mailbox, time, time of creation, id
	tagSign         // a sign that a session is alive; by mailbox, session, time
	tagMail         // what a record says of a mail; by mailbox, item, preference
)

// gatherer makes frames of records. Each worker of the extraction has one of its own.
type gatherer struct {
	view       *view
	key, value []byte
}

// Append implements [extract.Encoder].
func (g *gatherer) Append(dst []byte, r *extract.Record) ([]byte, error) {
	p := g.view
	if p.user != "" && !export.SameMailbox(p.user, r.Mailbox) {
		return dst, nil
	}
	isEvent := p.takes(r.Type, r.SessionID) || isLogon(r.Type)
	if isEvent || p.dictionary && r.ItemID != "" {
		e := eventOf(r, p.seed)
		if p.dictionary && r.ItemID != "" && e.tellsOfMail() {
			g.key = appendKey(appendKey(g.key[:0], e.text[fMailbox]), e.text[fItem])
			g.key = appendInstant(append(g.key, mailTold, mailRank(r.Type)), e.at)
			g.key = append(g.key, r.Provenance.SHA256[:]...)
			m := e.ofMail()
			g.value = m.append(g.value[:0])
			dst = g.frame(dst, tagMail, &e)
		}
		if isEvent {
			p.trim(&e)
			g.key = append(e.orderKey(g.key[:0]), r.Provenance.SHA256[:]...)
			g.value = e.append(g.value[:0])
			dst = g.frame(dst, tagEvent, &e)
		}
	}
	if r.SessionID != "" && !isEvent {
		if at := parseInstant(r.Time); at.known() {
			e := event{at: at, seq: r.Provenance.Seq, offset: r.Provenance.Offset}
			e.set(fMailbox, export.FoldMailbox(r.Mailbox))
			e.set(fSession, r.SessionID)
			g.key = e.sessionKey(g.key[:0])
			g.value = append(g.value[:0], isSign)
			dst = g.frame(dst, tagSign, &e)
		}
	}
	return dst, nil
}

// frame appends a frame. Its key ends with where the record stands, which no two records share.
func (g *gatherer) frame(dst []byte, tag byte, e *event) []byte {
	g.key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(g.key, uint64(e.seq)), uint64(e.offset))
	dst = binary.LittleEndian.AppendUint32(append(dst, tag), uint32(len(g.key)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(g.value)))
	return append(append(dst, g.key...), g.value...)
}

const frameHead = 9

// eventOf makes an event of a record.
func eventOf(r *extract.Record, seed maphash.Seed) event {
	e := event{at: parseInstant(r.Time), made: noTime(), seq: r.Provenance.Seq, offset: r.Provenance.Offset, sha: r.Provenance.SHA256, copies: 1}
	e.set(fMailbox, export.FoldMailbox(r.Mailbox))
	e.set(fID, r.ID)
	e.set(fTime, r.Time)
	e.set(fType, r.Type)
	e.set(fApp, r.ClientApp)
	e.set(fSession, r.SessionID)
	e.set(fItem, r.ItemID)
	e.set(fAddress, r.ClientIP)
	e.set(fAgent, r.UserAgent)
	e.set(fSubject, r.Subject)
	e.set(fMessageID, r.MessageID)
	e.set(fPointer, r.Provenance.Pointer)
	e.says = maphash.Comparable(seed, [...]string{r.Type, r.ClientApp, r.SessionID, r.ItemID}) + maphash.Comparable(seed, e.at)
	e.properties(r.Details, seed)
	return e
}

// takes reports whether activities of a type are rows. What no client did is in no session.
func (v *view) takes(typ, session string) bool {
	return v.row(typ) && (v.order != bySession || typ != typeDelivered || session != "")
}

// trim takes away what the view does not show.
func (v *view) trim(e *event) {
	drop := []field{fRecipients}
	switch {
	case v.order == bySession:
		drop = []field{fUser, fMessageID, fReceived, fFolder, fRecipients}
	case v.Name == "delivered":
		drop = nil
	}
	for _, f := range drop {
		e.text[f] = ""
		e.cut &^= 1 << f
	}
}

// tellsOfMail reports whether an event says anything of the mail that its item is.
func (e *event) tellsOfMail() bool {
	return e.text[fSubject] != "" || e.text[fFrom] != "" || e.text[fReceived] != "" || e.text[fMessageID] != "" || e.text[fType] == typeDelivered
}

// frames hands frames on to the sorters. It implements io.Writer; each call brings whole frames.
type frames struct{ to [3]*sorter }

func (f *frames) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		k, v := int(binary.LittleEndian.Uint32(rest[1:])), int(binary.LittleEndian.Uint32(rest[5:]))
		key := rest[frameHead : frameHead+k]
		if err := f.to[rest[0]].add(key, rest[frameHead+k:frameHead+k+v]); err != nil {
			return 0, err
		}
		rest = rest[frameHead+k+v:]
	}
	return len(b), nil
}
