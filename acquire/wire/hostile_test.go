package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

const ok5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// drip writes b one byte at a time.
func drip(c net.Conn, b string, every time.Duration) {
	for i := range len(b) {
		time.Sleep(every)
		if _, err := io.WriteString(c, b[i:i+1]); err != nil {
			return
		}
	}
}

// TestSlow runs slow and silent servers on a fake clock.
func TestSlow(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(net.Conn)
		end    string
		after  time.Duration // from the request
		block  string        // prefix of what is kept
	}{
		{"silent", func(c net.Conn) { readRequest(c); io.Copy(io.Discard, c) }, wire.EndIdle, 30 * time.Second, ""},
		{"never reads", func(c net.Conn) { time.Sleep(time.Minute) }, wire.EndIdle, 30 * time.Second, ""},
		{"slow head", func(c net.Conn) {
			readRequest(c)
			drip(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y\r\n", 99), time.Second)
		}, wire.EndSlow, 30 * time.Second, "HTTP/1.1 200 OK\r\nX: y\r\nX: y"},
		{"silent in head", func(c net.Conn) { readRequest(c); io.WriteString(c, "HTTP/1.1 2"); io.Copy(io.Discard, c) }, wire.EndIdle, 10 * time.Second, "HTTP/1.1 2"},
		{"slow interim", func(c net.Conn) { readRequest(c); drip(c, strings.Repeat("HTTP/1.1 100 C\r\n\r\n", 9), time.Second) }, wire.EndSlow, 30 * time.Second, "HTTP/1.1 100 C\r\n\r\nHTTP"},
		{"silent in body", func(c net.Conn) { readRequest(c); io.WriteString(c, ok5[:len(ok5)-2]); io.Copy(io.Discard, c) }, wire.EndIdle, 10 * time.Second, ok5[:len(ok5)-2]},
		{"slow body", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
			drip(c, strings.Repeat("z", 900), time.Second)
		}, wire.EndSlow, 20 * time.Second, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nzzzzzzzzzzzzzzz"},
		{"slow second span", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"+strings.Repeat("q", 300))
			drip(c, strings.Repeat("z", 600), time.Second)
		}, wire.EndSlow, 40 * time.Second, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + strings.Repeat("q", 300) + strings.Repeat("z", 38)},
		{"slow chunks", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			drip(c, strings.Repeat("1\r\nx\r\n", 99), time.Second)
		}, wire.EndSlow, 20 * time.Second, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n1\r\nx"},
		{"just fast enough", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
			drip(c, strings.Repeat("z", 900), 90*time.Millisecond)
		}, "complete", 81 * time.Second, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nzzz"},
		{"ambiguous, then silent", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
			time.Sleep(900 * time.Millisecond)
			io.WriteString(c, "more")
			io.Copy(io.Discard, c)
		}, "malformed", 1900 * time.Millisecond, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{script: c.script}
				r, sink := setup(t, p, func(o *wire.Options) {
					o.HeaderTimeout, o.IdleTimeout, o.AmbiguousWait = 30*time.Second, 10*time.Second, time.Second
					o.MinRate, o.MinRateSpan = 10, 20*time.Second
				})
				began := time.Now()
				x, err := get(r, "http://"+host, "/")
				if x == nil {
					t.Fatal(err)
				}
				if x.End != c.end || x.Ended.Sub(began) != c.after || !strings.HasPrefix(string(block(t, x)), c.block) {
					t.Errorf("%s after %v: %q, want %s after %v", x.End, x.Ended.Sub(began), block(t, x), c.end, c.after)
				}
				var end *wire.EndError
				if (c.end == "complete") != (err == nil) || err != nil && !errors.As(err, &end) || len(sink.exchanges) != 1 {
					t.Errorf("error %v", err)
				}
				if c.name == "never reads" && (!x.Has(wire.FlagRequestCut) || len(x.Request) != 0 || !x.Sent.IsZero()) {
					t.Errorf("unsent request stored as %q, flags %q", x.Request, x.Flags)
				}
			})
		})
	}
}

