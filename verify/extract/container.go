package extract

import (
	"context"
	"iter"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// containerPages are the pages of a verified container.
type containerPages struct{ c *verify.Container }

func (p containerPages) Pages(ctx context.Context, source string) iter.Seq2[*keptPage, error] {
	return func(yield func(*keptPage, error) bool) {
		for e, err := range p.c.Entries(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			x, ok := e.Body.(*evidence.Exchange)
			if !ok || e.Head.Source != source || !evidence.Kept(e.Head, x) || p.c.Replaced(e.Head.Seq) {
				continue
			}
			if !p.page(ctx, e, x, yield) {
				return
			}
		}
	}
}

// page yields one page and frees its body.
func (p containerPages) page(ctx context.Context, e *evidence.Entry, x *evidence.Exchange, yield func(*keptPage, error) bool) bool {
	w, _ := p.c.Window(e.Head.Window)
	page := &keptPage{Container: p.c.CaseID(), Seq: e.Head.Seq, Source: e.Head.Source, URL: x.URL, User: w.User, Started: e.Head.Start.Time}
	body, err := p.c.Body(ctx, e)
	if err != nil {
		return yield(page, err)
	}
	defer body.Close()
	page.Body = body
	return yield(page, nil)
}
