package extract

import (
	"context"
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"testing"
)

// fakePages offers pages as a verified container would, each as a piece.
type fakePages []fakePage

type fakePage struct {
	source, user string
	body         io.Reader
	err          error
	none         bool // err is of the container, not of the page
}

func (f fakePages) of(source string) (list []int) {
	for i, p := range f {
		if p.source == source {
			list = append(list, i)
		}
	}
	return list
}

func (f fakePages) Pieces(source string) int { return len(f.of(source)) }

func (f fakePages) Reader() (pageReader, error) { return &fakeReader{pages: f}, nil }

type fakeReader struct {
	pages fakePages
	at    int
}

func (f *fakeReader) Read(_ context.Context, source string, piece int) (int, error) {
	f.at = f.pages.of(source)[piece]
	if p := f.pages[f.at]; p.none {
		return 0, p.err
	}
	return 1, nil
}

func (f *fakeReader) Page(int) (keptPage, error) {
	p := f.pages[f.at]
	return keptPage{Container: "3f2a9c1e-0000-4000-8000-000000000001", Seq: int64(f.at + 1), Source: p.source, User: p.user, Body: p.body}, p.err
}

func (f *fakeReader) Close() error { return nil }

// kept is a copy of a record that outlives emit.
type kept struct {
	Record
	Words string
}

// keep extracts and returns copies of all records.
func keep(t testing.TB, from pages, opt Options) ([]kept, Summary) {
	t.Helper()
	return keepWith(t, &extraction{from: from, quick: quickLimit}, opt)
}

// keepSlowly does so without the quick way to read a page.
func keepSlowly(t testing.TB, from pages, opt Options) ([]kept, Summary) {
	t.Helper()
	return keepWith(t, &extraction{from: from, quick: -1}, opt)
}

func keepWith(t testing.TB, x *extraction, opt Options) ([]kept, Summary) {
	t.Helper()
	var out []kept
	if opt.TempDir == "" {
		opt.TempDir = t.TempDir()
	}
	x.ctx = context.Background()
	x.sink.emit = func(r *Record) error {
		k := kept{Record: *r, Words: strings.Join(r.Flags.Words(), " ")}
		k.Details, k.Native = slices.Clone(r.Details), slices.Clone(r.Native)
		out = append(out, k)
		return nil
	}
	sum, err := x.run(opt)
	if err != nil {
		t.Fatal(err)
	}
	return out, sum
}

func extract(ctx context.Context, from pages, opt Options, emit func(*Record) error) (Summary, error) {
	return run(ctx, from, opt, sink{emit: emit})
}

func onePage(source, body string) fakePages {
	return fakePages{{source: source, user: "kim@example.com", body: strings.NewReader(body)}}
}

func codes(sum Summary) string {
	var words []string
	for _, p := range sum.Problems {
		words = append(words, string(p.Code))
	}
	return strings.Join(words, " ")
}

func sha(text string) [32]byte { return sha256.Sum256([]byte(text)) }
