package extract

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	dir := "testdata"
	if strings.Contains(name, "/") {
		dir = filepath.Join("..", "..", "testdata", "records")
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRanges compares all fixtures with what Python's JSON decoder found
// (testdata/make.py).
func TestRanges(t *testing.T) {
	want := make(map[string][]string)
	var order []string
	for line := range strings.Lines(string(fixture(t, "ranges.txt"))) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if want[name] == nil {
			order = append(order, name)
		}
		want[name] = append(want[name], rest)
	}
	if len(order) != 25 {
		t.Fatalf("ranges.txt names %d files, want 25", len(order))
	}
	for _, name := range order {
		source := "http"
		if name == "activities.json" {
			source = "outlook-activities"
		}
		got, sum := keep(t, onePage(source, string(fixture(t, name))), Options{})
		var lines []string
		for _, r := range got {
			pointer := r.Provenance.Pointer
			if pointer == "" {
				pointer = "-"
			}
			lines = append(lines, fmt.Sprintf("%s %d %d %x", pointer, r.Provenance.Offset, r.Provenance.Length, r.Provenance.SHA256))
		}
		if g, w := strings.Join(lines, "\n"), strings.Join(want[name], "\n"); g != w {
			t.Errorf("%s:\n got\n%s\nwant\n%s", name, g, w)
		}
		if sum.ProblemCount != 0 {
			t.Errorf("%s: problems %v", name, sum.Problems)
		}
	}
}

// TestActivity states one record by hand. Offset, length and hash were taken
// with grep -b and sha256sum.
func TestActivity(t *testing.T) {
	got, sum := keep(t, onePage("outlook-activities", string(fixture(t, "activities.json"))), Options{})
	if len(got) != 4 || sum.Records != 4 || sum.Pages != 1 || sum.Flagged != 2 || sum.ProblemCount != 0 {
		t.Fatalf("records %d, summary %+v", len(got), sum)
	}
	first := got[0]
	first.Record.Details = nil
	hash, _ := hex.DecodeString(handHash)
	want := Record{
		Source: "outlook-activities", ID: "AAMkAGI000000000000000000000000001=", Time: "2018-06-21T12:14:13.019Z",
		Type: "MessageDelivered", User: "kim@example.com", Mailbox: "kim@example.com", ClientApp: "Exchange",
		ItemID: "AAMkAGI1item_-1=", Subject: `=HYPERLINK("http://example.net") café`, MessageID: "<m1@example.net>",
		Provenance: Provenance{
			Container: "3f2a9c1e-0000-4000-8000-000000000001", Seq: 1, Pointer: "/value/0",
			Offset: handOffset, Length: handLength, SHA256: [32]byte(hash),
		},
	}
	if fmt.Sprintf("%+v", first.Record) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", first.Record, want)
	}
	details := `{"From":"Lee <lee@example.net>","DeliveredToInbox":"True","Recipients":"kim@example.com;sam@example.com",` +
		`"ReceivedTime":"6/21/2018 12:14:12 PM","SentTime":"2018-06-21T12:14:10.000Z","SenderSmtpAddress":"lee@example.net",` +
		`"InternetMessageId":"<m1@example.net>","Subject":"=HYPERLINK(\"http:\/\/example.net\") café",` +
		`"@odata.id":"https:\/\/outlook.office.com\/api\/v2.0\/Users('kim@example.com')\/Activities('AAMkAGI000000000000000000000000001=')",` +
		`"@odata.etag":"W/\"CQAAAA==\"","ActivityCreationTime":"2018-06-21T12:14:13.816Z","ClientSessionId":""}`
	if string(got[0].Details) != details {
		t.Errorf("details\n got %s\nwant %s", got[0].Details, details)
	}
}

