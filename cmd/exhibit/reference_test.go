package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestReferenceSamples serves the published samples of the Activities API as they stood, acquires them by outlook-activities, gets the
// answer back byte for byte, and compares the records with values read off the samples by hand.
func TestReferenceSamples(t *testing.T) {
	sample, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reference", "activities.json"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2.0/Users('kim@example.com')/Activities" || r.Header.Get("Prefer") != `exchange.behavior="ActivityAccess"` || r.Header.Get("Authorization") != "Bearer t0ken-t0ken" {
			http.Error(w, "{}", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json; odata.metadata=minimal")
		w.Write(sample)
	}))
	defer server.Close()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config"))
	dir := t.TempDir()
	ca, token, folder := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token"), filepath.Join(dir, "case")
	for path, b := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), token: []byte("t0ken-t0ken")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"case", "new", folder, "--case-number", "1", "--exhibit", "1", "--examiner", "E"},
		{"acquire", "outlook-activities", "--case", folder, "--base-url", server.URL, "--ca-file", ca, "--token-file", token, "--user", "kim@example.com",
			"--start", "2018-05-01T00:00:00Z", "--end", "2018-07-01T00:00:00Z"},
		{"seal", folder, "--yes"},
	} {
		if _, code := exhibit(t, args...); code != cli.Done {
			t.Fatalf("exhibit %v ends with %d", args, code)
		}
	}
	seqs := kept(t, folder)
	if len(seqs) != 1 {
		t.Fatalf("%d answers, want 1", len(seqs))
	}
	body, err := exec.Command("exhibit-verify", "show", folder, strconv.FormatInt(seqs[0], 10), "--body").Output()
	if err != nil || !bytes.Equal(body, sample) {
		t.Errorf("show --body gives %d bytes, not the %d of the sample: %v", len(body), len(sample), err)
	}
	compareSamples(t, folder, seqs[0], string(sample))
}

func compareSamples(t *testing.T, folder string, seq int64, sample string) {
	t.Helper()
	out, err := exec.Command("exhibit-verify", "extract", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d records, want 2", len(lines))
	}
	for i, want := range []map[string]any{
		{"id": "WOvg9vHBAA", "time": "2018-05-21T12:14:13.019Z", "type": "MessageDelivered", "client_app": "Exchange", "item_id": "AAMkADU0-_M=",
			"subject": `Invoice, "final"`, "message_id": "<m1@example.net>", "mailbox": "kim@example.com", "session_id": ""},
		{"id": "WOvg9vHBAB", "time": "2018-06-21T10:45:30.000Z", "type": "SearchResult", "client_app": "Web", "session_id": "6499…43a2", "item_id": ""},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("record %d: %s is %q, want %q", i, key, got[key], value)
			}
		}
		from := strings.Index(sample, `{"@odata.id":"https://outlook.office.com/api/v2.0/Users('kim@example.com')/Activities('`+want["id"].(string))
		to := from + strings.Index(sample[from:], `]}`) + 2
		p := got["provenance"].(map[string]any)
		if p["offset"] != float64(from) || p["length"] != float64(to-from) || p["sha256"] != fmt.Sprintf("%x", sha256.Sum256([]byte(sample[from:to]))) ||
			p["pointer"] != fmt.Sprintf("/value/%d", i) || p["seq"] != float64(seq) {
			t.Errorf("record %d: provenance %v, want %d bytes at %d of entry %d", i, p, to-from, from, seq)
		}
	}
	if details := lines[1]; !strings.Contains(details, `"Query":"O'Brien, W-9; 2017"`) {
		t.Errorf("the query is not in %s", details)
	}
}
