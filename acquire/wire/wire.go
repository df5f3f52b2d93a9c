package wire

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// A Sink makes what was recorded durable. Both methods return only when that is done or has failed, may be
// called concurrently, and get a context that the caller of Do cannot cancel. What they are given does not change
// afterwards; a spooled response stays readable until they return.
type Sink interface {
	// Connection takes each connection attempt, before any request goes over it; failed ones too.
	Connection(ctx context.Context, c *Connection) error
	// Exchange takes each exchange, however it ended.
	Exchange(ctx context.Context, x *Exchange) error
}

// Options configure a [Recorder]. Origin, Sink and SpoolDir are required; a zero value elsewhere means the default.
type Options struct {
	Origin  string         // "https://host[:port]" or "http://host[:port]": where requests and tokens may go
	RootCAs *x509.CertPool // verifies server and proxy; nil means the pool of the system
	Proxy   *url.URL       // http or https, by CONNECT for an https origin; nil means none

	// Authorize returns the value of Authorization for one request, empty for none; it may be nil.
	Authorize      func(context.Context) (string, error)
	AcceptEncoding string // default "identity"
	UserAgent      string // default "exhibit"

	SecretHeaders []string // names beyond the built-in ones whose values are redacted
	SecretQuery   []string // likewise for query parameters

	MaxHeader  int64 // bytes of all heads and trailers of a response; default 1 MiB, at most httpblock.MaxHeader
	MaxInterim int   // 1xx responses; default 16
	MaxBody    int64 // bytes of a body on the wire; default 1 GiB

	DialTimeout   time.Duration // address, proxy and TLS together; default 30 s
	HeaderTimeout time.Duration // from the start of sending to the end of the head; default 120 s
	IdleTimeout   time.Duration // without a byte, in either direction; default 60 s
	AmbiguousWait time.Duration // without a byte where the framing does not tell the end; default 5 s
	MinRate       int64         // bytes/s of a body over each MinRateSpan; default 64, negative for no limit
	MinRateSpan   time.Duration // default 60 s

	MaxIdle        int    // idle connections kept; default 8, negative for none
	SpoolDir       string // where responses above SpoolThreshold go, as files of mode 0600
	SpoolThreshold int64  // bytes; default 4 MiB

	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // default net.Dialer
	Now  func() time.Time                                                  // stamps times; time-outs run on the monotonic clock
	Rand io.Reader                                                         // for TLS; default crypto/rand
	Sink Sink
}

