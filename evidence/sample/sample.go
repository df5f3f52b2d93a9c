// Package sample makes small cases in memory, the same bytes every time: fixtures for the tests of everything that reads a case.
// What it acquires is made up; the container around it is the real writer's.
package sample

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// CaseID is the id of every sample case, Run that of its run.
const (
	CaseID = "00112233445566778899aabbccddeeff"
	Run    = "aaaabbbbccccddddeeeeffff00001111"
	Origin = "https://service.example"
)

// Maker makes one case step by step. Its methods end the test where a step fails.
type Maker struct {
	Folder *crashfs.Folder
	W      *evidence.Writer
	Key    *trust.PrivateKey

	t       testing.TB
	now     func() time.Time
	counter int64
	conn    int64
}

// Clock starts at a fixed instant and moves one millisecond at each call.
func Clock() func() time.Time {
	var mu sync.Mutex
	t := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		t = t.Add(time.Millisecond)
		return t
	}
}

// Rand is a deterministic source of bytes.
func Rand(seed byte) io.Reader { return &lockedRand{r: rand.NewChaCha8([32]byte{seed})} }

type lockedRand struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// Key makes the key with this seed.
func Key(t testing.TB, seed byte) *trust.PrivateKey {
	t.Helper()
	k, err := trust.NewKey(Rand(seed), fmt.Sprintf("examiner.example/%d", seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// New opens a case. change may alter the writer's options.
func New(t testing.TB, change func(*evidence.Options)) *Maker {
	t.Helper()
	return NewOf(t, CaseID, change)
}

// NewOf opens a case with another id.
func NewOf(t testing.TB, caseID string, change func(*evidence.Options)) *Maker {
	t.Helper()
	m := &Maker{Folder: crashfs.New(), Key: Key(t, 9), t: t, now: Clock(), conn: evidence.None}
	o := evidence.Options{Folder: m.Folder, Signers: []trust.Signer{m.Key}, Now: Clock(), Rand: Rand(1), Software: "exhibit sample"}
	if change != nil {
		change(&o)
	}
	var err error
	m.W, err = evidence.Create(context.Background(), o, evidence.Case{Case: caseID, Host: "host.example",
		Fields: []evidence.Pair{{Name: "case-number", Value: "2026-117"}, {Name: "examiner", Value: "Jo Example"}}, TimeSources: []string{}, Tool: []evidence.Pair{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.W.Close(context.Background()) }) // of a test that has not closed it: nothing it could say matters any more
	return m
}

// Append appends a draft and returns its seq.
func (m *Maker) Append(d *evidence.Draft) int64 {
	m.t.Helper()
	if d.Start.IsZero() {
		d.Start = m.now()
	}
	e, err := m.W.Append(context.Background(), d)
	if err == nil {
		err = m.W.Settle(context.Background())
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return e.Head.Seq
}

// Operator appends an operator entry.
func (m *Maker) Operator(action, text string, fields ...evidence.Pair) int64 {
	run := ""
	if action == evidence.ActionRunStart || action == evidence.ActionRunStop {
		run = Run
	}
	return m.Append(&evidence.Draft{Run: run, Body: &evidence.Operator{Action: action, Text: text, Operator: "jo", Host: "host.example", Fields: fields}})
}

// Connect appends a connection entry.
func (m *Maker) Connect() int64 {
	at := m.now()
	pem := "-----BEGIN CERTIFICATE-----\nc2FtcGxl\n-----END CERTIFICATE-----\n"
	m.conn = m.Append(&evidence.Draft{Start: at, Run: Run, Source: "http",
		Body: &evidence.Connection{Number: 1, Origin: Origin, Remote: "192.0.2.1:443", Local: "192.0.2.2:50000", Protocol: "http/1.1",
			TLSVersion: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "service.example", Verified: true, Roots: "system"},
		Records: []evidence.RecordDraft{{Type: warc.Resource, URI: "urn:exhibit:certificates", ContentType: "application/pem-certificate-chain", Block: []byte(pem)}}})
	return m.conn
}

// Window appends a window entry.
func (m *Maker) Window(n int64, w evidence.Window) int64 {
	var err error
	if w.Acquisition, err = w.Name("http"); err != nil {
		m.t.Fatal(err)
	}
	if w.State == evidence.Opened {
		w.Last = evidence.None
	}
	return m.Append(&evidence.Draft{Run: Run, Source: "http", Window: n, Body: &w})
}

// Answer is what a sample exchange brings.
type Answer struct {
	Source  string // "" for http
	Window  int64
	Page    int64
	Parent  int64
	Attempt int64
	RetryOf int64
	Status  int64
	Head    string // status line and fields, without the empty line
	Body    string
	Ended   string // "" for complete
	Framing string // "" for content-length
	Redact  bool
}

// Exchange appends an exchange.
func (m *Maker) Exchange(a Answer) int64 {
	m.counter++
	at := m.now()
	url := fmt.Sprintf("%s/page/%d", Origin, a.Page)
	auth, redactions := "", []evidence.Redaction{}
	if a.Redact {
		auth = "Authorization: Bearer REDACTED\r\n"
	}
	req := fmt.Sprintf("GET /page/%d HTTP/1.1\r\nHost: service.example\r\n%s\r\n", a.Page, auth)
	if a.Redact {
		redactions = append(redactions, evidence.Redaction{What: "header", Name: "Authorization", Offset: int64(len(req) - len("REDACTED\r\n\r\n")), Length: 8})
	}
	head := a.Head + "\r\n\r\n"
	ended, framing := a.Ended, a.Framing
	if ended == "" {
		ended = evidence.EndedComplete
	}
	if framing == "" {
		framing = "content-length"
	}
	record := func(typ, truncated, block string) evidence.RecordDraft {
		return evidence.RecordDraft{Type: typ, URI: url, Truncated: truncated, Block: []byte(block)}
	}
	source := a.Source
	if source == "" {
		source = "http"
	}
	truncated := ""
	if ended != evidence.EndedComplete {
		truncated = "disconnect"
	}
	return m.Append(&evidence.Draft{Start: at, End: m.now(), Source: source, Window: a.Window, Method: "GET", Status: a.Status, Run: Run,
		Body: &evidence.Exchange{Counter: m.counter, RequestID: fmt.Sprintf("aaaabbbb-cccc-8ddd-8eee-%012x", m.counter), Connection: m.conn, URL: url, Page: a.Page, Parent: a.Parent,
			Attempt: max(a.Attempt, 1), RetryOf: a.RetryOf, Protocol: "HTTP/1.1", Framing: framing, Ended: ended, HeadLength: int64(len(head)), Redactions: redactions},
		Records: []evidence.RecordDraft{record(warc.Request, "", req), record(warc.Response, truncated, head+a.Body)}})
}

// Close stops the writer.
func (m *Maker) Close() {
	m.t.Helper()
	if err := m.W.Close(context.Background()); err != nil {
		m.t.Fatal(err)
	}
}

// Seal seals the case and closes it.
func (m *Maker) Seal() {
	m.t.Helper()
	if err := m.W.Seal(context.Background(), SealOptions(m.t)); err != nil {
		m.t.Fatal(err)
	}
	m.Close()
}

// SealOptions are those of a sample: short files stand for the real ones.
func SealOptions(t testing.TB) evidence.SealOptions {
	dir := t.TempDir()
	return evidence.SealOptions{
		Ledger: func(ctx context.Context, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) {
			path := filepath.Join(dir, "ledger.db")
			if err := ledger.Build(ctx, path, batches); err != nil {
				return nil, err
			}
			return os.Open(path)
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: []byte("A sample case.\n")},
			{Path: "data/verify.py", Content: []byte("# Stands for verify.py.\n")}},
		Info: []bag.Field{{Label: bag.SourceOrganization, Value: "Example Forensics"}, {Label: bag.BaggingDate, Value: "2026-11-22"}},
	}
}

// Small makes the small case that most tests use: two windows, an answer that was asked for twice, a redaction, two segments and
// several heads. It is not sealed yet.
func Small(t testing.TB) *Maker {
	t.Helper()
	m := New(t, func(o *evidence.Options) { o.SegmentSize, o.HeadEntries = 9000, 100 })
	m.Operator(evidence.ActionRunStart, "exhibit acquire http", evidence.Pair{Name: evidence.FieldParallel, Value: "2"})
	m.Connect()
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example", From: "2026-11-01T00:00:00Z", To: "2026-11-02T00:00:00Z",
		Parameters: []evidence.Pair{{Name: "page-size", Value: "2"}}})
	none := int64(evidence.None)
	refused := m.Exchange(Answer{Window: 1, Page: 1, Parent: none, RetryOf: none, Status: 429, Head: "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0", Redact: true})
	first := m.Exchange(Answer{Window: 1, Page: 1, Parent: none, Attempt: 2, RetryOf: refused, Status: 200, Redact: true,
		Head: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 84",
		Body: `{"value":[{"Id":"a1","Operation":"Logon"},{"Id":"a2","Operation":"Search"}],"n":1}` + "\r\n"})
	second := m.Exchange(Answer{Window: 1, Page: 2, Parent: first, RetryOf: none, Status: 200, Framing: "chunked", Redact: true,
		Head: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked",
		Body: "1c\r\n" + `{"value":[{"Id":"a3","Operat` + "\r\n" + "e\r\n" + `ion":"Read"}]}` + "\r\n0\r\n\r\n"})
	m.Window(1, evidence.Window{State: evidence.Complete, User: "adele@contoso.example", From: "2026-11-01T00:00:00Z", To: "2026-11-02T00:00:00Z",
		Parameters: []evidence.Pair{{Name: "page-size", Value: "2"}},
		Requests:   3, Pages: 2, Records: 3, Last: second})
	m.Window(2, evidence.Window{State: evidence.Opened, User: "empty@contoso.example"})
	empty := m.Exchange(Answer{Window: 2, Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`})
	m.Window(2, evidence.Window{State: evidence.Empty, User: "empty@contoso.example", Reason: "no-data", Requests: 1, Pages: 1, Last: empty})
	m.Operator(evidence.ActionNote, "a remark with \u00e9 and \u202e in it")
	m.Operator(evidence.ActionRunStop, "finished")
	return m
}
