package wire_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock/vectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Sink that keeps what it is given.
type memory struct {
	mu          sync.Mutex
	connections []*wire.Connection
	exchanges   []*wire.Exchange
	fail        error // returned for exchanges from now on
	calls       int
}

func (m *memory) Connection(_ context.Context, c *wire.Connection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections = append(m.connections, c)
	return nil
}

func (m *memory) Exchange(_ context.Context, x *wire.Exchange) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.exchanges = append(m.exchanges, x)
	return m.fail
}

// A peer is a hand-written server: each connection that is dialled runs the script on the other end of a pipe.
type peer struct {
	script func(net.Conn)
	tls    *tls.Config // server side; nil for plain
	room   bool        // the server's writes do not wait for the client to read
	wg     sync.WaitGroup
	dialed []string
	mu     sync.Mutex
}

func (p *peer) dial(_ context.Context, _, addr string) (net.Conn, error) {
	client, server := net.Pipe()
	p.mu.Lock()
	p.dialed = append(p.dialed, addr)
	p.mu.Unlock()
	if p.room {
		server = p.pumped(server)
	}
	p.wg.Go(func() {
		defer server.Close()
		if p.tls == nil {
			p.script(server)
			return
		}
		c := tls.Server(server, p.tls)
		if c.Handshake() == nil {
			p.script(c)
		}
	})
	return client, nil
}

// A pump gives the writing side of a pipe the room that a socket has.
type pump struct {
	net.Conn
	queue chan []byte
	once  sync.Once
}

func (p *peer) pumped(c net.Conn) net.Conn {
	q := &pump{Conn: c, queue: make(chan []byte, 1024)}
	p.wg.Go(func() {
		defer c.Close()
		for b := range q.queue {
			if _, err := c.Write(b); err != nil {
				c.Close()
			}
		}
	})
	return q
}

func (q *pump) Write(b []byte) (int, error) {
	q.queue <- bytes.Clone(b)
	return len(b), nil
}

// SetWriteDeadline does nothing: crypto/tls uses it to forbid writes after CloseWrite, and the queue may not be empty then.
func (q *pump) SetWriteDeadline(time.Time) error { return nil }

func (q *pump) Close() error {
	q.once.Do(func() { close(q.queue) })
	return nil
}

// readRequest reads one request without a body, byte for byte.
func readRequest(c net.Conn) []byte {
	var b []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		if _, err := c.Read(one); err != nil {
			return b
		}
		b = append(b, one[0])
	}
	return b
}

// reply is a script that reads a request, writes the pieces, and closes.
func reply(pieces ...[]byte) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		for _, p := range pieces {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
		if t, ok := c.(*tls.Conn); ok {
			t.CloseWrite()
		}
	}
}

const host = "api.example.test"

// setup makes a recorder whose connections all lead to p.
func setup(t testing.TB, p *peer, change func(*wire.Options)) (*wire.Recorder, *memory) {
	t.Helper()
	sink := &memory{}
	o := wire.Options{Origin: "http://" + host, SpoolDir: t.TempDir(), Sink: sink, Dial: p.dial, AmbiguousWait: time.Second}
	if p.tls != nil {
		o.Origin = "https://" + host
		o.RootCAs = identity(t).pool
	}
	if change != nil {
		change(&o)
	}
	r, err := wire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		p.wg.Wait()
		for _, x := range sink.exchanges {
			x.Response.Close()
		}
	})
	return r, sink
}

func get(r *wire.Recorder, origin, path string) (*wire.Exchange, error) {
	return r.Do(context.Background(), &wire.Request{Method: "GET", URL: origin + path})
}

