package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

const redacted = "REDACTED"

// deep derives again what entries tell of the recorded bytes: status, extent and framing of the response, and that REDACTED stands where a redaction is declared.
func (c *checker) deep(ctx context.Context, container *Container) error {
	for e, err := range container.Entries(ctx) {
		if err != nil {
			return err
		}
		x, ok := e.Body.(*evidence.Exchange)
		if !ok {
			continue
		}
		if err := c.deepExchange(ctx, container, e, x); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) deepExchange(ctx context.Context, container *Container, e *evidence.Entry, x *evidence.Exchange) error {
	request, err := container.Block(ctx, e, 0)
	if err != nil {
		return err
	}
	defer request.Close()
	c.deepRequest(e, x, request)
	for _, r := range x.Redactions {
		if r.Record != 0 {
			continue
		}
		buf := make([]byte, len(redacted))
		if r.Length != int64(len(redacted)) {
			c.deepFind("deep-redaction", e, "%s %q is %d bytes long", r.What, r.Name, r.Length)
		} else if _, err := request.ReadAt(buf, r.Offset); err != nil || string(buf) != redacted {
			c.deepFind("deep-redaction", e, "%s %q", r.What, r.Name)
		}
	}
	if len(e.Detail.Records) < 2 {
		return nil
	}
	response, err := container.Block(ctx, e, 1)
	if err != nil {
		return err
	}
	defer response.Close()
	return c.deepResponse(e, x, response)
}

// deepRequest holds method and URL against the request line.
func (c *checker) deepRequest(e *evidence.Entry, x *evidence.Exchange, block *Block) {
	head := make([]byte, min(block.Size, 70_000))
	if _, err := block.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		c.deepFind("deep-layout", e, "the request cannot be read: %v", err)
		return
	}
	line, _, whole := strings.Cut(string(head), "\r\n")
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if whole && (method != e.Head.Method || version != "HTTP/1.1" || target != x.URL && target != requestTarget(x.URL)) {
		c.deepFind("deep-layout", e, "the entry says %s %s, the request %q", e.Head.Method, x.URL, line)
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

func (c *checker) deepResponse(e *evidence.Entry, x *evidence.Exchange, block *Block) error {
	layout, err := httpblock.ParseResponse(block, block.Size, e.Head.Method)
	if errors.Is(err, httpblock.ErrTrailing) {
		c.deepFind("deep-layout", e, "bytes follow the end of the response")
	} else if err != nil {
		return err
	}
	if int64(layout.Status) != e.Head.Status {
		c.deepFind("deep-layout", e, "the entry says status %d, the bytes %d", e.Head.Status, layout.Status)
	}
	if x.HeadOffset != evidence.None && layout.HeadLength > 0 && (layout.HeadOffset != x.HeadOffset || layout.HeadLength != x.HeadLength) {
		c.deepFind("deep-layout", e, "the entry says that the final head is %d bytes at %d, the bytes %d at %d", x.HeadLength, x.HeadOffset, layout.HeadLength, layout.HeadOffset)
	}
	if x.Ended == evidence.EndedComplete && layout.End != httpblock.EndComplete {
		c.deepFind("deep-layout", e, "the entry says that the response is complete, the bytes that it ends %q", layout.End)
	}
	if layout.Framing != "" && x.Framing != layout.Framing {
		c.deepFind("deep-layout", e, "the entry says framing %q, the bytes %q", x.Framing, layout.Framing)
	}
	return nil
}

func (c *checker) deepFind(code string, e *evidence.Entry, format string, args ...any) {
	at := e.Located[len(e.Located)-1]
	c.r.add(Finding{Code: code, Path: evidence.SegmentPath(int64(at.Segment)), Offset: at.Offset, Seq: e.Head.Seq, Detail: fmt.Sprintf(format, args...)})
}
