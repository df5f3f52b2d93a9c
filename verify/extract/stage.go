package extract

// stageLimit is about how many bytes of records a worker gathers before it hands them on.
const stageLimit = 1 << 20

// stage holds the records of a piece until their turn comes. Its memory is used again.
type stage struct {
	records      []staged
	texts        []byte // of columns and pointers
	details      []byte
	pages        int64
	problems     []Problem // the first ones
	problemCount int64
	source       string
	container    string
	native       bool // details also hold the JSON text of each record
}

// staged is one record. Spans are in texts, but that of details.
type staged struct {
	columns [colCount]span
	pointer span
	details span
	native  span // in details
	flags   Flags
	hasKey  bool
	seq     int64
	window  int64
	offset  int64
	length  int64
	sha256  [32]byte
	key     [32]byte // hash of source, mailbox and id (draft.idKey)
}

const stagedSize = 256

func (s *stage) size() int { return len(s.records)*stagedSize + len(s.texts) + len(s.details) }

// stageMark is a state of a stage to which it can go back.
type stageMark struct{ records, texts, details int }

func (s *stage) mark() stageMark { return stageMark{len(s.records), len(s.texts), len(s.details)} }

// undo takes back the records that were added since.
func (s *stage) undo(m stageMark) {
	s.records, s.texts, s.details = s.records[:m.records], s.texts[:m.texts], s.details[:m.details]
}

func (s *stage) clear() {
	if s.size() > 4*stageLimit {
		*s = stage{native: s.native}
	}
	s.undo(stageMark{})
	s.pages, s.problemCount, s.problems = 0, 0, s.problems[:0]
}

// record makes record i. texts is the text of all of them.
func (s *stage) record(r *Record, i int, texts string) {
	t := &s.records[i]
	text := func(c column) string { return texts[t.columns[c].from:t.columns[c].to] }
	r.Source = s.source
	r.ID, r.Time, r.Type = text(colID), text(colTime), text(colType)
	r.User, r.Mailbox = text(colUser), text(colMailbox)
	r.ClientIP, r.ClientApp, r.UserAgent = text(colClientIP), text(colClientApp), text(colUserAgent)
	r.SessionID, r.ItemID = text(colSessionID), text(colItemID)
	r.Subject, r.MessageID = text(colSubject), text(colMessageID)
	r.Details = s.details[t.details.from:t.details.to]
	r.Window, r.Native = t.window, nil
	if t.native.from < t.native.to {
		r.Native = s.details[t.native.from:t.native.to]
	}
	r.Flags = t.flags
	r.Provenance = Provenance{
		Container: s.container, Seq: t.seq, Pointer: texts[t.pointer.from:t.pointer.to],
		Offset: t.offset, Length: t.length, SHA256: t.sha256,
	}
}
