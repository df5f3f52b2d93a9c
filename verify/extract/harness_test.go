package extract

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakePages offers pages as a verified container would.
type fakePages []fakePage

type fakePage struct {
	source, user string
	body         io.Reader
	err          error
	none         bool // yield err without a page
}

func (f fakePages) Pages(_ context.Context, source string) iter.Seq2[*keptPage, error] {
	return func(yield func(*keptPage, error) bool) {
		for i, p := range f {
			if p.source != source {
				continue
			}
			page := &keptPage{
				Container: "3f2a9c1e-0000-4000-8000-000000000001", Seq: int64(i + 1), Source: source,
				User: p.user, Started: time.Unix(0, 0), Body: p.body,
			}
			if p.none {
				page = nil
			}
			if !yield(page, p.err) {
				return
			}
		}
	}
}

// kept is a copy of a record that outlives emit.
type kept struct {
	Record
	Words string
}

// run extracts and returns copies of all records.
func run(t testing.TB, from pages, opt Options) ([]kept, Summary) {
	t.Helper()
	var out []kept
	if opt.TempDir == "" {
		opt.TempDir = t.TempDir()
	}
	sum, err := extract(context.Background(), from, opt, func(r *Record) error {
		k := kept{Record: *r, Words: strings.Join(r.Flags.Words(), " ")}
		k.Details = slices.Clone(r.Details)
		out = append(out, k)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, sum
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
