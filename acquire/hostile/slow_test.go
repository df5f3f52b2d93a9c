package hostile

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// drip writes b in pieces of n bytes, each after a while. It begins a little late, so that no byte comes at the very end of a time.
func drip(c net.Conn, b string, n int, every time.Duration) {
	time.Sleep(100 * time.Millisecond)
	for len(b) > 0 {
		time.Sleep(every)
		k := min(n, len(b))
		if !say(c, b[:k]) {
			return
		}
		b = b[k:]
	}
}

// swallow reads until the other side goes away.
func swallow(c net.Conn) bool {
	_, _ = io.Copy(io.Discard, c) // what ends it is all the same
	return false
}

// slowServers is row S5, with the times that the recorder has by default: 30 s for a connection, 120 s for a head, 60 s without a byte, 64 bytes a second over a minute of a body, and 5 s where the framing
// does not tell the end. The times are from the start of the attempt, by hand.
type slowServer struct {
	name          string
	open          func(net.Conn) (net.Conn, error) // nil for plain HTTP
	talk          func(c net.Conn, r *request) bool
	state, reason string
	ended         string // of the exchange; empty if there is none
	after         time.Duration
	kept          int // bytes of the answer
}

func slowServers(conf *tls.Config) []slowServer {
	handshake := func(c net.Conn) (net.Conn, error) {
		s := tls.Server(c, conf)
		return s, s.Handshake()
	}
	return []slowServer{
		{"silent before TLS", func(c net.Conn) (net.Conn, error) { swallow(c); return nil, io.EOF }, nil, evidence.Failed, acquire.ReasonNetwork, "", 30 * time.Second, 0},
		{"TLS handshake a byte a second", func(c net.Conn) (net.Conn, error) { return handshake(&dripping{c, 1, time.Second}) }, nil, evidence.Failed, acquire.ReasonNetwork, "", 30 * time.Second, 0},
		{"reads no request", func(c net.Conn) (net.Conn, error) { time.Sleep(time.Hour); return nil, io.EOF }, nil, evidence.Failed, acquire.ReasonNetwork, "", 30 * time.Second, 0},
		{"silent", nil, func(c net.Conn, _ *request) bool { return swallow(c) }, evidence.Failed, acquire.ReasonBrokenAnswer, "idle", 120 * time.Second, 0},
		{"half a status line", nil, func(c net.Conn, _ *request) bool { say(c, "HTTP/1."); return swallow(c) }, evidence.Failed, acquire.ReasonBrokenAnswer, "idle", 60 * time.Second, 7},
		{"head, a byte a second", nil, func(c net.Conn, _ *request) bool {
			drip(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y\r\n", 1000), 1, time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 120 * time.Second, 119},
		{"head, a line in 50 s", nil, func(c net.Conn, _ *request) bool {
			drip(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y-23456789012\r\n", 1000), 17, 50*time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 120 * time.Second, 34},
		{"1xx for ever", nil, func(c net.Conn, _ *request) bool {
			drip(c, strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100), 27, 11*time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 120 * time.Second, 10 * 27},
		{"body stops", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"value\"")
			return swallow(c)
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 48}, // silent for a minute is also slow,
		{"body, a byte a second", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			drip(c, strings.Repeat("z", 1000), 1, time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 43 + 59},
		{"body, 60 bytes a second", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			drip(c, strings.Repeat("z", 100000), 60, time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 43 + 59*60},
		{"body, fast and then slow", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			drip(c, strings.Repeat("z", 6000), 100, time.Second) // the first minute has enough
			drip(c, strings.Repeat("z", 1000), 1, time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 120 * time.Second, 43 + 6000 + 59},
		{"between chunks", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			drip(c, strings.Repeat("1\r\nx\r\n", 100), 6, 20*time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 47 + 2*6},
		{"a chunk size that does not end", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			drip(c, strings.Repeat("0", 1000), 1, 59*time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 47 + 1},
		{"trailers that do not end", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
			drip(c, strings.Repeat("X: y\r\n", 100), 6, time.Second)
			return swallow(c)
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 47 + 3 + 59*6},
		{"no length, a byte in 59 s", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\n\r\n")
			drip(c, strings.Repeat("z", 100), 1, 59*time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 19 + 1},
		{"ambiguous, then silent", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhell")
			return swallow(c)
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 5 * time.Second, 61},
		{"ambiguous, a byte in 4 s", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n")
			drip(c, strings.Repeat("z", 100), 1, 4*time.Second)
			return swallow(c)
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 57 + 14},
		{"TLS records of a byte, one a second", handshake, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			drip(c, strings.Repeat("z", 1000), 1, time.Second)
			return false
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "slow", 60 * time.Second, 41 + 59},
		{"half a TLS record", handshake, func(c net.Conn, _ *request) bool {
			under := c.(*tls.Conn).NetConn()
			say(under, "\x17\x03\x03\x40\x00half")
			return swallow(under)
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "idle", 120 * time.Second, 0},
		{"TLS bytes, one a second", handshake, func(c net.Conn, _ *request) bool {
			drip(c.(*tls.Conn).NetConn(), "\x17\x03\x03\x40\x00"+strings.Repeat("z", 1000), 1, time.Second)
			return swallow(c.(*tls.Conn).NetConn())
		}, evidence.Failed, acquire.ReasonBrokenAnswer, "idle", 120 * time.Second, 0}, // whole records count: none comes
		{"slow, but fast enough", nil, func(c net.Conn, _ *request) bool {
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 6400\r\nConnection: close\r\n\r\n")
			drip(c, strings.Repeat("z", 6400), 65, time.Second)
			return false
		}, evidence.Complete, "", "complete", 99 * time.Second, 60 + 6400},
	}
}

// dripping writes slowly.
type dripping struct {
	net.Conn
	n     int
	every time.Duration
}

func (d *dripping) Write(b []byte) (int, error) {
	for i := 0; i < len(b); i += d.n {
		time.Sleep(d.every)
		if n, err := d.Conn.Write(b[i:min(len(b), i+d.n)]); err != nil {
			return i + n, err
		}
	}
	return len(b), nil
}

// TestSlow is row S5.
func TestSlow(t *testing.T) {
	for _, c := range slowServers(&tls.Config{Certificates: []tls.Certificate{certificates(t).good}}) {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(c.talk)
				origin := "http://localhost/"
				if p.open = c.open; p.open != nil {
					origin = "https://localhost/"
				}
				d := newDeskAt(t, time.Now)
				began := time.Now()
				res := d.list(func(o *acquire.Options) { o.Dial, o.Wait = p.dial, nil }, origin)
				took := time.Since(began).Truncate(time.Second) // a connection that is ended politely takes some tenths
				if res.State != c.state || res.Reason != c.reason || took != c.after {
					t.Errorf("%s, %q (%s) after %v; want %s, %q after %v", res.State, res.Reason, res.Text, took, c.state, c.reason, c.after)
				}
				all := d.exchanges()
				switch {
				case c.ended == "" && len(all) == 0:
				case len(all) != 1 || all[0].Ended != c.ended || len(all[0].response) != c.kept:
					t.Errorf("%d exchanges, ended %q with %d bytes; want %q with %d", len(all), all[0].Ended, len(all[0].response), c.ended, c.kept)
				}
				p.close()
				if err := d.c.Close(context.Background()); err != nil {
					t.Error(err)
				}
				undamaged(t, d.dir)
			})
		})
	}
}
