package views

import (
	"math"
	"net/netip"
	"strings"
	"time"
)

// Filter chooses rows of a view. It does so when everything is attributed, and changes nothing that a row says. The zero value chooses all.
type Filter struct {
	// Start and End are the first instant, and the first one after the last, that rows are shown of; zero for no bound. Sessions are shown whole if they reach into that span.
	Start, End time.Time
	// Addresses are those of the logons that rows belong to: one of several that are possible is enough. Empty means any, and none. They are compared as [ParseAddress] reads them, others as texts.
	Addresses []string
	// Sessions are the client sessions that rows belong to: by their own id or, where they have none, by their logon's, of which again one of several is enough. Empty means any, and none.
	// In the view of sessions they are these sessions and no others.
	Sessions []string
}

// Left says what a [Filter] left out.
type Left struct {
	// Rows is how many rows of the view are not shown.
	Rows int64
	// Untimed is how many of them are left out because they have no time that can be read, where one is asked for.
	Untimed int64
	// Unsure is how many of them, of the time that was asked for, may be of the addresses and sessions all the same: no logon is known that they could belong to, or more than are
	// listed. Likewise sessions of which one is asked for by its id, and that may be a part of it.
	Unsure int64
}

// ParseAddress reads an IP address as records have it: perhaps in brackets, perhaps with a port, which does not count. An IPv4 address that is mapped to IPv6 is the IPv4 address.
// It reports false for any other text.
func ParseAddress(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap(), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			a, err := netip.ParseAddr(inner)
			return a.Unmap(), err == nil && a.Is6()
		}
	}
	return netip.Addr{}, false
}

// filter is a Filter that is ready for use.
type filter struct {
	timed      bool // whether there is a bound
	start, end instant
	addresses  map[netip.Addr]bool
	texts      map[string]bool // of addresses that are none
	sessions   map[string]bool
}

func newFilter(o *Filter) *filter {
	f := &filter{timed: !o.Start.IsZero() || !o.End.IsZero(), start: instant{sec: math.MinInt64}, end: noTime(),
		addresses: map[netip.Addr]bool{}, texts: map[string]bool{}, sessions: map[string]bool{}}
	if !o.Start.IsZero() {
		f.start = instantOf(o.Start)
	}
	if !o.End.IsZero() {
		f.end = instantOf(o.End)
	}
	var e event // which may have a text cut
	for _, s := range o.Addresses {
		if a, ok := ParseAddress(s); ok {
			f.addresses[a] = true
			continue
		}
		e.set(fAddress, s)
		f.texts[e.text[fAddress]] = true
	}
	for _, s := range o.Sessions {
		e.set(fSession, s)
		f.sessions[e.text[fSession]] = true
	}
	return f
}

// addressed reports whether it matters from where a logon is.
func (f *filter) addressed() bool { return len(f.addresses)+len(f.texts) > 0 }

// during reports whether what lasts from first to last is shown.
func (f *filter) during(first, last instant) bool {
	return !f.timed || first.known() && first.before(f.end) && !last.before(f.start)
}

// address reports whether the address of a logon is one that is asked for.
func (f *filter) address(s string) bool {
	if !f.addressed() {
		return true
	}
	if a, ok := ParseAddress(s); ok {
		return f.addresses[a]
	}
	return f.texts[s]
}

// session reports whether a client session is one that is asked for.
func (f *filter) session(id string) bool { return len(f.sessions) == 0 || f.sessions[id] }

// elsewhere reports whether a row names another session than those that are asked for.
func (f *filter) elsewhere(e *event) bool {
	return e.text[fSession] != "" && !f.session(e.text[fSession])
}

// from reports whether a row belongs to a logon from an address that is asked for, or may.
func (f *filter) from(r *row) bool {
	return r.anyLogon(func(logon *event, _ string) bool { return f.address(logon.text[fAddress]) })
}

// takes reports whether a row belongs to a session, and to a logon from an address, that are asked for. Of several possible logons one must be of both.
func (f *filter) takes(r *row) bool {
	if f.elsewhere(&r.e) {
		return false
	}
	named := r.e.text[fSession] != ""
	return r.anyLogon(func(logon *event, part string) bool {
		return f.address(logon.text[fAddress]) && (named || f.session(logon.text[fSession]) || f.session(part))
	})
}

// unsure reports whether it cannot be told that a row is of no session and of no logon from an address that are asked for.
func (f *filter) unsure(r *row) bool {
	return !f.elsewhere(&r.e) && (r.a.how == howNone || r.a.cut)
}

// anyLogon calls is for each logon that a row can belong to, with the session that the logon is taken for a part of, until it reports true. Where there is no logon it is called once, with an empty one.
func (r *row) anyLogon(is func(logon *event, part string) bool) bool {
	if r.a.how != howAmbiguous {
		return is(&r.a.logon, r.a.session)
	}
	for i := range r.a.candidates {
		if is(&r.a.candidates[i], r.a.parts[i]) {
			return true
		}
	}
	return false
}

// consider notes that a row is one of the view, and reports whether it is of the time that is asked for. Sessions are looked at as wholes, later.
func (v *view) consider(e *event) bool {
	if e.at.known() {
		if v.first == nil {
			v.first, v.last = new(e.at), new(e.at)
		}
		if e.at.before(*v.first) {
			*v.first = e.at
		}
		if v.last.before(e.at) {
			*v.last = e.at
		}
	}
	if v.order == bySession || v.filter.during(e.at, e.at) {
		return true
	}
	v.leave(e.at, false)
	return false
}

// leave notes that a row is not shown. unsure is as in Left.
func (v *view) leave(at instant, unsure bool) {
	v.sum.Left.Rows++
	switch {
	case v.filter.timed && !at.known():
		v.sum.Left.Untimed++
	case unsure:
		v.sum.Left.Unsure++
	}
}

// shows reports whether a row is shown that is of the time that is asked for.
func (v *view) shows(r *row) bool {
	if v.filter.takes(r) {
		return true
	}
	v.leave(r.e.at, v.filter.unsure(r))
	return false
}

// showsSession reports whether a session is shown.
func (v *view) showsSession(s *session) bool {
	f := v.filter
	switch {
	case !f.during(s.first.at, s.last.at):
		v.leave(s.first.at, false)
	case s.from && (len(f.sessions) == 0 || f.sessions[s.client]):
		return true
	default:
		v.leave(s.first.at, s.maybe)
	}
	return false
}
