package replay_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

const (
	adele  = "/api/v2.0/Users('adele.vance@contoso.example')/Activities"
	fields = "TimeStamp,AppIdType,ActivityIdType,ActivityItemId,ActivityCreationTime,ClientSessionId,CustomProperties"
)

// historic are requests as the clients of the time sent them: the lines are those of the reference, in each form of encoding.
func historic() map[string][]string {
	basic := []string{"Authorization", "Basic c2VydmljZTp4"}
	return map[string][]string{
		"CrowdStrike, encoded": {adele + "?%24filter=%28TimeStamp+ge+2018-05-28T00%3A00%3A00Z%29+and+%28TimeStamp+le+2018-06-03T00%3A00%3A00Z%29+and+%28ActivityIdType+eq+%27ServerLogon%27+or+ActivityIdType+eq+%27SearchResult%27%29&%24select=" +
			strings.ReplaceAll(fields, ",", "%2C") + "&%24top=1000&%24skip=0", "User-Agent", "PythonOutlookService/1.0", "Accept-Encoding", "identity"},
		"CrowdStrike, no criterion":          {adele + "?$filter=&$top=1000&$skip=1000&$select=" + fields, "User-Agent", "PythonOutlookService/1.0"},
		"CrowdStrike, no criterion, encoded": {adele + "?%24filter=&%24top=1000&%24select=" + strings.ReplaceAll(fields, ",", "%2C") + "&%24skip=2000"},
		"LMG":                                {adele + "?$orderby=TimeStamp%20asc&$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z)%20and%20(TimeStamp%20le%202018-06-03T00:00:00Z)%20and%20(ActivityIdType%20eq%20'ServerLogon'%20or%20ActivityIdType%20eq%20'SearchResult')&$top=1000&$skip=0&$select=" + fields},
		"LMG, one end":                       {adele + "?$orderby=TimeStamp%20asc&$filter=(TimeStamp%20ge%202018-06-01T00:00:00Z)&$top=1000&$skip=0"},
		"EXOMailActivity":                    append([]string{"/api/v1.0/Users('adele.vance@contoso.example')/Activities?$orderby=TimeStamp+asc&$top=500&$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z%20and%20TimeStamp%20le%202018-06-03T00:00:00Z%20and%20ActivityIdType%20eq%20'ServerLogon'%20and%20AppIdType%20eq%20'POP3')"}, basic...),
		"EXOMailActivity, second page":       append([]string{"/api/v1.0/Users(%27adele.vance@contoso.example%27)/Activities?$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z%20and%20TimeStamp%20le%202018-06-03T00:00:00Z)&$orderby=TimeStamp+asc&$top=500&$skip=500"}, basic...),
		"EXOMailActivity, pluses":            append([]string{"/api/v1.0/Users('adele.vance%40contoso.example')/Activities?$filter=(TimeStamp+ge+2018-05-28T00:00:00Z+and+TimeStamp+le+2018-06-03T00:00:00Z+and+AppIdType+eq+'Web')&$orderby=TimeStamp+asc&$top=500"}, basic...),
		"AADInternals, all of its header": {"/api/v1.0/me/Activities", "X-AnchorMailbox", simtenant.Owner, "Accept", "text/*, multipart/mixed, application/xml, application/json; odata.metadata=none",
			"Content-Type", "application/json; charset=utf-8"},
		"EXOMailActivity, all of its line": append([]string{"/api/v1.0/Users('adele.vance@contoso.example')/Activities?$orderby=TimeStamp+asc&$select=TimeStamp,ActivityIdType,ActivityCreationTime,ActivityItemId,AppIdType,ClientSessionId,CustomProperties" +
			"&$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z%20and%20TimeStamp%20le%202018-06-03T00:00:00Z%20and%20ActivityIdType%20eq%20'ServerLogon'%20and%20AppIdType%20eq%20'POP3')&$top=500&$skip=1"}, basic...),
		"AADInternals":                        {"/api/v1.0/me/Activities", "X-AnchorMailbox", simtenant.Owner, "Accept", ""},
		"AADInternals, more":                  {"/api/v1.0/me/Activities?$top=100&$skip=30", "X-AnchorMailbox", simtenant.Owner},
		"apostrophe raw":                      {"/api/v2.0/Users('o'neil@contoso.example')/Activities?$top=1000"},
		"apostrophe doubled":                  {"/api/v2.0/Users(%27o%27%27neil%40contoso.example%27)/Activities?$top=1000"},
		"UPN in capitals":                     {"/api/beta/Users('O'Neil@Contoso.example')/Activities?$top=1000"},
		"zone, order by two keys, preference": {adele + "?$filter=TimeStamp+ge+2018-05-28T02:00:00%2B02:00+and+TimeStamp+lt+2018-06-01T00:00:00Z&$orderby=AppIdType+desc,Id&$top=200", "Prefer", `odata.maxpagesize=5, exchange.behavior="ActivityAccess"`},
		"beyond the end":                      {adele + "?$skip=100000"},
		"no rows, but within what is known":   {adele + "?$filter=TimeStamp+ge+2018-05-28T00:00:00Z+and+TimeStamp+lt+2018-05-28T00:00:01Z+and+ActivityIdType+eq+'Nothing'"},
	}
}