func TestActivityMapping(t *testing.T) {
	got, _ := keep(t, onePage("outlook-activities", string(fixture(t, "activities.json"))), Options{})
	server, logon, search := got[1], got[2], got[3]
	for _, c := range []struct{ what, got, want string }{
		{"server logon address", server.ClientIP, "198.51.100.7"},
		{"server logon agent", server.UserAgent, "Mozilla/5.0 (Windows NT 10.0)"},
		{"server logon application", server.ClientApp, "IMAP"},
		{"server logon flags", server.Words, ""},
		{"logon address", logon.ClientIP, "203.0.113.9"},
		{"logon agent", logon.UserAgent, "Firefox 60"},
		{"logon session", logon.SessionID, "64990000-0000-4000-8000-0000000043a2"},
		{"logon flags", logon.Words, "repeated_property"},
		{"search flags", search.Words, "number_beyond_int64"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	for _, c := range []struct {
		r    kept
		part string
	}{
		{logon, `"Flights":["a","b"],"IPAddress"`},
		{search, `"Query":"O'Brien, W-9; 2017","MaxRes":1156492.00,"Rid":18446744073709551615,"@odata.id"`},
	} {
		if !bytes.Contains(c.r.Details, []byte(c.part)) {
			t.Errorf("details %s lack %s", c.r.Details, c.part)
		}
	}
}

// TestUserName checks that the user property counts in logons alone.
func TestUserName(t *testing.T) {
	const body = `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z","ActivityIdType":%q,` +
		`"CustomProperties":[{"Name":"UserName","Value":"other@example.com"}]}]}`
	for kind, want := range map[string]string{
		"ServerLogon": "other@example.com", "Logon": "other@example.com", "MarkAsRead": "kim@example.com",
	} {
		got, _ := keep(t, onePage("outlook-activities", fmt.Sprintf(body, kind)), Options{})
		if got[0].User != want || got[0].Mailbox != "kim@example.com" {
			t.Errorf("%s: user %q of mailbox %q, want user %q", kind, got[0].User, got[0].Mailbox, want)
		}
	}
}

func TestGenericMapping(t *testing.T) {
	got, _ := keep(t, onePage("http", string(fixture(t, "det-eng-samples/t1110.003_msolspray-python.json"))), Options{})
	r := got[0]
	if r.ID != "71fafc2a-f5b7-42c6-9867-a8f36dae0300" || r.Time != "2023-07-23T06:25:34Z" || r.Type != "UserLoginFailed" ||
		r.User != "Henrietta@contoso.onmicrosoft.com" || r.ClientIP != "2a09:bac5:111:105::1a:89" || r.Mailbox != "" {
		t.Errorf("record %+v", r.Record)
	}
	if !bytes.Contains(r.Details, []byte(`"Value":"python-requests\/2.28.2"`)) || r.Words != "time_without_zone" {
		t.Errorf("flags %q, details %s", r.Words, r.Details)
	}
}

// TestDetailsAreJSON checks with the standard library that the details of all
// fixtures are one JSON object on one line.
func TestDetailsAreJSON(t *testing.T) {
	files, err := filepath.Glob("../../testdata/records/*/*.json")
	if err != nil || len(files) != 24 {
		t.Fatalf("%d files, want 24 (%v)", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := keep(t, onePage("http", string(b)), Options{})
		for _, r := range got {
			var m map[string]any
			if err := json.Unmarshal(r.Details, &m); err != nil || bytes.ContainsAny(r.Details, "\r\n") {
				t.Errorf("%s: details %q: %v", f, r.Details, err)
			}
			p := r.Provenance
			if sha256.Sum256(b[p.Offset:p.Offset+p.Length]) != p.SHA256 {
				t.Errorf("%s at %d: hash of another range", f, p.Offset)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	page := func() fakePages { return onePage("http", `[{"id":"1"}]`) }
	emit := func(*Record) error { return nil }
	if _, err := extract(t.Context(), page(), Options{Sources: []string{"gopher"}}, emit); !errors.Is(err, ErrUnknownSource) {
		t.Errorf("unknown source: %v", err)
	}
	if _, err := extract(t.Context(), page(), Options{RecordLimit: -1}, emit); err == nil {
		t.Error("negative limit accepted")
	}
	if _, err := extract(t.Context(), page(), Options{}, func(*Record) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("emit fails: %v", err)
	}
	if _, err := extract(t.Context(), fakePages{{source: "http", err: boom, none: true}}, Options{}, emit); !errors.Is(err, boom) {
		t.Errorf("pages fail: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := extract(ctx, page(), Options{}, emit); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestPageFaults checks that the fault of one page spares the next.
func TestPageFaults(t *testing.T) {
	boom := errors.New("unexpected end of gzip stream")
	pages := fakePages{
		{source: "http", err: boom},
		{source: "http", body: io.MultiReader(strings.NewReader(`[{"id":"1"},{"id"`), failing{boom})},
		{source: "http", body: io.MultiReader(strings.NewReader(`[{"id":"2"}]`), failing{boom})},
		{source: "http", body: strings.NewReader(`[{"id":"3"}]`)},
	}
	got, sum := keep(t, pages, Options{})
	var ids []string
	for _, r := range got {
		ids = append(ids, r.ID)
	}
	if strings.Join(ids, " ") != "1 2 3" || codes(sum) != "read read read" || sum.Pages != 4 {
		t.Errorf("ids %v, summary %+v", ids, sum)
	}
	if p := sum.Problems[1]; p.Seq != 2 || p.Offset != int64(len(`[{"id":"1"},{"id"`)) {
		t.Errorf("place of the problem: %v", p)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

const (
	handOffset = 113
	handLength = 881
	handHash   = "6d8856fdc7de5fc50b1ce770777277c7358273e33e304e4e11b7c8f83af3e110"
)
