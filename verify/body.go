package verify

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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
	r, err := (&codings{}).stored(block, block.Size, e.Head.Method)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("entry %d: %w", e.Head.Seq, err), block.Close())
	}
	return &Body{Reader: r, block: block}, nil
}

// codings takes codings off bodies. Its memory is used again for the next body.
type codings struct{ gzip *gzip.Reader }

// stored returns the body of a response block that is read from where it stands.
func (c *codings) stored(block io.ReaderAt, size int64, method string) (io.Reader, error) {
	layout, err := httpblock.ParseResponse(block, size, method)
	if err != nil && !errors.Is(err, httpblock.ErrTrailing) {
		return nil, err
	}
	payload, err := layout.Payload(block)
	if err != nil {
		return nil, err
	}
	return c.decode(payload, layout.Fields.Values("Content-Encoding"))
}

// inMemory is stored for a block in memory, which it does not copy.
func (c *codings) inMemory(block []byte, method string) (io.Reader, error) {
	f := httpblock.NewFramer(method, httpblock.Limits{}, nil)
	f.Feed(block)
	f.Close(true)
	layout := f.Layout()
	if layout.End != httpblock.EndComplete || layout.Framing == httpblock.FramingChunked {
		return c.stored(bytes.NewReader(block), int64(len(block)), method)
	}
	payload := bytes.NewReader(block[layout.BodyOffset:][:layout.PayloadLength])
	return c.decode(payload, layout.Fields.Values("Content-Encoding"))
}

// decode removes the content codings, the last one first.
func (c *codings) decode(r io.Reader, values []string) (io.Reader, error) {
	names := codingNames(values)
	if len(names) > 2 {
		return nil, fmt.Errorf("%d content codings: %w", len(names), ErrCoding)
	}
	for i := len(names) - 1; i >= 0; i-- {
		var err error
		switch names[i] {
		case "gzip", "x-gzip":
			r, err = c.gunzip(buffered(r), i == 0)
		case "deflate":
			r, err = zlib.NewReader(buffered(r))
		default:
			return nil, fmt.Errorf("%q: %w", names[i], ErrCoding)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", names[i], ErrCoding, err)
		}
	}
	return &bounded{r: r, left: MaxBody}, nil
}

// codingNames splits the values of Content-Encoding.
func codingNames(values []string) (names []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.ToLower(strings.Trim(name, " \t")); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	return names
}

// buffered gives r's bytes one by one without a read for each.
func buffered(r io.Reader) io.Reader {
	if b, ok := r.(*bytes.Reader); ok {
		return b
	}
	return bufio.NewReader(r)
}

// gunzip takes gzip off. last says that nothing else will be taken off the same body.
func (c *codings) gunzip(r io.Reader, last bool) (io.Reader, error) {
	if !last {
		return gzip.NewReader(r)
	}
	if c.gzip != nil {
		return c.gzip, c.gzip.Reset(r)
	}
	z, err := gzip.NewReader(r)
	if err == nil {
		c.gzip = z
	}
	return z, err
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
