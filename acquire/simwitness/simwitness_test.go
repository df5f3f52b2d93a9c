package simwitness_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simwitness"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// TestProtocol asks what https://c2sp.org/tlog-witness says, in its order, and requires its statuses.
func TestProtocol(t *testing.T) {
	key, err := trust.NewKey(bytes.NewReader(bytes.Repeat([]byte{1}, 32)), "log.example")
	if err != nil {
		t.Fatal(err)
	}
	other, err := trust.NewKey(bytes.NewReader(bytes.Repeat([]byte{2}, 32)), "other.example")
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := trust.ParseVKey(key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	w, err := simwitness.New(simwitness.Options{Name: "witness.example", Rand: bytes.NewReader(bytes.Repeat([]byte{3}, 32)), Now: func() time.Time { return now }, Logs: []trust.VKey{vkey}})
	if err != nil {
		t.Fatal(err)
	}
	// Two histories of one log: they differ in the leaf behind the second.
	one, two := []string{"a", "b", "c", "d"}, []string{"a", "b", "x", "y"}
	note := func(signer trust.Signer, leaves []string, size int64) string {
		var tree evidence.Tree
		for _, l := range leaves[:size] {
			tree.Add(evidence.LeafHash([]byte(l)))
		}
		text, err := trust.Head{Origin: "log.example/1", Size: size, Root: tree.Root()}.Text()
		if err != nil {
			t.Fatal(err)
		}
		n, err := trust.Sign(context.Background(), text, signer)
		if err != nil {
			t.Fatal(err)
		}
		return string(n)
	}
	proof := func(leaves []string, old, size int64) (lines string) {
		p, err := evidence.ProveConsistency(old, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leaves {
			p.Add(evidence.LeafHash([]byte(l)))
		}
		_, path, err := p.Proof()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range path {
			lines += base64.StdEncoding.EncodeToString(h[:]) + "\n"
		}
		return lines
	}
	request := func(old int64, proof, note string) string { return fmt.Sprintf("old %d\n%s\n%s", old, proof, note) }
	for i, c := range []struct {
		body   string
		status int
		says   string // of the answer
	}{
		{"nonsense", 400, ""},
		{request(0, "", note(other, one, 2)), 403, ""},
		{request(3, "", note(key, one, 2)), 400, ""},
		{request(1, proof(one, 1, 2), note(key, one, 2)), 409, "0\n"},
		{request(0, proof(one, 1, 2), note(key, one, 2)), 422, ""}, // the proof must be empty
		{request(0, "", note(key, one, 2)), 200, "— witness.example "},
		{request(2, "", note(key, one, 2)), 200, "— witness.example "}, // again
		{request(0, "", note(key, one, 3)), 409, "2\n"},
		{request(2, "", note(key, one, 3)), 422, ""},
		{request(2, proof(one, 2, 4), note(key, one, 3)), 422, ""},
		{request(2, proof(one, 2, 3), note(key, one, 3)), 200, "— witness.example "},
		{request(2, proof(two, 2, 4), note(key, two, 4)), 409, "3\n"}, // good proofs of the other history do not help
		{request(3, "", note(key, two, 3)), 409, "3\n"},
		{request(3, proof(two, 3, 4), note(key, two, 4)), 422, ""},
		{request(2, "", note(key, one, 2)), 409, "3\n"}, // nor does going back
		{request(3, proof(one, 3, 4), note(key, one, 4)), 200, "— witness.example "},
	} {
		r := httptest.NewRequest(http.MethodPost, "/any/add-checkpoint", strings.NewReader(c.body))
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		if out.Code != c.status || !strings.HasPrefix(out.Body.String(), c.says) {
			t.Errorf("request %d: %d %q, expected %d %q", i, out.Code, out.Body, c.status, c.says)
		}
		if out.Code == 409 && out.Header().Get("Content-Type") != "text/x.tlog.size" {
			t.Errorf("request %d: Content-Type %q", i, out.Header().Get("Content-Type"))
		}
		if out.Code == 200 {
			_, sent, _ := strings.Cut(c.body, "\n\n")
			_, all, err := trust.Cosignatures([]byte(sent+out.Body.String()), []trust.WitnessKey{w.Key()})
			if err != nil || len(all) != 1 || !all[0].Time.Equal(now) {
				t.Errorf("request %d: %v %+v", i, err, all)
			}
		}
	}
	for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, "/add-checkpoint", nil), httptest.NewRequest(http.MethodPost, "/add-entry", nil)} {
		out := httptest.NewRecorder()
		if w.ServeHTTP(out, r); out.Code != 404 {
			t.Errorf("%s %s: %d", r.Method, r.URL, out.Code)
		}
	}
	if w.Asked() != 16 {
		t.Errorf("asked %d times", w.Asked())
	}
}