func block(t testing.TB, x *wire.Exchange) []byte {
	t.Helper()
	b := make([]byte, x.Response.Size())
	if _, err := x.Response.ReadAt(b, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return b
}

type keys struct {
	cert, selfSigned, otherHost tls.Certificate
	pool                        *x509.CertPool
}

// identity makes, once, a CA and the certificates that the servers show.
var identity = func() func(testing.TB) *keys {
	var once sync.Once
	var k *keys
	return func(t testing.TB) *keys {
		once.Do(func() { k = makeKeys() })
		return k
	}
}()

func makeKeys() *keys {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	make := func(serial int64, name string, parent *x509.Certificate) (tls.Certificate, *x509.Certificate) {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
			BasicConstraintsValid: true, IsCA: parent == nil, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		p := parent
		if p == nil {
			p = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, p, priv.Public(), priv)
		check(err)
		cert, err := x509.ParseCertificate(der)
		check(err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv}, cert
	}
	_, ca := make(1, "test CA", nil)
	k := &keys{pool: x509.NewCertPool()}
	k.pool.AddCert(ca)
	k.cert, _ = make(2, host, ca)
	k.cert.Certificate = append(k.cert.Certificate, ca.Raw)
	k.otherHost, _ = make(3, "other.example.test", ca)
	k.selfSigned, _ = make(4, host, nil)
	return k
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func serverTLS(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{identity(t).cert}}
}

// split cuts b into pieces of n bytes.
func split(b []byte, n int) [][]byte { return slices.Collect(slices.Chunk(b, n)) }

// faithful lists how a recorded exchange differs from what the server wrote. It is the harness of the fidelity tests.
func faithful(v *vectors.Response, x *wire.Exchange, stored []byte) []string {
	var diff []string
	add := func(ok bool, format string, args ...any) {
		if !ok {
			diff = append(diff, fmt.Sprintf(format, args...))
		}
	}
	add(bytes.Equal(stored, v.Block()), "block %.80q, server wrote %.80q", stored, v.Block())
	add(x.Status == v.Status && x.Framing == v.Framing && x.End == v.End, "status, framing, end: %d %q %q, want %d %q %q",
		x.Status, x.Framing, x.End, v.Status, v.Framing, v.End)
	flags := slices.DeleteFunc(slices.Clone(x.Flags), func(s string) bool { return s == wire.FlagExcess })
	add(slices.Equal(flags, v.Flags), "flags %q, want %q", flags, v.Flags)
	add(slices.Equal(x.Interim, v.Interim), "interim %d, want %d", x.Interim, v.Interim)
	add(x.Has(wire.FlagExcess) == (len(x.Excess) > 0), "excess %q with flags %q", x.Excess, x.Flags)
	if !v.Void && v.Framing != "" {
		payload, err := x.Payload(bytes.NewReader(stored))
		if err == nil {
			var got []byte
			got, err = io.ReadAll(payload)
			add(bytes.Equal(got, v.Payload), "payload %.80q, want %.80q", got, v.Payload)
		}
		add(err == nil || v.End != "complete", "payload: %v", err)
	}
	return diff
}

// TestFidelity: every vector, plain and over TLS, in pieces of several sizes.
func TestFidelity(t *testing.T) {
	vs, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	if len(vs) < 40 {
		t.Fatalf("only %d vectors", len(vs))
	}
	for _, v := range vs {
		if v.Method == "CONNECT" {
			continue // the recorder refuses it
		}
		sizes := []int{len(v.Bytes), 1, 7}
		if len(v.Bytes) > 2000 {
			sizes = []int{len(v.Bytes), 1000}
		}
		for _, n := range sizes {
			for _, conf := range []*tls.Config{nil, serverTLS(t)} {
				name := fmt.Sprintf("%s/%d/tls=%v", v.Name, n, conf != nil)
				x, stored, excess := record(t, &v, split(v.Bytes, n), conf)
				for _, d := range faithful(&v, x, stored) {
					t.Errorf("%s: %s", name, d)
				}
				if n == len(v.Bytes) && n < 16000 && !bytes.Equal(excess, v.Excess) {
					t.Errorf("%s: excess %q, want %q", name, excess, v.Excess)
				}
				if !bytes.HasPrefix(v.Excess, excess) {
					t.Errorf("%s: excess %q is no prefix of %q", name, excess, v.Excess)
				}
			}
		}
	}
}

// record runs one exchange against a server that writes the pieces and closes.
func record(t *testing.T, v *vectors.Response, pieces [][]byte, conf *tls.Config) (x *wire.Exchange, stored, excess []byte) {
	t.Helper()
	p := &peer{script: reply(pieces...), tls: conf}
	var origin string
	r, sink := setup(t, p, func(o *wire.Options) { origin = o.Origin; o.SpoolThreshold = 100_000 })
	x, err := r.Do(context.Background(), &wire.Request{Method: v.Method, URL: origin + "/x"})
	var end *wire.EndError
	if (v.End == "complete") != (err == nil) || err != nil && !errors.As(err, &end) {
		t.Fatalf("%s: error %v", v.Name, err)
	}
	if len(sink.exchanges) != 1 || sink.exchanges[0] != x {
		t.Fatalf("%s: the sink has %d exchanges", v.Name, len(sink.exchanges))
	}
	stored, excess = block(t, x), x.Excess
	if (x.Response.Bytes() == nil) != (x.Response.Size() > 100_000) {
		t.Errorf("%s: %d bytes, spooled: %v", v.Name, x.Response.Size(), x.Response.Bytes() == nil)
	}
	x.Response.Close()
	p.wg.Wait() // first: a pipe has no room for the close_notify of a client that closes
	r.Close()
	return x, stored, excess
}

// TestFidelityNotices: the harness catches a recording that differs in one way.
func TestFidelityNotices(t *testing.T) {
	vs, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]func(*wire.Exchange, []byte) []byte{
		"last byte dropped": func(_ *wire.Exchange, b []byte) []byte { return b[:len(b)-1] },
		"line end repaired": func(_ *wire.Exchange, b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		},
		"header case repaired": func(_ *wire.Exchange, b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("cOnTeNt-LeNgTh"), []byte("Content-Length"))
		},
		"interim dropped": func(x *wire.Exchange, b []byte) []byte { return b[x.HeadOffset:] },
		"both length and coding taken": func(x *wire.Exchange, b []byte) []byte {
			if x.Has("length-and-coding") {
				x.Framing, x.End = "chunked", "complete"
			}
			return b
		},
		"cut body called whole": func(x *wire.Exchange, b []byte) []byte {
			if x.End == "cut" {
				x.End = "complete"
			}
			return b
		},
	}
	caught := map[string]int{}
	for _, v := range vs {
		if v.Method == "CONNECT" || len(v.Bytes) > 2000 {
			continue
		}
		for name, plant := range faults {
			x, stored, _ := record(t, &v, [][]byte{v.Bytes}, nil)
			if len(faithful(&v, x, plant(x, stored))) > 0 {
				caught[name]++
			}
		}
	}
	for name := range faults {
		if caught[name] == 0 {
			t.Errorf("not noticed: %s", name)
		}
	}
}

