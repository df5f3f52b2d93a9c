package verify_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func zstdFrame(t *testing.T, content string) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll([]byte(content), nil)
}

func batchRecipes() []recipe {
	return []recipe{
		{name: "batch-space", code: "batch-form", exit: 3, about: "a batch's first line with a space after a colon", make: line(`"batch":2,`, `"batch": 2,`)},
		{name: "batch-unknown-key", code: "batch-form", exit: 3, about: "a batch's first line with a key more", make: line(`"batch":2,`, `"batch":2,"x":1,`)},
		{name: "batch-key-twice", code: "batch-form", exit: 3, about: "a batch's first line with a key twice", make: line(`"batch":2,`, `"batch":2,"batch":2,`)},
		{name: "batch-keys-exchanged", code: "batch-form", exit: 3, about: "a batch's first line with two keys exchanged", make: line(`"batch":2,"segment":1,`, `"segment":1,"batch":2,`)},
		{name: "batch-format", code: "batch-form", exit: 3, about: "a batch of another format", make: line(`"format":"exhibit-batch/1"`, `"format":"exhibit-batch/2"`)},
		{name: "batch-count-larger", code: "batch-form", exit: 3, about: "a batch that counts more entries than it has", make: line(`"batch":2,"segment":1,"first":1,"count":1`, `"batch":2,"segment":1,"first":1,"count":2`)},
		{name: "batch-count-smaller", code: "batch-form", exit: 3, about: "a batch that counts fewer entries than it has", make: line(`"count":1`, `"count":0`)},
		{name: "batch-number", code: "batch-order", exit: 3, about: "a batch with another number", make: forged(func(t *testing.T, f *sample.Forged) {
			// The record id follows from the number, so that only the order is wrong.
			r := batchWith(t, f, `"batch":2,`)
			r.Replace(t, `"batch":2,`, `"batch":9,`)
			r.Header.ID = batchID(9)
		})},
		{name: "batch-other-case", code: "batch-order", exit: 3, about: "a batch of another case", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"batch":3,`)
			other := strings.Repeat("f", 32)
			r.Replace(t, `"case":"`+sample.CaseID+`"`, `"case":"`+other+`"`)
			r.Header.ID = batchIDOf(other, 3)
		})},
		{name: "batch-other-segment", code: "batch-order", exit: 3, about: "a batch that says it is of another segment", make: line(`"batch":2,"segment":1`, `"batch":2,"segment":2`)},
		{name: "batch-record-id", code: "batch-form", exit: 3, about: "a batch whose record id does not follow from its number", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"batch":2,`).Header.ID = batchID(77)
		})},
		{name: "batch-removed", code: "batch-order", exit: 3, about: "a whole batch with its records was taken out", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepPrev, f.KeepHeads = true, true
			removeRecord(t, f, batchWith(t, f, `"batch":2,`))
		})},
		{name: "batch-twice", code: "batch-order", exit: 3, about: "a batch stands twice", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepPrev, f.KeepHeads = true, true
			r := batchWith(t, f, `"batch":2,`)
			insertAfter(f, r, &sample.Record{Header: r.Header, Block: r.Block})
		})},
		{name: "batch-prev", code: "batch-chain", exit: 3, about: "a batch whose prev is not the batch before", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepPrev, f.KeepHeads = true, true
			batchWith(t, f, "a remark with").Replace(t, "a remark with", "a remark wiht")
		})},
		{name: "batch-frontier", code: "batch-frontier", exit: 3, about: "a segment whose frontier is not that of the entries before", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepFrontier = true
			for _, r := range f.Segments[1] {
				if at := strings.Index(r.Block, `"frontier":["`); at >= 0 {
					b := []byte(r.Block)
					b[at+13] = "10"[b[at+13]&1]
					r.Block = string(b)
				}
			}
		})},
		{name: "batch-no-frontier", code: "batch-frontier", exit: 3, about: "the first batch of a segment without warcinfo and frontier", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"segment":2`)
			from, to := strings.Index(r.Block, `,"warcinfo"`), strings.Index(r.Block, "]}\n")
			r.Block = r.Block[:from] + r.Block[to+1:]
		})},
		{name: "batch-crlf", code: "batch-form", exit: 3, about: "a batch whose lines end in CR LF", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"batch":2,`)
			r.Replace(t, "\n", "\r\n")
		})},
		{name: "batch-trailing", code: "batch-form", exit: 3, about: "text after a batch's last entry", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"batch":2,`)
			r.Block += "{}\n{}\n"
		})},
		{name: "batch-no-json", code: "batch-form", exit: 3, about: "a metadata record that is no batch", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"batch":2,`).Block = "hello\n"
		})},
		{name: "segment-missing-first", code: "segment-missing", exit: 3, about: "the first segment is missing", make: altered(func(_ *testing.T, f map[string][]byte) { delete(f, seg1) })},
		{name: "segment-missing-last", code: "head-beyond", exit: 3, about: "the last segment is missing: the heads know of more", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			delete(files, seg2)
			return files
		}},
		{name: "segments-exchanged", code: "batch-order", exit: 3, about: "two segments changed names", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			files[seg1], files[seg2] = files[seg2], files[seg1]
			return files
		}},
	}
}

