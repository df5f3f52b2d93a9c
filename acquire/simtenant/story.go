package simtenant

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// message is what Messages/{id} tells about a mail.
type message struct {
	id, conversation, internetID string
	subject                      string
	from                         person
	received                     time.Time
	attachment, read             bool
}

// client is a program at an address, perhaps with a session.
type client struct{ app, session, address, agent string }

// story writes one mailbox.
type story struct {
	*mailbox
	dice *dice
	guid string
	mail []*message // in the order of delivery
}

func newStory(upn string, seed uint64) *story {
	d := &dice{state: seed}
	return &story{
		mailbox: &mailbox{upn: upn, messages: map[string]*message{}, items: map[string]bool{}},
		dice:    d, guid: d.guid(),
	}
}

// add writes one activity down. Creation comes 40 to 900 ms after the event.
func (s *story) add(at time.Time, kind string, c client, item string, properties []Property) {
	s.rows = append(s.rows, &Activity{
		ID: s.dice.activityID(), Created: at.Add(s.dice.between(40*time.Millisecond, 900*time.Millisecond)),
		Type: kind, App: c.app, Session: c.session, Item: item, Time: at, Properties: s.turned(properties),
	})
}

// turned begins the list somewhere else in one case of four: the order of
// custom properties is not stable [S].
func (s *story) turned(p []Property) []Property {
	if len(p) < 2 || !s.dice.chance(25) {
		return p
	}
	k := s.dice.below(len(p))
	return append(append([]Property(nil), p[k:]...), p[:k]...)
}

