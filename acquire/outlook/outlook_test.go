package outlook_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

func plan(t *testing.T, flags ...string) *acquire.Plan {
	t.Helper()
	v := map[string][]string{"user": {"me"}, "start": {"2018-05-01T00:00:00Z"}, "end": {"2018-06-01T00:00:00Z"}}
	seen := map[string]bool{}
	for i := 0; i < len(flags); i += 2 {
		if !seen[flags[i]] {
			v[flags[i]] = nil
		}
		seen[flags[i]] = true
		v[flags[i]] = append(v[flags[i]], flags[i+1])
	}
	p, err := outlook.Source{}.Plan(acquire.Params{Values: v, Now: time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRequests compares first requests with URLs written by hand.
func TestRequests(t *testing.T) {
	const window = "$filter=TimeStamp%20ge%202018-05-01T00:00:00Z%20and%20TimeStamp%20lt%202018-06-01T00:00:00Z"
	for _, c := range []struct {
		flags []string
		url   string
	}{
		{nil, "https://outlook.office.com/api/v2.0/me/Activities?" + window + "&$orderby=TimeStamp%20asc&$top=1000"},
		{[]string{"user", "o'neil+x@contoso.example", "api-version", "v1.0", "base-url", "https://outlook.office365.com"},
			"https://outlook.office365.com/api/v1.0/Users('o''neil%2Bx@contoso.example')/Activities?" + window + "&$orderby=TimeStamp%20asc&$top=1000"},
		{[]string{"user", "a/b?c#d%@x.example"}, "https://outlook.office.com/api/v2.0/Users('a%2Fb%3Fc%23d%25@x.example')/Activities?" + window + "&$orderby=TimeStamp%20asc&$top=1000"},
		{[]string{"type", "ServerLogon", "type", "O'Type", "app", "Web", "select", "TimeStamp", "select", "Id", "page-size", "500", "skip", "7", "api-version", "beta"},
			"https://outlook.office.com/api/beta/me/Activities?" + window +
				"%20and%20(ActivityIdType%20eq%20'ServerLogon'%20or%20ActivityIdType%20eq%20'O''Type')%20and%20(AppIdType%20eq%20'Web')" +
				"&$orderby=TimeStamp%20asc&$select=TimeStamp,Id&$top=500&$skip=7"},
		{[]string{"start", "2018-05-01T02:00:00.250+02:00", "max", "20", "order", "TimeStamp desc"},
			"https://outlook.office.com/api/v2.0/me/Activities?$filter=TimeStamp%20ge%202018-05-01T00:00:00.250Z%20and%20TimeStamp%20lt%202018-06-01T00:00:00Z&$orderby=TimeStamp%20desc&$top=20"},
	} {
		if got := plan(t, c.flags...).Pager.First(0).URL; got != c.url {
			t.Errorf("%q asks\n%s, want\n%s", c.flags, got, c.url)
		}
	}
	got := plan(t, "anchor", "ann@x.example", "metadata", "minimal").Pager.First(0).Header
	want := []httpblock.Field{{Name: "Accept", Value: "application/json; odata.metadata=minimal"}, {Name: "Prefer", Value: `exchange.behavior="ActivityAccess"`},
		{Name: "X-AnchorMailbox", Value: "ann@x.example"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("header %v, want %v", got, want)
	}
}

// TestWayOn: the link where there is one, a counted $skip after a full page, the end after a short one.
func TestWayOn(t *testing.T) {
	p := plan(t, "page-size", "2", "skip", "10")
	for _, c := range []struct {
		name, body string
		before     int64
		records    int64
		next       string // suffix of the next URL; empty for the end
	}{
		{"link", `{"value":[{"Id":"a"}],"@odata.nextLink":"https://x.example/next"}`, 0, 1, "https://x.example/next"},
		{"link on an empty page", `{"value":[],"@odata.nextLink":"/n"}`, 4, 0, "/n"},
		{"full page", `{"value":[{"Id":"a"},{"Id":"b"}]}`, 4, 2, "&$top=2&$skip=16"},
		{"more than asked for", `{"value":[{"Id":"a"},{"Id":"b"},{"Id":"c"}]}`, 0, 3, "&$top=2&$skip=13"},
		{"short page", `{"value":[{"Id":"a"}]}`, 4, 1, ""},
		{"empty page", `{"value":[]}`, 4, 0, ""},
	} {
		s, err := p.Pager.Next(&acquire.Page{Number: 3, Before: c.before, Status: 200, Body: strings.NewReader(c.body)})
		next := ""
		if s.Next != nil {
			next = s.Next.URL
			if len(s.Next.Header) != 2 {
				t.Errorf("%s: header %v", c.name, s.Next.Header)
			}
		}
		if err != nil || s.Records != c.records || (next == "") != (c.next == "") || !strings.HasSuffix(next, c.next) {
			t.Errorf("%s: %d records, next %q, %v", c.name, s.Records, next, err)
		}
	}
}

// TestCovered: of 4 days, the last row's time says how many lie behind, oldest first; where it says nothing, nothing is told.
func TestCovered(t *testing.T) {
	for _, c := range []struct {
		order, rows string
		want        float64
	}{
		{"TimeStamp asc", `{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z"},{"Id":"b","TimeStamp":"2018-05-04T00:00:00.0000000Z"}`, 0.75},
		{"TimeStamp asc", `{"TimeStamp":"2018-05-02T00:00:00Z","Id":"a"},{"Id":"b"}`, 0.25},
		{"TimeStamp desc", `{"Id":"a","TimeStamp":"2018-05-02T00:00:00Z"}`, 0},
		{"TimeStamp asc", `{"Id":"a","TimeStamp":"2018-05-05T00:00:00Z"}`, 0},
		{"TimeStamp asc", `{"Id":"a","TimeStamp":"2018-04-30T00:00:00Z"}`, 0},
		{"TimeStamp asc", `{"Id":"a","TimeStamp":"soon"}`, 0},
		{"TimeStamp asc", `{"Id":"a","TimeStamp":{"TimeStamp":"2018-05-02T00:00:00Z"}}`, 0},
		{"TimeStamp asc", `{"Id":"a","":"2018-05-02T00:00:00Z"}`, 0},
		{"TimeStamp asc", ``, 0},
	} {
		plan, err := outlook.Source{}.Plan(acquire.Params{Values: map[string][]string{"user": {"me"}, "start": {"2018-05-01T00:00:00Z"}, "end": {"2018-05-05T00:00:00Z"}, "order": {c.order}}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := plan.Pager.Next(&acquire.Page{Number: 1, Status: 200, Body: strings.NewReader(`{"value":[` + c.rows + `]}`)})
		if err != nil || s.Covered != c.want {
			t.Errorf("%s, %s: %v, %v, expected %v", c.order, c.rows, s.Covered, err, c.want)
		}
	}
}

// TestFlags: values that cannot be used name their flag.
func TestFlags(t *testing.T) {
	long := make([]string, 65)
	for i := range long {
		long[i] = "ServerLogon"
	}
	for flag, v := range map[string][]string{"user": {"ä@x.example"}, "anchor": {"a", "b"}, "type": long, "app": {""}, "select": {"A,B"}, "skip": {"-1"}, "metadata": {"full"}} {
		values := map[string][]string{"user": {"me"}}
		values[flag] = v
		_, err := outlook.Source{}.Plan(acquire.Params{Values: values, Now: time.Now()})
		var usage *acquire.UsageError
		if !errors.As(err, &usage) || usage.Flag != flag {
			t.Errorf("--%s %.40q: %v", flag, v, err)
		}
	}
	for i := range long {
		long[i] = strings.Repeat("x", 200)
	}
	_, err := outlook.Source{}.Plan(acquire.Params{Values: map[string][]string{"user": {"me"}, "type": long[:64]}, Now: time.Now()})
	var usage *acquire.UsageError
	if !errors.As(err, &usage) { // no line of the ledger would hold the exchange
		t.Errorf("a URL of 13,000 bytes: %v", err)
	}
}
