package replay_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// taken is a window of the source with the rows that it got on one page.
type taken struct {
	from, to   string
	parameters []evidence.Pair // in pairs of name and value
	state      string          // "" for complete
	rows       []string
}

// several makes a case of these windows, one after the other, of one mailbox.
func several(t testing.TB, list ...taken) *player {
	t.Helper()
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire outlook-activities")
	m.Connect()
	for i, of := range list {
		n := int64(i + 1)
		w := evidence.Window{State: evidence.Opened, User: "adele@contoso.example", From: of.from, To: of.to, Parameters: of.parameters, Last: evidence.None}
		note := func() {
			var err error
			if w.Acquisition, err = w.Name("outlook-activities"); err != nil {
				t.Fatal(err)
			}
			m.Append(&evidence.Draft{Run: sample.Run, Source: "outlook-activities", Window: n, Body: &w})
		}
		note()
		body := `{"value":[` + strings.Join(of.rows, ",") + `]}`
		last := m.Exchange(sample.Answer{Source: "outlook-activities", Window: n, Page: n, Parent: evidence.None, RetryOf: evidence.None, Status: 200, Body: body,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(body))})
		w.State, w.Requests, w.Pages, w.Records, w.Last = evidence.Complete, 1, 1, int64(len(of.rows)), last
		if of.state != "" {
			w.State, w.Reason = of.state, "interrupted"
		}
		note()
	}
	m.Operator(evidence.ActionRunStop, "finished")
	m.Seal()
	return play(t, m.Folder.FS())
}

func activity(id, day, kind, app string) string {
	return fmt.Sprintf(`{"Id":%q,"TimeStamp":"2018-05-%sT00:00:00Z","ActivityIdType":%q,"AppIdType":%q}`, id, day, kind, app)
}

const mailbox = "/api/v2.0/Users('adele@contoso.example')/Activities"

// given is what a listing gives: id and type of each row.
func given(t *testing.T, a *answer) (list []string) {
	t.Helper()
	for _, raw := range page(t, a).Value {
		var r struct{ Id, ActivityIdType string }
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r.Id+" "+r.ActivityIdType)
	}
	return list
}

// TestDifferentRecordings: an activity that two windows hold, with other values, comes once in every order, as it was recorded last.
func TestDifferentRecordings(t *testing.T) {
	selected := func(names ...string) (list []evidence.Pair) {
		for _, n := range names {
			list = append(list, evidence.Pair{Name: "select", Value: n})
		}
		return list
	}
	const from, to = "2018-05-01T00:00:00Z", "2018-06-01T00:00:00Z"
	p := several(t,
		taken{from: from, to: to, rows: []string{activity("a", "02", "Logon", "Web"), activity("b", "03", "Move", "Web")}},
		taken{from: from, to: to, parameters: selected("TimeStamp", "ActivityIdType", "AppIdType"), rows: []string{activity("a", "02", "ServerLogon", "Outlook"), activity("b", "03", "Move", "Web")}},
		taken{from: from, to: to, parameters: selected("TimeStamp", "ActivityIdType"), rows: []string{activity("a", "02", "Zulu", "IMAP"), activity("b", "03", "Move", "Web")}},
	)
	const query = "?$filter=TimeStamp+ge+2018-05-01T00:00:00Z+and+TimeStamp+lt+2018-06-01T00:00:00Z"
	for options, want := range map[string][]string{
		"":                         {"b Move", "a Logon"}, // the first window alone has all properties
		"&$orderby=ActivityIdType": {"a Logon", "b Move"},
		"&$select=ActivityIdType":  {"b Move", "a Zulu"},
		"&$select=ActivityIdType&$orderby=TimeStamp":                        {"a Zulu", "b Move"},
		"&$select=ActivityIdType&$orderby=ActivityIdType":                   {"b Move", "a Zulu"},
		"&$select=ActivityIdType,AppIdType&$orderby=ActivityIdType":         {"b Move", "a ServerLogon"},
		"&$select=ActivityIdType&$orderby=AppIdType":                        {"a ServerLogon", "b Move"},
		"&$select=ActivityIdType&$orderby=AppIdType+desc&$top=1":            {"b Move"},
		"&$select=ActivityIdType&$orderby=AppIdType+desc&$skip=1":           {"a ServerLogon"},
		"+and+AppIdType+eq+'Web'&$select=ActivityIdType&$orderby=AppIdType": {"b Move"},
	} {
		if got := given(t, p.get("outlook.office.com", mailbox+query+options)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", options, got, want)
		}
	}
}

