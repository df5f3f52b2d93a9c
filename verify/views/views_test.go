package views

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/jsonspan"
)

// places are the columns that say where records stand, which depends on the order of arrival.
var places = regexp.MustCompile(`"[a-z_]*(seq|pointer)":("[^"]*"|\d+|null)`)

// TestOrderOfArrival makes each view of the same activities, acquired oldest first, newest first, and by chance, with pages that overlap; with much memory and with next to none.
func TestOrderOfArrival(t *testing.T) {
	l := newLife(3)
	var all []activity
	for range 1500 {
		all = append(all, l.next())
	}
	shuffled := slices.Clone(all)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	second := []activity{webLogon("08:00:00", "s1", home), read("08:30:00", "Web", "s1", "m1")}
	cases := [][]box{
		{{"kim@example.com", [][]activity{all[:700], all[650:]}}, {"sam@example.com", [][]activity{second}}},
		{{"sam@example.com", [][]activity{second}}, {"kim@example.com", reversed([]box{{"", [][]activity{all[:300], all[250:]}}})[0].pages}},
		{{"kim@example.com", [][]activity{shuffled, shuffled[:50]}}, {"sam@example.com", [][]activity{second}}},
	}
	for _, k := range Kinds() {
		var want string
		for i, boxes := range cases {
			c := container(t, boxes)
			got, sum := write(t, c, k.Name, "jsonl", Options{})
			if spilled, _ := write(t, c, k.Name, "jsonl", Options{Memory: 20_000, Workers: 1}); spilled != got {
				t.Errorf("%s, order %d: with little memory the view is another", k.Name, i)
			}
			got = places.ReplaceAllString(got, "")
			got = regexp.MustCompile(`"(copies|copies_at|further_copies)":(\d+|\[[^\]]*\])`).ReplaceAllString(got, "")
			if i == 0 {
				want = got
			}
			if got != want {
				t.Errorf("%s, order %d: the view is another:\n%s", k.Name, i, firstDifference(got, want))
			}
			if sum.Rows < 20 || sum.Differing != 0 {
				t.Errorf("%s: %+v", k.Name, sum)
			}
		}
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d: %s\nwant    %s", i, a[i], b[min(i, len(b)-1)])
		}
	}
	return "lines are missing"
}

// TestOneMailboxAlone: --user leaves the same rows as a case of that mailbox alone has, in any case of letters.
func TestOneMailboxAlone(t *testing.T) {
	kim := box{"kim@example.com", [][]activity{{serverLogon("08:00:00", "Outlook", home), read("08:30:00", "Outlook", "", "m1")}}}
	sam := box{"sam@example.com", [][]activity{{serverLogon("08:10:00", "Outlook", abroad), delivered("08:00:00", "m1", "For Sam", "a@example.net"), read("08:20:00", "Outlook", "", "m1")}}}
	columns := []string{"mailbox", "time", "subject", "last_login_ip", "how"}
	both := container(t, []box{kim, sam})
	want := pick(show(t, container(t, []box{kim}), "reading", Options{}), columns...)
	if want != "kim@example.com | 08:30:00.000Z |  | "+home+" | inferred\n" {
		t.Fatal(want)
	}
	if got := pick(show(t, both, "reading", Options{User: "KIM@example.com"}), columns...); got != want {
		t.Errorf("got %s", got)
	}
	if got := pick(show(t, both, "reading", Options{}), columns...); got != want+"sam@example.com | 08:20:00.000Z | For Sam | "+abroad+" | inferred\n" {
		t.Errorf("both: %s", got)
	}
}

