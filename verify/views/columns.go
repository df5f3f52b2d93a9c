package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// row is an event of a view with all that belongs to it.
type row struct {
	caseID string
	e      event
	a      attribution
	m      mail
	s      search
	fresh  bool     // it is the first logon from its address
	x      *session // of the view of sessions

	from, maybe bool // what a filter asks of a session, as far as one of its rows knows
}

// column is one column of a view.
type column struct {
	title  string // in tables; those of Magic-Unicorn's reports stand as there
	key    string // in JSON Lines
	inside bool   // is left out of the format table
	get    func(*row) value
}

// of is a column of one of the event's texts.
func of(title, key string, f field) column {
	return column{title, key, false, func(r *row) value { return text(r.e.text[f]) }}
}

// hidden leaves a column out of tables.
func hidden(c column) column {
	c.inside = true
	return c
}

func date(r *row) value {
	d, _, _ := strings.Cut(r.e.text[fTime], "T")
	return text(d)
}

func clock(r *row) value {
	_, t, _ := strings.Cut(r.e.text[fTime], "T")
	return text(t)
}

// loginAddress is the address of the logon that the event was attributed to; if several are possible, all of theirs.
func loginAddress(r *row) value {
	if r.a.how != howAmbiguous {
		return text(r.a.logon.text[fAddress])
	}
	var all []string
	for i := range r.a.candidates {
		if a := r.a.candidates[i].text[fAddress]; !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return text(joinParts(all))
}

func when() []column { return []column{{"Date", "date", false, date}, {"Time", "time", false, clock}} }

func logonColumns() []column {
	return slices.Concat(when(), []column{
		of("Source IP", "source_ip", fAddress), of("Logon Type", "logon_type", fType), of("App Type", "app_type", fApp),
		of("User", "user", fUser), of("Client", "client", fAgent), of("Result", "result", fResult),
		{"New Address", "new_address", false, func(r *row) value { return truth(r.fresh) }},
	}, common())
}

func searchColumns() []column {
	return slices.Concat(when(), []column{
		of("Platform", "platform", fApp), of("Query", "query", fQuery), {"Last Login ip", "last_login_ip", false, loginAddress},
		{"Step", "step", false, func(r *row) value { return text(searchStep(r.e.text[fType])) }},
		of("Type", "type", fType),
		hidden(column{"Search", "search", false, func(r *row) value { return text(r.s.id) }}),
		hidden(column{"First Keystroke", "first_keystroke", false, func(r *row) value { return text(r.s.first) }}),
		hidden(column{"Last Keystroke", "last_keystroke", false, func(r *row) value { return text(r.s.last) }}),
		hidden(column{"Keystrokes", "keystrokes", false, func(r *row) value { return number(r.s.keystrokes) }}),
		{"Final Query", "final_query", false, func(r *row) value { return text(r.s.final) }},
		hidden(column{"Final Query From", "final_query_from", false, func(r *row) value { return text(r.s.how) }}),
	}, common())
}

// mailColumns are those of the mail that a row is about.
func mailColumns() []column {
	return []column{of("Subject", "subject", fSubject), of("From", "from", fFrom), of("Received Date", "received_date", fReceived)}
}

// mailOrigin says what the columns of the mail were taken from, where the event itself does not say it.
func mailOrigin() []column {
	return slices.Concat([]column{hidden(of("Message ID", "message_id", fMessageID)), hidden(of("Folder", "folder", fFolder))}, mailTeller())
}

func mailTeller() []column {
	return []column{
		hidden(column{"Mail Told By", "mail_told_by", false, func(r *row) value { return text(r.m.typ) }}),
		hidden(column{"Mail Told Seq", "mail_told_seq", false, func(r *row) value {
			if r.m.typ == "" {
				return absent()
			}
			return number(r.m.seq)
		}}),
		hidden(column{"Mail Told Pointer", "mail_told_pointer", false, func(r *row) value { return text(r.m.pointer) }}),
	}
}

func readingColumns() []column {
	return slices.Concat(when(), []column{of("Type", "type", fType), of("Platform", "platform", fApp)}, mailColumns(),
		[]column{{"Last Login IP", "last_login_ip", false, loginAddress}, hidden(of("Activity Item ID", "activity_item_id", fItem))}, mailOrigin(), common())
}

func itemColumns() []column {
	return slices.Concat([]column{of("Activity Item ID", "activity_item_id", fItem)}, when(), []column{of("Type", "type", fType), of("Platform", "platform", fApp)}, mailColumns(),
		[]column{{"Last Login IP", "last_login_ip", false, loginAddress}}, mailOrigin(), common())
}

func attachmentColumns() []column {
	return slices.Concat(when(), []column{of("Platform", "platform", fApp)}, mailColumns(),
		[]column{of("Action", "action", fAction), {"Last Login IP", "last_login_ip", false, loginAddress}, hidden(of("Activity Item ID", "activity_item_id", fItem))}, mailOrigin(), common())
}

func deliveredColumns() []column {
	return slices.Concat(when(), []column{of("Platform", "platform", fApp)}, mailColumns(),
		[]column{of("Delivered To", "delivered_to", fFolder), hidden(of("Recipients", "recipients", fRecipients)), hidden(of("Activity Item ID", "activity_item_id", fItem))},
		[]column{hidden(of("Message ID", "message_id", fMessageID))}, mailTeller(), common())
}

func readColumns() []column {
	return slices.Concat(when(), []column{of("Platform", "platform", fApp)}, mailColumns(),
		[]column{{"Last Login IP", "last_login_ip", false, loginAddress}, hidden(of("Activity Item ID", "activity_item_id", fItem))}, mailOrigin(), common())
}

// common are the columns that no report of the old tools had.
func common() []column {
	logon := func(title, key string, f field) column {
		return hidden(column{title, key, false, func(r *row) value {
			if !r.a.linked() {
				return text("")
			}
			return text(r.a.logon.text[f])
		}})
	}
	return slices.Concat([]column{
		of("Mailbox", "mailbox", fMailbox), of("Session", "session", fSession),
		{"How", "how", false, func(r *row) value { return text(howWords()[r.a.how]) }},
		{"Gap Seconds", "gap_seconds", false, gapSeconds},
		logon("Attributed Time", "attributed_time", fTime), logon("Attributed Type", "attributed_type", fType), logon("Attributed Address", "attributed_address", fAddress),
		logon("Attributed Client", "attributed_client", fAgent), logon("Attributed Session", "attributed_session", fSession),
		hidden(column{"Attributed Seq", "attributed_seq", false, func(r *row) value {
			if !r.a.linked() {
				return absent()
			}
			return number(r.a.logon.seq)
		}}),
		logon("Attributed Pointer", "attributed_pointer", fPointer),
		{"Candidates", "candidates", false, candidates},
		hidden(column{"Candidates Cut", "candidates_cut", false, func(r *row) value { return truth(r.a.cut) }}),
	}, provenance())
}

// provenance are the columns that say which records a row was made of, and what of them is not shown.
func provenance() []column {
	return []column{
		hidden(column{"Copies", "copies", false, func(r *row) value { return number(r.e.copies) }}),
		hidden(column{"Copies Differ", "copies_differ", false, func(r *row) value { return truth(r.e.differs) }}),
		hidden(column{"Copies At", "copies_at", false, copiesAt}),
		hidden(column{"Cut", "cut", false, func(r *row) value { return list(r.e.cutFields()) }}),
		hidden(of("ID", "id", fID)),
		hidden(column{"provenance_container", "provenance_container", false, func(r *row) value { return text(r.caseID) }}),
		{"Seq", "provenance_seq", false, func(r *row) value { return number(r.e.seq) }},
		hidden(of("provenance_pointer", "provenance_pointer", fPointer)),
	}
}

func (e *event) cutFields() (names []string) {
	for f, name := range fieldNames() {
		if e.cut&(1<<f) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// linked reports whether there is a logon, and no other that could be meant.
func (a *attribution) linked() bool {
	return a.how == howItself || a.how == howSession || a.how == howInferred
}

// gapSeconds is the time from the logon to the event; negative if the event is the earlier one.
func gapSeconds(r *row) value {
	if !r.a.linked() {
		return absent()
	}
	return span(r.a.gap)
}

// seconds writes a span of time in seconds, as exactly as it is known.
func (i instant) seconds() string {
	sign, sec, nsec := "", i.sec, int64(i.nsec)
	if sec < 0 {
		sign = "-"
		if sec = -sec; nsec > 0 {
			sec, nsec = sec-1, 1e9-nsec
		}
	}
	s := sign + strconv.FormatInt(sec, 10)
	if nsec > 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", nsec), "0")
	}
	return s
}

func candidates(r *row) value {
	var all []entry
	for i := range r.a.candidates {
		c := &r.a.candidates[i]
		where := " (" + strconv.FormatInt(c.seq, 10) + " " + c.text[fPointer] + ")"
		all = append(all, object(c.text[fAddress]+" "+c.text[fType]+" "+c.text[fTime]+" "+c.text[fSession]+where, "time", c.text[fTime], "type", c.text[fType],
			"address", c.text[fAddress], "client", c.text[fAgent], "session", c.text[fSession], "pointer", c.text[fPointer], "seq", c.seq))
	}
	return entries(all)
}

// copiesAt says where the other records of an event stand; the first 16.
func copiesAt(r *row) value {
	var parts []string
	for _, p := range r.e.also {
		parts = append(parts, strconv.FormatInt(p.seq, 10)+" "+p.pointer)
	}
	return list(parts)
}