// TestSplitAnywhere writes three responses in two pieces, cut at every byte.
func TestSplitAnywhere(t *testing.T) {
	for _, v := range small(t) {
		for i := 1; i < len(v.Bytes); i++ {
			x, stored, _ := record(t, &v, [][]byte{v.Bytes[:i], v.Bytes[i:]}, nil)
			for _, d := range faithful(&v, x, stored) {
				t.Errorf("%s split at %d: %s", v.Name, i, d)
			}
		}
	}
}

// small returns one vector for each way to delimit a body.
func small(t *testing.T) []vectors.Response {
	vs, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	vs = slices.DeleteFunc(vs, func(v vectors.Response) bool { return !slices.Contains([]string{"length", "chunked", "close"}, v.Name) })
	if len(vs) != 3 {
		t.Fatalf("%d small vectors", len(vs))
	}
	return vs
}

// TestCuts closes the connection after every byte of three responses: plain, over TLS in order, and over TLS without
// close_notify.
func TestCuts(t *testing.T) {
	for _, v := range small(t) {
		for _, mode := range []string{"plain", "tls", "tls-torn"} {
			for i := 0; i <= len(v.Bytes); i++ {
				cutAt(t, v, mode, i)
			}
		}
	}
}

func cutAt(t *testing.T, v vectors.Response, mode string, i int) {
	t.Helper()
	p := &peer{script: reply(v.Bytes[:i])}
	origin := "http://" + host
	if mode != "plain" {
		p.tls, origin = serverTLS(t), "https://"+host
	}
	if mode == "tls-torn" {
		p.script = func(c net.Conn) {
			readRequest(c)
			c.Write(v.Bytes[:i])
			c.(*tls.Conn).NetConn().Close()
		}
	}
	r, _ := setup(t, p, nil)
	x, err := get(r, origin, "/")
	if x == nil {
		t.Fatalf("%s %s at %d: %v", v.Name, mode, i, err)
	}
	want := "cut"
	switch {
	case i == 0:
		want = "no-response"
	case i == len(v.Bytes) && v.Framing != "close":
		want = "complete"
	case v.Framing == "close" && mode != "tls-torn" && i >= bytes.Index(v.Bytes, []byte("\r\n\r\n"))+4:
		want = "complete" // flagged: such a cut cannot be told
		if !x.Has("close-delimited") {
			t.Errorf("%s %s at %d: flags %q", v.Name, mode, i, x.Flags)
		}
	}
	if x.End != want || !bytes.Equal(block(t, x), v.Bytes[:i]) {
		t.Errorf("%s %s at %d: %s %q, want %s %q", v.Name, mode, i, x.End, block(t, x), want, v.Bytes[:i])
	}
	if torn := mode == "tls-torn" && want != "complete"; x.Has(wire.FlagNoCloseNotify) != torn {
		t.Errorf("%s %s at %d: flags %q", v.Name, mode, i, x.Flags)
	}
	var end *wire.EndError
	if errors.As(err, &end) != (want != "complete") || end != nil && (end.End != want || !end.Retryable) {
		t.Errorf("%s %s at %d: error %v", v.Name, mode, i, err)
	}
	x.Response.Close()
	p.wg.Wait() // first: a pipe has no room for the close_notify of a client that closes
	r.Close()
}

func TestReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := l.Accept()
		check(err)
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")
		c.(*net.TCPConn).SetLinger(0) // close by reset
		c.Close()
	})
	r, sink := setup(t, &peer{}, func(o *wire.Options) { o.Origin, o.Dial = "http://"+l.Addr().String(), nil })
	x, err := get(r, "http://"+l.Addr().String(), "/")
	wg.Wait()
	l.Close()
	var end *wire.EndError
	if !errors.As(err, &end) || x == nil || (x.End != wire.EndReset && x.End != "no-response") || x.Err == "" || len(sink.exchanges) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	if want := "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"; !strings.HasPrefix(want, string(block(t, x))) {
		t.Errorf("block %q", block(t, x))
	}
}
