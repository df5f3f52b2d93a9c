package simtenant

import (
	"slices"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// Activity is one row of a mailbox's listing.
type Activity struct {
	ID      string    // the activity's own key, URL-safe base64
	Created time.Time // ActivityCreationTime: a little after Time
	Type    string    // ActivityIdType, an open set
	App     string    // AppIdType
	Session string    // ClientSessionId: a GUID, or empty
	Item    string    // ActivityItemId: URL-safe base64, or empty
	Time    time.Time // TimeStamp, UTC, whole milliseconds
	// Properties in the order in which they are sent; a name may repeat.
	Properties []Property
}

// Property is one of CustomProperties; with Null its value is null.
type Property struct {
	Name, Value string
	Null        bool
}

// timeForm is how the service writes times: UTC with milliseconds [S].
const timeForm = "2006-01-02T15:04:05.000Z"

// activityFields are the members of an activity in the order of the real
// sample [S], without its @odata members.
var activityFields = [...]string{
	"Id", "ActivityCreationTime", "ActivityIdType", "AppIdType", "ClientSessionId",
	"ActivityItemId", "TimeStamp", "CustomProperties",
}

// Property makes an activity something that a filter can judge.
func (a *Activity) Property(path string) (odata.Value, bool) {
	switch path {
	case "Id":
		return odata.String(a.ID), true
	case "ActivityCreationTime":
		return odata.Time(a.Created), true
	case "ActivityIdType":
		return odata.String(a.Type), true
	case "AppIdType":
		return odata.String(a.App), true
	case "ClientSessionId":
		return odata.String(a.Session), true
	case "ActivityItemId":
		return odata.String(a.Item), true
	case "TimeStamp":
		return odata.Time(a.Time), true
	}
	return odata.Value{}, false
}

// appendJSON writes the activity as the service does. Base is the URL of its
// listing, or empty for no @odata members; fields are those selected, nil
// for all.
func (a *Activity) appendJSON(b []byte, base string, fields []string) []byte {
	b = append(b, '{')
	if base != "" {
		b = append(b, `"@odata.id":`...)
		b = appendString(b, base+"("+odata.Quote(a.ID)+")")
		b = append(b, `,"@odata.etag":"W/\"CQAAAA==\"",`...)
	}
	first := true
	for _, name := range activityFields {
		if fields != nil && name != "Id" && !slices.Contains(fields, name) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, name)
		b = append(b, ':')
		switch name {
		case "TimeStamp":
			b = appendString(b, a.Time.Format(timeForm))
		case "ActivityCreationTime":
			b = appendString(b, a.Created.Format(timeForm))
		case "CustomProperties":
			b = appendProperties(b, a.Properties)
		default:
			b = appendString(b, a.text(name))
		}
	}
	return append(b, '}')
}

// text gives a member that is a string.
func (a *Activity) text(name string) string {
	switch name {
	case "Id":
		return a.ID
	case "ActivityIdType":
		return a.Type
	case "AppIdType":
		return a.App
	case "ClientSessionId":
		return a.Session
	}
	return a.Item
}

func appendProperties(b []byte, properties []Property) []byte {
	b = append(b, '[')
	for i, p := range properties {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"Name":`...)
		b = appendString(b, p.Name)
		b = append(b, `,"Value":`...)
		if p.Null {
			b = append(b, "null"...)
		} else {
			b = appendString(b, p.Value)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendString writes a JSON string. Only what must be escaped is: other text
// goes out as UTF-8 [A].
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// mailbox is one user's. Its slices are never changed in place: who holds one
// may read on while activities arrive.
type mailbox struct {
	upn      string
	rows     []*Activity // oldest first, then by ID
	messages map[string]*message
	items    map[string]bool // that exist and are no messages
}

// settle puts the rows in order.
func (m *mailbox) settle() {
	slices.SortFunc(m.rows, func(a, b *Activity) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// When an activity that arrives has happened: after all that are there, among them, before them.
const (
	arriveNewest = "arrive"
	arriveLate   = "late"
	arriveEarly  = "early"
)

// arrive adds k activities: a second apart at either end, or anywhere among those that are there.
func (m *mailbox) arrive(k int, d *dice, when string) {
	at, step := arrivals, time.Second
	if n := len(m.rows); n > 0 && when == arriveEarly {
		at = m.rows[0].Time
	} else if n > 0 {
		at = m.rows[n-1].Time
	}
	if when == arriveEarly {
		step = -step
	}
	rows := slices.Clone(m.rows)
	for range k {
		at = at.Add(step)
		if n := len(m.rows); n > 0 && when == arriveLate {
			at = m.rows[d.below(n)].Time.Add(-time.Millisecond)
		}
		rows = append(rows, &Activity{
			ID: d.activityID(), Created: at.Add(812 * time.Millisecond), Time: at,
			Type: "ServerLogon", App: "Exchange",
			Properties: serverLogon(m.upn, officeAddress, "Microsoft Office/16.0 (Outlook)", "Success"),
		})
	}
	m.rows = rows
	m.settle()
}

// vanish takes the k newest away.
func (m *mailbox) vanish(k int) {
	m.rows = m.rows[:max(0, len(m.rows)-k):max(0, len(m.rows)-k)]
}
