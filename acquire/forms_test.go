package acquire_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock/vectors"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// wordConstants reads from the sources of a package its string constants that entries carry as words, by name.
func wordConstants(t *testing.T, dir string) map[string]string {
	t.Helper()
	kind := regexp.MustCompile(`^(Flag|Framing|End|Reason)[A-Z]`)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != len(spec.Values) {
				return true
			}
			for i, id := range spec.Names {
				lit, ok := spec.Values[i].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING || !kind.MatchString(id.Name) {
					continue
				}
				if found[id.Name], err = strconv.Unquote(lit.Value); err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
	}
	return found
}

// TestWords: the container takes every flag, framing, end and reason that an entry may carry (docs/container.md, 1.6). One that is no word would lose the exchange it
// describes.
func TestWords(t *testing.T) {
	for _, old := range []string{"http-1.0", "content-length-with-transfer-encoding"} {
		if evidence.IsWord(old) {
			t.Errorf("%q counts as a word", old)
		}
	}
	for _, c := range []struct {
		dir  string
		some []string // that must be found there
	}{
		{"../evidence/httpblock", []string{"FlagHTTP09", "FlagLengthAndCoding", "FramingLength", "EndHeaderBudget"}},
		{"wire", []string{"FlagExcess", "EndIdle"}},
		{".", []string{"ReasonThrottled", "ReasonEmptyPages"}},
	} {
		words := wordConstants(t, c.dir)
		for _, name := range c.some {
			if words[name] == "" {
				t.Errorf("%s: %s was not found", c.dir, name)
			}
		}
		for name, word := range words {
			if !evidence.IsWord(word) {
				t.Errorf("%s: %s is %q, which is no word", c.dir, name, word)
			}
			if after := "after-" + word; strings.HasPrefix(name, "Reason") && !evidence.IsWord(after) {
				t.Errorf("%s: %q, the flag of a page behind a defect, is no word", c.dir, after)
			}
		}
	}
}

// misrecorded says how what a case holds of one form of answer differs from what was served.
func misrecorded(v *vectors.Response, x *evidence.Exchange, block string) []string {
	var diff []string
	if want := string(v.Block()); block != want {
		diff = append(diff, fmt.Sprintf("%d bytes are recorded, %d were served, and they differ", len(block), len(want)))
	}
	if x.Ended != v.End || x.Framing != v.Framing {
		diff = append(diff, fmt.Sprintf("ended %q, framing %q; want %q, %q", x.Ended, x.Framing, v.End, v.Framing))
	}
	for _, f := range v.Flags {
		if !slices.Contains(x.Flags, f) {
			diff = append(diff, fmt.Sprintf("flags %q lack %q", x.Flags, f))
		}
	}
	if !slices.IsSorted(x.Flags) || len(slices.Compact(slices.Clone(x.Flags))) != len(x.Flags) {
		diff = append(diff, fmt.Sprintf("flags %q", x.Flags))
	}
	return diff
}

// TestForms serves each form of answer to a GET, once, over TLS. The case holds every byte of each, and the verifier, which looks again at all layouts and payloads,
// finds no damage.
func TestForms(t *testing.T) {
	all, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(v vectors.Response) bool { return v.Method != "GET" })
	slices.SortStableFunc(all, func(a, b vectors.Response) int { return a.Status/503 - b.Status/503 }) // a throttled run ends: that form comes last
	if len(all) < 100 {
		t.Fatalf("%d forms", len(all))
	}
	origin, roots := rawServer(t, func(r *http.Request) string {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || n >= len(all) {
			t.Errorf("request of %q", r.URL)
			return ""
		}
		return string(all[n].Bytes)
	})
	var given []string
	for n := range all {
		given = append(given, fmt.Sprintf("%s/%d", origin, n))
	}
	b := newBench(t, "", simtenant.Options{}) // it ends with b.verified
	res, err := b.ask(roots, func(o *acquire.Options) {
		o.Retry.Attempts, o.Retry.Pages = 1, 1
		o.MaxPages = int64(len(all)) // under a budget chains follow one another
	}, given...)
	if err != nil {
		t.Fatal(err)
	}
	if res.State != evidence.Partial {
		t.Errorf("%+v", res)
	}
	seen := map[int]int{}
	planted := 0
	for _, e := range exchanges(entriesOf(t, b.files())) {
		blocks := b.blocks(e)
		if len(blocks) == 1 {
			continue // the connection had gone before the request reached the server
		}
		x := e.Body.(*evidence.Exchange)
		n, err := strconv.Atoi(strings.TrimPrefix(x.URL, origin+"/"))
		if err != nil {
			t.Fatal(err)
		}
		seen[n]++
		for _, d := range misrecorded(&all[n], x, blocks[1]) {
			t.Errorf("%s: %s", all[n].Name, d)
		}
		if len(misrecorded(&all[n], x, blocks[1][1:])) > 0 {
			planted++
		}
	}
	for n := range all {
		if seen[n] != 1 {
			t.Errorf("%s: recorded %d times", all[n].Name, seen[n])
		}
	}
	if planted != len(all) {
		t.Errorf("a lost byte is noticed in %d of %d forms", planted, len(all))
	}
}

// TestByteOrderMark: a page that begins with a byte order mark is taken, its bytes are kept, and the extractor reads as many records and names the mark.
func TestByteOrderMark(t *testing.T) {
	const page = "\xef\xbb\xbf{\"value\":[{\"Id\":\"a\"},{\"Id\":\"b\"}]}"
	s, roots := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, page)
	})
	b := newBench(t, "", simtenant.Options{})
	res, err := b.ask(roots, nil, s.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	_, pages := read(t, b.files())
	if len(pages) != 1 || string(pages[0].body) != page || res.Records != 2 {
		t.Errorf("%+v, %d pages", res, len(pages))
	}
	folder, err := bag.OpenFolder(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	_, container, err := verify.Check(context.Background(), folder, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	if _, err := extract.Extract(context.Background(), container, extract.Options{TempDir: t.TempDir()}, func(*extract.Record) error { records++; return nil }); err != nil {
		t.Fatal(err)
	}
	if records != 2 {
		t.Errorf("%d records are extracted", records)
	}
}
