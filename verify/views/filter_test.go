package views

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
)

// TestParseAddress: the spellings of addresses that records have, and what is none.
func TestParseAddress(t *testing.T) {
	for given, want := range map[string]string{
		"203.0.113.77":                     "203.0.113.77",
		" 203.0.113.77 ":                   "203.0.113.77",
		"203.0.113.77:28491":               "203.0.113.77",
		"::ffff:203.0.113.77":              "203.0.113.77",
		"[::ffff:203.0.113.77]:80":         "203.0.113.77",
		"::ffff:cb00:714d":                 "203.0.113.77",
		"2001:DB8:0:0::77":                 "2001:db8::77",
		"2001:0db8:0000:0000:0000:0:0:77":  "2001:db8::77",
		"[2001:db8::77]":                   "2001:db8::77",
		"[2001:db8::77]:54809":             "2001:db8::77",
		"2001:db8::77:443":                 "2001:db8::77:443", // which is no port
		"":                                 "",
		"[203.0.113.77]":                   "",
		"[2001:db8::77":                    "",
		"203.0.113.0/24":                   "",
		"203.0.113.77, 203.0.113.78":       "",
		"203.0.113.777":                    "",
		"203.0.113.77:99999":               "",
		"host.example":                     "",
		strings.Repeat("203.0.113.", 1000): "",
	} {
		a, ok := ParseAddress(given)
		if ok != (want != "") || ok && a != netip.MustParseAddr(want) {
			t.Errorf("%q: %v, %v, want %q", given, a, ok, want)
		}
	}
}

// The mailbox of TestFilter: who comes from abroad is looked for.
const (
	sixth = "[2001:db8::77]:443"
	deskA = "198.51.100.15"
	deskB = "198.51.100.16"
)

func entered() []activity {
	untimed := read("23:00:00", "Web", "", "m10")
	untimed.TimeStamp = ""
	return []activity{
		act("06:00:00", "IMAP", "ServerLogon", "", "", "ClientIP", "unknown host", "Result", "Success"),
		act("07:00:00", "Web", "ServerLogon", "", "", "ClientIP", abroad, "Result", "Failure"),
		webLogon("08:00:00", "s1", home),
		read("08:05:00", "Web", "s1", "m1"),
		act("08:06:00", "Web", "ReadingPaneDisplayEnd", "s1", "m1"),

		// A browser's two logons: the first is a part of the session of the second.
		serverLogon("08:59:30", "Web", abroad),
		read("08:59:40", "Web", "", "m5"),
		webLogon("09:00:00", "s2", abroad),
		read("09:01:00", "Web", "s2", "m2"),

		// An event that names a session of which there is no logon.
		serverLogon("10:00:00", "Outlook", sixth),
		read("10:10:00", "Outlook", "", "m3"),
		read("10:20:00", "Outlook", "s8", "m3"),

		// Two logons that are in use at the same time.
		serverLogon("11:00:00", "Mobile", abroad+":28491"),
		serverLogon("11:01:00", "Mobile", phone),
		read("12:00:00", "Mobile", "", "m4"),
		serverLogon("13:00:00", "Mobile", abroad+":28491"),
		serverLogon("13:01:00", "Mobile", phone),

		// Nobody's.
		read("12:30:00", "POP3", "", "m4"),
		read("14:00:00", "Other", "s9", "m1"),
		untimed,

		// Two again, one of which names no session and is taken for a part of s5.
		act("15:00:00", "Lync", "Logon", "s5", "", "IPAddress", deskA),
		serverLogon("15:00:30", "Lync", deskA),
		act("15:01:00", "Lync", "Logon", "s6", "", "IPAddress", deskB),
		read("15:30:00", "Lync", "", "m6"),
		read("16:00:00", "Lync", "s5", "m6"),
		read("16:01:00", "Lync", "s6", "m6"),
		serverLogon("17:00:00", "Lync", deskA),
	}
}

// june is a time of 1 June 2018; zero for "".
func june(clock string) time.Time {
	if clock == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, "2018-06-01T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return at
}

// shuffled are the same activities in another order.
func shuffled(boxes []box) (out []box) {
	for i, b := range boxes {
		s := box{user: b.user}
		for j, p := range b.pages {
			p = slices.Clone(p)
			rand.New(rand.NewPCG(uint64(i), uint64(j))).Shuffle(len(p), func(a, b int) { p[a], p[b] = p[b], p[a] })
			s.pages = append(s.pages, p)
		}
		out = append(out, s)
	}
	return out
}

