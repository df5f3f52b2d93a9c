package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// bareInfo is the frame of a warcinfo record of segment n with any block.
func bareInfo(t *testing.T, n int, block string) []byte {
	t.Helper()
	e, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Encode(warc.Header{Type: warc.Warcinfo, ID: "urn:uuid:00000000-0000-4000-8000-000000000000", Date: "2026-11-22T10:00:00.000000Z",
		Filename: fmt.Sprintf("%05d.warc.zst", n), ContentType: "application/warc-fields"}, []byte(block))
	if err != nil {
		t.Fatal(err)
	}
	return x.Frame
}

// recovered is a case whose torn tail was moved into segment 2, and the tail as it was.
func recovered(t *testing.T) (files map[string][]byte, torn []byte) {
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Folder.CrashAt(0)
	m.W.Append(t.Context(), &evidence.Draft{Start: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Body: &evidence.Operator{Action: evidence.ActionNote, Text: "never acknowledged"}})
	f := m.Folder.Reboot(crashfs.Half)
	if !bytes.Equal(f.Files()[seg1], m.Folder.Files()[seg1]) {
		f = m.Folder.Reboot(crashfs.Everything)
	}
	torn = f.Files()[seg1]
	w, _, err := evidence.Open(t.Context(), evidence.Options{Folder: f, Signers: []trust.Signer{m.Key}, Now: sample.Clock(), Rand: sample.Rand(3)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f.Files(), torn
}

// frames takes a segment apart.
func frames(t *testing.T, b []byte) [][]byte {
	t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	r := warc.NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
	var all [][]byte
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(b[rec.Offset:rec.End()]))
	}
}

// oneFrame is the frame of a resource record.
func oneFrame(t *testing.T, uri, block string) []byte {
	t.Helper()
	e, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Encode(warc.Header{Type: warc.Resource, ID: "urn:uuid:00000000-0000-4000-8000-000000000000", Date: "2026-11-22T10:00:00.000000Z", TargetURI: uri, ContentType: "x/y"}, []byte(block))
	if err != nil {
		t.Fatal(err)
	}
	return x.Frame
}

