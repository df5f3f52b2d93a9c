package replay

import (
	"errors"
	"io"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
	"github.com/exhibit-dfir/exhibit/verify/jsonspan"
)

// The properties of an activity that a query can name, in the order in which they are kept, and the one that it can only select.
const (
	colID = iota
	colCreated
	colType
	colApp
	colSession
	colItem
	colTime
	columns
)

func columnName(c int) string {
	return [columns]string{"Id", "ActivityCreationTime", "ActivityIdType", "AppIdType", "ClientSessionId", "ActivityItemId", "TimeStamp"}[c]
}

const customProperties = "CustomProperties"

// columnOf is the column of a property, or -1.
func columnOf(name string) int {
	for c := range columns {
		if columnName(c) == name {
			return c
		}
	}
	return -1
}

// Bounds of a row. Whatever is longer is no activity that anybody has ever seen.
const (
	maxRow    = 1 << 20 // bytes of its JSON text
	maxColumn = 1 << 10 // bytes of a property that a query can name
)

// row is what a query can ask of an activity. It is an [odata.Lookup].
type row [columns]odata.Value

// Property gives a property by its name.
func (r *row) Property(path string) (odata.Value, bool) {
	if c := columnOf(path); c >= 0 {
		return r[c], true
	}
	return odata.Value{}, false
}

var errNoActivity = errors.New("not the form of an activity")

// nameOf is the name of a member.
func nameOf(raw []byte, m jsonspan.Member) string {
	b, _ := jsontext.AppendUnquote(nil, raw[m.Name:m.NameEnd]) // what is not UTF-8 has no name that anybody asks for
	return string(b)
}

// readRow reads what a query can ask of an activity. id is its Id as its bytes have it. An element that is no object with an Id and a TimeStamp, or that repeats a
// property, is no activity.
func readRow(raw []byte) (r row, id string, err error) {
	var seen [columns]bool
	for m := range jsonspan.Members(raw, 0) {
		c := columnOf(nameOf(raw, m))
		if c < 0 {
			continue
		}
		if seen[c] {
			return r, "", errNoActivity
		}
		seen[c] = true
		if r[c], err = columnValue(c, raw[m.Value:m.ValueEnd]); err != nil {
			return r, "", err
		}
		if c == colID {
			id = string(raw[m.Value+1 : m.ValueEnd-1])
		}
	}
	if id == "" || r[colTime] == (odata.Value{}) {
		return r, "", errNoActivity
	}
	return r, id, nil
}

// columnValue reads the value of a column: a string, or null but for Id and TimeStamp.
func columnValue(c int, raw []byte) (v odata.Value, err error) {
	if string(raw) == "null" && c != colID && c != colTime {
		return v, nil
	}
	if raw[0] != '"' || len(raw) > maxColumn {
		return v, errNoActivity
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return v, errNoActivity
	}
	if c != colTime && c != colCreated {
		return odata.String(string(text)), nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return v, errNoActivity
	}
	return odata.Time(t), nil
}

// bounded gives a body to a decoder and fails where the decoder would have to hold more than limit bytes at once.
type bounded struct {
	r     io.Reader
	dec   *jsontext.Decoder
	limit int64
	given int64
}

var errTooLong = errors.New("longer than can be read")

// decode returns a decoder of a body that takes whatever the services send.
func decode(r io.Reader) *jsontext.Decoder {
	b := &bounded{r: r, limit: maxRow}
	b.dec = jsontext.NewDecoder(b, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return b.dec
}

func (b *bounded) Read(p []byte) (int, error) {
	room := b.limit - b.given
	if b.dec != nil {
		room += b.dec.InputOffset()
	}
	if room <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), room)])
	b.given += int64(n)
	return n, err
}
