package views

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// How an event was attributed to a logon.
const (
	howNone      = iota // there is no logon that it could belong to
	howItself           // it is a logon
	howSession          // a logon of the same client session
	howInferred         // the latest logon of the same application
	howAmbiguous        // one of several
	howService          // the service did it, no client
	howCount
)

// HowWords lists the words of the column "How", for tools that count them.
func HowWords() []string {
	words := howWords()
	return words[:]
}

func howWords() [howCount]string {
	return [howCount]string{"none", "itself", "same session", "inferred", "ambiguous", "service"}
}

// attribution says to which logon an event belongs.
type attribution struct {
	how byte
	gap instant // from the logon to the event
	// logon is the one; of howAmbiguous, the latest of those that are possible.
	logon event
	// candidates are all that are possible, the latest first; of howAmbiguous alone.
	candidates []event
	// parts are the sessions that the candidates are taken for a part of, where they do not name them themselves.
	parts []string
	// cut says that there may be more candidates than are listed.
	cut bool
	// session is that of the logon, or the one session at its address that can be meant.
	session string
}

const (
	// halfDay is how long, in seconds, a logon without session counts as alive before the next one of the same application from the same address.
	halfDay = 12 * 60 * 60
	// signIn is how long, in seconds, after a logon without session one with a session from the same address counts as the same sign-in: a browser leaves both.
	signIn = 60
	// maxAlive is how many logons of one application are held as possible at once.
	maxAlive = 256
	// maxGathered is how many of them are compared with each other, and listed.
	maxGathered = 64
	// maxCandidateBytes is how much of them is listed, texts and all. Those of a service take a few hundred bytes each.
	maxCandidateBytes = 128 << 10
)

const (
	typeServerLogon = "ServerLogon"
	typeLogon       = "Logon"
	typeDelivered   = "MessageDelivered"
)

func isLogon(typ string) bool { return typ == typeServerLogon || typ == typeLogon }

// admitted reports whether a logon can have led to anything: one that states another result than success cannot.
func (e *event) admitted() bool {
	r := e.text[fResult]
	return r == "" || strings.EqualFold(r, "success")
}

// plain reports whether a logon led to something, and names no session.
func (e *event) plain() bool { return e.admitted() && e.text[fSession] == "" }

// linker finds the logon of each event.
type linker struct {
	sessions *sorter // by mailbox, session, time: logons, rows, signs
	apps     *sorter // by mailbox, application, time: logons and when they end, rows that no session explains
	places   *sorter // by mailbox, application, address, time: logons
	result   *sorter // by n: attributions
	brief    bool    // of a logon nobody asks for more than which it is

	addressed bool // of brief: but for its address, which is asked for too
}

// What stands in linker.sessions and linker.apps.
const (
	isSign = iota
	isALogon
	isRow
)

func newLinker(r *scratch, brief bool) *linker {
	return &linker{sessions: r.sorter(), apps: r.sorter(), places: r.sorter(), result: r.sorter(), brief: brief}
}

// sessionKey is the key in linker.sessions, but for what makes it unique.
func (e *event) sessionKey(b []byte) []byte {
	return appendInstant(appendKey(appendKey(b, e.text[fMailbox]), e.text[fSession]), e.at)
}

// appKey is the key in linker.apps. Logons come before rows of the same time.
func (e *event) appKey(b []byte, what byte) []byte {
	b = appendInstant(appendKey(appendKey(b, e.text[fMailbox]), e.text[fApp]), e.at)
	return binary.BigEndian.AppendUint64(append(b, what), e.n)
}

// login is what of a logon is kept beside the events that it is attributed.
func (e *event) login() event {
	l := event{at: e.at, seq: e.seq, n: e.n}
	for _, f := range [...]field{fTime, fType, fApp, fSession, fAddress, fAgent, fPointer, fMailbox} {
		l.text[f] = e.text[f]
	}
	return l
}

// toLink is what of an event is needed to link it.
func (e *event) toLink() event {
	l := event{at: e.at, n: e.n}
	for _, f := range [...]field{fMailbox, fApp, fSession} {
		l.text[f] = e.text[f]
	}
	return l
}

