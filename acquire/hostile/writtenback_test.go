package hostile

import (
	"bufio"
	"encoding/base64"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
)

// TestOldTokenWrittenBack: a service that was given a newer token writes back the one that it refused.
func TestOldTokenWrittenBack(t *testing.T) {
	const newer = "another-token-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(token)
	credential, err := auth.TokenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil, func(c net.Conn, r *request) bool {
		if strings.HasSuffix(r.authorization, newer) {
			return say(c, answer("403 No", "", `{"error":{"code":"x","message":"`+newer+` is not `+token+`"}}`))
		}
		write(newer)
		return say(c, answer("401 No", "", ""))
	})
	d := newDesk(t)
	res := d.mailbox(s.origin, "me", func(o *acquire.Options) { o.Credential = credential })
	if want := "status 403, x: REDACTED is not REDACTED"; res.Text != want {
		t.Errorf("text %q, want %q", res.Text, want)
	}
}

// TestProxyPasswordWrittenBack: a proxy that sees plain HTTP writes its password into an answer.
func TestProxyPasswordWrittenBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r, err := readRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, after, _ := strings.Cut(r.raw, "Proxy-Authorization: Basic ")
		value, _, _ := strings.Cut(after, "\r\n")
		if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
			say(c, answer("403 No", "Connection: close\r\n", `{"error":{"code":"x","message":`+quoted(value+" is "+string(plain))+`}}`))
		}
	}()
	d := newDesk(t)
	res := d.mailbox("http://127.0.0.1:9", "me", func(o *acquire.Options) {
		o.Proxy = &url.URL{Scheme: "http", Host: l.Addr().String(), User: url.UserPassword("ann", password)}
	})
	if want := "status 403, x: REDACTED is ann:REDACTED"; res.Text != want {
		t.Errorf("text %q, want %q", res.Text, want)
	}
	l.Close()
	<-ended
}
