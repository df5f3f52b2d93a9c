package odata_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// row is a thing to judge: a map is the simplest Lookup.
type row map[string]odata.Value

func (r row) Property(path string) (odata.Value, bool) {
	v, ok := r[path]
	return v, ok
}

func at(t testing.TB, s string) odata.Value {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return odata.Time(v)
}

// crowdStrike and exoMail are whole filters in the shape that these two
// clients sent.
const (
	crowdStrike = "(TimeStamp ge 2018-05-01T00:00:00Z) and (TimeStamp le 2018-06-01T00:00:00Z) and (ActivityIdType eq 'SearchResult' or ActivityIdType eq 'ServerLogon')"
	exoMail     = "(TimeStamp ge 2018-05-01T00:00:00Z and TimeStamp le 2018-06-01T00:00:00Z and ActivityIdType eq 'ServerLogon' and AppIdType eq 'Web')"
)

func TestCanonicalForm(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{crowdStrike, "TimeStamp ge 2018-05-01T00:00:00Z and TimeStamp le 2018-06-01T00:00:00Z and (ActivityIdType eq 'SearchResult' or ActivityIdType eq 'ServerLogon')"},
		{exoMail, "TimeStamp ge 2018-05-01T00:00:00Z and TimeStamp le 2018-06-01T00:00:00Z and ActivityIdType eq 'ServerLogon' and AppIdType eq 'Web'"},
		{"TimeStamp ge 2018-05-01T02:00:00.500+02:00", "TimeStamp ge 2018-05-01T00:00:00.5Z"},
		{"t lt 2018-05-01T00:00:00.123456789-00:30", "t lt 2018-05-01T00:30:00.123456789Z"},
		{"a eq 1 or b eq 2 and c eq 3", "a eq 1 or b eq 2 and c eq 3"},
		{"a eq 1 or (b eq 2 and c eq 3)", "a eq 1 or b eq 2 and c eq 3"},
		{"(a eq 1 or b eq 2) and c eq 3", "(a eq 1 or b eq 2) and c eq 3"},
		{"a or (b or (c or d))", "a or b or c or d"},
		{"(a and b) and (c and d)", "a and b and c and d"},
		{"not(a)", "not a"},
		{"not (a eq 1)", "not (a eq 1)"},
		{"not not ((a))", "not not a"},
		{"not (a and b)", "not (a and b)"},
		{"((x)) eq (('y'))", "x eq 'y'"},
		{"\tx\t eq   'O''Brien'  ", "x eq 'O''Brien'"},
		{"x eq ''", "x eq ''"},
		{"x eq 'é“\n'", "x eq 'é“\n'"},
		{"From/EmailAddress/Name ne null", "From/EmailAddress/Name ne null"},
		{"x eq 1.50", "x eq 1.5"},
		{"x eq -0.0", "x eq 0"},
		{"x eq 1e3", "x eq 1000"},
		{"x eq 1E+30", "x eq 1e30"},
		{"x eq 123e-5", "x eq 0.00123"},
		{"x eq 123E-9", "x eq 1.23e-7"},
		{"x eq 9223372036854775807", "x eq 9223372036854775807"},
		{"x eq -9223372036854775808", "x eq -9223372036854775808"},
		{"true", "true"},
		{"IsRead", "IsRead"},
		{"IsRead eq false", "IsRead eq false"},
	} {
		f, err := odata.Parse(test.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.in, err)
			continue
		}
		if got := f.String(); got != test.want {
			t.Errorf("Parse(%q) is %q, want %q", test.in, got, test.want)
		}
	}
}

