package witness

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Client sends requests to witnesses. SpoolDir is required.
type Client struct {
	RootCAs  *x509.CertPool // nil for the system's
	Proxy    func(origin string) (*url.URL, error)
	SpoolDir string
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	Patience time.Duration // for one answer; 0 for 20 s
}

var _ trust.Poster = (*Client)(nil)

// Post sends one request. What crosses the connection is not kept: the cosignature is, and proves itself.
func (c *Client) Post(ctx context.Context, address string, body []byte) (int, []byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return 0, nil, errors.New("address of a witness is no https URL")
	}
	o := wire.Options{Origin: "https://" + u.Host, RootCAs: c.RootCAs, SpoolDir: c.SpoolDir, Dial: c.Dial, Sink: nowhere{},
		HeaderTimeout: c.patience(), IdleTimeout: c.patience(), DialTimeout: c.patience(), MaxIdle: -1}
	if c.Proxy != nil {
		if o.Proxy, err = c.Proxy(o.Origin); err != nil {
			return 0, nil, err
		}
	}
	recorder, err := wire.New(o)
	if err != nil {
		return 0, nil, err
	}
	defer recorder.Close()
	x, err := recorder.Do(ctx, &wire.Request{Method: "POST", URL: address, Body: body, MaxBody: trust.MaxAnswer,
		Header: []httpblock.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}})
	if x != nil {
		defer x.Response.Close()
	}
	if err != nil {
		return 0, nil, fmt.Errorf("witness at %s: %w", o.Origin, err)
	}
	payload, err := x.Payload(x.Response)
	if err != nil {
		return 0, nil, fmt.Errorf("answer of the witness at %s: %w", o.Origin, err)
	}
	answer, err := io.ReadAll(io.LimitReader(payload, trust.MaxAnswer+1))
	return x.Status, answer, err
}

func (c *Client) patience() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return 20 * time.Second
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Connection(context.Context, *wire.Connection) error { return nil }
func (nowhere) Exchange(context.Context, *wire.Exchange) error     { return nil }
