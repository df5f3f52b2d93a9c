package simtenant_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

func between(from, to string, t *testing.T) func(a simtenant.Activity) bool {
	t.Helper()
	f, errF := time.Parse(time.RFC3339, from)
	l, errL := time.Parse(time.RFC3339, to)
	if errF != nil || errL != nil {
		t.Fatal(errF, errL)
	}
	return func(a simtenant.Activity) bool { return !a.Time.Before(f) && !a.Time.After(l) }
}

// What each historic client sent, written by hand from the reference, gets
// what the data hold.
func TestHistoricClients(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	week := between("2018-05-28T00:00:00Z", "2018-06-03T00:00:00Z", t)
	logons := func(a simtenant.Activity) bool {
		return week(a) && (a.Type == "ServerLogon" || a.Type == "SearchResult")
	}
	const fields = "TimeStamp,AppIdType,ActivityIdType,ActivityItemId,ActivityCreationTime,ClientSessionId,CustomProperties"
	basicUser, basicPassword := b.Basic()
	for _, test := range []struct {
		name, target string
		headers      []string
		want         []string
	}{
		{"CrowdStrike, encoded",
			adele + "?%24filter=%28TimeStamp+ge+2018-05-28T00%3A00%3A00Z%29+and+%28TimeStamp+le+2018-06-03T00%3A00%3A00Z%29+and+%28ActivityIdType+eq+%27ServerLogon%27+or+ActivityIdType+eq+%27SearchResult%27%29&%24select=" + strings.ReplaceAll(fields, ",", "%2C") + "&%24top=1000&%24skip=0",
			[]string{"Accept", "application/json; odata.metadata=none", "User-Agent", "PythonOutlookService/1.0"},
			b.oracle(simtenant.Owner, logons)},
		{"CrowdStrike, raw, no criterion",
			adele + "?$filter=&$top=1000&$skip=1000&$select=" + fields, nil,
			b.oracle(simtenant.Owner, nil)[1000:2000]},
		{"LMG", adele + "?$orderby=TimeStamp%20asc&$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z)%20and%20(TimeStamp%20le%202018-06-03T00:00:00Z)%20and%20(ActivityIdType%20eq%20'ServerLogon'%20or%20ActivityIdType%20eq%20'SearchResult')&$top=1000&$skip=0", nil,
			reversed(b.oracle(simtenant.Owner, logons))},
		{"EXOMailActivity",
			"/api/v1.0/Users('adele.vance@contoso.example')/Activities?$orderby=TimeStamp+asc&$top=500&$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z%20and%20TimeStamp%20le%202018-06-03T00:00:00Z%20and%20ActivityIdType%20eq%20'ServerLogon'%20and%20AppIdType%20eq%20'POP3')",
			[]string{"Authorization", basic(basicUser, basicPassword)},
			reversed(b.oracle(simtenant.Owner, func(a simtenant.Activity) bool { return logons(a) && a.App == "POP3" }))},
		{"AADInternals", "/api/v1.0/me/Activities", []string{"X-AnchorMailbox", simtenant.Owner},
			b.oracle(simtenant.Owner, nil)[:10]},
		{"raw apostrophe", "/api/v2.0/Users('o'neil@contoso.example')/Activities?$top=1000", nil, b.oracle(simtenant.Apostrophe, nil)},
		{"doubled apostrophe", "/api/v2.0/Users(%27o%27%27neil%40contoso.example%27)/Activities?$top=1000", nil, b.oracle(simtenant.Apostrophe, nil)},
		{"UPN in capitals", "/api/beta/Users('O'Neil@Contoso.example')/Activities?$top=1000", nil, b.oracle(simtenant.Apostrophe, nil)},
		{"empty mailbox", "/api/v2.0/Users('quiet@contoso.example')/Activities", nil, nil},
		{"beyond the end", adele + "?$skip=100000", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := b.must(200, test.target, test.headers...)
			if got := r.page(t).ids(); !slices.Equal(got, test.want) {
				t.Errorf("%d rows, want %d", len(got), len(test.want))
			}
			if test.want == nil && !strings.Contains(string(r.body), `"value":[]`) {
				t.Errorf("an empty listing is %s", r.body)
			}
		})
	}
}

func basic(user, password string) string {
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(user, password)
	return req.Header.Get("Authorization")
}

