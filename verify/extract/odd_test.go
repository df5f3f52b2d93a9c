package extract

import (
	"fmt"
	"strings"
	"testing"
)

const act = "outlook-activities"

// odd is one odd page. Each line of want is "id|flags|details" of a record.
type odd struct {
	name, source, body, problems string
	want                         []string
}

// stamped returns a page of one activity with more members.
func stamped(rest string) string {
	return `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"` + rest + `}]}`
}

func TestOddRecords(t *testing.T) {
	checkOdd(t, []odd{
		{"repeated key", act, stamped(`,"Id":"2"`), "", []string{`1|duplicate_key|{"Id":["1","2"]}`}},
		{"repeated key, escaped", act, stamped(`,"\u0049d":"2"`), "", []string{`1|duplicate_key|{"Id":["1","2"]}`}},
		{"repeated key, thrice and nested", act, stamped(`,"a":{"b":1,"c":0,"b":{"x":1,"x":2},"b":[ ]}`), "",
			[]string{`1|duplicate_key|{"a":{"b":[1,{"x":[1,2]},[]],"c":0}}`}},
		{"case twins", act, stamped(`,"id":"2"`), "", []string{`1|key_case_variant|{"id":"2"}`}},
		{"beyond int64", act, stamped(`,"n":9223372036854775808,"m":-9223372036854775808`), "",
			[]string{`1|number_beyond_int64|{"n":9223372036854775808,"m":-9223372036854775808}`}},
		{"within int64", act, stamped(`,"n":9223372036854775807`), "", []string{`1||{"n":9223372036854775807}`}},
		{"beyond float64", act, stamped(`,"n":1e400,"m":1.50E+3`), "", []string{`1|number_beyond_float64|{"n":1e400,"m":1.50E+3}`}},
		{"bytes that are not UTF-8", act, stamped(",\"n\xfe\":\"a\xffb\""), "", []string{`1|invalid_utf8|{"n\udcfe":"a\udcffb"}`}},
		{"not UTF-8 in a mapped field", act, `{"value":[{"Id":"a` + "\xff" + `b","TimeStamp":"2018-06-01T00:00:00Z"}]}`, "",
			[]string{"a\ufffdb" + `|invalid_utf8|{"Id":"a\udcffb"}`}},
		{"lone surrogate", act, stamped(`,"s":"\ud83d\ude00 \ude00"`), "", []string{`1|lone_surrogate|{"s":"\ud83d\ude00 \ude00"}`}},
		{"lone surrogate in a mapped field", act, `{"value":[{"Id":"\uD800","TimeStamp":"2018-06-01T00:00:00Z"}]}`, "",
			[]string{"\ufffd" + `|lone_surrogate|{"Id":"\uD800"}`}},
		{"NUL", act, stamped(`,"s":"a\u0000b"`), "", []string{`1||{"s":"a\u0000b"}`}},
		{"no zone", act, `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00"}]}`, "",
			[]string{`1|time_without_zone|{"TimeStamp":"2018-06-01T00:00:00"}`}},
		{"no time", act, `{"value":[{"Id":"1","TimeStamp":"yesterday"},{"Id":"2"},{"Id":"3","TimeStamp":1528000000}]}`, "",
			[]string{`1|time_unparseable|{"TimeStamp":"yesterday"}`, `2|missing_time|{}`, `3|time_unparseable|{"TimeStamp":1528000000}`}},
		{"no object", act, `{"value":[null,[1 ,{"a": 2}],"x",true]}`, "",
			[]string{`|not_an_object|{"raw":null}`, `|not_an_object|{"raw":[1,{"a":2}]}`, `|not_an_object|{"raw":"x"}`, `|not_an_object|{"raw":true}`}},
		{"no id", act, `{"value":[{"Id":null,"TimeStamp":"2018-06-01T00:00:00Z"}]}`, "", []string{`|missing_id|{"Id":null}`}},
		{"id is a number", act, `{"value":[{"Id":1.0,"TimeStamp":"2018-06-01T00:00:00Z"}]}`, "", []string{`1.0||{"Id":1.0}`}},
		{"error object", act, `{"value":[{"error":{"code":"x"}}]}`, "", []string{`|error_object missing_id missing_time|{"error":{"code":"x"}}`}},
		{"irregular properties", act, stamped(`,"CustomProperties":[{"Name":"A","Value":1},{"Name":"B"},7]`), "",
			[]string{`1|custom_properties_irregular|{"CustomProperties":[{"Name":"A","Value":1},{"Name":"B"},7]}`}},
		{"property with a third member", act, stamped(`,"CustomProperties":[{"Name":"A","Value":1,"x":2}]`), "",
			[]string{`1|custom_properties_irregular|{"CustomProperties":[{"Name":"A","Value":1,"x":2}]}`}},
		{"property named like a field", act, stamped(`,"Extra":0,"CustomProperties":[{"Value":1,"Name":"Extra"}]`), "",
			[]string{`1|repeated_property|{"Extra":[1,0]}`}},
		{"same id again", act, `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"},{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"},` +
			`{"TimeStamp":"2018-06-01T00:00:00Z","Id":"\u0031"}]}`, "",
			[]string{`1||{}`, `1|duplicate_id|{}`, `1|duplicate_id duplicate_id_other_bytes|{}`}},
	})
}