// TestBesideTheWindows: an open end is answered of what is marked as recorded, without what windows hold that did not end.
func TestBesideTheWindows(t *testing.T) {
	p := several(t,
		taken{from: "2018-05-05T00:00:00Z", to: "2018-05-10T00:00:00Z", rows: []string{activity("a", "06", "Logon", "Web"), activity("b", "07", "Move", "Web")}},
		taken{from: "2018-05-10T00:00:00Z", to: "2018-05-20T00:00:00Z", state: evidence.Partial, rows: []string{activity("c", "11", "Logon", "Web")}},
		taken{from: "2018-05-01T00:00:00Z", to: "2018-05-05T00:00:00Z", state: evidence.Failed, rows: []string{activity("d", "02", "Logon", "Web")}},
	)
	for options, want := range map[string][]string{
		"": {"b Move", "a Logon"}, "?$filter=ActivityIdType+eq+'Logon'": {"a Logon"}, "?$top=1&$skip=1": {"a Logon"}, "?$orderby=Id+desc&$top=1": {"b Move"}, "?$skip=2": {},
	} {
		got := p.get("outlook.office.com", mailbox+options)
		if list := given(t, got); len(list) != len(want) || !slices.Equal(list, want) && len(want) > 0 || !strings.HasSuffix(got.mark(), "; from=2018-05-05T00:00:00Z; to=2018-05-10T00:00:00Z") {
			t.Errorf("%q: %q, want %q; %q", options, list, want, got.mark())
		}
	}
	if got := p.get("outlook.office.com", mailbox+"?$filter=TimeStamp+ge+2018-05-11T00:00:00Z"); got.StatusCode != 404 {
		t.Errorf("of a window that did not end: %d %s", got.StatusCode, got.body)
	}
}

// TestTwoAnchors: me was two mailboxes, which X-AnchorMailbox alone tells apart.
func TestTwoAnchors(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities("me", wholeFrom, wholeTo, "anchor", simtenant.Owner)
	b.activities("me", "2018-05-01T00:00:00Z", "2018-06-11T00:00:00Z", "anchor", "Adele.V@contoso.example")
	for _, anchor := range []string{simtenant.Owner, "Adele.V@contoso.example"} { // the same target of both
		b.activities("me", "2018-05-22T00:00:00Z", "2018-05-24T00:00:00Z", "anchor", anchor)
	}
	p := b.replay()
	for anchor, says := range map[string]string{
		simtenant.Owner: "from=2018-05-01T00:00:00Z; to=2018-06-12T00:00:00Z", strings.ToUpper(simtenant.Owner): "to=2018-06-12T00:00:00Z", "adele.v@contoso.example": "to=2018-06-11T00:00:00Z",
		"": "me was acquired of several mailboxes", "other@contoso.example": "no activities of the mailbox that X-AnchorMailbox names",
	} {
		got := p.get("outlook.office.com", "/api/v1.0/me/Activities?$top=5", "X-AnchorMailbox", anchor)
		if text := got.mark() + string(got.body); !strings.Contains(text, says) || (got.StatusCode == 200) != strings.HasPrefix(got.mark(), "derived") {
			t.Errorf("%q: %d, %.300s, want %q", anchor, got.StatusCode, text, says)
		}
	}
	// Recorded bytes are those of the same mailbox, too.
	for _, e := range p.exchanges() {
		request := closing(p.block(e, 0))
		if got := p.raw(request); got != p.block(e, 1) {
			t.Errorf("entry %d: not the recorded bytes: %.200q", e.Head.Seq, got)
		}
		other := strings.NewReplacer("X-AnchorMailbox: adele.vance@", "X-AnchorMailbox: other@", "X-AnchorMailbox: Adele.V@", "X-AnchorMailbox: other@").Replace(request)
		if got := parse(t, p.raw(other)); other == request || got.StatusCode != 404 || !strings.HasPrefix(got.mark(), "not-recorded") {
			t.Errorf("entry %d, another mailbox: %d %q", e.Head.Seq, got.StatusCode, got.mark())
		}
	}
	if len(p.exchanges()) < 8 {
		t.Errorf("%d exchanges", len(p.exchanges()))
	}
}

// TestOneAnchor: a client that names no mailbox means the one that was acquired as me.
func TestOneAnchor(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities("me", wholeFrom, wholeTo, "anchor", simtenant.Owner)
	b.activities(simtenant.Apostrophe, wholeFrom, wholeTo)
	p := b.replay()
	for anchor, target := range map[string]string{"": "/api/v1.0/me/Activities", simtenant.Owner: "/api/v1.0/me/Activities", simtenant.Apostrophe: "/api/v1.0/Users('o''neil@contoso.example')/Activities"} {
		got, want := p.get("outlook.office.com", "/api/v1.0/me/Activities?$top=20", "X-AnchorMailbox", anchor), b.asked(target+"?$top=20")
		got.body = []byte(strings.Replace(string(got.body), "/me/", "/-/", 1))
		want.body = []byte(strings.NewReplacer("/me/", "/-/", "/Users('o''neil@contoso.example')/", "/-/", "/Users('o%27%27neil@contoso.example')/", "/-/").Replace(string(want.body)))
		if d := differ(got, want); d != "" {
			t.Errorf("X-AnchorMailbox %q: %s", anchor, d)
		}
	}
}

