package views

import "testing"

// TestSearches holds how letters become searches against what was worked out by hand, in both orders of arrival.
func TestSearches(t *testing.T) {
	typed := func(clock, session, text string) activity {
		return act(clock, "Web", "SearchSuggestionsDisplay", session, "", "SuggestionStimulus", text)
	}
	start := func(clock, session, id string) activity {
		return act(clock, "Web", "SearchSessionStart", session, "", "SearchSessionId", id)
	}
	execute := func(clock, session, id string) activity {
		return act(clock, "Web", "SearchQueryExecute", session, "", "SearchSessionId", id)
	}
	result := func(clock, session, id, query string) activity {
		return act(clock, "Web", "SearchResult", session, "", "Sid", id, "Query", query)
	}
	columns := []string{"time", "step", "query", "search", "keystrokes", "final_query", "final_query_from"}
	for _, c := range []struct {
		name string
		list []activity
		want string
	}{
		{"from start to results, and a second query in the same search session",
			[]activity{start("09:00:00", "s", "q"), typed("09:00:01", "s", "p"), typed("09:00:02", "s", "pa"), execute("09:00:03", "s", "q"), result("09:00:04", "s", "q", "pay"),
				typed("09:00:05", "s", "w"), result("09:00:06", "s", "q", "wire")},
			"09:00:00.000Z | start |  | q | 2 | pay | result\n09:00:01.000Z | typed | p | q | 2 | pay | result\n09:00:02.000Z | typed | pa | q | 2 | pay | result\n" +
				"09:00:03.000Z | executed |  | q | 2 | pay | result\n09:00:04.000Z | result | pay | q | 2 | pay | result\n" +
				"09:00:05.000Z | typed | w | q | 1 | wire | result\n09:00:06.000Z | result | wire | q | 1 | wire | result\n"},
		{"two people at once: the client session keeps them apart",
			[]activity{start("09:00:00", "s1", "q1"), start("09:00:00", "s2", "q2"), typed("09:00:01", "s1", "a"), typed("09:00:02", "s2", "b"), typed("09:00:03", "s1", "ab"), result("09:00:04", "s2", "q2", "b"), result("09:00:05", "s1", "q1", "ab")},
			"09:00:00.000Z | start |  | q1 | 2 | ab | result\n09:00:01.000Z | typed | a | q1 | 2 | ab | result\n09:00:03.000Z | typed | ab | q1 | 2 | ab | result\n09:00:05.000Z | result | ab | q1 | 2 | ab | result\n" +
				"09:00:00.000Z | start |  | q2 | 1 | b | result\n09:00:02.000Z | typed | b | q2 | 1 | b | result\n09:00:04.000Z | result | b | q2 | 1 | b | result\n"},
		{"results that come when the next search has begun",
			[]activity{start("09:00:00", "s", "q1"), typed("09:00:01", "s", "a"), execute("09:00:02", "s", "q1"), start("09:00:03", "s", "q2"), typed("09:00:04", "s", "b"), result("09:00:05", "s", "q1", "a"), typed("09:00:06", "s", "bc"), result("09:00:07", "s", "q2", "bc")},
			"09:00:00.000Z | start |  | q1 | 1 | a | result\n09:00:01.000Z | typed | a | q1 | 1 | a | result\n09:00:02.000Z | executed |  | q1 | 1 | a | result\n09:00:05.000Z | result | a | q1 | 1 | a | result\n" +
				"09:00:03.000Z | start |  | q2 | 2 | bc | result\n09:00:04.000Z | typed | b | q2 | 2 | bc | result\n09:00:06.000Z | typed | bc | q2 | 2 | bc | result\n09:00:07.000Z | result | bc | q2 | 2 | bc | result\n"},
		{"results that come when the next query of the session is being typed",
			[]activity{start("09:00:00", "s", "q"), typed("09:00:01", "s", "a"), execute("09:00:02", "s", "q"), typed("09:00:03", "s", "b"), result("09:00:04", "s", "q", "a"), result("09:00:05", "s", "q", "b")},
			"09:00:00.000Z | start |  | q | 1 | a | result\n09:00:01.000Z | typed | a | q | 1 | a | result\n09:00:02.000Z | executed |  | q | 1 | a | result\n09:00:04.000Z | result | a | q | 1 | a | result\n" +
				"09:00:03.000Z | typed | b | q | 1 | b | result\n09:00:05.000Z | result | b | q | 1 | b | result\n"},
		{"given up, and another one after a pause",
			[]activity{typed("09:00:00", "s", "x"), typed("09:00:01", "s", "xy"), typed("09:10:02", "s", "z")},
			"09:00:00.000Z | typed | x |  | 2 | xy | typed\n09:00:01.000Z | typed | xy |  | 2 | xy | typed\n09:10:02.000Z | typed | z |  | 1 | z | typed\n"},
		{"given up, and the box emptied",
			[]activity{typed("09:00:00", "s", "x"), typed("09:00:01", "s", "xy"), typed("09:00:02", "s", "")},
			"09:00:00.000Z | typed | x |  | 3 | xy | typed\n09:00:01.000Z | typed | xy |  | 3 | xy | typed\n09:00:02.000Z | typed |  |  | 3 | xy | typed\n"},
		{"letters before the first sign of their search session",
			[]activity{typed("09:00:00", "s", "x"), execute("09:00:01", "s", "q")},
			"09:00:00.000Z | typed | x | q | 1 | x | typed\n09:00:01.000Z | executed |  | q | 1 | x | typed\n"},
		{"two queries of one search session, the second chosen and not typed; and its second page of results",
			[]activity{start("09:00:00", "s", "q"), typed("09:00:01", "s", "pay"), execute("09:00:02", "s", "q"), result("09:00:03", "s", "q", "pay"), result("09:00:04", "s", "q", "pay"),
				result("09:00:05", "s", "q", "wire"), result("09:00:06", "s", "q", "wire"), typed("09:00:07", "s", "i"), result("09:00:08", "s", "q", "iban")},
			"09:00:00.000Z | start |  | q | 1 | pay | result\n09:00:01.000Z | typed | pay | q | 1 | pay | result\n09:00:02.000Z | executed |  | q | 1 | pay | result\n" +
				"09:00:03.000Z | result | pay | q | 1 | pay | result\n09:00:04.000Z | result | pay | q | 1 | pay | result\n" +
				"09:00:05.000Z | result | wire | q | 0 | wire | result\n09:00:06.000Z | result | wire | q | 0 | wire | result\n" +
				"09:00:07.000Z | typed | i | q | 1 | iban | result\n09:00:08.000Z | result | iban | q | 1 | iban | result\n"},
		{"a further page of results, when the next query is being typed and then given up",
			[]activity{start("09:00:00", "s", "q"), typed("09:00:01", "s", "a"), result("09:00:02", "s", "q", "a"), typed("09:00:03", "s", "b"), result("09:00:04", "s", "q", "a"), typed("09:00:05", "s", "bc")},
			"09:00:00.000Z | start |  | q | 1 | a | result\n09:00:01.000Z | typed | a | q | 1 | a | result\n09:00:02.000Z | result | a | q | 1 | a | result\n09:00:04.000Z | result | a | q | 1 | a | result\n" +
				"09:00:03.000Z | typed | b | q | 2 | bc | typed\n09:00:05.000Z | typed | bc | q | 2 | bc | typed\n"},
		{"given up, and hours later letters of which no search session is known",
			[]activity{start("09:00:00", "s", "q"), typed("09:00:01", "s", "pay"), typed("15:00:00", "s", "w"), typed("15:00:01", "s", "wi"), execute("15:00:02", "s", "q2"), result("15:00:03", "s", "q2", "wi")},
			"09:00:00.000Z | start |  | q | 1 | pay | typed\n09:00:01.000Z | typed | pay | q | 1 | pay | typed\n" +
				"15:00:00.000Z | typed | w | q2 | 2 | wi | result\n15:00:01.000Z | typed | wi | q2 | 2 | wi | result\n15:00:02.000Z | executed |  | q2 | 2 | wi | result\n15:00:03.000Z | result | wi | q2 | 2 | wi | result\n"},
	} {
		for i, boxes := range [][]box{one(c.list...), reversed(one(c.list...))} {
			if got := pick(show(t, container(t, boxes), "searches", Options{}), columns...); got != c.want {
				t.Errorf("%s, order %d: got\n%swant\n%s", c.name, i, got, c.want)
			}
		}
	}
}

