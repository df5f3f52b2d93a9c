package hostile

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// document is a body of row S9, with what becomes of the window by the rules of docs/sources.md: a page that two readers could go on from differently is not taken.
type document struct {
	name, body    string
	state, reason string
	records       int64
	follows       bool // the next link is asked for; it leads to an empty page
}

const (
	broken = acquire.ReasonBrokenPage
	one    = `{"value":[{"Id":"a"}]`
	next1  = `"@odata.nextLink":"/one"`
	next2  = `"@odata.nextLink":"/two"`
)

func refusedPage(name, body string) document {
	return document{name, body, evidence.Failed, broken, 0, false}
}

func taken(name, body string) document { return document{name, body, evidence.Complete, "", 1, false} }

func goesOn(name, body string) document { return document{name, body, evidence.Complete, "", 1, true} }

func oddRow(name, row string, rows int64) document {
	return document{name, `{"value":[` + row + `]}`, evidence.Partial, acquire.ReasonErrorRow, rows, false}
}

func deep(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }

// documents makes them: together they are large.
func documents() []document {
	return []document{
		// No page at all.
		refusedPage("nothing", ""),
		refusedPage("white space", " \r\n\t"),
		refusedPage("null", "null"),
		refusedPage("true", "true"),
		refusedPage("a number", "1"),
		refusedPage("a string", `"value"`),
		refusedPage("an array", `[{"Id":"a"}]`),
		refusedPage("an empty object", "{}"),
		refusedPage("an error with status 200", `{"error":{"code":"ErrorServerBusy","message":"later"}}`),
		refusedPage("HTML", "<html>{\"value\":[]}</html>"),
		refusedPage("JSONP", `cb({"value":[]})`),
		refusedPage("a guard before it", ")]}',\n{\"value\":[]}"),
		refusedPage("gzip without a word", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
		refusedPage("single quotes", `{'value':[]}`),
		refusedPage("a name without quotes", `{value:[]}`),
		refusedPage("a comment", `{"value":[] /* all */}`),
		refusedPage("a comment to the end of the line", "{\"value\":[]} // all"),

		// Cut, or more than one.
		refusedPage("cut in a row", `{"value":[{"Id":"a"`),
		refusedPage("cut behind a row", `{"value":[{"Id":"a"}`),
		refusedPage("cut behind the rows", `{"value":[{"Id":"a"}]`),
		refusedPage("cut in the link", one+`,"@odata.nextLink":"/o`),
		refusedPage("cut behind the link's name", one+`,"@odata.nextLink"`),
		refusedPage("a brace too many", one+"}}"),
		refusedPage("two documents", one+"}"+one+"}"),
		refusedPage("two documents, two lines", one+"}\n"+`{"value":[],`+next1+"}"),
		refusedPage("a word behind it", one+"} x"),
		refusedPage("NUL behind it", one+"}\x00"),
		taken("white space around it", "\r\n "+one+"}\n\t "),
		refusedPage("a comma too many in the list", `{"value":[{"Id":"a"},]}`),
		refusedPage("a comma too many in the object", `{"value":[{"Id":"a"}],}`),
		refusedPage("no comma", `{"value":[] "x":1}`),

		// value of another type, or twice.
		refusedPage("value is null", `{"value":null}`),
		refusedPage("value is an object", `{"value":{}}`),
		refusedPage("value is a string", `{"value":"[]"}`),
		refusedPage("value is a number", `{"value":0}`),
		refusedPage("value twice", one+`,"value":[]}`),
		refusedPage("value twice, the first null", `{"value":null,"value":[]}`),
		refusedPage("value twice, once escaped", one+`,"\u0076alue":[]}`),
		refusedPage("Value beside value", one+`,"Value":[{"Id":"b"}]}`),
		refusedPage("VALUE alone", `{"VALUE":[{"Id":"a"}]}`),
		taken("value in a member", `{"x":{"value":[{"Id":"b"},{"Id":"c"}],`+next2+`},"value":[{"Id":"a"}]}`),

		// The link twice, in other spellings, of other types.
		goesOn("a link", one+","+next1+"}"),
		goesOn("the link first", "{"+next1+`,"value":[{"Id":"a"}]}`),
		goesOn("the link's name escaped", one+`,"\u0040odata.nextLink":"/one"}`),
		goesOn("the link escaped", one+`,"@odata.nextLink":"\/\u006fne"}`),
		refusedPage("the link twice", one+","+next1+","+next2+"}"),
		refusedPage("the link twice, the same", one+","+next1+","+next1+"}"),
		refusedPage("the link twice, once escaped", one+","+next1+`,"\u0040odata.nextLink":"/two"}`),
		refusedPage("the link around the rows", "{"+next1+`,"value":[{"Id":"a"}],`+next2+"}"),
		refusedPage("the link in lower case", one+`,"@odata.nextlink":"/one"}`),
		refusedPage("the link in capitals", one+`,"@ODATA.NEXTLINK":"/one"}`),
		refusedPage("the link beside one in lower case", one+","+next1+`,"@odata.nextlink":"/two"}`),
		refusedPage("the link without the at sign", one+`,"odata.nextLink":"/one"}`),
		refusedPage("the link without the at sign, beside it", one+","+next1+`,"odata.nextLink":"/two"}`),
		taken("the link with a space in its name", one+`,"@odata.nextLink ":"/one"}`),
		taken("a link of another name", one+`,"nextLink":"/one","next":"/two"}`),
		taken("a link in a row", `{"value":[{"Id":"a",`+next1+`}]}`),
		refusedPage("the link is null", one+`,"@odata.nextLink":null}`),
		refusedPage("the link is false", one+`,"@odata.nextLink":false}`),
		refusedPage("the link is a number", one+`,"@odata.nextLink":2}`),
		refusedPage("the link is an array", one+`,"@odata.nextLink":["/one"]}`),
		refusedPage("the link is an object", one+`,"@odata.nextLink":{"href":"/one"}}`),
		{"the link is empty", one + `,"@odata.nextLink":""}`, evidence.Partial, acquire.ReasonBadLink, 1, false},
		{"the link has a lone surrogate", one + `,"@odata.nextLink":"/\ud800"}`, evidence.Partial, acquire.ReasonBadLink, 1, false},
		{"the link is no UTF-8", one + ",\"@odata.nextLink\":\"/\xff\"}", evidence.Partial, acquire.ReasonBadLink, 1, false},
		{"the link has a NUL", one + `,"@odata.nextLink":"/\u0000"}`, evidence.Partial, acquire.ReasonBadLink, 1, false},

		// Text.
		taken("a byte order mark", "\xef\xbb\xbf"+one+"}"),
		refusedPage("two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf"+one+"}"),
		refusedPage("half a byte order mark", "\xef\xbb"+one+"}"),
		refusedPage("UTF-16", "\xff\xfe{\x00\"\x00v\x00a\x00l\x00u\x00e\x00\"\x00:\x00[\x00]\x00}\x00"),
		refusedPage("NUL before it", "\x00"+one+"}"),
		refusedPage("NUL between", `{"value":`+"\x00"+`[]}`),
		refusedPage("NUL in a string", "{\"value\":[{\"Id\":\"a\x00\"}]}"),
		refusedPage("a line feed in a string", "{\"value\":[{\"Id\":\"a\n\"}]}"),
		taken("an escaped NUL", `{"value":[{"Id":"a\u0000"}]}`),
		taken("no UTF-8 in a string", "{\"value\":[{\"Id\":\"a\xff\xfe\"}]}"),
		taken("no UTF-8 in a name", "{\"value\":[{\"\xc0\xaf\":1,\"Id\":\"a\"}]}"),
		taken("a lone surrogate", `{"value":[{"Id":"\udc00"}]}`),
		refusedPage("an unknown escape", `{"value":[{"Id":"\x61"}]}`),
		taken("names twice in a row", `{"value":[{"Id":"a","Id":"b","id":"c"}]}`),

		// Numbers.
		taken("1e400", `{"value":[{"Id":"a","n":1e400}]}`),
		taken("minus zero", `{"value":[{"Id":"a","n":-0}]}`),
		taken("100,000 digits", `{"value":[{"Id":"a","n":`+strings.Repeat("9", 100_000)+`}]}`),
		taken("an Id that is a number", `{"value":[{"Id":12345678901234567890}]}`),
		refusedPage("a zero before", `{"value":[{"Id":"a","n":01}]}`),
		refusedPage("a plus", `{"value":[{"Id":"a","n":+1}]}`),
		refusedPage("a point first", `{"value":[{"Id":"a","n":.5}]}`),
		refusedPage("a point last", `{"value":[{"Id":"a","n":1.}]}`),
		refusedPage("NaN", `{"value":[{"Id":"a","n":NaN}]}`),
		refusedPage("hexadecimal", `{"value":[{"Id":"a","n":0x10}]}`),

		// Rows that are none.
		oddRow("a row is null", "null", 1),
		oddRow("a row is a number", `{"Id":"a"},7`, 2),
		oddRow("a row is a string", `"a"`, 1),
		oddRow("a row is an array", `[{"Id":"a"}]`, 1),
		oddRow("a row is an error", `{"Id":"a"},{"error":{"code":"x"}}`, 2),

		// Size and depth. The reader goes 10,000 deep.
		refusedPage("a million arrays deep", `{"value":[{"Id":"a","x":`+deep("[", "]", 1_000_000)+`}]}`),
		refusedPage("a million objects deep", `{"value":[{"Id":"a","x":`+strings.Repeat(`{"x":`, 1_000_000)+"1"+strings.Repeat("}", 1_000_000)+`}]}`),
		refusedPage("a million deep beside the rows", one+`,"x":`+deep("[", "]", 1_000_000)+`}`),
		refusedPage("a million opened", strings.Repeat("[", 1_000_000)),
		taken("9,000 deep", `{"value":[{"Id":"a","x":`+deep("[", "]", 9_000)+`}]}`),
		taken("a million members", one+strings.Repeat(`,"x":1`, 1_000_000)+"}"),
		taken("a name of 1 MiB", one+`,"`+strings.Repeat("n", 1<<20)+`":1}`),
		taken("a string of 3 MiB", `{"value":[{"Id":"a","x":"`+strings.Repeat("y", 3<<20)+`"}]}`),
		taken("a name of 8 MiB", one+`,"`+strings.Repeat("n", 8<<20)+`":1}`),
		taken("a string of 8 MiB", `{"value":[{"Id":"a","x":"`+strings.Repeat("y", 8<<20)+`"}]}`),
		taken("an Id of 8 MiB", `{"value":[{"Id":"`+strings.Repeat("y", 8<<20)+`"}]}`),
		taken("8 MiB of white space", one+strings.Repeat(" \n", 4<<20)+"}"),
		{"a string of 65 MiB", `{"value":[{"Id":"a","x":"` + strings.Repeat("y", 65<<20) + `"}]}`, evidence.Failed, acquire.ReasonBudget, 0, false},
	}
}

// TestJSON is row S9: what came is kept as it came, a page that cannot be taken ends its chain with a reason, and no second link wins.
func TestJSON(t *testing.T) {
	t.Parallel()
	documents := documents()
	if len(documents) < 80 {
		t.Fatalf("%d documents", len(documents))
	}
	s := serve(t, nil, func(c net.Conn, r *request) bool {
		u, err := url.Parse(r.target)
		if err != nil {
			t.Error(err)
			return false
		}
		_, name, ok := strings.Cut(u.Path, "Users('")
		if !ok {
			return say(c, page(`{"value":[]}`)) // what a link leads to
		}
		name, _, _ = strings.Cut(name, "'")
		n, err := strconv.Atoi(name)
		if err != nil {
			t.Error(err)
			return false
		}
		return say(c, page(documents[n].body))
	})
	d := newDesk(t)
	windows := map[int64]*document{}
	for i := range documents {
		c := &documents[i]
		if len(c.body) >= 8<<20 && !*full {
			continue // NOT TESTED here
		}
		before := len(s.requests())
		res := d.mailbox(s.origin, strconv.Itoa(i), nil)
		asked := s.requests()[before:]
		if res.State != c.state || res.Reason != c.reason || res.Records != c.records {
			t.Errorf("%s: %s, %q (%s), %d records; want %s, %q, %d", c.name, res.State, res.Reason, res.Text, res.Records, c.state, c.reason, c.records)
		}
		if len(asked) != 1 && !c.follows || c.follows && (len(asked) != 2 || asked[1].target != "/one") {
			t.Errorf("%s: %d requests, the last for %q", c.name, len(asked), asked[len(asked)-1].target)
		}
		windows[res.Window] = c
	}
	for _, x := range d.exchanges() {
		if c := windows[x.window]; x.Page == 1 && x.response != page(c.body) {
			t.Errorf("%s: the page is not recorded as it came", c.name)
		}
	}
	t.Logf("%d of %d documents", len(windows), len(documents))
}
