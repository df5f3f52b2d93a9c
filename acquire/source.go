package acquire

import (
	"io"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Source is one thing that can be acquired. Its methods are pure and may be called concurrently.
type Source interface {
	// Describe tells what the source asks, of whom, and which flags it takes.
	Describe() Description
	// Plan fixes what is to be asked. It fails with a [*UsageError] where a value cannot be used.
	Plan(Params) (*Plan, error)
}

// Description is what a person must know before acquiring, and what a command line is made from.
type Description struct {
	Name        string   // a word (docs/container.md, 1.6)
	Title       string   // one line
	Asks        string   // what is requested, in a sentence or two
	Origin      string   // where, if the flag base-url is not given; may be empty
	Permissions []string // that the account or app needs
	Limits      []string // of the service and of what it can say
	Content     bool     // it reads the content of messages or files, a separate act
	Anonymous   bool     // it may be asked without a credential
	Flags       []Flag   // in the order in which they are shown
}

// Flag is one value that a source takes.
type Flag struct {
	Name     string // without dashes
	Value    string // what stands for the value in help: TIME, N, UPN
	Usage    string // one line
	Default  string // as shown in help; Plan applies it
	Many     bool   // may be given more than once
	Required bool
	Switch   bool // may stand without a value, which then is "true"
}

// Plan is an acquisition before its first request. User, From, To and Parameters name it (docs/container.md, 4.7).
type Plan struct {
	Origin     string // "https://host[:port]": all requests go there, and so does the token
	User       string
	From, To   string          // the half-open window, RFC 3339 in UTC; empty if the source has none
	Parameters []evidence.Pair // everything that shapes requests, in a fixed order
	Chains     int64           // numbered from 0
	Pager      Pager
	// Short says that most chains are one page. Then the next ones are asked for while the answers of earlier ones are on their way to the disk.
	Short bool
}

// Pager steps through the chains of one plan. Its methods are pure functions and may be called concurrently.
type Pager interface {
	// First is the request that begins a chain.
	First(chain int64) Request
	// Next interprets a page: an answer with status 200 that came to its end. A page that cannot be interpreted is a
	// [*PageError]; it is asked for again a few times.
	Next(*Page) (Step, error)
	// Refused interprets an answer with any other status. [Refuse] knows what services have in common.
	Refused(*Page) Refusal
}

// Request is a GET request. Host, User-Agent, Accept-Encoding, Authorization, client-request-id and Connection are
// added to its header.
type Request struct {
	URL    string // absolute
	Header []httpblock.Field
}

// Page is an answer as it was recorded, and its place in the chain.
type Page struct {
	Chain  int64
	Number int64  // of the page in its chain, from 1
	Before int64  // records counted on the pages before
	URL    string // as recorded: secret query values are redacted
	Status int
	Header httpblock.Fields
	// Body is the content, transfer and content codings removed. Reading it fails with a [*PageError] where a coding is broken or unknown,
	// or where it is larger than 64 MiB.
	Body io.Reader
}

// Step is what a page says.
type Step struct {
	Records int64    // on this page
	Next    *Request // nil at the end of the chain. The URL may be relative to the page's, as links are
	// Mark names the rows of this page, for example a hash of their ids: two pages in a row with one mark are the same rows twice. May be empty.
	Mark string
	// Rows tells what shows whether rows moved between two pages. May be zero.
	Rows Rows
	// Covered is the share of the window that lies behind this page, 0 to 1; 0 if that cannot be told. It is for whoever watches a run, and decides nothing.
	Covered float64
	// Defect says that something on the page is no record although it should be. The page is asked for again a few times; if that does not help, the chain
	// goes on and the window is partial.
	Defect *PageError
	// Partial says that the chain ends here although more is there to be asked; Next is nil then.
	Partial *PageError
}

// PageError says why a page cannot be taken as it is.
type PageError struct {
	Reason string // a word
	Text   string
}

func (e *PageError) Error() string { return e.Reason + ": " + e.Text }

// Refusal is what an answer with a status other than 200 means.
type Refusal struct {
	Reason string // a word, see [ReasonThrottled] and so on
	Text   string // what the service said, for the log
	Code   string // the service's own word for it, if the answer has one
	Retry  bool   // asking again later may help
	// Settled says that this is the answer: there is nothing here to be had, now or later. The chain has come to its end, the window is not short of it, and says so.
	Settled bool
}

// UsageError says that a flag's value cannot be used.
type UsageError struct {
	Flag string // without dashes; empty if it is about several
	Text string
}

func (e *UsageError) Error() string {
	if e.Flag == "" {
		return e.Text
	}
	return "flag --" + e.Flag + ": " + e.Text
}

// Reasons that a window entry gives. Sources may add others.
const (
	ReasonNoData       = "no-data"          // empty: the service answered and has nothing
	ReasonAuditOff     = "audit-off"        // the service does not record what was asked for
	ReasonNoLicence    = "no-licence"       // the account lacks the licence
	ReasonNoPermission = "no-permission"    // the account lacks the right
	ReasonThrottled    = "throttled"        // the service asked to wait longer than was allowed
	ReasonUnauthorized = "unauthorized"     // the credentials are wrong or have expired
	ReasonAPIDisabled  = "api-disabled"     // the service does not offer the API any more
	ReasonBadRequest   = "bad-request"      // the service did not understand
	ReasonNotFound     = "not-found"        // no such user, path or item
	ReasonGone         = "link-expired"     // a link of an earlier page is no longer valid
	ReasonRedirect     = "redirect"         // the answer points elsewhere; redirects are not followed
	ReasonStatus       = "status"           // another status that brings no page
	ReasonServerError  = "server-error"     // 5xx, to the end of patience
	ReasonNetwork      = "network"          // no connection, to the end of patience
	ReasonBrokenAnswer = "broken-answer"    // answers broke off or had no clear end, to the end of patience
	ReasonTLS          = "tls"              // the server's certificate was refused
	ReasonBudget       = "answer-too-large" // an answer passed a budget of the recorder
	ReasonBrokenPage   = "broken-page"      // a page could not be interpreted
	ReasonRepeatedPage = "repeated-page"    // the same rows came for two pages
	ReasonErrorRow     = "error-row"        // an error object stood in the place of a record
	ReasonMovedRows    = "moved-rows"       // rows arrived where the run had been already
	ReasonLinkLoop     = "link-loop"        // a link leads to a page that was taken before
	ReasonForeignLink  = "foreign-link"     // a link leads to another origin
	ReasonBadLink      = "bad-link"         // a link cannot be asked as it is
	ReasonMaxReached   = "max-reached"      // as many records as were asked for
	ReasonPageBudget   = "page-budget"      // as many pages as one run may take
	ReasonByteBudget   = "byte-budget"      // as many bytes as one run may record
	ReasonTimeBudget   = "time-budget"      // as long as one run may take
	ReasonEmptyPages   = "empty-pages"      // page after page without a record
	ReasonNoMessage    = "no-message"       // settled: the service refuses to show an item as a message
	ReasonNoItem       = "no-item"          // settled: the mailbox has no such item, or not any more
)