// TestFilter: the rows of each filter, worked out by hand, in three orders of arrival.
func TestFilter(t *testing.T) {
	boxes := one(entered()...)
	cases := []struct {
		kind       string
		start, end string
		addresses  string
		sessions   string
		want       string // the clocks of the rows
		left       Left
	}{
		{"reading", "", "", "", "", "08:05:00 08:06:00 08:59:40 09:01:00 10:10:00 10:20:00 12:00:00 12:30:00 14:00:00 15:30:00 16:00:00 16:01:00 -", Left{}},
		{"reading", "", "", abroad, "", "08:59:40 09:01:00 12:00:00", Left{Rows: 10, Unsure: 3}},
		{"reading", "", "", "::ffff:" + abroad, "", "08:59:40 09:01:00 12:00:00", Left{Rows: 10, Unsure: 3}},
		{"reading", "", "", "2001:DB8:0::77", "", "10:10:00 10:20:00", Left{Rows: 11, Unsure: 3}},
		{"reading", "", "", "2001:db8::77 " + phone, "", "10:10:00 10:20:00 12:00:00", Left{Rows: 10, Unsure: 3}},
		{"reading", "", "", "203.0.113.7", "", "", Left{Rows: 13, Unsure: 3}},
		{"reading", "", "", "203.0.113.0/24", "", "", Left{Rows: 13, Unsure: 3}},
		{"reading", "", "", "", "s2", "08:59:40 09:01:00", Left{Rows: 11, Unsure: 2}},
		{"reading", "", "", "", "s8 s9", "10:20:00 14:00:00", Left{Rows: 11, Unsure: 2}},
		{"reading", "", "", "", "s5", "15:30:00 16:00:00", Left{Rows: 11, Unsure: 2}},
		{"reading", "", "", "", "S5", "", Left{Rows: 13, Unsure: 2}},
		{"reading", "", "", deskA, "s5", "15:30:00 16:00:00", Left{Rows: 11, Unsure: 2}},
		{"reading", "", "", deskB, "s5", "", Left{Rows: 13, Unsure: 2}},
		{"reading", "", "", deskB, "s6", "15:30:00 16:01:00", Left{Rows: 11, Unsure: 2}},
		{"reading", "", "", abroad, "s9", "", Left{Rows: 13, Unsure: 3}},
		{"reading", "09:01:00", "10:20:00", "", "", "09:01:00 10:10:00", Left{Rows: 11, Untimed: 1}},
		{"reading", "09:01:00", "", abroad, "", "09:01:00 12:00:00", Left{Rows: 11, Untimed: 1, Unsure: 2}},
		{"reading", "", "09:01:00", abroad, "", "08:59:40", Left{Rows: 12, Untimed: 1}},
		{"reading", "08:59:40", "08:59:40.001", "", "", "08:59:40", Left{Rows: 12, Untimed: 1}},
		{"reading", "08:59:40.001", "09:01:00", "", "", "", Left{Rows: 13, Untimed: 1}},
		{"reading-by-item", "", "", abroad, "", "08:59:40 09:01:00 12:00:00", Left{Rows: 10, Unsure: 3}},

		{"logons", "", "", abroad, "", "07:00:00 08:59:30 09:00:00 11:00:00 13:00:00", Left{Rows: 9}},
		{"logons", "09:00:00", "13:00:00", abroad + " " + phone, "", "09:00:00 11:00:00 11:01:00", Left{Rows: 11}},
		{"logons", "", "", "unknown host", "", "06:00:00", Left{Rows: 13}},
		{"logons", "", "", "", "s2", "08:59:30 09:00:00", Left{Rows: 12}},

		// Sessions: by their first events. That of s8 has no logon; what is in it was inferred to belong to one.
		{"sessions", "", "", "", "", "06:00:00 07:00:00 08:00:00 08:59:30 10:00:00 10:20:00 11:00:00 11:01:00 12:00:00 12:30:00 14:00:00 15:00:00 15:00:30 15:01:00 15:30:00 -", Left{}},
		{"sessions", "", "", abroad, "", "07:00:00 08:59:30 11:00:00 12:00:00", Left{Rows: 12, Unsure: 3}},
		{"sessions", "", "", "2001:db8::77", "", "10:00:00 10:20:00", Left{Rows: 14, Unsure: 3}},
		{"sessions", "", "", "", "s2", "08:59:30", Left{Rows: 15, Unsure: 2}},
		{"sessions", "", "", "", "s5", "15:00:00", Left{Rows: 15, Unsure: 3}},
		{"sessions", "", "", deskB, "s5", "", Left{Rows: 16, Unsure: 2}},
		{"sessions", "12:00:00", "12:10:00", "", "", "11:00:00 11:01:00 12:00:00", Left{Rows: 13, Untimed: 1}},
		{"sessions", "13:01:00", "14:00:00", "", "", "11:01:00", Left{Rows: 15, Untimed: 1}},
		{"sessions", "12:00:00", "12:40:00", abroad, "", "11:00:00 12:00:00", Left{Rows: 14, Untimed: 1, Unsure: 1}},
	}
	for i, boxes := range [][]box{boxes, reversed(boxes), shuffled(boxes)} {
		c := container(t, boxes)
		for _, k := range cases {
			opt := Options{Filter: Filter{Start: june(k.start), End: june(k.end), Addresses: words(k.addresses), Sessions: strings.Fields(k.sessions)}}
			text, sum := write(t, c, k.kind, "jsonl", opt)
			var got []string
			for _, r := range show(t, c, k.kind, opt) {
				at, _ := r["time"].(string)
				if k.kind == "sessions" {
					at = strings.TrimPrefix(r["first_event"].(string), "2018-06-01T")
				}
				if at = strings.TrimSuffix(at, ".000Z"); at == "" {
					at = "-"
				}
				got = append(got, at)
			}
			if g := strings.Join(got, " "); g != k.want || sum.Left != k.left {
				t.Errorf("order %d, %s from %q to %q, addresses %q, sessions %q: got\n%s %+v, want\n%s %+v", i, k.kind, k.start, k.end, k.addresses, k.sessions, g, sum.Left, k.want, k.left)
			}
			sameWords(t, c, k.kind, text, sum)
		}
	}
}

