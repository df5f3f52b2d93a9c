package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/exhibit-dfir/exhibit/testdata/bench/pages"
)

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

// TestServer: the pages of the seed, in each form that a query asks for, and chains that end where they should.
func TestServer(t *testing.T) {
	s, err := newServer(7, []size{{1, 20}, {5, 40}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.mux())
	defer server.Close()
	m := pages.New(7)
	m.Page(5000)
	want := m.Page(5000).Body // page 1, and 41 once more
	for _, query := range []string{"1", "41", "1?transfer=chunked", "1?coding=gzip", "1?coding=gzip&transfer=chunked"} {
		r, b := get(t, server.URL+"/pages/5/"+query)
		chunked := bytes.Contains([]byte(query), []byte("chunked"))
		if chunked != (r.ContentLength < 0) || chunked != (len(r.TransferEncoding) == 1) {
			t.Errorf("%s: length %d, transfer coding %q", query, r.ContentLength, r.TransferEncoding)
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		} else if bytes.Contains([]byte(query), []byte("gzip")) {
			t.Errorf("%s: not packed", query)
		}
		if r.StatusCode != http.StatusOK || !bytes.Equal(b, want) {
			t.Errorf("%s: %s, and not the page of the seed", query, r.Status)
		}
	}
	url, seen := server.URL+"/chains/1/3/1?length=4", 0
	for url != "" {
		var page struct {
			Next  string `json:"@odata.nextLink"`
			Value []json.RawMessage
		}
		_, b := get(t, url)
		if err := json.Unmarshal(b, &page); err != nil || len(page.Value) == 0 {
			t.Fatalf("%s: %d records, %v", url, len(page.Value), err)
		}
		seen++
		if want := fmt.Sprintf("%s/chains/1/3/%d?length=4", server.URL, seen+1); page.Next != "" && page.Next != want {
			t.Fatalf("page %d names %s, want %s", seen, page.Next, want)
		}
		url = page.Next
	}
	if seen != 4 {
		t.Errorf("chain of %d pages, want 4", seen)
	}
	for _, none := range []string{"/pages/7/1", "/pages/5/-1", "/pages/5/x", "/chains/5/0/5?length=4", "/chains/5/0/1"} {
		if r, _ := get(t, server.URL+none); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", none, r.Status)
		}
	}
}
