package simtenant_test

import (
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

func TestPagesOfTheCaller(t *testing.T) {
	pages := map[string][][]byte{
		"plain":  {[]byte("{\"value\": [1]}\n"), []byte(`{"value":[2]}`), []byte(` {"value":[3]} `)},
		"empty":  {[]byte("{}"), []byte("{ }\r\n"), []byte("{}")},
		"arrays": {[]byte("[1]"), []byte("[2]")},
		"broken": {[]byte(`{"value":[{"a":"}]}`), []byte("\xff\x00")},
	}
	b := start(t, "loop@14:2", simtenant.Options{Pages: pages})
	for _, test := range []struct {
		target, body, link string // link relative to the server
		headers            []string
	}{
		{target: "/pages/plain/1", body: `{"value": [1],"@odata.nextLink":"` + b.url + `/pages/plain/2"}` + "\n"},
		{target: "/pages/plain/2?link=body", body: `{"value":[2],"@odata.nextLink":"` + b.url + `/pages/plain/3?link=body"}`},
		{target: "/pages/plain/3", body: ` {"value":[3]} `},
		{target: "/pages/plain/1?x=1&link=header", body: "{\"value\": [1]}\n", link: "/pages/plain/2?x=1&link=header"},
		{target: "/pages/plain/3?link=header", body: ` {"value":[3]} `},
		{target: "/pages/empty/1", body: `{"@odata.nextLink":"` + b.url + `/pages/empty/2"}`},
		{target: "/pages/empty/2", body: `{ "@odata.nextLink":"` + b.url + `/pages/empty/3"}` + "\r\n"},
		{target: "/pages/arrays/1?link=header", body: "[1]", link: "/pages/arrays/2?link=header"},
		{target: "/pages/arrays/2", body: "[2]"},
		{target: "/pages/broken/1", body: `{"value":[{"a":"}],"@odata.nextLink":"` + b.url + `/pages/broken/2"}`},
		{target: "/pages/broken/2", body: "\xff\x00", headers: []string{"Authorization", ""}},
		{target: "/pages/plain/1?link=header", body: "{\"value\": [1]}\n", link: "/pages/plain/2?link=header"},
		{target: "/pages/plain/2?link=header", body: `{"value":[2]}`, link: "/pages/plain/3?link=header"},
		// the 14th request: its link leads to the one before
		{target: "/pages/plain/3?link=header", body: ` {"value":[3]} `, link: "/pages/plain/2?link=header"},
		{target: "/pages/plain/2?link=header", body: `{"value":[2]}`, link: "/pages/plain/3?link=header"},
		{target: "/pages/plain/3?link=header", body: ` {"value":[3]} `, link: "/pages/plain/2?link=header"},
	} {
		r := b.must(200, test.target, test.headers...)
		want := ""
		if test.link != "" {
			want = "<" + b.url + test.link + `>; rel="next"`
		}
		if string(r.body) != test.body || r.Header.Get("Link") != want {
			t.Errorf("%s is %q with Link %q; want %q, %q", test.target, r.body, r.Header.Get("Link"), test.body, want)
		}
	}
	for target, status := range map[string]int{
		"/pages/arrays/1": 400, "/pages/plain/1?link=both": 400,
		"/pages/plain/0": 404, "/pages/plain/4": 404, "/pages/plain/01": 404, "/pages/plain": 404, "/pages/nope/1": 404,
	} {
		if code := b.must(status, target).errorCode(t); code == "" {
			t.Errorf("%s: error without a code", target)
		}
	}
	b.must(401, "/pages/plain/1", "Authorization", "Bearer wrong")
	for _, name := range []string{"", "a/b", "a?b"} {
		if _, err := simtenant.New(simtenant.Options{Pages: map[string][][]byte{name: {nil}}}); err == nil {
			t.Errorf("page set %q is accepted", name)
		}
	}
}