func words(s string) []string {
	if s == "unknown host" {
		return []string{s}
	}
	return strings.Fields(s)
}

// sameWords: every line of a view stands word for word in the view without filter, in the same order, and both count the same events.
func sameWords(t *testing.T, c *verify.Container, kind, filtered string, sum Summary) {
	t.Helper()
	all, whole := write(t, c, kind, "jsonl", Options{})
	next := slices.Collect(strings.Lines(all))
	for line := range strings.Lines(filtered) {
		at := slices.Index(next, line)
		if at < 0 {
			t.Fatalf("%s: a filter changes what a row says:\n%s", kind, line)
		}
		next = next[at+1:]
	}
	if sum.Rows+sum.Left.Rows != whole.Rows || whole.Left != (Left{}) || sum.First != whole.First || sum.Last != whole.Last || sum.Repeats != whole.Repeats {
		t.Errorf("%s: %+v, without filter %+v", kind, sum, whole)
	}
	if sum.Left.Rows == 0 && !maps.Equal(sum.How, whole.How) {
		t.Errorf("%s: %v, without filter %v", kind, sum.How, whole.How)
	}
}

// TestFilterLong: what is too long to be shown is found by all of it, and by what is shown of it.
func TestFilterLong(t *testing.T) {
	id, host := strings.Repeat("s", 9000), strings.Repeat("h", 9000)
	c := container(t, one(webLogon("08:00:00", id+"1", host+"1"), webLogon("08:10:00", id+"2", host+"2"), webLogon("08:20:00", id+"3", host+"3")))
	whole := show(t, c, "logons", Options{})
	for _, f := range []Filter{
		{Sessions: []string{id + "2"}}, {Sessions: []string{whole[1]["session"].(string)}},
		{Addresses: []string{host + "2"}}, {Addresses: []string{whole[1]["source_ip"].(string)}},
	} {
		if rows := show(t, c, "logons", Options{Filter: f}); len(rows) != 1 || key(rows[0]) != key(whole[1]) {
			t.Errorf("%d rows", len(rows))
		}
	}
}

