package views

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// What binds the events of a session together.
const (
	ofClient    = "client session" // the client's own session id; or a logon with one, by inference
	ofPlace     = "inferred"       // logons without session id, of one application from one address, less than half a day apart
	ofOneOf     = "ambiguous"      // the same candidates: the events belong to one of several sessions
	ofNobody    = "no logon"       // there is no logon that they could belong to
	ofTheDenied = "refused"        // logons that led to nothing
)

// sessionGroup is what binds a row to others, and the key of its session. ok is false for what no client did.
func (r *row) sessionGroup() (kind, key string, ok bool) {
	app := r.e.text[fApp]
	switch {
	case r.a.how == howService:
		return "", "", false
	case isLogon(r.e.text[fType]) && !r.e.admitted():
		return ofTheDenied, app + "\x00" + r.e.text[fAddress], true
	case r.e.text[fSession] != "":
		return ofClient, r.e.text[fSession], true
	case r.a.how == howAmbiguous:
		var all []string
		for i := range r.a.candidates {
			all = append(all, r.a.candidates[i].origin())
		}
		slices.Sort(all)
		return ofOneOf, app + "\x00" + strings.Join(all, "\x00"), true
	case r.a.how == howNone || r.a.how == howItself && !r.e.at.known():
		return ofNobody, app, true
	case r.a.session != "":
		return ofClient, r.a.session, true
	}
	return ofPlace, r.a.logon.origin(), true
}

// origin names the session of a logon, or its chain.
func (e *event) origin() string {
	if s := e.text[fSession]; s != "" {
		return s
	}
	return string(binary.BigEndian.AppendUint64(nil, e.chain))
}

// grouped are rows by their sessions.
type grouped struct {
	*sorter
	begun map[[sha256.Size]byte]bool // sessions that a row with the candidates was put to, of the latest ones
}

const maxBegun = 4096

// begins reports whether a row may be the first of its session.
func (g *grouped) begins(group []byte) bool {
	h := sha256.Sum256(group)
	if g.begun[h] {
		return false
	}
	if g.begun == nil || len(g.begun) == maxBegun {
		g.begun = make(map[[sha256.Size]byte]bool)
	}
	g.begun[h] = true
	return true
}

// addToSession puts a row to those of its session. Rows come in their order.
func addToSession(groups *grouped, r *row) error {
	kind, group, ok := r.sessionGroup()
	if !ok {
		return nil
	}
	groups.key0 = appendKey(appendKey(appendKey(groups.key0[:0], r.e.text[fMailbox]), kind), group)
	if r.a.candidates != nil && (kind != ofOneOf || !groups.begins(groups.key0)) {
		r.a.candidates, r.a.parts = nil, nil // the first row's are shown
	}
	groups.key0 = binary.BigEndian.AppendUint64(groups.key0, r.e.n)
	groups.value0 = appendInstant(r.a.append(r.e.append(appendText(groups.value0[:0], kind))), r.m.delivered)
	groups.value0 = append(groups.value0, bit(r.fresh), bit(r.from), bit(r.maybe))
	return groups.put()
}

// writeSessions makes a row of each session and writes them in the order of their first events. What is sorted by that are the finished rows, which are fewer than the events.
func (v *view) writeSessions(out *writer) error {
	groups, ordered := &grouped{sorter: v.room.sorter()}, v.room.sorter()
	joined := newLane(func(r *row) error {
		r.from, r.maybe = v.filter.from(r), v.filter.unsure(r) || v.filter.takes(r)
		return addToSession(groups, r)
	})
	if err := joined.end(v.join(joined.send)); err != nil {
		return err
	}
	var values []value
	finished := newLane(func(r *row) error {
		values = out.appendValues(values[:0], r)
		ordered.key0 = binary.BigEndian.AppendUint64(ordered.key0[:0], r.e.n)
		ordered.value0 = appendValues(ordered.value0[:0], values, out.format.json)
		return ordered.put()
	})
	err := finished.end(sessions(groups.sorter, func(s *session) error {
		if !v.showsSession(s) {
			return nil
		}
		for how, word := range howWords() {
			if n := s.how[how]; n > 0 {
				v.sum.How[word] += n
			}
		}
		return finished.send(s.row(), sessionTexts-s.room)
	}))
	if err != nil {
		return err
	}
	if err := groups.Close(); err != nil {
		return err
	}
	written := newLane(out.write)
	return written.end(ordered.each(func(_, b []byte) error {
		in, values := reader{string(b)}, make([]value, len(out.columns))
		in.values(values)
		return written.send(values, len(b))
	}))
}

