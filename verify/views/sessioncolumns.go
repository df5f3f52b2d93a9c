package views

import (
	"cmp"
	"fmt"
)

// sessionColumns are those of the view of sessions.
func sessionColumns() []column {
	of := func(title, key string, inside bool, get func(*session) value) column {
		return column{title, key, inside, func(r *row) value { return get(r.x) }}
	}
	count := func(title, key, typ string) column {
		return of(title, key, false, func(s *session) value { return number(s.acts[typ].total()) })
	}
	acts := func(title, key, typ string) column {
		return of(title, key, true, func(s *session) value { return s.acts[typ].entries() })
	}
	return []column{
		of("Mailbox", "mailbox", false, func(s *session) value { return text(s.first.text[fMailbox]) }),
		of("First Event", "first_event", false, func(s *session) value { return text(s.first.text[fTime]) }),
		of("Last Event", "last_event", false, func(s *session) value { return text(s.last.text[fTime]) }),
		of("Kind", "kind", false, func(s *session) value { return text(s.kind) }),
		of("Session", "session", false, (*session).id),
		of("Addresses", "addresses", false, (*session).visits),
		of("Applications", "applications", false, func(s *session) value { return list(s.apps.texts) }),
		of("Clients", "clients", true, func(s *session) value { return list(s.clients.texts) }),
		of("Events", "events", false, func(s *session) value { return number(s.events) }),
		of("Inferred Events", "inferred_events", true, func(s *session) value { return number(s.inferred) }),
		of("Logons", "logons", false, func(s *session) value { return number(s.logons) }),
		of("Searches", "searches", false, (*session).found),
		of("Displays", "displays", false, func(s *session) value { return number(s.displays) }),
		of("Displayed Seconds", "displayed_seconds", false, func(s *session) value { return span(s.seconds) }),
		of("Items Displayed", "items_displayed", true, (*session).read),
		count("Attachments", "attachments_count", typeAttachment), acts("Attachments Opened", "attachments", typeAttachment),
		count("Sent", "sent_count", "MessageSent"), acts("Messages Sent", "sent", "MessageSent"),
		count("Deleted", "deleted_count", typeDelete), acts("Items Deleted", "deleted", typeDelete),
		count("Moved", "moved_count", "Move"), acts("Items Moved", "moved", "Move"),
		count("Forwarded", "forwarded_count", "Forward"), acts("Items Forwarded", "forwarded", "Forward"),
		count("Links", "links_count", "LinkClicked"), acts("Links Clicked", "links", "LinkClicked"),
		of("Types", "types", true, (*session).typesCounted),
		of("Observations", "observations_count", false, func(s *session) value { return number(s.observations) }),
		of("Observed", "observations", true, (*session).remarks),
		{"Candidates", "candidates", true, func(r *row) value { return candidates(&row{a: r.x.candidates}) }},
		of("Candidates Cut", "candidates_cut", true, func(s *session) value { return truth(s.candidates.cut) }),
		of("Copies", "further_copies", true, func(s *session) value { return number(s.copies) }),
		of("Omitted", "omitted", true, func(s *session) value { return number(s.omitted) }),
		{"provenance_container", "provenance_container", true, func(r *row) value { return text(r.caseID) }},
		{"Seq", "provenance_seq", false, func(r *row) value { return number(r.e.seq) }},
		{"provenance_pointer", "provenance_pointer", true, func(r *row) value { return text(r.e.text[fPointer]) }},
		of("Last Seq", "last_seq", true, func(s *session) value { return number(s.last.seq) }),
		of("Last Pointer", "last_pointer", true, func(s *session) value { return text(s.last.text[fPointer]) }),
	}
}

// id is the id that the client gave the session.
func (s *session) id() value {
	if s.kind != ofClient {
		return text("")
	}
	return text(s.client)
}

func (s *session) visits() value {
	var all []entry
	for _, v := range s.addresses {
		all = append(all, object(v.address, "address", v.address, "since", v.since, "logons", v.logons, "new", v.fresh))
	}
	return entries(all)
}

func (s *session) found() value {
	var all []entry
	for _, f := range s.searches {
		all = append(all, object(f.final, "query", f.final, "query_from", f.how, "search", f.id, "first_keystroke", f.first, "last_keystroke", f.last, "keystrokes", f.keystrokes))
	}
	return entries(all)
}

func (s *session) read() value {
	var all []entry
	for _, d := range s.shown {
		unended := d.unended
		if d.open {
			unended++
		}
		text := fmt.Sprintf("%s (%s s", cmp.Or(d.subject, d.item), d.shown.seconds())
		if unended > 0 {
			text += fmt.Sprintf(", %d without end", unended)
		}
		all = append(all, object(text+")",
			"item", d.item, "subject", d.subject, "from", d.from, "since", d.since, "displays", d.displays, "seconds", d.shown, "without_end", unended))
	}
	return entries(all)
}

func (a *deeds) total() int64 {
	if a == nil {
		return 0
	}
	return a.count
}

func (a *deeds) entries() value {
	if a == nil {
		return entries(nil)
	}
	var all []entry
	for _, d := range a.list {
		text := d.time + " " + cmp.Or(d.subject, d.item)
		if d.action != "" {
			text += " (" + d.action + ")"
		}
		all = append(all, object(text, "time", d.time, "item", d.item, "subject", d.subject, "action", d.action, "seq", d.seq, "pointer", d.pointer))
	}
	return entries(all)
}

func (s *session) typesCounted() value {
	var all []entry
	for _, t := range s.types.texts {
		n := s.types.count[t]
		all = append(all, object(fmt.Sprintf("%s %d", t, n), "type", t, "count", n))
	}
	return entries(all)
}

func (s *session) remarks() value {
	var all []entry
	for _, o := range s.observed {
		all = append(all, object(o.text, "code", o.code, "text", o.text, "seq", o.seq, "pointer", o.pointer))
	}
	return entries(all)
}
