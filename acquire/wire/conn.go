package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// longAgo as a deadline ends a call that is blocked.
var longAgo = time.Unix(1, 0)

// readSize is the read buffer of a connection, in bytes: two TLS records.
const readSize = 32 << 10

// A conn is an established connection. One exchange at a time uses it; while it is idle, a watcher reads from it.
type conn struct {
	net.Conn          // TLS or plain
	raw      net.Conn // as dialled
	tap      *tap     // below TLS
	secure   bool     // Conn is TLS
	used     int64    // exchanges begun
	buf      []byte
	info     *Connection

	watched chan struct{} // closed when the watcher has returned
	clean   bool          // the watcher was woken and saw nothing
}

// A tap notes whether the peer ended the stream below TLS.
type tap struct {
	net.Conn
	eof   bool  // Read returned io.EOF
	stash error // came together with data, due at the next Read

	closing bool // SetWriteDeadline is capped
}

// closeWait bounds the wait for room for a close_notify, for which crypto/tls would take 5 s.
const closeWait = 100 * time.Millisecond

func (t *tap) SetWriteDeadline(d time.Time) error {
	if limit := time.Now().Add(closeWait); t.closing && d.After(limit) {
		d = limit
	}
	return t.Conn.SetWriteDeadline(d)
}

func (t *tap) Read(p []byte) (int, error) {
	if err := t.stash; err != nil {
		t.stash = nil
		t.eof = t.eof || err == io.EOF
		return 0, err
	}
	n, err := t.Conn.Read(p)
	if n > 0 && err != nil {
		t.stash, err = err, nil
	}
	t.eof = t.eof || err == io.EOF
	return n, err
}

// end closes the connection: politely, with close_notify to the origin, only where nothing went wrong.
func (c *conn) end(polite bool) {
	if polite && c.secure {
		c.tap.closing = true
		c.Conn.(*tls.Conn).CloseWrite()
	}
	c.raw.Close()
}

// connection returns an idle connection or a new one that the Sink has recorded.
func (r *Recorder) connection(ctx context.Context) (*conn, error) {
	for {
		c := r.pop()
		if c == nil {
			break
		}
		c.SetReadDeadline(longAgo)
		<-c.watched
		if c.clean {
			return c, nil
		}
	}
	c, info, err := r.dial(ctx)
	if serr := r.sink(func() error { return r.o.Sink.Connection(context.WithoutCancel(ctx), info) }); serr != nil {
		if c != nil {
			c.end(false)
		}
		return nil, serr
	}
	return c, err
}

// pop takes the idle connection that was used last.
func (r *Recorder) pop() *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.idle)
	if n == 0 {
		return nil
	}
	c := r.idle[n-1]
	r.idle = r.idle[:n-1]
	return c
}

// park makes a connection idle, or ends it where there is no room.
func (r *Recorder) park(c *conn) {
	r.mu.Lock()
	if r.closed || r.failed != nil || len(r.idle) >= r.o.MaxIdle {
		r.mu.Unlock()
		c.end(true)
		return
	}
	c.watched = make(chan struct{})
	c.clean = false
	c.SetReadDeadline(time.Time{})
	r.watchers.Add(1)
	go r.watch(c)
	r.idle = append(r.idle, c)
	r.mu.Unlock()
}

// watch reads from an idle connection. It returns when it is woken by a deadline, and otherwise removes the connection:
// whatever the peer does to an idle connection ends it.
func (r *Recorder) watch(c *conn) {
	defer r.watchers.Done()
	n, err := c.Read(c.buf)
	for n == 0 && err == nil {
		n, err = c.Read(c.buf)
	}
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.clean = true
		close(c.watched)
		return
	}
	r.mu.Lock()
	for i, o := range r.idle {
		if o == c {
			r.idle = append(r.idle[:i], r.idle[i+1:]...)
			break
		}
	}
	if n > 0 {
		r.strays = append(r.strays, Stray{Connection: c.info.Ordinal, Time: r.o.Now(), Bytes: append([]byte(nil), c.buf[:n]...)})
	}
	r.mu.Unlock()
	c.end(false)
	close(c.watched)
}

// closeIdle wakes and ends all idle connections.
func (r *Recorder) closeIdle() {
	for c := r.pop(); c != nil; c = r.pop() {
		c.SetReadDeadline(longAgo)
		<-c.watched
		if c.clean {
			c.end(true)
		}
	}
}

// dial makes a connection. The Connection describes the attempt whether or not it succeeds.
func (r *Recorder) dial(ctx context.Context) (*conn, *Connection, error) {
	r.mu.Lock()
	r.ordinal++
	info := &Connection{Ordinal: r.ordinal, Address: r.origin.addr(), Started: r.o.Now()}
	r.mu.Unlock()
	if r.proxy != nil {
		info.Address = r.proxy.origin.addr()
		info.Proxy = &ProxyHop{URL: r.proxy.url()}
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.DialTimeout)
	defer cancel()
	c, err := r.establish(ctx, info)
	if err != nil {
		info.Err = err.Error()
		return nil, info, fmt.Errorf("connection %d: %w", info.Ordinal, err)
	}
	info.Established = r.o.Now()
	return c, info, nil
}

// establish goes from the address to a connection that is ready for requests.
func (r *Recorder) establish(ctx context.Context, info *Connection) (*conn, error) {
	raw, err := r.o.Dial(ctx, "tcp", info.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	info.RemoteAddr, info.LocalAddr = addrOf(raw.RemoteAddr()), addrOf(raw.LocalAddr())
	c := &conn{Conn: raw, raw: raw, info: info, buf: make([]byte, readSize)}
	if err := r.through(ctx, c); err != nil {
		raw.Close()
		return nil, err
	}
	if r.origin.scheme == "https" {
		info.TLS = &Handshake{ServerName: r.origin.host, Pool: r.pool()}
		if err := r.handshake(ctx, c, info.TLS); err != nil {
			raw.Close()
			return nil, err
		}
	} else if !c.secure {
		c.tap = &tap{Conn: c.Conn}
		c.Conn = c.tap
	}
	return c, nil
}

func addrOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func (r *Recorder) pool() string {
	if r.o.RootCAs != nil {
		return "own"
	}
	return "system"
}

// handshake puts TLS over c. Verification is that of crypto/tls; a refused chain is taken from its error.
func (r *Recorder) handshake(ctx context.Context, c *conn, h *Handshake) error {
	t := &tap{Conn: c.Conn}
	tc := tls.Client(t, &tls.Config{
		ServerName:    h.ServerName,
		RootCAs:       r.o.RootCAs,
		MinVersion:    tls.VersionTLS12,
		NextProtos:    []string{"http/1.1"},
		Renegotiation: tls.RenegotiateNever,
		Rand:          r.o.Rand,
		Time:          r.o.Now,
	})
	err := tc.HandshakeContext(ctx)
	var refused *tls.CertificateVerificationError
	certs := tc.ConnectionState().PeerCertificates
	if errors.As(err, &refused) {
		certs = refused.UnverifiedCertificates
	}
	for _, cert := range certs {
		h.Chain = append(h.Chain, cert.Raw)
	}
	if err != nil {
		h.Err = err.Error()
		return fmt.Errorf("%w: %w", ErrTLS, err)
	}
	s := tc.ConnectionState()
	h.Version, h.CipherSuite, h.ALPN = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol
	h.Verified = len(s.VerifiedChains) > 0
	c.Conn, c.tap, c.secure = tc, t, true
	return nil
}