// sessions makes sessions of the rows that stand together.
func sessions(groups *sorter, emit func(*session) error) error {
	var s *session
	var group []byte
	err := groups.each(func(key, value []byte) error {
		in := reader{string(value)}
		kind := in.text()
		var r row
		in.event(&r.e)
		in.attribution(&r.a)
		r.m.delivered = in.instant()
		r.fresh, r.from, r.maybe = in.s[0] != 0, in.s[1] != 0, in.s[2] != 0
		if g := key[:len(key)-8]; s == nil || string(g) != string(group) {
			if s != nil {
				if err := emit(s); err != nil {
					return err
				}
			}
			group, s = append(group[:0], g...), newSession(kind, &r)
		}
		s.take(&r)
		return nil
	})
	if err != nil || s == nil {
		return err
	}
	return emit(s)
}

// How much of one session is listed. What goes beyond is counted, and in omitted.
const (
	sessionTexts = 4 << 20 // bytes
	sessionList  = 1000    // entries of a list
	sessionGone  = 20_000  // items of which it is known that they were deleted
)

// session is what was done in one session.
type session struct {
	kind        string
	client      string // the session id, of ofClient
	first, last event  // what of them is shown
	events      int64
	inferred    int64 // of them, those that do not name the session themselves
	logons      int64
	copies      int64 // records that tell of the same events once more
	candidates  attribution
	how         [howCount]int64 // events by how they were attributed
	from, maybe bool            // whether a filter's addresses are those of one of its events; and whether one may be what is asked for

	apps, clients tally
	types         tally
	addresses     []*visited
	items         map[string]*displayed
	shown         []*displayed
	unlisted      int // of items, those that are not in shown
	seconds       instant
	displays      int64
	typing        typing
	searches      []*search
	acts          map[string]*deeds
	deleted       map[[sha256.Size]byte]instant // items, by their hashes
	observed      []observation
	observations  int64

	room    int
	omitted int64 // entries that were not listed
}

// visited is an address of the logons of a session.
type visited struct {
	address, since string
	fresh          bool
	logons         int64
}

// deed is something that was done to an item.
type deed struct {
	time, item, subject, action string
	seq                         int64
	pointer                     string
}

// deeds are all of one type.
type deeds struct {
	count int64
	list  []deed
}

// tally counts texts, in the order in which they came.
type tally struct {
	texts []string
	count map[string]int64
}

func newSession(kind string, r *row) *session {
	s := &session{kind: kind, first: r.e, items: map[string]*displayed{}, acts: map[string]*deeds{}, deleted: map[[sha256.Size]byte]instant{}, room: sessionTexts}
	switch kind {
	case ofOneOf:
		s.candidates = r.a
	case ofClient:
		if s.client = r.e.text[fSession]; s.client == "" {
			s.client = r.a.session
		}
	}
	return s
}

// fits reports whether there is room for another entry of a list, with these texts.
func (s *session) fits(entries int, texts ...string) bool {
	n := 64
	for _, t := range texts {
		n += len(t)
	}
	if entries >= sessionList || n > s.room {
		s.omitted++
		return false
	}
	s.room -= n
	return true
}

func (s *session) count(t *tally, text string) {
	if text == "" {
		return
	}
	if _, ok := t.count[text]; !ok {
		if !s.fits(len(t.texts), text) {
			return
		}
		if t.count == nil {
			t.count = map[string]int64{}
		}
		text = strings.Clone(text)
		t.texts = append(t.texts, text)
	}
	t.count[text]++
}

// take takes the next event of the session, in the order of time.
func (s *session) take(r *row) {
	e := &r.e
	if e.at.known() || s.events == 0 {
		s.last = *e
	}
	s.events++
	s.how[r.a.how]++
	s.from, s.maybe = s.from || r.from, s.maybe || r.maybe
	s.copies += e.copies - 1
	if s.kind == ofClient && e.text[fSession] == "" {
		s.inferred++
	}
	typ := e.text[fType]
	s.count(&s.apps, e.text[fApp])
	s.count(&s.clients, e.text[fAgent])
	s.count(&s.types, typ)
	s.observe(r)
	switch {
	case isLogon(typ):
		s.logon(r)
	case isReading(typ):
		s.reading(r)
	case isSearch(typ):
		s.search(e)
	}
	if listed(typ) {
		s.act(r)
	}
	if typ == typeDelete && e.text[fItem] != "" && e.at.known() && len(s.deleted) < sessionGone {
		if item := sha256.Sum256([]byte(e.text[fItem])); s.deleted[item] == (instant{}) {
			s.deleted[item] = e.at
		}
	}
}

