// Floor asks for a list of URLs with a plain client, keeps nothing, and says how many answers came: the floor under any capture.
//
//	floor -url-file FILE [-ca FILE] [-c CONNECTIONS] [-follow]
//
// With -follow it asks for the page that an answer names as next, once it has read that answer to its end, as long as one does; each URL of the list
// begins a chain then.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// client is what the connections share.
type client struct {
	http      *http.Client
	urls      []string
	follow    bool
	next      atomic.Int64
	responses atomic.Int64
	bytes     atomic.Int64
}

func main() {
	log.SetFlags(0)
	list := flag.String("url-file", "", "file with one URL a line")
	ca := flag.String("ca", "", "file with the certificate to trust")
	connections := flag.Int("c", 8, "connections")
	follow := flag.Bool("follow", false, "follow links to next pages")
	flag.Parse()
	if *list == "" || *connections < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	c, err := newClient(*list, *ca, *connections)
	if err == nil {
		c.follow = *follow
		err = c.run(*connections)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(map[string]int64{"responses": c.responses.Load(), "bytes": c.bytes.Load()})
	}
	if err != nil {
		log.Fatalf("floor: %v", err)
	}
}

func newClient(list, ca string, connections int) (*client, error) {
	b, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: connections, TLSClientConfig: &tls.Config{}}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: no certificate", ca)
		}
	}
	return &client{http: &http.Client{Transport: t}, urls: strings.Fields(string(b))}, nil
}

func (c *client) run(connections int) error {
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = c.work() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *client) work() error {
	buf := make([]byte, 64<<10)
	for {
		n := c.next.Add(1) - 1
		if n >= int64(len(c.urls)) {
			return nil
		}
		for url := c.urls[n]; url != ""; {
			var err error
			if url, err = c.get(url, buf); err != nil {
				return err
			}
		}
	}
}

// get reads one answer to its end and returns the link that it begins with, if links are followed.
func (c *client) get(url string, buf []byte) (next string, err error) {
	r, err := c.http.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, r.Status)
	}
	size := 0
	for {
		n, err := r.Body.Read(buf)
		if size == 0 && c.follow {
			next = link(buf[:n])
		}
		size += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", url, err)
		}
	}
	c.responses.Add(1)
	c.bytes.Add(int64(size))
	return next, nil
}

// link finds the link in the first bytes of a page.
func link(b []byte) string {
	rest, ok := bytes.CutPrefix(b, []byte(`{"@odata.nextLink":"`))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}
