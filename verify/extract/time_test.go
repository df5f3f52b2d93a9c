package extract

import (
	"testing"
	"time"
)

func TestFormOf(t *testing.T) {
	for _, c := range []struct {
		native string
		form   timeForm
		out    string
	}{
		{"2018-06-21T12:14:13.019Z", timeExact, "2018-06-21T12:14:13.019Z"},
		{"2021-08-02T13:11:39.7724491Z", timeExact, "2021-08-02T13:11:39.7724491Z"},
		{"2018-06-21T12:14:13-07:30", timeExact, "2018-06-21T12:14:13-07:30"},
		{"2016-12-31T23:59:60Z", timeExact, "2016-12-31T23:59:60Z"},
		{"2020-02-29T00:00:00Z", timeExact, "2020-02-29T00:00:00Z"},
		{"2000-02-29T00:00:00Z", timeExact, "2000-02-29T00:00:00Z"},
		{"2018-06-21t12:14:13z", timeSpelling, "2018-06-21T12:14:13Z"},
		{"2018-06-21 12:14:13+02:00", timeSpelling, "2018-06-21T12:14:13+02:00"},
		{"2015-06-29T20:03:19", timeNoZone, "2015-06-29T20:03:19Z"},
		{"2015-06-29 20:03:19.5", timeNoZone, "2015-06-29T20:03:19.5Z"},
		{native: "1900-02-29T00:00:00Z"},
		{native: "2018-06-31T00:00:00Z"},
		{native: "2018-13-01T00:00:00Z"},
		{native: "2018-00-01T00:00:00Z"},
		{native: "2018-01-00T00:00:00Z"},
		{native: "2018-06-21T24:00:00Z"},
		{native: "2018-06-21T12:60:00Z"},
		{native: "2018-06-21T12:14:61Z"},
		{native: "2018-06-21T12:14:13,019Z"},
		{native: "2018-06-21T12:14:13.Z"},
		{native: "2018-06-21T12:14:13+0200"},
		{native: "2018-06-21T12:14:13+24:00"},
		{native: "2018-06-21T12:14:13ZZ"},
		{native: "2018-06-21X12:14:13Z"},
		{native: "2018-6-21T12:14:13Z"},
		{native: "6/21/2018 12:14:12 PM"},
		{native: `/Date(1728364117000)/`},
		{native: ""},
	} {
		form := formOf([]byte(c.native))
		if form != c.form {
			t.Errorf("%q: form %d, want %d", c.native, form, c.form)
			continue
		}
		if form == timeBad {
			continue
		}
		out := string(appendTime([]byte("x"), []byte(c.native), form))
		if out != "x"+c.out {
			t.Errorf("%q: %q, want %q", c.native, out, c.out)
		}
		if _, err := time.Parse(time.RFC3339Nano, c.out); err != nil && c.native != "2016-12-31T23:59:60Z" {
			t.Errorf("%q is not what the standard library reads: %v", c.out, err)
		}
	}
}

func TestFlagWords(t *testing.T) {
	words := AllFlags.Words()
	if AllFlags != 1<<len(words)-1 {
		t.Fatalf("%d words for the flags %b", len(words), AllFlags)
	}
	for i := 1; i < len(words); i++ {
		if words[i-1] >= words[i] {
			t.Errorf("%q before %q", words[i-1], words[i])
		}
	}
	if w := (TooLarge | DuplicateID).Words(); len(w) != 2 || w[0] != "duplicate_id" || w[1] != "too_large" {
		t.Errorf("words %q", w)
	}
	if TimeWithoutZone.Words()[0] != "time_without_zone" || NumberBeyondInt64.Words()[0] != "number_beyond_int64" {
		t.Error("words do not match their flags")
	}
}
