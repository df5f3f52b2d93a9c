package acquire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

const (
	// flagAfter and the reason of a defect mark the request for the page behind the one with the defect, so that a later run knows of it.
	flagAfter = "after-"
	// maxEmpty is how many pages in a row may hold no record and still have a next link.
	maxEmpty = 1000
)

// chain is where a chain stands: the page that is to be asked for, and what is known of those before.
type chain struct {
	n       int64
	request Request
	page    int64 // number of the page to ask for
	before  int64 // records on those before
	parent  int64 // seq of the page before
	attempt int64 // number of the next attempt
	retryOf int64 // seq of the last one
	flags   []string

	failed  int    // attempts of this page in this run that brought none
	broken  int    // attempts of this page in this run that brought one that could not be taken
	renewed bool   // the credential was renewed for this page already
	mark    string // of the page before
	rows    Rows   // of the last page that had any
	empty   int    // pages in a row without a record
	asked   map[uint64]struct{}
}

// chain works on one chain until it ends or the run does. It returns an error where the run cannot go on at all.
func (r *run) chain(ctx context.Context, n int64) error {
	c, why, err := r.load(ctx, n)
	if err != nil {
		return err
	}
	for c != nil && !r.over() {
		var done bool
		if done, why, err = r.step(ctx, c); err != nil {
			return err
		}
		if done {
			c = nil
		}
	}
	if c != nil {
		return nil // not ended
	}
	r.window.end(n, why)
	e := Event{Kind: EventChain, Chain: n}
	if why != nil {
		e.Reason, e.Text = why.Reason, why.Text
	}
	r.tell(e)
	return nil
}

// step makes one attempt at the page that is to be asked for. It is done when the chain has ended: why is nil if that is its end.
func (r *run) step(ctx context.Context, c *chain) (done bool, why *PageError, err error) {
	room, why := r.room()
	if why != nil {
		return true, why, nil
	}
	slot := r.slots.take(r.quit)
	if slot == nil {
		return false, nil, nil
	}
	defer slot.release()
	if r.over() {
		return false, nil, nil
	}
	a := &asked{slot: slot, chain: c.n, page: c.page, before: c.before, parent: c.parent, retryOf: c.retryOf, attempt: c.attempt, flags: c.flags}
	id, err := requestID(r)
	if err != nil {
		return false, nil, err
	}
	x, err := r.recorder.Do(context.WithValue(ctx, askedKey{}, a), &wire.Request{Method: "GET", URL: c.request.URL, Header: c.request.Header, RequestID: id, MaxBody: room})
	if x != nil {
		defer x.Response.Close()
	}
	if a.entry == nil {
		return r.unsent(ctx, c, err)
	}
	r.window.count()
	c.attempt, c.retryOf = c.attempt+1, a.entry.Head.Seq
	var end *wire.EndError
	switch {
	case errors.As(err, &end):
		return r.incomplete(c, x, end)
	case err != nil:
		return false, nil, err
	case x.Status != 200:
		return r.refused(ctx, c, a, x)
	}
	p := &Page{Chain: c.n, Number: c.page, Before: c.before, URL: x.URL, Status: x.Status, Header: x.Fields, Body: newContent(&x.Layout, x.Response)}
	return r.take(c, p, a.entry.Head.Seq)
}

func requestID(r *run) (string, error) {
	var b [16]byte
	if _, err := r.o.Env.Rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80 // RFC 9562, 5.4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]), nil
}

// unsent judges an attempt of which there is no exchange: nothing was sent.
func (r *run) unsent(ctx context.Context, c *chain, err error) (bool, *PageError, error) {
	var refused *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return false, nil, nil
	case errors.As(err, &refused):
		why := &PageError{ReasonTLS, clean(r.scrub(err.Error()))}
		r.haltAll(why)
		return true, why, nil
	case errors.Is(err, wire.ErrDial), errors.Is(err, wire.ErrTLS), errors.Is(err, wire.ErrProxy):
		return r.again(c, &PageError{ReasonNetwork, clean(r.scrub(err.Error()))}, 0)
	case errors.Is(err, wire.ErrRequest), errors.Is(err, wire.ErrOrigin):
		return true, &PageError{ReasonBadLink, clean(r.scrub(err.Error()))}, nil
	}
	return false, nil, err
}

