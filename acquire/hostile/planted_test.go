package hostile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// mostCases is after how many cases a planted bug must be caught at the latest.
const mostCases = 60

// drawn is an order of n cases, from the seed.
func drawn(n int) []int { return rand.New(rand.NewPCG(*seed, 1)).Perm(n) }

// caught calls wrong with one case after the other, in an order that the seed draws, until it says what is wrong.
func caught(t *testing.T, bug string, n int, wrong func(i int) string) {
	t.Helper()
	for tried, i := range drawn(n) {
		if tried == mostCases {
			break
		}
		if as := wrong(i); as != "" {
			t.Logf("%s: caught after %d cases: %s", bug, tried+1, as)
			return
		}
	}
	t.Errorf("%s: not caught", bug)
}

// bearer adds the token to every request, wherever it goes: what a client does that is given one transport for all.
type bearer struct{ under http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.under.RoundTrip(r)
}

// believer is a client of net/http.
func believer(t *testing.T, change func(*http.Client, *http.Transport)) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: dialLoopback, TLSClientConfig: &tls.Config{RootCAs: certificates(t).pool, NextProtos: []string{"http/1.1"}}, DisableKeepAlives: true}
	c := &http.Client{Transport: bearer{transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	if change != nil {
		change(c, transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// fetch is the body of an answer, and the link that it names to a reader that lets the last one win.
func fetch(c *http.Client, target string) (body []byte, next string, err error) {
	r, err := c.Get(target)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	var p struct {
		Next string `json:"@odata.nextLink"`
	}
	_ = json.Unmarshal(body, &p) // no page, no link
	return body, p.Next, err
}

// TestPlantedLinks: a lax check of links, and a client that follows redirects, bring the token to a canary (rows S1 and S2).
func TestPlantedLinks(t *testing.T) {
	for _, bug := range []struct {
		name   string
		leads  func(origin, link string) bool
		follow bool
	}{
		{"origin as a prefix", func(origin, link string) bool { return strings.HasPrefix(link, origin) }, false},
		{"origin somewhere in the link", func(origin, link string) bool { return strings.Contains(link, strings.TrimPrefix(origin, "https://")) }, false},
		{"host without its port", func(origin, link string) bool {
			a, err := url.Parse(origin)
			b, err2 := url.Parse(link)
			return err == nil && err2 == nil && a.Hostname() == b.Hostname()
		}, false},
		{"any host of loopback", func(_, link string) bool {
			u, err := url.Parse(link)
			return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
		}, false},
		{"no check", func(string, string) bool { return true }, false},
		{"redirects are followed", func(string, string) bool { return false }, true},
	} {
		t.Run(bug.name, func(t *testing.T) {
			var answer atomic.Value
			s, k := withCanaries(t, func(c net.Conn, r *request) bool {
				say(c, answer.Load().(string))
				return false
			})
			client := believer(t, func(c *http.Client, _ *http.Transport) {
				if bug.follow {
					c.CheckRedirect = nil
				}
			})
			caught(t, bug.name, len(forms), func(i int) string {
				link := forms[i].at(s, k, forms[i].link, "u")
				carrier := carriers[0]
				if bug.follow {
					carrier = carriers[2]
				}
				answer.Store(carrier.answer(link))
				_, next, err := fetch(client, s.origin+"/list")
				if err == nil && next != "" && bug.leads(s.origin, next) {
					if base, err := url.Parse(s.origin + "/list"); err == nil {
						if u, err := base.Parse(next); err == nil {
							_, _, _ = fetch(client, u.String()) // where it leads is what counts
						}
					}
				}
				if touched, tokens := k.hits(); tokens > 0 {
					return fmt.Sprintf("%s: the token reached %s", forms[i].name, touched[len(touched)-1])
				}
				return ""
			})
		})
	}
}

// TestPlantedPaging: a client that follows every link of its server takes more pages than any run may (row S3).
func TestPlantedPaging(t *testing.T) {
	n := 0
	s := serve(t, nil, func(c net.Conn, r *request) bool {
		n++
		say(c, page(fmt.Sprintf(`{"value":[],"@odata.nextLink":%q}`, r.target)))
		return false
	})
	client := believer(t, nil)
	caught(t, "every link is followed", 1, func(int) string {
		for next := s.origin + "/list"; next != ""; {
			_, link, err := fetch(client, next)
			if err != nil {
				return ""
			}
			if n > 20 {
				return "a link to itself: 20 pages where one is to be taken"
			}
			next = s.origin + link
		}
		return ""
	})
}

// TestPlantedBodies: a recorder that decodes what it stores (row S4).
func TestPlantedBodies(t *testing.T) {
	var served []byte
	var made *content
	s := serve(t, nil, func(c net.Conn, _ *request) bool {
		say(c, string(made.written()))
		return false
	})
	client := believer(t, nil) // net/http asks for gzip by itself, and decodes it
	caught(t, "what is stored is decoded", len(payloads), func(i int) string {
		if payloads[i].make == nil {
			return ""
		}
		c, err := payloads[i].make()
		if err != nil {
			t.Fatal(err)
		}
		made, served = &c, bytes.Clone(c.body)
		body, _, err := fetch(client, s.origin+"/")
		if err == nil && !bytes.Equal(body, served) {
			return fmt.Sprintf("%s: %d bytes are stored, %d came", payloads[i].name, len(body), len(served))
		}
		return ""
	})
}

// TestPlantedSlow: a client without deadlines waits much longer than is allowed (row S5).
func TestPlantedSlow(t *testing.T) {
	all := slowServers(nil) // those without TLS
	caught(t, "no deadline", len(all), func(i int) (as string) {
		c := all[i]
		if c.open != nil {
			return ""
		}
		synctest.Test(t, func(t *testing.T) {
			p := newPipes(c.talk)
			conn, err := p.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := conn.SetDeadline(began.Add(time.Hour)); err != nil { // so that the test ends
				t.Fatal(err)
			}
			if say(conn, "GET / HTTP/1.1\r\n\r\n") {
				_, _ = io.Copy(io.Discard, conn) // the deadline
			}
			conn.Close()
			p.close()
			if took := time.Since(began); took > c.after+time.Minute {
				as = fmt.Sprintf("%s: %v, %v are allowed", c.name, took, c.after)
			}
		})
		return as
	})
}

// TestPlantedHeads: a client that takes a head of any length (row S7).
func TestPlantedHeads(t *testing.T) {
	var talk func(net.Conn) bool
	s := serve(t, nil, func(c net.Conn, _ *request) bool { talk(c); return false })
	caught(t, "a head of any length", len(heads), func(i int) string {
		talk = heads[i].talk
		conn, err := tls.Dial("tcp", s.listener.Addr().String(), &tls.Config{RootCAs: certificates(t).pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		say(conn, "GET / HTTP/1.1\r\n\r\n")
		in, held := bufio.NewReader(io.LimitReader(conn, 4*mebi)), 0
		for { // to the end of the head, and of those of interim answers
			line, err := in.ReadString('\n')
			held += len(line)
			if err != nil || line == "\r\n" && held > 200 {
				break
			}
		}
		if held > mebi+64<<10 {
			return fmt.Sprintf("%s: %d bytes are held", heads[i].name, held)
		}
		return ""
	})
}

// TestPlantedTLS: a client that believes every certificate, or old versions, sends its request where none may come (row S8); one that offers HTTP/2 speaks it (row S10).
func TestPlantedTLS(t *testing.T) {
	c := certificates(t)
	for name, change := range map[string]func(*http.Transport){
		"every certificate is believed": func(tr *http.Transport) { tr.TLSClientConfig.InsecureSkipVerify = true },
		"TLS from 1.0 on":               func(tr *http.Transport) { tr.TLSClientConfig.MinVersion = tls.VersionTLS10 },
		"HTTP/2 is offered":             func(tr *http.Transport) { tr.TLSClientConfig.NextProtos = []string{"h2", "http/1.1"} },
	} {
		client := believer(t, func(_ *http.Client, tr *http.Transport) { change(tr) })
		caught(t, name, len(handshakes), func(i int) string {
			h := handshakes[i]
			cert := c.good
			if h.cert != nil {
				var err error
				if cert, err = h.cert(c); err != nil {
					t.Fatal(err)
				}
			}
			conf := &tls.Config{Certificates: []tls.Certificate{cert}}
			if h.config != nil {
				h.config(conf)
			}
			spoken := ""
			conf.VerifyConnection = func(s tls.ConnectionState) error { spoken = s.NegotiatedProtocol; return nil }
			s := serve(t, conf, func(conn net.Conn, _ *request) bool { say(conn, page("{}")); return false })
			_, _, _ = fetch(client, s.origin+"/") // what reached the server counts
			s.close()
			switch {
			case len(s.requests()) > 0 && (h.reason == acquire.ReasonTLS || h.reason == acquire.ReasonNetwork):
				return h.name + ": a request came"
			case spoken == "h2":
				return h.name + ": h2 is spoken"
			}
			return ""
		})
	}
}

// TestPlantedJSON: a reader that lets the last name win, in whatever case, goes on where two readers could differ (row S9).
func TestPlantedJSON(t *testing.T) {
	all := documents()
	caught(t, "the last name wins, in any case", len(all), func(i int) string {
		var p struct {
			Value []any  `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		d := &all[i]
		err := json.Unmarshal([]byte(d.body), &p)
		if err == nil && d.state == evidence.Failed && d.reason == broken {
			return d.name + ": the page is taken"
		}
		if err == nil && (p.Next != "") != d.follows {
			return d.name + ": another way on"
		}
		return ""
	})
}

// TestPlantedDesk: what the harness itself says of a case is right: an address that is dialled elsewhere is noticed.
func TestPlantedDesk(t *testing.T) {
	s, k := withCanaries(t, func(net.Conn, *request) bool { return false })
	d := newDesk(t)
	d.list(func(o *acquire.Options) {
		dial := o.Dial
		o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dial(ctx, network, "127.0.0.2:"+k.other)
		}
	}, s.origin+"/")
	if away := d.elsewhere(s); len(away) == 0 {
		t.Error("a dialled canary is not noticed")
	}
	if touched, _ := k.hits(); len(touched) == 0 {
		t.Error("a touched canary is not noticed")
	}
}
