package memnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/pause"
)

// Break is what happens to a line after its last byte.
type Break int

// How a line breaks.
const (
	Never   Break = iota
	Finish        // the stream ends as if the writer had closed it
	Reset         // both ends get ECONNRESET
	Silence       // nothing arrives any more in either direction, and nobody is told
)

// Line is one direction of a connection. Its functions are called by one goroutine at a time, in the order of what is written.
type Line struct {
	Delay func() time.Duration // of the next segment, from writing to arrival; nil for a microsecond
	Size  func() int           // most bytes of the next segment, at least 1; nil for 16 KiB
	Break Break
	After int64 // bytes that arrive before Break
}

// Weather is what one connection meets.
type Weather struct {
	Refused bool          // the dial fails with ECONNREFUSED
	Lost    bool          // the dial is never answered: it ends with its context
	Dial    time.Duration // how long a dial takes
	Up      Line          // from client to server
	Down    Line          // from server to client
}

// Event is one step of the client's end of a connection.
type Event struct {
	Conn int    // number of the dial, from 1
	What string // "dial", "refused", "lost", "read", "write", "close"
	N    int    // bytes
	Err  error
	Data []byte // that were read; it must not be kept
}

// Network joins clients that dial with one listener. Its methods may be called concurrently.
type Network struct {
	weather func(n int) Weather
	log     func(Event)

	mu     sync.Mutex
	dials  int
	live   map[*Conn]bool
	accept chan *Conn
	closed chan struct{}
	once   sync.Once
}

// New makes a network. weather says what the n-th dial meets, from 1; log is told of the client's ends and may be nil.
func New(weather func(n int) Weather, log func(Event)) *Network {
	if log == nil {
		log = func(Event) {}
	}
	return &Network{weather: weather, log: log, live: map[*Conn]bool{}, accept: make(chan *Conn, 1024), closed: make(chan struct{})}
}

// serverAddr and clientHost are of the documentation range 192.0.2.0/24.
var serverAddr = net.IPv4(192, 0, 2, 10)

const (
	serverPort = 443
	clientPort = 40000
)

// ClientPort is the client's port of the n-th dial.
func ClientPort(n int) int { return clientPort + n%20000 }

// DialContext connects to the listener, whatever the address.
func (w *Network) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	w.mu.Lock()
	w.dials++
	n := w.dials
	w.mu.Unlock()
	sky := w.weather(n)
	remote := &net.TCPAddr{IP: serverAddr, Port: serverPort}
	fail := func(what string, err error) (net.Conn, error) {
		w.log(Event{Conn: n, What: what, Err: err})
		return nil, &net.OpError{Op: "dial", Net: network, Addr: remote, Err: err}
	}
	if sky.Lost {
		<-ctx.Done()
		return fail("lost", ctx.Err())
	}
	if err := pause.For(ctx, sky.Dial); err != nil {
		return fail("lost", err)
	}
	if sky.Refused {
		return fail("refused", syscall.ECONNREFUSED)
	}
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 20), Port: ClientPort(n)}
	here, there := w.pair(n, sky, local, remote)
	select {
	case <-w.closed:
		w.forget(here)
		w.forget(there)
		return fail("refused", syscall.ECONNREFUSED)
	default:
	}
	w.accept <- there
	w.log(Event{Conn: n, What: "dial"})
	return here, nil
}

func (w *Network) pair(n int, sky Weather, local, remote net.Addr) (here, there *Conn) {
	up, down := newHalf(sky.Up), newHalf(sky.Down)
	up.back, down.back = down, up
	log := func(what string, k int, err error, data []byte) { w.log(Event{n, what, k, err, data}) }
	here = &Conn{network: w, in: down, out: up, local: local, remote: remote, log: log}
	there = &Conn{network: w, in: up, out: down, local: remote, remote: local, log: func(string, int, error, []byte) {}}
	w.mu.Lock()
	w.live[here], w.live[there] = true, true
	w.mu.Unlock()
	return here, there
}

// Accept is that of net.Listener.
func (w *Network) Accept() (net.Conn, error) {
	select {
	case <-w.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-w.accept:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the server's address.
func (w *Network) Addr() net.Addr { return &net.TCPAddr{IP: serverAddr, Port: serverPort} }

// Close ends the listener. Connections stay.
func (w *Network) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// Cut ends every connection at both ends at once, as if a machine had lost power: nobody hears a farewell.
func (w *Network) Cut() {
	w.mu.Lock()
	live := w.live
	w.live = map[*Conn]bool{}
	w.mu.Unlock()
	for c := range live {
		c.in.fail(net.ErrClosed)
		c.out.fail(net.ErrClosed)
	}
}

func (w *Network) forget(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.live, c)
}

// Conn is one end of a connection.
type Conn struct {
	network       *Network
	in, out       *half
	local, remote net.Addr
	log           func(what string, n int, err error, data []byte)
	linger        bool // Close resets
	once          sync.Once
}

var _ net.Conn = (*Conn)(nil)

// Read returns what has arrived.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	c.log("read", n, err, p[:n])
	return n, wrap("read", err)
}

// Write sends p in segments. It waits where more than 256 KiB have not been read.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	c.log("write", n, err, nil)
	return n, wrap("write", err)
}

// wrap makes errors look as those of package net, but for io.EOF and deadlines.
func wrap(op string, err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return &net.OpError{Op: op, Net: "tcp", Err: err}
	}
	return err
}

// SetLinger makes Close reset the connection, as of a *net.TCPConn with 0.
func (c *Conn) SetLinger(sec int) error {
	if sec < 0 {
		return fmt.Errorf("linger %d", sec)
	}
	c.linger = true
	return nil
}

// Close ends both directions. What was written still arrives, unless SetLinger was called.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.log("close", 0, nil, nil)
		c.network.forget(c)
		c.in.fail(net.ErrClosed)
		how := Finish
		if c.linger {
			how = Reset
		}
		c.out.end(how)
	})
	return nil
}

// LocalAddr is an address of the documentation range.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is an address of the documentation range.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.reading.set(t)
	c.out.writing.set(t)
	return nil
}

// SetReadDeadline is that of net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.reading.set(t)
	return nil
}

// SetWriteDeadline is that of net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.writing.set(t)
	return nil
}