// TestOneSecond: letters that the service gives one whole second stand in the order in which it recorded them, whatever their ids and in whatever order they come.
func TestOneSecond(t *testing.T) {
	typed := func(id, created, text string) activity {
		a := act("09:00:01", "Web", "SearchSuggestionsDisplay", "s", "", "SuggestionStimulus", text)
		a.ID, a.ActivityCreationTime = id, created
		return a
	}
	first := act("09:00:01", "Web", "SearchSessionStart", "s", "", "SearchSessionId", "q")
	first.ID, first.ActivityCreationTime = "z", "2018-06-01T09:00:01.050Z"
	list := []activity{first, typed("y", "2018-06-01T09:00:01.1Z", "p"), typed("c", "2018-06-01T11:00:01.25+02:00", "pa"), typed("x", "2018-06-01T09:00:01.300Z", "pay"), typed("a", "", "payr")}
	const want = " | q | payr\np | q | payr\npa | q | payr\npay | q | payr\npayr | q | payr\n"
	for i, boxes := range [][]box{one(list...), reversed(one(list...)), one(list[3], list[1], list[4], list[0], list[2], list[2])} {
		c := container(t, boxes)
		if got := pick(show(t, c, "searches", Options{}), "query", "search", "final_query"); got != want {
			t.Errorf("order %d: got\n%swant\n%s", i, got, want)
		}
		if got := show(t, c, "sessions", Options{})[0]["searches"].([]any); len(got) != 1 || got[0].(map[string]any)["query"] != "payr" {
			t.Errorf("order %d: session has %v", i, got)
		}
	}
	// Where records with one id differ, too.
	other := typed("c", "2018-06-01T09:00:01.25Z", "pa")
	other.CustomProperties = append(other.CustomProperties, pair{"More", "x"})
	if got := pick(show(t, container(t, one(append(list, other)...)), "searches", Options{}), "query", "search", "final_query"); got != want {
		t.Errorf("with records that differ: got\n%swant\n%s", got, want)
	}
}

