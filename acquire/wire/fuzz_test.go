package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock/vectors"
)

// FuzzURL: what the recorder would dial for is, to net/url too, a URL of the allowed origin and nothing else.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://" + host + "/a?b", "https://" + host + ":443", "https://u@" + host, "https://" + host + "@evil.test/",
		"https://" + host + "\\@evil.test", "HTTPS://API.EXAMPLE.TEST/%zz", "https://" + host + "?#", "//" + host, "https:" + host, "https://[::1]/"} {
		f.Add(s)
	}
	r, err := wire.New(wire.Options{
		Origin: "https://" + host, SpoolDir: f.TempDir(), Sink: discard{},
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) { return nil, errors.New(addr) },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := get(r, "", s)
		if err == nil {
			t.Fatalf("%q: no error without a server", s)
		}
		if !errors.Is(err, wire.ErrDial) {
			return
		}
		u, perr := url.Parse(s)
		if perr != nil && strings.Contains(perr.Error(), "invalid URL escape") {
			return // in the path, which is sent as it is
		}
		if perr != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Fragment != "" ||
			strings.ToLower(u.Hostname()) != host || u.Port() != "" && u.Port() != "443" || !strings.HasSuffix(err.Error(), host+":443") {
			t.Fatalf("%q accepted: %+v, %v, %v", s, u, perr, err)
		}
	})
}

// unfaithful says how a recorded answer differs from the bytes that a server wrote before it closed the connection; what must hold follows from the package comment.
func unfaithful(x *wire.Exchange, stored, wrote []byte, o *wire.Options) string {
	kept := append(bytes.Clone(stored), x.Excess...)
	switch {
	case !bytes.HasPrefix(wrote, kept):
		return "what is kept is not what came"
	case x.Response.Size() != x.Size || x.Size != int64(len(stored)):
		return "the size is not that of the block"
	case x.End == "cancelled" || x.End == "idle" || x.End == "slow":
		return "it hung: " + x.End
	case x.HeadLength > o.MaxHeader || x.BodyLength > o.MaxBody || len(x.Interim) > o.MaxInterim+1 || x.Size > o.MaxHeader+o.MaxBody+int64(len("HTTP/")):
		return "a budget was passed"
	case x.End != "complete" && x.Reusable:
		return "the connection may be used again"
	case (x.End == "cut" || x.End == "malformed") && len(kept) < len(wrote):
		return "bytes are lost"
	case x.End != "complete":
		return ""
	}
	l, err := httpblock.ParseResponse(bytes.NewReader(stored), int64(len(stored)), "GET")
	switch {
	case err != nil:
		return "the stored block cannot be read: " + err.Error()
	case l.Status != x.Status || l.Framing != x.Framing || l.End != x.End || l.BodyOffset != x.BodyOffset || l.PayloadLength != x.PayloadLength || !reflect.DeepEqual(l.Fields, x.Fields):
		return "the stored block reads otherwise"
	}
	return ""
}

// FuzzAnswer is row S11: whatever bytes a server writes, in pieces of any size, the whole recorder keeps them as they came, within its budgets, and the next request does not get them.
func FuzzAnswer(f *testing.F) {
	all, err := vectors.Responses()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range all {
		if v.Method == "GET" && len(v.Bytes) < 2000 {
			f.Add(uint8(len(v.Bytes)), v.Bytes)
			f.Add(uint8(1), v.Bytes)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, piece uint8, wrote []byte) {
		conns, written := 0, make(chan struct{})
		p := &peer{script: func(c net.Conn) {
			conns++ // connections come one after the other
			answer := wrote
			if conns > 1 {
				answer = []byte(ok5)
			}
			readRequest(c)
			for _, b := range split(answer, 1+int(piece)) {
				if _, err := c.Write(b); err != nil {
					break
				}
			}
			if conns == 1 {
				close(written)
			}
		}}
		sink := &memory{}
		o := wire.Options{Origin: "http://" + host, SpoolDir: dir, Sink: sink, Dial: p.dial, MaxHeader: 2048, MaxInterim: 3, MaxBody: 4096, SpoolThreshold: 1024}
		r, err := wire.New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		x, err := r.Do(ctx, &wire.Request{Method: "GET", URL: "http://" + host + "/1"})
		if x == nil || len(sink.exchanges) != 1 {
			t.Fatalf("%v, %d exchanges", err, len(sink.exchanges))
		}
		if fault := unfaithful(x, block(t, x), wrote, &o); fault != "" {
			t.Errorf("%q: %s: %+v, %v", wrote, fault, x.Layout, err)
		}
		<-written // what comes behind the next request cannot be told from its answer
		next, err := r.Do(ctx, &wire.Request{Method: "GET", URL: "http://" + host + "/2"})
		if next != nil && next.End == "no-response" { // over the connection that the server had closed
			next.Response.Close()
			next, err = r.Do(ctx, &wire.Request{Method: "GET", URL: "http://" + host + "/3"})
		}
		if err != nil || string(block(t, next)) != ok5 {
			t.Errorf("%q: the next request gets %v, %v", wrote, next, err)
		}
		p.wg.Wait()
		for _, b := range r.Strays() {
			if !bytes.Contains(wrote, b.Bytes) {
				t.Errorf("stray %q", b.Bytes)
			}
		}
		if err := errors.Join(r.Close(), x.Response.Close(), next.Response.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestFuzzAnswerNotices plants faults into recorded answers: the judge of FuzzAnswer notices each.
func TestFuzzAnswerNotices(t *testing.T) {
	o := wire.Options{MaxHeader: 2048, MaxInterim: 3, MaxBody: 4096}
	all, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	tried, caught := map[string]int{}, map[string]int{}
	for _, v := range all {
		if v.Method != "GET" || len(v.Bytes) > 1000 || v.End == "no-response" {
			continue
		}
		for name, plant := range map[string]func(*wire.Exchange, []byte) []byte{
			"none":             func(_ *wire.Exchange, b []byte) []byte { return b },
			"a byte lost":      func(_ *wire.Exchange, b []byte) []byte { return b[:len(b)-1] },
			"a byte repaired":  func(_ *wire.Exchange, b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 0x20; return b },
			"a body too long":  func(x *wire.Exchange, b []byte) []byte { x.BodyLength = o.MaxBody + 1; return b },
			"hung":             func(x *wire.Exchange, b []byte) []byte { x.End = wire.EndIdle; return b },
			"cut, used again":  func(x *wire.Exchange, b []byte) []byte { x.End, x.Reusable = "cut", true; return b },
			"read as another":  func(x *wire.Exchange, b []byte) []byte { x.End, x.Status = "complete", 299; return b },
			"the end repeated": func(_ *wire.Exchange, b []byte) []byte { return append(bytes.Clone(b), b[len(b)-1]) },
		} {
			p := &peer{script: reply(v.Bytes)}
			r, _ := setup(t, p, nil)
			x, _ := get(r, "http://"+host, "/") // how it ended is in the exchange
			stored := plant(x, block(t, x))
			tried[name]++
			if unfaithful(x, stored, v.Bytes, &o) != "" {
				caught[name]++
			}
			p.wg.Wait()
			r.Close()
			x.Response.Close()
		}
	}
	for name, n := range tried {
		if want := n; name == "none" && caught[name] > 0 || name != "none" && caught[name] < want {
			t.Errorf("%s: noticed in %d of %d", name, caught[name], n)
		}
	}
	if len(tried) < 8 || tried["none"] < 100 {
		t.Errorf("tried %v", tried)
	}
}
