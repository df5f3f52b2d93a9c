package simtenant

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// call is one request on its way to an answer.
type call struct {
	*http.Request
	ordinal int
	faults  struck
}

// origin is the scheme and host that links in answers begin with.
func (c *call) origin() string {
	if c.TLS == nil {
		return "http://" + c.Host
	}
	return "https://" + c.Host
}

// noMetadata tells whether the client wants no @odata members.
func (c *call) noMetadata() bool {
	return slices.ContainsFunc(c.Header.Values("Accept"), func(s string) bool {
		return strings.Contains(strings.ToLower(s), "odata.metadata=none")
	})
}

func (c *call) contentType() string {
	metadata := "minimal"
	if c.noMetadata() {
		metadata = "none"
	}
	return "application/json; odata.metadata=" + metadata + "; odata.streaming=true; IEEE754Compatible=false; charset=utf-8"
}

// answer decides what a request gets.
func (t *Tenant) answer(c *call) *answer {
	for _, f := range c.faults {
		if f.kind == "status" || f.kind == "disabled" {
			return t.refusal(f)
		}
	}
	if c.Method != http.MethodGet {
		a := failure(http.StatusMethodNotAllowed, "ErrorMethodNotAllowed", "The request's method is not allowed here.")
		a.header.Set("Allow", http.MethodGet)
		return a
	}
	var a *answer
	if set, n, ok := pagesPath(c.URL.Path); ok {
		a = t.answerPages(c, set, n)
	} else if p, ok := apiPath(c.URL.Path); ok {
		a = t.answerAPI(c, p)
	} else {
		a = failure(http.StatusNotFound, "ErrorResourceNotFound", "Resource could not be discovered.")
	}
	if a.status == http.StatusOK && c.faults.has("badjson") {
		a.body = a.body[:len(a.body)*2/3]
	}
	return a
}

// refusal is the answer of a status fault.
func (t *Tenant) refusal(f Fault) *answer {
	var a *answer
	switch {
	case f.kind == "disabled":
		return failure(http.StatusForbidden, "ErrorAccessDenied", "The API is disabled.")
	case f.status == http.StatusUnauthorized:
		a = unauthorized("The token has expired.", "invalid_lifetime")
	case f.status == http.StatusForbidden:
		a = denied()
	case f.status == http.StatusTooManyRequests:
		a = failure(f.status, "ErrorTooManyRequests", "Too many requests.")
	case f.status == http.StatusGone:
		a = failure(f.status, "ErrorSyncStateNotFound", "The link has expired.")
	case f.status >= 500:
		a = failure(f.status, "ErrorServerBusy", "The server cannot service this request right now.")
	default:
		a = failure(f.status, "ErrorInvalidRequest", "The request is refused.")
	}
	if value, ok := f.header(t.now()); ok {
		a.header.Set("Retry-After", value)
	}
	return a
}

func denied() *answer {
	return failure(http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
}

// path is what an API URL names.
type path struct {
	version string // v1.0, v2.0 or beta
	user    string // as it stands in the URL: me or Users('…'), decoded
	upns    []string
	message string // the id, or "" for the listing
}

// apiPath takes a decoded path apart, in the forms that the reference shows.
func apiPath(s string) (path, bool) {
	var p path
	rest, ok := strings.CutPrefix(s, "/api/")
	if !ok {
		return p, false
	}
	p.version, rest, ok = strings.Cut(rest, "/")
	if !ok || p.version != "v1.0" && p.version != "v2.0" && p.version != "beta" {
		return p, false
	}
	p.user, rest, ok = strings.Cut(rest, "/")
	if !ok {
		return p, false
	}
	if p.upns, ok = parseUser(p.user); !ok {
		return p, false
	}
	if rest == "Activities" {
		return p, true
	}
	if id, ok := strings.CutPrefix(rest, "Messages/"); ok {
		p.message = id
	} else if id, ok := inKey(rest, "Messages"); ok {
		p.message = id
	}
	return p, p.message != "" && !strings.Contains(p.message, "/")
}

// inKey takes the key out of Name('key').
func inKey(s, name string) (string, bool) {
	s, ok := strings.CutPrefix(s, name+"('")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, "')")
}

