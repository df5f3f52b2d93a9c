package acquire

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// TestLinks: what leads to the origin is asked verbatim; whatever a browser, a proxy or a sloppy test might take for it is not.
func TestLinks(t *testing.T) {
	const origin = "https://api.example"
	const page = "https://api.example/v1/list?x=1"
	for link, want := range map[string]string{
		"https://api.example/v1/list?$skip=10":    "https://api.example/v1/list?$skip=10",
		"https://api.example/v1/list?%24skip=1&q": "https://api.example/v1/list?%24skip=1&q",
		"HTTPS://API.example/x":                   "HTTPS://API.example/x",
		"https://api.example:443/x":               "https://api.example:443/x",
		"https://api.example":                     "https://api.example",
		"https://api.example?x":                   "https://api.example?x",
		"/v2?y":                                   "https://api.example/v2?y",
		"?y=2":                                    "https://api.example/v1/list?y=2",
		"next":                                    "https://api.example/v1/next",
		"//api.example/x":                         "https://api.example/x",
		"./a:b":                                   "https://api.example/v1/./a:b",
		"/a?u=https://evil.example/":              "https://api.example/a?u=https://evil.example/",

		"https://evil.example/":                                 ReasonForeignLink,
		"http://api.example/":                                   ReasonForeignLink,
		"https://api.example:444/":                              ReasonForeignLink,
		"https://api.example:0443/":                             ReasonForeignLink,
		"https://api.example:/":                                 ReasonForeignLink,
		"https://api.example.evil.example/":                     ReasonForeignLink,
		"https://api.example@evil.example/":                     ReasonForeignLink,
		"https://user:pw@api.example/":                          ReasonForeignLink,
		"https://api.example%2eevil.example/":                   ReasonForeignLink,
		"https://api.example%00.evil.example/":                  ReasonForeignLink,
		"https://api%2eexample/":                                ReasonForeignLink,
		"https:///api.example/":                                 ReasonForeignLink,
		"https:/api.example/":                                   ReasonForeignLink,
		"https:api.example/":                                    ReasonForeignLink,
		"https://api.example./":                                 ReasonForeignLink,
		"//evil.example/":                                       ReasonForeignLink,
		"///evil.example/":                                      ReasonForeignLink,
		"javascript:alert(1)":                                   ReasonForeignLink,
		"file:///etc/passwd":                                    ReasonForeignLink,
		"ftp://api.example/":                                    ReasonForeignLink,
		"data:,x":                                               ReasonForeignLink,
		"https://[::1]/":                                        ReasonForeignLink,
		"https://[::ffff:127.0.0.1]/":                           ReasonForeignLink,
		"https://127.0.0.1/":                                    ReasonForeignLink,
		"https://0x7f.1/":                                       ReasonForeignLink,
		"https://2130706433/":                                   ReasonForeignLink,
		"https://xn--api-example/":                              ReasonForeignLink,
		"https://api.example;evil.example/":                     ReasonForeignLink,
		"https://api.example&evil.example/":                     ReasonForeignLink,
		"https://api.example,evil.example/":                     ReasonForeignLink,
		"blob:https://api.example/":                             ReasonForeignLink,
		"view-source:https://api.example/":                      ReasonForeignLink,
		"https://api.exampl\u0435/":                             ReasonBadLink,
		"https://api.example\\@evil.example/":                   ReasonBadLink,
		"\\\\evil.example/":                                     ReasonBadLink,
		"/\\evil.example/":                                      ReasonBadLink,
		" https://api.example/":                                 ReasonBadLink,
		"https://api.example/ x":                                ReasonBadLink,
		"https://api.example/\r\nHost: evil.example":            ReasonBadLink,
		"https://api.example/\x00":                              ReasonBadLink,
		"https://api.example/#f":                                ReasonBadLink,
		"":                                                      ReasonBadLink,
		"https://api.example/" + strings.Repeat("a", 8<<10):     ReasonBadLink,
		"https://api.example/?" + strings.Repeat("sig=x&", 300): ReasonBadLink,
		"https://api.example/" + strings.Repeat(`"`, 8000):      ReasonBadLink,
	} {
		got, bad := resolve(origin, page, link)
		if bad != nil {
			got = bad.Reason
		}
		if got != want {
			t.Errorf("%.60q gives %.60q, want %.60q", link, got, want)
		}
	}
}

