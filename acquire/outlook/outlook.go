// Package outlook asks the historic Outlook services (2015 to July 2018) and services that answer like them: the Activities API, and the messages that activities are about.
//
// The API lists what happened in a mailbox: one GET …/Activities with a header Prefer, a filter on TimeStamp, and pages of at most 1,000 rows by $top and $skip. Clients of the time
// asked newest first and by $skip, so that rows which arrived between two pages shifted the rest. This source asks a fixed half-open window oldest first;
// it follows @odata.nextLink where the service gives one, and counts on by $skip until a short page where not.
//
// Messages are asked for one by one, by the ids that activities name. That reads content and is a source of its own.
package outlook

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/listing"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// Name is the name of the source.
const Name = "outlook-activities"

const (
	largestPage  = 1000
	largestSkip  = 1 << 40
	defaultOrder = "TimeStamp asc"
	me           = "me"
)

// Source is the source outlook-activities.
type Source struct{}

// Describe tells what the source asks.
func (Source) Describe() acquire.Description {
	return acquire.Description{
		Name:   Name,
		Title:  "Outlook Activities API: what was done in a mailbox (service ended in July 2018)",
		Asks:   "GET /api/VERSION/USER/Activities with Prefer: exchange.behavior=\"ActivityAccess\", one mailbox, oldest first, page by page.",
		Origin: "https://outlook.office.com",
		Permissions: []string{
			"a token for https://outlook.office.com, or Basic authentication as long as the service took it",
			"for another user's mailbox FullAccess, or an application permission",
		},
		Limits: []string{
			"the service answered until early July 2018; compatible services are asked with --base-url",
			"at most 1,000 rows a page",
			"an empty answer does not tell an unused mailbox from one whose activities were not recorded",
		},
		Flags: []acquire.Flag{
			{Name: acquire.FlagUser, Value: "UPN", Usage: "mailbox to ask for; me is the owner of the token", Required: true},
			{Name: acquire.FlagStart, Value: "TIME", Usage: "first instant of the window", Default: "a month before the end"},
			{Name: acquire.FlagEnd, Value: "TIME", Usage: "first instant after the window", Default: "now, fixed at the first start"},
			{Name: "api-version", Value: "VERSION", Usage: "v1.0, v2.0 or beta", Default: "v2.0"},
			{Name: "type", Value: "TYPE", Usage: "ActivityIdType to ask for, such as ServerLogon", Default: "all", Many: true},
			{Name: "app", Value: "TYPE", Usage: "AppIdType to ask for, such as Web", Default: "all", Many: true},
			{Name: "select", Value: "NAME", Usage: "property to ask for", Default: "what the service gives", Many: true},
			{Name: "order", Value: "ORDER", Usage: "order of rows; newest first, whatever arrives meanwhile makes them come twice", Default: defaultOrder},
			{Name: "metadata", Value: "WORD", Usage: "none leaves @odata members out, minimal keeps them", Default: "none"},
			{Name: "anchor", Value: "UPN", Usage: "value of X-AnchorMailbox", Default: "not sent"},
			{Name: acquire.FlagPageSize, Value: "N", Usage: "rows a page, 1 to 1000", Default: "1000"},
			{Name: "skip", Value: "N", Usage: "rows to pass over at the start", Default: "0"},
			{Name: acquire.FlagMax, Value: "N", Usage: "stop once N rows are there", Default: "no bound"},
		},
	}
}

// plan is what shapes the requests.
type plan struct {
	origin, version, user string
	start, end            time.Time
	types, apps, fields   []string
	order, metadata       string
	anchor                string
	size, skip, max       int64
}