// add takes an event, with its n. row says whether it is one of the view.
func (l *linker) add(e *event, row bool) error {
	logon := isLogon(e.text[fType])
	switch {
	case logon && row && (!e.plain() || !e.at.known()):
		if err := l.itself(e.login(), e.text[fSession]); err != nil {
			return err
		}
	case row && (!e.at.known() || e.text[fType] == typeDelivered && e.text[fSession] == ""):
		a := attribution{how: howNone}
		if e.at.known() {
			a.how = howService
		}
		return l.found(e.n, &a)
	}
	if !e.at.known() || logon && !e.admitted() {
		return nil
	}
	if logon {
		to, login := l.places, e.login()
		to.key0 = appendKey(appendKey(appendKey(to.key0[:0], e.text[fMailbox]), e.text[fApp]), e.text[fAddress])
		to.key0 = binary.BigEndian.AppendUint64(appendInstant(to.key0, e.at), e.n)
		to.value0 = login.append(append(to.value0[:0], bit(row)))
		if err := to.put(); err != nil {
			return err
		}
	}
	switch {
	case e.text[fSession] != "":
		return l.inSession(e, logon)
	case logon:
		return nil
	}
	small := e.toLink()
	l.apps.key0, l.apps.value0 = e.appKey(l.apps.key0[:0], isRow), small.append(l.apps.value0[:0])
	return l.apps.put()
}

func (l *linker) inSession(e *event, logon bool) error {
	what, small := byte(isRow), e.toLink()
	if logon {
		what, small = isALogon, e.login()
	}
	to := l.sessions
	to.key0 = binary.BigEndian.AppendUint64(append(e.sessionKey(to.key0[:0]), what), e.n)
	to.value0 = small.append(append(to.value0[:0], what))
	return to.put()
}

func (l *linker) found(n uint64, a *attribution) error {
	if l.brief && a.how != howAmbiguous {
		logon := event{chain: a.logon.chain, text: [fieldCount]string{fSession: a.logon.text[fSession]}}
		if l.addressed {
			logon.text[fAddress] = a.logon.text[fAddress]
		}
		a.logon = logon
	}
	l.result.key0, l.result.value0 = binary.BigEndian.AppendUint64(l.result.key0[:0], n), a.append(l.result.value0[:0])
	return l.result.put()
}

// finish links everything that was added. The result is by n.
func (l *linker) finish() error {
	for _, step := range []struct {
		link func() error
		done *sorter
	}{{l.bySession, l.sessions}, {l.byPlace, l.places}, {l.byApp, l.apps}} {
		if err := step.link(); err != nil {
			return err
		}
		if err := step.done.Close(); err != nil {
			return err
		}
	}
	return nil
}

// bySession attributes what happened in a session that a logon names. One stream goes ahead to the end of each session, the other follows.
func (l *linker) bySession() error {
	ahead, err := l.sessions.Rows()
	if err != nil {
		return err
	}
	behind, err := l.sessions.Rows()
	if err != nil {
		return err
	}
	for more := ahead.Next(); more; {
		var s linked
		group := slices.Clone(groupOf(ahead.Key(), 2))
		for ; more && string(groupOf(ahead.Key(), 2)) == string(group); more = ahead.Next() {
			s.look(ahead.Key()[len(group):], ahead.Value())
		}
		for range s.count {
			if !behind.Next() {
				return errors.Join(errShort, behind.Err())
			}
			if err := l.member(&s, behind.Value()); err != nil {
				return err
			}
		}
	}
	return errors.Join(ahead.Err(), behind.Err())
}

var errShort = errors.New("temporary file is shorter than what was written")

// linked is what is known of one client session.
type linked struct {
	count int64
	first *event // logon
	last  instant
	logon *event // the latest so far
}

// look takes an item that lies ahead.
func (s *linked) look(rest, value []byte) {
	s.count++
	s.last = readInstant(rest)
	if value[0] == isALogon && s.first == nil {
		s.first = new(event)
		decodeEvent(s.first, value[1:])
	}
}

// member attributes one item of a session.
func (l *linker) member(s *linked, value []byte) error {
	var e event
	switch value[0] {
	case isALogon:
		s.logon = &e
		decodeEvent(&e, value[1:])
		return l.enter(&e, s.last, e.text[fSession])
	case isRow:
		decodeEvent(&e, value[1:])
		logon := s.logon
		if logon == nil {
			logon = s.first
		}
		if logon == nil {
			return l.apps.add(e.appKey(nil, isRow), value[1:])
		}
		return l.found(e.n, &attribution{how: howSession, gap: e.at.minus(logon.at), logon: *logon, session: e.text[fSession]})
	}
	return nil
}

