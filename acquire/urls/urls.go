// Package urls asks a list of URLs of one origin: whatever a service offers that no other source knows.
//
// Each URL begins a chain. Where an answer is JSON its list is counted and @odata.nextLink followed; any answer may name the next page in a Link header (RFC 8288). Other content is one
// record: the document itself.
package urls

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/listing"
	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Name is the name of the source.
const Name = "http"

const (
	flagURL     = "url"
	flagURLFile = "url-file"
	flagAccept  = "accept"

	maxURLs = 1_000_000
	maxList = 128 << 20 // bytes of the list
)

// Source is the source http.
type Source struct{}

// Describe tells what the source asks.
func (Source) Describe() acquire.Description {
	return acquire.Description{
		Name:        Name,
		Title:       "HTTP: URLs of one origin",
		Asks:        "GET of each URL, and of the pages that its answers name as next by @odata.nextLink or a Link header.",
		Permissions: []string{"what the URLs need; a token given goes to their one origin and nowhere else"},
		Limits: []string{
			"all URLs have the same scheme, host and port; redirects are recorded and not followed",
			"at most 1,000,000 URLs of 8 KiB",
			"that an answer is complete is known as far as its links tell",
		},
		Content:   true,
		Anonymous: true,
		Flags: []acquire.Flag{
			{Name: flagURL, Value: "URL", Usage: "URL to ask", Many: true},
			{Name: flagURLFile, Value: "FILE", Usage: "file with one URL a line; empty lines and lines starting with # are passed over"},
			{Name: flagAccept, Value: "TYPE", Usage: "value of the header Accept", Default: "*/*"},
		},
	}
}

// plan is a list of URLs.
type plan struct {
	urls   []string
	accept string
}

// Plan reads the list and checks it.
func (s Source) Plan(p acquire.Params) (*acquire.Plan, error) {
	if err := p.Only(s.Describe()); err != nil {
		return nil, err
	}
	a := &plan{accept: p.Text(flagAccept, "*/*")}
	if strings.Trim(a.accept, " ") != a.accept || strings.IndexFunc(a.accept, func(r rune) bool { return r < ' ' || r >= 0x7F }) >= 0 || len(a.accept) > 256 {
		return nil, &acquire.UsageError{Flag: flagAccept, Text: fmt.Sprintf("%.300q cannot stand in a header", a.accept)}
	}
	a.urls = append(a.urls, p.Values[flagURL]...)
	if name := p.Text(flagURLFile, ""); name != "" {
		if err := a.read(p, name); err != nil {
			return nil, err
		}
	}
	if len(a.urls) == 0 || len(a.urls) > maxURLs {
		return nil, &acquire.UsageError{Text: fmt.Sprintf("%d URLs: 1 to %d are needed, by --%s or --%s", len(a.urls), maxURLs, flagURL, flagURLFile)}
	}
	origin := acquire.OriginOf(a.urls[0])
	if origin != "" || len(p.Values[acquire.FlagBaseURL]) > 0 {
		var err error
		if origin, err = p.Origin(origin); err != nil {
			return nil, err
		}
	}
	sum := sha256.New()
	for i, u := range a.urls {
		if fault := wrong(origin, u); fault != "" {
			flag := flagURL
			if i >= len(p.Values[flagURL]) {
				flag = flagURLFile
			}
			return nil, &acquire.UsageError{Flag: flag, Text: fmt.Sprintf("URL %d, %s, %s", i+1, acquire.QuotedURL(u), fault)}
		}
		_, _ = io.WriteString(sum, identity(u)+"\n") // a hash takes everything
	}
	return &acquire.Plan{Origin: origin, Chains: int64(len(a.urls)), Short: true, Pager: a, Parameters: []evidence.Pair{
		{Name: "urls", Value: strconv.Itoa(len(a.urls))},
		{Name: "urls-sha256", Value: hex.EncodeToString(sum.Sum(nil))},
		{Name: flagAccept, Value: a.accept},
	}}, nil
}

