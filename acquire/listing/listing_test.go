package listing_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/listing"
)

// mark is how the rows of a page are named: the hash of length, space and id of each, a line each.
func mark(ids ...string) string {
	if len(ids) == 0 {
		return ""
	}
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%d %s\n", len(id), id)
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))
}

// TestPages reads pages that can be read; what they hold was counted by hand.
func TestPages(t *testing.T) {
	for _, c := range []struct {
		name, page string
		bare       bool
		want       listing.Page
	}{
		{"empty", `{"value":[]}`, false, listing.Page{List: true}},
		{"white space", " \r\n{ \"value\" : [ ] }\n", false, listing.Page{List: true}},
		{"byte order mark", "\xef\xbb\xbf{\"value\":[{\"Id\":\"a\"}]}", false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"rows", `{"@odata.context":"c","value":[{"Id":"a"},{"x":1,"Id":"b"}]}`, false, listing.Page{List: true, Rows: 2, Mark: mark("a", "b")}},
		{"next", `{"value":[{"Id":"a"}],"@odata.nextLink":"https://s.example/?a=1&b=2"}`, false,
			listing.Page{List: true, Rows: 1, Mark: mark("a"), HasNext: true, Next: "https://s.example/?a=1&b=2"}},
		{"next before value, escaped", `{"\u0040odata.nextLink":"\u002fp","value":[{"\u0049d":"a"}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a"), HasNext: true, Next: "/p"}},
		{"empty with next", `{"value":[],"@odata.nextLink":"?2"}`, false, listing.Page{List: true, HasNext: true, Next: "?2"}},
		{"repeated names in a row", `{"value":[{"Id":"a","Id":"b","x":1,"x":2}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"row without id", `{"value":[{"Id":"a"},{}]}`, false, listing.Page{List: true, Rows: 2}},
		{"row with an id of another type", `{"value":[{"Id":7}]}`, false, listing.Page{List: true, Rows: 1}},
		{"error row", `{"value":[{"Id":"a"},{"error":{"code":"x"}},{"Id":"b"}]}`, false, listing.Page{List: true, Rows: 3, Odd: 1}},
		{"an activity with an error", `{"value":[{"Id":"a","error":null}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"rows that are no objects", `{"value":[1,null,[],"x",{"Id":"a"}]}`, false, listing.Page{List: true, Rows: 5, Odd: 4}},
		{"value inside a row", `{"value":[{"Id":"a","value":[1,2],"@odata.nextLink":"https://evil.example/"}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"huge numbers", `{"value":[{"Id":"a","n":1e400,"m":123456789012345678901234567890}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"no UTF-8 in a row", "{\"value\":[{\"Id\":\"a\",\"Subject\":\"\xff\xfe\"}]}", false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"lone surrogate in a row", `{"value":[{"Id":"a","Subject":"\ud800"}]}`, false, listing.Page{List: true, Rows: 1, Mark: mark("a")}},
		{"bare array", `[{"Id":"a"},{"Id":"b"}]`, true, listing.Page{List: true, Rows: 2, Mark: mark("a", "b")}},
		{"bare object", `{"Id":"a"}`, true, listing.Page{}},
		{"bare object with next", `{"@odata.nextLink":"/2"}`, true, listing.Page{HasNext: true, Next: "/2"}},
	} {
		got, err := listing.Read(iotest.OneByteReader(strings.NewReader(c.page)), listing.Form{ID: "Id", Bare: c.bare})
		if err == nil {
			got.IDs = nil // TestIDs
		}
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

// TestIDs: each row's id has one number in its place, the same for the same id; where a row has none, or rows are very many, there are none. The numbers are
// FNV-1a's as its authors publish them.
func TestIDs(t *testing.T) {
	for _, c := range []struct {
		page        string
		want        []uint64
		first, last string
	}{
		{`{"value":[{"Id":"a","T":"1"},{"Id":"foobar"},{"x":1,"Id":"a","T":"3"}]}`, []uint64{0xaf63dc4c8601ec8c, 0x85944171f73967e8, 0xaf63dc4c8601ec8c}, "1", "3"},
		{`{"value":[{"Id":"a"},{"x":"foobar","T":"2"}]}`, nil, "2", "2"},
		{`{"value":[{"Id":"a"},7]}`, nil, "", ""},
		{`{"value":[]}`, nil, "", ""},
		{`{"value":[` + strings.Repeat(`{"Id":"a"},`, 4096) + `{"Id":"a"}]}`, nil, "", ""},
	} {
		p, err := listing.Read(strings.NewReader(c.page), listing.Form{ID: "Id", Time: "T"})
		if err != nil || !reflect.DeepEqual(p.IDs, c.want) || p.First != c.first || p.Time != c.last {
			t.Errorf("%.60s: %x, %q to %q, %v", c.page, p.IDs, p.First, p.Time, err)
		}
	}
	p, err := listing.Read(strings.NewReader(`{"value":[`+strings.Repeat(`{"Id":"a"},`, 4095)+`{"Id":"a"}]}`), listing.Form{ID: "Id"})
	if err != nil || len(p.IDs) != 4096 {
		t.Errorf("%d of 4,096, %v", len(p.IDs), err)
	}
}

// TestBrokenPages: interpretation stops with a reason, and no link is followed.
func TestBrokenPages(t *testing.T) {
	for _, c := range []struct{ name, page, reason, text string }{
		{"nothing", "", acquire.ReasonBrokenPage, "EOF"},
		{"no JSON", "<html>", acquire.ReasonBrokenPage, "byte 0"},
		{"a number", "7", acquire.ReasonBrokenPage, "no JSON object"},
		{"an array", "[]", acquire.ReasonBrokenPage, "no JSON object"},
		{"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf{\"value\":[]}", acquire.ReasonBrokenPage, "byte 3"},
		{"byte order mark alone", "\xef\xbb\xbf", acquire.ReasonBrokenPage, "EOF"},
		{"half a byte order mark", "\xef\xbb", acquire.ReasonBrokenPage, "byte 0"},
		{"byte order mark inside", "{\"value\":[]\xef\xbb\xbf}", acquire.ReasonBrokenPage, "byte 11"},
		{"byte order mark of UTF-16", "\xff\xfe{\x00}\x00", acquire.ReasonBrokenPage, "byte 0"},
		{"NUL behind a byte order mark", "\xef\xbb\xbf{\"value\":[]}\x00", acquire.ReasonBrokenPage, "byte 15"},
		{"NUL", "{\"value\":[]}\x00", acquire.ReasonBrokenPage, "byte 12"},
		{"no value", `{"error":{"code":"x"}}`, acquire.ReasonBrokenPage, `no "value"`},
		{"cut", `{"value":[{"Id":"a"},{"I`, acquire.ReasonBrokenPage, "EOF"},
		{"cut behind a row", `{"value":[{"Id":"a"}`, acquire.ReasonBrokenPage, "EOF"},
		{"cut behind value", `{"value":`, acquire.ReasonBrokenPage, "EOF"},
		{"cut before the end", `{"value":[]`, acquire.ReasonBrokenPage, "EOF"},
		{"trailing object", `{"value":[]}{"value":[]}`, acquire.ReasonBrokenPage, "follows the end"},
		{"two values", `{"value":[],"value":[{"Id":"a"}]}`, acquire.ReasonBrokenPage, `second "value"`},
		{"two next links", `{"value":[],"@odata.nextLink":"/1","@odata.nextLink":"/2"}`, acquire.ReasonBrokenPage, `second "@odata.nextLink"`},
		{"two equal next links", `{"value":[],"@odata.nextLink":"/1","@odata.nextLink":"/1"}`, acquire.ReasonBrokenPage, `second "@odata.nextLink"`},
		{"two next links, one escaped", `{"value":[],"@odata.nextLink":"/1","@odata\u002enextLink":"/2"}`, acquire.ReasonBrokenPage, `second "@odata.nextLink"`},
		{"next link in other case", `{"value":[],"@odata.nextlink":"/1"}`, acquire.ReasonBrokenPage, "could be meant"},
		{"next link without at", `{"value":[],"odata.nextLink":"/1"}`, acquire.ReasonBrokenPage, "could be meant"},
		{"value in other case", `{"Value":[],"value":[]}`, acquire.ReasonBrokenPage, "could be meant"},
		{"next link null", `{"value":[],"@odata.nextLink":null}`, acquire.ReasonBrokenPage, "wrong type"},
		{"next link object", `{"value":[],"@odata.nextLink":{"a":1}}`, acquire.ReasonBrokenPage, "wrong type"},
		{"value object", `{"value":{}}`, acquire.ReasonBrokenPage, "wrong type"},
		{"value string", `{"value":"x"}`, acquire.ReasonBrokenPage, "wrong type"},
		{"deep", `{"value":[` + strings.Repeat("[", 1_000_000), acquire.ReasonBrokenPage, "depth"},
		{"comma at the end", `{"value":[{"Id":"a"},]}`, acquire.ReasonBrokenPage, "byte"},
	} {
		got, err := listing.Read(strings.NewReader(c.page), listing.Form{ID: "Id"})
		var fault *acquire.PageError
		if got != nil || !errors.As(err, &fault) || fault.Reason != c.reason || !strings.Contains(fault.Text, c.text) {
			t.Errorf("%s: %+v, error %v; want one with %q", c.name, got, err, c.text)
		}
	}
}

// TestReaderErrors: what the body's reader says comes through as it is.
func TestReaderErrors(t *testing.T) {
	own := &acquire.PageError{Reason: acquire.ReasonBudget, Text: "too large"}
	_, err := listing.Read(iotest.ErrReader(own), listing.Form{ID: "Id"})
	var fault *acquire.PageError
	if !errors.As(err, &fault) || fault.Reason != acquire.ReasonBudget {
		t.Errorf("error %v", err)
	}
}

// FuzzRead: a page is read or refused, in one piece or byte by byte alike.
func FuzzRead(f *testing.F) {
	f.Add(`{"value":[{"Id":"a"},{"error":1}],"@odata.nextLink":"/2"}`, true)
	f.Add(`[1,{"Id":"\ud800"}]`, true)
	f.Add(`{"value":[],"value":[]}`, false)
	f.Fuzz(func(t *testing.T, page string, bare bool) {
		form := listing.Form{ID: "Id", Bare: bare}
		a, errA := listing.Read(strings.NewReader(page), form)
		b, errB := listing.Read(iotest.OneByteReader(strings.NewReader(page)), form)
		if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(a, b) {
			t.Errorf("%+v, %v; byte by byte %+v, %v", a, errA, b, errB)
		}
		if errA == nil && (a.Odd > a.Rows || !a.List && a.Rows > 0 || !a.HasNext && a.Next != "") {
			t.Errorf("%+v", a)
		}
	})
}