func TestRefusedFilters(t *testing.T) {
	for _, test := range []struct {
		in     string
		offset int
		reason string
	}{
		{"", 0, "the end where"},
		{"a eq", 4, "the end where"},
		{"a eq 1 b", 7, `unexpected "b"`},
		{"a eq 'x", 5, "not closed"},
		{"a eq 'x''", 5, "not closed"},
		{"a eq '\xff'", 5, "UTF-8"},
		{"(a eq 1", 7, "should close"},
		{"a eq 1)", 6, `unexpected ")"`},
		{"a GE 1", 2, `unexpected "GE"`},
		{"a eq 1 and", 10, "the end where"},
		{"and a", 0, `"and" where`},
		{"a eq or", 5, `"or" where`},
		{"not a eq 1", 6, "write not"},
		{"not 'x'", 4, "no condition"},
		{"'x'", 0, "no condition"},
		{"a and 5", 6, "no condition"},
		{"5 and a", 0, "no condition"},
		{"null or a", 0, "no condition"},
		{"(a eq 1) eq true", 0, "cannot be compared"},
		{"true eq (a or b)", 8, "cannot be compared"},
		{"a eq b eq c", 7, "cannot be compared"},
		{"contains(Subject,'x')", 0, `function "contains"`},
		{"a eq b/", 7, "a name is missing"},
		{"a eq b//c", 7, "a name is missing"},
		{"a eq 1;drop", 6, "unexpected character ';'"},
		{"a eq \"x\"", 5, "unexpected character"},
		{"a eq 1x", 5, "malformed number"},
		{"a eq .5", 5, "unexpected character"},
		{"a eq 5.", 5, "malformed number"},
		{"a eq 1e", 5, "malformed number"},
		{"a eq -", 5, "malformed number"},
		{"a eq 9223372036854775808", 5, "out of range"},
		{"a eq 1e999", 5, "out of range"},
		{"a eq 2018-05-01", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00", 5, "malformed time"},
		{"a eq 2018-05-01T00:00Z", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00z", 5, "malformed time"},
		{"a eq 2018-05-01t00:00:00Z", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00,5Z", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00.Z", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00.1234567890Z", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00+2:00", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00+14:01", 5, "malformed time"},
		{"a eq 2018-05-01T00:00:00+01:60", 5, "malformed time"},
		{"a eq 2018-02-29T00:00:00Z", 5, "does not exist"},
		{"a eq 2018-05-01T24:00:00Z", 5, "does not exist"},
		{"a eq 2016-12-31T23:59:60Z", 5, "does not exist"},
		{"a eq 0000-01-01T00:00:00+01:00", 5, "out of range"},
		{"a eq 9999-12-31T23:59:59-00:01", 5, "out of range"},
		{strings.Repeat("n", 129) + " eq 1", 0, "longer than 128"},
		{strings.Repeat("(", 65) + "a" + strings.Repeat(")", 65), 64, "deeper than 64"},
		{strings.Repeat("not ", 65) + "a", 256, "deeper than 64"},
		{strings.Repeat("x", odata.MaxFilterLength+1), odata.MaxFilterLength, "more than"},
		{"a eq 1e18" + strings.Repeat(" or a eq 1e18", 1200), 9 + 13*1200, "canonical form"},
	} {
		f, err := odata.Parse(test.in)
		var syntax *odata.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("Parse(%.60q) is %q, %v; want a SyntaxError", test.in, f, err)
			continue
		}
		if syntax.Offset != test.offset || !strings.Contains(syntax.Reason, test.reason) || syntax.What != "filter" {
			t.Errorf("Parse(%.60q): %v; want offset %d and %q", test.in, err, test.offset, test.reason)
		}
		if len(err.Error()) > 400 {
			t.Errorf("Parse(%.60q): error of %d bytes repeats too much of its input", test.in, len(err.Error()))
		}
	}
	for _, deep := range []string{
		strings.Repeat("(", 64) + "a" + strings.Repeat(")", 64),
		strings.Repeat("not ", 64) + "a",
	} {
		if _, err := odata.Parse(deep); err != nil {
			t.Errorf("nesting of exactly 64 is refused: %v", err)
		}
	}
}

func TestEval(t *testing.T) {
	mail := row{
		"TimeStamp":      at(t, "2018-05-15T12:14:13.019Z"),
		"ActivityIdType": odata.String("ServerLogon"),
		"AppIdType":      odata.String("Web"),
		"Subject":        odata.String("O'Brien, W-9"),
		"Size":           odata.Int(9007199254740993),
		"Score":          odata.Float(2.5),
		"IsRead":         odata.Bool(true),
		"IsDraft":        odata.Bool(false),
		"Unset":          {},
		"From/Name":      odata.String("Zoë"),
	}
	for _, test := range []struct {
		filter string
		want   bool
	}{
		{crowdStrike, true},
		{exoMail, true},
		{"TimeStamp ge 2018-05-15T12:14:13.019Z", true},
		{"TimeStamp gt 2018-05-15T12:14:13.019Z", false},
		{"TimeStamp le 2018-05-15T12:14:13Z", false},
		{"TimeStamp eq 2018-05-15T14:14:13.019+02:00", true},
		{"2018-05-15T12:14:13.020Z gt TimeStamp", true},
		{"ActivityIdType eq 'serverlogon'", false},
		{"ActivityIdType ne 'serverlogon'", true},
		{"AppIdType gt 'Outlook' and AppIdType lt 'Wec'", true},
		{"Subject eq 'O''Brien, W-9'", true},
		{"From/Name eq 'Zoë'", true},
		// 2^53 + 1 is not a float64.
		{"Size eq 9007199254740993", true},
		{"Size eq 9007199254740992", false},
		{"Size gt 9007199254740992.0", true},
		{"Score gt 2 and Score lt 3 and Score eq 2.50", true},
		{"Score ge 1e300", false},
		{"IsRead", true},
		{"not IsRead", false},
		{"IsDraft", false},
		{"IsRead eq true and IsDraft eq false and IsDraft lt IsRead", true},
		{"Unset eq null", true},
		{"Unset ne null", false},
		{"IsRead eq null", false},
		{"IsRead ne null", true},
		{"Unset eq 'x'", false},
		{"Unset ne 'x'", true},
		{"Unset gt 'x'", false},
		{"Unset le 'x'", false},
		{"null ge null", false},
		{"Unset", false},
		{"not Unset", false},
		{"Unset or true", true},
		{"Unset and true", false},
		{"not (Unset and false)", true},
		{"true", true},
		{"not false", true},
		// and binds tighter than or
		{"true or false and false", true},
		{"(true or false) and false", false},
	} {
		f, err := odata.Parse(test.filter)
		if err != nil {
			t.Errorf("Parse(%q): %v", test.filter, err)
			continue
		}
		if got, err := f.Eval(mail); err != nil || got != test.want {
			t.Errorf("Eval(%q) is %v, %v; want %v", test.filter, got, err, test.want)
		}
	}
	if got, err := (*odata.Filter)(nil).Eval(mail); !got || err != nil {
		t.Errorf("the empty condition gives %v, %v", got, err)
	}
}

func TestEvalErrorsDoNotDependOnData(t *testing.T) {
	for _, test := range []struct {
		filter string
		want   error
	}{
		{"Nope eq 1", odata.ErrUnknownProperty},
		{"Flag or Nope", odata.ErrUnknownProperty},
		{"not Flag and Nope", odata.ErrUnknownProperty},
		{"Flag eq 'true'", odata.ErrType},
		{"Name eq 5", odata.ErrType},
		{"Name ge 2018-05-01T00:00:00Z", odata.ErrType},
		{"Name", odata.ErrType},
		{"Flag or Name", odata.ErrType},
	} {
		f, err := odata.Parse(test.filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range []bool{false, true} {
			got, err := f.Eval(row{"Flag": odata.Bool(flag), "Name": odata.String("x")})
			if got || !errors.Is(err, test.want) {
				t.Errorf("Eval(%q) with Flag %v is %v, %v; want %v", test.filter, flag, got, err, test.want)
			}
		}
	}
}

// expr is a condition made by the test, with its own evaluation and its own
// way to be written.
type expr struct {
	op   string // "and", "or", "not", or a leaf
	text string
	hold bool
	kids []expr
}

func (e expr) eval() bool {
	switch e.op {
	case "and":
		return e.kids[0].eval() && e.kids[1].eval()
	case "or":
		return e.kids[0].eval() || e.kids[1].eval()
	case "not":
		return !e.kids[0].eval()
	}
	return e.hold
}

// write puts parentheses round every part that is not a leaf, and round some
// leaves. Without them (planted) "and" and "or" read otherwise.
func (e expr) write(r *rand.Rand, planted bool) string {
	inside := func(k expr) string {
		s := k.write(r, planted)
		if (k.op != "leaf" || e.op == "not" || r.IntN(4) == 0) && (!planted || e.op == "not") {
			return "(" + strings.Repeat(" ", r.IntN(2)) + s + ")"
		}
		return s
	}
	switch e.op {
	case "and", "or":
		return inside(e.kids[0]) + " " + e.op + "  " + inside(e.kids[1])
	case "not":
		return "not " + inside(e.kids[0])
	}
	return e.text
}

// leaves hold or not by the values of modelRow, worked out by hand.
var leaves = []expr{
	{op: "leaf", text: "n gt 4", hold: true}, {op: "leaf", text: "n le 4", hold: false},
	{op: "leaf", text: "s eq 'it''s'", hold: true}, {op: "leaf", text: "s lt 'a'", hold: false},
	{op: "leaf", text: "t ge 2018-05-01T00:00:00+01:00", hold: true}, {op: "leaf", text: "t gt 2018-05-01T00:00:00Z", hold: false},
	{op: "leaf", text: "b", hold: true}, {op: "leaf", text: "z eq null", hold: true}, {op: "leaf", text: "5.5 ne 5.5", hold: false},
}

func modelRow(t testing.TB) row {
	return row{"n": odata.Int(5), "s": odata.String("it's"), "t": at(t, "2018-05-01T00:00:00Z"), "b": odata.Bool(true), "z": {}}
}

func grow(r *rand.Rand, depth int) expr {
	if depth == 0 || r.IntN(5) == 0 {
		return leaves[r.IntN(len(leaves))]
	}
	switch r.IntN(5) {
	case 0:
		return expr{op: "not", kids: []expr{grow(r, depth-1)}}
	case 1, 2:
		return expr{op: "and", kids: []expr{grow(r, depth-1), grow(r, depth-1)}}
	}
	return expr{op: "or", kids: []expr{grow(r, depth-1), grow(r, depth-1)}}
}

// disagreements counts the random conditions on which Eval and the model differ,
// before or after the canonical form.
func disagreements(t *testing.T, planted bool) (count int, first string) {
	r := rand.New(rand.NewPCG(1, 2))
	data := modelRow(t)
	for range 2000 {
		e := grow(r, 5)
		text := e.write(r, planted)
		f, err := odata.Parse(text)
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		again, err := odata.Parse(f.String())
		if err != nil {
			t.Fatalf("canonical form of %q: %v", text, err)
		}
		a, errA := f.Eval(data)
		b, errB := again.Eval(data)
		if errA != nil || errB != nil {
			t.Fatalf("Eval(%q): %v, %v", text, errA, errB)
		}
		if a != e.eval() || b != a || again.String() != f.String() {
			count++
			if first == "" {
				first = fmt.Sprintf("%q: model %v, Eval %v; canonical %q: %v", text, e.eval(), a, f, b)
			}
		}
	}
	return count, first
}

func TestEvalAgreesWithModel(t *testing.T) {
	if n, first := disagreements(t, false); n > 0 {
		t.Errorf("%d of 2000 conditions differ; the first is %s", n, first)
	}
	if n, _ := disagreements(t, true); n == 0 {
		t.Error("a writer that drops parentheses goes unnoticed: this test proves nothing")
	}
}
