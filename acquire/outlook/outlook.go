// Package outlook asks the historic Outlook services (2015 to July 2018) and services that answer like them: the Activities API, and the messages that activities are about.
//
// The API lists what happened in a mailbox: one GET …/Activities with a header Prefer, a filter on TimeStamp, and pages of at most 1,000 rows by $top and $skip. Clients of the time
// asked newest first and by $skip, so that rows which arrived between two pages shifted the rest. This source asks a fixed half-open window oldest first;
// it follows @odata.nextLink where the service gives one, and counts on by $skip until a short page where not.
//
// Messages are asked for one by one, by the ids that activities name. That reads content and is a source of its own.
package outlook

import (
	"fmt"
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
)

// Source is the source outlook-activities.
type Source struct{}

// Describe tells what the source asks.
func (Source) Describe() acquire.Description {
	return acquire.Description{
		Name:   Name,
		Title:  "Outlook Activities API: what was done in a mailbox (service ended in July 2018)",
		Asks:   "GET /api/VERSION/USER/Activities with Prefer: exchange.behavior=\"ActivityAccess\", one mailbox, oldest first, page by page.",
		Origin: origin, Permissions: permissions(""),
		Limits: []string{
			"the service answered until early July 2018; compatible services are asked with --base-url",
			"at most 1,000 rows a page",
			"an empty answer does not tell an unused mailbox from one whose activities were not recorded",
		},
		Flags: []acquire.Flag{
			{Name: acquire.FlagUser, Value: "UPN", Usage: "mailbox to ask for; me is the owner of the token", Required: true},
			{Name: acquire.FlagStart, Value: "TIME", Usage: "first instant of the window", Default: "a month before the end"},
			{Name: acquire.FlagEnd, Value: "TIME", Usage: "first instant after the window", Default: "now, fixed at the first start"},
			flagVersionOf(""),
			{Name: "type", Value: "TYPE", Usage: "ActivityIdType to ask for, such as ServerLogon", Default: "all", Many: true},
			{Name: "app", Value: "TYPE", Usage: "AppIdType to ask for, such as Web", Default: "all", Many: true},
			{Name: "select", Value: "NAME", Usage: "property to ask for", Default: "what the service gives", Many: true},
			{Name: "order", Value: "ORDER", Usage: "order of rows; newest first, whatever arrives meanwhile makes them come twice", Default: defaultOrder},
			flagMetadataOf(),
			{Name: "anchor", Value: "UPN", Usage: "value of X-AnchorMailbox", Default: "not sent"},
			{Name: acquire.FlagPageSize, Value: "N", Usage: "rows a page, 1 to 1000", Default: "1000"},
			{Name: "skip", Value: "N", Usage: "rows to pass over at the start", Default: "0"},
			{Name: acquire.FlagMax, Value: "N", Usage: "stop once N rows are there", Default: "no bound"},
		},
	}
}

// plan is what shapes the requests.
type plan struct {
	mailbox
	start, end          time.Time
	types, apps, fields []string
	order, anchor       string
	size, skip, max     int64
}

// Plan fixes an acquisition.
func (s Source) Plan(p acquire.Params) (*acquire.Plan, error) {
	if err := p.Only(s.Describe()); err != nil {
		return nil, err
	}
	var a plan
	var errs [7]error
	errs[0] = a.take(p)
	a.start, a.end, errs[1] = p.Bounds()
	a.order, errs[2] = p.Word("order", defaultOrder, defaultOrder, "TimeStamp desc")
	a.size, errs[3] = p.Number(acquire.FlagPageSize, largestPage, 1, largestPage)
	a.skip, errs[4] = p.Number("skip", 0, 0, largestSkip)
	a.max, errs[5] = p.Number(acquire.FlagMax, 0, 1, largestSkip)
	errs[6] = a.names(p)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if a.max > 0 {
		a.size = min(a.size, a.max)
	}
	if err := a.check(a.url(a.skip)); err != nil {
		return nil, err
	}
	return &acquire.Plan{Origin: a.origin, User: a.user, From: evidence.FormatBound(a.start), To: evidence.FormatBound(a.end),
		Parameters: a.parameters(), Chains: 1, Pager: &a}, nil
}

// names takes the values that are texts.
func (a *plan) names(p acquire.Params) error {
	a.anchor = p.Text("anchor", "")
	a.types, a.apps, a.fields = p.Values["type"], p.Values["app"], p.Values["select"]
	for _, f := range []struct {
		flag   string
		values []string
		most   int
	}{{"anchor", p.Values["anchor"], 1}, {"type", a.types, 64}, {"app", a.apps, 64}, {"select", a.fields, 64}} {
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

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (a *plan) parameters() []evidence.Pair {
	pairs := []evidence.Pair{{Name: flagVersion, Value: a.version}, {Name: "order", Value: a.order}, {Name: flagMetadata, Value: a.metadata},
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
		a.accept(),
		{Name: "Prefer", Value: `exchange.behavior="ActivityAccess"`},
	}
	if a.anchor != "" {
		header = append(header, httpblock.Field{Name: "X-AnchorMailbox", Value: a.anchor})
	}
	return acquire.Request{URL: target, Header: header}
}

// url is the request for the rows behind the first skip of the window.
func (a *plan) url(skip int64) string {
	u := a.at("Activities?$filter=" + escape(a.filter()) + "&$orderby=" + escape(a.order))
	if len(a.fields) > 0 {
		u += "&$select=" + strings.Join(a.fields, ",")
	}
	u += "&$top=" + strconv.FormatInt(a.size, 10)
	if skip > 0 {
		u += "&$skip=" + strconv.FormatInt(skip, 10)
	}
	return u
}

// filter is half-open in time: start belongs to the window, end to the next one.
func (a *plan) filter() string {
	f := "TimeStamp ge " + evidence.FormatBound(a.start) + " and TimeStamp lt " + evidence.FormatBound(a.end)
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
