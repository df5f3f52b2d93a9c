package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/testdata/bench/pages"
)

// What all entries of the case have in common.
const (
	source  = "http"
	origin  = "https://service.example"
	address = "192.0.2.10"

	poolBytes = 8 << 20 // of different pages, ids aside
)

// run writes one run.
type run struct {
	c    *casefile.Case
	env  casefile.Env
	o    *options
	id   string
	pool []*pages.Page
	out  wrote
	cert []byte

	mu      sync.Mutex // guards what follows, and out
	counter int64
	bodies  *bufio.Writer
}

func newRun(c *casefile.Case, env casefile.Env, o *options) (*run, error) {
	r := &run{c: c, env: env, o: o}
	var err error
	if r.id, err = evidence.NewID(env.Rand); err != nil {
		return nil, err
	}
	maker := pages.New(o.seed)
	for made := 0; made < poolBytes && int64(len(r.pool)) < o.exchanges; {
		p := maker.Page(o.size)
		r.pool = append(r.pool, p)
		made += len(p.Body)
	}
	r.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Repeat([]byte("certificate "), 60)})
	return r, nil
}

func (r *run) do(ctx context.Context) (err error) {
	if r.o.bodies != "" {
		f, err := os.OpenFile(r.o.bodies, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		r.bodies = bufio.NewWriterSize(f, 1<<20)
		defer func() { err = errors.Join(err, r.bodies.Flush(), f.Close()) }()
	}
	if err := r.operator(ctx, evidence.ActionRunStart, evidence.Pair{Name: evidence.FieldParallel, Value: strconv.FormatInt(r.o.workers, 10)}); err != nil {
		return err
	}
	for left := r.o.exchanges; left > 0; left -= min(left, r.o.window) {
		if err := r.window(ctx, min(left, r.o.window)); err != nil {
			return err
		}
	}
	return r.operator(ctx, evidence.ActionRunStop, evidence.Pair{Name: "reason", Value: "finished"})
}

func (r *run) operator(ctx context.Context, action string, fields ...evidence.Pair) error {
	_, err := r.c.Append(ctx, &evidence.Draft{Start: r.env.Now(), Source: source, Run: r.id,
		Body: &evidence.Operator{Action: action, Text: "benchmark", Operator: r.env.Operator, Host: r.env.Host, Fields: fields}})
	return err
}

// window writes a window of so many exchanges, in chains that workers take one after another.
func (r *run) window(ctx context.Context, exchanges int64) error {
	r.out.Windows++
	w := &window{run: r, number: r.out.Windows, left: exchanges, last: evidence.None}
	if err := w.entry(ctx, evidence.Opened); err != nil {
		return err
	}
	errs := make([]error, r.o.workers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = w.work(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return w.entry(ctx, evidence.Complete)
}

// window is what workers share.
type window struct {
	*run
	number int64

	// Guarded by run.mu.
	left, chains         int64
	taken, records, last int64
}

func (w *window) entry(ctx context.Context, state string) error {
	body := &evidence.Window{State: state, User: fmt.Sprintf("user%d@fabrikam.example", w.number), Requests: w.taken, Pages: w.taken, Records: w.records, Last: w.last,
		Parameters: []evidence.Pair{{Name: "origin", Value: origin}}}
	var err error
	if body.Acquisition, err = body.Name(source); err != nil {
		return err
	}
	_, err = w.c.Append(ctx, &evidence.Draft{Start: w.env.Now(), Source: source, Window: w.number, Run: w.id, Body: body})
	return err
}

// work follows chains until none is left, over one connection.
func (w *window) work(ctx context.Context) error {
	connection := int64(evidence.None)
	for {
		chain, pages := w.next()
		if pages == 0 {
			return nil
		}
		if connection == evidence.None {
			var err error
			if connection, err = w.connect(ctx, chain+1); err != nil {
				return err
			}
		}
		if err := w.follow(ctx, chain, pages, connection); err != nil {
			return err
		}
	}
}

// next hands out a chain.
func (w *window) next() (chain, pages int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	chain, pages = w.chains, min(w.left, w.o.chain)
	w.chains++
	w.left -= pages
	return chain, pages
}

func (w *window) connect(ctx context.Context, number int64) (seq int64, err error) {
	at := w.env.Now()
	e, err := w.c.Append(ctx, &evidence.Draft{Start: at, End: at, Source: source, Run: w.id,
		Body: &evidence.Connection{Number: number, Origin: origin, Remote: address + ":443", Local: "192.0.2.20:50000", Protocol: "http/1.1",
			TLSVersion: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "service.example", Verified: true, Roots: "system"},
		Records: []evidence.RecordDraft{{Type: warc.Resource, URI: "urn:exhibit:certificates", ContentType: "application/pem-certificate-chain", Block: w.cert}}})
	if err != nil {
		return 0, err
	}
	return e.Head.Seq, nil
}

// follow writes the pages of one chain, each when the one before is durable.
func (w *window) follow(ctx context.Context, chain, pages, connection int64) error {
	x := evidence.Exchange{Chain: chain, Connection: connection, Parent: evidence.None, RetryOf: evidence.None, Attempt: 1,
		Protocol: "HTTP/1.1", Framing: "content-length", Ended: evidence.EndedComplete}
	var body []byte
	for x.Page = 1; x.Page <= pages; x.Page++ {
		w.mu.Lock()
		w.counter++
		x.Counter = w.counter
		w.mu.Unlock()
		page := w.pool[int(x.Counter)%len(w.pool)]
		body = page.WithIDs(body, x.Counter)
		seq, err := w.exchange(ctx, x, body)
		if err != nil {
			return err
		}
		x.Parent, x.Before = seq, x.Before+int64(page.Records)
		w.mu.Lock()
		w.taken++
		w.records += int64(page.Records)
		w.last = max(w.last, seq)
		w.out.Exchanges++
		w.out.Records += int64(page.Records)
		w.out.BodyBytes += int64(len(body))
		if w.bodies != nil {
			_, err = w.bodies.Write(append(body, '\n'))
		}
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange appends one request and its answer.
func (w *window) exchange(ctx context.Context, x evidence.Exchange, body []byte) (seq int64, err error) {
	const redacted = "REDACTED"
	at := w.env.Now()
	path := fmt.Sprintf("/audit/%d/%d?page=%d", w.number, x.Chain, x.Page)
	x.URL = origin + path
	x.RequestID = fmt.Sprintf("6b1f0e4c-0000-8000-8000-%012x", x.Counter)
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: service.example\r\nUser-Agent: exhibit/benchmark\r\nAuthorization: Bearer %s\r\nAccept: */*\r\nclient-request-id: %s\r\n\r\n",
		path, redacted, x.RequestID)
	head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json;odata.metadata=minimal\r\nContent-Length: %d\r\nDate: %s\r\nrequest-id: %s\r\n"+
		"Strict-Transport-Security: max-age=31536000\r\nx-ms-ags-diagnostic: {\"ServerInfo\":{\"DataCenter\":\"West Europe\",\"Slice\":\"E\",\"Ring\":\"5\"}}\r\n\r\n",
		len(body), at.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), x.RequestID)
	x.HeadLength = int64(len(head))
	x.Interim, x.Flags, x.Claims = []int64{}, []string{}, []evidence.Pair{}
	x.Redactions = []evidence.Redaction{{What: "header", Name: "Authorization", Offset: int64(bytes.Index(request, []byte(redacted))), Length: int64(len(redacted))}}
	e, err := w.c.Append(ctx, &evidence.Draft{Start: at, End: w.env.Now(), Source: source, Window: w.number, Method: "GET", Status: 200, Run: w.id, Body: &x,
		Records: []evidence.RecordDraft{
			{Type: warc.Request, URI: x.URL, Block: request},
			{Type: warc.Response, URI: x.URL, Block: append(head, body...)},
		}})
	if err != nil {
		return 0, err
	}
	return e.Head.Seq, nil
}