// whole is a case that holds all that the tenant has of its mailboxes.
func whole(t *testing.T, flags ...string) (*bench, *player) {
	t.Helper()
	b := newBench(t, "", simtenant.Options{})
	for _, user := range []string{simtenant.Owner, simtenant.Apostrophe, simtenant.Quiet} {
		b.activities(user, wholeFrom, wholeTo, flags...)
	}
	return b, b.replay()
}

// TestHistoricClients holds what the replay derives against what the simulated service itself answers.
func TestHistoricClients(t *testing.T) {
	b, p := whole(t)
	rows := 0
	for name, request := range historic() {
		t.Run(name, func(t *testing.T) {
			p.t = t
			got := p.get("outlook.office.com", request[0], request[1:]...)
			fields := slices.Clone(request[1:])
			if i := slices.Index(fields, "Authorization"); i >= 0 {
				fields = slices.Delete(fields, i, i+2)
			}
			if i := slices.Index(fields, "Accept"); i >= 0 { // rows were recorded without @odata members
				fields = slices.Delete(fields, i, i+2)
			}
			if d := differ(got, b.asked(request[0], fields...)); d != "" {
				t.Error(d)
			}
			if !strings.HasPrefix(got.mark(), "derived; case="+p.c.CaseID()) {
				t.Errorf("marked %q", got.mark())
			}
			var l listing
			if err := json.Unmarshal(got.body, &l); err != nil {
				t.Error(err)
			}
			rows += len(l.Value)
		})
	}
	if rows < 3000 {
		t.Errorf("only %d rows were compared", rows)
	}
}

