package views

import (
	"encoding/binary"

	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// mail is what the records of a mailbox say of one of its items, whatever their types.
type mail struct {
	text [mailCount]string // in the order of mailFields
	cut  uint32            // as of an event

	// Of the record that is believed first: its type and where it stands.
	typ, pointer string
	seq          int64
	delivered    instant // the time of the first delivery, if there is a record of one
}

const mailCount = 5

// mailFields are the fields of an event that are of the mail.
func mailFields() [mailCount]field {
	return [mailCount]field{fSubject, fFrom, fReceived, fMessageID, fFolder}
}

// What stands in mails.told.
const (
	mailTold  = iota // what a record says
	mailAsked        // by a row
)

// mailRank says whom to believe first: the record of the delivery has everything, sent items have none.
func mailRank(typ string) byte {
	if typ == typeDelivered {
		return 0
	}
	return 1
}

// mails is the dictionary of mails by mailbox and item.
type mails struct {
	told   *sorter // by mailbox, item: what records say, in the order in which they are believed, then rows that ask
	result *sorter // by n: mails
	brief  bool    // nobody asks for more than subject, sender and delivery
}

func newMails(r *scratch, brief bool) *mails {
	return &mails{told: r.sorter(), result: r.sorter(), brief: brief}
}

// ask has the mail of a row looked up.
func (m *mails) ask(e *event) error {
	if e.text[fItem] == "" {
		return nil
	}
	to := m.told
	to.key0 = append(appendKey(appendKey(to.key0[:0], e.text[fMailbox]), e.text[fItem]), mailAsked)
	to.key0 = binary.BigEndian.AppendUint64(to.key0, e.n)
	return to.put()
}

// finish looks up everything that was asked. The result is by n.
func (m *mails) finish() error {
	var group []byte
	var is mail
	var e event
	err := m.told.each(func(key, value []byte) error {
		if len(group) == 0 || len(key) < len(group) || string(key[:len(group)]) != string(group) {
			group = append(group[:0], groupOf(key, 2)...)
			is = mail{delivered: noTime()}
		}
		if key[len(group)] == mailTold {
			decodeEvent(&e, value)
			is.learn(&e)
			return nil
		}
		answer := is
		if m.brief {
			answer = mail{typ: is.typ, delivered: is.delivered}
			copy(answer.text[:], is.text[:2])
		}
		m.result.value0 = answer.append(m.result.value0[:0])
		return m.result.add(key[len(key)-8:], m.result.value0)
	})
	if err != nil {
		return err
	}
	return m.told.Close()
}

// ofMail is what of an event its mail's entry is made of.
func (e *event) ofMail() event {
	m := event{at: e.at, seq: e.seq, cut: e.cut}
	for _, f := range [...]field{fType, fPointer, fSubject, fFrom, fReceived, fMessageID, fFolder} {
		m.text[f] = e.text[f]
	}
	return m
}

// learn takes what a record says, where none that is believed sooner said it.
func (m *mail) learn(e *event) {
	if e.text[fType] == typeDelivered && e.at.before(m.delivered) {
		m.delivered = e.at
	}
	for i, f := range mailFields() {
		if m.text[i] == "" {
			m.text[i] = e.text[f]
			m.cut |= e.cut & (1 << f)
		}
	}
	if m.typ == "" && e.text[fSubject]+e.text[fFrom]+e.text[fReceived]+e.text[fMessageID] != "" {
		m.typ, m.seq, m.pointer = e.text[fType], e.seq, e.text[fPointer]
	}
}

// fill puts what is known of the mail where the event itself says nothing. Where a mail was delivered to, its delivery alone can say.
func (m *mail) fill(e *event) {
	for i, f := range mailFields() {
		if e.text[f] == "" && (f != fFolder || e.text[fType] != typeDelivered) {
			e.text[f] = m.text[i]
			e.cut |= m.cut & (1 << f)
		}
	}
}

func (m *mail) append(b []byte) []byte {
	for _, s := range m.text {
		b = appendText(b, s)
	}
	b = appendText(appendText(b, m.typ), m.pointer)
	return appendInstant(binary.AppendUvarint(binary.AppendVarint(b, m.seq), uint64(m.cut)), m.delivered)
}

func (r *reader) mail(m *mail) {
	for i := range m.text {
		m.text[i] = r.text()
	}
	m.typ, m.pointer = r.text(), r.text()
	m.seq, m.cut, m.delivered = r.varint(), uint32(r.uvarint()), r.instant()
}

// byNumber reads results, which are keyed by n, beside the rows.
type byNumber struct {
	rows *sortfile.Rows
	more bool
}

func numbered(s *sorter) (*byNumber, error) {
	in, err := s.Rows()
	if err != nil {
		return nil, err
	}
	return &byNumber{in, in.Next()}, nil
}

// take returns the result for n, if there is one. It is asked with growing n.
func (b *byNumber) take(n uint64) (*reader, error) {
	for b.more && binary.BigEndian.Uint64(b.rows.Key()) < n {
		b.more = b.rows.Next()
	}
	if !b.more || binary.BigEndian.Uint64(b.rows.Key()) != n {
		return nil, b.rows.Err()
	}
	return &reader{string(b.rows.Value())}, nil
}
