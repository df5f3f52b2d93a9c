package views

import (
	"fmt"
	"strings"
	"testing"
)

// fault is a fault of the old tool: what it answers, computed by its algorithm, and what is right, worked out by hand.
type fault struct {
	name    string
	boxes   []box
	old     func(old) string // of its answer, what is wrong
	wrong   string
	kind    string
	columns []string
	right   string
}

func cells(rows [][]string, columns ...int) string {
	var b strings.Builder
	for _, r := range rows {
		for i, c := range columns {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(r[c])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const (
	home   = "192.0.2.1"
	abroad = "203.0.113.77"
	phone  = "198.51.100.5"
)

// quoted is a query with everything that the old tool stumbles over.
const quoted = `O'Brien, W-9; 2017 "bank"`

func faults() []fault {
	lastIP := func(o old) string { return cells(o.Reading, 1, 7) }
	readingAddress := []string{"time", "last_login_ip", "how"}
	return []fault{
		{
			name: "who returns to a known address is taken for the newcomer",
			boxes: one(webLogon("09:00:00", "s1", home), webLogon("10:00:00", "s2", abroad), webLogon("11:00:00", "s3", home),
				read("11:05:00", "Web", "s3", "m1")),
			old: lastIP, wrong: "11:05:00.000Z | " + abroad + "\n",
			kind: "reading", columns: readingAddress, right: "11:05:00.000Z | " + home + " | same session\n",
		},
		{
			name: "the client session is never used",
			boxes: one(webLogon("09:00:00", "s1", home), webLogon("09:01:00", "s2", abroad), read("09:02:00", "Web", "s1", "m1"),
				read("09:03:00", "Web", "s2", "m1"), read("09:04:00", "Web", "s1", "m2")),
			old: lastIP, wrong: "09:02:00.000Z | " + abroad + "\n09:03:00.000Z | " + abroad + "\n09:04:00.000Z | " + abroad + "\n",
			kind: "reading", columns: readingAddress,
			right: "09:02:00.000Z | " + home + " | same session\n09:03:00.000Z | " + abroad + " | same session\n09:04:00.000Z | " + home + " | same session\n",
		},
		{
			name:  "logons of POP3, IMAP and other applications vanish",
			boxes: one(serverLogon("01:00:00", "IMAP", abroad), serverLogon("01:01:00", "POP3", abroad), serverLogon("09:00:00", "Mobile", phone), serverLogon("09:01:00", "MacOutlook", home)),
			old:   func(o old) string { return cells(o.Logons, 4, 2) }, wrong: "Mobile | " + phone + "\n",
			kind: "logons", columns: []string{"app_type", "source_ip"},
			right: "IMAP | " + abroad + "\nPOP3 | " + abroad + "\nMobile | " + phone + "\nMacOutlook | " + home + "\n",
		},
		{
			name: "queries with apostrophes are dropped, those with quotation marks and semicolons altered",
			boxes: one(webLogon("09:00:00", "s1", home), act("09:01:00", "Web", "SearchResult", "s1", "", "Sid", "q1", "Query", "O'Brien, W-9"),
				act("09:02:00", "Web", "SearchResult", "s1", "", "Sid", "q2", "Query", quoted), act("09:03:00", "Web", "SearchResult", "s1", "", "Sid", "q3", "Query", "iban; bic")),
			old: func(o old) string { return cells(o.Searches, 3) }, wrong: "O'Brien, W-9 2017 bank\niban bic\n",
			kind: "searches", columns: []string{"query"}, right: "O'Brien, W-9\n" + quoted + "\niban; bic\n",
		},
		{
			name: "subjects with apostrophes, quotation marks and semicolons are altered or lost",
			boxes: one(webLogon("07:00:00", "s1", home), delivered("08:00:00", "m1", "Offer, second version; please check", "a@example.net"),
				delivered("08:01:00", "m2", "Don't pay, wait", "b@example.net"), delivered("08:02:00", "m3", `It's "urgent": now`, "c@example.net"),
				read("09:01:00", "Web", "s1", "m1"), read("09:02:00", "Web", "s1", "m2"), read("09:03:00", "Web", "s1", "m3")),
			old: func(o old) string { return cells(o.Reading, 4) }, wrong: "Offer, second version please check\nDont pay\nIt's urgent: now\n",
			kind: "reading", columns: []string{"subject"}, right: "Offer, second version; please check\nDon't pay, wait\nIt's \"urgent\": now\n",
		},
		{
			name: "one logon with an apostrophe ends it all: no report is written",
			boxes: one(webLogon("08:00:00", "s1", home), act("09:00:00", "Outlook", "ServerLogon", "", "", "UserName", "patrick.o'brien@example.com", "Result", "Success", "UserAgent", "Outlook", "ClientIP", home),
				read("09:01:00", "Web", "s1", "m1")),
			old: func(o old) string { return fmt.Sprint(o.Aborted != "", len(o.Logons), len(o.Reading)) }, wrong: "true 0 0",
			kind: "logons", columns: []string{"user", "source_ip"}, right: " | " + home + "\npatrick.o'brien@example.com | " + home + "\n",
		},
		{
			name:  "newest first, events are attributed to logons of the future",
			boxes: reversed(one(serverLogon("09:00:00", "Outlook", home), read("09:05:00", "Outlook", "", "m1"), serverLogon("10:00:00", "Outlook", abroad))),
			old:   lastIP, wrong: "09:05:00.000Z | " + abroad + "\n",
			kind: "reading", columns: append(readingAddress, "gap_seconds"), right: "09:05:00.000Z | " + home + " | inferred | 300\n",
		},
		{
			name: "mails that were delivered have no report",
			boxes: one(delivered("08:00:00", "m1", "Invoice 7", "a@example.net"),
				act("08:30:00", "Web", "MarkAsRead", "", "m1", "SenderAddress", "a@example.net", "ReceivedTime", "6/1/2018 8:00:00 AM")),
			old: func(o old) string {
				return fmt.Sprint(len(o.Logons) + len(o.Searches) + len(o.Reading) + len(o.Attachments))
			}, wrong: "0",
			kind: "delivered", columns: []string{"subject", "from", "recipients"}, right: "Invoice 7 | a@example.net | kim@example.com;sam@example.com\n",
		},
		{
			name: "mails that were marked as read have no report",
			boxes: one(delivered("08:00:00", "m1", "Invoice 7", "a@example.net"), serverLogon("08:29:00", "Mobile", phone),
				act("08:30:00", "Mobile", "MarkAsRead", "", "m1", "SenderAddress", "a@example.net", "ReceivedTime", "6/1/2018 8:00:00 AM")),
			old: func(o old) string { return fmt.Sprint(len(o.Searches) + len(o.Reading) + len(o.Attachments)) }, wrong: "0",
			kind: "read", columns: []string{"subject", "from", "last_login_ip", "how"}, right: "Invoice 7 | a@example.net | " + phone + " | inferred\n",
		},
		{
			name: "mails of which other types of activity tell are not known",
			boxes: one(webLogon("08:00:00", "s1", home), act("08:10:00", "Web", "MarkAsRead", "s1", "m1", "SenderAddress", "a@example.net", "ReceivedTime", "5/1/2018 8:00:00 AM"),
				act("08:20:00", "Web", "Forward", "s1", "m2", "SenderAddress", "b@example.net", "ReceivedTime", "5/2/2018 8:00:00 AM"),
				act("08:25:00", "POP3", "MessageDelivered", "", "m3", "Subject", "From afar", "SenderSmtpAddress", "c@example.net", "ReceivedTime", "5/3/2018 8:00:00 AM"),
				read("08:30:00", "Web", "s1", "m1"), read("08:31:00", "Web", "s1", "m2"), read("08:32:00", "Web", "s1", "m3")),
			old: func(o old) string { return cells(o.Reading, 4, 5) }, wrong: "No Data | No Data\nNo Data | No Data\nNo Data | No Data\n",
			kind: "reading", columns: []string{"from", "received_date", "subject", "mail_told_by"},
			right: "a@example.net | 5/1/2018 8:00:00 AM |  | MarkAsRead\nb@example.net | 5/2/2018 8:00:00 AM |  | Forward\nc@example.net | 5/3/2018 8:00:00 AM | From afar | MessageDelivered\n",
		},
		{
			name: "letters typed under the other spelling of the type are dropped",
			boxes: one(webLogon("09:00:00", "s1", home), act("09:00:01", "Web", "SearchSuggestionDisplay", "s1", "", "SuggestionStimulus", "i"),
				act("09:00:02", "Web", "SearchSuggestionsDisplay", "s1", "", "SuggestionStimulus", "ib"), act("09:00:03", "Web", "SearchResult", "s1", "", "Sid", "q1", "Query", "iban")),
			old: func(o old) string { return cells(o.Searches, 3) }, wrong: "ib\niban\n",
			kind: "searches", columns: []string{"query", "search", "keystrokes", "first_keystroke", "last_keystroke", "final_query"},
			right: "i | q1 | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:02.000Z | iban\n" +
				"ib | q1 | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:02.000Z | iban\n" +
				"iban | q1 | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:02.000Z | iban\n",
		},
		{
			name: "a telephone's logon is taken for that of the browser",
			boxes: one(serverLogon("09:00:00", "Web", home), serverLogon("09:01:00", "Mobile", phone),
				act("09:02:00", "Web", "OpenedAnAttachment", "", "m1", "AttachmentAction", "Download")),
			old: func(o old) string { return cells(o.Attachments, 6, 7) }, wrong: "Download | " + phone + "\n",
			kind: "attachments", columns: []string{"action", "last_login_ip", "how"}, right: "Download | " + home + " | inferred\n",
		},
		{
			name: "mailboxes are mixed",
			boxes: []box{{"kim@example.com", [][]activity{{serverLogon("09:00:00", "Outlook", home)}}},
				{"sam@example.com", [][]activity{{read("09:05:00", "Outlook", "", "m1")}}}},
			old: lastIP, wrong: "09:05:00.000Z | " + home + "\n",
			kind: "reading", columns: append(readingAddress, "mailbox"), right: "09:05:00.000Z |  | none | sam@example.com\n",
		},
		{
			name: "a logon that failed is taken for where the mailbox was read from",
			boxes: one(serverLogon("09:00:00", "Outlook", home), act("09:01:00", "Outlook", "ServerLogon", "", "", "UserName", "kim@example.com", "Result", "Failure", "UserAgent", "x", "ClientIP", abroad),
				read("09:05:00", "Outlook", "", "m1")),
			old: lastIP, wrong: "09:05:00.000Z | " + abroad + "\n",
			kind: "reading", columns: readingAddress, right: "09:05:00.000Z | " + home + " | inferred\n",
		},
		{
			name:  "mail by mail, the time of receipt and the address are one cell",
			boxes: one(webLogon("08:00:00", "s1", home), delivered("08:10:00", "m1", "Invoice 7", "a@example.net"), read("08:30:00", "Web", "s1", "m1")),
			old:   func(o old) string { return o.ByItem["m1"][0][strings.LastIndexByte(o.ByItem["m1"][0], '\t')+1:] }, wrong: "6/1/2018 08:10:00 AM" + home,
			kind: "reading-by-item", columns: []string{"received_date", "last_login_ip"}, right: "6/1/2018 08:10:00 AM | " + home + "\n",
		},
	}
}

// TestOldTool computes, for each fault, the old tool's answer and ours. Ours is the same in both orders of arrival.
func TestOldTool(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			if got := f.old(oldTool(t, f.boxes)); got != f.wrong {
				t.Errorf("the old tool's answer is\n%q, expected\n%q", got, f.wrong)
			}
			for _, boxes := range [][]box{f.boxes, reversed(f.boxes)} {
				if got := pick(show(t, container(t, boxes), f.kind, Options{}), f.columns...); got != f.right {
					t.Errorf("ours is\n%s, expected\n%s", got, f.right)
				}
			}
		})
	}
}