// Plan fixes an acquisition.
func (s Source) Plan(p acquire.Params) (*acquire.Plan, error) {
	if err := p.Only(s.Describe()); err != nil {
		return nil, err
	}
	var a plan
	var errs [9]error
	a.origin, errs[0] = p.Origin(s.Describe().Origin)
	a.start, a.end, errs[1] = p.Bounds()
	a.version, errs[2] = p.Word("api-version", "v2.0", "v1.0", "v2.0", "beta")
	a.metadata, errs[3] = p.Word("metadata", "none", "none", "minimal")
	a.order, errs[4] = p.Word("order", defaultOrder, defaultOrder, "TimeStamp desc")
	a.size, errs[5] = p.Number(acquire.FlagPageSize, largestPage, 1, largestPage)
	a.skip, errs[6] = p.Number("skip", 0, 0, largestSkip)
	a.max, errs[7] = p.Number(acquire.FlagMax, 0, 1, largestSkip)
	errs[8] = a.names(p)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if a.max > 0 {
		a.size = min(a.size, a.max)
	}
	var fault *acquire.PageError
	if err := acquire.CheckURL(a.origin, a.url(a.skip)); errors.As(err, &fault) {
		return nil, &acquire.UsageError{Text: "what is asked for makes a URL that cannot be sent: " + strings.Replace(fault.Text, "the link", "it", 1)}
	}
	return &acquire.Plan{Origin: a.origin, User: a.user, From: acquire.FormatTime(a.start), To: acquire.FormatTime(a.end),
		Parameters: a.parameters(), Chains: 1, Pager: &a}, nil
}

// names takes the values that are texts.
func (a *plan) names(p acquire.Params) error {
	a.user, a.anchor = p.Text(acquire.FlagUser, ""), p.Text("anchor", "")
	a.types, a.apps, a.fields = p.Values["type"], p.Values["app"], p.Values["select"]
	for _, f := range []struct {
		flag   string
		values []string
		most   int
	}{{acquire.FlagUser, []string{a.user}, 1}, {"anchor", p.Values["anchor"], 1}, {"type", a.types, 64}, {"app", a.apps, 64}, {"select", a.fields, 64}} {
		if len(f.values) > f.most {
			return &acquire.UsageError{Flag: f.flag, Text: fmt.Sprintf("given more than %d times", f.most)}
		}
		for _, v := range f.values {
			if err := checkText(f.flag, v, 256); err != nil {
				return err
			}
			if f.flag == "select" && strings.Trim(v, letters) != "" {
				return &acquire.UsageError{Flag: f.flag, Text: fmt.Sprintf("%q is no name of a property", v)}
			}
		}
	}
	return nil
}