// FuzzLinks: whatever link passes leads to the origin by net/url's reading too.
func FuzzLinks(f *testing.F) {
	f.Add("https://api.example/x")
	f.Add("//api.example/x")
	f.Add("/\\evil")
	f.Add("https://api.example:443@evil.example")
	f.Fuzz(func(t *testing.T, link string) {
		full, bad := resolve("https://api.example", "https://api.example/v1/list?x=1", link)
		if bad != nil {
			return
		}
		u, err := url.Parse(full)
		if err != nil {
			return // the recorder refuses it
		}
		if u.Scheme != "https" || !strings.EqualFold(u.Host, "api.example") && !strings.EqualFold(u.Host, "api.example:443") || u.User != nil || u.Opaque != "" {
			t.Errorf("%q leads to %q", link, full)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)
	date := httpblock.Field{Name: "Date", Value: "Mon, 11 Jun 2018 08:00:00 GMT"} // a server whose clock is four hours behind
	for _, c := range []struct {
		header httpblock.Fields
		want   time.Duration
	}{
		{nil, 0},
		{httpblock.Fields{{Name: "retry-after", Value: "120"}}, 2 * time.Minute},
		{httpblock.Fields{{Name: "Retry-After", Value: "1.5"}}, 1500 * time.Millisecond},
		{httpblock.Fields{{Name: "Retry-After", Value: "0"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "-5"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "+5"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "1e3"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "NaN"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "inf"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "0x10"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "soon"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: ""}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "315360000"}}, 315360000 * time.Second},
		{httpblock.Fields{{Name: "Retry-After", Value: strings.Repeat("9", 300)}}, 100 * 365 * 24 * time.Hour},
		{httpblock.Fields{{Name: "Retry-After", Value: "Mon, 11 Jun 2018 12:00:30 GMT"}}, 30 * time.Second},
		{httpblock.Fields{{Name: "Retry-After", Value: "Mon, 11 Jun 2018 08:00:30 GMT"}, date}, 30 * time.Second},
		{httpblock.Fields{{Name: "Retry-After", Value: "Monday, 11-Jun-18 12:01:00 GMT"}}, time.Minute},
		{httpblock.Fields{{Name: "Retry-After", Value: "Mon Jun 11 12:02:00 2018"}}, 2 * time.Minute},
		{httpblock.Fields{{Name: "Retry-After", Value: "Mon, 11 Jun 2018 11:59:00 GMT"}}, 0},
		{httpblock.Fields{{Name: "Retry-After", Value: "Mon, 32 Jun 2018 12:00:30 GMT"}}, 0},
	} {
		if got := retryAfter(c.header, now); got != c.want {
			t.Errorf("%v: %v, want %v", c.header, got, c.want)
		}
	}
}

// fixed is randomness that is always the same byte.
type fixed byte

func (f fixed) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(f)
	}
	return len(p), nil
}

func TestDelays(t *testing.T) {
	r := Retry{}
	r.defaults()
	p := &patience{retry: r, rand: fixed(0), left: r.Total}
	// Half of an exponential wait is random, and the random half is 0 here.
	for failed, want := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 5: 8 * time.Second, 10: 150 * time.Second, 1000: 150 * time.Second} {
		if d, ok, err := p.delay(failed, 0); d != want || !ok || err != nil {
			t.Errorf("after %d failed attempts: %v, %v, %v; want %v", failed, d, ok, err, want)
		}
	}
	if d, ok, err := p.delay(1, 10*365*24*time.Hour); d != 5*time.Minute || !ok || err != nil {
		t.Errorf("ten years that are asked for give %v, %v, %v", d, ok, err)
	}
	waited := time.Duration(0)
	for n := 1; ; n++ {
		d, ok, err := p.delay(20, 4*time.Minute)
		if err != nil || n > 100 {
			t.Fatal(n, err)
		}
		if !ok {
			break
		}
		waited += d
	}
	if waited > r.Total || waited < r.Total/2 {
		t.Errorf("waited %v of %v", waited, r.Total)
	}
	p = &patience{retry: Retry{Longest: time.Hour, Base: time.Second}, rand: fixed(200), left: time.Hour}
	if d, ok, err := p.delay(11, 0); d < 512*time.Second || d > 1024*time.Second || !ok || err != nil {
		t.Errorf("%v, %v, %v: not within 512 and 1,024 seconds", d, ok, err)
	}
}

