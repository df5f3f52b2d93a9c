package replay

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
	"github.com/exhibit-dfir/exhibit/verify/jsonspan"
)

// listingParts is what a derived listing is made of.
type listingParts struct {
	request  *Request
	path     listingPath
	query    *odata.Query
	raw      string // the query as it was sent
	page     page
	coverage coverage
	beside   int64
}

func (a *Archive) listingAnswer(l *listingParts) *Answer {
	none := noMetadata(l.request.Fields.Values("Accept"))
	metadata := "minimal"
	if none {
		metadata = "none"
	}
	h := newHeader(200)
	h.add("Content-Type", "application/json; odata.metadata="+metadata+"; odata.streaming=true; IEEE754Compatible=false; charset=utf-8")
	h.add("OData-Version", "4.0")
	mark := string(Derived) + "; case=" + a.caseID
	if l.beside >= 0 {
		mark += "; recorded=" + strconv.FormatInt(l.beside, 10)
	}
	if l.coverage.open {
		mark += "; from=" + stamp(l.coverage.from) + "; to=" + stamp(l.coverage.to)
	}
	h.add(Mark, mark)

	origin := "https://" + l.request.Host
	start := []byte{'{'}
	if !none {
		start = append(start, `"@odata.context":`...)
		start = appendString(start, origin+"/api/"+l.path.version+"/$metadata#"+l.path.user+"/Activities")
		start = append(start, ',')
	}
	start = append(start, `"value":[`...)
	end := []byte{']'}
	if l.page.more {
		path, _, _ := strings.Cut(l.request.Target, "?")
		end = append(end, `,"`+nextLink+`":`...)
		end = appendString(end, origin+path+"?"+nextQuery(l.raw, l.query.Skip+len(l.page.texts)))
	}
	body := &listingBody{a: a, texts: l.page.texts, start: start, end: append(end, '}'), wanted: l.query.Select, bare: none}
	return &Answer{Kind: Derived, Status: 200, Seq: l.beside, Rows: len(l.page.texts), head: h.b.Bytes(), body: body, size: -1}
}

// nextQuery carries a query on: the options as they came, "$" as "%24", and the new $skip at the end.
func nextQuery(raw string, skip int) string {
	var parts []string
	for part := range strings.SplitSeq(raw, "&") {
		rawName, value, _ := strings.Cut(part, "=")
		name := unescaped(rawName)
		if name == "$skip" || part == "" {
			continue
		}
		if option, ok := strings.CutPrefix(name, "$"); ok {
			part = "%24" + option + "=" + value
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, "%24skip="+strconv.Itoa(skip)), "&")
}

// listingBody reads a listing, row by row.
type listingBody struct {
	a          *Archive
	texts      []textAt
	start, end []byte
	wanted     []string
	bare       bool

	n       int // rows that were read
	pending []byte
}

func (b *listingBody) Read(p []byte) (int, error) {
	for len(b.pending) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

func (b *listingBody) fill() error {
	switch {
	case b.start != nil:
		b.pending, b.start = b.start, nil
	case b.n < len(b.texts):
		t := b.texts[b.n]
		raw, err := b.a.rows.texts.piece(t.at, t.length)
		if err != nil {
			return err
		}
		if b.n > 0 {
			b.pending = append(b.pending[:0:0], ',')
		}
		b.pending = appendRowText(b.pending, raw, b.wanted, b.bare)
		b.n++
	case b.end != nil:
		b.pending, b.end = b.end, nil
	default:
		return io.EOF
	}
	return nil
}

// appendRowText writes a row as it was recorded, without the members that were not asked for: Id and the @odata members come back although not selected, the latter
// only with metadata.
func appendRowText(b, raw []byte, selected []string, bare bool) []byte {
	left := 0
	keep := func(m jsonspan.Member) bool {
		name := nameOf(raw, m)
		if strings.HasPrefix(name, "@odata.") {
			return !bare
		}
		return selected == nil || name == columnName(colID) || slices.Contains(selected, name)
	}
	for m := range jsonspan.Members(raw, 0) {
		if !keep(m) {
			left++
		}
	}
	if left == 0 {
		return append(b, raw...)
	}
	b = append(b, '{')
	first := true
	for m := range jsonspan.Members(raw, 0) {
		if !keep(m) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, raw[m.Name:m.ValueEnd]...)
	}
	return append(b, '}')
}
