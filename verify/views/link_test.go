package views

import (
	"fmt"
	"strings"
	"testing"
)

// TestAttribution holds how events are attributed to logons against what was worked out by hand, in both orders of arrival.
func TestAttribution(t *testing.T) {
	open := func(clock, app, session string) activity {
		return act(clock, app, "OpenedAnAttachment", session, "m", "AttachmentAction", "Open")
	}
	failed := func(clock, app, address string) activity {
		return act(clock, app, "ServerLogon", "", "", "UserName", "kim@example.com", "Result", "Failure", "ClientIP", address)
	}
	for _, c := range []struct {
		name string
		list []activity
		want string // time, address, how, gap, session of the logon, number of candidates
	}{
		{"nothing before", []activity{open("09:00:00", "Outlook", ""), serverLogon("09:00:01", "Outlook", home)},
			"09:00:00.000Z |  | none | <nil> |  | []\n"},
		{"at the same instant", []activity{serverLogon("09:00:00", "Outlook", home), open("09:00:00", "Outlook", "")},
			"09:00:00.000Z | 192.0.2.1 | inferred | 0 |  | []\n"},
		{"another application", []activity{serverLogon("09:00:00", "Mobile", phone), open("09:00:01", "Outlook", "")},
			"09:00:01.000Z |  | none | <nil> |  | []\n"},
		{"the latest, with its gap", []activity{serverLogon("07:00:00", "Outlook", abroad), serverLogon("08:00:00", "Outlook", home), open("09:30:00", "Outlook", "")},
			"09:30:00.000Z | 192.0.2.1 | inferred | 5400 |  | []\n"},
		{"two addresses that take turns", []activity{serverLogon("07:00:00", "Outlook", abroad), serverLogon("08:00:00", "Outlook", home), open("09:00:00", "Outlook", ""), serverLogon("10:00:00", "Outlook", abroad)},
			"09:00:00.000Z | 192.0.2.1; 203.0.113.77 | ambiguous | <nil> |  | [192.0.2.1 203.0.113.77]\n"},
		{"one that is not seen again for half a day", []activity{serverLogon("07:00:00", "Outlook", abroad), serverLogon("08:00:00", "Outlook", home), open("09:00:00", "Outlook", ""), serverLogon("19:00:00", "Outlook", abroad)},
			"09:00:00.000Z | 192.0.2.1 | inferred | 3600 |  | []\n"},
		{"two logons at once", []activity{serverLogon("08:00:00", "Outlook", home), serverLogon("08:00:00", "Outlook", abroad), open("09:00:00", "Outlook", "")},
			"09:00:00.000Z | 203.0.113.77; 192.0.2.1 | ambiguous | <nil> |  | [203.0.113.77 192.0.2.1]\n"},
		{"an event without session, beside two sessions that go on", []activity{webLogon("08:00:00", "s1", home), webLogon("08:10:00", "s2", abroad), open("08:30:00", "Web", ""), read("08:40:00", "Web", "s1", "m"), read("08:50:00", "Web", "s2", "m")},
			"08:30:00.000Z | 203.0.113.77; 192.0.2.1 | ambiguous | <nil> |  | [203.0.113.77 192.0.2.1]\n"},
		{"an event without session, beside a session that has ended", []activity{webLogon("08:00:00", "s1", home), read("08:05:00", "Web", "s1", "m"), webLogon("08:10:00", "s2", abroad), open("08:30:00", "Web", "")},
			"08:30:00.000Z | 203.0.113.77 | inferred | 1200 | s2 | []\n"},
		{"two sessions at one address", []activity{webLogon("08:00:00", "s1", home), webLogon("08:10:00", "s2", home), open("08:30:00", "Web", ""), read("08:40:00", "Web", "s1", "m")},
			"08:30:00.000Z | 192.0.2.1 | ambiguous | <nil> |  | [192.0.2.1 192.0.2.1]\n"},
		{"one sign-in that leaves two logons", []activity{serverLogon("08:00:00", "Web", home), webLogon("08:00:02", "s1", home), open("08:30:00", "Web", ""), serverLogon("09:00:00", "Web", home)},
			"08:30:00.000Z | 192.0.2.1 | inferred | 1798 | s1 | []\n"},
		{"a session, and a logon without one from the same address: one origin", []activity{webLogon("08:00:00", "s1", home), serverLogon("08:20:00", "Web", home), open("08:30:00", "Web", ""), read("08:40:00", "Web", "s1", "m")},
			"08:30:00.000Z | 192.0.2.1 | inferred | 600 |  | []\n"},
		{"a session of which there is no logon, and a logon of another", []activity{webLogon("08:00:00", "s1", home), open("08:30:00", "Web", "s9")},
			"08:30:00.000Z |  | none | <nil> |  | []\n"},
		{"a session of which there is no logon, and one without session", []activity{serverLogon("08:00:00", "Web", abroad), webLogon("08:10:00", "s1", home), open("08:30:00", "Web", "s9")},
			"08:30:00.000Z | 203.0.113.77 | inferred | 1800 |  | []\n"},
		{"an event before the logon of its session", []activity{open("07:59:59", "Web", "s1"), webLogon("08:00:00", "s1", home), webLogon("08:10:00", "s1", abroad)},
			"07:59:59.000Z | 192.0.2.1 | same session | -1 | s1 | []\n"},
		{"a session that logs on again", []activity{webLogon("08:00:00", "s1", home), webLogon("08:10:00", "s1", abroad), open("08:10:01", "Web", "s1")},
			"08:10:01.000Z | 203.0.113.77 | same session | 1 | s1 | []\n"},
		{"logons that failed", []activity{failed("08:00:00", "Outlook", abroad), open("09:00:00", "Outlook", "")},
			"09:00:00.000Z |  | none | <nil> |  | []\n"},
		{"the session counts across applications", []activity{webLogon("08:00:00", "s1", home), open("08:10:01", "Other", "s1")},
			"08:10:01.000Z | 192.0.2.1 | same session | 601 | s1 | []\n"},
	} {
		for i, boxes := range [][]box{one(c.list...), reversed(one(c.list...))} {
			rows := show(t, container(t, boxes), "attachments", Options{})
			for _, r := range rows {
				addresses := []any{}
				for _, k := range r["candidates"].([]any) {
					addresses = append(addresses, k.(map[string]any)["address"])
				}
				r["candidates"] = fmt.Sprint(addresses)
			}
			if got := pick(rows, "time", "last_login_ip", "how", "gap_seconds", "attributed_session", "candidates"); got != c.want {
				t.Errorf("%s, order %d: got\n%swant\n%s", c.name, i, got, c.want)
			}
		}
	}
}

