package outlook_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// messagesPlan plans with a file of that text under the name list.
func messagesPlan(list string, values map[string][]string) (*acquire.Plan, error) {
	values["user"] = []string{"o'neil@contoso.example"}
	return outlook.Messages{}.Plan(acquire.Params{Values: values, Open: func(name string) (io.ReadCloser, error) {
		if name != "list" {
			return nil, os.ErrNotExist
		}
		return io.NopCloser(strings.NewReader(list)), nil
	}})
}

// TestItems: ids of flags come first, then those of the file; what stands twice is asked for once.
func TestItems(t *testing.T) {
	p, err := messagesPlan("# items\r\n\r\n AAMk_b-= \nAAMka=\na/b?c#d%e\n", map[string][]string{"item": {"AAMka=", "AAMkc", "AAMka="}, "items": {"list"}, "include-body": {"true"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"AAMka=", "AAMkc", "AAMk_b-=", "a%2Fb%3Fc%23d%25e"}
	if p.Chains != int64(len(want)) || !p.Short || p.User != "o'neil@contoso.example" {
		t.Fatalf("%+v", p)
	}
	for i, id := range want {
		if got := p.Pager.First(int64(i)).URL; got != "https://outlook.office.com/api/v2.0/Users('o''neil@contoso.example')/Messages/"+id {
			t.Errorf("item %d: %s", i, got)
		}
	}
	// printf 'AAMka=\nAAMkc\nAAMk_b-=\na/b?c#d%%e\n' | sha256sum
	const hash = "739ee29c3e2512e263db1c80f0e515c82caf6fd478a1e74ad70b5f35ff9b2130"
	if got := fmt.Sprint(p.Parameters); !strings.HasPrefix(got, "[{api-version v2.0} {metadata none} {include-body true} {items 4} {items-sha256 "+hash) {
		t.Errorf("parameters %s", got)
	}
	for name, values := range map[string]map[string][]string{
		"item":         {"item": {"a b"}},
		"items":        {"items": {"nowhere"}},
		"include-body": {"item": {"a"}, "include-body": {"yes"}},
		"":             {"items": {"list"}},
	} {
		var usage *acquire.UsageError
		if _, err := messagesPlan("# nothing\n", values); !errors.As(err, &usage) || usage.Flag != name {
			t.Errorf("%v: %v", values, err)
		}
	}
	for _, list := range []string{"a b\n", "é\n", "\ufeffa\n", strings.Repeat("x", 1025), strings.Repeat("x", 1<<17), strings.Repeat("#"+strings.Repeat("x", 60_000)+"\n", 1120)} {
		var usage *acquire.UsageError
		if _, err := messagesPlan(list, map[string][]string{"items": {"list"}}); !errors.As(err, &usage) || usage.Flag != "items" {
			t.Errorf("%.20q: %v", list, err)
		}
	}
	var many strings.Builder
	for i := range 200_001 {
		fmt.Fprintln(&many, i)
	}
	if _, err := messagesPlan(many.String(), map[string][]string{"items": {"list"}}); err == nil || !strings.Contains(err.Error(), "more than 200000 ids") {
		t.Errorf("200,001 ids: %v", err)
	}
}

// TestNoMessage: which refusals are answers.
func TestNoMessage(t *testing.T) {
	p, err := messagesPlan("", map[string][]string{"item": {"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status  int
		body    string
		reason  string
		settled bool
	}{
		{404, `{"error":{"code":"ErrorItemNotFound","message":"x"}}`, acquire.ReasonNoItem, true},
		{404, `{"error":{"code":"ErrorInvalidUser","message":"x"}}`, acquire.ReasonNotFound, false},
		{404, ``, acquire.ReasonNotFound, false},
		{400, `{"error":{"code":"ErrorInvalidRequest","message":"x"}}`, acquire.ReasonNoMessage, true},
		{400, `{"error":{"code":"ErrorInvalidIdMalformed","message":"x"}}`, acquire.ReasonNoMessage, true},
		{400, `{"error":{"code":"ErrorInvalidUrlQuery","message":"x"}}`, acquire.ReasonBadRequest, false},
		{400, `{"error":{"code":"RequestBroker--ParseUri","message":"x"}}`, acquire.ReasonBadRequest, false},
		{400, `<html>`, acquire.ReasonBadRequest, false},
		{403, `{"error":{"code":"ErrorAccessDenied","message":"x"}}`, acquire.ReasonNoPermission, false},
		{429, `{"error":{"code":"ErrorItemNotFound","message":"x"}}`, acquire.ReasonThrottled, false},
	} {
		r := p.Pager.Refused(&acquire.Page{Status: c.status, Body: strings.NewReader(c.body)})
		if r.Reason != c.reason || r.Settled != c.settled {
			t.Errorf("%d %s: %+v", c.status, c.body, r)
		}
	}
	for body, reason := range map[string]string{`{"value":[]}`: acquire.ReasonBrokenPage, `[]`: acquire.ReasonBrokenPage, `{"Id":"a","@odata.nextLink":"x"}`: acquire.ReasonBrokenPage, `7`: acquire.ReasonBrokenPage,
		`{"error":{"code":"x"}}`: acquire.ReasonErrorRow} {
		s, err := p.Pager.Next(&acquire.Page{Status: 200, Body: strings.NewReader(body)})
		var fault *acquire.PageError
		if !errors.As(err, &fault) {
			fault = s.Defect
		}
		if fault == nil || fault.Reason != reason {
			t.Errorf("%s: %+v, %v", body, s, err)
		}
	}
}

// TestGetMailActivity: each parameter of EXOMailActivity's Get-MailActivity has its place. The requests are written by hand; they differ from the cmdlet's in that the
// end does not belong to the window.
func TestGetMailActivity(t *testing.T) {
	const root = "https://outlook.office365.com/api/v1.0/Users('adele@contoso.example')/Activities?$filter="
	for _, c := range []struct {
		parameter string
		flags     []string
		url       string
	}{
		{"-User, and nothing else: a month before now, 500 rows", nil,
			root + "TimeStamp%20ge%202018-05-11T12:00:00Z%20and%20TimeStamp%20lt%202018-06-11T12:00:00Z&$orderby=TimeStamp%20asc&$top=500"},
		{"-EndTime", []string{"end", "2018-03-31T00:00:00+02:00"},
			root + "TimeStamp%20ge%202018-02-28T22:00:00Z%20and%20TimeStamp%20lt%202018-03-30T22:00:00Z&$orderby=TimeStamp%20asc&$top=500"},
		{"-StartTime", []string{"start", "2018-06-01T00:00:00Z"},
			root + "TimeStamp%20ge%202018-06-01T00:00:00Z%20and%20TimeStamp%20lt%202018-06-11T12:00:00Z&$orderby=TimeStamp%20asc&$top=500"},
		{"-MaxResults", []string{"max", "25"},
			root + "TimeStamp%20ge%202018-05-11T12:00:00Z%20and%20TimeStamp%20lt%202018-06-11T12:00:00Z&$orderby=TimeStamp%20asc&$top=25"},
		{"-MaxResults -StartFrom", []string{"max", "25", "skip", "1000"},
			root + "TimeStamp%20ge%202018-05-11T12:00:00Z%20and%20TimeStamp%20lt%202018-06-11T12:00:00Z&$orderby=TimeStamp%20asc&$top=25&$skip=1000"},
		{"-ActivityType -ApplicationType", []string{"type", "ServerLogon", "app", "Web"},
			root + "TimeStamp%20ge%202018-05-11T12:00:00Z%20and%20TimeStamp%20lt%202018-06-11T12:00:00Z%20and%20(ActivityIdType%20eq%20'ServerLogon')%20and%20(AppIdType%20eq%20'Web')&$orderby=TimeStamp%20asc&$top=500"},
	} {
		v := map[string][]string{"user": {"adele@contoso.example"}, "api-version": {"v1.0"}, "base-url": {"https://outlook.office365.com"}, "page-size": {"500"}}
		for i := 0; i < len(c.flags); i += 2 {
			v[c.flags[i]] = []string{c.flags[i+1]}
		}
		p, err := outlook.Source{}.Plan(acquire.Params{Values: v, Now: time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Pager.First(0).URL; got != c.url {
			t.Errorf("%s asks\n%s, want\n%s", c.parameter, got, c.url)
		}
		if v["max"] == nil {
			continue
		}
		full := `{"value":[` + strings.Repeat(`{"Id":"a"},`, 24) + `{"Id":"a"}],"@odata.nextLink":"/x"}`
		s, err := p.Pager.Next(&acquire.Page{Number: 1, Status: 200, Header: httpblock.Fields{}, Body: strings.NewReader(full)})
		if err != nil || s.Next != nil || s.Partial == nil || s.Partial.Reason != acquire.ReasonMaxReached {
			t.Errorf("%s is not one page: %+v, %v", c.parameter, s, err)
		}
	}
}