func TestOddPages(t *testing.T) {
	checkOdd(t, []odd{
		{"byte order mark", act, "\ufeff" + `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"}]}`, "bom", []string{`1||{}`}},
		{"broken half-way", act, `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"},{"Id" "2"}]}`, "syntax", []string{`1||{}`}},
		{"cut", act, `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"},{"Id":"2"`, "syntax", []string{`1||{}`}},
		{"cut after an element", act, `{"value":[{"Id":"1","TimeStamp":"2018-06-01T00:00:00Z"}`, "syntax", []string{`1||{}`}},
		{"cut after the array", act, `{"value":[]`, "syntax", nil},
		{"control character", act, "{\"value\":[\"a\nb\"]}", "syntax", nil},
		{"second value", act, `{"value":[1],"value":[2]}`, "second_value", []string{`|not_an_object|{"raw":1}`, `|not_an_object|{"raw":2}`}},
		{"value is an object", act, `{"value":{"Id":"1"}}`, "value_type", nil},
		{"value is null", act, `{"value":null}`, "value_type", nil},
		{"value by another case", act, `{"Value":[{"Id":"1"}]}`, "value_variant no_value", nil},
		{"value, escaped", act, `{"v\u0061lue":[1]}`, "", []string{`|not_an_object|{"raw":1}`}},
		{"no value", act, `{"error":{"code":"ErrorAccessDenied"}}`, "no_value", nil},
		{"empty list", act, `{"value":[]}`, "", nil},
		{"scalar document", act, `"x"`, "no_value", nil},
		{"array at the top", act, `[1]`, "top_level_array", []string{`|not_an_object|{"raw":1}`}},
		{"nothing", act, " \n", "no_document", nil},
		{"trailing data", act, `{"value":[1]} x`, "trailing_data", []string{`|not_an_object|{"raw":1}`}},
		{"trailing bracket", act, `{"value":[1]}]`, "trailing_data", []string{`|not_an_object|{"raw":1}`}},
		{"two documents", act, `{"value":[1]}` + "\n" + `{"value":[2]}`, "concatenated", []string{`|not_an_object|{"raw":1}`, `|not_an_object|{"raw":2}`}},
		{"HTML", "http", `<html>`, "syntax", nil},
		{"nothing at all", "http", ``, "no_document", nil},

		{"JSON Lines", "http", `{"id":"1","Timestamp":"2018-06-01T00:00:00Z"}` + "\n" + `{"id":"2","createdDateTime":"2018-06-01T00:00:00+02:00"}` + "\r\n", "",
			[]string{`1||{}`, `2||{}`}},
		{"JSON Lines without line breaks", "http", `{"id":"1"} {"id":"2"}{"id":"3"}`, "concatenated",
			[]string{`1|missing_time|{}`, `2|missing_time|{}`, `3|missing_time|{}`}},
		{"JSON Lines, no object", "http", "1\n{}\n[2]", "",
			[]string{`|not_an_object|{"raw":1}`, `|missing_id missing_time|{}`, `|not_an_object|{"raw":2}`}},
		{"line with a scalar value", "http", `{"id":"1","value":5}`, "value_type", []string{`1|missing_time|{"value":5}`}},
		{"rank of names", "http", `{"id":"low","Id":"high","operation":"a","Timestamp":"x"}`, "",
			[]string{`high|key_case_variant time_unparseable|{"id":"low","Timestamp":"x"}`}},
	})
}

func checkOdd(t *testing.T, pages []odd) {
	t.Helper()
	for _, c := range pages {
		t.Run(c.name, func(t *testing.T) {
			got, sum := keep(t, onePage(c.source, c.body), Options{})
			var lines []string
			for _, r := range got {
				lines = append(lines, fmt.Sprintf("%s|%s|%s", r.ID, r.Words, r.Details))
			}
			if g, w := strings.Join(lines, "\n"), strings.Join(c.want, "\n"); g != w {
				t.Errorf("records\n got %s\nwant %s", g, w)
			}
			if codes(sum) != c.problems {
				t.Errorf("problems %v, want %s", sum.Problems, c.problems)
			}
		})
	}
}