// CrowdStrike's request as it crossed the wire: header order and all.
func TestCrowdStrikeOnTheWire(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	got, err := b.raw("GET " + adele + "?$filter=&$top=1000&$skip=0 HTTP/1.1\r\nHost: outlook.office.com\r\n" +
		"User-Agent: PythonOutlookService/1.0\r\nAccept-Encoding: identity\r\nAccept: application/json; odata.metadata=none\r\n" +
		"Connection: close\r\nPrefer: exchange.behavior=\"ActivityAccess\"\r\nAuthorization: Bearer " + b.Token() + "\r\n\r\n")
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") {
		t.Errorf("%v: %.200s", err, got)
	}
}

// sampleShape is the one real sample's shape [S], by hand: members, their
// order, the etag, the form of times.
const sampleShape = `^\{"@odata\.context":"https://[^"]+/api/v2\.0/\$metadata#Users\('adele\.vance@contoso\.example'\)/Activities","value":\[` +
	`\{"@odata\.id":"https://[^"]+/api/v2\.0/Users\('adele\.vance@contoso\.example'\)/Activities\('([A-Za-z0-9_=-]+)'\)",` +
	`"@odata\.etag":"W/\\"CQAAAA==\\"","Id":"([A-Za-z0-9_=-]+)","ActivityCreationTime":"2018-05-31T12:14:13\.816Z",` +
	`"ActivityIdType":"MarkAsRead","AppIdType":"Outlook","ClientSessionId":"","ActivityItemId":"AAMk[A-Za-z0-9_=-]{100,}",` +
	`"TimeStamp":"2018-05-31T12:14:13\.019Z","CustomProperties":\[\{"Name":"[A-Za-z]+","Value":"[^"]*"\},.*\}\]\}\]\}$`

func TestSampleShape(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	const only = "?$filter=TimeStamp%20eq%202018-05-31T12:14:13.019Z"
	r := b.must(200, adele+only)
	m := regexp.MustCompile(sampleShape).FindSubmatch(r.body)
	if m == nil || string(m[1]) != string(m[2]) {
		t.Errorf("the answer has another shape: %s", r.body)
	}
	selected := b.must(200, adele+only+"&$select=TimeStamp,AppIdType")
	if want := `"@odata.etag":"W/\"CQAAAA==\"","Id":"` + string(m[2]) + `","AppIdType":"Outlook","TimeStamp":"2018-05-31T12:14:13.019Z"}]}`; !strings.HasSuffix(string(selected.body), want) {
		t.Errorf("$select gives %s", selected.body)
	}
	bare := b.must(200, adele+only+"&$select=AppIdType", "Accept", "application/json;odata.metadata=none")
	if want := `{"value":[{"Id":"` + string(m[2]) + `","AppIdType":"Outlook"}]}`; string(bare.body) != want {
		t.Errorf("without metadata: %s, want %s", bare.body, want)
	}
	if ct := bare.Header.Get("Content-Type"); !strings.Contains(ct, "odata.metadata=none") {
		t.Errorf("Content-Type %q", ct)
	}
	linked := b.must(200, adele+"?$top=1", "Accept", "application/json;odata.metadata=none")
	if linked.page(t).Next == "" || strings.Count(string(linked.body), "@odata.") != 1 {
		t.Errorf("without metadata the link alone stays: %s", linked.body)
	}
}

// differences counts what a client has twice and what it lacks.
func differences(got, want []string) (twice, missing, foreign int) {
	seen := map[string]int{}
	for _, id := range got {
		seen[id]++
		if seen[id] == 2 {
			twice++
		}
	}
	for _, id := range want {
		if seen[id] == 0 {
			missing++
		}
		delete(seen, id)
	}
	return twice, missing, len(seen)
}

// follow collects along the next links.
func (b *bench) follow(target string) (ids []string) {
	b.t.Helper()
	for range 1000 {
		p := b.must(200, target).page(b.t)
		ids = append(ids, p.ids()...)
		if target = p.Next; target == "" {
			return ids
		}
	}
	b.t.Fatal("next links do not end")
	return nil
}

// skipping collects as the clients of the time did: by $skip, to a short page.
func (b *bench) skipping(target string, size int) (ids []string) {
	b.t.Helper()
	for skip := 0; ; skip += size {
		p := b.must(200, fmt.Sprintf("%s&$top=%d&$skip=%d", target, size, skip)).page(b.t)
		ids = append(ids, p.ids()...)
		if len(p.Value) < size {
			return ids
		}
	}
}

