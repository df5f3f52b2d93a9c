package urls

import (
	"errors"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// TestLinkHeader: forms of RFC 8288, section 3.5, and forms that must not mislead.
func TestLinkHeader(t *testing.T) {
	for _, c := range []struct {
		fields []string
		want   string
		fails  bool
	}{
		{nil, "", false},
		{[]string{`<https://x.example/2>; rel="next"`}, "https://x.example/2", false},
		{[]string{`</2>;rel=next`}, "/2", false},
		{[]string{`</1>; rel="prev", </3>; rel="next"; title="a, <b>; rel=next"`}, "/3", false},
		{[]string{`</1>; rel="prev"`, `</3>; rel="last next"`}, "/3", false},
		{[]string{`</3>; REL = "NEXT"`}, "/3", false},
		{[]string{`</3>; title="rel=next"`}, "", false},
		{[]string{`</3>; rel=prev; rel=next`}, "", false}, // the first counts
		{[]string{`</3>; rel=nextish`}, "", false},
		{[]string{`</3>; title="\"; rel=next; \""; rel=prev`}, "", false},
		{[]string{`</3>; rel=next, </3>; rel=next`}, "/3", false},
		{[]string{`</3>; rel=next, </4>; rel=next`}, "", true},
		{[]string{`</3>; rel=next`, `</4>; rel=next`}, "", true},
		{[]string{`<>; rel=next`}, "", true},
		{[]string{`</3; rel=next`}, "", true},
		{[]string{`,, </3>; rel=next,,`}, "/3", false},
	} {
		var h httpblock.Fields
		for _, f := range c.fields {
			h = append(h, httpblock.Field{Name: "link", Value: f})
		}
		got, err := linkHeader(h)
		var fault *acquire.PageError
		if got != c.want || errors.As(err, &fault) != c.fails {
			t.Errorf("%q: %q, %v", c.fields, got, err)
		}
	}
}

// TestIdentity: links that were signed anew name the same list; other parameters count.
func TestIdentity(t *testing.T) {
	for a, b := range map[string]string{
		"https://x.example/a?n=1&sig=AAAA&se=2":     "https://x.example/a?n=1&sig=BBBB&se=3",
		"https://x.example/a?X-Amz-Signature=1&n=2": "https://x.example/a?X-Amz-Signature=2&n=2",
		"https://x.example/a?%73ig=AAAA":            "https://x.example/a?%73ig=B",
		"https://x.example/a?n=1;sig=AAAA":          "https://x.example/a?n=1;sig=B",
		"https://x.example/a?n=1?Token=AAAA":        "https://x.example/a?n=1?Token=B",
	} {
		if identity(a) != identity(b) || strings.Contains(identity(a), "AAAA") {
			t.Errorf("%q and %q", identity(a), identity(b))
		}
	}
	for a, b := range map[string]string{
		"https://x.example/a?n=1": "https://x.example/a?n=2", "https://x.example/sig=1": "https://x.example/sig=2", "https://x.example/a?$skiptoken=1": "https://x.example/a?$skiptoken=2",
		"https://x.example/a?st=1": "https://x.example/a?st=2",
	} {
		if identity(a) == identity(b) {
			t.Errorf("%q and %q are one", a, b)
		}
	}
}

// TestContent: what counts as how many records, and where it leads.
func TestContent(t *testing.T) {
	p := &plan{accept: "*/*"}
	link := httpblock.Field{Name: "Link", Value: "</2>; rel=next"}
	for _, c := range []struct {
		name, contentType, body string
		link                    bool
		records                 int64
		next                    string
		fails                   bool
	}{
		{"list", "application/json", `{"value":[1,2]}`, false, 2, "", false},
		{"array", "application/json; charset=utf-8", `[1,2,3]`, true, 3, "/2", false},
		{"object", "application/problem+json", `{"a":1}`, false, 1, "", false},
		{"text", "text/plain", "[1,2", true, 1, "/2", false},
		{"nothing", "", "", false, 1, "", false},
		{"both alike", "application/json", `{"value":[],"@odata.nextLink":"/2"}`, true, 0, "/2", false},
		{"both, different", "application/json", `{"value":[],"@odata.nextLink":"/3"}`, true, 0, "", true},
		{"empty link", "application/json", `{"value":[],"@odata.nextLink":""}`, false, 0, "", true},
		{"cut", "application/json", `{"value":[1`, false, 0, "", true},
	} {
		h := httpblock.Fields{{Name: "Content-Type", Value: c.contentType}}
		if c.link {
			h = append(h, link)
		}
		s, err := p.Next(&acquire.Page{Header: h, Body: strings.NewReader(c.body)})
		next := ""
		if s.Next != nil {
			next = s.Next.URL
		}
		if (err != nil) != c.fails || err == nil && (s.Records != c.records || next != c.next) {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
}