// TestManySessionsAtOnce: of more sessions than are held, candidates are listed as far as they go, and the row says that there may be others.
func TestManySessionsAtOnce(t *testing.T) {
	var list []activity
	const n = maxAlive + 50
	for i := range n {
		list = append(list, webLogon(fmt.Sprintf("08:%02d:%02d", i/60, i%60), fmt.Sprint("s", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250)))
	}
	list = append(list, act("09:00:00", "Web", "OpenedAnAttachment", "", "m", "AttachmentAction", "Open"))
	for i := range n {
		list = append(list, read(fmt.Sprintf("10:%02d:%02d", i/60, i%60), "Web", fmt.Sprint("s", i), "m"))
	}
	rows := show(t, container(t, one(list...)), "attachments", Options{})
	if got := pick(rows, "attributed_time", "attributed_type", "attributed_address", "attributed_client", "attributed_session", "attributed_seq", "attributed_pointer"); got != " |  |  |  |  | <nil> | \n" {
		t.Errorf("one of several is shown as the logon: %s", got)
	}
	if len(rows) != 1 || rows[0]["how"] != "ambiguous" || len(rows[0]["candidates"].([]any)) != maxGathered || rows[0]["candidates_cut"] != true {
		t.Errorf("got %v", rows)
	}
}

// TestManyCandidates: 64 logons that are possible are all listed; where their texts are longer than any of a service, as many as there is room for, and the row says that there are others.
func TestManyCandidates(t *testing.T) {
	for _, c := range []struct{ logons, browser, listed int }{
		{2, 10, 2},
		{63, 300, 63},
		{64, 300, 64}, // and nobody looked for a 65th
		{65, 300, 64},
		{30, 8000, 16}, // 128 KiB, of some 8130 bytes each
		{2, 8000, 2},
	} {
		var list []activity
		for i := range c.logons {
			list = append(list, act(fmt.Sprintf("08:%02d:%02d", i/60, i%60), "Web", "Logon", fmt.Sprint("s", i), "", "IPAddress", fmt.Sprint("10.0.0.", i), "Browser", strings.Repeat("b", c.browser)),
				read(fmt.Sprintf("10:%02d:%02d", i/60, i%60), "Web", fmt.Sprint("s", i), "m"))
		}
		list = append(list, act("09:00:00", "Web", "OpenedAnAttachment", "", "m", "AttachmentAction", "Open"))
		rows := show(t, container(t, one(list...)), "attachments", Options{})
		if len(rows) != 1 || rows[0]["how"] != "ambiguous" || rows[0]["candidates_cut"] != (c.listed < c.logons || c.logons == maxGathered) {
			t.Fatalf("%d logons: %v", c.logons, rows)
		}
		all := rows[0]["candidates"].([]any)
		for i, l := range all {
			if want := fmt.Sprint("10.0.0.", c.logons-1-i); l.(map[string]any)["address"] != want {
				t.Errorf("%d logons: candidate %d is %v, want %s", c.logons, i, l, want)
			}
		}
		if len(all) != c.listed {
			t.Errorf("%d logons with browsers of %d bytes: %d candidates are listed, want %d", c.logons, c.browser, len(all), c.listed)
		}
		// Of one that is not listed nobody can say that it is not what is asked for.
		address := "10.0.0.0"
		_, sum := write(t, container(t, one(list...)), "attachments", "jsonl", Options{Filter: Filter{Addresses: []string{address}}})
		if want := (Left{Rows: 1, Unsure: 1}); c.listed < c.logons && sum.Left != want || c.listed == c.logons && sum.Rows != 1 {
			t.Errorf("%d logons, from %s: %+v", c.logons, address, sum)
		}
	}
}
