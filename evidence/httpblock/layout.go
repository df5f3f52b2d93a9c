package httpblock

import "strings"

// How the body of a response is delimited; the table is in the package comment.
const (
	FramingNone      = "none"
	FramingLength    = "content-length"
	FramingChunked   = "chunked"
	FramingClose     = "close"
	FramingAmbiguous = "ambiguous"
)

// Why a block ends where it does, as far as its bytes tell.
const (
	EndComplete      = "complete"       // the framing says that it is whole
	EndCut           = "cut"            // the peer closed before that
	EndMalformed     = "malformed"      // the framing is ambiguous and the peer stopped
	EndNoResponse    = "no-response"    // not one byte came
	EndHeaderBudget  = "header-budget"  // heads and trailers passed Limits.Header
	EndInterimBudget = "interim-budget" // 1xx responses passed Limits.Interim
	EndBodyBudget    = "body-budget"    // the body passed Limits.Body
)

// Field is one header or trailer field.
type Field struct {
	Name  string // as spelt, without white space before the colon
	Value string // without white space around it; folded lines joined by one space
}

// Fields are in the order of the message.
type Fields []Field

// Get returns the first value of the field with that name in any case.
func (fs Fields) Get(name string) (value string, ok bool) {
	for _, f := range fs {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Values returns all values of the fields with that name in any case, in order.
func (fs Fields) Values(name string) []string {
	var vs []string
	for _, f := range fs {
		if strings.EqualFold(f.Name, name) {
			vs = append(vs, f.Value)
		}
	}
	return vs
}

// HasToken reports whether a field that is a comma-separated list, such as Connection, holds the token in any case.
func (fs Fields) HasToken(name, token string) bool {
	for _, f := range fs {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		for item := range strings.SplitSeq(f.Value, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// A Layout says what the bytes of one response block are. Offsets and lengths are in bytes of the block.
type Layout struct {
	Interim []int  // status of each 1xx response before the final one
	Proto   string // "HTTP/1.1", "HTTP/1.0"; empty without a final status line
	Status  int    // of the final response; 0 when none could be read
	Reason  string // as sent, may be empty

	Fields   Fields // of the final head
	Trailers Fields // of the trailer section

	HeadOffset    int64 // where the final head begins, or would have
	HeadLength    int64 // including the empty line; 0 when the head did not end or is none
	BodyOffset    int64 // HeadOffset+HeadLength
	BodyLength    int64 // on the wire: with chunk sizes and trailers
	PayloadLength int64 // after chunked was taken off; -1 when the framing is ambiguous
	Size          int64 // of the whole block

	Framing  string   // one of the Framing words; empty when no final head ended
	End      string   // one of the End words, or the word given to Framer.Abort
	Flags    []string // sorted
	Reusable bool     // the connection may carry another request
}
