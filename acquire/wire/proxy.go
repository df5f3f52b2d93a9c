package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// maxProxyAnswer bounds head and body of an answer to CONNECT, in bytes each.
const maxProxyAnswer = 64 << 10

type proxy struct {
	origin        origin
	authorization string // value of Proxy-Authorization, or empty
}

func newProxy(u *url.URL) (*proxy, error) {
	g, rest, err := splitOrigin(u.Scheme + "://" + u.Host)
	if err != nil || rest != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("proxy %q: not an http or https origin", shown(u.String()))
	}
	p := &proxy{origin: g}
	p.authorization = ProxyAuthorization(u)
	return p, nil
}

// ProxyAuthorization is the value of Proxy-Authorization for a proxy, which may be nil; empty if its URL names no user.
func ProxyAuthorization(u *url.URL) string {
	if u == nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
}

func (p *proxy) url() string { return p.origin.scheme + "://" + p.origin.authority() }

// through goes through the proxy, if there is one, as far as it takes to speak to the origin.
func (r *Recorder) through(ctx context.Context, c *conn) error {
	if r.proxy == nil {
		return nil
	}
	hop := c.info.Proxy
	if r.proxy.origin.scheme == "https" {
		hop.TLS = &Handshake{ServerName: r.proxy.origin.host, Pool: r.pool()}
		if err := r.handshake(ctx, c, hop.TLS); err != nil {
			return fmt.Errorf("%w: %w", ErrProxy, err)
		}
	}
	if r.origin.scheme == "http" {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	err := r.tunnel(ctx, c, hop)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProxy, err)
	}
	return nil
}

// tunnel sends CONNECT and reads the answer.
func (r *Recorder) tunnel(ctx context.Context, c *conn, hop *ProxyHop) error {
	addr := r.origin.addr()
	wire := []byte("CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: " + r.o.UserAgent + "\r\n")
	var spans []span
	if v := r.proxy.authorization; v != "" {
		const name = "Proxy-Authorization"
		wire = append(wire, name+": "...)
		s, _ := r.secrets.headerSpan(name, v, len(wire))
		spans = append(spans, s)
		wire = append(wire, v+"\r\n"...)
	}
	wire = append(wire, "\r\n"...)
	n, err := c.Write(wire)
	hop.Request, hop.Redactions = redact(wire, spans, n)
	if err != nil {
		return withContext(ctx, err)
	}
	f := httpblock.NewFramer("CONNECT", httpblock.Limits{Header: maxProxyAnswer, Interim: r.o.MaxInterim, Body: maxProxyAnswer}, nil)
	excess := false
	for !f.Done() && f.Framing() != httpblock.FramingAmbiguous {
		n, err := c.Read(c.buf)
		taken := f.Feed(c.buf[:n])
		hop.Response = append(hop.Response, c.buf[:taken]...)
		excess = taken < n
		if err != nil && !f.Done() {
			hop.Status = f.Layout().Status
			return fmt.Errorf("answer to CONNECT, status %d: %w", hop.Status, withContext(ctx, err))
		}
	}
	l := f.Layout()
	hop.Status = l.Status
	switch {
	case l.End != httpblock.EndComplete:
		return errors.New("answer to CONNECT is malformed or too long")
	case l.Status/100 != 2:
		return fmt.Errorf("CONNECT answered with status %d", l.Status)
	case excess:
		return errors.New("bytes after the answer to CONNECT")
	}
	return nil
}

// withContext prefers the context's error to the time-out that it caused.
func withContext(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	return err
}