// TestOwnAnswer: what the asked host answered goes before what another one did.
func TestOwnAnswer(t *testing.T) {
	b := newBench(t, "403@1", simtenant.Options{Pages: map[string][][]byte{"audit": {[]byte(`{"value":[]}`)}}})
	here, there := b.url, strings.Replace(b.url, "127.0.0.1", "localhost", 1)
	b.acquire(urls.Source{}, "url", here+"/pages/audit/1")
	b.acquire(urls.Source{}, "url", there+"/pages/audit/1")
	p := b.replay()
	for host, status := range map[string]int{here: 403, there: 200, "https://other.example": 200} {
		got := p.get(strings.TrimPrefix(host, "https://"), "/pages/audit/1")
		if got.StatusCode != status || got.mark() != "" {
			t.Errorf("%s: %d %q", host, got.StatusCode, got.mark())
		}
	}
}

// TestAhead: what a window asked for that had not come when it was asked is not there to be found empty.
func TestAhead(t *testing.T) {
	b := newBench(t, "arrive@3:2", simtenant.Options{}) // it is 2018-06-12T12:00:00Z, and moves by milliseconds
	b.activities(simtenant.Owner, "2018-06-09T00:00:00Z", "2018-12-01T00:00:00Z", "page-size", "20")
	b.activities(simtenant.Owner, "2019-06-01T00:00:00Z", "2019-07-01T00:00:00Z")
	p := b.replay()
	const after, before = adele + "?$top=1000&$filter=TimeStamp+ge+", "+and+TimeStamp+lt+"
	for filter, says := range map[string]string{
		"2018-08-01T00:00:00Z" + before + "2018-09-01T00:00:00Z": "nothing of what the query asks for is recorded; window 1 was asked for at 2018-06-12T12:00:00.",
		"2018-06-12T11:00:00Z" + before + "2018-06-12T13:00:00Z": "no activity that the query asks for is recorded from 2018-06-09T00:00:00Z to before 2018-06-12T12:00:00.",
		"2019-06-01T00:00:00Z" + before + "2019-07-01T00:00:00Z": "window 2 was asked for at 2018-06-12T12:00:00.",
		"2018-06-12T11:00:00Z" + before + "2018-12-02T00:00:00Z": "from 2018-12-01T00:00:00Z to before 2018-12-02T00:00:00Z",
	} {
		if got := p.get("outlook.office.com", after+filter); got.StatusCode != 404 || !strings.Contains(string(got.body), says) {
			t.Errorf("%s: %d %.300s, want %q", filter, got.StatusCode, got.body, says)
		}
	}
	for filter, to := range map[string]string{
		"2018-06-10T00:00:00Z": "; from=2018-06-09T00:00:00Z; to=2018-06-12T12:00:00.",
		"2018-06-09T00:00:00Z" + before + "2018-12-01T00:00:00Z": "; from=2018-06-09T00:00:00Z; to=2018-06-12T12:00:00.", "2018-06-09T00:00:00Z" + before + "2018-06-12T12:00:00Z": "",
	} {
		got := p.get("outlook.office.com", after+filter)
		_, end, _ := strings.Cut(got.mark(), p.c.CaseID())
		if d := differ(got, b.asked(after+filter)); d != "" || !strings.HasPrefix(end, to) || to == "" && end != "" {
			t.Errorf("%s: %s; %q", filter, d, got.mark())
		}
	}
	if lines := strings.Join(p.Coverage(), "\n"); !strings.Contains(lines, "2018-06-09T00:00:00Z to 2018-12-01T00:00:00Z: it was asked for at 2018-06-12T12:00:00.") {
		t.Error(lines)
	}
}

// TestSlowClock: the rows that came show that the time was later than the clock of the case has it.
func TestSlowClock(t *testing.T) {
	newest := strings.Replace(activity("b", "03", "Move", "Web"), "2018", "2030", 1)
	p := several(t, taken{from: "2018-05-01T00:00:00Z", to: "2031-01-01T00:00:00Z", rows: []string{activity("a", "02", "Logon", "Web"), newest}}) // in 2026
	got := p.get("outlook.office.com", mailbox+"?$filter=TimeStamp+ge+2018-05-01T00:00:00Z+and+TimeStamp+le+2030-05-03T00:00:00Z")
	if list := given(t, got); !slices.Equal(list, []string{"b Move", "a Logon"}) || strings.Contains(got.mark(), "from=") {
		t.Errorf("%q, %q", list, got.mark())
	}
	if got := p.get("outlook.office.com", mailbox+"?$filter=TimeStamp+gt+2030-05-03T00:00:00Z+and+TimeStamp+le+2030-05-04T00:00:00Z"); got.StatusCode != 404 {
		t.Errorf("what came after the newest row: %d", got.StatusCode)
	}
}
