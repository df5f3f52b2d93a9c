package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// listingPath is what the path of a listing of activities names.
type listingPath struct {
	version string   // v1.0, v2.0 or beta
	user    string   // the segment as it stands in the target: me or Users('…')
	users   []string // whom it may mean, the likelier first; nil for me
}

// activitiesPath takes the path of a target apart, in the forms that clients sent (docs/replay.md).
func activitiesPath(path string) (p listingPath, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0] != "" || unescapedPath(parts[1]) != "api" || unescapedPath(parts[4]) != "Activities" {
		return p, false
	}
	p.version, p.user = unescapedPath(parts[2]), parts[3]
	if !slices.Contains([]string{"v1.0", "v2.0", "beta"}, p.version) {
		return p, false
	}
	user := unescapedPath(parts[3])
	if user == "me" {
		return p, true
	}
	key, open := strings.CutPrefix(user, "Users('")
	key, closed := strings.CutSuffix(key, "')")
	p.users = []string{strings.ReplaceAll(key, "''", "'"), key}
	return p, open && closed && key != ""
}

func unescapedPath(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// listing answers a request for a listing of activities: with what was recorded for the same request, else by the rules of the service, else with what can be
// derived, else with what the service refused then.
func (a *Archive) listing(ctx context.Context, r *Request, p listingPath, found []*candidate) (*Answer, error) {
	all, _ := fits(found, r, func(f *fit) bool { // without Authorization deriving is refused, too
		return f.prefers && noMetadata(f.request.Fields.Values("Accept")) == noMetadata(r.Fields.Values("Accept")) && (p.users != nil || a.sameMe(f.request.Fields, r.Fields))
	})
	beside := int64(-1) // an exchange of the same request whose bytes would not do
	recorded := best(all, rankPage)
	if recorded != nil {
		answer, err := a.recordedPage(ctx, r, recorded)
		if answer != nil || err != nil {
			return answer, err
		}
		beside = recorded.entry.Head.Seq
	}
	derived, err := a.derive(ctx, r, p, beside)
	if recorded == nil {
		recorded = best(all, rankComplete)
	}
	if err != nil || derived.Kind == Derived || recorded == nil {
		return derived, err
	}
	return a.replay(ctx, r, recorded.candidate)
}

// recordedPage replays a page, unless that would not do: its coding is one that the client does not take, or it was asked of another host and leads there for the next page.
// nil says that it would not.
func (a *Archive) recordedPage(ctx context.Context, r *Request, f *fit) (*Answer, error) {
	if !f.here {
		if leads, err := a.leadsOn(ctx, f.entry); leads || err != nil {
			return nil, err
		}
	}
	answer, err := a.replay(ctx, r, f.candidate)
	if err != nil || answer.Kind == Recorded {
		return answer, err
	}
	return nil, answer.Close()
}

// noMetadata tells whether a client wants no @odata members.
func noMetadata(accept []string) bool {
	return slices.ContainsFunc(accept, func(s string) bool {
		return strings.Contains(strings.ToLower(strings.ReplaceAll(s, " ", "")), "odata.metadata=none")
	})
}

// Rows on a page: without $top, and at most.
const (
	defaultTop = 10
	largestTop = 1000
)

// derive makes the answer of recorded activities, or says why there is none.
func (a *Archive) derive(ctx context.Context, r *Request, p listingPath, beside int64) (*Answer, error) {
	switch {
	case r.Method != "GET":
		return a.failure(Refused, 405, "ErrorMethodNotAllowed", "the request's method is not allowed here", "Allow", "GET"), nil
	case !authorized(r.Fields):
		return a.unauthorized(), nil
	case !slices.Contains(list(r.Fields, "Prefer"), `exchange.behavior="ActivityAccess"`):
		return a.failure(Refused, 400, "ErrorInvalidRequest", `the header Prefer: exchange.behavior="ActivityAccess" is required`), nil
	}
	name, ok := a.mailbox(r, p)
	if !ok {
		return a.noMailbox(p, anchorOf(r.Fields)), nil
	}
	box := a.windows.boxes[name]
	_, raw, _ := strings.Cut(r.Target, "?")
	q, err := readQuery(raw)
	if err != nil {
		return a.failure(Refused, 400, "ErrorInvalidUrlQuery", err.Error()), nil
	}
	names := needed(q)
	regions := a.windows.regions(box, names)
	c := cover(q.Filter, regions)
	if why := a.uncovered(c, box, names); why != "" {
		return a.failure(NotRecorded, 404, "ExhibitNotRecorded", why), nil
	}
	page, err := a.page(ctx, box, names, q, c)
	if err != nil {
		return nil, err
	}
	if page.matched == 0 && c.open {
		return a.failure(NotRecorded, 404, "ExhibitNotRecorded", "no activity that the query asks for is recorded from "+stamp(c.from)+" to before "+stamp(c.to)+
			", and it leaves open whether it asks for another time: name a start and an end within what is recorded"), nil
	}
	return a.listingAnswer(&listingParts{request: r, path: p, query: q, raw: raw, page: page, coverage: c, beside: beside}), nil
}

// mailbox finds the mailbox that a path means.
func (a *Archive) mailbox(r *Request, p listingPath) (name boxName, ok bool) {
	if p.users == nil {
		return a.me(r.Fields)
	}
	for _, u := range p.users {
		name = boxName{name: strings.ToLower(u)}
		if _, ok = a.windows.boxes[name]; ok {
			break
		}
	}
	return name, ok
}

// me is whom a client means by it. Only the token could tell, so that it is what was recorded as me with the same X-AnchorMailbox, else without one, else the recorded
// mailbox that X-AnchorMailbox names. A client that sends none means the one that was recorded as me, if there is one alone.
func (a *Archive) me(fs httpblock.Fields) (name boxName, ok bool) {
	anchor := anchorOf(fs)
	for _, name = range []boxName{{true, anchor}, {true, ""}, {false, anchor}} {
		if _, ok = a.windows.boxes[name]; ok && (name.me || anchor != "") {
			return name, true
		}
	}
	if mes := a.windows.mes(); anchor == "" && len(mes) == 1 {
		return mes[0], true
	}
	return boxName{}, false
}

// sameMe reports whether a recorded request for me was one for the mailbox that a client means by it.
func (a *Archive) sameMe(recorded, asked httpblock.Fields) bool {
	if name, ok := a.me(asked); ok && name.me {
		return anchorOf(recorded) == name.name
	}
	anchor := anchorOf(recorded) // of another source, which knows no mailboxes
	return anchor == "" || anchor == anchorOf(asked)
}

// anchorOf is the mailbox that X-AnchorMailbox names, in lower case.
func anchorOf(fs httpblock.Fields) string {
	anchor, _ := fs.Get("X-AnchorMailbox")
	return strings.ToLower(anchor)
}

func (a *Archive) noMailbox(p listingPath, anchor string) *Answer {
	what := "no activities of this mailbox were acquired"
	switch {
	case p.users == nil && anchor == "" && len(a.windows.mes()) > 1:
		what = "me was acquired of several mailboxes: name the one in X-AnchorMailbox"
	case p.users == nil && anchor == "":
		what = "who me is cannot be told from a token here: ask for Users('…'), or name the mailbox in X-AnchorMailbox"
	case p.users == nil:
		what = "no activities of the mailbox that X-AnchorMailbox names were acquired, as me or otherwise"
	}
	return a.failure(NotRecorded, 404, "ExhibitNotRecorded", what)
}

// readQuery reads a query and holds it against what an activity is, also where there are none.
func readQuery(raw string) (*odata.Query, error) {
	q, err := odata.ParseQuery(raw)
	if err != nil {
		return nil, err
	}
	for _, name := range q.Select {
		if columnOf(name) < 0 && name != customProperties {
			return nil, fmt.Errorf("property %.64q: %w", name, odata.ErrUnknownProperty)
		}
	}
	empty := emptyRow()
	if _, err := q.Filter.Eval(empty); err != nil {
		return nil, err
	}
	if _, err := odata.Compare(q.OrderBy, empty, empty); err != nil {
		return nil, err
	}
	if q.HasTop && (q.Top < 1 || q.Top > largestTop) {
		return nil, fmt.Errorf("the value of $top must be from 1 to %d", largestTop)
	}
	return q, nil
}

// emptyRow has a value of its type in each column.
func emptyRow() *row {
	var r row
	for c := range columns {
		r[c] = odata.String("")
	}
	r[colTime], r[colCreated] = odata.Time(epoch()), odata.Time(epoch())
	return &r
}

// needed are the properties that a query looks at or gives; nil for all.
func needed(q *odata.Query) []string {
	if q.Select == nil {
		return nil
	}
	names := append(slices.Clone(q.Select), columnName(colTime))
	names = append(names, q.Filter.Paths()...)
	for _, o := range q.OrderBy {
		names = append(names, o.Path)
	}
	return names
}

// uncovered says in words why a query cannot be answered; "" if it can.
func (a *Archive) uncovered(c coverage, box uint32, names []string) string {
	switch {
	case c.complex:
		return "the query, or what is recorded, is too complex to tell whether all that is asked for is recorded: ask for less at once"
	case c.missing != nil:
		return "the query asks for activities that are not recorded: " + c.missing.String() + a.reservations(box, names)
	case !c.any:
		return "nothing of what the query asks for is recorded" + a.reservations(box, names)
	}
	return ""
}

// reservations says which windows of a mailbox cannot be relied on for a query.
func (a *Archive) reservations(box uint32, names []string) string {
	var all []string
	for _, w := range a.windows.order {
		switch {
		case w.box != box:
			continue
		case !w.covers:
			all = append(all, fmt.Sprintf("window %d answers requests that were recorded and no others, because %s", w.Window.Window, w.why))
		case !a.windows.classes[w.class].has(names):
			all = append(all, fmt.Sprintf("window %d has the properties %s alone", w.Window.Window, strings.Join(a.windows.classes[w.class].names, ", ")))
		case w.ahead() != "":
			all = append(all, fmt.Sprintf("window %d %s", w.Window.Window, w.ahead()))
		}
		if len(all) == 10 {
			break
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, "; ")
}

// page is the rows of an answer.
type page struct {
	texts   []textAt
	matched int  // rows that were counted up to the end of the page
	more    bool // there are more
}

// textAt is where the JSON text of a row stands.
type textAt struct{ at, length int64 }

// page collects the rows of a page.
func (a *Archive) page(ctx context.Context, box uint32, names []string, q *odata.Query, c coverage) (p page, err error) {
	classes := make([]bool, maxClasses+1)
	for i, c := range a.windows.classes {
		classes[i] = c.has(names)
	}
	t, release, err := a.orders.take(ctx, q.OrderBy, classes)
	if err != nil {
		return p, err
	}
	defer release()
	same := fmt.Sprint(box, q.Filter)
	from, ok := t.cursor.before(same, q.Skip)
	if !ok {
		if from.at, err = t.seek(binary.BigEndian.AppendUint32(nil, box)); err != nil {
			return p, err
		}
	}
	top := defaultTop
	if q.HasTop {
		top = q.Top
	}
	s := newScan(t, box, from.at)
	p.matched = from.skip
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return p, ctx.Err()
		}
		before := s.at
		payload, err := s.next()
		if err != nil || payload == nil {
			return p, err
		}
		columns, at, length := readPayload(payload)
		if match, err := q.Filter.Eval(&columns); err != nil {
			return p, err
		} else if !match || c.open && !c.holds(columns[colTime]) {
			continue
		}
		if len(p.texts) == top {
			p.more = true
			t.cursor.remember(cursor{same, p.matched, before})
			return p, nil
		}
		if p.matched++; p.matched > q.Skip {
			p.texts = append(p.texts, textAt{at, length})
		}
	}
}