func TestPaging(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	want := b.oracle(simtenant.Owner, nil)
	first := b.must(200, adele+"?%24top=7&$filter=AppIdType+ne+'x'&$skip=3&access=1").page(t)
	if want := b.url + "/api/v2.0/Users('adele.vance@contoso.example')/Activities?%24top=7&%24filter=AppIdType+ne+'x'&access=1&%24skip=10"; first.Next != want {
		t.Errorf("next link %s, want %s", first.Next, want)
	}
	for name, got := range map[string][]string{
		"next links":         b.follow(adele + "?$top=999"),
		"next links, oldest": reversed(b.follow(adele + "?$orderby=TimeStamp+asc,Id+desc&$top=1000")),
		"skip":               b.skipping(adele+"?$filter=", 1000),
	} {
		if !slices.Equal(got, want) {
			twice, missing, foreign := differences(got, want)
			t.Errorf("%s: %d rows of %d; %d twice, %d missing, %d foreign", name, len(got), len(want), twice, missing, foreign)
		}
	}
	neil := "/api/v1.0/Users('o'neil@contoso.example')/Activities"
	next := b.must(200, neil).page(t).Next
	if !strings.Contains(next, "/Users('o%27%27neil@contoso.example')/") {
		t.Errorf("next link of the apostrophe: %s", next)
	}
	if got := b.follow(neil + "?$top=50"); !slices.Equal(got, b.oracle(simtenant.Apostrophe, nil)) {
		t.Errorf("the links of the apostrophe's mailbox lead elsewhere: %d rows", len(got))
	}
	// The control: a client that loses its second page must be noticed.
	if twice, missing, _ := differences(append(slices.Clone(want[:10]), want[20:]...), want); twice != 0 || missing != 10 {
		t.Errorf("ten lost rows are counted as %d", missing)
	}
}

func TestRefusals(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	user, _ := b.Basic()
	for _, test := range []struct {
		name    string
		target  string
		headers []string
		status  int
		code    string // of the JSON error; "" for an empty body
	}{
		{"no Authorization", adele, []string{"Authorization", ""}, 401, ""},
		{"wrong token", adele, []string{"Authorization", "Bearer x"}, 401, ""},
		{"wrong password", adele, []string{"Authorization", basic(user, "x")}, 401, ""},
		{"unknown scheme", adele, []string{"Authorization", "Digest x"}, 401, ""},
		{"401 before 400", adele, []string{"Authorization", "", "Prefer", ""}, 401, ""},
		{"no Prefer", adele, []string{"Prefer", ""}, 400, "ErrorInvalidRequest"},
		{"Prefer without quotes", adele, []string{"Prefer", "exchange.behavior=ActivityAccess"}, 400, "ErrorInvalidRequest"},
		{"no rights", "/api/v2.0/Users('Locked@contoso.example')/Activities", nil, 403, "ErrorAccessDenied"},
		{"no such user", "/api/v2.0/Users('nobody@contoso.example')/Activities", nil, 404, "ErrorInvalidUser"},
		{"$top=0", adele + "?$top=0", nil, 400, "ErrorInvalidUrlQuery"},
		{"$top=1001", adele + "?$top=1001", nil, 400, "ErrorInvalidUrlQuery"},
		{"$top=ten", adele + "?$top=ten", nil, 400, "ErrorInvalidUrlQuery"},
		{"option twice", adele + "?$top=1&%24top=1", nil, 400, "ErrorInvalidUrlQuery"},
		{"bad filter", adele + "?$filter=TimeStamp+after+1", nil, 400, "ErrorInvalidUrlQuery"},
		{"filter of another type", "/api/v2.0/Users('quiet@contoso.example')/Activities?$filter=TimeStamp+eq+'x'", nil, 400, "ErrorInvalidUrlQuery"},
		{"filter by CustomProperties", adele + "?$filter=CustomProperties+ne+null", nil, 400, "ErrorInvalidUrlQuery"},
		{"order by nothing known", adele + "?$orderby=Nope", nil, 400, "ErrorInvalidUrlQuery"},
		{"select nothing known", adele + "?$select=Nope", nil, 400, "ErrorInvalidUrlQuery"},
		{"unknown version", "/api/v3.0/me/Activities", nil, 404, "ErrorResourceNotFound"},
		{"user without parentheses", "/api/v2.0/Users/adele.vance@contoso.example/Activities", nil, 404, "ErrorResourceNotFound"},
		{"unknown collection", "/api/v2.0/me/Events", nil, 404, "ErrorResourceNotFound"},
		{"more path", "/api/v2.0/me/Activities/x", nil, 404, "ErrorResourceNotFound"},
		{"empty user", "/api/v2.0/Users('')/Activities", nil, 404, "ErrorResourceNotFound"},
		{"elsewhere", "/", nil, 404, "ErrorResourceNotFound"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := b.must(test.status, test.target, test.headers...)
			if test.code == "" {
				diagnostics := r.Header.Get("x-ms-diagnostics")
				if len(r.body) != 0 || !regexp.MustCompile(`^2000003;reason="[^"]+";error_category="[a-z_]+"$`).MatchString(diagnostics) {
					t.Errorf("body %q, x-ms-diagnostics %q", r.body, diagnostics)
				}
				return
			}
			if code := r.errorCode(t); code != test.code {
				t.Errorf("code %q, want %q: %s", code, test.code, r.body)
			}
		})
	}
	got, err := b.raw("POST " + adele + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 405 ") || !strings.Contains(string(got), "\r\nAllow: GET\r\n") {
		t.Errorf("POST: %v, %.300s", err, got)
	}
}