// byPlace finds out how long each logon without session is alive: to the next one of the same application from the same address, if that comes within half a day.
// Logons that are alive one after another are a chain.
func (l *linker) byPlace() error {
	var held event
	var group []byte
	row := false
	pass := func(end instant, session string) error {
		if group == nil || held.text[fSession] != "" {
			return nil
		}
		if row {
			if err := l.itself(held, session); err != nil {
				return err
			}
		}
		return l.enter(&held, end, session)
	}
	err := l.places.each(func(key, value []byte) error {
		var e event
		decodeEvent(&e, value[1:])
		end, session, g := held.at, "", groupOf(key, 3)
		e.chain = e.n
		if gap := e.at.minus(held.at).sec; string(g) == string(group) && gap < halfDay {
			end, e.chain = e.at, held.chain
			if gap < signIn {
				session = e.text[fSession]
			}
		}
		if err := pass(end, session); err != nil {
			return err
		}
		held, row, group = e, value[0] != 0, append(group[:0], g...)
		return nil
	})
	if err != nil {
		return err
	}
	return pass(held.at, "")
}

// enter gives a logon to those of its application, with the time until which it was in use and the session that it is taken for a part of.
func (l *linker) enter(e *event, end instant, session string) error {
	l.apps.key0, l.apps.value0 = e.appKey(l.apps.key0[:0], isALogon), e.append(appendText(appendInstant(l.apps.value0[:0], end), session))
	return l.apps.put()
}

// itself says that a row is a logon, and of which session.
func (l *linker) itself(logon event, session string) error {
	return l.found(logon.n, &attribution{how: howItself, logon: logon, session: session})
}

// byApp goes through the logons and the rest of the rows of each application, by time.
func (l *linker) byApp() error {
	var a application
	return l.apps.each(func(key, value []byte) error {
		if g := groupOf(key, 2); string(g) != string(a.group) {
			a = application{group: slices.Clone(g)}
		}
		if key[len(a.group)+instantSize] == isALogon {
			in := reader{string(value)}
			s := &source{end: in.instant(), session: in.text()}
			in.event(&s.logon)
			a.enter(s)
			return nil
		}
		var e event
		decodeEvent(&e, value)
		found := a.attribute(&e)
		return l.found(e.n, &found)
	})
}

// groupOf is the beginning of a key: so many texts.
func groupOf(key []byte, texts int) []byte {
	i := 0
	for texts > 0 {
		i += bytes.IndexByte(key[i:], 0) + 2
		if key[i-1] == 0 { // else it is one of the text
			texts--
		}
	}
	return key[:i]
}

// source is a logon with the time up to which something shows that it was in use.
type source struct {
	logon   event
	end     instant
	session string // that it is taken for a part of
}

// application is what is known of one application of a mailbox at a time.
type application struct {
	group  []byte
	alive  []*source // by the time of their logons; ended ones may be among them
	latest []*source // those with the latest logon; several if at the same time
	plain  []*source // likewise, of those without session
	lost   instant   // when the last of those ends that there was no room for
	any    bool      // whether lost is set
}

// enter takes a logon, in the order of time.
func (a *application) enter(s *source) {
	a.latest = newest(a.latest, s)
	if s.logon.text[fSession] == "" {
		a.plain = newest(a.plain, s)
	}
	if len(a.alive) >= maxAlive {
		a.alive = slices.DeleteFunc(a.alive, func(o *source) bool { return o.end.before(s.logon.at) })
	}
	if len(a.alive) >= maxAlive {
		if !a.any || a.lost.before(a.alive[0].end) {
			a.lost, a.any = a.alive[0].end, true
		}
		a.alive = slices.Delete(a.alive, 0, 1)
	}
	a.alive = append(a.alive, s)
}

// newest adds a logon to those of the latest time.
func newest(list []*source, s *source) []*source {
	if len(list) > 0 && list[0].logon.at != s.logon.at {
		list = list[:0]
	}
	if len(list) < maxAlive {
		list = append(list, s)
	}
	return list
}

