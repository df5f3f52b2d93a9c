package odata_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// span is the domain of a time between two days of May 2018; 0 is no bound.
func span(from, below int) odata.Domain {
	var d odata.Domain
	day := func(n int) odata.Value { return odata.Time(time.Date(2018, 5, n, 0, 0, 0, 0, time.UTC)) }
	if from > 0 {
		d.From = day(from)
	}
	if below > 0 {
		d.Below = day(below)
	}
	return d
}

func is(s string) odata.Domain { return odata.Domain{Is: odata.String(s), Known: true} }

func none(of ...string) odata.Domain { return odata.Domain{Not: of} }

// What is possible where, worked out by hand: t lies in the span, k is the kind.
func TestPossible(t *testing.T) {
	for _, test := range []struct {
		filter string
		t, k   odata.Domain
		want   bool
	}{
		{"t ge 2018-05-10T00:00:00Z", span(1, 10), is("a"), false}, // the end is not in the span
		{"t ge 2018-05-10T00:00:00Z", span(1, 11), is("a"), true},
		{"t gt 2018-05-10T00:00:00Z", span(1, 10), is("a"), false},
		{"t le 2018-05-10T00:00:00Z", span(10, 12), is("a"), true}, // the start is
		{"t lt 2018-05-10T00:00:00Z", span(10, 12), is("a"), false},
		{"t le 2018-05-09T23:59:59.999Z", span(10, 12), is("a"), false},
		{"t eq 2018-05-12T00:00:00Z", span(10, 12), is("a"), false},
		{"t eq 2018-05-10T00:00:00Z", span(10, 12), is("a"), true},
		{"t ne 2018-05-12T00:00:00Z", span(10, 12), is("a"), true},
		{"2018-05-10T00:00:00Z gt t", span(10, 12), is("a"), false},
		{"2018-05-10T00:00:00Z ge t", span(10, 12), is("a"), true},
		{"2018-05-12T00:00:00Z le t", span(10, 12), is("a"), false},
		{"t ge 2018-05-10T00:00:00Z", span(0, 10), is("a"), false},
		{"t ge 2018-05-10T00:00:00Z", span(9, 0), is("a"), true},
		{"t lt 2018-05-10T00:00:00Z", span(10, 0), is("a"), false},
		{"t lt 2018-05-10T00:00:00Z", span(0, 0), is("a"), true},
		{"not (t lt 2018-05-10T00:00:00Z)", span(1, 10), is("a"), false},
		{"not (t lt 2018-05-10T00:00:00Z)", span(1, 11), is("a"), true},
		{"not (t ge 2018-05-10T00:00:00Z)", span(10, 11), is("a"), false},
		{"k eq 'a'", span(1, 2), is("a"), true},
		{"k eq 'a'", span(1, 2), is("b"), false},
		{"k eq 'a'", span(1, 2), none("a", "b"), false},
		{"k eq 'c'", span(1, 2), none("a", "b"), true},
		{"k ne 'a'", span(1, 2), none("a", "b"), true},
		{"k gt 'x'", span(1, 2), none("a", "b"), true},
		{"k eq null", span(1, 2), none("a"), false},
		{"not (k ne 'a')", span(1, 2), none("a"), false},
		{"k eq 'a' and t ge 2018-05-10T00:00:00Z", span(1, 10), is("a"), false},
		{"k eq 'a' or t ge 2018-05-10T00:00:00Z", span(1, 10), is("a"), true},
		{"k eq 'a' or t ge 2018-05-10T00:00:00Z", span(1, 10), is("b"), false},
		{"k eq 'a' and other eq 'x'", span(1, 2), is("a"), true},
		{"k eq 'b' and other eq 'x'", span(1, 2), is("a"), false},
		{"k eq other", span(1, 2), is("a"), true},
		{"t lt 2018-05-01T00:00:00Z and (k eq 'a' or k eq 'b')", span(2, 3), none("x"), false},
		{"false", span(1, 2), is("a"), false},
		{"true", span(1, 2), is("a"), true},
		{"1 eq 2", span(1, 2), is("a"), true}, // it errs on the side of yes
	} {
		f, err := odata.Parse(test.filter)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Possible(func(path string) odata.Domain {
			switch path {
			case "t":
				return test.t
			case "k":
				return test.k
			}
			return odata.Domain{}
		})
		if got != test.want {
			t.Errorf("%q where t is in %v and k is %v: %v", test.filter, test.t, test.k, got)
		}
	}
	if !(*odata.Filter)(nil).Possible(nil) {
		t.Error("the empty condition is not possible")
	}
}