func entryRecipes() []recipe {
	return []recipe{
		{name: "entry-head-changed", code: "batch-form", exit: 3, about: "a status was changed in a head line and the detail left", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"status":429`).Replace(t, `"status":429`, `"status":4290`)
		})},
		{name: "entry-head-forged", code: "head-root", exit: 3, about: "a status was changed and everything made to agree but the heads", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepHeads = true
			batchWith(t, f, `"status":429`).Replace(t, `"status":429`, `"status":404`)
		})},
		{name: "entry-detail-changed", code: "batch-form", exit: 3, about: "a detail line is not the one that its head line names", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepDetailHash = true
			batchWith(t, f, "a remark with").Replace(t, "a remark with", "another remark")
		})},
		{name: "entry-seq", code: "batch-form", exit: 3, about: "an entry with another seq", make: line(`"seq":1,`, `"seq":5,`)},
		{name: "entry-raw-utf8", code: "batch-form", exit: 3, about: "a character beyond ASCII that is not escaped", make: line(`\u00e9`, "é")},
		{name: "entry-escape-case", code: "batch-form", exit: 3, about: "an escape with upper-case digits", make: line(`\u202e`, `\u202E`)},
		{name: "entry-escaped-slash", code: "batch-form", exit: 3, about: "an escape that is not needed", make: line(`service.example/page`, `service.example\/page`)},
		{name: "entry-number-float", code: "batch-form", exit: 3, about: "a number with a fraction", make: line(`"attempt":2`, `"attempt":2.0`)},
		{name: "entry-null", code: "batch-form", exit: 3, about: "null where text stands", make: line(`"error":""`, `"error":null`)},
		{name: "entry-kind-no-word", code: "batch-form", exit: 3, about: "a kind that is no word", make: line(`"kind":"operator"`, `"kind":"Operator"`)},
		{name: "entry-time-form", code: "batch-form", exit: 3, about: "a time without fraction", make: line(`000Z","prev"`, `Z","prev"`)},
		{name: "entry-second-case", code: "entry-rule", exit: 3, about: "a case entry that is not entry 0", make: forged(func(t *testing.T, f *sample.Forged) {
			lines := strings.Split(batchWith(t, f, `"batch":1,`).Block, "\n")
			r := batchWith(t, f, `"seq":1,`)
			own := strings.Split(r.Block, "\n")
			own[1] = strings.Replace(lines[1], `"seq":0`, `"seq":1`, 1)
			own[2] = lines[2]
			r.Block = strings.Join(own, "\n")
		})},
		{name: "entry-window-unopened", code: "entry-rule", exit: 3, about: "an exchange of a window that was not opened", make: line(`"window":1,"method":"GET","status":429`, `"window":7,"method":"GET","status":429`)},
		{name: "entry-retry-of-later", code: "entry-rule", exit: 3, about: "retry_of names a later entry", make: line(`"attempt":1,"retry_of":-1`, `"attempt":1,"retry_of":9`)},
		{name: "entry-parent-no-exchange", code: "entry-rule", exit: 3, about: "parent names an entry that is no exchange", make: line(`"parent":-1`, `"parent":0`)},
		{name: "entry-connection-missing", code: "entry-rule", exit: 3, about: "connection names an entry that is no connection", make: line(`"connection":2`, `"connection":1`)},
		{name: "entry-url", code: "entry-rule", exit: 3, about: "the entry's URL is not that of its records", make: line(`"url":"https://service.example/page/1"`, `"url":"https://service.example/page/9"`)},
		{name: "entry-window-counts", code: "entry-rule", exit: 3, about: "a window ends with another number of requests than are recorded", make: line(`"requests":3`, `"requests":4`)},
		{name: "entry-window-acquisition", code: "entry-rule", exit: 3, about: "a window ends with other parameters than its acquisition was named for", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"state":"complete"`).Replace(t, `"value":"2"`, `"value":"3"`)
		})},
		{name: "entry-redaction-outside", code: "batch-form", exit: 3, about: "a redaction beyond its record's end", make: line(`"name":"Authorization","offset":`, `"name":"Authorization","offset":9`)},
		{name: "entry-status-no-response", code: "batch-form", exit: 3, about: "a status and no response", make: forged(func(t *testing.T, f *sample.Forged) {
			removeRecord(t, f, f.Find(t, "429 Too Many"))
			r := batchWith(t, f, `"status":429`)
			at := strings.Index(r.Block, `,{"type":"response"`)
			end := strings.Index(r.Block[at:], "}]")
			r.Block = r.Block[:at] + r.Block[at+end+1:]
		})},
		{name: "deep-layout-status", code: "deep-layout", exit: 3, about: "the entry tells another status than the response", make: line(`"status":429`, `"status":503`)},
		{name: "deep-layout-ended", code: "deep-layout", exit: 3, about: "the entry calls a cut response complete", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, `"Id":"a1"`).Replace(t, "\r\n\r\n{", "\r\n\r\n")
		})},
		{name: "deep-redaction", code: "deep-redaction", exit: 3, about: "a declared redaction holds something else", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "Bearer REDACTED").Replace(t, "REDACTED", "redacted")
		})},
	}
}

