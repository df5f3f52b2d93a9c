package odata_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

func TestParseQuery(t *testing.T) {
	stamp := []odata.Order{{Path: "TimeStamp"}}
	for _, test := range []struct {
		name, raw string
		filter    string // canonical
		want      odata.Query
	}{
		{name: "nothing"},
		{name: "CrowdStrike without a criterion",
			raw:  "%24filter=&%24top=1000&%24select=TimeStamp%2CAppIdType&%24skip=0",
			want: odata.Query{Select: []string{"TimeStamp", "AppIdType"}, Top: 1000, HasTop: true}},
		{name: "CrowdStrike with times",
			raw:    "$filter=(TimeStamp+ge+2018-05-01T00%3A00%3A00Z)+and+(ActivityIdType+eq+%27ServerLogon%27)&$top=1000&$skip=2000",
			filter: "TimeStamp ge 2018-05-01T00:00:00Z and ActivityIdType eq 'ServerLogon'",
			want:   odata.Query{Top: 1000, HasTop: true, Skip: 2000}},
		{name: "LMG orders first", raw: "$orderby=TimeStamp%20asc&$filter=", want: odata.Query{OrderBy: stamp}},
		{name: "EXOMailActivity",
			raw:    "$filter=(TimeStamp%20ge%202018-05-01T00:00:00Z%20and%20AppIdType%20eq%20'Web')&$orderby=TimeStamp+asc&$top=500",
			filter: "TimeStamp ge 2018-05-01T00:00:00Z and AppIdType eq 'Web'",
			want:   odata.Query{OrderBy: stamp, Top: 500, HasTop: true}},
		{name: "offset with an encoded plus", raw: "$filter=t+ge+2018-05-01T00:00:00%2B02:00", filter: "t ge 2018-04-30T22:00:00Z"},
		{name: "empty parts and other options", raw: "&&access_token=x&%24skip=7&", want: odata.Query{Skip: 7}},
		{name: "blank filter", raw: "$filter=+%20%09"},
		{name: "several keys", raw: "$orderby=TimeStamp desc , Id", want: odata.Query{OrderBy: []odata.Order{{Path: "TimeStamp", Descending: true}, {Path: "Id"}}}},
		{name: "select twice the same", raw: "$select=A, B,A,C/D", want: odata.Query{Select: []string{"A", "B", "C/D"}}},
		{name: "top of nothing", raw: "$top=0", want: odata.Query{HasTop: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := odata.ParseQuery(test.raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := q.Filter.String(); got != test.filter {
				t.Errorf("filter is %q, want %q", got, test.filter)
			}
			got := *q
			got.Filter = nil
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("query is %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRefusedQueries(t *testing.T) {
	many := strings.Repeat("a,", odata.MaxList)
	for _, test := range []struct {
		raw, message string
		option       bool // ErrOption, else a SyntaxError
	}{
		{"$top=1&%24top=1", `"$top" is given twice`, true},
		{"$filter=&$filter=", `"$filter" is given twice`, true},
		{"$expand=x", `option "$expand": not supported`, true},
		{"$Top=1", `option "$Top": not supported`, true},
		{"$skiptoken=x", "not supported", true},
		{"$=x", "not supported", true},
		{"%zz=1", "cannot be decoded", true},
		{"$top=%4", `value of option "$top" cannot be decoded`, true},
		{strings.Repeat("x", odata.MaxQueryLength+1), "is longer than", true},
		{"$top=", "no whole number", false},
		{"$top=-1", "no whole number", false},
		{"$top=%2B1", "no whole number", false},
		{"$top=01", "no whole number", false},
		{"$top=1.0", "no whole number", false},
		{"$skip=1000000000", "no whole number", false},
		{"$skip=٣", "no whole number", false},
		{"$filter=a+eq", "malformed filter at offset 4", false},
		{"$filter=t ge 2018-05-01T00:00:00+02:00", "malformed time", false},
		{"$orderby=", "malformed $orderby at offset 0", false},
		{"$orderby=a upwards", "malformed $orderby at offset 2", false},
		{"$orderby=a asc desc", "malformed $orderby at offset 6", false},
		{"$orderby=a,a desc", `"a" stands twice`, false},
		{"$select=", "malformed $select at offset 0", false},
		{"$select=a,", "malformed $select at offset 2", false},
		{"$select=*", "unexpected character '*'", false},
		{"$select=a b", "malformed $select at offset 2", false},
		{"$select=" + many + "a", "more than 64", false},
	} {
		q, err := odata.ParseQuery(test.raw)
		if err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("ParseQuery(%.60q) is %+v, %v; want %q", test.raw, q, err, test.message)
			continue
		}
		var syntax *odata.SyntaxError
		if errors.Is(err, odata.ErrOption) != test.option || errors.As(err, &syntax) == test.option {
			t.Errorf("ParseQuery(%.60q): %v is of the wrong kind", test.raw, err)
		}
	}
}

// The same question in three clients' words has one canonical form.
func TestCanonicalQuery(t *testing.T) {
	const want = "$filter=AppIdType%20eq%20%27O%27%27Neil%20%2B%27&$orderby=TimeStamp%20asc&$select=Id%2CTimeStamp&$skip=10&$top=5"
	for _, raw := range []string{
		want,
		"$top=5&$skip=10&$select=Id,TimeStamp&$orderby=TimeStamp&$filter=(AppIdType+eq+'O''Neil+%2B')",
		"%24skip=10&%24orderby=TimeStamp+asc&%24top=5&%24filter=AppIdType%20eq%20%27O%27%27Neil%20%2B%27&%24select=Id%2C+TimeStamp&x=y",
	} {
		q, err := odata.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.String(); got != want {
			t.Errorf("ParseQuery(%q) is %q, want %q", raw, got, want)
		}
	}
}

func TestCompare(t *testing.T) {
	early := row{"t": at(t, "2018-05-01T00:00:00Z"), "id": odata.String("b"), "n": {}}
	late := row{"t": at(t, "2018-05-01T00:00:00.001Z"), "id": odata.String("a"), "n": odata.Int(-5)}
	for _, test := range []struct {
		keys string
		want int
	}{
		{"t", -1}, {"t desc", 1}, {"id", 1}, {"id desc,t", -1}, {"n", -1}, {"n desc", 1},
	} {
		keys, err := odata.ParseOrderBy(test.keys)
		if err != nil {
			t.Fatal(err)
		}
		ab, errA := odata.Compare(keys, early, late)
		ba, errB := odata.Compare(keys, late, early)
		same, errC := odata.Compare(keys, late, late)
		if ab != test.want || ba != -test.want || same != 0 || errors.Join(errA, errB, errC) != nil {
			t.Errorf("Compare by %q is %d, %d, %d; want %d", test.keys, ab, ba, same, test.want)
		}
	}
	if _, err := odata.Compare([]odata.Order{{Path: "nope"}}, early, late); !errors.Is(err, odata.ErrUnknownProperty) {
		t.Errorf("unknown key: %v", err)
	}
	if _, err := odata.Compare([]odata.Order{{Path: "x"}}, row{"x": odata.Int(1)}, row{"x": odata.String("1")}); !errors.Is(err, odata.ErrType) {
		t.Errorf("keys of two types: %v", err)
	}
}
