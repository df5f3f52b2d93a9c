package evidence

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// The kinds of entry that this format knows (docs/container.md, 4.4).
const (
	KindCase       = "case"
	KindOperator   = "operator"
	KindConnection = "connection"
	KindExchange   = "exchange"
	KindWindow     = "window"
	KindGap        = "gap"
	KindCheckpoint = "checkpoint"
	KindKey        = "key"
	KindSeal       = "seal"
)

// None stands where a seq or an offset could and there is none.
const None = -1

// MaxRecords is how many records one entry may name.
const MaxRecords = 64

// Head is the head line of an entry: the leaf of the tree (docs/container.md, 4.1).
type Head struct {
	Seq    int64  `json:"seq"`
	Kind   string `json:"kind"`
	Start  Time   `json:"start"`
	End    Time   `json:"end"`
	Source string `json:"source"`
	Window int64  `json:"window"`
	Method string `json:"method"`
	Status int64  `json:"status"`
	Detail Hash   `json:"detail"`
}

// Detail is the detail line of an entry (docs/container.md, 4.2).
type Detail struct {
	Nonce   Hash           `json:"nonce"`
	Run     string         `json:"run"`
	Records []RecordRef    `json:"records"`
	Body    jsontext.Value `json:"body"`
}

// RecordRef names one record by what its header says and by the hash of its block. The header itself is a function of the
// entry (docs/container.md, 4.3), which [Entry.Names] compares.
type RecordRef struct {
	Type        string `json:"type"`
	URI         string `json:"uri"`
	ContentType string `json:"content_type"` // of a resource
	Truncated   string `json:"truncated"`    // of a response that was cut short: WARC-Truncated
	Block       Hash   `json:"block"`
	BlockLength int64  `json:"block_length"`
}

// Entry is one step of the ledger, decoded, with the lines as they stand and, where it was read from a
// segment, where its records lie.
type Entry struct {
	Head       Head
	Detail     Detail
	Body       Body // nil if the kind is unknown
	HeadLine   []byte
	DetailLine []byte
	Located    []Located // as many as Detail.Records
}

// Located is a record's place.
type Located struct {
	Segment int
	Offset  int64 // of the frame in the segment's file
	Length  int64 // of the frame
	Seen    any   // what [Walker.Look] made of the record
}

// Body is what an entry of a known kind says. Its implementations are the types below.
type Body interface {
	Kind() string
	lines
	check(*Entry) error // its form: docs/container.md, 4.4 to 4.6
}

// Pair is a name and a value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Case opens a ledger.
type Case struct {
	Format      string   `json:"format"`
	Case        string   `json:"case"`
	Origin      string   `json:"origin"`
	Fields      []Pair   `json:"fields"`
	Keys        []string `json:"keys"`
	TimeSources []string `json:"time_sources"`
	Host        string   `json:"host"`
	Tool        []Pair   `json:"tool"`
	Continues   string   `json:"continues"`
}

// FieldSupplements names the field of a case entry that holds the final head note of an earlier, sealed case (docs/container.md, 4.10).
const FieldSupplements = "supplements"

// Operator is what the operator or the tool did.
type Operator struct {
	Action   string `json:"action"`
	Text     string `json:"text"`
	Operator string `json:"operator"`
	Host     string `json:"host"`
	Fields   []Pair `json:"fields"`
}

// Actions of operator entries that this module reads again.
const (
	ActionRunStart = "run-start"
	ActionRunStop  = "run-stop"
	ActionNote     = "note"
	ActionTakeOver = "take-over"
)

// Connection is one connection, or the attempt at one.
type Connection struct {
	Number     int64  `json:"number"`
	Origin     string `json:"origin"`
	Remote     string `json:"remote"`
	Local      string `json:"local"`
	Proxy      string `json:"proxy"`
	Protocol   string `json:"protocol"`
	TLSVersion string `json:"tls_version"`
	Cipher     string `json:"cipher"`
	ServerName string `json:"server_name"`
	Verified   bool   `json:"verified"`
	Roots      string `json:"roots"`
	Error      string `json:"error"`

	Redactions []Redaction `json:"redactions"` // in the CONNECT request
}

// Exchange is one request and what came back.
type Exchange struct {
	Counter    int64       `json:"counter"`
	RequestID  string      `json:"request_id"`
	Connection int64       `json:"connection"`
	URL        string      `json:"url"`
	Chain      int64       `json:"chain"`
	Page       int64       `json:"page"`
	Parent     int64       `json:"parent"`
	Before     int64       `json:"before"`
	Attempt    int64       `json:"attempt"`
	RetryOf    int64       `json:"retry_of"`
	Protocol   string      `json:"protocol"`
	Framing    string      `json:"framing"`
	Ended      string      `json:"ended"`
	Interim    []int64     `json:"interim"`
	Flags      []string    `json:"flags"`
	HeadOffset int64       `json:"head_offset"`
	HeadLength int64       `json:"head_length"`
	Redactions []Redaction `json:"redactions"`
	Claims     []Pair      `json:"claims"`
	Error      string      `json:"error"`
}

// EndedComplete is the Ended of an exchange whose response came to its end.
const EndedComplete = "complete"

// Kept reports whether an exchange brought a page: answered 200, and to its end (docs/container.md, 4.9).
func Kept(h Head, x *Exchange) bool { return h.Status == 200 && x.Ended == EndedComplete }

// Redaction declares one place where REDACTED stands for a secret.
type Redaction struct {
	Record int64  `json:"record"`
	What   string `json:"what"`
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
}

