package views

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// field is a text of an event.
type field int

const (
	fMailbox field = iota
	fID
	fTime
	fType
	fApp
	fSession
	fItem
	fAddress
	fAgent
	fUser
	fSubject
	fMessageID
	fFrom
	fReceived
	fFolder
	fRecipients
	fQuery
	fSearch // id of the search session
	fResult
	fAction
	fPointer
	fieldCount
)

// fCreated is no text of an event: its field made is.
const fCreated = fieldCount

// fieldNames are those that the column "cut" shows.
func fieldNames() [fieldCount]string {
	return [fieldCount]string{
		"mailbox", "id", "time", "type", "app", "session", "item", "address", "client", "user", "subject", "message_id", "from", "received", "folder", "recipients",
		"query", "search", "result", "action", "pointer",
	}
}

// maxText is the longest text, in bytes, that a view shows. What is longer is cut, and the row says so.
const maxText = 8 << 10

// cutText is how much of a text that is too long is shown.
const cutText = 1 << 10

// instant is a point in time: seconds since 1970, and nanoseconds.
type instant struct {
	sec  int64
	nsec int32
}

// noTime is the time of an event that has none. It comes after all others.
func noTime() instant { return instant{sec: math.MaxInt64} }

func instantOf(t time.Time) instant { return instant{t.Unix(), int32(t.Nanosecond())} }

func (i instant) time() time.Time { return time.Unix(i.sec, int64(i.nsec)).UTC() }

func (i instant) known() bool { return i.sec != math.MaxInt64 }

func (i instant) before(j instant) bool { return i.sec < j.sec || i.sec == j.sec && i.nsec < j.nsec }

// minus is the time from j to i.
func (i instant) minus(j instant) instant {
	d := instant{i.sec - j.sec, i.nsec - j.nsec}
	if d.nsec < 0 {
		d.sec, d.nsec = d.sec-1, d.nsec+1e9
	}
	return d
}

// plus is a span that is longer by d.
func (i instant) plus(d instant) instant {
	i = instant{i.sec + d.sec, i.nsec + d.nsec}
	if i.nsec >= 1e9 {
		i.sec, i.nsec = i.sec+1, i.nsec-1e9
	}
	return i
}

// event is what views know of a record.
type event struct {
	text    [fieldCount]string
	at      instant
	made    instant // when the record says that it was created; noTime if it does not
	seq     int64
	offset  int64
	sha     [sha256.Size]byte
	says    uint64 // a hash of what the record says, whatever the order of its members
	cut     uint32 // bits of the fields that were cut
	copies  int64  // how many records tell of the event
	differs bool   // in other words
	also    []place
	n       uint64 // its place in the order of the view
	chain   uint64 // of a logon without session: the n of the first one of its chain
}

// place is where another record of an event stands.
type place struct {
	seq     int64
	pointer string
}

const maxAlso = 16 // places of further records that are listed

// set puts a text into a field, cut if it is too long. The hash of all of it then stands behind, so that what is different stays different.
func (e *event) set(f field, s string) {
	if len(s) > maxText {
		n := cutText
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = fmt.Sprintf("%s… sha256:%x", s[:n], sha256.Sum256([]byte(s)))
		e.cut |= 1 << f
	}
	e.text[f] = s
}

// Bits beside those of the fields.
const (
	hasHash = 1 << 31
	hasMade = 1 << 30
	hasSays = 1 << 29
)

// append appends the event in the form that decodeEvent reads.
func (e *event) append(b []byte) []byte {
	var have uint32
	if e.sha != [sha256.Size]byte{} {
		have = hasHash
	}
	if e.made != (instant{}) {
		have |= hasMade
	}
	if e.says != 0 {
		have |= hasSays
	}
	for f := range e.text {
		if e.text[f] != "" {
			have |= 1 << f
		}
	}
	b = binary.LittleEndian.AppendUint32(b, have)
	b = binary.LittleEndian.AppendUint32(b, e.cut)
	b = appendInstant(b, e.at)
	b = binary.AppendUvarint(binary.AppendUvarint(b, e.n), e.chain)
	b = binary.AppendVarint(b, e.seq)
	b = binary.AppendVarint(b, e.offset)
	if have&hasHash != 0 {
		b = append(b, e.sha[:]...)
	}
	if have&hasMade != 0 {
		b = appendInstant(b, e.made)
	}
	if have&hasSays != 0 {
		b = binary.LittleEndian.AppendUint64(b, e.says)
	}
	b = append(binary.AppendVarint(b, e.copies), bit(e.differs))
	b = binary.AppendUvarint(b, uint64(len(e.also)))
	for _, a := range e.also {
		b = appendText(binary.AppendVarint(b, a.seq), a.pointer)
	}
	for f, s := range e.text {
		if have&(1<<f) != 0 {
			b = appendText(b, s)
		}
	}
	return b
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader reads what append wrote, out of one string.
type reader struct{ s string }

func (r *reader) uint32() uint32 {
	v := binary.LittleEndian.Uint32([]byte(r.s[:4]))
	r.s = r.s[4:]
	return v
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; ; i++ {
		c := r.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return v
		}
	}
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) bytes(n int) string {
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) text() string { return r.bytes(int(r.uvarint())) }