func TestBudgets(t *testing.T) {
	endless := func(head, unit string) func(net.Conn) {
		return func(c net.Conn) {
			readRequest(c)
			_, err := io.WriteString(c, head)
			for b := []byte(strings.Repeat(unit, 1+4096/len(unit))); err == nil; {
				_, err = c.Write(b)
			}
		}
	}
	for name, c := range map[string]struct {
		script func(net.Conn)
		end    string
		size   int64
	}{
		"endless header line": {endless("HTTP/1.1 200 OK\r\nX: ", "a"), "header-budget", 5000},
		"endless headers":     {endless("HTTP/1.1 200 OK\r\n", "X: 1\r\n"), "header-budget", 5000},
		"1xx storm":           {endless("", "HTTP/1.1 100 C\r\n\r\n"), "interim-budget", 18 * 5},
		"endless chunks":      {endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), "body-budget", 47 + 70000},
		"endless extension":   {endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), "body-budget", 47 + 70000},
		"endless close":       {endless("HTTP/1.1 200 OK\r\n\r\n", "x"), "body-budget", 19 + 70000},
		"declared 10 GiB":     {endless("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", "x"), "body-budget", 48 + 70000},
		"not HTTP":            {endless("", "x"), "body-budget", 70000},
	} {
		p := &peer{script: c.script}
		r, _ := setup(t, p, func(o *wire.Options) { o.MaxHeader, o.MaxInterim, o.MaxBody, o.SpoolThreshold = 5000, 4, 70000, 20000 })
		x, err := get(r, "http://"+host, "/")
		var end *wire.EndError
		if !errors.As(err, &end) || end.End != c.end || end.Retryable || x.Response.Size() != c.size {
			t.Errorf("%s: %v, %d bytes, want %s, %d", name, err, x.Response.Size(), c.end, c.size)
		}
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{script: func(c net.Conn) { readRequest(c); io.WriteString(c, ok5[:20]); io.Copy(io.Discard, c) }}
		r, sink := setup(t, p, nil)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		x, err := r.Do(ctx, &wire.Request{Method: "GET", URL: "http://" + host})
		var end *wire.EndError
		if !errors.As(err, &end) || !errors.Is(err, context.Canceled) || end.Retryable || x.End != wire.EndCancelled || time.Since(began) != 3*time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if string(block(t, x)) != ok5[:20] || len(sink.exchanges) != 1 {
			t.Errorf("block %q, %d exchanges", block(t, x), len(sink.exchanges))
		}
		if x, err := r.Do(ctx, &wire.Request{Method: "GET", URL: "http://" + host}); x != nil || !errors.Is(err, context.Canceled) || len(p.dialed) != 1 {
			t.Errorf("after the end of the context: %v, %v, dialled %q", x, err, p.dialed)
		}
	})
}

// TestReuse: what a peer does to an idle connection never reaches the next exchange.
func TestReuse(t *testing.T) {
	const second = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
	for name, c := range map[string]struct {
		first  string // written after the first request
		later  string // written after a pause
		stay   bool   // and then a second request is awaited
		dials  int
		stray  string
		excess string
	}{
		"kept alive":        {first: ok5, stay: true, dials: 1},
		"closed while idle": {first: ok5, dials: 2},
		"stray while idle":  {first: ok5, later: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", dials: 2, stray: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"},
		"pipelined":         {first: ok5 + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", dials: 2, excess: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"},
		"after an anomaly":  {first: "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", stay: true, dials: 2},
		"connection close":  {first: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", stay: true, dials: 2},
		"HTTP/1.0":          {first: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", stay: true, dials: 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			p := &peer{}
			p.script = func(conn net.Conn) {
				n++
				readRequest(conn)
				if n > 1 {
					io.WriteString(conn, second)
					return
				}
				io.WriteString(conn, c.first)
				time.Sleep(time.Second)
				io.WriteString(conn, c.later)
				if c.stay && len(readRequest(conn)) > 0 {
					io.WriteString(conn, second)
				}
			}
			r, sink := setup(t, p, nil)
			x1, err := get(r, "http://"+host, "/1")
			if err != nil || !strings.HasSuffix(string(block(t, x1)), "hello") || string(x1.Excess) != c.excess || x1.Has(wire.FlagExcess) != (c.excess != "") {
				t.Errorf("%s: first %q, excess %q, %v", name, block(t, x1), x1.Excess, err)
			}
			time.Sleep(5 * time.Second)
			x2, err := get(r, "http://"+host, "/2")
			if err != nil || string(block(t, x2)) != second || len(p.dialed) != c.dials || len(sink.connections) != c.dials {
				t.Errorf("%s: second %q, %v, %d dials", name, block(t, x2), err, len(p.dialed))
			}
			if x2.Reused != (c.dials == 1) || x2.Ordinal != int64(3-c.dials) || (x1.Connection == x2.Connection) != x2.Reused {
				t.Errorf("%s: reused %v, ordinal %d", name, x2.Reused, x2.Ordinal)
			}
			if c.stray != "" && (len(x2.Strays) != 1 || string(x2.Strays[0].Bytes) != c.stray || x2.Strays[0].Connection != 1) || c.stray == "" && x2.Strays != nil {
				t.Errorf("%s: strays %+v", name, x2.Strays)
			}
		})
	}
}

