package extract

import "fmt"

// Problem is something in a page that did not become a record, or that leaves
// open which records the page holds.
type Problem struct {
	Source string
	Seq    int64 // sequence number of the exchange
	Offset int64 // in the decoded body, in bytes
	Code   ProblemCode
	Reason string // for people; safe to print
}

// String says where and what, on one line.
func (p Problem) String() string {
	return fmt.Sprintf("%s: exchange %d, offset %d: %s: %s", p.Source, p.Seq, p.Offset, p.Code, p.Reason)
}

// ProblemCode is a stable word for the kind of a problem.
type ProblemCode string

// The codes. After those marked "ends the page" the rest of the page is not
// interpreted.
const (
	ProblemBOM            ProblemCode = "bom"              // byte order mark before the document
	ProblemConcatenated   ProblemCode = "concatenated"     // several documents in one body
	ProblemNoDocument     ProblemCode = "no_document"      // nothing but white space
	ProblemNoValue        ProblemCode = "no_value"         // object without a list of records
	ProblemRead           ProblemCode = "read"             // the body could not be read; ends the page
	ProblemSecondValue    ProblemCode = "second_value"     // "value" twice in one object
	ProblemSyntax         ProblemCode = "syntax"           // not JSON from here on; ends the page
	ProblemTooDeep        ProblemCode = "too_deep"         // nested beyond 10,000
	ProblemTooLarge       ProblemCode = "too_large"        // longer than the limit
	ProblemTooManyMembers ProblemCode = "too_many_members" // object with more than 65,536 members
	ProblemTopLevelArray  ProblemCode = "top_level_array"  // array where an object was expected
	ProblemTrailing       ProblemCode = "trailing_data"    // not JSON after the document; ends the page
	ProblemValueType      ProblemCode = "value_type"       // "value" that is not an array
	ProblemValueVariant   ProblemCode = "value_variant"    // array under a name like "Value"
)