// TestOneMailboxSpeltTwice: a mailbox that two windows name in other letters is one: a record of both counts once, and a logon of one explains what the other has. A long s is no s.
func TestOneMailboxSpeltTwice(t *testing.T) {
	logon, reading := serverLogon("08:00:00", "Outlook", home), read("08:30:00", "Outlook", "", "m1")
	for i, boxes := range [][]box{
		{{"Kim.s@example.com", [][]activity{{logon}}}, {"kim.S@example.com", [][]activity{{logon, reading}}}, {"kim.\u017f@example.com", [][]activity{{reading}}}},
		{{"kim.S@example.com", [][]activity{{reading, logon}}}, {"kim.\u017f@example.com", [][]activity{{reading}}}, {"Kim.s@example.com", [][]activity{{logon}}}},
	} {
		c := container(t, boxes)
		want := "kim.s@example.com | 08:30:00.000Z | " + home + " | inferred\n"
		if got := pick(show(t, c, "reading", Options{User: "KIM.s@example.com"}), "mailbox", "time", "last_login_ip", "how"); got != want {
			t.Errorf("order %d: got %s", i, got)
		}
		want += "kim.\u017f@example.com | 08:30:00.000Z |  | none\n"
		if got := pick(show(t, c, "reading", Options{}), "mailbox", "time", "last_login_ip", "how"); got != want {
			t.Errorf("order %d, all: got %s", i, got)
		}
		if rows := show(t, c, "logons", Options{User: "kim.s@EXAMPLE.com"}); len(rows) != 1 || rows[0]["copies"] != 2.0 {
			t.Errorf("order %d: logons %v", i, rows)
		}
	}
}

// TestDeliveredTo: the folder that a mail was delivered to is what the delivery says, and nothing that others say of the mail later. What else is filled in says from where.
func TestDeliveredTo(t *testing.T) {
	c := container(t, one(act("08:00:00", "Exchange", "MessageDelivered", "", "m1"), delivered("08:01:00", "m2", "Second", "b@example.net"),
		act("09:00:00", "Outlook", "MarkAsRead", "", "m1", "SenderAddress", "a@example.net", "SourceFolder", "Deleted Items"), act("09:01:00", "Outlook", "MarkAsRead", "", "m2", "SourceFolder", "Archive")))
	rows := show(t, c, "delivered", Options{})
	if got := pick(rows, "time", "from", "delivered_to", "mail_told_by", "mail_told_pointer"); got != "08:00:00.000Z | a@example.net |  | MarkAsRead | /value/2\n08:01:00.000Z | b@example.net | Inbox | MessageDelivered | /value/1\n" {
		t.Errorf("got %s", got)
	}
	if got := pick(show(t, c, "read", Options{}), "time", "from", "folder", "mail_told_by"); got != "09:00:00.000Z | a@example.net | Deleted Items | MarkAsRead\n09:01:00.000Z | b@example.net | Archive | MessageDelivered\n" {
		t.Errorf("read: got %s", got)
	}
}

