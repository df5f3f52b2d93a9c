package evidence

import (
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	for given, want := range map[string]string{
		"2018-05-21T00:00:00Z":          "2018-05-21T00:00:00Z",
		"2018-05-21T02:00:00+02:00":     "2018-05-21T00:00:00Z",
		"2018-05-20T23:30:00.250-00:30": "2018-05-21T00:00:00.250Z",
		"2018-05-21T00:00:00.000Z":      "2018-05-21T00:00:00Z",
		"9999-12-31T23:59:59.999Z":      "9999-12-31T23:59:59.999Z",
		"":                              "",
		"2018-05-21":                    "",
		"2018-05-21T00:00:00":           "",
		"2018-05-21 00:00:00Z":          "",
		"2018-05-21T24:00:00Z":          "",
		"2018-02-29T00:00:00Z":          "",
		"2018-05-21T00:00:00.0001Z":     "",
		"1899-12-31T23:59:59Z":          "",
		" 2018-05-21T00:00:00Z":         "",
		"yesterday":                     "",
	} {
		at, err := ParseBound(given)
		if (err == nil) != (want != "") || err == nil && FormatBound(at) != want {
			t.Errorf("%q: %v, %v, want %q", given, at, err, want)
		}
	}
	_, err := ParseBound("a\nb")
	if want := `"a\nb" is no time of RFC 3339 with a zone, such as 2018-05-21T00:00:00Z`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	at := time.Date(2018, 5, 21, 0, 0, 0, 0, time.UTC)
	if err := CheckBounds(at, at.Add(time.Millisecond)); err != nil {
		t.Error(err)
	}
	if err := CheckBounds(at, at); err == nil || err.Error() != "the window from 2018-05-21T00:00:00Z to 2018-05-21T00:00:00Z is empty" {
		t.Error(err)
	}
}