// condition makes a random condition on t, k and other.
func condition(r *rand.Rand, depth int) string {
	if depth > 0 && r.IntN(3) > 0 {
		switch r.IntN(3) {
		case 0:
			return "(" + condition(r, depth-1) + " and " + condition(r, depth-1) + ")"
		case 1:
			return "(" + condition(r, depth-1) + " or " + condition(r, depth-1) + ")"
		}
		return "not (" + condition(r, depth-1) + ")"
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	op := pick("eq", "ne", "lt", "le", "gt", "ge")
	day := fmt.Sprintf("2018-05-%02dT00:00:00Z", 1+r.IntN(6))
	switch r.IntN(5) {
	case 0, 1:
		return "t " + op + " " + day
	case 2:
		return day + " " + op + " t"
	case 3:
		return "k " + op + " " + pick("'a'", "'b'", "'c'", "null")
	}
	return pick("other", "null", "'x'") + " " + op + " other"
}

// TestPossibleIsSafe: where Possible says no, no point in the domains satisfies the condition. Eval is the judge. Most conditions must come out as tightly as they can, or the
// test shows nothing.
func TestPossibleIsSafe(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	no, loose := 0, 0
	for range 20_000 {
		f, err := odata.Parse(condition(r, 3))
		if err != nil {
			t.Fatal(err)
		}
		from := r.IntN(6)
		below := from + 1 + r.IntN(3)
		kind := []odata.Domain{is("a"), is("b"), none("a", "b")}[r.IntN(3)]
		possible := f.Possible(func(path string) odata.Domain {
			switch path {
			case "t":
				return span(from, below)
			case "k":
				return kind
			}
			return odata.Domain{}
		})
		found := false
		for half := 2 * max(from, 1); half < 2*below && !found; half++ {
			for _, k := range []string{"a", "b", "c", "d"} {
				if kind.Known && kind.Is != odata.String(k) || slices.Contains(kind.Not, k) {
					continue
				}
				for _, other := range []odata.Value{{}, odata.String("x"), odata.String("y")} {
					at := time.Date(2018, 5, half/2, 12*(half%2), 0, 0, 0, time.UTC)
					ok, err := f.Eval(row{"t": odata.Time(at), "k": odata.String(k), "other": other})
					if err != nil {
						t.Fatal(err)
					}
					found = found || ok
				}
			}
		}
		switch {
		case found && !possible:
			t.Fatalf("%q holds somewhere in days %d to %d, kind %v, and is called impossible", f, from, below, kind)
		case !possible:
			no++
		case !found:
			loose++
		}
	}
	if no < 3000 || loose > 4000 {
		t.Errorf("%d conditions are impossible, %d more are not seen to be: this shows little", no, loose)
	}
}

func TestLiteralsAndPaths(t *testing.T) {
	f, err := odata.Parse("(t ge 2018-05-01T00:00:00Z and 2018-06-01T00:00:00Z gt t) or not (k eq 'a') or t eq k or flag")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range f.Literals("t") {
		got = append(got, v.String())
	}
	if want := []string{"2018-05-01T00:00:00Z", "2018-06-01T00:00:00Z"}; !slices.Equal(got, want) {
		t.Errorf("literals %v, want %v", got, want)
	}
	if got, want := f.Paths(), []string{"t", "k", "flag"}; !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
	if n := len((*odata.Filter)(nil).Paths()) + len((*odata.Filter)(nil).Literals("t")); n != 0 {
		t.Errorf("the empty condition has %d of them", n)
	}
	if s, n, ok := odata.Time(time.Date(1969, 12, 31, 23, 59, 59, 5, time.UTC)).Instant(); s != -1 || n != 5 || !ok {
		t.Errorf("instant %d, %d, %v", s, n, ok)
	}
	if _, _, ok := odata.String("x").Instant(); ok {
		t.Error("a string is an instant")
	}
	if s, ok := odata.String("x").Text(); s != "x" || !ok {
		t.Error("a string has no text")
	}
	if _, ok := odata.Int(1).Text(); ok {
		t.Error("a number has a text")
	}
}
