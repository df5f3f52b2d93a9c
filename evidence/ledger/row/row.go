package row

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Format is the value of the key format in the bucket meta.
const Format = "exhibit-ledger/1"

// The buckets.
const (
	Meta      = "meta"
	Entries   = "entries"
	Exchanges = "exchanges"
	Log       = "log"
	Windows   = "windows"
	Cursors   = "cursors"
)

// Buckets lists all buckets in the order of their names.
func Buckets() []string { return []string{Cursors, Entries, Exchanges, Log, Meta, Windows} }

// Key is the key of a seq or a window number: 8 bytes, big-endian.
func Key(n int64) [8]byte {
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

// CursorKey is the key of a chain of a window: both numbers, 8 bytes each, big-endian.
func CursorKey(window, chain int64) [16]byte {
	var k [16]byte
	binary.BigEndian.PutUint64(k[:8], uint64(window))
	binary.BigEndian.PutUint64(k[8:], uint64(chain))
	return k
}

// Exchange is the row of an exchange entry. Names are those of docs/container.md, 4.1 to 4.4.
type Exchange struct {
	Seq        int64         `json:"seq"`
	Start      evidence.Time `json:"start"`
	End        evidence.Time `json:"end"`
	Source     string        `json:"source"`
	Window     int64         `json:"window"`
	Method     string        `json:"method"`
	Status     int64         `json:"status"`
	Run        string        `json:"run"`
	Counter    int64         `json:"counter"`
	RequestID  string        `json:"request_id"`
	Connection int64         `json:"connection"`
	URL        string        `json:"url"`
	Chain      int64         `json:"chain"`
	Page       int64         `json:"page"`
	Parent     int64         `json:"parent"`
	Before     int64         `json:"before"`
	Attempt    int64         `json:"attempt"`
	RetryOf    int64         `json:"retry_of"`
	Protocol   string        `json:"protocol"`
	Framing    string        `json:"framing"`
	Ended      string        `json:"ended"`
	Flags      []string      `json:"flags"`
	Error      string        `json:"error"`
	Records    []Record      `json:"records"`
}

// Record is where a record of an exchange lies and the hash of its block.
type Record struct {
	Type        string        `json:"type"`
	Block       evidence.Hash `json:"block"`
	BlockLength int64         `json:"block_length"`
	Segment     int64         `json:"segment"`
	Offset      int64         `json:"offset"` // of the frame in the segment's file
	Length      int64         `json:"length"` // of the frame
}

// Record returns the first record of a type (warc.Request, warc.Response, warc.Resource), nil if there is none.
func (x *Exchange) Record(typ string) *Record {
	for i := range x.Records {
		if x.Records[i].Type == typ {
			return &x.Records[i]
		}
	}
	return nil
}

// ExchangeOf makes the row of an exchange entry. It fails if the entry is of another kind or does not say where its records lie.
func ExchangeOf(e *evidence.Entry) (*Exchange, error) {
	x := &Exchange{}
	return x, x.set(e)
}

// set makes x the row of an entry; its slice of records is used again.
func (x *Exchange) set(e *evidence.Entry) error {
	b, ok := e.Body.(*evidence.Exchange)
	if !ok {
		return fmt.Errorf("entry %d (%s) is no exchange", e.Head.Seq, e.Head.Kind)
	}
	if len(e.Located) != len(e.Detail.Records) {
		return fmt.Errorf("entry %d has %d records and the places of %d", e.Head.Seq, len(e.Detail.Records), len(e.Located))
	}
	h := &e.Head
	*x = Exchange{
		Seq: h.Seq, Start: h.Start, End: h.End, Source: h.Source, Window: h.Window, Method: h.Method, Status: h.Status, Run: e.Detail.Run,
		Counter: b.Counter, RequestID: b.RequestID, Connection: b.Connection, URL: b.URL, Chain: b.Chain, Page: b.Page,
		Parent: b.Parent, Before: b.Before, Attempt: b.Attempt, RetryOf: b.RetryOf,
		Protocol: b.Protocol, Framing: b.Framing, Ended: b.Ended, Flags: b.Flags, Error: b.Error,
		Records: x.Records[:0],
	}
	for i := range e.Located {
		r, at := &e.Detail.Records[i], &e.Located[i]
		x.Records = append(x.Records, Record{r.Type, r.Block, r.BlockLength, int64(at.Segment), at.Offset, at.Length})
	}
	return nil
}

// Append writes the row's value behind dst.
func (x *Exchange) Append(dst []byte) ([]byte, error) {
	l := line{b: dst}
	l.num(`{"seq":`, x.Seq)
	l.time(`,"start":`, x.Start)
	l.time(`,"end":`, x.End)
	l.str(`,"source":`, x.Source)
	l.num(`,"window":`, x.Window)
	l.str(`,"method":`, x.Method)
	l.num(`,"status":`, x.Status)
	l.str(`,"run":`, x.Run)
	l.num(`,"counter":`, x.Counter)
	l.str(`,"request_id":`, x.RequestID)
	l.num(`,"connection":`, x.Connection)
	l.str(`,"url":`, x.URL)
	l.num(`,"chain":`, x.Chain)
	l.num(`,"page":`, x.Page)
	l.num(`,"parent":`, x.Parent)
	l.num(`,"before":`, x.Before)
	l.num(`,"attempt":`, x.Attempt)
	l.num(`,"retry_of":`, x.RetryOf)
	l.str(`,"protocol":`, x.Protocol)
	l.str(`,"framing":`, x.Framing)
	l.str(`,"ended":`, x.Ended)
	l.strs(`,"flags":`, x.Flags)
	l.str(`,"error":`, x.Error)
	l.b = append(l.b, `,"records":[`...)
	for i := range x.Records {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		r := &x.Records[i]
		l.str(`{"type":`, r.Type)
		l.hash(`,"block":`, r.Block)
		l.num(`,"block_length":`, r.BlockLength)
		l.num(`,"segment":`, r.Segment)
		l.num(`,"offset":`, r.Offset)
		l.num(`,"length":`, r.Length)
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, ']')
	return l.end()
}

// DecodeExchange reads the value of a row of exchanges.
func DecodeExchange(b []byte) (*Exchange, error) {
	x := &Exchange{}
	if err := decode(b, x); err != nil {
		return nil, fmt.Errorf("malformed row of %s: %w", Exchanges, err)
	}
	return x, nil
}

// LogEntry is the row of the operator log. Body is the entry's body as it stands in the segment.
type LogEntry struct {
	Seq    int64          `json:"seq"`
	Start  evidence.Time  `json:"start"`
	End    evidence.Time  `json:"end"`
	Kind   string         `json:"kind"`
	Source string         `json:"source"`
	Window int64          `json:"window"`
	Run    string         `json:"run"`
	Body   jsontext.Value `json:"body"`
}

// Logged reports whether entries of a kind have a row in the log.
func Logged(kind string) bool {
	switch kind {
	case evidence.KindCase, evidence.KindOperator, evidence.KindGap, evidence.KindWindow, evidence.KindKey,
		evidence.KindCheckpoint, evidence.KindSeal:
		return true
	}
	return false
}

// LogOf makes the log's row of an entry.
func LogOf(e *evidence.Entry) *LogEntry {
	h := &e.Head
	return &LogEntry{h.Seq, h.Start, h.End, h.Kind, h.Source, h.Window, e.Detail.Run, e.Detail.Body}
}

// Append writes the row's value behind dst.
func (x *LogEntry) Append(dst []byte) ([]byte, error) {
	l := line{b: dst}
	l.num(`{"seq":`, x.Seq)
	l.time(`,"start":`, x.Start)
	l.time(`,"end":`, x.End)
	l.str(`,"kind":`, x.Kind)
	l.str(`,"source":`, x.Source)
	l.num(`,"window":`, x.Window)
	l.str(`,"run":`, x.Run)
	l.raw(`,"body":`, x.Body)
	return l.end()
}

// DecodeLog reads the value of a row of log. The spelling of the body is not checked.
func DecodeLog(b []byte) (*LogEntry, error) {
	x := &LogEntry{}
	err := decode(b, x)
	if err == nil && x.Body.Kind() != '{' {
		err = errors.New("body is no object")
	}
	if err != nil {
		return nil, fmt.Errorf("malformed row of %s: %w", Log, err)
	}
	return x, nil
}

// Encoder makes the rows that depend on one entry alone. The zero Encoder is ready; it is for one goroutine.
type Encoder struct {
	exchange Exchange
	key      [8]byte
	value    []byte
}

// Rows calls put for each row of an entry that depends on it alone: of entries, and of exchanges or log. Key and value are
// valid during the call. It fails as put does, or if the entry does not say where its records lie.
func (c *Encoder) Rows(e *evidence.Entry, put func(bucket string, key, value []byte) error) error {
	c.key = Key(e.Head.Seq)
	if err := put(Entries, c.key[:], e.HeadLine); err != nil {
		return err
	}
	bucket := Log
	var err error
	switch {
	case e.Head.Kind == evidence.KindExchange:
		bucket = Exchanges
		if err = c.exchange.set(e); err == nil {
			c.value, err = c.exchange.Append(c.value[:0])
		}
	case Logged(e.Head.Kind):
		c.value, err = LogOf(e).Append(c.value[:0])
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("row of entry %d in %s: %w", e.Head.Seq, bucket, err)
	}
	return put(bucket, c.key[:], c.value)
}
