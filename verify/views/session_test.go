package views

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSession holds one session against what was worked out by hand: what was searched for, displayed and done, and what is odd about it.
func TestSession(t *testing.T) {
	list := []activity{
		serverLogon("07:00:00", "Outlook", home),
		delivered("08:00:00", "m1", "Invoice; 7", "a@example.net"),
		delivered("08:20:00", "m2", "Later", "b@example.net"),
		act("09:00:00", "Web", "ServerLogon", "", "", "UserName", "kim@example.com", "Result", "Failure", "UserAgent", "Firefox 60", "ClientIP", abroad),
		serverLogon("09:01:00", "Web", abroad),
		webLogon("09:01:02", "s1", abroad),
		read("08:10:00", "Web", "s1", "m2"), // before its logon, and before its delivery
		act("09:02:00", "Web", "SearchSuggestionsDisplay", "s1", "", "SuggestionStimulus", "in"),
		act("09:02:01", "Web", "SearchSuggestionsDisplay", "s1", "", "SuggestionStimulus", "inv"),
		act("09:02:02", "Web", "SearchResult", "s1", "", "Sid", "q1", "Query", "invoice"),
		read("09:03:00", "Web", "s1", "m1"),
		act("09:03:09", "Web", "OpenedAnAttachment", "s1", "m1", "AttachmentAction", "Download"),
		act("09:03:10", "Web", "ReadingPaneDisplayEnd", "s1", "m1"),
		read("09:04:00", "Web", "s1", "m1"),
		act("09:04:05", "Web", "ReadingPaneDisplayEnd", "s1", "m1"),
		act("09:04:06", "Web", "ReadingPaneDisplayEnd", "s1", "m1"), // without a start
		act("09:05:00", "Web", "LinkClicked", "s1", "m1"),
		act("09:06:00", "Web", "Forward", "s1", "m1"),
		act("09:06:01", "Web", "MessageSent", "s1", "m9"),
		act("09:06:02", "Web", "Move", "s1", "m1"),
		act("09:06:03", "Web", "Delete", "s1", "m9"),
		act("09:06:04", "Web", "Flag", "s1", "m9"), // after it was deleted
		act("09:06:05", "Web", "MarkAsRead", "", "m1"),
		webLogon("09:07:00", "s1", phone),
	}
	want := map[string]any{
		"first_event": "2018-06-01T08:10:00.000Z", "last_event": "2018-06-01T09:07:00.000Z", "kind": "client session", "session": "s1", "mailbox": "kim@example.com",
		"events": 20.0, "inferred_events": 2.0, "logons": 3.0, "displays": 3.0, "displayed_seconds": 15.0, "omitted": 0.0,
		"applications": `["Web"]`, "clients": `["agent of Web","Firefox 60"]`,
		"addresses": `[{"address":"203.0.113.77","logons":2,"new":true,"since":"2018-06-01T09:01:00.000Z"},{"address":"198.51.100.5","logons":1,"new":true,"since":"2018-06-01T09:07:00.000Z"}]`,
		"searches":  `[{"first_keystroke":"2018-06-01T09:02:00.000Z","keystrokes":2,"last_keystroke":"2018-06-01T09:02:01.000Z","query":"invoice","query_from":"result","search":"q1"}]`,
		"items_displayed": `[{"displays":1,"from":"b@example.net","item":"m2","seconds":0,"since":"2018-06-01T08:10:00.000Z","subject":"Later","without_end":1},` +
			`{"displays":2,"from":"a@example.net","item":"m1","seconds":15,"since":"2018-06-01T09:03:00.000Z","subject":"Invoice; 7","without_end":0}]`,
		"attachments": `2018-06-01T09:03:09.000Z m1 Invoice; 7 Download`, "attachments_count": 1.0,
		"sent": `2018-06-01T09:06:01.000Z m9  `, "sent_count": 1.0, "deleted": `2018-06-01T09:06:03.000Z m9  `, "deleted_count": 1.0,
		"moved": `2018-06-01T09:06:02.000Z m1 Invoice; 7 `, "moved_count": 1.0, "forwarded": `2018-06-01T09:06:00.000Z m1 Invoice; 7 `, "forwarded_count": 1.0,
		"links": `2018-06-01T09:05:00.000Z m1 Invoice; 7 `, "links_count": 1.0,
		"observations": "before-logon before-delivery new-address display-end after-deletion new-address address-change",
	}
	for i, boxes := range [][]box{one(list...), reversed(one(list...))} {
		rows := show(t, container(t, boxes), "sessions", Options{})
		if len(rows) != 3 {
			t.Fatalf("order %d: %d sessions, want that of Outlook, the logon that failed, and s1:\n%s", i, len(rows), pick(rows, "kind", "session", "events"))
		}
		if got := pick(rows, "kind", "session", "events", "logons"); got != "inferred |  | 1 | 1\nclient session | s1 | 20 | 3\nrefused |  | 1 | 1\n" {
			t.Errorf("order %d: %s", i, got)
		}
		got := map[string]any{}
		for k := range want {
			got[k] = flat(t, k, rows[1][k])
		}
		for k := range want {
			if !reflect.DeepEqual(got[k], want[k]) {
				t.Errorf("order %d, %s: got %v\nwant %v", i, k, got[k], want[k])
			}
		}
	}
}

