package wire_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
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
