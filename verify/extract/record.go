package extract

// Schema names the record format that this package emits. It is the value of
// the key "schema" in every normalised record.
const Schema = "exhibit-record/1"

// Record is one normalised event. docs/records.md says what each field holds.
//
// All strings are valid UTF-8; an absent value is the empty string. The record
// and what it points to are valid only until emit returns, except for the
// strings, which may be kept.
type Record struct {
	Source    string
	ID        string
	Time      string // RFC 3339 with zone, or empty
	Type      string
	User      string
	Mailbox   string
	ClientIP  string
	ClientApp string
	UserAgent string
	SessionID string
	ItemID    string
	Subject   string
	MessageID string
	// Details is a JSON object without insignificant white space: whatever
	// the fields above do not hold exactly. It is valid UTF-8.
	Details    []byte
	Flags      Flags
	Provenance Provenance
	// Window is the number of the window that asked for it, 0 for none. A record
	// that is not interpreted has one, too.
	Window int64
	// Native is the JSON text that the record was made from, byte for byte. It
	// is nil unless [Options].Native asks for it, and of a record that is not
	// interpreted because it is too large or too deep.
	Native []byte
}

// Provenance says which bytes a record was made from.
type Provenance struct {
	// Container is the id of the case.
	Container string
	// Seq is the sequence number of the exchange.
	Seq int64
	// Pointer is an RFC 6901 pointer to the record in its JSON document.
	Pointer string
	// Offset and Length are the range of the record's JSON text, in bytes of
	// the decoded body (transfer and content coding removed).
	Offset, Length int64
	// SHA256 is taken over exactly these bytes.
	SHA256 [32]byte
}

// column is a field of a record that a normaliser may fill.
type column int

const (
	colNone column = iota
	colID
	colTime
	colType
	colUser
	colMailbox
	colClientIP
	colClientApp
	colUserAgent
	colSessionID
	colItemID
	colSubject
	colMessageID
	colCount
)
