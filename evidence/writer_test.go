package evidence_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const testCase = sample.CaseID

func options(t testing.TB, f evidence.Folder) evidence.Options {
	return evidence.Options{Folder: f, Signers: []trust.Signer{sample.Key(t, 9)}, Now: sample.Clock(), Rand: sample.Rand(1)}
}

// exchange is a small recorded exchange.
func exchange(n int, run string) *evidence.Draft {
	url := fmt.Sprintf("https://service.example/page/%d", n)
	at := time.Date(2026, 11, 22, 9, 0, n, 0, time.UTC)
	req := []byte("GET /page HTTP/1.1\r\nHost: service.example\r\n\r\n")
	resp := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"n\":%d}", n%10)
	return &evidence.Draft{Start: at, Source: "http", Method: "GET", Status: 200, Run: run,
		Body: &evidence.Exchange{Counter: int64(n), URL: url, Connection: evidence.None, Parent: evidence.None, RetryOf: evidence.None, Attempt: 1,
			Protocol: "HTTP/1.1", Framing: "content-length", Ended: "complete", HeadLength: 38},
		Records: []evidence.RecordDraft{
			{Type: warc.Request, URI: url, Block: req},
			{Type: warc.Response, URI: url, Block: resp},
		}}
}

const testRun = "aaaabbbbccccddddeeeeffff00001111"

func operator(action, run string, fields ...evidence.Pair) *evidence.Draft {
	return &evidence.Draft{Start: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Run: run,
		Body: &evidence.Operator{Action: action, Operator: "examiner", Host: "host", Fields: fields}}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// walkAll walks every segment strictly.
func walkAll(ctx context.Context, files fs.FS) (*evidence.Walker, []*evidence.Entry, error) {
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, nil, err
	}
	w := evidence.NewWalker(dec)
	s, err := evidence.NewSurvey(files)
	if err != nil {
		return nil, nil, err
	}
	var entries []*evidence.Entry
	for n := int64(1); n <= s.Segments; n++ {
		file, size, err := evidence.OpenSegment(files, n)
		if err != nil {
			return nil, nil, err
		}
		err = w.Segment(ctx, n, file, size, func(b *evidence.Batch) error {
			entries = append(entries, b.Entries...)
			return nil
		})
		if err != nil {
			return w, entries, err
		}
		if w.Pending() > 0 {
			return w, entries, errors.New("records that no batch claims")
		}
	}
	return w, entries, nil
}

// TestWriterMakesWhatItSays appends from several goroutines over several segments and compares the tree with x/mod's.
func TestWriterMakesWhatItSays(t *testing.T) {
	ctx := context.Background()
	f := crashfs.New()
	opts := options(t, f)
	opts.SegmentSize, opts.HeadEntries = 20_000, 40
	w := must(evidence.Create(ctx, opts, evidence.Case{Case: testCase}))(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := w.Append(ctx, exchange(g*50+i+1, "")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	walker, entries, err := walkAll(ctx, f.FS())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var stored tlog.HashReaderFunc
	var hashes []tlog.Hash
	stored = func(ix []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range ix {
			out = append(out, hashes[i])
		}
		return out, nil
	}
	for i, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok {
			seen[x.URL] = true
		}
		hs, err := tlog.StoredHashes(int64(i), e.HeadLine, stored)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hs...)
	}
	if len(seen) != 200 {
		t.Errorf("%d different exchanges walked, want 200", len(seen))
	}
	root, err := tlog.TreeHash(int64(len(entries)), stored)
	if err != nil {
		t.Fatal(err)
	}
	tree, ok := walker.Tree()
	if !ok || tree.Root() != evidence.Hash(root) {
		t.Errorf("root %v, x/mod computes %v", tree.Root(), evidence.Hash(root))
	}
	s := must(evidence.NewSurvey(f.FS()))(t)
	if s.Segments < 3 || len(s.Notes) < 4 {
		t.Errorf("%d segments and %d notes: the test did not cross their bounds", s.Segments, len(s.Notes))
	}
}

// TestPlainZstdReads lets the zstd program decode a segment.
func TestPlainZstdReads(t *testing.T) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		skipOrFail(t, "zstd is missing: that a plain zstd reads a segment was not tested")
	}
	ctx := context.Background()
	dir := t.TempDir()
	folder := must(evidence.MakeFolder(filepath.Join(dir, "case")))(t)
	w := must(evidence.Create(ctx, options(t, folder), evidence.Case{Case: testCase}))(t)
	must(w.Append(ctx, exchange(1, "")))(t)
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(zstd, "-dc", filepath.Join(dir, "case", evidence.SegmentPath(1))).Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "WARC/1.1\r\n"); n < 5 {
		t.Errorf("%d records in what zstd wrote", n)
	}
	if !bytes.Contains(out, []byte("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"n\":1}\r\n\r\n")) {
		t.Error("the response block is not in what zstd wrote")
	}
}

// TestLargeRecord sends a block through the spool and finds its hash again.
func TestLargeRecord(t *testing.T) {
	ctx := context.Background()
	f := crashfs.New()
	opts := options(t, f)
	opts.Spool = func() (evidence.Spool, error) { return &memSpool{}, nil }
	w := must(evidence.Create(ctx, opts, evidence.Case{Case: testCase}))(t)
	block := make([]byte, 9<<20)
	io.ReadFull(sample.Rand(5), block)
	d := exchange(1, "")
	d.Records[1].Block, d.Records[1].Source, d.Records[1].Size = nil, bytes.NewReader(block), int64(len(block))
	must(w.Append(ctx, d))(t)
	must(w.Append(ctx, exchange(2, "")))(t)
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	_, entries, err := walkAll(ctx, f.FS())
	if err != nil {
		t.Fatal(err)
	}
	if got := entries[1].Detail.Records[1].Block; got != sha256.Sum256(block) {
		t.Errorf("block hash %v is not that of the block", got)
	}
}

type memSpool struct{ bytes.Buffer }

func (m *memSpool) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}
func (m *memSpool) Close() error { return nil }