// attackRecipes are what an attacker tried once with success.
func attackRecipes() []recipe {
	unsealedWith := func(name, content string) func(*testing.T) map[string][]byte {
		return func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files[name] = []byte(content)
			return files
		}
	}
	futureBody := func(body string) func(*testing.T) map[string][]byte {
		return forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, "a remark with")
			r.Replace(t, `"kind":"operator"`, `"kind":"future"`)
			r.Block = r.Block[:strings.Index(r.Block, `"body":{`)] + `"body":` + body + "}\n"
		})
	}
	header := func(oldnew ...string) func(*testing.T) map[string][]byte {
		return forged(rawRecord(strings.NewReplacer(oldnew...).Replace(recordHeader("abc", 3)) + "abc"))
	}
	return []recipe{
		{name: "findings-capped-by-notices", code: "package-note", exit: 3, about: "more notices than are listed, and then damage", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			for range 1001 {
				m.Append(&evidence.Draft{Body: &evidence.Gap{Reason: evidence.GapUnclean, Text: "x"}})
			}
			m.Seal()
			f := m.Folder.Files()
			edit(f["package.note"], len(f["package.note"])-9, f["package.note"][len(f["package.note"])-9]^1)
			return f
		}},
		{name: "key-entry-signed-by-itself", code: "head-signature", exit: 3, about: "a key entry whose key alone signs the head over it", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: sample.Key(t, 42).VerifierKey(), Text: "x"}})
			m.Close()
			f := m.Forge()
			f.Key = sample.Key(t, 42)
			return f.Build(t)
		}},
		{name: "torn-tail-back-record-changed", code: "record-mismatch", exit: 3, about: "a moved tail was put back, and the record that a gap entry names is another", make: func(t *testing.T) map[string][]byte {
			files, torn := recovered(t)
			fr := frames(t, files[seg2])
			files[seg1], files[seg2] = torn, slices.Concat(fr[0], oneFrame(t, "urn:hidden", "hidden"), bytes.Join(fr[2:], nil))
			return files
		}},
		{name: "torn-tail-back-warcinfo-changed", code: "warcinfo", exit: 3, about: "a moved tail was put back, and the next segment's warcinfo is another", make: func(t *testing.T) map[string][]byte {
			files, torn := recovered(t)
			fr := frames(t, files[seg2])
			files[seg1], files[seg2] = torn, slices.Concat(bareInfo(t, 2, "forged"), bytes.Join(fr[1:], nil))
			return files
		}},
		{name: "torn-tail-after-gap", code: "torn-tail", exit: 4, about: "an interrupted write in a segment that holds a gap entry", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Append(&evidence.Draft{Body: &evidence.Gap{Reason: evidence.GapUnclean, Text: "the host lost power"}})
			m.Close()
			files := m.Folder.Files()
			files[seg1] = append(files[seg1], 0x28, 0xB5, 0x2F, 0xFD, 0x64, 0x00)
			return files
		}},
		{name: "package-note-unknown-signature", code: "package-note", exit: 3, about: "lines that claim to be signatures by unknown keys were added to package.note", make: altered(func(_ *testing.T, f map[string][]byte) {
			f["package.note"] = append(f["package.note"], "— unknown.example/key AAAAAEhJRERFTg==\n"...)
		})},
		{name: "path-unexpected-program-unsealed", code: "path-unexpected", exit: 3, about: "verify.py in a case without a seal entry", make: unsealedWith("data/verify.py", "import os\n")},
		{name: "path-unexpected-tag-unsealed", code: "path-unexpected", exit: 3, about: "a manifest in a case without a seal entry", make: unsealedWith("manifest-sha256.txt", "x\n")},
		{name: "path-unexpected-custody-file", code: "path-unexpected", exit: 3, about: "a file where the folder custody may be", make: unsealedWith("custody", "x")},
		{name: "after-seal-segment", code: "after-seal", exit: 3, about: "a segment with a warcinfo alone behind the seal", make: resealed(func(t *testing.T, f map[string][]byte) {
			f["data/evidence/00003.warc.zst"] = bareInfo(t, 3, "anything")
		})},
		{name: "segment-without-batch-first", code: "segment-missing", exit: 3, about: "a first segment with a warcinfo alone", make: forged(func(t *testing.T, f *sample.Forged) {
			info := *f.Segments[0][0]
			f.Segments = slices.Insert(f.Segments, 0, []*sample.Record{&info})
			for i, s := range f.Segments[1:] {
				s[0].Header.Filename = fmt.Sprintf("%05d.warc.zst", i+2)
				for _, r := range s {
					r.Block = strings.Replace(r.Block, fmt.Sprintf(`"segment":%d,`, i+1), fmt.Sprintf(`"segment":%d,`, i+2), 1)
				}
			}
		})},
		{name: "warcinfo-block", code: "warcinfo", exit: 3, about: "a warcinfo whose block is not its four fields", make: forged(func(t *testing.T, f *sample.Forged) { f.Segments[0][0].Block = "anything" })},
		{name: "record-header-date-form", code: "record-header", exit: 3, about: "a WARC-Date in another form", make: header("T10:00:00.000000Z", "")},
		{name: "record-header-truncated", code: "record-header", exit: 3, about: "a WARC-Truncated that the format does not have", make: header("WARC-Type: resource", "WARC-Type: response",
			"Content-Type: application/octet-stream", "WARC-Truncated: because\r\nContent-Type: application/http;msgtype=response")},
		{name: "record-header-content-type", code: "record-header", exit: 3, about: "a response with another Content-Type", make: header("WARC-Type: resource", "WARC-Type: response")},
		{name: "entry-integer-large", code: "batch-form", exit: 3, about: "an integer of 2^53", make: line(`"before":0`, `"before":9007199254740992`)},
		{name: "entry-unknown-kind-negative", code: "batch-form", exit: 3, about: "a negative integer in a kind that is not known", make: futureBody(`{"n":-1}`)},
		{name: "entry-window-opened-last", code: "entry-rule", exit: 3, about: "a window that opens with a last page that is none", make: line(`"requests":0,"pages":0,"records":0,"last":-1`, `"requests":0,"pages":0,"records":0,"last":77`)},
		{name: "entry-window-opened-twice", code: "entry-rule", exit: 3, about: "a window that is open is opened again", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			for range 2 {
				m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
			}
			m.Close()
			return m.Folder.Files()
		}},
		{name: "unknown-kind", code: "unknown-kind", exit: 4, about: "an entry of an unknown kind is said", make: futureBody(`{"n":1}`)},
		{name: "page-replaced", code: "page-replaced", exit: 0, about: "a whole page was asked for again and brought again", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			none := int64(evidence.None)
			page := sample.Answer{Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[}}`}
			page.RetryOf = m.Exchange(page)
			page.Attempt = 2
			m.Exchange(page)
			m.Seal()
			return m.Folder.Files()
		}},
		{name: "entry-window-pages", code: "entry-rule", exit: 3, about: "a window that ends with more pages than were brought", make: line(`"requests":3,"pages":2`, `"requests":3,"pages":3`)},
		{name: "deep-layout-method", code: "deep-layout", exit: 3, about: "the request's bytes have another method than the entry", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "GET /page/1 HTTP/1.1").Replace(t, "GET /page/1", "PUT /page/1")
		})},
		{name: "entry-records-of-operator", code: "batch-form", exit: 3, about: "an operator entry that names a request", make: forged(func(t *testing.T, f *sample.Forged) {
			r := f.Find(t, "GET /page/1 HTTP/1.1")
			b := batchWith(t, f, "a remark with")
			insertBefore(f, b, &sample.Record{Header: r.Header, Block: r.Block})
			b.Replace(t, `"records":[]`, `"records":[{"type":"request","id":"`+r.Header.ID+`","header":"`+strings.Repeat("0", 64)+`","header_length":1,"block":"`+strings.Repeat("0", 64)+`","block_length":1}]`)
		})},
		{name: "head-unknown-signature", code: "head-signature", exit: 3, about: "a line that claims to be a signature by an unknown key was added to the newest head", make: noteEdit(func(b []byte) []byte {
			return append(b, "— unknown.example/key AAAAAEhJRERFTg==\n"...)
		})},
		{name: "entry-retry-of-other-page", code: "entry-rule", exit: 3, about: "retry_of names an exchange of another window and URL", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			none := int64(evidence.None)
			m.Window(1, evidence.Window{State: evidence.Opened, User: "a"})
			page := m.Exchange(sample.Answer{Window: 1, Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`})
			m.Window(2, evidence.Window{State: evidence.Opened, User: "b"})
			m.Exchange(sample.Answer{Window: 2, Page: 7, Parent: none, RetryOf: page, Status: 500, Head: "HTTP/1.1 500 No\r\nContent-Length: 0"})
			m.Seal()
			return m.Folder.Files()
		}},
		{name: "seal-rule-zero-count", code: "batch-form", exit: 3, about: "the seal counts a kind of which there is no entry", make: sealedForge(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `{"kind":"window","count":4}`).Replace(t, `{"kind":"window","count":4}`, `{"kind":"window","count":4},{"kind":"zzz","count":0}`)
		})},
		{name: "batch-first-huge", code: "batch-order", exit: 3, about: "a batch far beyond the one before: no memory for what lies between", make: forged(func(t *testing.T, f *sample.Forged) {
			const huge = "1125899906842624" // 2^50
			r := batchWith(t, f, `"status":429`)
			seq, _, _ := strings.Cut(r.Block[strings.Index(r.Block, `{"seq":`)+7:], ",")
			r.Replace(t, `"first":`+seq, `"first":`+huge)
			r.Replace(t, `{"seq":`+seq, `{"seq":`+huge)
		})},
	}
}

// insertBefore puts a record before another one.
func insertBefore(f *sample.Forged, r *sample.Record, more *sample.Record) {
	for i, s := range f.Segments {
		if at := slices.Index(s, r); at >= 0 {
			f.Segments[i] = slices.Insert(s, at, more)
			return
		}
	}
}