// attribute says to which logon an event belongs that is in no session of which a logon is known.
func (a *application) attribute(e *event) attribution {
	latest := a.latest
	if e.text[fSession] != "" { // which is not that of any logon
		latest = a.plain
	}
	var possible []candidate
	for _, s := range slices.Backward(latest) {
		possible = addCandidate(possible, s)
	}
	for _, s := range slices.Backward(a.alive) {
		if !s.end.before(e.at) && (e.text[fSession] == "" || s.logon.text[fSession] == "") {
			possible = addCandidate(possible, s)
		}
	}
	found := attribution{how: howNone, cut: len(possible) == maxGathered || a.any && !a.lost.before(e.at)}
	possible = joined(possible)
	if len(possible) == 0 {
		return found
	}
	first := possible[0]
	found.how, found.logon, found.gap, found.session = howInferred, *first.logon, e.at.minus(first.logon.at), cmp.Or(first.session, first.taken)
	if len(possible) > 1 || found.cut {
		found.how, found.session = howAmbiguous, ""
		found.list(possible)
	}
	return found
}

// list lists candidates, as many as there is room for.
func (a *attribution) list(possible []candidate) {
	room := maxCandidateBytes
	a.candidates, a.parts = make([]event, 0, len(possible)), make([]string, 0, len(possible))
	for _, c := range possible {
		logon, part := *c.logon, ""
		logon.n, logon.text[fMailbox], logon.text[fApp] = 0, "", "" // which are the row's
		if logon.text[fSession] == "" {
			part = cmp.Or(c.session, c.taken)
		}
		room -= 64 + len(part)
		for _, t := range logon.text {
			room -= len(t)
		}
		if room < 0 && len(a.candidates) > 0 {
			a.cut = true
			return
		}
		a.candidates, a.parts = append(a.candidates, logon), append(a.parts, part)
	}
}

// candidate is a logon that an event may belong to.
type candidate struct {
	logon   *event
	session string // that the logon names
	taken   string // that it is taken for a part of
}

func (c candidate) address() string { return c.logon.text[fAddress] }

// addCandidate adds a logon, unless there is a later one of the same session, or of none, at the same address.
func addCandidate(list []candidate, s *source) []candidate {
	c := candidate{&s.logon, s.logon.text[fSession], s.session}
	for _, o := range list {
		if o.session == c.session && o.address() == c.address() {
			return list
		}
	}
	if len(list) == maxGathered {
		return list
	}
	return append(list, c)
}

// joined takes a logon without session and one with a session from the same address for one sign-in, if there is no other session there: a browser leaves both kinds.
func joined(list []candidate) []candidate {
	if len(list) < 2 {
		return list
	}
	var out []candidate
	gone := make(map[int]bool)
	for i, c := range list {
		if c.session != "" {
			continue
		}
		at := -1
		for j, o := range list {
			switch {
			case o.session == "" || o.address() != c.address():
			case at < 0:
				at = j
			default:
				at = len(list)
			}
		}
		switch {
		case at < 0:
		case at == len(list) || at < i:
			gone[i] = true
		default:
			list[i].session = list[at].session
			gone[at] = true
		}
	}
	for i, c := range list {
		if !gone[i] {
			out = append(out, c)
		}
	}
	return out
}

// append appends the attribution in the form that attribution reads.
func (a *attribution) append(b []byte) []byte {
	b = appendText(appendInstant(append(b, a.how, bit(a.cut)), a.gap), a.session)
	if a.how == howNone || a.how == howService {
		return b
	}
	b = binary.AppendUvarint(a.logon.append(b), uint64(len(a.candidates)))
	for i := range a.candidates {
		b = appendText(a.candidates[i].append(b), a.parts[i])
	}
	return b
}

func (r *reader) attribution(a *attribution) {
	*a = attribution{how: r.s[0], cut: r.s[1] != 0}
	r.s = r.s[2:]
	a.gap, a.session = r.instant(), r.text()
	if a.how == howNone || a.how == howService {
		return
	}
	r.event(&a.logon)
	if n := r.uvarint(); n > 0 {
		a.candidates, a.parts = make([]event, n), make([]string, n)
	}
	for i := range a.candidates {
		r.event(&a.candidates[i])
		a.parts[i] = r.text()
	}
}