// incomplete judges an exchange that did not come to its end.
func (r *run) incomplete(c *chain, x *wire.Exchange, end *wire.EndError) (bool, *PageError, error) {
	switch end.End {
	case wire.EndCancelled:
		return false, nil, nil
	case httpblock.EndNoResponse:
		if x.Reused && c.failed == 0 { // the server had closed the idle connection: nothing to wait for
			c.failed++
			r.tell(Event{Kind: EventRetry, Chain: c.n, Reason: ReasonBrokenAnswer, Text: "the connection was gone"})
			return false, nil, nil
		}
	case httpblock.EndBodyBudget, httpblock.EndHeaderBudget, httpblock.EndInterimBudget:
		if end.End == httpblock.EndBodyBudget && x.BodyLength < maxBody {
			return true, r.spent(), nil
		}
		return true, &PageError{ReasonBudget, fmt.Sprintf("the answer for page %d was broken off after %d bytes: %s", c.page, x.Size, end.End)}, nil
	}
	return r.again(c, &PageError{ReasonBrokenAnswer, clean(fmt.Sprintf("the answer for page %d ended %s after %d bytes", c.page, end.End, x.Size))}, 0)
}

// refused judges an answer with another status than 200.
func (r *run) refused(ctx context.Context, c *chain, a *asked, x *wire.Exchange) (bool, *PageError, error) {
	f := r.plan.Pager.Refused(&Page{Chain: c.n, Number: c.page, Before: c.before, URL: x.URL, Status: x.Status, Header: x.Fields,
		Body: newContent(&x.Layout, x.Response)})
	why := &PageError{f.Reason, r.scrub(f.Text)}
	if f.Settled {
		r.window.settle(why)
		return true, nil, nil
	}
	if f.Retry {
		return r.again(c, why, retryAfter(x.Fields, x.Ended))
	}
	if f.Reason != ReasonUnauthorized {
		return true, why, nil
	}
	if r.o.Credential != nil && !c.renewed {
		newer, err := r.o.Credential.Renew(ctx, a.edition)
		if err != nil {
			why.Text += "; the credential could not be renewed: " + clean(r.scrub(err.Error()))
		}
		if newer && err == nil {
			c.renewed = true
			r.tell(Event{Kind: EventRetry, Chain: c.n, Reason: why.Reason, Text: "with a newer credential"})
			return false, nil, nil
		}
	}
	r.haltAll(why)
	return true, why, nil
}

// again decides whether the page is asked for once more, and waits before that.
func (r *run) again(c *chain, why *PageError, told time.Duration) (bool, *PageError, error) {
	if c.failed++; c.failed >= r.o.Retry.Attempts {
		why.Text = fmt.Sprintf("%s; given up after %d attempts", why.Text, c.failed)
		if why.Reason == ReasonNetwork || why.Reason == ReasonThrottled {
			r.haltAll(why)
		}
		return true, why, nil
	}
	r.tell(Event{Kind: EventRetry, Chain: c.n, Reason: why.Reason, Text: why.Text})
	return r.pause(c, why, told)
}

// pause waits before the next attempt. The wait ends early when the run does.
func (r *run) pause(c *chain, why *PageError, told time.Duration) (bool, *PageError, error) {
	d, ok, err := r.patience.delay(c.failed+c.broken, told)
	if err != nil {
		return false, nil, err
	}
	if !ok {
		why.Text = fmt.Sprintf("%s; given up, all waits of this run together would pass %s", why.Text, r.o.Retry.Total)
		r.haltAll(why)
		return true, why, nil
	}
	r.tell(Event{Kind: EventWait, Chain: c.n, Reason: why.Reason, Text: why.Text, Wait: d})
	if err := r.o.Wait(r.quit, d); err != nil && r.quit.Err() == nil {
		return false, nil, err
	}
	return false, nil, nil
}

