package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire/simulation/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair dials under one sky and returns both ends.
func pair(t *testing.T, sky memnet.Weather) (n *memnet.Network, client, server net.Conn) {
	t.Helper()
	n = memnet.New(func(int) memnet.Weather { return sky }, nil)
	client, err := n.DialContext(t.Context(), "tcp", "service.example:443")
	if err != nil {
		t.Fatal(err)
	}
	if server, err = n.Accept(); err != nil {
		t.Fatal(err)
	}
	return n, client, server
}

// TestSegments: bytes arrive in order, in the sizes and after the delays that the line gives, also where a later one is quicker.
func TestSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes, delays := []int{3, 1, 5, 2}, []time.Duration{30 * time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, 50 * time.Millisecond}
		i, j := -1, -1
		sky := memnet.Weather{Dial: 7 * time.Millisecond, Down: memnet.Line{
			Size:  func() int { i++; return sizes[i] },
			Delay: func() time.Duration { j++; return delays[j] },
		}}
		began := time.Now()
		_, client, server := pair(t, sky)
		if d := time.Since(began); d != 7*time.Millisecond {
			t.Errorf("the dial took %v", d)
		}
		began = time.Now()
		if n, err := server.Write([]byte("hello world")); n != 11 || err != nil || time.Since(began) != 0 {
			t.Errorf("wrote %d, %v, after %v", n, err, time.Since(began))
		}
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"hel", 30 * time.Millisecond}, {"l", 30*time.Millisecond + 1}, {"o wor", 40 * time.Millisecond}, {"ld", 50 * time.Millisecond}} {
			b := make([]byte, 100)
			n, err := client.Read(b)
			if string(b[:n]) != want.text || err != nil || time.Since(began) != want.at {
				t.Errorf("read %q, %v, after %v; want %q after %v", b[:n], err, time.Since(began), want.text, want.at)
			}
		}
		server.Close()
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		client.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestBreaks cuts a line of ten bytes after each byte, in each way.
func TestBreaks(t *testing.T) {
	for _, how := range []memnet.Break{memnet.Finish, memnet.Reset, memnet.Silence} {
		for after := range int64(10) {
			synctest.Test(t, func(t *testing.T) {
				_, client, server := pair(t, memnet.Weather{Down: memnet.Line{Break: how, After: after, Size: func() int { return 4 }}})
				client.SetReadDeadline(time.Now().Add(time.Minute))
				began := time.Now()
				if n, err := server.Write([]byte("0123456789")); n != 10 || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
				var got bytes.Buffer
				_, err := io.Copy(&got, client)
				want := map[memnet.Break]error{memnet.Finish: nil, memnet.Reset: syscall.ECONNRESET, memnet.Silence: os.ErrDeadlineExceeded}[how]
				if got.String() != "0123456789"[:after] || !errors.Is(err, want) {
					t.Errorf("%d after %d: %q, %v", how, after, got.String(), err)
				}
				if took := time.Since(began); (how == memnet.Silence) != (took == time.Minute) {
					t.Errorf("%d after %d: took %v", how, after, took)
				}
				time.Sleep(time.Second)
				_, err = client.Write([]byte("x"))
				if want := map[memnet.Break]error{memnet.Finish: syscall.EPIPE, memnet.Reset: syscall.ECONNRESET, memnet.Silence: nil}[how]; !errors.Is(err, want) {
					t.Errorf("%d after %d: writing on: %v", how, after, err)
				}
				client.Close()
				server.Close()
			})
		}
	}
}

// TestDials: refused, and never answered.
func TestDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []memnet.Event
		n := memnet.New(func(n int) memnet.Weather { return memnet.Weather{Refused: n == 1, Lost: n == 2, Dial: time.Second} },
			func(e memnet.Event) { events = append(events, e) })
		_, err := n.DialContext(t.Context(), "tcp", "service.example:80")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		if _, err = n.DialContext(ctx, "tcp", "service.example:80"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Error(err, time.Since(began))
		}
		n.Close()
		if _, err = n.DialContext(t.Context(), "tcp", "service.example:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		if len(events) != 3 || events[0].What != "refused" || events[1].What != "lost" || events[2].Conn != 3 {
			t.Errorf("%+v", events)
		}
	})
}

// TestWindow: a writer waits for its reader, until its deadline, which may be moved meanwhile.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := pair(t, memnet.Weather{})
		began := time.Now()
		server.SetWriteDeadline(began.Add(time.Hour))
		time.AfterFunc(time.Second, func() { server.SetWriteDeadline(began.Add(2 * time.Second)) })
		n, err := server.Write(make([]byte, 1<<20))
		if n != 256<<10 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 2*time.Second {
			t.Errorf("%d, %v, after %v", n, err, time.Since(began))
		}
		server.SetWriteDeadline(time.Time{})
		go func() {
			_, _ = server.Write(make([]byte, 1<<20))
			server.Close()
		}()
		if k, err := io.Copy(io.Discard, client); k != 1<<20+256<<10 || err != nil {
			t.Errorf("%d, %v", k, err)
		}
		client.Close()
	})
}

// TestServer puts net/http on both ends.
func TestServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := memnet.Line{Size: func() int { return 100 }, Delay: func() time.Duration { return time.Millisecond }}
		n := memnet.New(func(int) memnet.Weather { return memnet.Weather{Up: line, Down: line} }, nil)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		})}
		served := make(chan error)
		go func() { served <- s.Serve(n) }()
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext}}
		for range 3 {
			resp, err := client.Get("http://service.example/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || len(body) != 10_000 {
				t.Errorf("%d bytes, %v", len(body), err)
			}
			resp.Body.Close()
		}
		n.Cut()
		resp, err := client.Get("http://service.example/") // over another connection
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}
