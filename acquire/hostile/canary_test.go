package hostile

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// canaries are listeners where nobody may connect: the server's own port on the other addresses of this machine's loopback, another port on all of them, and the ports that a link without one means.
type canaries struct {
	other string // the other port

	conf      *tls.Config
	listeners []net.Listener
	wg        sync.WaitGroup
	mu        sync.Mutex
	conns     []net.Conn
	touched   []string // addresses, once for each connection
	tokens    int      // requests that carried the token
}

// withCanaries makes a server on 127.0.0.1 and the canaries around it.
func withCanaries(t testing.TB, answer func(c net.Conn, r *request) bool) (*server, *canaries) {
	t.Helper()
	k := &canaries{conf: &tls.Config{Certificates: []tls.Certificate{certificates(t).good}}}
	t.Cleanup(k.close)
	own, port, err := k.port("127.0.0.1", "127.0.0.2", "[::1]")
	if err != nil {
		t.Fatal(err)
	}
	first, other, err := k.port("127.0.0.1", "127.0.0.2", "[::1]")
	if err != nil {
		t.Fatal(err)
	}
	k.other = other
	k.guard(first)
	for _, addr := range []string{"127.0.0.2:" + port, "[::1]:" + port, "127.0.0.2:" + other, "[::1]:" + other} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		k.guard(l)
	}
	for _, addr := range []string{"127.0.0.1:443", "127.0.0.1:80", "127.0.0.2:443", "127.0.0.2:80", "[::1]:443", "[::1]:80"} {
		if l, err := net.Listen("tcp", addr); err == nil { // who may not listen there still sees in what was dialled that nobody connected
			k.guard(l)
		}
	}
	return serveOn(t, own, nil, answer), k
}

// port listens on a port of the first host that is free on the others too.
func (k *canaries) port(hosts ...string) (net.Listener, string, error) {
	var last error
	for range 20 {
		l, err := net.Listen("tcp", hosts[0]+":0")
		if err != nil {
			return nil, "", err
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		free := true
		for _, h := range hosts[1:] {
			probe, err := net.Listen("tcp", h+":"+port)
			if err != nil {
				free, last = false, err
				break
			}
			probe.Close()
		}
		if free {
			return l, port, nil
		}
		l.Close()
	}
	return nil, "", errors.Join(errors.New("no port is free on all addresses of loopback"), last)
}

// guard counts who connects. A client that goes on is answered, over TLS or not, so that a token that it sends is seen.
func (k *canaries) guard(l net.Listener) {
	k.listeners = append(k.listeners, l)
	k.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			k.touched = append(k.touched, l.Addr().String())
			k.conns = append(k.conns, c)
			k.mu.Unlock()
			k.wg.Go(func() { k.talk(c) })
		}
	})
}

// first is a connection of which a byte was read ahead.
type first struct {
	net.Conn
	in *bufio.Reader
}

func (f *first) Read(p []byte) (int, error) { return f.in.Read(p) }

func (k *canaries) talk(c net.Conn) {
	defer c.Close()
	f := &first{c, bufio.NewReader(c)}
	b, err := f.in.Peek(1)
	if err != nil {
		return
	}
	var conn net.Conn = f
	if b[0] == 0x16 { // a TLS handshake
		conn = tls.Server(f, k.conf)
	}
	r, err := readRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if strings.Contains(r.raw, token) {
		k.mu.Lock()
		k.tokens++
		k.mu.Unlock()
	}
	say(conn, page(`{"value":[]}`))
}

func (k *canaries) close() {
	for _, l := range k.listeners {
		l.Close()
	}
	k.mu.Lock()
	for _, c := range k.conns {
		c.Close()
	}
	k.mu.Unlock()
	k.wg.Wait()
}

// hits are the addresses that were connected to, and how many requests there carried the token.
func (k *canaries) hits() (touched []string, tokens int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.touched...), k.tokens
}

// silent requires that nobody connected to a canary.
func (k *canaries) silent(t testing.TB) {
	t.Helper()
	if touched, tokens := k.hits(); len(touched) > 0 {
		t.Errorf("canaries were touched: %q, %d times with the token", touched, tokens)
	}
}

// TestCanaries: a connection to each is noticed, and a token that comes with it, plain or over TLS.
func TestCanaries(t *testing.T) {
	s, k := withCanaries(t, func(net.Conn, *request) bool { return false })
	want := 0
	for _, addr := range []string{"127.0.0.2:" + s.port, "[::1]:" + s.port, "127.0.0.1:" + k.other, "127.0.0.2:" + k.other, "[::1]:" + k.other} {
		for _, secure := range []bool{false, true} {
			var c net.Conn
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if secure {
				c = tls.Client(c, &tls.Config{RootCAs: certificates(t).pool, ServerName: "localhost"})
			}
			want++
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nAuthorization: Bearer %s\r\n\r\n", token)
			if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
				t.Error(err)
			}
			c.Close()
			if touched, tokens := k.hits(); len(touched) != want || tokens != want {
				t.Errorf("%s, TLS %v: touched %q, %d tokens", addr, secure, touched, tokens)
			}
		}
	}
}