const typeDelete = "Delete"

// listed reports whether each event of a type is listed.
func listed(typ string) bool {
	switch typ {
	case typeAttachment, "MessageSent", typeDelete, "Move", "Forward", "LinkClicked":
		return true
	}
	return false
}

func (s *session) act(r *row) {
	e := &r.e
	a := s.acts[e.text[fType]]
	if a == nil {
		a = &deeds{}
		s.acts[e.text[fType]] = a
	}
	a.count++
	subject := e.text[fSubject]
	if s.fits(len(a.list), e.text[fTime], e.text[fItem], subject, e.text[fAction], e.text[fPointer]) {
		a.list = append(a.list, deed{strings.Clone(e.text[fTime]), strings.Clone(e.text[fItem]), strings.Clone(subject), strings.Clone(e.text[fAction]), e.seq, strings.Clone(e.text[fPointer])})
	}
}

func (s *session) logon(r *row) {
	s.logons++
	address := r.e.text[fAddress]
	if address == "" {
		return // it does not say where from
	}
	for _, v := range s.addresses {
		if v.address == address {
			v.logons++
			return
		}
	}
	if s.fits(len(s.addresses), address) {
		s.addresses = append(s.addresses, &visited{strings.Clone(address), strings.Clone(r.e.text[fTime]), r.fresh, 1})
	}
}

func (s *session) search(e *event) {
	q := s.typing.take(e, e.n)
	f := q.told
	if f == nil {
		if !s.fits(len(s.searches), e.text[fQuery], e.text[fSearch]) {
			return
		}
		f = &search{id: q.guess}
		q.told = f
		s.searches = append(s.searches, f)
	}
	before := len(f.final)
	f.learn(e)
	s.room -= max(0, len(f.final)-before)
	if q.id != "" {
		f.id = q.id
	}
}

// observation is something that a reader should look at. It says what the records say, not what that means.
type observation struct {
	code, text string
	seq        int64
	pointer    string
}

// remark notes an observation about an event.
func (s *session) remark(e *event, code, text string) {
	s.observations++
	text += ": " + e.text[fType] + " at " + cmp.Or(e.text[fTime], "a time that is not known")
	if s.fits(len(s.observed), code, text, e.text[fPointer]) {
		s.observed = append(s.observed, observation{code, text, e.seq, strings.Clone(e.text[fPointer])})
	}
}

// observe looks at an event for what is new, or cannot be.
func (s *session) observe(r *row) {
	e := &r.e
	if r.fresh {
		s.remark(e, "new-address", "no earlier logon from "+e.text[fAddress]+" that led to anything is among what was acquired of this mailbox")
	}
	if isLogon(e.text[fType]) && s.kind == ofClient && e.text[fAddress] != "" && len(s.addresses) > 0 && !slices.ContainsFunc(s.addresses, func(v *visited) bool { return v.address == e.text[fAddress] }) {
		s.remark(e, "address-change", "one session has logons from "+s.addresses[0].address+" and from "+e.text[fAddress])
	}
	if r.a.how == howSession && r.a.gap.sec < 0 {
		s.remark(e, "before-logon", "an event of the session lies before its first logon, by "+instant{}.minus(r.a.gap).seconds()+" s")
	}
	item := e.text[fItem]
	if d := r.m.delivered; item != "" && d.known() && e.at.known() && e.at.before(d) && e.text[fType] != typeDelivered {
		s.remark(e, "before-delivery", "an item was acted on before it was delivered, by "+d.minus(e.at).seconds()+" s")
	}
	if item != "" && s.gone(e) && e.text[fType] != readingEnd { // which is what a deletion leads to
		s.remark(e, "after-deletion", "an item was acted on after it was deleted in this session")
	}
	if e.at.known() && e.made.known() && e.made.before(e.at) {
		s.remark(e, "created-before", "the record says that it was created before the event")
	}
	if e.differs {
		s.remark(e, "records-differ", "records with the same id say different things")
	}
}

// gone reports whether the item of an event was deleted in this session before.
func (s *session) gone(e *event) bool {
	if len(s.deleted) == 0 || !e.at.known() {
		return false
	}
	at, ok := s.deleted[sha256.Sum256([]byte(e.text[fItem]))]
	return ok && at.before(e.at)
}

// row is the session as a row. It takes nothing any more.
func (s *session) row() *row {
	s.items, s.deleted = nil, nil
	return &row{e: s.first, x: s}
}
