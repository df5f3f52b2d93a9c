package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const redacted = "REDACTED"

// What a deep check keeps of a request and a response. It is made where a record is decoded, on all cores.
type (
	requestSeen struct {
		line     string  // request line
		whole    bool    // it ends; if not, it was not sent to its end
		redacted []int64 // where the word stands
	}
	responseSeen struct {
		status                 int64
		headOffset, headLength int64
		end, framing           string
		trailing               bool // bytes follow the end
	}
)

// Bounds of what is kept of one request: of others the second pass takes care.
const (
	maxSeenLine     = 2048
	maxSeenRedacted = 64
)

// look derives what a deep check needs of a record that is held in memory. It is nil where the second pass is to look.
func look(rec *warc.Record) any {
	block := rec.Block()
	switch {
	case block == nil:
	case rec.Type == warc.Request:
		if r := seenRequest(block); len(r.line) <= maxSeenLine && len(r.redacted) <= maxSeenRedacted {
			return r
		}
	case rec.Type == warc.Response:
		if r, err := seenResponse(bytes.NewReader(block), int64(len(block)), "GET"); err == nil {
			return r
		}
	}
	return nil
}

func seenRequest(block []byte) *requestSeen {
	line, _, whole := bytes.Cut(block, []byte("\r\n"))
	r := &requestSeen{line: string(line[:min(len(line), maxRequestLine)]), whole: whole}
	for at := 0; len(r.redacted) <= maxSeenRedacted; {
		i := bytes.Index(block[at:], []byte(redacted))
		if i < 0 {
			break
		}
		r.redacted = append(r.redacted, int64(at+i))
		at += i + 1
	}
	return r
}

// maxRequestLine is more than a request line can have whose URL fits into an entry.
const maxRequestLine = 70_000

func seenResponse(block io.ReaderAt, size int64, method string) (*responseSeen, error) {
	layout, err := httpblock.ParseResponse(block, size, method)
	if err != nil && !errors.Is(err, httpblock.ErrTrailing) {
		return nil, err
	}
	return &responseSeen{int64(layout.Status), layout.HeadOffset, layout.HeadLength, layout.End, layout.Framing, err != nil}, nil
}

// deepEntry derives again what an entry tells of the recorded bytes: status, extent and framing of the response, and that REDACTED stands where a redaction
// is declared. It notes the entry for the second pass if not all of it was seen in the first.
func (c *checker) deepEntry(e *evidence.Entry) {
	x, ok := e.Body.(*evidence.Exchange)
	if !ok || !c.opts.Deep || len(e.Located) < len(e.Detail.Records) {
		return
	}
	request, ok := e.Located[0].Seen.(*requestSeen)
	var response *responseSeen
	if len(e.Located) > 1 && ok {
		if response, ok = e.Located[1].Seen.(*responseSeen); e.Head.Method == "HEAD" {
			ok = false // nothing but the method tells that there is no body
		}
	}
	if !ok {
		c.again.set(e.Head.Seq)
		return
	}
	c.deepRequest(e, x, request.line, request.whole)
	for _, r := range x.Redactions {
		_, there := slices.BinarySearch(request.redacted, r.Offset)
		c.deepRedaction(e, r, there)
	}
	if response != nil {
		c.deepResponse(e, x, response)
	}
}