func headRecipes() []recipe {
	other := func(t *testing.T) trust.Signer { return sample.Key(t, 42) }
	return []recipe{
		{name: "head-other-key", code: "head-signature", exit: 3, about: "everything signed again with a key that the case does not allow", make: forged(func(t *testing.T, f *sample.Forged) { f.Key = other(t) })},
		{name: "head-bad-signature", code: "head-signature", exit: 3, about: "one digit of a head's signature is altered", make: noteEdit(func(b []byte) []byte {
			if b[len(b)-9] == 'A' {
				return edit(b, len(b)-9, 'B')
			}
			return edit(b, len(b)-9, 'A')
		})},
		{name: "head-no-signature", code: "head-form", exit: 3, about: "a head without signature line", make: noteEdit(func(b []byte) []byte { return b[:bytes.Index(b, []byte("—"))] })},
		{name: "head-other-size", code: "head-form", exit: 3, about: "a good head under the name of another size", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			files[evidence.NotePath(3)] = files[newestNote(files)]
			return files
		}},
		{name: "head-other-origin", code: "head-form", exit: 3, about: "a head of another case, signed by the right key", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			files[evidence.NotePath(2)] = sample.SignHead(t, m.Key, strings.Repeat("e", 32), 2, evidence.Hash{})
			return files
		}},
		{name: "head-other-root", code: "head-root", exit: 3, about: "a head over other entries, signed by the right key", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			files[evidence.NotePath(2)] = sample.SignHead(t, m.Key, sample.CaseID, 2, evidence.Hash{1})
			return files
		}},
		{name: "head-beyond", code: "head-beyond", exit: 3, about: "a head over more entries than there are", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			files[evidence.NotePath(500)] = sample.SignHead(t, m.Key, sample.CaseID, 500, evidence.Hash{1})
			return files
		}},
		{name: "head-missing", code: "head-missing", exit: 3, about: "a head was deleted whose checkpoint entry is there", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			delete(files, oldestNote(files))
			return files
		}},
		{name: "head-missing-final", code: "head-missing", exit: 3, about: "the final head of a sealed case was deleted, and the manifests made again", make: resealed(func(_ *testing.T, f map[string][]byte) { delete(f, newestNote(f)) })},
		{name: "head-unlisted", code: "head-unlisted", exit: 3, about: "a good head in between that no checkpoint entry holds", make: func(t *testing.T) map[string][]byte {
			f := unsealed(t)
			files := f.Build(t)
			root := evidence.LeafHash([]byte(strings.Split(batchWith(t, f, `"batch":1,`).Block, "\n")[1]))
			files[evidence.NotePath(1)] = sample.SignHead(t, sample.Key(t, 9), sample.CaseID, 1, root)
			return files
		}},
		{name: "head-unproven", code: "head-unproven", exit: 3, about: "entries under a head cannot be read", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"batch":2,`).Edit = func(b []byte) []byte { return edit(b, len(b)-1, b[len(b)-1]^1) }
		})},
		{name: "head-note-entry-differs", code: "head-form", exit: 3, about: "a note that differs from its checkpoint entry, both signed", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Close()
			files := m.Folder.Files()
			name := oldestNote(files)
			files[name] = append(bytes.Clone(files[name]), "— unknown.example/key AAAAAAEC\n"...)
			return files
		}},
	}
}

func noteEdit(change func([]byte) []byte) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		m := sample.Small(t)
		m.Close()
		files := m.Folder.Files()
		name := newestNote(files)
		files[name] = change(bytes.Clone(files[name]))
		return files
	}
}

func bagRecipes() []recipe {
	set := func(name, content string) func(*testing.T, map[string][]byte) {
		return func(_ *testing.T, f map[string][]byte) { f[name] = []byte(content) }
	}
	return []recipe{
		{name: "bag-file-changed", code: "bag-changed", exit: 3, about: "a payload file was changed", make: altered(set("data/README.txt", "Another text.\n"))},
		{name: "bag-segment-recompressed", code: "bag-changed", exit: 3, about: "a record was compressed again at another level: same content, other bytes", make: altered(func(t *testing.T, f map[string][]byte) {
			f[seg1] = recompressFirst(t, f[seg1])
		})},
		{name: "bag-file-missing", code: "bag-missing", exit: 3, about: "a payload file is missing", make: altered(func(_ *testing.T, f map[string][]byte) { delete(f, "data/README.txt") })},
		{name: "bag-required-missing", code: "bag-missing", exit: 3, about: "verify.py is missing, and the manifests were made again without it", make: resealed(func(_ *testing.T, f map[string][]byte) { delete(f, "data/verify.py") })},
		{name: "bag-file-extra", code: "bag-extra", exit: 3, about: "a file was put into the payload", make: altered(set("data/evidence/99999.warc.zst", "x"))},
		{name: "bag-manifest-order", code: "bag-form", exit: 3, about: "two lines of the manifest changed places", make: altered(func(t *testing.T, f map[string][]byte) {
			lines := strings.SplitAfter(string(f["manifest-sha256.txt"]), "\n")
			lines[0], lines[1] = lines[1], lines[0]
			f["manifest-sha256.txt"] = []byte(strings.Join(lines, ""))
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "bag-manifest-upper-case", code: "bag-form", exit: 3, about: "a hash in upper case", make: altered(func(t *testing.T, f map[string][]byte) {
			f["manifest-sha256.txt"] = append(bytes.ToUpper(f["manifest-sha256.txt"][:64]), f["manifest-sha256.txt"][64:]...)
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "bag-manifest-dotdot", code: "bag-form", exit: 3, about: "a manifest line that leads out of the case", make: altered(func(t *testing.T, f map[string][]byte) {
			f["manifest-sha256.txt"] = append(f["manifest-sha256.txt"], fmt.Sprintf("%064d  data/../../secret\n", 0)...)
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "bag-declaration", code: "bag-changed", exit: 3, about: "bagit.txt of another version", make: altered(func(t *testing.T, f map[string][]byte) {
			f["bagit.txt"] = bytes.Replace(f["bagit.txt"], []byte("1.0"), []byte("0.9"), 1)
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "bag-declaration-long", code: "path-read", exit: 3, about: "a bagit.txt that is longer than any is", make: altered(func(t *testing.T, f map[string][]byte) {
			f["bagit.txt"] = append(f["bagit.txt"], bytes.Repeat([]byte("\n"), 4096)...)
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "path-type-stamps", code: "path-type", exit: 3, about: "stamps is a file and no folder", make: altered(func(_ *testing.T, f map[string][]byte) { f["stamps"] = []byte("x") })},
		{name: "bag-oxum", code: "bag-changed", exit: 3, about: "Payload-Oxum counts other bytes", make: altered(func(t *testing.T, f map[string][]byte) {
			f["bag-info.txt"] = bytes.Replace(f["bag-info.txt"], []byte("Payload-Oxum: "), []byte("Payload-Oxum: 1"), 1)
			sign(t, f, func(*trust.PackageStatement) {})
		})},
		{name: "bag-tagmanifest-missing", code: "bag-missing", exit: 3, about: "the tagmanifest is missing", make: altered(func(_ *testing.T, f map[string][]byte) { delete(f, "tagmanifest-sha256.txt") })},
		{name: "package-note-altered", code: "package-note", exit: 3, about: "one bit of package.note's signature is altered", make: altered(func(_ *testing.T, f map[string][]byte) {
			edit(f["package.note"], len(f["package.note"])-9, f["package.note"][len(f["package.note"])-9]^1)
		})},
		{name: "package-note-other-key", code: "package-note", exit: 3, about: "package.note signed with another key", make: altered(func(t *testing.T, f map[string][]byte) {
			text, _, _ := strings.Cut(string(f["package.note"]), "\n\n")
			note, err := trust.Sign(t.Context(), text+"\n", sample.Key(t, 42))
			if err != nil {
				t.Fatal(err)
			}
			f["package.note"] = note
		})},
		{name: "package-note-other-tagmanifest", code: "package-note", exit: 3, about: "package.note over another tagmanifest", make: altered(func(t *testing.T, f map[string][]byte) {
			sign(t, f, func(p *trust.PackageStatement) { p.TagManifest[0] ^= 1 })
		})},
		{name: "package-note-other-size", code: "package-note", exit: 3, about: "package.note over another number of entries", make: altered(func(t *testing.T, f map[string][]byte) {
			sign(t, f, func(p *trust.PackageStatement) { p.Head.Size-- })
		})},
		{name: "package-note-is-a-head", code: "package-note", exit: 3, about: "a good head in the place of package.note", make: altered(func(_ *testing.T, f map[string][]byte) { f["package.note"] = f[newestNote(f)] })},
		{name: "path-unexpected-top", code: "path-unexpected", exit: 3, about: "a file beside the bag's", make: altered(set("notes.txt", "x"))},
		{name: "path-unexpected-listed", code: "path-unexpected", exit: 3, about: "a file in the payload that no case has, listed in the manifest", make: resealed(set("data/extra.bin", "x"))},
		{name: "path-unexpected-unsealed", code: "path-unexpected", exit: 3, about: "a file in an unsealed case that no case has", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files["data/evidence/readme"] = []byte("x")
			return files
		}},
		{name: "path-type-symlink", code: "path-type", exit: 3, about: "a symbolic link in the payload", make: altered(func(*testing.T, map[string][]byte) {}),
			extra: []tar.Header{{Name: "data/evidence/00003.warc.zst", Typeflag: tar.TypeSymlink, Linkname: "00001.warc.zst"}}},
		{name: "path-type-symlink-segment", code: "path-type", exit: 3, about: "a segment that is a symbolic link, unsealed", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files["work/elsewhere"] = files[seg2]
			delete(files, seg2)
			return files
		}, extra: []tar.Header{{Name: seg2, Typeflag: tar.TypeSymlink, Linkname: "../../work/elsewhere"}}},
		{name: "ledger-differs", code: "ledger-differs", exit: 3, about: "ledger.db says something else than the segments; everything else made to agree", make: resealed(func(t *testing.T, f map[string][]byte) {
			db := bytes.Replace(f["data/ledger.db"], []byte("a remark with"), []byte("A remark with"), 1)
			if bytes.Equal(db, f["data/ledger.db"]) {
				t.Fatal("the remark is not in ledger.db")
			}
			f["data/ledger.db"] = db
		})},
		{name: "ledger-form", code: "ledger-form", exit: 3, about: "ledger.db is no database", make: resealed(set("data/ledger.db", "SQLite format 3\x00"))},
		{name: "ledger-empty", code: "ledger-form", exit: 3, about: "ledger.db is empty", make: resealed(set("data/ledger.db", ""))},
	}
}

func outcomeRecipes() []recipe {
	m := func(t *testing.T, change func(*sample.Maker)) map[string][]byte {
		m := sample.New(t, nil)
		m.Operator(evidence.ActionRunStart, "exhibit acquire http")
		m.Connect()
		change(m)
		m.Operator(evidence.ActionRunStop, "stopped")
		m.Seal()
		return m.Folder.Files()
	}
	none := int64(evidence.None)
	page := sample.Answer{Window: 1, Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`}
	open := evidence.Window{State: evidence.Opened, User: "adele@contoso.example"}
	end := func(state, reason string, last int64) evidence.Window {
		return evidence.Window{State: state, Reason: reason, User: "adele@contoso.example", Text: "the service stopped answering", Requests: 1, Pages: 1, Last: last}
	}
	return []recipe{
		{name: "window-open", code: "window-open", exit: 4, about: "a sealed case with a window that never ended", make: func(t *testing.T) map[string][]byte {
			return m(t, func(m *sample.Maker) { m.Window(1, open); m.Exchange(page) })
		}},
		{name: "window-partial", code: "window-partial", exit: 4, about: "a sealed case with a partial window", make: func(t *testing.T) map[string][]byte {
			return m(t, func(m *sample.Maker) {
				m.Window(1, open)
				m.Window(1, end(evidence.Partial, "throttled", m.Exchange(page)))
			})
		}},
		{name: "window-failed", code: "window-failed", exit: 4, about: "a sealed case with a failed window", make: func(t *testing.T) map[string][]byte {
			return m(t, func(m *sample.Maker) {
				m.Window(1, open)
				m.Window(1, end(evidence.Failed, "no-permission", m.Exchange(page)))
			})
		}},
		{name: "gap", code: "gap", exit: 0, about: "a sealed case that declares an unclean stop", make: func(t *testing.T) map[string][]byte {
			return m(t, func(m *sample.Maker) {
				m.Append(&evidence.Draft{Body: &evidence.Gap{Reason: evidence.GapUnclean, Text: "the host lost power", LostRun: strings.Repeat("9", 32), InFlight: 2}})
			})
		}},
		{name: "roots-private", code: "roots-private", exit: 4, about: "the server was trusted because of a certificate that the operator supplied", make: line(`"roots":"system"`, `"roots":"file"`)},
		{name: "plain-http", code: "plain-http", exit: 4, about: "answers came without TLS", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, `"kind":"connection"`)
			r.Replace(t, `"tls_version":"TLS 1.3"`, `"tls_version":""`)
			r.Replace(t, `"roots":"system"`, `"roots":"none"`)
		})},
		{name: "unsigned-tail", code: "unsigned-tail", exit: 4, about: "entries after the newest head", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Operator(evidence.ActionNote, "not signed yet")
			files := m.Folder.Files()
			m.Close()
			return files
		}},
		{name: "sealing", code: "sealing", exit: 4, about: "a seal that was interrupted before package.note", make: altered(func(_ *testing.T, f map[string][]byte) { delete(f, "package.note") })},
		{name: "seal-rule-counts", code: "seal-rule", exit: 3, about: "the seal counts other entries than there are", make: sealedForge(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `{"kind":"exchange","count":4}`).Replace(t, `{"kind":"exchange","count":4}`, `{"kind":"exchange","count":5}`)
		})},
		{name: "seal-rule-preceding", code: "seal-rule", exit: 3, about: "the seal names another batch before it", make: sealedForge(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, `"kind":"seal"`).Replace(t, `"preceding":"`, `"preceding":"`+strings.Repeat("0", 64)+`","x":"`)
			r := batchWith(t, f, `"kind":"seal"`)
			r.Block = r.Block[:strings.Index(r.Block, `,"x":"`)] + "}}\n"
		})},
		{name: "after-seal", code: "after-seal", exit: 3, about: "a batch after the seal", make: sealedForge(noteBehindSeal)},
	}
}