// TestUntimedLetter: a letter whose time nobody knows is neither the first nor the last, and belongs to a search only if it names it.
func TestUntimedLetter(t *testing.T) {
	a := act("09:00:01", "Web", "SearchSuggestionsDisplay", "s", "", "SuggestionStimulus", "p")
	b := act("09:00:02", "Web", "SearchSuggestionsDisplay", "s", "", "SuggestionStimulus", "x")
	b.TimeStamp = "soon"
	d := act("09:00:02", "Web", "SearchSuggestionsDisplay", "s", "", "SuggestionStimulus", "y", "SearchSessionId", "q")
	d.TimeStamp = "later"
	c := container(t, one(act("09:00:00", "Web", "SearchSessionStart", "s", "", "SearchSessionId", "q"), a, b, d))
	if got := pick(show(t, c, "searches", Options{}), "query", "keystrokes", "first_keystroke", "last_keystroke", "final_query"); got !=
		" | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:01.000Z | p\np | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:01.000Z | p\n"+
			"y | 2 | 2018-06-01T09:00:01.000Z | 2018-06-01T09:00:01.000Z | p\nx | 1 |  |  | x\n" {
		t.Errorf("got %s", got)
	}
}

// TestSearchAcrossApplications: a search of one client session is one search, whatever applications its steps name; without a client session each application is for itself.
func TestSearchAcrossApplications(t *testing.T) {
	list := func(session string) []activity {
		return []activity{act("09:00:00", "Web", "SearchSessionStart", session, "", "SearchSessionId", "q"), act("09:00:01", "Web", "SearchSuggestionsDisplay", session, "", "SuggestionStimulus", "pa"),
			act("09:00:02", "Other", "SearchResult", session, "", "Sid", "q", "Query", "pay")}
	}
	for session, want := range map[string]string{"s": " | 1 | pay\npa | 1 | pay\npay | 1 | pay\n", "": " | 1 | pa\npa | 1 | pa\npay | 0 | pay\n"} {
		if got := pick(show(t, container(t, one(list(session)...)), "searches", Options{}), "query", "keystrokes", "final_query"); got != want {
			t.Errorf("session %q: got %s", session, got)
		}
	}
}