// TestDeadReused: a reused connection that dies under the request is recorded and may be tried again.
func TestDeadReused(t *testing.T) {
	p := &peer{script: func(c net.Conn) { readRequest(c); io.WriteString(c, ok5); readRequest(c) }}
	r, sink := setup(t, p, nil)
	if _, err := get(r, "http://"+host, "/1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method    string
		retryable bool
	}{{"GET", true}} {
		x, err := r.Do(context.Background(), &wire.Request{Method: c.method, URL: "http://" + host + "/2"})
		var end *wire.EndError
		if !errors.As(err, &end) || end.End != "no-response" || end.Retryable != c.retryable || !x.Reused || x.Response.Size() != 0 || len(sink.exchanges) != 2 {
			t.Errorf("%+v, %v", x, err)
		}
	}
	post, err := r.Do(context.Background(), &wire.Request{Method: "POST", URL: "http://" + host + "/3"})
	if err != nil || post.End != "complete" {
		t.Fatalf("%v", err)
	}
	_, err = r.Do(context.Background(), &wire.Request{Method: "POST", URL: "http://" + host + "/4"})
	var end *wire.EndError
	if !errors.As(err, &end) || end.End != "no-response" || end.Retryable {
		t.Errorf("POST that may have had its effect: %v", err)
	}
}

// TestEarlyResponse: an answer to half a request is recorded with what was sent, and the connection is not used again.
func TestEarlyResponse(t *testing.T) {
	p := &peer{}
	p.script = func(c net.Conn) {
		readRequest(c)
		io.ReadFull(c, make([]byte, 50_000))
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello")
	}
	r, _ := setup(t, p, nil)
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	x, err := r.Do(context.Background(), &wire.Request{Method: "POST", URL: "http://" + host + "/", Body: body})
	if err != nil || x.Status != 413 {
		t.Fatalf("%+v, %v", x, err)
	}
	if !x.Has(wire.FlagEarlyResponse) || !x.Has(wire.FlagRequestCut) || x.Reusable || !x.Sent.IsZero() {
		t.Errorf("flags %q", x.Flags)
	}
	head := bytes.Index(x.Request, []byte("\r\n\r\n")) + 4
	if n := len(x.Request) - head; n < 50_000 || n >= len(body) || !bytes.HasPrefix(body, x.Request[head:]) {
		t.Errorf("stored %d bytes of the body", n)
	}
	if _, err := httpblock.ParseRequest(bytes.NewReader(x.Request), int64(len(x.Request))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut request: %v", err)
	}
}

func TestSinkFails(t *testing.T) {
	p := &peer{script: func(c net.Conn) {
		for len(readRequest(c)) > 0 {
			io.WriteString(c, ok5)
		}
	}}
	dir := t.TempDir()
	r, sink := setup(t, p, func(o *wire.Options) { o.SpoolDir, o.SpoolThreshold = dir, 1 })
	sink.fail = errors.New("disk full")
	for range 2 {
		if x, err := get(r, "http://"+host, "/"); x != nil || !errors.Is(err, sink.fail) {
			t.Errorf("%v, %v", x, err)
		}
	}
	if sink.calls != 1 || len(p.dialed) != 1 {
		t.Errorf("%d calls, %d dials after the failure", sink.calls, len(p.dialed))
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	p := &peer{script: reply([]byte(ok5))}
	r, _ := setup(t, p, func(o *wire.Options) { o.SpoolDir, o.SpoolThreshold = dir, 10 })
	x, err := get(r, "http://"+host, "/")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 || x.Response.Bytes() != nil || string(block(t, x)) != ok5 {
		t.Fatalf("files %v, block %q", files, block(t, x))
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := errors.Join(x.Response.Close(), x.Response.Close()); err != nil {
		t.Error(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("left %v", files)
	}
	// A spool folder that is gone ends the recorder.
	p2 := &peer{script: reply([]byte(ok5))}
	r2, sink2 := setup(t, p2, func(o *wire.Options) { o.SpoolDir, o.SpoolThreshold = dir+"/gone", 10 })
	for range 2 {
		if x, err := get(r2, "http://"+host, "/"); x != nil || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v, %v", x, err)
		}
	}
	if sink2.calls != 0 {
		t.Error("half an exchange reached the sink")
	}
}

func TestDialFails(t *testing.T) {
	want := errors.New("no route")
	r, sink := setup(t, &peer{}, func(o *wire.Options) {
		o.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, want }
	})
	x, err := get(r, "http://"+host, "/")
	if x != nil || !errors.Is(err, wire.ErrDial) || !errors.Is(err, want) {
		t.Fatalf("%v, %v", x, err)
	}
	if c := sink.connections[0]; len(sink.connections) != 1 || c.Err == "" || c.Address != host+":80" || !c.Established.IsZero() {
		t.Errorf("%+v", c)
	}
	r.Close()
	if _, err := get(r, "http://"+host, "/"); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
