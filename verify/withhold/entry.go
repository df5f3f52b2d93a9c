package withhold

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// scanEntry looks through the detail line of an entry and its records, and says why not all of them can be looked through; "" if they can.
func scanEntry(ctx context.Context, c *verify.Container, e *evidence.Entry, m *matcher) (hits []hit, unsearchable string, err error) {
	hits = newScan(m).all(e.DetailLine)
	for i, r := range e.Detail.Records {
		block, err := c.Block(ctx, e, i)
		if err != nil {
			return nil, "", err
		}
		s := newScan(m)
		err = s.copyTo(io.NewSectionReader(block, 0, block.Size))
		if err = errors.Join(err, block.Close()); err != nil {
			return nil, "", err
		}
		hits = append(hits, s.hits...)
		switch {
		case r.Truncated != "":
			unsearchable = "the response is truncated"
		case e.Head.Kind == evidence.KindExchange && r.Type == warc.Resource:
			unsearchable = "bytes follow the response's end"
		case e.Head.Kind == evidence.KindGap:
			unsearchable = "it holds what was torn"
		}
	}
	x, ok := e.Body.(*evidence.Exchange)
	if !ok {
		return hits, unsearchable, nil
	}
	if len(e.Detail.Records) > 1 && x.Ended != evidence.EndedComplete && unsearchable == "" {
		unsearchable = "the response did not come to its end"
	}
	body, err := c.Body(ctx, e)
	switch {
	case errors.Is(err, verify.ErrNoBody):
		return hits, unsearchable, nil
	case err != nil && (ctx.Err() != nil || errors.Is(err, verify.ErrChanged)):
		return nil, "", err
	case err != nil:
		return hits, cmp.Or(unsearchable, err.Error()), nil
	}
	defer body.Close()
	s := newScan(m)
	if err := s.copyTo(body); err != nil {
		unsearchable = cmp.Or(unsearchable, "the body cannot be decoded to its end: "+err.Error())
	}
	return append(hits, s.hits...), unsearchable, ctx.Err()
}