// take interprets a page that was kept.
func (r *run) take(c *chain, p *Page, seq int64) (bool, *PageError, error) {
	s, fault := r.interpret(c, p)
	if fault == nil {
		fault = s.Defect
	}
	if fault != nil {
		if c.broken++; c.broken < r.o.Retry.Pages {
			r.tell(Event{Kind: EventRetry, Chain: c.n, Reason: fault.Reason, Text: fault.Text})
			return r.pause(c, fault, 0)
		}
		if s == nil {
			fault.Text = fmt.Sprintf("page %d: %s; asked for %d times", c.page, fault.Text, c.broken)
			return true, fault, nil
		}
	}
	r.pages.Add(1)
	done, why := r.advance(c, p, s, seq)
	r.tell(Event{Kind: EventPage, Chain: c.n, Covered: s.Covered})
	return done, why, nil
}

// interpret asks the source what a page says, and compares it with the page before. A step that is nil comes with a fault.
func (r *run) interpret(c *chain, p *Page) (*Step, *PageError) {
	turn := r.reading.take(p.Body)
	defer turn.done()
	p.Body = turn
	s, err := r.plan.Pager.Next(p)
	var fault *PageError
	switch {
	case errors.As(err, &fault):
		return nil, &PageError{fault.Reason, clean(r.scrub(fault.Text))}
	case err != nil:
		return nil, &PageError{ReasonBrokenPage, clean(r.scrub(err.Error()))}
	}
	if s.Mark != "" && s.Mark == c.mark && s.Defect == nil {
		s.Defect = &PageError{ReasonRepeatedPage, fmt.Sprintf("page %d has the rows of the page before", p.Number)}
	}
	return &s, nil
}

// advance moves a chain behind a page that was taken.
func (r *run) advance(c *chain, p *Page, s *Step, seq int64) (done bool, why *PageError) {
	r.window.took(1, s.Records, seq)
	c.flags = nil
	if s.Defect != nil {
		r.window.defect(s.Defect)
		c.flags = []string{flagAfter + s.Defect.Reason}
	}
	if why := c.moved(s, p.Number); why != nil {
		r.window.defect(why)
		c.flags = append(c.flags, flagAfter+why.Reason)
	}
	c.remember(r.seed, p.URL, c.request.URL)
	if c.empty++; s.Records > 0 {
		c.empty, c.rows = 0, s.Rows
	}
	switch {
	case s.Partial != nil:
		return true, s.Partial
	case s.Next == nil:
		return true, nil
	case c.empty >= maxEmpty:
		return true, &PageError{ReasonEmptyPages, fmt.Sprintf("%d pages in a row had no record and still a next link", c.empty)}
	}
	link, bad := resolve(r.plan.Origin, p.URL, s.Next.URL)
	if bad != nil {
		return true, &PageError{bad.Reason, fmt.Sprintf("page %d: %s", p.Number, clean(r.scrub(bad.Text)))}
	}
	if c.knows(r.seed, link) {
		return true, &PageError{ReasonLinkLoop, clean(r.scrub(fmt.Sprintf("page %d leads back to a page that was taken before, %s: what lies behind was not asked for", p.Number, wire.RedactURL(link))))}
	}
	c.request = Request{URL: link, Header: s.Next.Header}
	c.page, c.before, c.parent = p.Number+1, p.Before+s.Records, seq
	c.attempt, c.retryOf, c.failed, c.broken, c.renewed, c.mark = 1, evidence.None, 0, 0, false, s.Mark
	return false, nil
}

// remember notes URLs that were asked for. Some come from entries, where secrets are redacted: a signed link is known by what is left without its signature.
func (c *chain) remember(seed maphash.Seed, urls ...string) {
	for _, u := range urls {
		c.asked[maphash.String(seed, wire.UnsignedURL(u))] = struct{}{}
	}
}

func (c *chain) knows(seed maphash.Seed, url string) bool {
	_, ok := c.asked[maphash.String(seed, wire.UnsignedURL(url))]
	return ok
}
