package acquire

import (
	"context"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const (
	chainType = "application/pem-certificate-chain"
	bytesType = "application/octet-stream"

	excessURI       = "urn:exhibit:excess"
	certificatesURI = "urn:exhibit:certificates"
	strayURI        = "urn:exhibit:stray"

	actionStray = "stray-bytes"
	maxErrText  = 1024 // of an error, in bytes
)

// asked is one request on its way. The sink gets it through the context of the recorder's Do.
type asked struct {
	chain, page, before int64
	parent, retryOf     int64
	attempt             int64
	flags               []string
	slot                *slot
	edition             int64 // of the credential, set when the request is authorized
	claims              []evidence.Pair

	entry *evidence.Entry // set when it is durable
}

type askedKey struct{}

func askedOf(ctx context.Context) *asked {
	a, _ := ctx.Value(askedKey{}).(*asked)
	return a
}

// sink makes entries of what the recorder recorded, and returns when they are durable.
type sink struct {
	c      Case
	env    casefile.Env
	run    string
	source string
	origin string
	window int64
	scrub  func(string) string // keeps the credential out of errors

	mu          sync.Mutex
	connections map[int64]int64 // the recorder's ordinal → seq
	counter     int64
	bytes       int64     // of answers
	recorded    int64     // of blocks, and perEntry for each entry: what MaxBytes bounds
	first, last *offset   // of the clock
	clock       time.Time // at the last look
}

// offset is how far the server's clock was ahead of ours, as far as whole seconds tell.
type offset struct {
	at   time.Time
	diff time.Duration
}

var _ wire.Sink = (*sink)(nil)

// Connection appends a connection entry (docs/container.md, 4.4 and 4.5).
func (s *sink) Connection(ctx context.Context, c *wire.Connection) error {
	body := &evidence.Connection{Number: c.Ordinal, Origin: s.origin, Remote: c.RemoteAddr, Local: c.LocalAddr, Roots: "none", Error: clip(s.scrub(c.Err))}
	d := &evidence.Draft{Start: c.Started, End: c.Established, Source: s.source, Run: s.run, Body: body}
	if c.Proxy != nil {
		body.Proxy = c.Proxy.URL
		d.Records = append(d.Records, connectRecords(c, s.origin+"/")...)
		body.Redactions = redactions(c.Proxy.Redactions)
	}
	if t := c.TLS; t != nil {
		body.Protocol, body.TLSVersion, body.Cipher, body.ServerName, body.Verified = t.ALPN, t.Version, t.CipherSuite, t.ServerName, t.Verified
		body.Roots = map[string]string{"own": "file", "system": "system"}[t.Pool]
		if len(t.Chain) > 0 {
			var chain []byte
			for _, der := range t.Chain {
				chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
			}
			d.Records = append(d.Records, resource(certificatesURI, chainType, chain))
		}
	}
	e, err := s.append(ctx, d)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections[c.Ordinal] = e.Head.Seq
	return nil
}

// append appends an entry and counts what it adds to the case.
func (s *sink) append(ctx context.Context, d *evidence.Draft) (*evidence.Entry, error) {
	n := int64(perEntry)
	for i := range d.Records {
		n += int64(len(d.Records[i].Block)) + d.Records[i].Size
	}
	s.mu.Lock()
	s.recorded += n
	s.mu.Unlock()
	return s.c.Append(ctx, d)
}

// redactions are those of the first record of an entry, its request.
func redactions(all []wire.Redaction) []evidence.Redaction {
	out := []evidence.Redaction{}
	for _, r := range all {
		out = append(out, evidence.Redaction{Record: 0, What: r.What, Name: r.Name, Offset: r.Offset, Length: r.Length})
	}
	return out
}

// connectRecords are the records of a proxy's CONNECT.
func connectRecords(c *wire.Connection, target string) []evidence.RecordDraft {
	var records []evidence.RecordDraft
	if len(c.Proxy.Request) > 0 {
		records = append(records, evidence.RecordDraft{Type: warc.Request, URI: target, Block: c.Proxy.Request})
	}
	if len(c.Proxy.Response) > 0 {
		records = append(records, evidence.RecordDraft{Type: warc.Response, URI: target, Block: c.Proxy.Response})
	}
	return records
}

// Exchange appends an exchange entry.
func (s *sink) Exchange(ctx context.Context, x *wire.Exchange) error {
	a := askedOf(ctx)
	a.slot.answered(x.Response.Size())
	for _, stray := range x.Strays {
		if err := s.stray(ctx, stray); err != nil {
			return err
		}
	}
	if err := s.look(ctx, x.Ended); err != nil {
		return err
	}
	s.mu.Lock()
	s.counter++
	counter, connection := s.counter, s.connections[x.Connection.Ordinal]
	s.mu.Unlock()
	body := &evidence.Exchange{
		Counter: counter, RequestID: x.RequestID, Connection: connection, URL: x.URL, Chain: a.chain, Page: a.page, Parent: a.parent,
		Before: a.before, Attempt: a.attempt, RetryOf: a.retryOf, Protocol: x.Proto, Framing: x.Framing, Ended: x.End,
		Interim: []int64{}, Flags: flags(x, a), HeadOffset: evidence.None, Redactions: []evidence.Redaction{}, Claims: append([]evidence.Pair{}, a.claims...), Error: clip(s.scrub(x.Err)),
	}
	for _, status := range x.Interim {
		body.Interim = append(body.Interim, int64(status))
	}
	if x.HeadLength > 0 {
		body.HeadOffset, body.HeadLength = x.HeadOffset, x.HeadLength
	}
	body.Redactions = redactions(x.Redactions)
	e, err := s.append(ctx, &evidence.Draft{Start: x.Started, End: x.Ended, Source: s.source, Window: s.window, Method: x.Method,
		Status: int64(x.Status), Run: s.run, Body: body, Records: records(x)})
	if err != nil {
		return err
	}
	a.entry = e
	s.note(x)
	return nil
}

func flags(x *wire.Exchange, a *asked) []string {
	words := slices.Concat([]string{}, x.Flags, a.flags)
	slices.Sort(words)
	return slices.Compact(words)
}

// note keeps count, and compares clocks.
func (s *sink) note(x *wire.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += x.Response.Size()
	value, ok := x.Fields.Get("Date")
	if !ok || x.FirstByte.IsZero() {
		return
	}
	if t, ok := parseDate(value); ok {
		s.last = &offset{x.FirstByte, t.Sub(x.FirstByte.Truncate(time.Second))}
		if s.first == nil {
			s.first = s.last
		}
	}
}

// records are those of an exchange (docs/container.md, 4.5).
func records(x *wire.Exchange) []evidence.RecordDraft {
	all := []evidence.RecordDraft{{Type: warc.Request, URI: x.URL, Block: x.Request}}
	if x.Response.Size() == 0 {
		return all
	}
	response := evidence.RecordDraft{Type: warc.Response, URI: x.URL, Truncated: truncated(x.End), Block: x.Response.Bytes()}
	if response.Block == nil {
		response.Source, response.Size = x.Response, x.Response.Size()
	}
	all = append(all, response)
	if len(x.Excess) > 0 {
		all = append(all, resource(excessURI, bytesType, x.Excess))
	}
	return all
}

// stray appends what came on an idle connection: an act of the other side that answers nothing.
func (s *sink) stray(ctx context.Context, b wire.Stray) error {
	s.mu.Lock()
	connection := s.connections[b.Connection]
	s.mu.Unlock()
	_, err := s.append(ctx, &evidence.Draft{Start: b.Time, Source: s.source, Run: s.run,
		Body: &evidence.Operator{Action: actionStray, Text: "bytes came on an idle connection; they answer no request", Operator: s.env.Operator, Host: s.env.Host,
			Fields: []evidence.Pair{{Name: "connection", Value: strconv.FormatInt(connection, 10)}, {Name: "bytes", Value: strconv.Itoa(len(b.Bytes))}}},
		Records: []evidence.RecordDraft{resource(strayURI, bytesType, b.Bytes)}})
	return err
}

func resource(uri, contentType string, block []byte) evidence.RecordDraft {
	return evidence.RecordDraft{Type: warc.Resource, URI: uri, ContentType: contentType, Block: block}
}

// truncated is the word of docs/container.md, 2.3, for how an exchange ended.
func truncated(end string) string {
	switch end {
	case httpblock.EndComplete:
		return ""
	case httpblock.EndBodyBudget, httpblock.EndHeaderBudget, httpblock.EndInterimBudget:
		return "length"
	case wire.EndIdle, wire.EndSlow:
		return "time"
	case httpblock.EndCut, wire.EndReset:
		return "disconnect"
	}
	return "unspecified"
}

// clip keeps an error's text short enough for a line: a peer can make it long.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxErrText {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrText-3], "") + "..."
}

// authorize is what the recorder calls for each request.
func (r *run) authorize(ctx context.Context) (string, error) {
	value, edition, err := r.o.Credential.Authorization(ctx)
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	a := askedOf(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if value != r.authorization {
		r.authorization, r.claims = value, auth.Claims(value)
		r.scrubber.learn(value) // what was sent before stays known: the service may write it still
	}
	a.edition, a.claims = edition, r.claims
	return value, nil
}
