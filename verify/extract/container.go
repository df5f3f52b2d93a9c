package extract

import (
	"context"

	"github.com/exhibit-dfir/exhibit/verify"
)

// containerPages are the pages of a verified container.
type containerPages struct{ c *verify.Container }

func (p containerPages) Pieces(source string) int { return len(p.c.PageGroups(source)) }

func (p containerPages) Reader() (pageReader, error) {
	r, err := p.c.NewPageReader()
	if err != nil {
		return nil, err
	}
	return &containerReader{PageReader: r, c: p.c}, nil
}

// containerReader reads one group of pages as one piece.
type containerReader struct {
	*verify.PageReader
	c      *verify.Container
	source string
	pages  []verify.Page
}

func (r *containerReader) Read(ctx context.Context, source string, piece int) (n int, err error) {
	r.source = source
	r.pages, err = r.PageReader.Read(ctx, r.c.PageGroups(source)[piece])
	return len(r.pages), err
}

func (r *containerReader) Page(i int) (keptPage, error) {
	p := &r.pages[i]
	w, _ := r.c.Window(p.Window)
	body, err := p.Body()
	return keptPage{Container: r.c.CaseID(), Seq: p.Seq, Source: r.source, Window: p.Window, User: w.User, Body: body}, err
}
