package outlook

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

const (
	flagVersion  = "api-version"
	flagMetadata = "metadata"

	origin = "https://outlook.office.com"
	me     = "me"
)

// mailbox is what both sources ask of: where it is, in which version, and whose it is.
type mailbox struct {
	origin, version, user string
	metadata              string
}

func flagVersionOf(more string) acquire.Flag {
	return acquire.Flag{Name: flagVersion, Value: "VERSION", Usage: "v1.0, v2.0 or beta" + more, Default: "v2.0"}
}

func flagMetadataOf() acquire.Flag {
	return acquire.Flag{Name: flagMetadata, Value: "WORD", Usage: "none leaves @odata members out, minimal keeps them", Default: "none"}
}

// permissions are those that both need. scope is what a token must allow, if that has a name.
func permissions(scope string) []string {
	return []string{
		"a token for " + origin + scope + ", or Basic authentication as long as the service took it",
		"for another user's mailbox FullAccess, or an application permission",
	}
}

// take takes the flags that both sources have.
func (m *mailbox) take(p acquire.Params) error {
	var errs [4]error
	m.origin, errs[0] = p.Origin(origin)
	m.version, errs[1] = p.Word(flagVersion, "v2.0", "v1.0", "v2.0", "beta")
	m.metadata, errs[2] = p.Word(flagMetadata, "none", "none", "minimal")
	m.user = p.Text(acquire.FlagUser, "")
	errs[3] = checkText(acquire.FlagUser, m.user, 256)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// at is the URL of something in the mailbox.
func (m *mailbox) at(rest string) string {
	user := me
	if m.user != me {
		user = "Users(" + escape(odata.Quote(m.user)) + ")"
	}
	return m.origin + "/api/" + m.version + "/" + user + "/" + rest
}

// accept is the header that says whether answers have @odata members.
func (m *mailbox) accept() httpblock.Field {
	return httpblock.Field{Name: "Accept", Value: "application/json; odata.metadata=" + m.metadata}
}

// check refuses what would make a URL that no entry of the ledger could hold.
func (m *mailbox) check(url string) error {
	var fault *acquire.PageError
	if err := acquire.CheckURL(m.origin, url); errors.As(err, &fault) {
		return &acquire.UsageError{Text: "what is asked for makes a URL that cannot be sent: " + strings.Replace(fault.Text, "the link", "it", 1)}
	}
	return nil
}

// checkText takes a value that goes into a URL or a header.
func checkText(flag, v string, most int) error {
	if v == "" || len(v) > most || strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7F }) >= 0 {
		return &acquire.UsageError{Flag: flag, Text: fmt.Sprintf("%.300q is not 1 to %d printable characters of ASCII", v, most)}
	}
	return nil
}

// escape percent-encodes what may not stand in a path segment or a query value, spaces as %20. Quotes, colons, parentheses and commas may (RFC 3986, section 3.4), and
// the clients of the time sent them raw.
func escape(s string) string {
	s = url.QueryEscape(s)
	return strings.NewReplacer("+", "%20", "%27", "'", "%3A", ":", "%28", "(", "%29", ")", "%2C", ",", "%40", "@").Replace(s)
}
