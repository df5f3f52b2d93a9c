package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestProxy: HTTPS_PROXY is used and its password told to nobody but the proxy, which here refuses; an address that is none is told without repeating it.
func TestProxy(t *testing.T) {
	const password = "proxy-password-0123456789"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	asked := make(chan *http.Request, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				asked <- r
				_, _ = conn.Write([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) // the other side sees what came of it
			}
			conn.Close()
		}
	}()
	s := serve(t, simtenant.Options{Seed: 1}, "")
	args := append([]string{"acquire", "outlook-activities", "--base-url", "https://service.example", "--user", "me", "--patience", "1s"}, s.flags...)
	t.Setenv("HTTPS_PROXY", "http://user:"+password+"@"+listener.Addr().String())
	t.Setenv("NO_PROXY", "")

	out, err := exec.Command("exhibit", args...).CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != cli.Incomplete {
		t.Errorf("%v, expected exit code 4\n%s", err, out)
	}
	select {
	case r := <-asked:
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+password))
		if r.Method != http.MethodConnect || r.Host != "service.example:443" || r.Header.Get("Proxy-Authorization") != want || r.Header.Get("Authorization") != "" {
			t.Errorf("the proxy was asked %s %s with %v", r.Method, r.Host, r.Header)
		}
	default:
		t.Error("the proxy was not asked")
	}
	seen, code := exhibit(t, "log", s.dir, "--json")
	forms := secretForms(password)
	if found := findSecret("output", append(out, seen...), forms); len(found) > 0 || code != cli.Done {
		t.Errorf("the password of the proxy is shown: %q", found)
	}

	t.Setenv("HTTPS_PROXY", "http://user:"+password+"@[::bad")
	out, err = exec.Command("exhibit", args...).CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != cli.Usage || strings.Contains(string(out), password) {
		t.Errorf("%v, expected exit code 2 without the password\n%s", err, out)
	}
}