// TestRepeats: records with the same id are one event, which says so, whichever came first.
func TestRepeats(t *testing.T) {
	a, b := webLogon("08:00:00", "s1", home), webLogon("09:00:00", "s2", abroad)
	other := a
	other.TimeStamp, other.CustomProperties = "2018-06-01T07:59:00.000Z", []pair{{"IPAddress", phone}}
	noID := a
	noID.ID = ""
	columns := []string{"time", "source_ip", "copies", "copies_differ", "copies_at"}
	for _, c := range []struct {
		name  string
		pages [][]activity
		want  string
	}{
		{"the same bytes on two pages", [][]activity{{a, b}, {b, a}},
			"08:00:00.000Z | 192.0.2.1 | 2 | false | [2 /value/1]\n09:00:00.000Z | 203.0.113.77 | 2 | false | [2 /value/0]\n"},
		{"other bytes: the earliest counts", [][]activity{{a, b}, {other}}, "07:59:00.000Z | 198.51.100.5 | 2 | true | [1 /value/0]\n09:00:00.000Z | 203.0.113.77 | 1 | false | []\n"},
		{"other bytes, the other way round", [][]activity{{other}, {a, b}}, "07:59:00.000Z | 198.51.100.5 | 2 | true | [2 /value/0]\n09:00:00.000Z | 203.0.113.77 | 1 | false | []\n"},
		{"no id, nothing to compare by", [][]activity{{noID, noID}}, "08:00:00.000Z | 192.0.2.1 | 1 | false | []\n08:00:00.000Z | 192.0.2.1 | 1 | false | []\n"},
	} {
		rows := show(t, container(t, []box{{"kim@example.com", c.pages}}), "logons", Options{})
		for _, r := range rows {
			var at []any
			for _, p := range r["copies_at"].([]any) {
				s := p.(string)
				at = append(at, regexp.MustCompile(`^\d+`).ReplaceAllStringFunc(s, func(seq string) string { return map[string]string{"2": "1", "3": "2"}[seq] }))
			}
			r["copies_at"] = fmt.Sprint(at)
		}
		if got := pick(rows, columns...); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
	rows := show(t, container(t, []box{{"kim@example.com", [][]activity{{a}, {other}}}}), "sessions", Options{})
	if got := fmt.Sprint(rows[0]["observations"]); !strings.Contains(got, "records-differ") {
		t.Errorf("the session does not say that records differ: %s", got)
	}
}

// TestRepeatsThatSayTheSame: properties in another order, and what the service adds to an answer on request, are no other word about the event.
func TestRepeatsThatSayTheSame(t *testing.T) {
	const form = `{"value":[{%s"Id":"a1","ActivityIdType":"Logon","AppIdType":"Web","ClientSessionId":"s1","ActivityItemId":"","TimeStamp":"%s","CustomProperties":[%s]}]}`
	const address, browser, odd = `{"Name":"IPAddress","Value":"192.0.2.1"}`, `{"Name":"Browser","Value":"Firefox"}`, `{"Name":"Browser","Value":"Firefox","Extra":1}`
	const meta = `"@odata.id":"https://outlook.office.com/api/v2.0/Users('kim')/Activities('a1')","@odata.etag":"W/\"CQAAAA==\"",`
	page := func(before, at string, properties ...string) string {
		return fmt.Sprintf(form, before, at, strings.Join(properties, ","))
	}
	const at = "2018-06-01T08:00:00.000Z"
	first := page("", at, address, browser)
	for _, c := range []struct {
		name, second string
		differ       bool
	}{
		{"in another order", page("", at, browser, address), false},
		{"with what OData adds", page(meta, at, address, browser), false},
		{"a time with other zeros", page("", "2018-06-01T08:00:00Z", address, browser), false},
		{"another time", page("", "2018-06-01T08:00:00.001Z", address, browser), true},
		{"another browser", page("", at, address, `{"Name":"Browser","Value":"Safari"}`), true},
		{"one property more", page("", at, address, browser, `{"Name":"Layout","Value":"mouse"}`), true},
		{"one property less", page("", at, address), true},
		{"names and values exchanged", page("", at, `{"Name":"IPAddress","Value":"Firefox"}`, `{"Name":"Browser","Value":"192.0.2.1"}`), true},
		{"of another form", page("", at, address, odd), true},
	} {
		for _, pages := range [][]string{{first, c.second}, {c.second, first}} {
			container := bodiesContainer(t, []string{"kim@example.com"}, [][]string{pages})
			rows := show(t, container, "logons", Options{})
			if len(rows) != 1 || rows[0]["copies"] != 2.0 || rows[0]["copies_differ"] != c.differ {
				t.Errorf("%s: %d rows, copies %v, differ %v", c.name, len(rows), rows[0]["copies"], rows[0]["copies_differ"])
			}
			session := show(t, container, "sessions", Options{})
			if got := strings.Contains(codes(session[0]), "records-differ"); got != c.differ || len(session) != 1 {
				t.Errorf("%s: observed %s", c.name, codes(session[0]))
			}
			if _, sum := write(t, container, "logons", "jsonl", Options{}); sum.Repeats != 1 || sum.Differing != map[bool]int64{true: 1}[c.differ] {
				t.Errorf("%s: %+v", c.name, sum)
			}
		}
	}
}

// TestWithoutTime: what has no time is shown, last, and attributed to nothing.
func TestWithoutTime(t *testing.T) {
	a, b := act("08:30:00", "Web", "ReadingPaneDisplayEnd", "s1", "m1"), webLogon("08:00:00", "s1", home)
	a.TimeStamp = "soon"
	for kind, want := range map[string]string{"reading": " | none\n08:31:00.000Z | same session\n", "sessions": "\n"} {
		rows := show(t, container(t, one(a, b, read("08:31:00", "Web", "s1", "m1"))), kind, Options{})
		if kind == "reading" {
			slices.Reverse(rows)
			if got := pick(rows, "time", "how"); got != want {
				t.Errorf("got %s", got)
			}
		} else if len(rows) != 1 || rows[0]["events"] != 3.0 || rows[0]["displayed_seconds"] != 0.0 || rows[0]["last_event"] != "2018-06-01T08:31:00.000Z" {
			t.Errorf("%v", rows)
		}
	}
}

// TestNewAddress holds which logons are from an address that is new to the mailbox against what was worked out by hand.
func TestNewAddress(t *testing.T) {
	failed := func(clock, address string) activity {
		return act(clock, "Outlook", "ServerLogon", "", "", "Result", "Failure", "ClientIP", address)
	}
	undated := func(address string) activity {
		a := webLogon("11:00:00", "s9", address)
		a.TimeStamp, a.ID = "soon", "undated "+address
		return a
	}
	c := container(t, one(failed("08:00:00", abroad), failed("08:01:00", abroad), serverLogon("08:02:00", "Outlook", abroad), webLogon("08:03:00", "s1", abroad), webLogon("08:04:00", "s2", home),
		act("08:05:00", "Web", "Logon", "s3", ""), undated(home), undated(phone)))
	const want = "08:00:00.000Z | 203.0.113.77 | true\n08:01:00.000Z | 203.0.113.77 | false\n08:02:00.000Z | 203.0.113.77 | true\n08:03:00.000Z | 203.0.113.77 | false\n" +
		"08:04:00.000Z | 192.0.2.1 | true\n08:05:00.000Z |  | false\n | 192.0.2.1 | false\n | 198.51.100.5 | true\n"
	rows := show(t, c, "logons", Options{})
	slices.SortStableFunc(rows[6:], func(a, b map[string]any) int {
		return strings.Compare(a["source_ip"].(string), b["source_ip"].(string))
	})
	if got := pick(rows, "time", "source_ip", "new_address"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestFormats reads each format back with readers of others: the cells are those of JSON Lines.
func TestFormats(t *testing.T) {
	evil := "=1+1\t\"x\"\r\n\\t;=cmd|' /C calc'!A0 \x1b[31m \u202e é, \u0000"
	c := container(t, one(webLogon("08:00:00", "s1", home), act("08:10:00", "Web", "SearchResult", "s1", "", "Query", evil)))
	rows := show(t, c, "searches", Options{})
	if rows[0]["query"] != evil {
		t.Fatalf("JSON Lines has %q", rows[0]["query"])
	}
	text, _ := write(t, c, "searches", "csv", Options{})
	table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(table) != 2 {
		t.Fatal(err, len(table))
	}
	at := slices.Index(table[0], "Query")
	if got := export.Restore(table[1][at]); got != strings.ReplaceAll(evil, "\r\n", "\n") || !strings.HasPrefix(table[1][at], "'=") || !strings.Contains(table[1][len(table[1])-1], "query") {
		t.Errorf("csv has %q, neutralised %q", table[1][at], table[1][len(table[1])-1])
	}
	text, _ = write(t, c, "searches", "tsv", Options{})
	lines := strings.Split(text, "\n")
	if len(lines) != 3 || strings.ContainsAny(text, "\r") {
		t.Fatalf("tsv has %d lines: %q", len(lines), text)
	}
	cell := strings.Split(lines[1], "\t")[at]
	if got := export.Restore(strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`).Replace(cell)); got != evil {
		t.Errorf("tsv has %q", cell)
	}
	if head := strings.Split(lines[0], "\t")[:5]; !slices.Equal(head, []string{"Date", "Time", "Platform", "Query", "Last Login ip"}) {
		t.Errorf("tsv begins with %q", head)
	}
	text, _ = write(t, c, "searches", "table", Options{Escape: func(s string) string { return strings.Map(onlyPlain, s) }})
	if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return r < ' ' || r == 0x202e }) || strings.Count(text, "\n") != 2 {
		t.Errorf("the table is not escaped: %q", text)
	}
}

func onlyPlain(r rune) rune {
	if r < ' ' || r == 0x202e {
		return '?'
	}
	return r
}

// TestColumns: the columns of Magic-Unicorn's reports come in its order under its names; every title and every key stands once.
func TestColumns(t *testing.T) {
	theirs := map[string]string{
		"attachments":     "Date, Time, Platform, Subject, From, Received Date, Action, Last Login IP, Activity Item ID",
		"searches":        "Date, Time, Platform, Query, Last Login ip",
		"reading":         "Date, Time, Type, Platform, Subject, From, Received Date, Last Login IP",
		"reading-by-item": "Activity Item ID, Date, Time, Type, Platform, Subject, From, Received Date, Last Login IP",
		"logons":          "Date, Time, Source IP, Logon Type, App Type, User, Client",
	}
	for _, k := range Kinds() {
		var names, keys []string
		for _, c := range k.columns() {
			names, keys = append(names, c.title), append(keys, c.key)
		}
		if want := theirs[k.Name]; !strings.HasPrefix(strings.Join(names, ", "), want) {
			t.Errorf("%s has %q, want first %q", k.Name, names, want)
		}
		for _, list := range [][]string{names, keys} {
			slices.Sort(list)
			if len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Errorf("%s has a column twice: %q", k.Name, list)
			}
		}
	}
}

// TestHostile: records that mean harm are cut, and said to be; and everything stays within bounds.
func TestHostile(t *testing.T) {
	long := strings.Repeat("é\x00=", 20_000)
	item := strings.Repeat("i", 100_000)
	list := []activity{
		webLogon("08:00:00", "s1", home), delivered("08:01:00", item+"1", long, "a@example.net"), delivered("08:01:00", item+"2", "other", "a@example.net"),
		read("08:10:00", "Web", "s1", item+"1"), read("08:11:00", "Web", "s1", item+"2"), act("08:12:00", long, long, long, long, "Subject", long),
	}
	c := container(t, one(list...))
	rows := show(t, c, "reading", Options{})
	if len(rows) != 2 || len(rows[0]["subject"].(string)) > 2*cutText || rows[1]["subject"] != "other" || !strings.Contains(fmt.Sprint(rows[0]["cut"]), "item") {
		t.Errorf("got %.3000v", rows)
	}
	if !strings.HasPrefix(rows[0]["subject"].(string), "é\x00=é") || !strings.Contains(rows[0]["subject"].(string), "… sha256:") {
		t.Errorf("subject %.3000q", rows[0]["subject"])
	}
	if got := fmt.Sprint(rows[0]["cut"], rows[1]["cut"]); got != "[id item subject message_id] [id item message_id]" {
		t.Errorf("said to be cut are %s, but what the delivery told is, too", got)
	}
	for i, k := range Kinds() {
		for _, f := range Formats()[i%4 : i%4+1] {
			if text, _ := write(t, c, k.Name, f.Name, Options{}); len(text) > 100_000 {
				t.Errorf("%s as %s has %d bytes", k.Name, f.Name, len(text))
			}
		}
	}
}

// TestManySessions makes views of 60,000 sessions with two events each, in little memory.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: many sessions, in a short run")
	}
	const sessions, most = 60_000, 24 << 20
	var bodies []string
	for n := 0; n < sessions; {
		var page bytes.Buffer
		for i := 0; i < 2000; i++ {
			fmt.Fprintf(&page, `,{"Id":"a%d","ActivityIdType":"Logon","AppIdType":"Web","ClientSessionId":"s%d","ActivityItemId":"","TimeStamp":"2018-06-01T08:00:00.%06dZ","CustomProperties":[{"Name":"IPAddress","Value":"10.0.%d.%d"}]}`, n, n, n, n/250%250, n%250)
			fmt.Fprintf(&page, `,{"Id":"b%d","ActivityIdType":"ReadingPaneDisplayStart","AppIdType":"Web","ClientSessionId":"s%d","ActivityItemId":"m%d","TimeStamp":"2018-06-01T09:00:00.%06dZ","CustomProperties":[]}`, n, n, n, n)
			n++
		}
		bodies = append(bodies, `{"value":[`+page.String()[1:]+"]}")
	}
	c := bodiesContainer(t, []string{"kim@example.com"}, [][]string{bodies})
	bodies = nil
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, kind := range []string{"reading", "sessions"} {
		k, err := FindKind(kind)
		if err != nil {
			t.Fatal(err)
		}
		f, err := FindFormat("jsonl")
		if err != nil {
			t.Fatal(err)
		}
		lines, peak := 0, uint64(0)
		sum, err := Write(t.Context(), c, k, f, Options{TempDir: t.TempDir(), Memory: 256 << 10}, writerFunc(func(b []byte) (int, error) {
			if lines += bytes.Count(b, []byte("\n")); lines/10_000 != (lines-bytes.Count(b, []byte("\n")))/10_000 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
			return len(b), nil
		}))
		if err != nil || sum.Rows != sessions || lines != sessions {
			t.Fatalf("%s: %+v, %d lines, %v", kind, sum, lines, err)
		}
		if kind == "reading" && sum.How["same session"] != sessions {
			t.Errorf("%v", sum.How)
		}
		if held := int64(peak) - int64(before.HeapAlloc); held > most || peak == 0 {
			t.Errorf("%s: %d bytes held, want at most %d", kind, held, most)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestLongSession: a session with more than is listed counts all of it.
func TestLongSession(t *testing.T) {
	list := []activity{webLogon("08:00:00", "s1", home)}
	const n = sessionList + 500
	for i := range n {
		a := act("09:00:00", "Web", "Delete", "s1", fmt.Sprint("m", i))
		a.TimeStamp = fmt.Sprintf("2018-06-01T09:00:00.%06dZ", i)
		list = append(list, a)
	}
	rows := show(t, container(t, one(list...)), "sessions", Options{})
	if len(rows) != 1 || rows[0]["events"] != n+1.0 || rows[0]["deleted_count"] != float64(n) || len(rows[0]["deleted"].([]any)) != sessionList || rows[0]["omitted"] != 500.0 {
		t.Errorf("events %v, deleted %v, listed %d, omitted %v", rows[0]["events"], rows[0]["deleted_count"], len(rows[0]["deleted"].([]any)), rows[0]["omitted"])
	}
}

var errFull = errors.New("full")

// TestFailures: a writer that fails, and names that are not known, are errors.
func TestFailures(t *testing.T) {
	c := container(t, one(webLogon("08:00:00", "s1", home)))
	k, f := Kinds()[0], Formats()[1]
	if _, err := Write(t.Context(), c, k, f, Options{TempDir: t.TempDir()}, writerFunc(func([]byte) (int, error) { return 0, errFull })); !errors.Is(err, errFull) {
		t.Errorf("a full device gives %v", err)
	}
	if _, err := FindKind("logon"); !errors.Is(err, ErrUnknownKind) {
		t.Error(err)
	}
	if _, err := FindFormat("xlsx"); !errors.Is(err, ErrUnknownFormat) {
		t.Error(err)
	}
}

// FuzzProperties holds how properties are read against the standard library, for whatever JSON an extractor may write.
func FuzzProperties(f *testing.F) {
	f.Add([]byte(`{"Query":"a\"b\\","Sid":["x",{"y":[1]}],"n":1156492.00,"Result":null}`))
	f.Add([]byte(`{"Query":["",[],{},true,"second"],"ReceivedTime":-1e400,"\u0053id":"é\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, details []byte) {
		var compact bytes.Buffer
		if !utf8.Valid(details) || json.Compact(&compact, details) != nil || compact.Bytes()[0] != '{' {
			return
		}
		var names []string
		d := json.NewDecoder(bytes.NewReader(compact.Bytes()))
		d.UseNumber()
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		values := []any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return
			}
			var v any
			if d.Decode(&v) != nil {
				return
			}
			names, values = append(names, name.(string)), append(values, v)
		}
		i := 0
		for m := range jsonspan.Members(compact.Bytes(), 0) {
			name, value := compact.Bytes()[m.Name+1:m.NameEnd-1], compact.Bytes()[m.Value:m.ValueEnd]
			var text string
			if i == len(names) || json.Unmarshal([]byte(`"`+string(name)+`"`), &text) != nil || text != names[i] {
				t.Fatalf("member %d of %s: %q", i, compact.Bytes(), name)
			}
			if got, want := valueText(value), wantText(values[i]); got != want {
				t.Fatalf("%s: %q, want %q", value, got, want)
			}
			i++
		}
		if i != len(names) {
			t.Fatalf("%d members of %d", i, len(names))
		}
	})
}

func wantText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		for _, e := range v {
			switch e := e.(type) {
			case string:
				if e != "" {
					return e
				}
			case json.Number:
				return e.String()
			}
		}
	}
	return ""
}

// TestEventRoundTrip: an event that is written and read is the same.
func TestEventRoundTrip(t *testing.T) {
	e := event{at: instant{-5, 7}, made: instant{-9, 1}, says: 77, seq: -1, offset: 1 << 40, cut: 5, copies: 3, differs: true, also: []place{{9, "/value/1"}, {10, ""}}, n: 1 << 60, chain: 300}
	for f := range e.text {
		e.text[f] = strings.Repeat("x\x00", f)
	}
	e.sha[3] = 9
	var got event
	decodeEvent(&got, e.append(nil))
	if !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v", got)
	}
}