// wrong says why a URL cannot be asked for; "" if it can.
func wrong(origin, u string) string {
	_, rest, absolute := strings.Cut(u, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	switch got := acquire.OriginOf(u); {
	case absolute && strings.Contains(rest, "@"):
		return "holds user information, which has no place in a URL: see --basic-user"
	case got == "":
		return "is no absolute URL of http or https with a plain host"
	case got != origin:
		return "does not lead to " + origin + ", to which all must"
	}
	var fault *acquire.PageError
	if err := acquire.CheckURL(origin, u); errors.As(err, &fault) {
		return "cannot be asked for: " + strings.Replace(fault.Text, "the link", "it", 1)
	}
	return ""
}

// read adds the lines of a file.
func (a *plan) read(p acquire.Params, name string) error {
	if p.Open == nil {
		return &acquire.UsageError{Flag: flagURLFile, Text: "files cannot be read here"}
	}
	f, err := p.Open(name)
	if err != nil {
		return &acquire.UsageError{Flag: flagURLFile, Text: err.Error()}
	}
	defer f.Close()
	in := &io.LimitedReader{R: f, N: maxList + 1}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() && len(a.urls) <= maxURLs {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			a.urls = append(a.urls, line)
		}
	}
	err = lines.Err()
	if err == nil && in.N == 0 {
		err = fmt.Errorf("more than %d bytes", maxList)
	}
	if err != nil {
		return &acquire.UsageError{Flag: flagURLFile, Text: fmt.Sprintf("%q: %v", name, err)}
	}
	return nil
}

// identity is a URL without the values that authorize: a list whose links were signed anew is the same list, and no hash of a secret is kept.
func identity(u string) string { return wire.RedactURL(wire.UnsignedURL(u)) }

// First asks for a URL of the list.
func (a *plan) First(chain int64) acquire.Request { return a.request(a.urls[chain]) }

func (a *plan) request(target string) acquire.Request {
	return acquire.Request{URL: target, Header: []httpblock.Field{{Name: "Accept", Value: a.accept}}}
}

// Next counts what an answer holds and finds the next page.
func (a *plan) Next(p *acquire.Page) (acquire.Step, error) {
	s := acquire.Step{Records: 1}
	next, err := linkHeader(p.Header)
	if err != nil {
		return s, err
	}
	if isJSON(p.Header) {
		page, err := listing.Read(p.Body, listing.Form{Bare: true})
		if err != nil {
			return s, err
		}
		if page.List {
			s.Records = page.Rows
		}
		if page.HasNext && next != "" && page.Next != next {
			return s, &acquire.PageError{Reason: acquire.ReasonBrokenPage, Text: "the body and the header Link name different next pages"}
		}
		if page.HasNext {
			next = page.Next
			if next == "" {
				return s, &acquire.PageError{Reason: acquire.ReasonBadLink, Text: "the next link is empty"}
			}
		}
	} else if _, err := io.Copy(io.Discard, p.Body); err != nil && !tooLarge(err) { // a broken coding must be noticed, a large document need not be small
		return s, err
	}
	if next != "" {
		r := a.request(next)
		s.Next = &r
	}
	return s, nil
}

func tooLarge(err error) bool {
	var e *acquire.PageError
	return errors.As(err, &e) && e.Reason == acquire.ReasonBudget
}

// Refused interprets any other status.
func (*plan) Refused(p *acquire.Page) acquire.Refusal { return acquire.Refuse(p) }

func isJSON(h httpblock.Fields) bool {
	v, _ := h.Get("Content-Type")
	v, _, _ = strings.Cut(v, ";")
	v = strings.ToLower(strings.TrimSpace(v))
	return v == "application/json" || v == "text/json" || strings.HasPrefix(v, "application/") && strings.HasSuffix(v, "+json")
}