const exoFields = "BccRecipients,BodyPreview,Categories,CcRecipients,ChangeKey,ConversationId,DateTimeCreated,DateTimeLastModified,DateTimeReceived,DateTimeSent,From,HasAttachments,Id,Importance,IsDeliveryReceiptRequested,IsDraft,IsRead,IsReadReceiptRequested,ParentFolderId,ReplyTo,Sender,Subject,ToRecipients,WebLink"

func members(t *testing.T, body []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return m
}

func TestMessageDetails(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	var invoice, event simtenant.Activity
	for _, a := range b.Activities(simtenant.Owner) {
		if a.Type == "MessageDelivered" && slices.Contains(a.Properties, simtenant.Property{Name: "Subject", Value: "Invoice 4711 from Fabrikam"}) {
			invoice = a
		}
		if a.Type == "AcceptCalendarEvent" {
			event = a
		}
	}
	root := "/api/v1.0/Users('adele.vance@contoso.example')/Messages"
	r := b.must(200, root+"/"+invoice.Item+"?$select="+exoFields, "Prefer", "")
	m := members(t, r.body)
	for _, name := range strings.Split(exoFields, ",") {
		if m[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if m["Body"] != nil || len(m) != 24+3 {
		t.Errorf("%d members, Body is %s", len(m), m["Body"])
	}
	for name, want := range map[string]string{
		"Id": `"` + invoice.Item + `"`, "Subject": `"Invoice 4711 from Fabrikam"`, "HasAttachments": "true",
		"DateTimeReceived": `"` + invoice.Time.Format("2006-01-02T15:04:05Z") + `"`,
		"From":             `{"EmailAddress":{"Name":"Fabrikam Billing","Address":"billing@fabrikam.example"}}`,
		"@odata.id":        `"` + b.url + root + "('" + invoice.Item + `')"`,
	} {
		if string(m[name]) != want {
			t.Errorf("%s is %s, want %s", name, m[name], want)
		}
	}
	full := members(t, b.must(200, strings.Replace(root, "v1.0", "v2.0", 1)+"('"+invoice.Item+"')").body)
	if full["ReceivedDateTime"] == nil || full["DateTimeReceived"] != nil || full["Body"] == nil {
		t.Error("v2.0 has the names of v1.0, or no body")
	}
	for _, test := range []struct {
		target, code string
		status       int
	}{
		{root + "/" + event.Item, "ErrorInvalidRequest", 400},
		{root + "/AAMknothing=", "ErrorItemNotFound", 404},
		{root + "/" + invoice.Item + "?$select=ReceivedDateTime", "ErrorInvalidUrlQuery", 400},
		{root + "/a/b", "ErrorResourceNotFound", 404},
		{root + "/", "ErrorResourceNotFound", 404},
		{"/api/v1.0/Users('locked@contoso.example')/Messages/x", "ErrorAccessDenied", 403},
	} {
		if code := b.must(test.status, test.target).errorCode(t); code != test.code {
			t.Errorf("%s: %s, want %s", test.target, code, test.code)
		}
	}
}
