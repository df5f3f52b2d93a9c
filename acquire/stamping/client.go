package stamping

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
)

// Client is the [Transport] over HTTP/1.1: the recorder of package wire, which records nothing here. It follows no redirect, asks nothing twice, sends no credential, and takes no answer above
// [rfc3161.MaxSize]. A zero value is ready, but for SpoolDir.
type Client struct {
	SpoolDir  string         // a folder that exists; nothing is written there, because no answer is large enough
	RootCAs   *x509.CertPool // nil for the system's. Tokens do not depend on whom the connection was to
	Proxy     func(origin string) (*url.URL, error)
	UserAgent string
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	Now       func() time.Time
}

// Bounds of one exchange beyond the caller's context.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 15 * time.Second
	idleTimeout   = 10 * time.Second
	maxHeader     = 64 << 10
	maxInterim    = 4
)

// nothing is a sink that keeps nothing: a token proves itself, and the ledger has it.
type nothing struct{}

func (nothing) Connection(context.Context, *wire.Connection) error { return nil }
func (nothing) Exchange(context.Context, *wire.Exchange) error     { return nil }

// Post asks once. Any status but 200 is an error, and so is an answer that is cut or coded.
func (c *Client) Post(ctx context.Context, target string, query []byte) ([]byte, error) {
	o := wire.Options{Origin: originOf(target), RootCAs: c.RootCAs, UserAgent: c.UserAgent, MaxHeader: maxHeader, MaxInterim: maxInterim, MaxBody: rfc3161.MaxSize,
		DialTimeout: dialTimeout, HeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxIdle: -1, SpoolDir: c.SpoolDir, SpoolThreshold: 4 * rfc3161.MaxSize,
		Dial: c.Dial, Now: c.Now, Sink: nothing{}}
	var err error
	if c.Proxy != nil {
		if o.Proxy, err = c.Proxy(o.Origin); err != nil {
			return nil, err
		}
	}
	r, err := wire.New(o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	x, err := r.Do(ctx, &wire.Request{Method: "POST", URL: target, Body: query,
		Header: []httpblock.Field{{Name: "Content-Type", Value: rfc3161.QueryType}, {Name: "Accept", Value: rfc3161.ReplyType}}})
	if x != nil {
		defer x.Response.Close()
	}
	if err != nil {
		return nil, err
	}
	if x.Status != 200 {
		return nil, fmt.Errorf("answer with status %d", x.Status)
	}
	if coding, ok := x.Fields.Get("Content-Encoding"); ok && !strings.EqualFold(strings.TrimSpace(coding), "identity") {
		return nil, fmt.Errorf("answer in content coding %q", coding)
	}
	body, err := x.Payload(x.Response)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(body, rfc3161.MaxSize+1))
}

// originOf is a URL without what follows its authority; wire.New says whether it is an origin.
func originOf(target string) string {
	scheme, rest, _ := strings.Cut(target, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + rest
}
