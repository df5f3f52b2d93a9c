package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestClient counts what a server that counts too has answered.
func TestClient(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		left := strings.Count(r.URL.Path, "x")
		if r.URL.Path == "/fails" {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		if left > 0 {
			fmt.Fprintf(w, `{"@odata.nextLink":"http://%s%s",`, r.Host, r.URL.Path[:len(r.URL.Path)-1])
		} else {
			fmt.Fprint(w, "{")
		}
		fmt.Fprintf(w, `"value":["%s"]}`, strings.Repeat("a", 100_000))
	}))
	defer server.Close()
	for _, c := range []struct {
		paths  string
		follow bool
		want   int64 // 0: fails
	}{{"/ /x /xxx", false, 3}, {"/ /x /xxx", true, 7}, {"/ /fails", false, 0}} {
		list := filepath.Join(t.TempDir(), "urls")
		if err := os.WriteFile(list, []byte(server.URL+strings.ReplaceAll(c.paths, " ", "\n"+server.URL)), 0o600); err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		client, err := newClient(list, "", 2)
		if err != nil {
			t.Fatal(err)
		}
		client.follow = c.follow
		err = client.run(2)
		if c.want == 0 {
			if err == nil {
				t.Errorf("%s: a refusal went unnoticed", c.paths)
			}
			continue
		}
		if err != nil || client.responses.Load() != c.want || asked.Load() != c.want || client.bytes.Load() < c.want*100_000 {
			t.Errorf("%s: %d answers with %d bytes, %d asked, want %d: %v", c.paths, client.responses.Load(), client.bytes.Load(), asked.Load(), c.want, err)
		}
	}
}
