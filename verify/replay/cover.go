package replay

import (
	"slices"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// region is what windows with the same bounds on types and applications cover together.
type region struct {
	types, apps []string // nil for all
	spans       []span   // in order; they neither touch nor overlap
	ahead       []span   // likewise: what windows asked for that had not come then
}

type span struct{ from, to time.Time }

// regions returns what is covered of a mailbox by rows that have the properties.
func (ws *windows) regions(box uint32, names []string) []*region {
	var list []*region
	for _, w := range ws.order {
		if !w.covers || w.box != box || !ws.classes[w.class].has(names) {
			continue
		}
		i := slices.IndexFunc(list, func(r *region) bool { return slices.Equal(r.types, w.types) && slices.Equal(r.apps, w.apps) })
		if i < 0 {
			list = append(list, &region{types: w.types, apps: w.apps})
			i = len(list) - 1
		}
		list[i].add(w)
	}
	for _, r := range list {
		r.spans, r.ahead = merged(r.spans), merged(r.ahead)
	}
	return list
}

// add takes the time of a window. One that lies ahead as a whole says nothing.
func (r *region) add(w *window) {
	switch {
	case !w.known.After(w.from):
	case w.known.Before(w.to):
		r.spans, r.ahead = append(r.spans, span{w.from, w.known}), append(r.ahead, span{w.known, w.to})
	default:
		r.spans = append(r.spans, span{w.from, w.to})
	}
}

// merged orders spans and joins those that touch or overlap.
func merged(list []span) []span {
	slices.SortFunc(list, func(a, b span) int { return a.from.Compare(b.from) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			if s.to.After(out[n-1].to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// contains reports whether a region holds a cell in one of these spans, which are its own.
func (r *region) contains(spans []span, c *cell) bool {
	if r.types != nil && (c.kind == "" || !slices.Contains(r.types, c.kind)) || r.apps != nil && (c.app == "" || !slices.Contains(r.apps, c.app)) {
		return false
	}
	if c.from.IsZero() || c.to.IsZero() {
		return false
	}
	i, found := slices.BinarySearchFunc(spans, c.from, func(s span, t time.Time) int { return s.from.Compare(t) })
	if !found {
		i--
	}
	return i >= 0 && !c.to.After(spans[i].to)
}

// cell is a part of all that there could be, which a region holds as a whole or not at all.
type cell struct {
	from, to  time.Time // zero for no bound
	kind, app string    // "" for all that no region names
	types     []string  // that the regions name
	apps      []string
}

// domain is what is known of a property in the cell.
func (c *cell) domain(path string) odata.Domain {
	var d odata.Domain
	switch columnOf(path) {
	case colTime:
		if !c.from.IsZero() {
			d.From = odata.Time(c.from)
		}
		if !c.to.IsZero() {
			d.Below = odata.Time(c.to)
		}
	case colType:
		d = oneOf(c.kind, c.types)
	case colApp:
		d = oneOf(c.app, c.apps)
	}
	return d
}

func oneOf(value string, named []string) odata.Domain {
	if value != "" {
		return odata.Domain{Is: odata.String(value), Known: true}
	}
	return odata.Domain{Not: named}
}

// coverage is what the recorded windows say of a query.
type coverage struct {
	missing  *cell     // a part that the query asks for and that is not recorded
	any      bool      // some of what it asks for is recorded
	open     bool      // it asks for all time before, or after, what is recorded
	ahead    time.Time // it asks for what had not come from this instant on; zero if not
	from, to time.Time
	complex  bool // it cannot be told with reasonable effort
}

// holds reports whether an instant lies in what an answer that leaves time open is given of. Rows of windows that are not derived from may lie beside it.
func (c *coverage) holds(v odata.Value) bool {
	seconds, nanos, _ := v.Instant()
	t := time.Unix(seconds, int64(nanos))
	return !t.Before(c.from) && t.Before(c.to)
}

const maxEffort = 1 << 23 // cells times parts of the filter

// cover holds a filter against the regions. Where a query leaves time open it asks for what the service has, so that it is answered as far as is recorded; a time that it names must be.
func cover(f *odata.Filter, regions []*region) coverage {
	var c coverage
	times, types, apps := cuts(f, regions)
	if (len(times)+1)*(len(types)+1)*(len(apps)+1)*(1+len(f.String())/16) > maxEffort {
		c.complex = true
		return c
	}
	for i := range len(times) + 1 {
		for _, kind := range append(types, "") {
			for _, app := range append(apps, "") {
				at := cell{kind: kind, app: app, types: types, apps: apps}
				if i > 0 {
					at.from = times[i-1]
				}
				if i < len(times) {
					at.to = times[i]
				}
				c.judge(f, regions, &at)
			}
		}
	}
	for _, r := range regions {
		for _, s := range r.spans {
			if c.from.IsZero() || s.from.Before(c.from) {
				c.from = s.from
			}
			if s.to.After(c.to) {
				c.to = s.to
			}
		}
	}
	if !c.ahead.IsZero() && c.ahead.Before(c.to) {
		c.to = c.ahead
	}
	return c
}

func (c *coverage) judge(f *odata.Filter, regions []*region, at *cell) {
	if !f.Possible(at.domain) {
		return
	}
	switch {
	case slices.ContainsFunc(regions, func(r *region) bool { return r.contains(r.spans, at) }):
		c.any = true
	case at.from.IsZero() || at.to.IsZero():
		c.open = true
	case slices.ContainsFunc(regions, func(r *region) bool { return r.contains(r.ahead, at) }):
		c.open = true
		if c.ahead.IsZero() || at.from.Before(c.ahead) {
			c.ahead = at.from
		}
	case c.missing == nil:
		c.missing = at
	}
}

// cuts returns where cells end: all instants that the windows or the filter name, and the types and applications that windows do.
func cuts(f *odata.Filter, regions []*region) (times []time.Time, types, apps []string) {
	for _, v := range f.Literals(columnName(colTime)) {
		if seconds, nanos, ok := v.Instant(); ok {
			times = append(times, time.Unix(seconds, int64(nanos)).UTC())
		}
	}
	for _, r := range regions {
		for _, s := range slices.Concat(r.spans, r.ahead) {
			times = append(times, s.from, s.to)
		}
		types = append(types, r.types...)
		apps = append(apps, r.apps...)
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	slices.Sort(types)
	slices.Sort(apps)
	return times, slices.Compact(types), slices.Compact(apps)
}

// String says what a cell is, in words.
func (c *cell) String() string {
	s := "from " + stamp(c.from) + " to before " + stamp(c.to)
	if c.kind != "" {
		s += ", type " + c.kind
	} else if len(c.types) > 0 {
		s += ", types other than " + strings.Join(c.types, ", ")
	}
	if c.app != "" {
		s += ", application " + c.app
	} else if len(c.apps) > 0 {
		s += ", applications other than " + strings.Join(c.apps, ", ")
	}
	return s
}

// stamp writes an instant as filters have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z") }
