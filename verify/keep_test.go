package verify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

func mustKeep(t testing.TB, files fstest.MapFS, limit int64) *Container {
	t.Helper()
	r, c, err := Check(t.Context(), files, Options{Keep: limit})
	if err != nil || c == nil {
		t.Fatalf("%v, %+v", err, r)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestKeep reads pages that a check kept all, in part or not at all: they are those of the entries. What was kept, and nothing else, is still
// read right when the segments are overwritten.
func TestKeep(t *testing.T) {
	files := folderOf(pagesCase(t, true))
	sources := []string{"http", "outlook-activities"}
	want := map[string][]page{}
	all := 0
	for _, s := range sources {
		want[s] = byEntries(t, mustCheck(t, files), s)
		all += len(want[s])
	}
	for _, limit := range []int64{0, 1, 50_000, 100_000, 1 << 30} {
		c := mustKeep(t, files, limit)
		for _, s := range sources {
			if got, err := byGroups(t.Context(), c, s); err != nil || fmt.Sprint(got) != fmt.Sprint(want[s]) {
				t.Errorf("limit %d, %s: %d pages, want %d (%v)", limit, s, len(got), len(want[s]), err)
			}
		}
		kept := keptPages(t, c, sources)
		switch full := all - 1; { // the large one is never kept
		case limit <= 1 && kept != 0, limit == 1<<30 && kept != full, limit > 1 && limit < 1<<30 && (kept == 0 || kept >= full):
			t.Errorf("limit %d: %d of %d pages were kept", limit, kept, full)
		}
	}
}

// keptPages counts the pages that can be read with nothing but zeros in the segments, and holds the others against ErrChanged.
func keptPages(t *testing.T, c *Container, sources []string) (n int) {
	zeros := fstest.MapFS{}
	for i, end := range c.ends {
		zeros[evidence.SegmentPath(int64(i+1))] = &fstest.MapFile{Data: make([]byte, end.size)}
	}
	blind := *c
	blind.files = zeros
	r, err := blind.NewPageReader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, s := range sources {
		for _, g := range blind.PageGroups(s) {
			pages, err := r.Read(t.Context(), g)
			if err != nil && !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
			if err == nil {
				n += len(pages)
			}
		}
	}
	return n
}

// bigPages is a case whose pages pass the keeper's memory several times, in segments that all cores decode.
func bigPages(t testing.TB) fstest.MapFS {
	t.Helper()
	m := sample.New(t, nil)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range int64(120) {
		body := fmt.Sprintf(`{"value":[{"Id":"%d","s":"%s"}]}`, i, strings.Repeat(string(rune('a'+rng.IntN(26))), 10_000+rng.IntN(90_000)))
		m.Exchange(sample.Answer{Source: "http", Page: i + 1, Parent: evidence.None, RetryOf: evidence.None, Status: 200,
			Head: fmt.Sprintf("HTTP/1.1 200 X\r\nContent-Length: %d", len(body)), Body: body})
	}
	m.Close()
	return folderOf(m.Folder.Files())
}

// TestKeepInFile keeps more than memory holds: in a file that nobody else finds, that is gone in the end, and without which all goes on.
func TestKeepInFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := bigPages(t)
	want := fmt.Sprint(byEntries(t, mustCheck(t, files), "http"))
	c := mustKeep(t, files, 1<<30)
	if c.keeper.file == nil || c.keeper.size < 4*keepBuffer {
		t.Fatalf("%d bytes were kept in memory alone", c.keeper.size)
	}
	if got, err := byGroups(t.Context(), c, "http"); err != nil || fmt.Sprint(got) != want {
		t.Errorf("other pages: %v", err)
	}
	if n := keptPages(t, c, []string{"http"}); n != 120 {
		t.Errorf("%d of 120 pages were kept", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	if got, err := byGroups(t.Context(), mustKeep(t, files, 1<<30), "http"); err != nil || fmt.Sprint(got) != want {
		t.Errorf("without a folder for temporary files: %v", err)
	}
}

// TestKeepApart reads groups whose pages other groups' lie between, further apart than is read at once.
func TestKeepApart(t *testing.T) {
	c := mustKeep(t, bigPages(t), 1<<30)
	want, err := byGroups(t.Context(), c, "http")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range c.PageGroups("http") { // as if the first page were the last that was kept
		g.keptFrom, g.keptEnd = 0, c.keeper.size
	}
	if c.keeper.size <= maxKeptSpan {
		t.Fatal("the pages lie together")
	}
	if got, err := byGroups(t.Context(), c, "http"); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("other pages: %v", err)
	}
}

// TestKeepFails loses the file of a keeper while it keeps: nothing of it is believed any more.
func TestKeepFails(t *testing.T) {
	k := &keeper{limit: 1 << 30}
	block := make([]byte, keepBuffer/2)
	for i := range 6 {
		got := k.keep(block)
		if want := i < 4; (got != nil) != want {
			t.Errorf("block %d: %v", i, got)
		}
		if i == 3 {
			k.file.Close()
		}
	}
	k.finish()
	if k.has(1) || k.has(int64(len(block))) {
		t.Error("blocks of a lost file are said to be there")
	}
	if _, err := os.Stat(k.name); k.name != "" && err == nil {
		t.Error("the file is still there")
	}
}
