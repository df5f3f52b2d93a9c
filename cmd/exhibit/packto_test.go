package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// TestWarnSecrets: who packs without encryption is told which answers repeat a secret.
func TestWarnSecrets(t *testing.T) {
	m := sample.New(t, nil)
	m.Connect()
	var talk bytes.Buffer
	if err := warnSecrets(t.Context(), &talk, m.Folder.FS()); err != nil || talk.Len() > 0 {
		t.Errorf("of a case without: %q, %v", &talk, err)
	}
	const url = "https://service.example/x"
	for i := range 12 {
		flags := []string{wire.FlagSecretInResponse}
		if i == 0 {
			flags = []string{}
		}
		req, res := "GET /x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		m.Append(&evidence.Draft{Source: "http", Method: "GET", Status: 200, Run: sample.Run,
			Body: &evidence.Exchange{Counter: int64(i) + 1, RequestID: "r", Connection: evidence.None, URL: url, Page: 1, Parent: evidence.None, Attempt: 1, RetryOf: evidence.None,
				Protocol: "HTTP/1.1", Framing: "content-length", Ended: evidence.EndedComplete, HeadLength: int64(len(res)), Flags: flags},
			Records: []evidence.RecordDraft{{Type: warc.Request, URI: url, Block: []byte(req)}, {Type: warc.Response, URI: url, Block: []byte(res)}}})
	}
	if err := warnSecrets(t.Context(), &talk, m.Folder.FS()); err != nil {
		t.Fatal(err)
	}
	if says := talk.String(); !strings.HasPrefix(says, "warning: 11 answers repeat a secret of their requests (entries 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …)") || !strings.Contains(says, "--to") {
		t.Errorf("it says %q", says)
	}
	if err := warnSecrets(t.Context(), fullWriter{}, m.Folder.FS()); err == nil {
		t.Error("a warning that was lost is no error")
	}
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errors.New("full") }