// TestProblemPlaces checks offsets of problems, counted by hand.
func TestProblemPlaces(t *testing.T) {
	for _, c := range []struct {
		body string
		want int64
	}{
		{`{"value":[1,x]}`, 12},
		{`{"value":[1]} x`, 14},
		{`{"value":[1],"value":[2]}`, 13},
		{"\ufeff" + `{"value":[1] ,"value":5}`, 0},
		{`{"value":[1]}{"value":[]}`, 13},
	} {
		_, sum := keep(t, onePage("outlook-activities", c.body), Options{})
		if len(sum.Problems) == 0 || sum.Problems[0].Offset != c.want {
			t.Errorf("%s: %v, want offset %d", c.body, sum.Problems, c.want)
		}
	}
}

// TestRefused walks past elements that are too long, too deep or have too many
// members, and finds those behind them.
func TestRefused(t *testing.T) {
	const last = `{"id":"last","Timestamp":"2018-06-01T00:00:00Z"}`
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `%c"k%d":0`, "{,"[min(i, 1)], i)
		}
		return b.String() + "}"
	}
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	for _, c := range []struct {
		name, element, words, problem string
	}{
		{"just short enough", `"` + strings.Repeat("x", 1<<20-2) + `"`, "not_an_object", ""},
		{"too long by one", `"` + strings.Repeat("x", 1<<20-1) + `"`, "too_large", "too_large"},
		{"long string", `{"a":"` + strings.Repeat(`]\"`, 1<<20) + `"}`, "too_large", "too_large"},
		{"long list", "[" + strings.Repeat(`{},`, 1<<20) + "1]", "too_large", "too_large"},
		{"long number", strings.Repeat("1", 3<<20), "too_large", "too_large"},
		{"depth that is allowed", deep(9_900), "missing_id missing_time", ""},
		{"depth 10,002", deep(10_002), "too_deep", "too_deep"},
		{"depth 100,000", deep(100_000), "too_deep", "too_deep"},
		{"depth 1,000,000", deep(1_000_000), "too_deep", "too_deep"},
		{"members that are allowed", members(maxMembers), "missing_id missing_time", ""},
		{"members beyond", members(maxMembers + 1), "too_many_members", "too_many_members"},
	} {
		for _, form := range []string{`[%s , %s]`, `{"value": [ %s, %s]}`} {
			t.Run(c.name, func(t *testing.T) {
				body := fmt.Sprintf(form, c.element, last)
				got, sum := keep(t, onePage("http", body), Options{RecordLimit: 1 << 20})
				if len(got) != 2 || got[0].Words != c.words || codes(sum) != c.problem {
					t.Fatalf("%d records, flags %q, problems %v", len(got), got[0].Words, sum.Problems)
				}
				for i, text := range []string{c.element, last} {
					p := got[i].Provenance
					if p.Offset != int64(strings.LastIndex(body, text)) || p.Length != int64(len(text)) || !strings.HasSuffix(p.Pointer, fmt.Sprint("/", i)) {
						t.Errorf("record %d lies at %+v", i, p)
					}
					if body[p.Offset:p.Offset+p.Length] != text || p.SHA256 != sha(text) {
						t.Errorf("record %d: other bytes", i)
					}
				}
				if got[1].ID != "last" || got[1].Words != "" {
					t.Errorf("last record %+v", got[1])
				}
			})
		}
	}
}

// TestLongParts checks what cannot be skipped: the page ends there.
func TestLongParts(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	for name, body := range map[string]string{
		"member before value": `{"a":"` + long + `","value":[1]}`,
		"name":                `{"` + long + `":1,"value":[1]}`,
	} {
		got, sum := keep(t, onePage("outlook-activities", body), Options{RecordLimit: 1 << 20})
		if len(got) != 0 || codes(sum) != "too_large" {
			t.Errorf("%s: %d records, %v", name, len(got), sum.Problems)
		}
	}
	got, sum := keep(t, onePage("http", `{"a":[`+strings.Repeat("1,", 1<<20)+`1]}`+"\n{}"), Options{RecordLimit: 1 << 20})
	if len(got) != 1 || got[0].Provenance.Offset == 0 || codes(sum) != "too_large" {
		t.Errorf("long line: %d records, %v", len(got), sum.Problems)
	}
	got, sum = keep(t, onePage("http", `[1,`+strings.Repeat(" ", 2<<20)+`{"id":"2"} ]`), Options{RecordLimit: 1 << 20})
	if len(got) != 2 || got[1].Provenance.Offset != 3+2<<20 {
		t.Errorf("long white space: %+v, %v", got, sum.Problems)
	}
	got, sum = keep(t, onePage("http", `[1`+strings.Repeat(" ", 2<<20)+`]`), Options{RecordLimit: 1 << 20})
	if len(got) != 1 || codes(sum) != "" {
		t.Errorf("long white space at the end: %d records, %v", len(got), sum.Problems)
	}
}