func (o *Options) defaults() {
	or(&o.AcceptEncoding, "identity")
	or(&o.UserAgent, "exhibit")
	or(&o.MaxHeader, 1<<20)
	or(&o.MaxInterim, 16)
	or(&o.MaxBody, 1<<30)
	or(&o.DialTimeout, 30*time.Second)
	or(&o.HeaderTimeout, 120*time.Second)
	or(&o.IdleTimeout, 60*time.Second)
	or(&o.AmbiguousWait, 5*time.Second)
	or(&o.MinRate, 64)
	or(&o.MinRateSpan, 60*time.Second)
	or(&o.MaxIdle, 8)
	or(&o.SpoolThreshold, 4<<20)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func or[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// A Recorder sends and records requests to one origin. Do may be called from many goroutines.
type Recorder struct {
	o       Options
	origin  origin
	proxy   *proxy
	secrets names

	mu       sync.Mutex
	idle     []*conn
	strays   []Stray
	ordinal  int64
	failed   error // of the Sink or a spool; ends all work
	lost     int64 // exchanges that the Sink has not
	closed   bool
	watchers sync.WaitGroup
}

// New checks the options. Nothing is dialled before the first Do.
func New(o Options) (*Recorder, error) {
	o.defaults()
	switch {
	case o.Sink == nil:
		return nil, errors.New("recorder options: no sink")
	case o.SpoolDir == "":
		return nil, errors.New("recorder options: no spool folder")
	case o.MaxHeader < 0, o.MaxHeader > httpblock.MaxHeader, o.MaxInterim < 0, o.MaxBody < 0, o.SpoolThreshold < 0:
		return nil, errors.New("recorder options: limit out of range")
	case !isFieldValue(o.AcceptEncoding), !isFieldValue(o.UserAgent):
		return nil, errors.New("recorder options: control byte in a header value")
	}
	g, rest, err := splitOrigin(o.Origin)
	if err != nil || rest != "" {
		return nil, fmt.Errorf("origin %q: %w", shown(o.Origin), ErrOrigin)
	}
	r := &Recorder{o: o, origin: g, secrets: newNames(o.SecretHeaders, o.SecretQuery)}
	if o.Proxy != nil {
		if r.proxy, err = newProxy(o.Proxy); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// A Request is one request to the recorder's origin.
type Request struct {
	Method string
	// URL is absolute. What follows its authority is sent byte for byte; control bytes, spaces, bytes above 0x7e, and '#' are refused.
	URL string
	// Header is sent in this order, after Host. Host, User-Agent, Accept-Encoding, Authorization, client-request-id,
	// Content-Length and Connection are added where it lacks them. Transfer-Encoding is refused.
	Header    []httpblock.Field
	Body      []byte
	RequestID string // value of client-request-id; none if empty
	MaxBody   int64  // bounds this answer's body further than Options does; 0 for no further
}

// Do sends one request, records the exchange, waits until the Sink has it, and returns it. The caller closes
// the exchange's Response.
//
// A response that did not end "complete" comes with an *[EndError]. Nothing was sent where the error is [ErrOrigin], [ErrRequest],
// [ErrDial], [ErrTLS], [ErrProxy] or from Authorize, or the context had ended; no exchange is returned then. When the Sink or a
// spool file fails, Do returns that error and no exchange, and the recorder refuses further work.
func (r *Recorder) Do(ctx context.Context, req *Request) (*Exchange, error) {
	if err := r.usable(ctx); err != nil {
		return nil, err
	}
	out, err := r.compose(ctx, req)
	if err != nil {
		return nil, err
	}
	c, err := r.connection(ctx)
	if err != nil {
		return nil, err
	}
	x, err := r.exchange(ctx, c, out)
	if err != nil {
		r.lose()
		r.fail(err)
		return nil, err
	}
	x.Strays = r.Strays()
	if err := r.sink(func() error { return r.o.Sink.Exchange(context.WithoutCancel(ctx), x) }); err != nil {
		r.lose()
		x.Response.Close()
		return nil, err
	}
	return x, endError(x, out)
}

// usable reports why no work can begin.
func (r *Recorder) usable(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.failed != nil:
		return fmt.Errorf("recorder stopped: %w", r.failed)
	case r.closed:
		return ErrClosed
	}
	return ctx.Err()
}

// sink runs one call of the Sink; the first failure ends the recorder. What was under way then is offered to the Sink all the same: it may have been a spool file that
// failed.
func (r *Recorder) sink(call func() error) error {
	if err := call(); err != nil {
		err = fmt.Errorf("record: %w", err)
		r.fail(err)
		return err
	}
	return nil
}

// fail makes err the recorder's end.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	if r.failed == nil {
		r.failed = err
	}
	r.mu.Unlock()
	r.closeIdle()
}

// lose counts an exchange that was begun and that the Sink has not.
func (r *Recorder) lose() {
	r.mu.Lock()
	r.lost++
	r.mu.Unlock()
}

// Lost is how many requests may have been sent whose exchanges the Sink has not, because it or a spool file failed.
func (r *Recorder) Lost() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// Strays returns, and forgets, the bytes that came on idle connections and that no exchange has reported yet.
// It is for the time after Close.
func (r *Recorder) Strays() []Stray {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.strays
	r.strays = nil
	return s
}

// Close closes the idle connections. A Do in flight ends undisturbed; later ones give [ErrClosed].
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.closeIdle()
	r.watchers.Wait()
	return nil
}
