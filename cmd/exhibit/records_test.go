package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
)

// publishedRecords reads the JSON documents of the files in testdata/records, which others have published, each as its bytes stand there. Some files are one document, others
// have one after the other.
func publishedRecords(t *testing.T) (pages [][]byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Join("..", "..", "testdata", "records"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))); ; {
			var document json.RawMessage
			if err := dec.Decode(&document); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			pages = append(pages, document)
		}
	})
	if err != nil || files < 20 {
		t.Fatalf("%d files of published records: %v", files, err)
	}
	t.Logf("%d documents in %d files", len(pages), files)
	return pages
}

// TestPublishedRecords serves published audit records over TLS, each document a page that names the next in a header Link, acquires them by the source http, and gets every one
// back, byte for byte, from the sealed case.
func TestPublishedRecords(t *testing.T) {
	pages := publishedRecords(t)
	for _, form := range []struct {
		name  string
		o     simtenant.Options
		flags []string
	}{
		{"chunked", simtenant.Options{}, nil},
		{"content-length", simtenant.Options{ContentLength: true}, nil},
		{"gzip", simtenant.Options{}, []string{"--accept-gzip"}},
	} {
		t.Run(form.name, func(t *testing.T) {
			form.o.Seed, form.o.Pages = 1, map[string][][]byte{"records": pages}
			s := serve(t, form.o, "")
			args := append([]string{"acquire", "http", s.url + "/pages/records/1?link=header", "--yes", "--json"}, form.flags...)
			out, code := exhibit(t, append(args, s.flags...)...)
			var w windowView
			if err := json.Unmarshal(out, &w); err != nil {
				t.Fatal(err)
			}
			if code != cli.Done || w.Outcome != "complete" || w.Pages != int64(len(pages)) {
				t.Errorf("exit code %d, %+v; expected %d pages", code, w, len(pages))
			}
			if _, code := exhibit(t, "seal", s.dir, "--yes"); code != cli.Done {
				t.Fatal("seal failed")
			}
			seqs := kept(t, s.dir)
			if len(seqs) != len(pages) {
				t.Fatalf("%d answers in the case, %d pages served", len(seqs), len(pages))
			}
			for i, seq := range seqs {
				body, err := exec.Command("exhibit-verify", "show", s.dir, strconv.FormatInt(seq, 10), "--body").Output()
				if err != nil {
					t.Fatalf("entry %d: %v", seq, err)
				}
				if !bytes.Equal(body, pages[i]) {
					t.Errorf("entry %d: %d bytes, not the %d of page %d", seq, len(body), len(pages[i]), i+1)
				}
			}
		})
	}
}

// kept lists the entries of a case that are answers with status 200, in order.
func kept(t *testing.T, dir string) []int64 {
	t.Helper()
	folder, err := bag.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	_, c, err := verify.Check(t.Context(), folder, verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the case does not check: %v", err)
	}
	var seqs []int64
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Head.Kind == evidence.KindExchange && e.Head.Status == 200 {
			seqs = append(seqs, e.Head.Seq)
		}
	}
	return seqs
}
