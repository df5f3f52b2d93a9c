package verify

import (
	"bufio"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"compress/gzip"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// MaxBody is the largest decoded body in bytes that is handed out: a small answer may inflate to anything.
const MaxBody = 1 << 30

// Errors of a body, which leave the recorded bytes as they are.
var (
	ErrNoBody    = errors.New("exchange has no response body")
	ErrCoding    = errors.New("content coding cannot be decoded")
	ErrBodyLarge = fmt.Errorf("body decodes to more than %d bytes", MaxBody)
)

// Body is the body of a response with transfer and content coding removed.
type Body struct {
	io.Reader
	block *Block
}

// Close frees what the body holds.
func (b *Body) Close() error { return b.block.Close() }

// Body returns the decoded body of an exchange's response. Offsets in provenance count in it.
func (c *Container) Body(ctx context.Context, e *evidence.Entry) (*Body, error) {
	if len(e.Detail.Records) < 2 || e.Detail.Records[1].Type != warc.Response || e.Head.Kind != evidence.KindExchange {
		return nil, fmt.Errorf("entry %d: %w", e.Head.Seq, ErrNoBody)
	}
	block, err := c.Block(ctx, e, 1)
	if err != nil {
		return nil, err
	}
	r, err := decodedBody(block, e.Head.Method)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("entry %d: %w", e.Head.Seq, err), block.Close())
	}
	return &Body{Reader: r, block: block}, nil
}

func decodedBody(block *Block, method string) (io.Reader, error) {
	layout, err := httpblock.ParseResponse(block, block.Size, method)
	if err != nil && !errors.Is(err, httpblock.ErrTrailing) {
		return nil, err
	}
	payload, err := layout.Payload(block)
	if err != nil {
		return nil, err
	}
	return decode(payload, layout.Fields.Values("Content-Encoding"))
}

// decode removes the content codings, the last one first.
func decode(r io.Reader, values []string) (io.Reader, error) {
	var codings []string
	for _, c := range strings.Split(strings.Join(values, ","), ",") {
		if c = strings.ToLower(strings.Trim(c, " \t")); c != "" && c != "identity" {
			codings = append(codings, c)
		}
	}
	if len(codings) > 2 {
		return nil, fmt.Errorf("%d content codings: %w", len(codings), ErrCoding)
	}
	for i := len(codings) - 1; i >= 0; i-- {
		var err error
		switch codings[i] {
		case "gzip", "x-gzip":
			r, err = gzip.NewReader(bufio.NewReader(r))
		case "deflate":
			r, err = zlib.NewReader(bufio.NewReader(r))
		default:
			return nil, fmt.Errorf("%q: %w", codings[i], ErrCoding)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", codings[i], ErrCoding, err)
		}
	}
	return &bounded{r: r, left: MaxBody}, nil
}

// bounded fails where a body goes on beyond the limit, so that a bomb is no silent cut.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrBodyLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
