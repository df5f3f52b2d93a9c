//go:build linux

package hostile

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// What extraction must say of a page.
const (
	clean   = "clean"   // a record for each event and no remark
	flagged = "flagged" // at least one record carries a remark
	problem = "problem" // a place that did not become a record is named, exit 4
	noted   = "noted"   // one of the two
)

// page is the answer of a service that is hostile or broken.
type page struct {
	name, body, want string
	fields           string // of the response, besides its length
}

const stamp = `"TimeStamp":"2026-11-01T10:00:00Z"`

func listOf(events string) string { return `{"value":[` + events + `]}` }

func event(more string) string { return listOf(`{"Id":"1",` + stamp + more + `}`) }

// pages lists the pages of row B7: the JSON of row S9, inside records.
func pages() []page {
	all := []page{
		{name: "good", body: event(""), want: clean},
		{name: "empty list", body: listOf(""), want: clean},
		{name: "repeated key", body: event(`,"Id":"2"`), want: flagged},
		{name: "repeated key, escaped", body: event(`,"\u0049d":"2"`), want: flagged},
		{name: "key in another case", body: event(`,"ID":"2"`), want: flagged},
		{name: "second list", body: `{"value":[{"Id":"1",` + stamp + `}],"value":[]}`, want: problem},
		{name: "list in another case", body: `{"Value":[{"Id":"1"}]}`, want: problem},
		{name: "next link twice", body: `{"@odata.nextLink":"https://a.example/","@odata.nextLink":"https://b.example/","value":[{"Id":"1",` + stamp + `}]}`, want: clean},
		{name: "10^5 digits", body: event(`,"n":` + strings.Repeat("9", 100_000)), want: flagged},
		{name: "10^5 digits behind the point", body: event(`,"n":1.` + strings.Repeat("9", 100_000)), want: noted + clean},
		{name: "exponent of 10^5 digits", body: event(`,"n":1e` + strings.Repeat("9", 100_000)), want: flagged},
		{name: "1e400", body: event(`,"n":1e400`), want: flagged},
		{name: "beyond 2^63", body: event(`,"n":9223372036854775808`), want: flagged},
		{name: "NaN", body: event(`,"n":NaN`), want: problem},
		{name: "leading zero", body: event(`,"n":01`), want: problem},
		{name: "lone surrogate", body: event(`,"s":"\ud800"`), want: flagged},
		{name: "lone surrogate in a name", body: event(`,"\udfff":"s"`), want: flagged},
		{name: "no UTF-8", body: event(",\"s\":\"\xff\""), want: flagged},
		{name: "overlong UTF-8", body: event(",\"s\":\"\xc0\xaf\""), want: flagged},
		{name: "byte order mark", body: "\ufeff" + event(""), want: problem},
		{name: "UTF-16", body: "\xff\xfe{\x00}\x00", want: problem},
		{name: "NUL in a text", body: event(",\"s\":\"a\x00b\""), want: problem},
		{name: "escaped NUL", body: event(`,"s":"a\u0000b"`), want: clean},
		{name: "terminal control", body: event(`,"s":"\u001b]0;x\u0007"`), want: clean},
		{name: "NUL bytes behind", body: event("") + "\x00\x00", want: problem},
		{name: "two documents", body: event("") + event(""), want: problem},
		{name: "nothing", body: "", want: problem},
		{name: "HTML", body: "<html><script>alert(1)</script>", want: problem},
		{name: "error object in the list", body: listOf(`{"error":{"code":"x"}}`), want: flagged},
		{name: "error object", body: `{"error":{"code":"x"}}`, want: problem},
		{name: "null in the list", body: listOf(`null,1,"x",[1],true`), want: flagged},
		{name: "65,537 members", body: event(members(65_537)), want: noted},
		{name: "unknown coding", body: event(""), fields: "Content-Encoding: br\r\n", want: problem},
		{name: "coding that lies", body: event(""), fields: "Content-Encoding: gzip\r\n", want: problem},
		{name: "three codings", body: event(""), fields: "Content-Encoding: gzip, gzip, gzip\r\n", want: problem},
		{name: "gzip", body: gzipped(event("")), fields: "Content-Encoding: gzip\r\n", want: clean},
		{name: "gzip of gzip", body: gzipped(gzipped(event(""))), fields: "Content-Encoding: gzip, gzip\r\n", want: clean},
		{name: "deflate", body: deflated(event("")), fields: "Content-Encoding: deflate\r\n", want: clean},
		{name: "gzip, cut", body: gzipped(event(""))[:30], fields: "Content-Encoding: gzip\r\n", want: problem},
		{name: "gzip bomb of 64 MiB", body: gzipped(strings.Repeat(" ", 64<<20)), fields: "Content-Encoding: gzip\r\n", want: problem},
		{name: "gzip bomb in an event", body: gzipped(event(`,"s":"` + strings.Repeat("a", 64<<20) + `"`)), fields: "Content-Encoding: gzip\r\n", want: noted},
		{name: "a text of 20 MiB", body: event(`,"s":"` + strings.Repeat("a", 20<<20) + `"`), want: noted},
		{name: "a name of 20 MiB", body: event(`,"` + strings.Repeat("a", 20<<20) + `":1`), want: noted},
	}
	for _, depth := range []int{64, 1000, 9000, 10_001, 100_000, 1_000_000} {
		want := noted
		if depth < 10_000 {
			want = noted + clean
		}
		all = append(all, page{name: fmt.Sprintf("arrays %d deep", depth), body: event(`,"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth)), want: want},
			page{name: fmt.Sprintf("objects %d deep", depth), body: event(`,"a":` + strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)), want: want},
			page{name: fmt.Sprintf("arrays %d deep, never closed", depth), body: event(`,"a":` + strings.Repeat("[", depth)), want: problem},
			page{name: fmt.Sprintf("the page %d deep", depth), body: strings.Repeat(`{"value":[`, depth), want: problem})
	}
	for _, field := range []string{"Id", "TimeStamp", "ActivityIdType", "AppIdType", "ClientSessionId", "ActivityItemId", "CustomProperties"} {
		for _, value := range []string{"null", "1", "-1.5", "true", "{}", "[]", `""`, `{"a":{"b":[1]}}`, `["x","y"]`} {
			all = append(all, page{name: field + " is " + value, body: listOf(`{"` + field + `":` + value + `}`), want: noted})
		}
	}
	whole := listOf(`{"Id":"1",` + stamp + `,"CustomProperties":[{"Name":"Subject","Value":"x"}]}`)
	for at := 1; at < len(whole); at++ {
		all = append(all, page{name: fmt.Sprintf("cut after %d bytes", at), body: whole[:at], want: problem})
	}
	return all
}

// heavyPages are those that only the whole campaign tries.
func heavyPages() []page {
	return []page{
		{name: "10^7 members", body: event(members(10_000_000)), want: noted},
		{name: "10^6 events", body: listOf(strings.TrimSuffix(strings.Repeat(`{"Id":"1",`+stamp+`},`, 1_000_000), ",")), want: flagged},
		{name: "a text of 200 MiB", body: event(`,"s":"` + strings.Repeat("a", 200<<20) + `"`), want: noted},
		{name: "gzip bomb beyond 1 GiB", body: gzipped(strings.Repeat(" ", 1<<30+1)), fields: "Content-Encoding: gzip\r\n", want: problem},
		{name: "10^7 opening brackets", body: strings.Repeat("[", 10_000_000), want: problem},
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":1`, i)
	}
	return b.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// bundle seals a case with the page in it, after a good one, and returns the entry that has it.
func (p page) bundle(t testing.TB, source string) (b bundle, seq int64) {
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire")
	m.Connect()
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	answer := func(n int64, body, fields string) int64 {
		return m.Exchange(sample.Answer{Source: source, Window: 1, Page: n, Parent: evidence.None, RetryOf: evidence.None, Status: 200, Body: body,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d", fields, len(body))})
	}
	answer(1, listOf(`{"Id":"first",`+stamp+`}`), "")
	seq = answer(2, p.body, p.fields)
	m.Window(1, evidence.Window{State: evidence.Complete, User: "adele@contoso.example", Requests: 2, Pages: 2, Last: seq})
	m.Operator(evidence.ActionRunStop, "finished")
	m.Seal()
	return m.Folder.Files(), seq
}

var summary = regexp.MustCompile(`(?m)^(\d+) records from 2 pages; (\d+) flagged$`)

// try extracts the page: what it cannot be made a record of is said, and the recorded answer stays reachable, byte for byte.
func (p page) try(t testing.TB, d *desk, source, format string) error {
	b, seq := p.bundle(t, source)
	if err := b.write(d.dir); err != nil {
		return err
	}
	if _, _, err := d.check([]string{"--deep"}, 0); err != nil {
		return err
	}
	o := d.run("extract", "--format", format, d.dir)
	if err := o.common(0, 4); err != nil {
		return err
	}
	m := summary.FindSubmatch(o.Stderr)
	if m == nil {
		return o.fail("no summary")
	}
	said := clean
	switch {
	case o.Code == 4 && !strings.Contains(string(o.Stderr), fmt.Sprintf("%s: exchange %d, offset ", source, seq)):
		return o.fail("no problem names exchange %d and an offset", seq)
	case o.Code == 4:
		said = problem
	case string(m[2]) != "0":
		said = flagged
	}
	if said != p.want && !(strings.HasPrefix(p.want, noted) && (said != clean || strings.HasSuffix(p.want, clean))) {
		return o.fail("it is %s, want %s", said, p.want)
	}
	if format == "jsonl" {
		if err := validLines(o); err != nil {
			return err
		}
	}
	shown := d.run("show", d.dir, fmt.Sprint(seq), "--response")
	if err := shown.common(0); err != nil {
		return err
	}
	if len(p.body) < maxOutput/2 && !bytes.HasSuffix(shown.Stdout, []byte("\r\n\r\n"+p.body)) {
		return shown.fail("the answer is shown as something else")
	}
	return nil
}

// validLines holds each line of records against the standard library's idea of JSON.
func validLines(o *outcome) error {
	if len(o.Stdout) >= maxOutput {
		return nil // cut by the harness
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(o.Stdout, []byte("\n")), []byte("\n")) {
		if !json.Valid(line) {
			return fmt.Errorf("line %d of the records is no JSON: %.200q", i+1, line)
		}
	}
	return nil
}

// TestPages extracts from sealed cases that hold hostile JSON (row B7).
func TestPages(t *testing.T) {
	all := pages()
	if *full {
		all = append(all, heavyPages()...)
	}
	n := part(len(all), 20)
	sweep(t, n, func(d *desk, i int) error {
		p := all[i*len(all)/n]
		source, format := "outlook-activities", "jsonl"
		if i%5 == 4 {
			format = "csv"
		}
		if err := p.try(t, d, source, format); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		return nil
	})
}