// checkText takes a value that goes into a URL or a header.
func checkText(flag, v string, most int) error {
	if v == "" || len(v) > most || strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7F }) >= 0 {
		return &acquire.UsageError{Flag: flag, Text: fmt.Sprintf("%.300q is not 1 to %d printable characters of ASCII", v, most)}
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (a *plan) parameters() []evidence.Pair {
	pairs := []evidence.Pair{{Name: "api-version", Value: a.version}, {Name: "order", Value: a.order}, {Name: "metadata", Value: a.metadata},
		{Name: "page-size", Value: strconv.FormatInt(a.size, 10)}}
	add := func(name string, values ...string) {
		for _, v := range values {
			pairs = append(pairs, evidence.Pair{Name: name, Value: v})
		}
	}
	add("type", a.types...)
	add("app", a.apps...)
	add("select", a.fields...)
	if a.anchor != "" {
		add("anchor", a.anchor)
	}
	if a.skip > 0 {
		add("skip", strconv.FormatInt(a.skip, 10))
	}
	if a.max > 0 {
		add("max", strconv.FormatInt(a.max, 10))
	}
	return pairs
}

// First asks for the oldest rows of the window.
func (a *plan) First(int64) acquire.Request { return a.request(a.url(a.skip)) }

func (a *plan) request(target string) acquire.Request {
	header := []httpblock.Field{
		{Name: "Accept", Value: "application/json; odata.metadata=" + a.metadata},
		{Name: "Prefer", Value: `exchange.behavior="ActivityAccess"`},
	}
	if a.anchor != "" {
		header = append(header, httpblock.Field{Name: "X-AnchorMailbox", Value: a.anchor})
	}
	return acquire.Request{URL: target, Header: header}
}

// url is the request for the rows behind the first skip of the window.
func (a *plan) url(skip int64) string {
	u := a.origin + "/api/" + a.version + "/" + userSegment(a.user) + "/Activities?$filter=" + escape(a.filter()) + "&$orderby=" + escape(a.order)
	if len(a.fields) > 0 {
		u += "&$select=" + strings.Join(a.fields, ",")
	}
	u += "&$top=" + strconv.FormatInt(a.size, 10)
	if skip > 0 {
		u += "&$skip=" + strconv.FormatInt(skip, 10)
	}
	return u
}

// userSegment names a mailbox in a path.
func userSegment(user string) string {
	if user == me {
		return me
	}
	return "Users(" + escape(odata.Quote(user)) + ")"
}

// filter is half-open in time: start belongs to the window, end to the next one.
func (a *plan) filter() string {
	f := "TimeStamp ge " + acquire.FormatTime(a.start) + " and TimeStamp lt " + acquire.FormatTime(a.end)
	for _, any := range []struct {
		name   string
		values []string
	}{{"ActivityIdType", a.types}, {"AppIdType", a.apps}} {
		var terms []string
		for _, v := range any.values {
			terms = append(terms, any.name+" eq "+odata.Quote(v))
		}
		if len(terms) > 0 {
			f += " and (" + strings.Join(terms, " or ") + ")"
		}
	}
	return f
}

// escape percent-encodes what may not stand in a path segment or a query value, spaces as %20. Quotes, colons, parentheses and commas may (RFC 3986, section 3.4), and
// the clients of the time sent them raw.
func escape(s string) string {
	s = url.QueryEscape(s)
	return strings.NewReplacer("+", "%20", "%27", "'", "%3A", ":", "%28", "(", "%29", ")", "%2C", ",", "%40", "@").Replace(s)
}

// Next counts the rows and finds the way on: the link if there is one, else the next $skip after a full page.
func (a *plan) Next(p *acquire.Page) (acquire.Step, error) {
	page, err := listing.Read(p.Body, listing.Form{ID: "Id", Time: "TimeStamp"})
	if err != nil {
		return acquire.Step{}, err
	}
	s := acquire.Step{Records: page.Rows, Mark: page.Mark, Rows: a.rows(page), Covered: a.covered(page.Time)}
	if page.Odd > 0 {
		s.Defect = &acquire.PageError{Reason: acquire.ReasonErrorRow,
			Text: fmt.Sprintf("%d of %d rows of page %d are no activities", page.Odd, page.Rows, p.Number)}
	}
	taken := p.Before + page.Rows
	next := ""
	switch {
	case page.HasNext:
		next = page.Next
	case page.Rows >= a.size:
		next = a.url(a.skip + taken)
	default:
		return s, nil
	}
	if a.max > 0 && taken >= a.max {
		s.Partial = &acquire.PageError{Reason: acquire.ReasonMaxReached, Text: fmt.Sprintf("%d rows are there, as many as were asked for", taken)}
		return s, nil
	}
	r := a.request(next)
	s.Next = &r
	return s, nil
}

// rows tells which rows a page has and between which times, which are told where they stand in the order that was asked for.
func (a *plan) rows(p *listing.Page) acquire.Rows {
	r := acquire.Rows{IDs: p.IDs}
	first, err1 := time.Parse(time.RFC3339Nano, p.First)
	last, err2 := time.Parse(time.RFC3339Nano, p.Time)
	if err1 != nil || err2 != nil {
		return r
	}
	from, to := first.UnixMilli(), last.UnixMilli()
	if a.order != defaultOrder {
		from, to = -from, -to
	}
	if from <= to {
		r.From, r.To = from, to
	}
	return r
}

// covered is the share of the window before the time of a row, oldest first; 0 where that says nothing of what is left.
func (a *plan) covered(last string) float64 {
	t, err := time.Parse(time.RFC3339Nano, last)
	if err != nil || a.order != defaultOrder || t.Before(a.start) || !t.Before(a.end) {
		return 0
	}
	return float64(t.Sub(a.start)) / float64(a.end.Sub(a.start))
}

// Refused interprets any other status.
func (*plan) Refused(p *acquire.Page) acquire.Refusal { return acquire.Refuse(p) }
