package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// pagesCase is a case with pages of two sources in several segments: coded, chunked, replaced, large, and answers that are no pages.
func pagesCase(t testing.TB, large bool) map[string][]byte {
	t.Helper()
	m := sample.New(t, func(o *evidence.Options) { o.SegmentSize = 60_000 })
	none := int64(evidence.None)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range int64(150) {
		text := make([]byte, rng.IntN(2000))
		for k := range text {
			text[k] = 'a' + byte(rng.IntN(26))
		}
		body := fmt.Sprintf(`{"value":[{"Id":"%d","s":"%s"}]}`, i, text)
		a := sample.Answer{Source: []string{"http", "outlook-activities"}[i/3%2], Page: i + 1, Parent: none, RetryOf: none, Status: 200}
		fields := fmt.Sprintf("Content-Length: %d", len(body))
		switch i % 10 {
		case 3:
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			if _, err := w.Write([]byte(body)); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			body = z.String()
			fields = fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d", len(body))
		case 5:
			body, fields, a.Framing = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body), "Transfer-Encoding: chunked", "chunked"
		case 7:
			a.Status = 503
		}
		a.Head, a.Body = fmt.Sprintf("HTTP/1.1 %d X\r\n%s", a.Status, fields), body
		seq := m.Exchange(a)
		if i%10 == 9 {
			a.Attempt, a.RetryOf = 2, seq
			m.Exchange(a)
		}
	}
	if large {
		body := strings.Repeat("x", warc.InlineLimit)
		m.Exchange(sample.Answer{Page: 1000, Parent: none, RetryOf: none, Status: 200, Head: fmt.Sprintf("HTTP/1.1 200 X\r\nContent-Length: %d", len(body)), Body: body})
	}
	m.Close()
	return m.Folder.Files()
}

func folderOf(files map[string][]byte) fstest.MapFS {
	folder := fstest.MapFS{}
	for name, b := range files {
		folder[name] = &fstest.MapFile{Data: b}
	}
	return folder
}

func mustCheck(t testing.TB, files fstest.MapFS) *Container {
	t.Helper()
	r, c, err := Check(t.Context(), files, Options{})
	if err != nil || c == nil {
		t.Fatalf("%v, %+v", err, r)
	}
	return c
}

// page is what one page brings, whichever way it is read.
type page struct {
	seq, window int64
	body        string
	err         bool
}

func readPage(seq, window int64, body io.Reader, err error) page {
	p := page{seq: seq, window: window, err: err != nil}
	if err == nil {
		b, err := io.ReadAll(body)
		p.body, p.err = string(b), err != nil
	}
	return p
}

// byEntries reads the pages of a source entry by entry.
func byEntries(t testing.TB, c *Container, source string) (all []page) {
	t.Helper()
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		x, ok := e.Body.(*evidence.Exchange)
		if !ok || e.Head.Source != source || !evidence.Kept(e.Head, x) || c.Replaced(e.Head.Seq) {
			continue
		}
		body, err := c.Body(t.Context(), e)
		all = append(all, readPage(e.Head.Seq, e.Head.Window, body, err))
		if err == nil {
			body.Close()
		}
	}
	return all
}

// byGroups reads the pages of a source by the plan.
func byGroups(ctx context.Context, c *Container, source string) (all []page, err error) {
	r, err := c.NewPageReader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for _, g := range c.PageGroups(source) {
		pages, err := r.Read(ctx, g)
		if err != nil {
			return all, err
		}
		for i := range pages {
			body, err := pages[i].Body()
			all = append(all, readPage(pages[i].Seq, pages[i].Window, body, err))
		}
	}
	return all, nil
}

// TestPageGroups reads all pages both ways.
func TestPageGroups(t *testing.T) {
	small := sample.Small(t)
	small.Close()
	for name, files := range map[string]map[string][]byte{"small": small.Folder.Files(), "many": pagesCase(t, true)} {
		c := mustCheck(t, folderOf(files))
		read := 0
		for _, source := range []string{"http", "outlook-activities", "none"} {
			want := byEntries(t, c, source)
			got, err := byGroups(t.Context(), c, source)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %s: %d pages, want %d (%v)", name, source, len(got), len(want), err)
			}
			read += len(got)
		}
		if want := map[string]int{"small": 3, "many": 136}[name]; read != want {
			t.Errorf("%s: %d pages, want %d", name, read, want)
		}
	}
}

// TestPagesChanged changes a case after its check, one byte at a time and by whole segments that another case proves. Whatever
// is read then is what was checked, or nothing.
func TestPagesChanged(t *testing.T) {
	files := folderOf(pagesCase(t, false))
	c := mustCheck(t, files)
	want, err := byGroups(t.Context(), c, "http")
	if err != nil {
		t.Fatal(err)
	}
	path := evidence.SegmentPath(1)
	sound := files[path].Data
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	refused := 0
	for range 500 {
		bad := bytes.Clone(sound)
		at := rng.IntN(len(bad))
		bad[at] ^= 1 << rng.IntN(8)
		files[path] = &fstest.MapFile{Data: bad}
		got, err := byGroups(t.Context(), c, "http")
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: byte %d: other pages", seed, at)
		}
		if err != nil && !errors.Is(err, ErrChanged) {
			t.Fatalf("seed %d: byte %d: %v", seed, at, err)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 100 { // the rest hit records that are no page of this source
		t.Errorf("%d of 500 changes were noticed", refused)
	}
	files[path] = &fstest.MapFile{Data: sound[:len(sound)/2]}
	if _, err := byGroups(t.Context(), c, "http"); !errors.Is(err, ErrChanged) {
		t.Errorf("half a segment: %v", err)
	}
}

// TestPagesForged puts a case in the place of the checked one that is as good by itself, but for one letter in an answer. Nothing
// but the plan's proof can notice; where that is left out, the letter comes through.
func TestPagesForged(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	f := m.Forge()
	f.Find(t, `"Id":"a1"`).Replace(t, `"Id":"a1"`, `"Id":"a9"`)
	forged := f.Build(t)
	files := folderOf(m.Folder.Files())
	c := mustCheck(t, files)
	mustCheck(t, folderOf(forged))
	maps.Copy(files, folderOf(forged))
	got, err := byGroups(t.Context(), c, "http")
	if !errors.Is(err, ErrChanged) || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	r, err := c.NewPageReader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	g := *c.PageGroups("http")[0]
	if err := r.enter(g.segment); err != nil {
		t.Fatal(err)
	}
	if g.proof, err = r.read(t.Context(), &g); err != nil {
		t.Fatalf("the forged segment cannot be read: %v", err)
	}
	pages, err := r.Read(t.Context(), &g)
	if err != nil {
		t.Fatal(err)
	}
	body, err := pages[0].Body()
	if p := readPage(pages[0].Seq, 0, body, err); !strings.Contains(p.body, `"Id":"a9"`) {
		t.Errorf("without the proof: %+v", p)
	}
}