// noteBehindSeal makes a batch of the remark once more, behind the seal.
func noteBehindSeal(t *testing.T, f *sample.Forged) {
	last := len(f.Segments) - 1
	seal := batchWith(t, f, `"kind":"seal"`)
	note := batchWith(t, f, "a remark with")
	var seq, batch int64
	fmt.Sscanf(seal.Block[strings.Index(seal.Block, `{"seq":`):], `{"seq":%d`, &seq)
	fmt.Sscanf(seal.Block[strings.Index(seal.Block, `"batch":`):], `"batch":%d`, &batch)
	lines := strings.Split(note.Block, "\n")
	own := strings.Split(seal.Block, "\n")
	first := strings.NewReplacer(fmt.Sprintf(`"batch":%d,`, batch), fmt.Sprintf(`"batch":%d,`, batch+1),
		fmt.Sprintf(`"first":%d,`, seq), fmt.Sprintf(`"first":%d,`, seq+1)).Replace(own[0])
	head := lines[1][:strings.Index(lines[1], `"seq":`)] + fmt.Sprintf(`"seq":%d`, seq+1) + lines[1][strings.Index(lines[1], `,"kind"`):]
	r := &sample.Record{Header: seal.Header, Block: strings.Join([]string{first, head, lines[2], ""}, "\n")}
	r.Header.ID = batchID(batch + 1)
	f.Segments[last] = append(f.Segments[last], r)
}

// sealedForge alters the segments of a sealed case. The seal's own files are left away, so that only the ledger speaks.
func sealedForge(change func(*testing.T, *sample.Forged)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		m := sample.Small(t)
		m.Seal()
		f := m.Forge()
		delete(f.Files, "package.note")
		change(t, f)
		return f.Build(t)
	}
}

func batchID(n int64) string { return batchIDOf(sample.CaseID, n) }

// batchIDOf computes the record id of a batch from docs/container.md, 3.3.
func batchIDOf(caseID string, n int64) string {
	h := sha256Of(fmt.Sprintf("exhibit batch %s %d", caseID, n))
	h[6], h[8] = h[6]&0x0F|0x80, h[8]&0x3F|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// recompressFirst writes the first frame of a segment anew at another level.
func recompressFirst(t *testing.T, segment []byte) []byte {
	t.Helper()
	content, length := firstFrame(t, segment)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(z.EncodeAll(content, nil), segment[length:])
}