func (r *reader) instant() instant { return readInstant([]byte(r.bytes(instantSize))) }

// event reads an event.
func (r *reader) event(e *event) {
	*e = event{}
	have := r.uint32()
	e.cut = r.uint32()
	e.at = r.instant()
	e.n, e.chain = r.uvarint(), r.uvarint()
	e.seq, e.offset = r.varint(), r.varint()
	if have&hasHash != 0 {
		copy(e.sha[:], r.bytes(len(e.sha)))
	}
	if have&hasMade != 0 {
		e.made = r.instant()
	}
	if have&hasSays != 0 {
		e.says = binary.LittleEndian.Uint64([]byte(r.bytes(8)))
	}
	e.copies = r.varint()
	e.differs = r.bytes(1) != "\x00"
	for range r.uvarint() {
		e.also = append(e.also, place{r.varint(), r.text()})
	}
	for f := range e.text {
		if have&(1<<f) != 0 {
			e.text[f] = r.text()
		}
	}
}

// decodeEvent reads an event that stands alone.
func decodeEvent(e *event, b []byte) {
	r := reader{string(b)}
	r.event(e)
}

const instantSize = 12

// appendInstant appends a time so that the order of the bytes is that of the times.
func appendInstant(b []byte, i instant) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(i.sec)^1<<63)
	return binary.BigEndian.AppendUint32(b, uint32(i.nsec))
}

func readInstant(b []byte) instant {
	return instant{int64(binary.BigEndian.Uint64(b) ^ 1<<63), int32(binary.BigEndian.Uint32(b[8:]))}
}

// orderKey is the key by which the events of a view stand: mailbox, time, when the record was created, id. Many times of the service are whole seconds: letters that were typed
// within one stand in the order in which they were recorded. The end of a display never comes before what else is so told of one time.
func (e *event) orderKey(b []byte) []byte {
	b = appendInstant(appendInstant(appendKey(b, e.text[fMailbox]), e.at), e.made)
	return appendKey(append(b, bit(e.text[fType] == readingEnd)), e.text[fID])
}

// appendKey appends a text so that the order of keys is that of texts, and no key is the beginning of another. A long one is replaced by its hash: it keeps its identity, not its place.
func appendKey(b []byte, s string) []byte {
	if len(s) > maxKey {
		h := sha256.Sum256([]byte(s))
		b = append(b, 0xff, 0xff) // in no UTF-8
		s = string(h[:])
	}
	for i := strings.IndexByte(s, 0); i >= 0; i = strings.IndexByte(s, 0) {
		b = append(append(b, s[:i+1]...), 0xff)
		s = s[i+1:]
	}
	return append(append(b, s...), 0, 0)
}

const maxKey = 512

// parseCreated reads the time at which a record says that it was created: RFC 3339 with zone, or else noTime.
func parseCreated(s string) instant {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return noTime()
	}
	return instantOf(t)
}

// parseInstant reads a time as a record has it (docs/records.md, Times): RFC 3339 with zone. A second 60 is the one after 59.
func parseInstant(s string) instant {
	if len(s) < len("2006-01-02T15:04:05Z") {
		return noTime()
	}
	n := func(from, to int) (v int) {
		for _, c := range []byte(s[from:to]) {
			v = v*10 + int(c-'0')
		}
		return v
	}
	t := time.Date(n(0, 4), time.Month(n(5, 7)), n(8, 10), n(11, 13), n(14, 16), n(17, 19), 0, time.UTC)
	rest, nsec, unit := s[19:], int32(0), int32(1e8)
	if rest[0] == '.' {
		for rest = rest[1:]; rest != "" && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
			nsec += int32(rest[0]-'0') * unit
			unit /= 10
		}
	}
	sec := t.Unix()
	if len(rest) == len("+00:00") {
		from := len(s) - len(rest)
		shift := int64(n(from+1, from+3)*3600 + n(from+4, from+6)*60)
		if rest[0] == '-' {
			shift = -shift
		}
		sec -= shift
	}
	return instant{sec, nsec}
}