// deep looks at what the first pass could not keep: exchanges too large for memory, and answers to HEAD.
func (c *checker) deep(ctx context.Context, container *Container) error {
	if len(c.again) == 0 {
		return nil
	}
	for e, err := range container.Entries(ctx) {
		if err != nil {
			return err
		}
		if !c.again.has(e.Head.Seq) {
			continue
		}
		if err := c.deepAgain(ctx, container, e, e.Body.(*evidence.Exchange)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) deepAgain(ctx context.Context, container *Container, e *evidence.Entry, x *evidence.Exchange) error {
	request, err := container.Block(ctx, e, 0)
	if err != nil {
		return err
	}
	defer request.Close()
	head := make([]byte, min(request.Size, maxRequestLine))
	if _, err := request.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, _, whole := strings.Cut(string(head), "\r\n")
	c.deepRequest(e, x, line, whole)
	for _, r := range x.Redactions {
		buf := make([]byte, len(redacted))
		_, err := request.ReadAt(buf, r.Offset)
		c.deepRedaction(e, r, err == nil && string(buf) == redacted)
	}
	if len(e.Detail.Records) < 2 {
		return nil
	}
	response, err := container.Block(ctx, e, 1)
	if err != nil {
		return err
	}
	defer response.Close()
	seen, err := seenResponse(response, response.Size, e.Head.Method)
	if err != nil {
		return err
	}
	c.deepResponse(e, x, seen)
	return nil
}

// deepRequest holds method and URL against the request line, or against as much of it as was sent.
func (c *checker) deepRequest(e *evidence.Entry, x *evidence.Exchange, line string, whole bool) {
	for _, target := range []string{requestTarget(x.URL), x.URL} {
		want := e.Head.Method + " " + target + " HTTP/1.1"
		if line == want || !whole && strings.HasPrefix(want+"\r", line) {
			return
		}
	}
	c.deepFind("deep-layout", e, "the entry says %s %s, the request %q", e.Head.Method, x.URL, clip(line))
}

func (c *checker) deepRedaction(e *evidence.Entry, r evidence.Redaction, there bool) {
	switch {
	case r.Record != 0:
	case r.Length != int64(len(redacted)):
		c.deepFind("deep-redaction", e, "%s %q is %d bytes long", r.What, r.Name, r.Length)
	case !there:
		c.deepFind("deep-redaction", e, "%s %q", r.What, r.Name)
	}
}

// requestTarget is what follows the authority in a URL, in the form that a request line has it (RFC 9112, 3.2.1).
func requestTarget(url string) string {
	_, after, _ := strings.Cut(url, "://")
	at := strings.IndexAny(after, "/?")
	switch {
	case at < 0:
		return "/"
	case after[at] == '?':
		return "/" + after[at:]
	}
	return after[at:]
}

func (c *checker) deepResponse(e *evidence.Entry, x *evidence.Exchange, seen *responseSeen) {
	if seen.trailing {
		c.deepFind("deep-layout", e, "bytes follow the end of the response")
	}
	if seen.status != e.Head.Status {
		c.deepFind("deep-layout", e, "the entry says status %d, the bytes %d", e.Head.Status, seen.status)
	}
	if x.HeadOffset != evidence.None && seen.headLength > 0 && (seen.headOffset != x.HeadOffset || seen.headLength != x.HeadLength) {
		c.deepFind("deep-layout", e, "the entry says that the final head is %d bytes at %d, the bytes %d at %d", x.HeadLength, x.HeadOffset, seen.headLength, seen.headOffset)
	}
	if complete := x.Ended == evidence.EndedComplete; complete && seen.end != httpblock.EndComplete {
		c.deepFind("deep-layout", e, "the entry says that the response is complete, the bytes that it ends %q", seen.end)
	} else if !complete && seen.end == httpblock.EndComplete && seen.framing != httpblock.FramingClose {
		c.deepFind("deep-layout", e, "the entry says that the response ends %q, the bytes that it is complete", x.Ended)
	}
	if seen.framing != "" && x.Framing != seen.framing {
		c.deepFind("deep-layout", e, "the entry says framing %q, the bytes %q", x.Framing, seen.framing)
	}
}

func (c *checker) deepFind(code string, e *evidence.Entry, format string, args ...any) {
	at := e.Located[len(e.Located)-1]
	c.r.add(Finding{Code: code, Path: evidence.SegmentPath(int64(at.Segment)), Offset: at.Offset, Seq: e.Head.Seq, Detail: fmt.Sprintf(format, args...)})
}