// parseUser gives the UPNs that a user segment may mean, the likelier first:
// apostrophes doubled as OData wants it, then raw as clients sent them.
func parseUser(s string) ([]string, bool) {
	if s == "me" {
		return []string{Owner}, true
	}
	key, ok := inKey(s, "Users")
	if !ok || key == "" {
		return nil, false
	}
	return []string{strings.ReplaceAll(key, "''", "'"), key}, true
}

// answerAPI makes the checks that all of the API has in common.
func (t *Tenant) answerAPI(c *call, p path) *answer {
	if a := t.authorize(c, true); a != nil {
		return a
	}
	if strings.EqualFold(p.upns[0], Locked) {
		return denied()
	}
	m, ok := t.open(c, p)
	if !ok {
		return failure(http.StatusNotFound, "ErrorInvalidUser", "The requested user is invalid.")
	}
	if p.message != "" {
		return answerMessage(c, p, m)
	}
	if !slices.ContainsFunc(c.Header.Values("Prefer"), prefersActivities) {
		return failure(http.StatusBadRequest, "ErrorInvalidRequest", `The header Prefer: exchange.behavior="ActivityAccess" is required.`)
	}
	return t.answerListing(c, p, m)
}

func prefersActivities(line string) bool {
	for item := range strings.SplitSeq(line, ",") {
		if strings.TrimSpace(item) == `exchange.behavior="ActivityAccess"` {
			return true
		}
	}
	return false
}

// open finds the mailbox and lets arrive or vanish what a fault says. The copy
// it gives does not change any more.
func (t *Tenant) open(c *call, p path) (mailbox, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, upn := range p.upns {
		m := t.mailboxes[strings.ToLower(upn)]
		if m == nil {
			continue
		}
		if p.message == "" {
			for _, when := range []string{arriveNewest, arriveLate, arriveEarly} {
				if f, ok := c.faults.find(when); ok {
					m.arrive(f.count, &t.arriving, when)
				}
			}
			if f, ok := c.faults.find("vanish"); ok {
				m.vanish(f.count)
			}
		}
		return *m, true
	}
	return mailbox{}, false
}

// authorize gives nil if the request may pass. Without an Authorization it may
// if none is required.
func (t *Tenant) authorize(c *call, required bool) *answer {
	header := c.Header.Get("Authorization")
	if header == "" && !required {
		return nil
	}
	scheme, credentials, _ := strings.Cut(header, " ")
	switch {
	case header == "":
		return unauthorized("The request has no credentials.", "missing_token")
	case strings.EqualFold(scheme, "Basic"):
		user, password, ok := c.BasicAuth()
		wantUser, wantPassword := t.Basic()
		if ok && strings.EqualFold(user, wantUser) && password == wantPassword {
			return nil
		}
		return unauthorized("The user name or password is incorrect.", "invalid_credentials")
	case !strings.EqualFold(scheme, "Bearer"):
		return unauthorized("The authentication scheme is not supported.", "invalid_request")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	valid, issued := t.tokens[credentials]
	if valid && c.faults.has("expire") {
		valid = false
		t.tokens[credentials] = false
	}
	switch {
	case valid:
		return nil
	case issued:
		return unauthorized("The token has expired.", "invalid_lifetime")
	}
	return unauthorized("The token is invalid.", "invalid_token")
}

// userURL writes a user segment for a link: escaped, apostrophes doubled.
func userURL(user, upn string) string {
	if user == "me" {
		return user
	}
	return "Users('" + url.PathEscape(strings.ReplaceAll(upn, "'", "''")) + "')"
}

// loop gives the next link that a fault forces upon the page of this key, now
// or before; ok is false if none does.
func (t *Tenant) loop(c *call, key string) (link string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, struck := c.faults.find("loop"); struck {
		back := max(1, c.ordinal-f.count+1)
		t.loops[key] = t.log[back-1].URL
		if strings.HasPrefix(t.loops[key], "/") {
			t.loops[key] = c.origin() + t.loops[key]
		}
	}
	link, ok = t.loops[key]
	return link, ok
}