// TestRefuse: the five reasons, and what else answers mean.
func TestRefuse(t *testing.T) {
	retry := httpblock.Fields{{Name: "Retry-After", Value: "1"}}
	for _, c := range []struct {
		status int
		header httpblock.Fields
		body   string
		reason string
		again  bool
		text   string
	}{
		{429, nil, "", ReasonThrottled, true, "status 429"},
		{403, nil, `{"error":{"code":"AF429","message":"Too many requests."}}`, ReasonThrottled, true, "AF429: Too many"},
		{503, retry, "", ReasonThrottled, true, ""},
		{503, nil, "", ReasonServerError, true, ""},
		{500, nil, "<html>", ReasonServerError, true, ""},
		{501, nil, "", ReasonServerError, false, ""},
		{401, httpblock.Fields{{Name: "X-MS-Diagnostics", Value: `2000003;reason="expired"`}}, "", ReasonUnauthorized, false, `reason="expired"`},
		{403, nil, "", ReasonNoPermission, false, ""},
		{403, nil, `{"error":{"code":"ErrorAccessDenied","message":"The API is disabled."}}`, ReasonAPIDisabled, false, "disabled"},
		{403, nil, `{"error":{"code":"x","message":"Tenant does not have a premium license"}}`, ReasonNoLicence, false, ""},
		{400, nil, `{"error":{"message":"m\u001b[2J\u202ex","code":"c"}}`, ReasonBadRequest, false, "c: m [2J x"},
		{404, nil, `{"code":"top","message":"level"}`, ReasonNotFound, false, "top: level"},
		{410, nil, "", ReasonGone, false, ""},
		{302, nil, "", ReasonRedirect, false, ""},
		{204, nil, "", ReasonStatus, false, ""},
		{418, nil, `{"error":` + strings.Repeat("[", 5000), ReasonBadRequest, false, ""},
		{400, nil, `{"a":{"b":{"c":{"code":"deep"}}},"error":{"code":"shallow"}}`, ReasonBadRequest, false, "shallow"},
	} {
		got := Refuse(&Page{Status: c.status, Header: c.header, Body: strings.NewReader(c.body)})
		if got.Reason != c.reason || got.Retry != c.again || !strings.Contains(got.Text, c.text) || len(got.Text) > maxText {
			t.Errorf("status %d %s: %+v", c.status, c.body, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	for given, want := range map[string]string{
		"https://api.example": "https://api.example", "https://api.example/": "https://api.example", "https://127.0.0.1:8443": "https://127.0.0.1:8443",
		"http://[::1]:80/": "", "http://[::1]:81": "http://[::1]:81", "https://api.example/path": "", "api.example": "", "https://u@api.example": "", "https://API.example": "",
		"https://api.example:443": "", "ftp://api.example": "", "https://": "",
	} {
		got, err := Params{Values: map[string][]string{FlagBaseURL: {given}}}.Origin("")
		var usage *UsageError
		if got != want || (want == "") != errors.As(err, &usage) {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

func TestParams(t *testing.T) {
	now := time.Date(2018, 3, 31, 10, 0, 0, 7, time.UTC)
	for _, c := range []struct{ start, end, from, to string }{
		{"", "", "2018-02-28T10:00:00Z", "2018-03-31T10:00:00Z"}, // as of AddMonths(-1) of .NET, which the cmdlet of the time called
		{"", "2018-07-31T00:00:00Z", "2018-06-30T00:00:00Z", "2018-07-31T00:00:00Z"},
		{"", "2016-03-30T00:00:00Z", "2016-02-29T00:00:00Z", "2016-03-30T00:00:00Z"},
		{"", "2018-01-31T00:00:00Z", "2017-12-31T00:00:00Z", "2018-01-31T00:00:00Z"},
		{"2018-01-01T00:00:00+01:00", "2018-01-02T00:00:00.250Z", "2017-12-31T23:00:00Z", "2018-01-02T00:00:00.250Z"},
		{"2018-01-01T00:00:00", "", "", ""},
		{"2018-01-01", "", "", ""},
		{"2018-05-01T00:00:00Z", "2018-05-01T00:00:00Z", "", ""},
		{"2018-01-01T00:00:00.0001Z", "", "", ""},
		{"1018-01-01T00:00:00Z", "", "", ""},
	} {
		p := Params{Values: map[string][]string{}, Now: now}
		if c.start != "" {
			p.Values[FlagStart] = []string{c.start}
		}
		if c.end != "" {
			p.Values[FlagEnd] = []string{c.end}
		}
		start, end, err := p.Bounds()
		if err == nil && (evidence.FormatBound(start) != c.from || evidence.FormatBound(end) != c.to) || (err == nil) != (c.from != "") {
			t.Errorf("%q to %q: %v, %v, %v", c.start, c.end, start, end, err)
		}
	}
	for given, ok := range map[string]bool{"1": true, "1000": true, "0": false, "1001": false, "-1": false, "01": false, "1e2": false, "": false} {
		if _, err := (Params{Values: map[string][]string{FlagPageSize: {given}}}).Number(FlagPageSize, 5, 1, 1000); (err == nil) != ok {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// TestQuotedURL: what an error quotes of a URL holds neither its query nor its fragment, where the token of a sign-in may stand, nor a password.
func TestQuotedURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://h.example/cb?sig=CANARY":                `"https://h.example/cb"`,
		"https://h.example/cb#access_token=CANARY":       `"https://h.example/cb"`,
		"https://h.example/cb#a?access_token=CANARY":     `"https://h.example/cb"`,
		"https://ann:CANARY@h.example/cb?x#y":            `"https://REDACTED@h.example/cb"`,
		"https://h.example/cb#access_token=CANARY@there": `"https://REDACTED@there"`,
	} {
		if got := QuotedURL(raw); got != want {
			t.Errorf("%q is quoted as %s, want %s", raw, got, want)
		}
	}
}
