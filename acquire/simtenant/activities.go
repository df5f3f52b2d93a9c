package simtenant

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

const (
	defaultPage = 10 // [A]
	largestPage = 1000
)

// answerListing is GET …/Activities, all checks but the query's passed.
func (t *Tenant) answerListing(c *call, p path, m mailbox) *answer {
	q, rows, err := listing(c.URL.RawQuery, m.rows)
	if err != nil {
		return failure(http.StatusBadRequest, "ErrorInvalidUrlQuery", err.Error())
	}
	size := defaultPage
	if q.HasTop {
		size = q.Top
	}
	if size < 1 || size > largestPage {
		return failure(http.StatusBadRequest, "ErrorInvalidUrlQuery", "The value of $top must be from 1 to 1000.")
	}
	start := min(q.Skip, len(rows))
	end := min(start+size, len(rows))
	page := rows[start:end]

	target := c.origin() + "/api/" + p.version + "/" + userURL(p.user, m.upn) + "/Activities"
	next := ""
	if end < len(rows) {
		next = target + "?" + nextQuery(c.URL.RawQuery, end)
	}
	if c.faults.has("empty200") {
		page, next = nil, target+"?"+nextQuery(c.URL.RawQuery, q.Skip)+"&again="+strconv.Itoa(c.ordinal)
	}
	if link, ok := t.loop(c, c.URL.Path+"?"+q.String()); ok {
		next = link
	}
	page = t.remember(page, c.faults.has("repeat"))

	base, context := target, c.origin()+"/api/"+p.version+"/$metadata#"+userURL(p.user, m.upn)+"/Activities"
	if c.noMetadata() {
		base, context = "", ""
	}
	return newAnswer(http.StatusOK, c.contentType(),
		appendListing(nil, listingParts{context, base, next, q.Select, page, c.faults.has("errorrow")}))
}

// listing reads the query and gives the rows that it selects, in its order,
// before $skip and $top.
func listing(raw string, all []*Activity) (*odata.Query, []*Activity, error) {
	q, err := odata.ParseQuery(raw)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range q.Select {
		if !slices.Contains(activityFields[:], name) {
			return nil, nil, unknownProperty(name)
		}
	}
	// An activity without content tells whether the query fits the type, also
	// where there are no rows.
	if _, err := q.Filter.Eval(&Activity{}); err != nil {
		return nil, nil, err
	}
	if _, err := odata.Compare(q.OrderBy, &Activity{}, &Activity{}); err != nil {
		return nil, nil, err
	}
	var rows []*Activity
	for _, a := range all {
		if ok, err := q.Filter.Eval(a); err != nil {
			return nil, nil, err
		} else if ok {
			rows = append(rows, a)
		}
	}
	if len(q.OrderBy) == 0 {
		slices.SortStableFunc(rows, func(a, b *Activity) int { return b.Time.Compare(a.Time) })
		return q, rows, nil
	}
	slices.SortStableFunc(rows, func(a, b *Activity) int {
		order, err := odata.Compare(q.OrderBy, a, b)
		if err != nil {
			panic("simtenant: the check above has let pass: " + err.Error())
		}
		return order
	})
	return q, rows, nil
}

// nextQuery carries a query on: the options as they came, "$" as "%24", and
// the new $skip at the end.
func nextQuery(raw string, skip int) string {
	var parts []string
	for part := range strings.SplitSeq(raw, "&") {
		rawName, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || name == "$skip" || name == "again" || part == "" {
			continue
		}
		if option, ok := strings.CutPrefix(name, "$"); ok {
			part = "%24" + option + "=" + value
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, "%24skip="+strconv.Itoa(skip)), "&")
}

// remember keeps the page for the fault repeat, or gives the one before.
func (t *Tenant) remember(page []*Activity, repeat bool) []*Activity {
	t.mu.Lock()
	defer t.mu.Unlock()
	if repeat {
		return t.lastRows
	}
	t.lastRows = page
	return page
}

// listingParts is what a listing's JSON is made of; context and base are empty
// without metadata, next at the end.
type listingParts struct {
	context, base, next string
	fields              []string
	page                []*Activity
	errorRow            bool
}

func appendListing(b []byte, p listingParts) []byte {
	b = append(b, '{')
	if p.context != "" {
		b = appendString(append(b, `"@odata.context":`...), p.context)
		b = append(b, ',')
	}
	b = append(b, `"value":[`...)
	for i, a := range p.page {
		if i > 0 {
			b = append(b, ',')
		}
		if p.errorRow && i == len(p.page)/2 {
			b = append(b, `{"error":{"code":"ErrorInternalServerTransientError","message":"Cannot read this item."}},`...)
		}
		b = a.appendJSON(b, p.base, p.fields)
	}
	b = append(b, ']')
	if p.next != "" {
		b = appendString(append(b, `,"@odata.nextLink":`...), p.next)
	}
	return append(b, '}')
}