// eventKinds are the views of single events that show each event once.
const eventKinds = "logons reading attachments delivered read"

// byColumns reports whether a row says in its columns that it belongs to a logon for which is reports true, or to several of which it does for one.
func byColumns(r map[string]any, column, ofCandidate, value string) bool {
	if r["how"] != "ambiguous" {
		return r[column] == value
	}
	return slices.ContainsFunc(r["candidates"].([]any), func(c any) bool { return c.(map[string]any)[ofCandidate] == value })
}

// TestFilterByColumns: in mailboxes where everything gets into each other's way, a filter leaves the rows of which the columns of the whole view say that they are asked for, and the
// sessions that these rows make up.
func TestFilterByColumns(t *testing.T) {
	shown := map[string]int{}
	for seed := range uint64(6) {
		c := container(t, one(crowded(rand.New(rand.NewPCG(seed, 7)), 60+int(seed)*20)...))
		sessions := show(t, c, "sessions", Options{})
		for _, kind := range append(strings.Fields(eventKinds), "sessions") {
			whole := show(t, c, kind, Options{})
			for _, address := range []string{home, abroad, phone} {
				rows := map[any]bool{}
				for _, r := range show(t, c, kind, Options{Filter: Filter{Addresses: []string{address}}}) {
					rows[key(r)] = true
				}
				for _, r := range whole {
					want := byColumns(r, "attributed_address", "address", address)
					if kind == "sessions" {
						want = slices.ContainsFunc(append(r["addresses"].([]any), r["candidates"].([]any)...), func(a any) bool { return a.(map[string]any)["address"] == address })
						if !want && rows[key(r)] && r["kind"] == ofClient && len(r["addresses"].([]any)) == 0 {
							want = true // what is in it was inferred to belong to such a logon
							shown["without logon"]++
						}
					}
					if want != rows[key(r)] {
						t.Fatalf("seed %d, %s, address %s: %v: shown is %v", seed, kind, address, r, rows[key(r)])
					}
					if want {
						shown[kind]++
					}
				}
			}
			noon := func(r map[string]any) bool {
				return r["time"].(string) >= "06:00" && r["time"].(string) < "18:20" && r["date"] == "2018-06-01"
			}
			if kind == "sessions" {
				noon = func(r map[string]any) bool {
					return r["first_event"].(string) < "2018-06-01T18:20" && r["last_event"].(string) >= "2018-06-01T06:00"
				}
			}
			want := slices.DeleteFunc(slices.Clone(whole), func(r map[string]any) bool { return !noon(r) })
			if got := show(t, c, kind, Options{Filter: Filter{Start: june("06:00:00"), End: june("18:20:00")}}); !slices.EqualFunc(got, want, func(a, b map[string]any) bool { return key(a) == key(b) }) {
				t.Errorf("seed %d, %s from 6 to 18:20: %d rows, want %d", seed, kind, len(got), len(want))
			}
		}
		for _, s := range sessions {
			if s["kind"] != ofClient {
				continue
			}
			id := s["session"].(string)
			only := Options{Filter: Filter{Sessions: []string{id}}}
			if got := show(t, c, "sessions", only); len(got) != 1 || key(got[0]) != key(s) {
				t.Errorf("seed %d: %d sessions are %s", seed, len(got), id)
			}
			events := s["deleted_count"].(float64)
			for _, kind := range strings.Fields(eventKinds) {
				for _, r := range show(t, c, kind, only) {
					switch {
					case r["session"] != "" && r["session"] != id:
						t.Errorf("seed %d, %s: a row of %s is shown as one of %s", seed, kind, r["session"], id)
					case r["how"] == "ambiguous" && r["session"] == "", r["result"] == "Failure":
						shown["one of several"]++
					default:
						events++
					}
				}
			}
			if s["events"] != events {
				t.Errorf("seed %d: %v events are in session %s, which has %v", seed, events, id, s["events"])
			}
		}
	}
	for _, what := range append(strings.Fields(eventKinds), "sessions", "without logon", "one of several") {
		if shown[what] < 5 && what != "delivered" || shown[what] == 0 {
			t.Errorf("only %d of %q: the mailboxes show too little", shown[what], what)
		}
	}
}

// key names a row.
func key(r map[string]any) string {
	return pick([]map[string]any{r}, "provenance_seq", "provenance_pointer")
}