// TestPlanted alters answers as a faulty replay would: the comparison must see each.
func TestPlanted(t *testing.T) {
	b, p := whole(t)
	target := adele + "?$top=50"
	want := b.asked(target)
	right := p.get("outlook.office.com", target)
	if d := differ(right, want); d != "" {
		t.Fatal(d)
	}
	for name, change := range map[string]func(l *listing, a *answer){
		"a row is lost":       func(l *listing, _ *answer) { l.Value = l.Value[1:] },
		"two rows change":     func(l *listing, _ *answer) { l.Value[3], l.Value[4] = l.Value[4], l.Value[3] },
		"a row comes twice":   func(l *listing, _ *answer) { l.Value[9] = l.Value[8] },
		"the link is missing": func(l *listing, _ *answer) { l.Next = "" },
		"the link is another": func(l *listing, _ *answer) { l.Next = strings.Replace(l.Next, "skip=50", "skip=49", 1) },
		"a byte of a row":     func(l *listing, _ *answer) { l.Value[7][len(l.Value[7])-3] ^= 1 },
		"an error":            func(_ *listing, a *answer) { a.StatusCode = 404 },
	} {
		var l listing
		if err := json.Unmarshal(right.body, &l); err != nil {
			t.Fatal(err)
		}
		bad := *right
		response := *right.Response
		bad.Response = &response
		change(&l, &bad)
		b, err := json.Marshal(map[string]any{"value": l.Value, "@odata.nextLink": l.Next})
		if err != nil && name != "a byte of a row" {
			t.Fatal(err)
		}
		bad.body = b
		if differ(&bad, want) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// query makes a query that the service takes.
func query(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	instant := func() string {
		return fmt.Sprintf("2018-0%d-%02dT%02d:%02d:00%s", 5+r.IntN(2), 1+r.IntN(11), r.IntN(24), r.IntN(60), pick("Z", ".500Z", "%2B02:00", "-05:30"))
	}
	var condition func(depth int) string
	condition = func(depth int) string {
		if depth > 0 && r.IntN(2) == 0 {
			switch r.IntN(3) {
			case 0:
				return "(" + condition(depth-1) + "+and+" + condition(depth-1) + ")"
			case 1:
				return "(" + condition(depth-1) + "+or+" + condition(depth-1) + ")"
			}
			return "not+(" + condition(depth-1) + ")"
		}
		op := pick("eq", "ne", "lt", "le", "gt", "ge")
		switch r.IntN(6) {
		case 0, 1:
			return "TimeStamp+" + op + "+" + instant()
		case 2:
			return "ActivityIdType+" + op + "+'" + pick("ServerLogon", "MarkAsRead", "MessageDelivered", "ReadingPaneDisplayStart", "Z") + "'"
		case 3:
			return "'" + pick("Web", "Outlook", "Exchange") + "'+" + op + "+AppIdType"
		case 4:
			return pick("ClientSessionId", "ActivityItemId", "Id") + "+" + op + "+'" + pick("", "A", "a", "null") + "'"
		}
		return "ActivityCreationTime+" + op + "+" + pick(instant(), "TimeStamp")
	}
	var options []string
	add := func(option string, chance int) {
		if r.IntN(chance) > 0 {
			options = append(options, option)
		}
	}
	add(pick("$", "%24")+"filter="+condition(3), 6)
	add(pick("$", "%24")+"orderby="+pick("TimeStamp", "TimeStamp+asc", "TimeStamp%20desc", "AppIdType,TimeStamp+desc", "Id", "ClientSessionId+desc,Id", "ActivityCreationTime"), 3)
	add("$select="+pick("Id", "TimeStamp,AppIdType", fields, "CustomProperties"), 2)
	add(fmt.Sprintf("$top=%d", 1+r.IntN(1000)), 3)
	add(fmt.Sprintf("$skip=%d", r.IntN(200)), 2)
	r.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	return "?" + strings.Join(options, "&")
}

// TestRandomQueries asks both the same. A query that is answered by an error because nothing was found and it leaves time open must have no rows at the service either.
func TestRandomQueries(t *testing.T) {
	b, p := whole(t)
	r := rand.New(rand.NewPCG(1, 2))
	rows, errors, bad := 0, 0, 0
	for range 250 {
		target := adele + query(r)
		got, want := p.get("outlook.office.com", target), b.asked(target)
		var w listing
		if err := json.Unmarshal(want.body, &w); err != nil || want.StatusCode == 200 && len(w.Value) > 1000 {
			t.Fatal(err)
		}
		if got.StatusCode == 404 && want.StatusCode == 200 {
			errors++
			// The instants that it names lie within what was recorded, so that it is an open end without a row, or one beyond it.
			if len(w.Value) > 0 || strings.HasPrefix(got.mark(), "derived") {
				t.Errorf("%s: %s, but the service has %d rows", target, got.body, len(w.Value))
			}
			continue
		}
		if want.StatusCode != 200 {
			bad++
		}
		rows += len(w.Value)
		if d := differ(got, want); d != "" {
			t.Errorf("%s: %s", target, d)
		}
	}
	t.Logf("%d rows compared, %d queries without a row and an open end, %d refused", rows, errors, bad)
	if rows < 10_000 || errors > 120 || bad > 100 {
		t.Errorf("%d rows compared, %d errors, %d refused: the queries are not what they should be", rows, errors, bad)
	}
}

// TestFollowing pages through all orders, by links and by $skip, and gets each activity once.
func TestFollowing(t *testing.T) {
	b, p := whole(t)
	for _, order := range []string{"", "&$orderby=TimeStamp+asc", "&$orderby=AppIdType,ActivityIdType+desc"} {
		var links, skips, want []string
		target := adele + "?$filter=&$top=333" + order
		for next := target; next != ""; {
			l := page(t, p.get("outlook.office.com", next))
			links = append(links, ids(t, l)...)
			_, next, _ = strings.Cut(l.Next, "https://outlook.office.com")
		}
		for n := 0; n == 0 || len(skips) == n; n += 333 {
			skips = append(skips, ids(t, page(t, p.get("outlook.office.com", target+fmt.Sprintf("&$skip=%d", n))))...)
			if len(skips) < n+333 {
				break
			}
		}
		for n := 0; n == 0 || len(want) == n; n += 1000 {
			want = append(want, ids(t, page(t, b.asked(adele+fmt.Sprintf("?$top=1000&$skip=%d", n)+order)))...)
		}
		if len(want) < 2500 || !slices.Equal(links, want) || !slices.Equal(skips, want) {
			t.Errorf("order %q: %d by links, %d by $skip, want %d", order, len(links), len(skips), len(want))
		}
	}
}

func page(t *testing.T, a *answer) (l listing) {
	t.Helper()
	if err := json.Unmarshal(a.body, &l); err != nil || a.StatusCode != 200 {
		t.Fatalf("%v, status %d: %.300s", err, a.StatusCode, a.body)
	}
	return l
}

func ids(t *testing.T, l listing) (list []string) {
	t.Helper()
	for _, raw := range l.Value {
		var row struct{ Id string }
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		list = append(list, row.Id)
	}
	return list
}

// TestMetadata: @odata members come back where they were recorded, whatever is selected, and not to a client that wants none.
func TestMetadata(t *testing.T) {
	b, p := whole(t, "metadata", "minimal")
	for _, target := range []string{adele, adele + "?$select=AppIdType&$top=3", adele + "?$orderby=Id&$select=CustomProperties"} {
		for _, accept := range []string{"application/json; odata.metadata=minimal", "*/*", "application/json;odata.metadata=none"} {
			got, want := p.get(b.host(), target, "Accept", accept), b.asked(target, "Accept", accept)
			if d := differ(got, want); d != "" || page(t, got).Context != page(t, want).Context || got.Header.Get("Content-Type") != want.Header.Get("Content-Type") {
				t.Errorf("%s, Accept %q: %s; context %q and %q, %q", target, accept, d, page(t, got).Context, page(t, want).Context, got.Header.Get("Content-Type"))
			}
		}
	}
}

// TestRules: what the service refuses, the replay refuses with the same status and code.
func TestRules(t *testing.T) {
	b, p := whole(t)
	for target, fields := range map[string][]string{
		adele + "?a":                       {"Authorization", ""},
		adele + "?b":                       {"Authorization", "", "Prefer", ""},
		adele + "?c":                       {"Prefer", ""},
		adele + "?d":                       {"Prefer", "exchange.behavior=ActivityAccess"},
		adele + "?$top=0":                  nil,
		adele + "?$top=1001":               nil,
		adele + "?$top=ten":                nil,
		adele + "?$top=1&%24top=1":         nil,
		adele + "?$filter=TimeStamp+aft+1": nil,
		"/api/v2.0/Users('quiet@contoso.example')/Activities?$filter=TimeStamp+eq+'x'": nil,
		adele + "?$filter=CustomProperties+ne+null":                                    nil,
		adele + "?$orderby=Nope":                                                       nil,
		adele + "?$select=Nope":                                                        nil,
		adele + "?$expand=x":                                                           nil,
	} {
		got, want := p.get("outlook.office.com", target, fields...), b.asked(target, fields...)
		var g, w struct {
			Error struct{ Code, Message string }
		}
		if want.StatusCode != 401 {
			if err := json.Unmarshal(want.body, &w); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(got.body, &g); err != nil {
				t.Errorf("%s: %v", target, err)
			}
		}
		if schemes := func(a *answer) (list []string) {
			for field, values := range a.Header { // the tenant spells it as the service did
				for _, v := range values {
					if name, _, _ := strings.Cut(v, " "); strings.EqualFold(field, "WWW-Authenticate") {
						list = append(list, name)
					}
				}
			}
			return list
		}; !slices.Equal(schemes(got), schemes(want)) {
			t.Errorf("%s: asks for %q, want %q", target, schemes(got), schemes(want))
		}
		if got.StatusCode != want.StatusCode || g.Error.Code != w.Error.Code || len(got.body) == 0 != (len(want.body) == 0) || !strings.HasPrefix(got.mark(), "refused; case=") {
			t.Errorf("%s %q: %d %s, want %d %s", target, fields, got.StatusCode, got.body, want.StatusCode, want.body)
		}
	}
}

// TestNotRecorded asks for what is outside: never an empty answer, and the error says what is missing.
func TestNotRecorded(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities(simtenant.Owner, "2018-05-25T00:00:00Z", "2018-05-28T00:00:00Z")
	b.activities(simtenant.Owner, "2018-06-01T00:00:00Z", "2018-06-05T00:00:00Z", "type", "ServerLogon", "type", "Logon")
	b.activities(simtenant.Owner, "2018-06-05T00:00:00Z", "2018-06-06T00:00:00Z", "select", "TimeStamp", "select", "AppIdType")
	b.activities(simtenant.Apostrophe, wholeFrom, wholeTo, "max", "5", "page-size", "5")
	b.activities(simtenant.Quiet, wholeFrom, wholeTo)
	b.activities(simtenant.Locked, wholeFrom, wholeTo)
	b.activities(simtenant.Apostrophe, "2018-06-13T00:00:00Z", "2018-06-14T00:00:00Z", "skip", "1")
	b.pages("/pages/none/1")
	p := b.replay()
	neil, quiet := "/api/v2.0/Users('o'neil@contoso.example')/Activities", "/api/v2.0/Users('quiet@contoso.example')/Activities"
	for _, test := range []struct{ target, says string }{
		{"/api/v2.0/Users('nobody@contoso.example')/Activities", "no activities of this mailbox were acquired"},
		{"/api/v2.0/me/Activities", "who me is cannot be told"},
		{"/api/v2.0/Users('me')/Activities", "no activities of this mailbox were acquired"},
		{"/elsewhere", "holds no answer to GET"},
		{"/api/v2.0/me/Events", "holds no answer to GET"},
		{"/api/v3.0/me/Activities", "holds no answer to GET"},
		{adele + "?$filter=TimeStamp+ge+2018-05-24T23:59:59Z+and+TimeStamp+lt+2018-05-28T00:00:00Z", "from 2018-05-24T23:59:59Z to before 2018-05-25T00:00:00Z"},
		{adele + "?$filter=TimeStamp+ge+2018-05-25T00:00:00Z+and+TimeStamp+le+2018-05-28T00:00:00Z", "from 2018-05-28T00:00:00Z to before 2018-06-01T00:00:00Z"},
		{adele + "?$filter=TimeStamp+ge+2018-05-25T00:00:00Z+and+not+(TimeStamp+gt+2018-05-28T00:00:00Z)", "from 2018-05-28T00:00:00Z"},
		{adele + "?$filter=TimeStamp+eq+2018-05-30T00:00:00Z", "from 2018-05-30T00:00:00Z"},
		{adele + "?$filter=TimeStamp+eq+2018-05-26T00:00:00Z+or+TimeStamp+eq+2018-05-30T00:00:00Z", "from 2018-05-30T00:00:00Z"},
		{adele, "from 2018-05-28T00:00:00Z to before 2018-06-01T00:00:00Z"},
		{adele + "?$filter=TimeStamp+ge+2018-06-01T00:00:00Z+and+TimeStamp+lt+2018-06-02T00:00:00Z", "types other than Logon, ServerLogon"},
		{adele + "?$filter=TimeStamp+ge+2018-06-01T00:00:00Z+and+TimeStamp+lt+2018-06-02T00:00:00Z+and+ActivityIdType+eq+'MarkAsRead'", "types other than Logon, ServerLogon"},
		{adele + "?$filter=TimeStamp+ge+2018-06-01T00:00:00Z+and+TimeStamp+lt+2018-06-02T00:00:00Z+and+ActivityIdType+ne+'Logon'", "types other than Logon, ServerLogon"},
		{adele + "?$filter=TimeStamp+ge+2018-06-04T00:00:00Z+and+TimeStamp+lt+2018-06-06T00:00:00Z+and+ActivityIdType+eq+'Logon'&$select=TimeStamp", "from 2018-06-05T00:00:00Z"},
		{adele + "?$filter=TimeStamp+ge+2018-06-05T00:00:00Z+and+TimeStamp+lt+2018-06-06T00:00:00Z", "window 3 has the properties AppIdType, Id, TimeStamp alone"},
		{adele + "?$filter=TimeStamp+ge+2018-06-05T00:00:00Z+and+TimeStamp+lt+2018-06-06T00:00:00Z&$select=Id&$orderby=ClientSessionId", "window 3 has the properties"},
		{adele + "?$filter=TimeStamp+lt+2018-05-01T00:00:00Z", "nothing of what the query asks for is recorded"},
		{adele + "?$filter=TimeStamp+gt+2019-05-01T00:00:00Z", "nothing of what the query asks for is recorded"},
		{adele + "?$filter=TimeStamp+lt+2018-05-28T00:00:00Z+and+ActivityIdType+eq+'Nothing'", "it leaves open whether it asks for another time"},
		{neil + "?$filter=TimeStamp+ge+2018-05-02T00:00:00Z+and+TimeStamp+lt+2018-05-03T00:00:00Z", "window 4 answers requests that were recorded and no others, because it is partial (max-reached)"},
		{neil + "?$filter=TimeStamp+ge+2018-06-13T00:00:00Z+and+TimeStamp+lt+2018-06-14T00:00:00Z", "window 7 answers requests that were recorded and no others, because it passed over the first rows"},
		{quiet, "no activity that the query asks for is recorded from 2018-05-01T00:00:00Z to before 2018-06-12T00:00:00Z"},
	} {
		got := p.get("outlook.office.com", test.target)
		var e struct {
			Error struct {
				Code, Message string
				Recorded      []string
			}
		}
		if err := json.Unmarshal(got.body, &e); err != nil || got.StatusCode != 404 || e.Error.Code != "ExhibitNotRecorded" || !strings.Contains(e.Error.Message, test.says) || len(e.Error.Recorded) != 7 ||
			got.mark() != "not-recorded; case="+p.c.CaseID() {
			t.Errorf("%s: %v, %d, %q, %s", test.target, err, got.StatusCode, got.mark(), got.body)
		}
	}
	// The controls: what lies within is answered, and right.
	for _, target := range []string{
		adele + "?$filter=TimeStamp+ge+2018-05-25T00:00:00Z+and+TimeStamp+lt+2018-05-28T00:00:00Z&$top=1000",
		adele + "?$filter=TimeStamp+lt+2018-05-26T00:00:00Z+and+TimeStamp+ge+2018-05-25T00:00:00Z&$top=1000",
		adele + "?$filter=TimeStamp+ge+2018-06-01T00:00:00Z+and+TimeStamp+lt+2018-06-05T00:00:00Z+and+(ActivityIdType+eq+'Logon'+or+ActivityIdType+eq+'ServerLogon')&$top=1000",
		adele + "?$filter=TimeStamp+ge+2018-06-05T00:00:00Z+and+TimeStamp+lt+2018-06-06T00:00:00Z&$select=AppIdType&$orderby=AppIdType",
		adele + "?$filter=TimeStamp+eq+2018-05-26T00:00:00Z+and+TimeStamp+ne+2018-05-30T00:00:00Z",
		quiet + "?$filter=TimeStamp+ge+2018-05-25T00:00:00Z+and+TimeStamp+lt+2018-05-28T00:00:00Z",
	} {
		if d := differ(p.get("outlook.office.com", target), b.asked(target)); d != "" {
			t.Errorf("%s: %s", target, d)
		}
	}
	// A page of a window that is not derived from is recorded bytes for any host, although it leads on elsewhere.
	for _, e := range p.exchanges() {
		if e.Head.Window == 4 {
			request := strings.Replace(closing(p.block(e, 0)), b.host(), "elsewhere.example", 1)
			if got, want := p.raw(request), p.block(e, 1); got != want || !strings.Contains(want, "nextLink") {
				t.Errorf("a page of a partial window: %.300s", got)
			}
		}
	}
	// What the service refused then is the record of what it says to the same request.
	if got := p.get(b.host(), strings.TrimPrefix(p.exchangeURL(t, 403), b.url)); got.StatusCode != 403 || got.mark() != "" {
		t.Errorf("the recorded refusal: %d, %q", got.StatusCode, got.mark())
	}
}

// TestOpenEnds: an open end is answered as far as is recorded, which the mark says.
func TestOpenEnds(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities(simtenant.Owner, "2018-05-25T00:00:00Z", "2018-05-28T00:00:00Z")
	b.activities(simtenant.Owner, "2018-05-28T00:00:00Z", "2018-05-30T00:00:00Z")
	p := b.replay()
	const both = "TimeStamp+ge+2018-05-25T00:00:00Z+and+TimeStamp+lt+2018-05-30T00:00:00Z"
	for filter, same := range map[string]string{
		"": both, "TimeStamp+ge+2018-05-27T00:00:00Z": both + "+and+TimeStamp+ge+2018-05-27T00:00:00Z", "TimeStamp+le+2018-05-29T00:00:00Z": both + "+and+TimeStamp+le+2018-05-29T00:00:00Z",
		"ActivityIdType+eq+'ServerLogon'": both + "+and+ActivityIdType+eq+'ServerLogon'",
	} {
		got := p.get("outlook.office.com", adele+"?$top=1000&$filter="+filter)
		want := b.asked(adele + "?$top=1000&$filter=" + same)
		if page(t, want).Next != "" {
			t.Fatal("the oracle does not fit on a page")
		}
		if d := differ(got, want); d != "" || got.mark() != "derived; case="+p.c.CaseID()+"; from=2018-05-25T00:00:00Z; to=2018-05-30T00:00:00Z" {
			t.Errorf("%q: %s; %q", filter, d, got.mark())
		}
	}
	if got := p.get("outlook.office.com", adele+"?$filter="+both); strings.Contains(got.mark(), "from=") {
		t.Errorf("a query that leaves nothing open is marked %q", got.mark())
	}
}

// TestTwoAcquisitions: of what was acquired several times each activity comes once, from all windows that have what is asked for; the one that came last has less of each.
func TestTwoAcquisitions(t *testing.T) {
	b := newBench(t, "arrive@2:4", simtenant.Options{})
	b.activities(simtenant.Apostrophe, "2018-05-01T00:00:00Z", "2019-01-01T00:00:00Z")
	b.activities(simtenant.Apostrophe, "2018-05-20T00:00:00Z", "2019-01-01T00:00:00Z", "order", "TimeStamp desc")
	b.activities(simtenant.Apostrophe, "2018-05-20T00:00:00Z", "2019-01-01T00:00:00Z", "select", "TimeStamp")
	p := b.replay()
	for _, query := range []string{"", "&$select=TimeStamp", "&$orderby=Id", "&$select=Id&$orderby=TimeStamp+asc"} {
		target := "/api/v2.0/Users('o'neil@contoso.example')/Activities?$top=1000&$filter=TimeStamp+ge+2018-05-02T00:00:00Z+and+TimeStamp+lt+2019-01-01T00:00:00Z" + query
		if d := differ(p.get("outlook.office.com", target), b.asked(target)); d != "" {
			t.Errorf("%q: %s", query, d)
		}
	}
}

// TestMe: me is what was acquired as me, whatever else is said; it is no UPN.
func TestMe(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities("me", wholeFrom, wholeTo)
	b.activities(simtenant.Apostrophe, wholeFrom, wholeTo)
	p := b.replay()
	for _, anchor := range []string{"", simtenant.Apostrophe, "ME"} {
		if d := differ(p.get("outlook.office.com", "/api/v1.0/me/Activities", "X-AnchorMailbox", anchor), b.asked("/api/v1.0/me/Activities")); d != "" {
			t.Errorf("X-AnchorMailbox %q: %s", anchor, d)
		}
	}
	for _, path := range []string{"/api/v1.0/Users('me')/Activities", "/api/v1.0/Users('" + simtenant.Owner + "')/Activities"} {
		if got := p.get("outlook.office.com", path); got.StatusCode != 404 || !strings.HasPrefix(got.mark(), "not-recorded") {
			t.Errorf("%s: %d, %q", path, got.StatusCode, got.mark())
		}
	}
}

// TestManyOrders asks for more orders than are kept, by several clients at once, and again.
func TestManyOrders(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	b.activities(simtenant.Apostrophe, wholeFrom, wholeTo)
	p := b.replay()
	names := strings.Split(strings.Replace(fields, "CustomProperties", "Id", 1), ",")
	var targets []string
	for _, a := range names {
		for _, z := range names {
			if a < z {
				targets = append(targets, "/api/v2.0/Users('o''neil@contoso.example')/Activities?$top=40&$skip=20&$orderby="+a+","+z+"+desc")
			}
		}
	}
	var all sync.WaitGroup
	for n := range 3 {
		for i := range targets {
			target := targets[(i*(n+1)+n)%len(targets)]
			all.Go(func() {
				if d := differ(p.get("outlook.office.com", target), b.asked(target)); d != "" {
					t.Errorf("%s: %s", target, d)
				}
			})
		}
	}
	all.Wait()
	if len(targets) < 20 {
		t.Errorf("%d orders", len(targets))
	}
}
