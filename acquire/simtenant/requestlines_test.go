package simtenant_test

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

// verbatim sends a request as it is and reads one answer, gzip-coded or not. The connection may stay open.
func (b *bench) verbatim(request string) (status int, body []byte) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: b.roots})
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatalf("%v: %.200s", err, request)
	}
	defer r.Body.Close()
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if in, err = gzip.NewReader(r.Body); err != nil {
			b.t.Fatal(err)
		}
	}
	if body, err = io.ReadAll(in); err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, body
}

// listed are the ids of a listing that must be one.
func (b *bench) listed(request string) (ids []string) {
	b.t.Helper()
	status, body := b.verbatim(request)
	var page struct{ Value []struct{ ID string } }
	if err := json.Unmarshal(body, &page); err != nil || status != 200 {
		b.t.Fatalf("status %d, %v: %.300s\n%.300s", status, err, body, request)
	}
	for _, a := range page.Value {
		ids = append(ids, a.ID)
	}
	return ids
}

// oldest are the ids of the owner's activities, oldest first; of one instant in the order of their ids, as without an order of their own.
func (b *bench) oldest(keep func(simtenant.Activity) bool) (ids []string) {
	for _, a := range b.Activities(simtenant.Owner) {
		if keep == nil || keep(a) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// Heads of the clients of the time, in the order in which they sent them.
func crowdstrikeHead(token string) string {
	return "Host: outlook.office.com\r\nUser-Agent: PythonOutlookService/1.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: application/json; odata.metadata=none\r\n" +
		"Connection: keep-alive\r\nPrefer: exchange.behavior=\"ActivityAccess\"\r\nAuthorization: Bearer " + token + "\r\n\r\n"
}

func exoHead(user, password string) string {
	return "Prefer: exchange.behavior=\"ActivityAccess\"\r\nAccept: application/json; odata.metadata=none\r\nUser-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.17134.48\r\n" +
		"Host: outlook.office365.com\r\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\nConnection: Keep-Alive\r\n\r\n"
}

func aadHead(token string) string {
	return "Prefer: exchange.behavior=\"ActivityAccess\"\r\nAuthorization: Bearer " + token + "\r\nX-AnchorMailbox: adele.vance@contoso.example\r\n" +
		"User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.17134.48\r\nHost: outlook.office.com\r\nConnection: Keep-Alive\r\n\r\n"
}

const crowdstrikeSelect = "&%24select=TimeStamp%2CAppIdType%2CActivityIdType%2CActivityItemId%2CActivityCreationTime%2CClientSessionId%2CCustomProperties"

// TestRequestLines sends what each client of the time sent, byte for byte but for token and host, with all of its parameters and with none, and page after page as it
// would. The rows are those that the mailbox holds, in the order that the client relied on.
func TestRequestLines(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	user, password := b.Basic()
	all := b.oracle(simtenant.Owner, nil)
	oldest := b.oldest(nil)
	weeks := between("2018-05-28T00:00:00Z", "2018-06-03T00:00:00Z", t)
	wanted := func(a simtenant.Activity) bool {
		return weeks(a) && (a.Type == "ServerLogon" || a.Type == "SearchResult")
	}
	logons := b.oracle(simtenant.Owner, wanted)
	delivered := b.oldest(func(a simtenant.Activity) bool {
		return weeks(a) && a.Type == "MessageDelivered" && a.App == "Exchange"
	})
	if len(all) < 2000 || len(logons) < 100 || len(delivered) < 5 {
		t.Fatalf("%d, %d and %d rows: the mailbox is too small to tell", len(all), len(logons), len(delivered))
	}
	const (
		v2     = "GET /api/v2.0/Users('adele.vance@contoso.example')/Activities"
		v1     = "GET /api/v1.0/Users('adele.vance@contoso.example')/Activities"
		filter = "%24filter=%28TimeStamp+ge+2018-05-28T00%3A00%3A00Z%29+and+%28TimeStamp+le+2018-06-03T00%3A00%3A00Z%29+and+%28ActivityIdType+eq+%27ServerLogon%27+or+ActivityIdType+eq+%27SearchResult%27%29"
		exo    = "$filter=(TimeStamp%20ge%202018-05-28T00:00:00Z%20and%20TimeStamp%20le%202018-06-03T00:00:00Z%20and%20ActivityIdType%20eq%20'MessageDelivered'%20and%20AppIdType%20eq%20'Exchange')"
	)
	page := func(rows []string, from, size int) []string {
		return rows[min(from, len(rows)):min(from+size, len(rows))]
	}
	crowdstrike, basic, aad := crowdstrikeHead(b.Token()), exoHead(user, password), aadHead(b.Token())
	for _, c := range []struct {
		name, line, head string
		want             []string
	}{
		{"CrowdStrike", v2 + "?" + filter + "&%24top=1000&%24skip=0" + crowdstrikeSelect, crowdstrike, logons},
		{"CrowdStrike, no criterion", v2 + "?%24filter=&%24top=1000&%24skip=0" + crowdstrikeSelect, crowdstrike, page(all, 0, 1000)},
		{"CrowdStrike, page 2", v2 + "?%24filter=&%24top=1000&%24skip=1000" + crowdstrikeSelect, crowdstrike, page(all, 1000, 1000)},
		{"CrowdStrike, page 3", v2 + "?%24filter=&%24top=1000&%24skip=2000" + crowdstrikeSelect, crowdstrike, page(all, 2000, 1000)},
		{"CrowdStrike, behind the end", v2 + "?%24filter=&%24top=1000&%24skip=9000" + crowdstrikeSelect, crowdstrike, nil},
		{"LMG", v2 + "?$orderby=TimeStamp%20asc&" + filter + "&%24top=1000&%24skip=0" + crowdstrikeSelect, crowdstrike, b.oldest(wanted)},
		{"LMG, page 2", v2 + "?$orderby=TimeStamp%20asc&%24filter=&%24top=1000&%24skip=1000" + crowdstrikeSelect, crowdstrike, page(oldest, 1000, 1000)},
		{"EXOMailActivity", v1 + "?$orderby=TimeStamp+asc&$top=500&" + exo, basic, delivered},
		{"EXOMailActivity, -User alone", v1 + "?$orderby=TimeStamp+asc&$top=500&$filter=(TimeStamp%20ge%202018-05-11T00:00:00Z%20and%20TimeStamp%20le%202018-06-11T00:00:00Z)", basic, page(oldest, 0, 500)},
		{"EXOMailActivity, -StartFrom", v1 + "?$orderby=TimeStamp+asc&$top=25&$skip=500&$filter=(TimeStamp%20ge%202018-05-11T00:00:00Z%20and%20TimeStamp%20le%202018-06-11T00:00:00Z)", basic, page(oldest, 500, 25)},
		{"AADInternals", "GET /api/v1.0/me/Activities", aad, page(all, 0, 10)},
	} {
		got := b.listed(c.line + " HTTP/1.1\r\n" + c.head)
		if !slices.Equal(got, c.want) {
			twice, missing, foreign := differences(got, c.want)
			t.Errorf("%s: %d rows, want %d; %d twice, %d missing, %d foreign", c.name, len(got), len(c.want), twice, missing, foreign)
		}
	}
	if status, body := b.verbatim("GET /api/v1.0/me/Activities HTTP/1.1\r\n" + strings.Replace(aad, "Prefer:", "X-Prefer:", 1)); status != 400 || !strings.Contains(string(body), `"error"`) {
		t.Errorf("without Prefer: %d %s", status, body)
	}
}

// TestEncodings asks one question in every spelling: "$" or "%24", blanks as "+" or "%20", quotes, colons, parentheses and commas raw or encoded, in capital and
// small digits, and the options in every order.
func TestEncodings(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	weeks := between("2018-05-28T00:00:00Z", "2018-06-03T00:00:00Z", t)
	want := b.oldest(func(a simtenant.Activity) bool {
		return weeks(a) && (a.Type == "ServerLogon" || a.Type == "MessageDelivered") && a.App == "Exchange"
	})[2:40]
	options := []string{
		"$filter=(TimeStamp ge 2018-05-28T00:00:00Z) and (TimeStamp le 2018-06-03T00:00:00Z) and (ActivityIdType eq 'ServerLogon' or ActivityIdType eq 'MessageDelivered') and AppIdType eq 'Exchange'",
		"$orderby=TimeStamp asc", "$select=TimeStamp,AppIdType", "$top=38", "$skip=2",
	}
	head := crowdstrikeHead(b.Token())
	spellings := []struct{ sign, raw, coded string }{{"$", "$", "%24"}, {" ", "+", "%20"}, {"'", "'", "%27"}, {":", ":", "%3A"}, {"()", "()", "%28%29"}, {",", ",", "%2c"}}
	asked := map[string]bool{}
	for n := range 1 << len(spellings) {
		order := slices.Clone(options)
		for i := range order { // another order each time
			j := (n * (i + 3)) % len(order)
			order[i], order[j] = order[j], order[i]
		}
		var pairs []string
		for i, s := range spellings {
			to := s.raw
			if n>>i&1 == 1 {
				to = s.coded
			}
			if s.sign == "()" {
				pairs = append(pairs, "(", to[:len(to)/2], ")", to[len(to)/2:])
			} else {
				pairs = append(pairs, s.sign, to)
			}
		}
		query := strings.NewReplacer(pairs...).Replace(strings.Join(order, "&"))
		asked[query] = true
		if got := b.listed("GET /api/v2.0/Users(%27adele.vance%40contoso.example%27)/Activities?" + query + " HTTP/1.1\r\n" + head); !slices.Equal(got, want) {
			t.Errorf("%d rows, want %d, for %s", len(got), len(want), query)
		}
	}
	if len(asked) != 64 {
		t.Errorf("%d spellings are different ones", len(asked))
	}
}

// TestDetailsRequestLine: what EXOMailActivity's Get-MailActivityDetails sent, without Prefer, for a message, for what is none, and for what is not there.
func TestDetailsRequestLine(t *testing.T) {
	b := start(t, "", simtenant.Options{})
	head := strings.Replace(exoHead(b.Basic()), "Prefer: exchange.behavior=\"ActivityAccess\"\r\n", "", 1)
	messages, others := b.Items(simtenant.Owner)
	for _, c := range []struct {
		id, query string
		status    int
		member    string
	}{
		{messages[0], "?$select=" + exoFields, 200, `"DateTimeReceived":`},
		{messages[0], "", 200, `"Body":`},
		{others[0], "?$select=" + exoFields, 400, `"error":{"code":"ErrorInvalidRequest"`},
		{"AAMknothing=", "?$select=" + exoFields, 404, `"error":{"code":"ErrorItemNotFound"`},
	} {
		status, body := b.verbatim("GET /api/v1.0/Users('adele.vance@contoso.example')/Messages/" + c.id + c.query + " HTTP/1.1\r\n" + head)
		if status != c.status || !strings.Contains(string(body), c.member) || c.query != "" && strings.Contains(string(body), `"Body":`) {
			t.Errorf("%.60s%.20s: %d %.300s", c.id, c.query, status, body)
		}
	}
}
