package simtenant

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/pause"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// Options shape a tenant. The zero value is a tenant without faults.
type Options struct {
	// Seed of mailboxes, ids and tokens. Every value is as good as another.
	Seed uint64
	// Now is the clock of Date, Retry-After and tokens; nil is time.Now.
	Now func() time.Time
	// Wait is how a slow answer waits; nil waits on a timer. It returns early
	// with an error if the client goes away.
	Wait func(ctx context.Context, d time.Duration) error
	// Faults go wrong as [ParseFaults] describes.
	Faults []Fault
	// Pages are the bodies that /pages/{set}/{n} serves: Pages[set][n-1]. They
	// are not copied and must not change.
	Pages map[string][][]byte
	// ContentLength sends bodies with a Content-Length instead of chunked.
	ContentLength bool
}

// Tenant is the simulated service. All methods may be called concurrently.
type Tenant struct {
	now           func() time.Time
	wait          func(ctx context.Context, d time.Duration) error
	faults        []Fault
	pages         map[string][][]byte
	contentLength bool
	seed          uint64
	tsa           func() (*authority.Identity, error) // makes it once

	mu        sync.Mutex
	stamped   int                 // queries for timestamps
	mailboxes map[string]*mailbox // by lower-case UPN
	tokens    map[string]bool     // issued; true while valid
	token     string              // the last one issued
	log       []Request
	loops     map[string]string // next links forced, by the key of the page
	lastRows  []*Activity       // of the last listing
	arriving  dice
}

// Request is one line of the log of what reached the tenant.
type Request struct {
	Ordinal int    // from 1, in the order of arrival
	Method  string // as sent
	URL     string // the request target, as sent
	// ClientRequestID is the header client-request-id.
	ClientRequestID string
	Status          int    // of the answer; 0 if there was none
	Fault           string // the faults that named this ordinal, joined by commas
}

// New makes a tenant with its mailboxes and one token.
func New(o Options) (*Tenant, error) {
	return newTenant(o, map[string]*mailbox{
		Owner:      ownerStory(o.Seed),
		Apostrophe: apostropheStory(o.Seed + 1),
		Quiet:      {upn: Quiet},
	})
}

// Again makes another tenant of the same seed, with the mailboxes as they are now, without making them up again as [New] does. o.Seed is not looked at.
func (t *Tenant) Again(o Options) (*Tenant, error) {
	o.Seed = t.seed
	mailboxes := map[string]*mailbox{}
	t.mu.Lock()
	for name, m := range t.mailboxes {
		own := *m // its slices and maps never change in place
		mailboxes[name] = &own
	}
	t.mu.Unlock()
	return newTenant(o, mailboxes)
}

func newTenant(o Options, mailboxes map[string]*mailbox) (*Tenant, error) {
	t := &Tenant{
		now: o.Now, wait: o.Wait, faults: slices.Clone(o.Faults), pages: o.Pages,
		contentLength: o.ContentLength, seed: o.Seed,
		tokens: map[string]bool{}, loops: map[string]string{},
		arriving:  dice{state: o.Seed ^ 0x61727269},
		mailboxes: mailboxes,
		tsa:       sync.OnceValues(newTSA),
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.wait == nil {
		t.wait = pause.For
	}
	for _, f := range t.faults {
		if f.kind == "" {
			return nil, fmt.Errorf("fault %q does not come from ParseFaults", f.text)
		}
	}
	for set, pages := range t.pages {
		if set == "" || strings.ContainsAny(set, "/?#%") || len(pages) == 0 {
			return nil, fmt.Errorf("page set %q has no pages or no usable name", set)
		}
	}
	t.Renew()
	return t, nil
}

// Token gives the bearer token issued last, without the word Bearer. It may
// have expired by a fault: [Tenant.Renew].
func (t *Tenant) Token() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}

// Renew issues another token and gives it. Tokens issued before stay as they
// are, valid or expired. A token has the form of a JWT with the claims of the
// time; its signature is none.
func (t *Tenant) Renew() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &dice{state: t.seed ^ 0x746f6b656e}
	tenant, object := d.guid(), d.guid()
	now := t.now().Unix()
	claims, err := json.Marshal(map[string]any{
		"aud": "https://outlook.office.com", "iss": "https://sts.windows.net/" + tenant + "/", "tid": tenant,
		"appid": "00000002-0000-0ff1-ce00-000000000000", "oid": object, "upn": Owner,
		"scp": "Mail.Read", "iat": now, "nbf": now, "exp": now + 3600,
	})
	if err != nil {
		panic("simtenant: claims do not encode: " + err.Error()) // strings and numbers alone
	}
	enc := base64.RawURLEncoding
	body := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + enc.EncodeToString(claims)
	mark := binary.BigEndian.AppendUint64([]byte(body), t.seed)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(mark, uint64(len(t.tokens))))
	t.token = body + "." + enc.EncodeToString(sum[:])
	t.tokens[t.token] = true
	return t.token
}

// Basic gives the user and password that Basic authentication takes.
func (t *Tenant) Basic() (user, password string) {
	d := &dice{state: t.seed ^ 0x6261736963}
	return Owner, d.guid()
}

// Activities gives a copy of what a mailbox holds now, oldest first, then by
// ID; nil if there is no such mailbox. Properties are shared and must not be changed.
func (t *Tenant) Activities(upn string) []Activity {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.mailboxes[strings.ToLower(upn)]
	if m == nil {
		return nil
	}
	rows := make([]Activity, len(m.rows))
	for i, a := range m.rows {
		rows[i] = *a
	}
	return rows
}

// Items gives the ids of what a mailbox holds: messages, and items that are none. Both are sorted.
func (t *Tenant) Items(upn string) (messages, others []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.mailboxes[strings.ToLower(upn)]; m != nil {
		messages, others = slices.Sorted(maps.Keys(m.messages)), slices.Sorted(maps.Keys(m.items))
	}
	return messages, others
}

// Requests gives a copy of the log: every request that reached the tenant, in
// the order of arrival. A request still in work has status 0. The log holds no
// Authorization and grows without bound.
func (t *Tenant) Requests() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.log)
}

// arrive logs a request, gives it its ordinal and what shall go wrong with it.
func (t *Tenant) arrive(r *http.Request) (int, struck) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ordinal := len(t.log) + 1
	var s struck
	for _, f := range t.faults {
		if f.strikes(ordinal) && !f.ofTSA() {
			s = append(s, f)
		}
	}
	t.log = append(t.log, Request{
		Ordinal: ordinal, Method: r.Method, URL: r.RequestURI,
		ClientRequestID: r.Header.Get("client-request-id"), Fault: s.String(),
	})
	return ordinal, s
}

func (t *Tenant) setStatus(ordinal, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log[ordinal-1].Status = status
}