// flat shows lists as text.
func flat(t *testing.T, key string, v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	var words []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		switch {
		case key == "observations":
			words = append(words, fmt.Sprint(m["code"]))
		case m["time"] != nil:
			words = append(words, fmt.Sprintf("%v %v %v %v", m["time"], m["item"], m["subject"], m["action"]))
		default:
			b, err := json.Marshal(list)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	return strings.Join(words, " ")
}

// TestSessionKinds: what no session explains stands by itself, and says what it might belong to.
func TestSessionKinds(t *testing.T) {
	open := func(clock string) activity {
		return act(clock, "Outlook", "OpenedAnAttachment", "", "m", "AttachmentAction", "Open")
	}
	list := []activity{
		open("06:00:00"), serverLogon("07:00:00", "Outlook", home), open("07:10:00"), serverLogon("07:30:00", "Outlook", home), open("07:40:00"),
		serverLogon("08:00:00", "Outlook", abroad), open("08:10:00"), open("08:20:00"), serverLogon("09:00:00", "Outlook", home), serverLogon("23:30:00", "Outlook", home),
		serverLogon("23:40:00", "Web", phone), webLogon("23:40:59", "s1", phone), serverLogon("23:50:00", "Web", abroad), webLogon("23:51:00", "s2", abroad),
	}
	rows := show(t, container(t, one(list...)), "sessions", Options{})
	want := "no logon | 2018-06-01T06:00:00.000Z | 1 | 0 | 0\n" +
		"inferred | 2018-06-01T07:00:00.000Z | 5 | 3 | 0\n" +
		"inferred | 2018-06-01T08:00:00.000Z | 1 | 1 | 0\n" +
		"ambiguous | 2018-06-01T08:10:00.000Z | 2 | 0 | 2\n" +
		"inferred | 2018-06-01T23:30:00.000Z | 1 | 1 | 0\n" +
		"client session | 2018-06-01T23:40:00.000Z | 2 | 2 | 0\n" +
		"inferred | 2018-06-01T23:50:00.000Z | 1 | 1 | 0\nclient session | 2018-06-01T23:51:00.000Z | 1 | 1 | 0\n"
	for _, r := range rows {
		r["candidates"] = len(r["candidates"].([]any))
	}
	if got := pick(rows, "kind", "first_event", "events", "logons", "candidates"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestListsInCells: in a cell, parts of a list can be told apart whatever they hold, and say when, what and how.
func TestListsInCells(t *testing.T) {
	query := func(clock, id, text string) activity {
		return act(clock, "Web", "SearchResult", "s1", "", "Sid", id, "Query", text)
	}
	c := container(t, one(webLogon("08:00:00", "s1", home), delivered("08:01:00", "m1", "Overdue; second notice", "a@example.net"),
		query("08:10:00", "q1", "invoice"), query("08:10:10", "q2", quoted), query("08:10:20", "q3", " x"),
		read("08:20:00", "Web", "s1", "m1"), act("08:20:05", "Web", "ReadingPaneDisplayEnd", "s1", "m1"), read("08:21:00", "Web", "s1", "m2"),
		act("08:30:00", "Web", "OpenedAnAttachment", "s1", "m1", "AttachmentAction", "Download"), act("08:31:00", "Web", "Delete", "s1", "m2")))
	for _, f := range []string{"csv", "tsv"} {
		text, _ := write(t, c, "sessions", f, Options{})
		table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if f == "tsv" {
			table, err = nil, nil
			for line := range strings.Lines(text) {
				table = append(table, strings.Split(strings.ReplaceAll(line, `\\`, `\`), "\t"))
			}
		}
		if err != nil || len(table) != 2 {
			t.Fatal(err, len(table))
		}
		for title, want := range map[string]string{
			"Searches":           `invoice; "O'Brien, W-9; 2017 \"bank\""; " x"`,
			"Items Displayed":    `"Overdue; second notice (5 s)"; m2 (0 s, 1 without end)`,
			"Attachments Opened": `"2018-06-01T08:30:00.000Z Overdue; second notice (Download)"`,
			"Items Deleted":      `2018-06-01T08:31:00.000Z m2`,
			"Addresses":          home,
			"Types":              "Logon 1; SearchResult 3; ReadingPaneDisplayStart 2; ReadingPaneDisplayEnd 1; OpenedAnAttachment 1; Delete 1",
		} {
			if got := table[1][slices.Index(table[0], title)]; got != want {
				t.Errorf("%s, %s: got %s, want %s", f, title, got, want)
			}
		}
	}
}

// TestBetweenTwoLogons: what happens between the two logons that one sign-in of a browser leaves is in the session that both are in, and not in one without a logon.
func TestBetweenTwoLogons(t *testing.T) {
	r := onlySession(t, one(serverLogon("09:01:00", "Web", abroad), act("09:01:01", "Web", "MarkAsRead", "", "m1"), webLogon("09:01:02", "s1", abroad)))
	if r["kind"] != ofClient || r["session"] != "s1" || r["events"] != 3.0 || r["inferred_events"] != 2.0 || r["logons"] != 2.0 {
		t.Errorf("got %v", r)
	}
}