// Window opens a window or says how it ended.
type Window struct {
	Acquisition Hash   `json:"acquisition"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Text        string `json:"text"`
	User        string `json:"user"`
	From        string `json:"from"`
	To          string `json:"to"`
	Parameters  []Pair `json:"parameters"`
	Requests    int64  `json:"requests"`
	Pages       int64  `json:"pages"`
	Records     int64  `json:"records"`
	Last        int64  `json:"last"`
}

// Name is the hash that names the acquisition of a window of a source (docs/container.md, 4.7). It fails where a value
// could not be told from another: with a line end, or "=" in a name.
func (w *Window) Name(source string) (Hash, error) {
	lines := []string{source, w.User, w.From, w.To}
	for _, p := range w.Parameters {
		if strings.Contains(p.Name, "=") {
			return Hash{}, fmt.Errorf("parameter name %q holds =", p.Name)
		}
		lines = append(lines, p.Name+"="+p.Value)
	}
	for _, l := range lines {
		if strings.Contains(l, "\n") {
			return Hash{}, fmt.Errorf("value %q holds a line end", l)
		}
	}
	return sum([]byte(strings.Join(lines, "\n") + "\n")), nil
}

// The states of a window.
const (
	Opened   = "opened"
	Complete = "complete"
	Partial  = "partial"
	Empty    = "empty"
	Failed   = "failed"
)

// Gap declares what may be or is missing.
type Gap struct {
	Reason   string `json:"reason"`
	Text     string `json:"text"`
	LostRun  string `json:"lost_run"`
	InFlight int64  `json:"in_flight"`
	Segment  int64  `json:"segment"`
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length"`
}

// The reasons of a gap.
const (
	GapTorn       = "torn"
	GapUnclean    = "unclean-stop"
	GapUnrecorded = "unrecorded"
)

// Checkpoint embeds a head.
type Checkpoint struct {
	Size int64  `json:"size"`
	Note string `json:"note"`
}

// Key allows another key to sign heads.
type Key struct {
	Action string `json:"action"`
	Key    string `json:"key"`
	Text   string `json:"text"`
}

// Seal ends a ledger.
type Seal struct {
	Counts    []KindCount `json:"counts"`
	Segment   int64       `json:"segment"`
	Preceding Hash        `json:"preceding"`
}

// KindCount is how many entries of a kind there are.
type KindCount struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
}

func (*Case) Kind() string       { return KindCase }
func (*Operator) Kind() string   { return KindOperator }
func (*Connection) Kind() string { return KindConnection }
func (*Exchange) Kind() string   { return KindExchange }
func (*Window) Kind() string     { return KindWindow }
func (*Gap) Kind() string        { return KindGap }
func (*Checkpoint) Kind() string { return KindCheckpoint }
func (*Key) Kind() string        { return KindKey }
func (*Seal) Kind() string       { return KindSeal }

// newBody returns an empty body of a kind, or nil if the kind is unknown.
func newBody(kind string) Body {
	switch kind {
	case KindCase:
		return &Case{}
	case KindOperator:
		return &Operator{}
	case KindConnection:
		return &Connection{}
	case KindExchange:
		return &Exchange{}
	case KindWindow:
		return &Window{}
	case KindGap:
		return &Gap{}
	case KindCheckpoint:
		return &Checkpoint{}
	case KindKey:
		return &Key{}
	case KindSeal:
		return &Seal{}
	}
	return nil
}

// DecodeEntry reads the two lines of an entry, without their LF (docs/container.md, section 4). It checks their spelling,
// the values' forms and that the head line names the detail line; it knows no other entry.
func DecodeEntry(head, detail []byte) (*Entry, error) {
	return decodeEntry(entryLines{bytes.Clone(head), bytes.Clone(detail), string(head), string(detail)})
}

// entryLines are the two lines of an entry, as bytes and as the same text.
type entryLines struct {
	head, detail         []byte
	headText, detailText string
}

func decodeEntry(l entryLines) (*Entry, error) {
	e := &Entry{HeadLine: l.head, DetailLine: l.detail}
	if err := readLine(l.headText, &e.Head); err != nil {
		return nil, fmt.Errorf("malformed head line: %w", err)
	}
	if sum(l.detail) != e.Head.Detail {
		return nil, fmt.Errorf("detail line of entry %d is not the one that its head line names", e.Head.Seq)
	}
	d := detailLine{Detail: &e.Detail, line: l.detail, body: newBody(e.Head.Kind)}
	if err := readLine(l.detailText, &d); err != nil {
		return nil, fmt.Errorf("malformed detail line of entry %d (%s): %w", e.Head.Seq, e.Head.Kind, err)
	}
	e.Body = d.body
	if err := e.checkForm(); err != nil {
		return nil, fmt.Errorf("malformed entry %d (%s): %w", e.Head.Seq, e.Head.Kind, err)
	}
	return e, nil
}

// Format names the container's format in the case entry, and its origin for heads is [Origin] of the case id.
const Format = "exhibit-container/1"

// Origin is the first line of a case's heads (docs/container.md, 5.2).
func Origin(caseID string) string { return "exhibit-dfir.github.io/case/" + caseID }

// IsID reports whether s is a case id or run id: 32 lower-case hexadecimal digits.
func IsID(s string) bool { return len(s) == 32 && warc.IsHash(s+s) }

// IsWord reports whether s is a word (docs/container.md, 1.6).
func IsWord(s string) bool {
	if s == "" || len(s) > 32 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