// props makes properties of names and values by turns.
func props(pairs ...string) []Property {
	list := make([]Property, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, Property{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func serverLogon(upn, address, agent, result string) []Property {
	exception := ""
	if result != "Success" {
		exception = "LogonDenied"
	}
	return props("UserName", upn, "ExceptionInfo", exception, "NetworkPresenceLocation", "",
		"Result", result, "UserAgent", agent, "ClientIP", address)
}

func (s *story) serverLogon(at time.Time, c client, result string) {
	s.add(at, "ServerLogon", c, "", serverLogon(s.upn, c.address, c.agent, result))
}

// webSession logs on in a browser: a Logon carries session and address together.
func (s *story) webSession(at time.Time, address, agent string) client {
	c := client{app: "Web", session: s.dice.guid(), address: address, agent: agent}
	s.serverLogon(at, client{app: "Web", address: address, agent: agent}, "Success")
	s.add(at.Add(s.dice.between(time.Second, 4*time.Second)), "Logon", c, "", props("Layout", "mouse",
		"InferenceUiReady", "True", "InferenceUiOnKeyName", "FocusedInbox", "Flights", "cal_r3,mail_"+strconv.Itoa(s.dice.below(900)),
		"Timezone", "GMT Standard Time", "IPAddress", address, "Browser", agent))
	return c
}

// deliver puts a mail into the mailbox.
func (s *story) deliver(at time.Time, from person, subject string) *message {
	m := &message{
		id: s.dice.itemID(s.guid), conversation: s.dice.itemID(s.guid)[:96] + "=",
		internetID: "<" + s.dice.guid() + "@" + from.address[strings.LastIndexByte(from.address, '@')+1:] + ">",
		subject:    subject, from: from, received: at, attachment: s.dice.chance(30),
	}
	s.messages[m.id] = m
	s.mail = append(s.mail, m)
	s.add(at, "MessageDelivered", client{app: "Exchange"}, m.id, s.delivered(m))
	return m
}

func (s *story) delivered(m *message) []Property {
	list := props("From", m.from.name, "DeliveredToInbox", "True", "InferenceClassification", "Focused",
		"DeliveredFolderType", "Inbox", "AddressingGroupMessage", "False", "ItemClass", "IPM.Note",
		"Recipients", s.upn+";"+pick(s.dice, colleagues).address, "ConversationId", m.conversation,
		"isReply", strconv.FormatBool(strings.HasPrefix(strings.ToUpper(m.subject), "RE:")),
		"MessageCardContext", "", "MessageGuid", s.dice.guid(), "ExchangeApplicationFlags", "0",
		"ReceivedTime", usTime(m.received), "DeliveredViaBcc", "False", "DeliveredToClutter", "False",
		"DeliveredFolderId", s.guid[:8]+"-inbox", "OrgAuthAs", "Anonymous",
		"SentTime", m.received.Add(-s.dice.between(time.Second, 9*time.Second)).Format(timeForm),
		"IsGroupEscalationMessage", "False", "Hashtags", "", "SenderSmtpAddress", m.from.address,
		"IsMentioned", "False", "InternetMessageId", m.internetID, "MessageClientInfo", "", "Subject", m.subject)
	switch s.dice.below(40) {
	case 0:
		list = append(list, props("Recipients", pick(s.dice, colleagues).address)...)
	case 1:
		list = append(list, props("Subject", "[External] "+m.subject)...)
	case 2:
		list = append(list, Property{Name: "Importance", Null: true})
	}
	return list
}

// usTime is the form of ReceivedTime: American, its zone unstated.
func usTime(t time.Time) string { return t.Format("1/2/2006 3:04:05 PM") }

func (m *message) opened(folder string) []Property {
	return props("ReceivedTime", usTime(m.received), "SenderAddress", m.from.address,
		"InternetMessageId", m.internetID, "SourceFolder", folder, "ItemClass", "IPM.Note")
}

func (m *message) replied() []Property {
	return props("ReceivedTime", usTime(m.received), "SenderAddress", m.from.address,
		"InternetMessageId", m.internetID, "SourceDefaultFolderType", "Inbox")
}

// read shows a mail and gives the time after it.
func (s *story) read(at time.Time, c client, m *message) time.Time {
	if c.app == "Web" || c.app == "Outlook" {
		s.add(at, "ReadingPaneDisplayStart", c, m.id, nil)
	}
	if !m.read {
		m.read = true
		s.add(at.Add(s.dice.between(300*time.Millisecond, 2*time.Second)), "MarkAsRead", c, m.id, m.opened("Inbox"))
	}
	at = at.Add(s.dice.between(4*time.Second, 50*time.Second))
	if m.attachment && s.dice.chance(40) {
		s.add(at.Add(-time.Second), "OpenedAnAttachment", c, m.id, props("AttachmentAction", pick(s.dice, []string{"Preview", "Download", "Open"})))
	}
	if c.app == "Web" || c.app == "Outlook" {
		s.add(at, "ReadingPaneDisplayEnd", c, m.id, nil)
	}
	return at
}

// send answers or passes on a mail, from draft to sending.
func (s *story) send(at time.Time, c client, m *message, how string) time.Time {
	draft := s.dice.itemID(s.guid)
	s.messages[draft] = &message{id: draft, conversation: m.conversation, internetID: "<" + s.dice.guid() + "@contoso.example>",
		subject: "RE: " + m.subject, from: person{s.upn, s.upn}, received: at, read: true}
	s.add(at, how, c, m.id, m.replied())
	s.add(at.Add(2*time.Second), "DraftCreated", c, draft, nil)
	at = at.Add(s.dice.between(time.Minute, 4*time.Minute))
	s.add(at, "MessageSent", c, draft, nil)
	return at
}

// search types a query letter by letter and looks at what was found.
func (s *story) search(at time.Time, c client, query string, found []*message) time.Time {
	sid := s.dice.guid()
	s.add(at, "SearchSessionStart", c, "", props("SearchSessionId", sid, "ConversionErrors", "", "MissingProperties", ""))
	typed := []rune(query)
	for i := range typed {
		at = at.Add(s.dice.between(120*time.Millisecond, 700*time.Millisecond))
		s.add(at, "SearchSuggestionsDisplay", c, "", props("SuggestionStimulus", string(typed[:i+1])))
	}
	at = at.Add(s.dice.between(300*time.Millisecond, time.Second))
	s.add(at, "SearchQueryExecute", c, "", props("SearchSessionId", sid, "IsSuggestion", "False", "RetrieveRefiners", "True"))
	ids := make([]string, len(found))
	for i, m := range found {
		ids[i] = m.id[len(m.id)-12:]
	}
	s.add(at.Add(s.dice.between(200*time.Millisecond, 900*time.Millisecond)), "SearchResult", c, "", props(
		"Folders", "msgfolderroot", "Ver", "1", "MaxRes", "150", "App", "OWA", "Pos", "0", "Item", "",
		"NetworkPresenceLocation", "", "Params", "sort=time", "Params", "refiners=from", "ResIds", strings.Join(ids, ","),
		"Sid", sid, "Query", query, "Rid", s.dice.guid(), "AltResIds", "", "Trunc", "False"))
	return at.Add(2 * time.Second)
}

// day is ordinary life.
func (s *story) day(date time.Time, mails int, working bool) {
	phone := client{app: "Mobile", address: phoneAddress, agent: agentPhone}
	desk := client{app: "Outlook", address: officeAddress, agent: agentOutlook}
	if !working {
		desk = phone
	}
	for hour := 6; hour < 22; hour += 2 {
		s.serverLogon(date.Add(time.Duration(hour)*time.Hour+s.dice.between(0, 50*time.Minute)), phone, "Success")
	}
	if working {
		s.serverLogon(date.Add(7*time.Hour+s.dice.between(0, 40*time.Minute)), desk, "Success")
		s.serverLogon(date.Add(12*time.Hour+s.dice.between(0, 40*time.Minute)), desk, "Success")
		s.serverLogon(date.Add(9*time.Hour+s.dice.between(0, 40*time.Minute)), client{app: "Exchange", address: officeAddress, agent: "ExchangeServicesClient/15.00.0913.015"}, "Success")
	}
	home := s.webSession(date.Add(18*time.Hour+s.dice.between(0, time.Hour)), pick(s.dice, []string{homeAddress, homeAddress6}), agentChrome)
	for range mails {
		at := date.Add(s.dice.between(6*time.Hour+30*time.Minute, 17*time.Hour+30*time.Minute))
		m := s.deliver(at, pick(s.dice, colleagues), pick(s.dice, subjects))
		if !s.dice.chance(62) {
			continue
		}
		c := desk
		at = at.Add(s.dice.between(time.Minute, 25*time.Minute))
		if s.dice.chance(15) {
			c, at = home, date.Add(19*time.Hour+15*time.Minute+s.dice.between(0, 2*time.Hour))
		} else if s.dice.chance(30) {
			c = phone
		}
		s.after(s.read(at, c, m), c, m)
	}
}

// after is what becomes of a mail that was read.
func (s *story) after(at time.Time, c client, m *message) {
	at = at.Add(s.dice.between(time.Second, 40*time.Second))
	switch n := s.dice.below(100); {
	case n < 7:
		s.send(at, c, m, pick(s.dice, []string{"Reply", "ReplyAll", "Forward"}))
	case n < 13:
		s.add(at, "Move", c, m.id, nil)
	case n < 20:
		s.add(at, "Delete", c, m.id, nil)
		delete(s.messages, m.id)
	case n < 23:
		s.add(at, "Flag", c, m.id, nil)
	case n < 25:
		s.add(at, "MarkAsUnread", c, m.id, m.opened("Inbox"))
	case n < 27:
		event := s.dice.itemID(s.guid)
		s.items[event] = true
		s.add(at, "AcceptCalendarEvent", c, event, nil)
	}
}

// ownerStory is the compromised mailbox: three weeks of life, and the intrusion.
func ownerStory(seed uint64) *mailbox {
	s := newStory(Owner, seed)
	for i := range 21 {
		date := firstDay.AddDate(0, 0, i)
		if working := i%7 < 5; working {
			s.day(date, 44+s.dice.below(12), true)
		} else {
			s.day(date, 4+s.dice.below(5), false)
		}
	}
	var invoices []*message
	for i, subject := range invoiceSubjects {
		invoices = append(invoices, s.deliver(firstDay.AddDate(0, 0, 1+i).Add(10*time.Hour), supplier, subject))
		invoices[i].attachment = true
	}
	for i, subject := range hostileSubjects {
		m := s.deliver(firstDay.AddDate(0, 0, 2+i).Add(15*time.Hour+17*time.Minute), person{subject, "sender@attacker.example"}, subject)
		s.read(m.received.Add(3*time.Minute), client{app: "Outlook"}, m)
	}
	s.sample()
	s.intrude(invoices)
	s.settle()
	return s.mailbox
}

// sample is an activity with the times of the one real sample [S].
func (s *story) sample() {
	at := time.Date(2018, time.May, 31, 12, 14, 13, 19e6, time.UTC)
	s.rows = append(s.rows, &Activity{
		ID: s.dice.activityID(), Created: at.Add(797 * time.Millisecond), Type: "MarkAsRead", App: "Outlook",
		Item: s.mail[0].id, Time: at, Properties: s.mail[0].opened("Inbox"),
	})
}

// intrude is the compromise, from the lure to the tidying up.
func (s *story) intrude(invoices []*message) {
	on := func(day, hour, minute int) time.Time {
		return time.Date(2018, time.May, day, hour, minute, 7, 421e6, time.UTC)
	}
	bait := s.deliver(on(28, 13, 2), lure, "ACTION REQUIRED: your mailbox is 99,8 % full")
	victim := s.webSession(on(28, 13, 20), officeAddress, agentChrome)
	s.read(on(28, 13, 21), victim, bait)
	s.add(on(28, 13, 22), "LinkClicked", victim, bait.id, nil)

	web := client{app: "Web", address: intruderFirst, agent: agentFirefox}
	for i := range 3 {
		s.serverLogon(on(29, 3, 10+i), web, "Failure")
	}
	first := s.webSession(on(29, 3, 14), intruderFirst, agentFirefox)
	at := s.search(on(29, 3, 16), first, "invoice", invoices)
	for _, m := range invoices {
		at = s.read(at, first, m)
		s.add(at, "OpenedAnAttachment", first, m.id, props("AttachmentAction", "Download"))
		at = at.Add(3 * time.Second)
	}
	s.search(at, first, "O'Brien, W-9; 2017 \"bank\"", invoices[:1])

	for hour := 0; hour < 24*8; hour += 3 {
		at := on(30, 1, 5).Add(time.Duration(hour)*time.Hour + s.dice.between(0, 9*time.Minute))
		s.serverLogon(at, client{app: "IMAP", address: intruderSync, agent: ""}, "Success")
		if hour%24 == 0 {
			s.serverLogon(at.Add(time.Minute), client{app: "POP3", address: intruderSync, agent: ""}, "Success")
		}
	}

	second := s.webSession(on(32, 2, 40), intruderSecond, agentFirefox)
	at = s.search(on(32, 2, 41), second, "wire transfer", invoices[1:3])
	at = s.send(s.read(at, second, invoices[1]), second, invoices[1], "Forward")
	s.add(at.Add(9*time.Second), "CreateFolder", second, "", nil)
	s.add(at.Add(20*time.Second), "Move", second, invoices[1].id, nil)
	s.add(at.Add(40*time.Second), "QuickStepInvoked", second, invoices[1].id, props("Step", "hide", "Step", "mark"))

	third := s.webSession(on(35, 1, 12), intruderFirst, agentFirefox)
	at = s.send(s.read(on(35, 1, 13), third, invoices[2]), third, invoices[2], "Reply")
	sent := s.rows[len(s.rows)-1].Item
	s.add(at.Add(11*time.Second), "Delete", third, sent, nil)
	delete(s.messages, sent)
	s.add(at.Add(15*time.Second), "Delete", third, bait.id, nil)
	delete(s.messages, bait.id)
	s.add(at.Add(19*time.Second), "SetConversationAlwaysClutterState", third, invoices[2].id, nil)
}

// apostropheStory is a colleague's mailbox of one week.
func apostropheStory(seed uint64) *mailbox {
	s := newStory(Apostrophe, seed)
	for i := range 5 {
		s.day(firstDay.AddDate(0, 0, 7+i), 8, true)
	}
	s.deliver(firstDay.AddDate(0, 0, 12), person{"Adele Vance", Owner}, fmt.Sprintf("From %s", Owner))
	s.settle()
	return s.mailbox
}
