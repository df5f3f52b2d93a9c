package verify_test

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// checkRecipes are cases in which one check alone stands between a fault and a verdict without it: each was made for a check that could be switched off and no
// vector noticed (testdata/mutate).
func checkRecipes() []recipe {
	return slices.Concat(segmentChecks(), entryChecks(), headChecks(), folderChecks(), bagChecks(), productionChecks())
}

// folderHeader and linkHeader are what a vector holds beside regular files.
func folderHeader(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o700}
}

func linkHeader(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
}

func segmentChecks() []recipe {
	return []recipe{
		{name: "segment-missing-all", code: "segment-missing", exit: 3, about: "a case without a segment and without a head", make: func(*testing.T) map[string][]byte {
			return map[string][]byte{"work/lock": {}}
		}, extra: []tar.Header{folderHeader("data"), folderHeader("data/evidence")}},
		{name: "segment-missing-before-link", code: "segment-missing", exit: 3, about: "the first segment is missing, and the second is a symbolic link, which is not opened", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files["work/elsewhere"] = files[seg2]
			delete(files, seg1)
			delete(files, seg2)
			return files
		}, extra: []tar.Header{folderHeader("data/evidence"), linkHeader(seg2, "../../work/elsewhere")}},
		{name: "frame-reserved-behind-many", code: "frame-reserved", exit: 3, about: "2,001 warcinfo records more, and behind them a frame whose header was altered", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "429 Too Many").Edit = func(b []byte) []byte { return edit(b, atDescriptor, b[atDescriptor]|0x08) }
			info := f.Segments[0][0]
			insertAfter(f, info, slices.Repeat([]*sample.Record{info}, 2001)...)
		})},
		{name: "record-unclaimed-many", code: "record-unclaimed", exit: 3, about: "behind the records of an entry, and before its batch, more records than one batch can claim: their headers alone have 33 MiB", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			many := &sample.Record{Block: "x", Header: warc.Header{Type: warc.Resource, ID: batchID(1), Date: "2026-11-22T10:00:00.000000Z",
				TargetURI: "urn:" + strings.Repeat("x", 65_000), ContentType: "text/plain"}}
			insertAfter(f, f.Find(t, "429 Too Many"), slices.Repeat([]*sample.Record{many}, 530)...)
		})},
		{name: "warcinfo-bare-other-case", code: "warcinfo", exit: 3, about: "a segment that was begun, with the warcinfo of another case", make: func(t *testing.T) map[string][]byte {
			files := oneNote(t)
			files[seg2] = append(files[seg2], infoOf(t, 2, strings.Repeat("9", 32))...)
			return files
		}},
		{name: "after-seal-sealed", code: "after-seal", exit: 3, about: "a batch after the seal, signed and sealed again with the right key", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Seal()
			f := m.Forge()
			noteBehindSeal(t, f)
			files := f.Build(t)
			files[evidence.NotePath(17)] = headOver(t, files, 17)
			reseal(t, files)
			sign(t, files, func(p *trust.PackageStatement) { p.Head = headOf(t, files[evidence.NotePath(17)]) })
			return files
		}},
	}
}

// infoOf is the frame of the warcinfo record of segment n of a case.
func infoOf(t *testing.T, n int, caseID string) []byte {
	t.Helper()
	return bareInfo(t, n, "software: x\r\nformat: WARC File Format 1.1\r\nconformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\nisPartOf: "+caseID+"\r\n")
}

// headOver signs a head over the first size entries of the segments, whatever they say.
func headOver(t *testing.T, files map[string][]byte, size int) []byte {
	t.Helper()
	var tree evidence.Tree
	for _, r := range takenApart(t, files).Records() {
		if !r.Batch() {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(r.Block, "\n"), "\n")
		for i := 1; i < len(lines) && tree.Size() < int64(size); i += 2 {
			tree.Add(evidence.LeafHash([]byte(lines[i])))
		}
	}
	if tree.Size() != int64(size) {
		t.Fatalf("%d entries, want %d", tree.Size(), size)
	}
	return sample.SignHead(t, sample.Key(t, ownSeed), sample.CaseID, size, tree.Root())
}

// headOf is the head in a note that the sample's key signed.
func headOf(t *testing.T, note []byte) trust.Head {
	t.Helper()
	text, _, err := trust.Verify(note, []trust.VKey{vkey(t, sample.Key(t, ownSeed))})
	if err != nil {
		t.Fatal(err)
	}
	head, err := trust.ParseHead(text)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// become makes an entry of another kind of the remark.
func become(t *testing.T, f *sample.Forged, kind, body string) {
	t.Helper()
	r := batchWith(t, f, "a remark with")
	r.Replace(t, `"kind":"operator"`, `"kind":"`+kind+`"`)
	r.Block = r.Block[:strings.Index(r.Block, `"body":{`)] + `"body":` + body + "}\n"
}

func entryChecks() []recipe {
	sealLine := func(old, new string) func(*testing.T) map[string][]byte {
		return sealedForge(func(t *testing.T, f *sample.Forged) { batchWith(t, f, `"kind":"seal"`).Replace(t, old, new) })
	}
	return []recipe{
		{name: "entry-window-unopened-operator", code: "entry-rule", exit: 3, about: "a remark about a window that was not opened", make: forged(func(t *testing.T, f *sample.Forged) {
			batchWith(t, f, "a remark with").Replace(t, `"window":0`, `"window":7`)
		})},
		{name: "entry-window-other-acquisition", code: "entry-rule", exit: 3, about: "a window ends as another acquisition than it was opened for, and names that rightly", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
			m.Window(1, evidence.Window{State: evidence.Empty, User: "megan@contoso.example", Reason: "no-data", Last: evidence.None})
			m.Close()
			return m.Folder.Files()
		}},
		{name: "entry-checkpoint-twice", code: "entry-rule", exit: 3, about: "two checkpoint entries over the same head", make: forged(func(t *testing.T, f *sample.Forged) {
			become(t, f, "checkpoint", `{"size":8,"note":""}`)
		})},
		{name: "entry-checkpoint-later", code: "entry-rule", exit: 3, about: "a checkpoint entry over more entries than come before it", make: forged(func(t *testing.T, f *sample.Forged) {
			become(t, f, "checkpoint", `{"size":40,"note":""}`)
		})},
		{name: "seal-rule-order", code: "seal-rule", exit: 3, about: "the seal's counts are not in order", make: sealLine(`{"kind":"case","count":1},{"kind":"checkpoint","count":2}`, `{"kind":"checkpoint","count":2},{"kind":"case","count":1}`)},
		{name: "seal-rule-kind", code: "seal-rule", exit: 3, about: "the seal does not count a kind of which there is an entry", make: sealLine(`{"kind":"connection","count":1},`, ``)},
		{name: "seal-rule-segment", code: "seal-rule", exit: 3, about: "the seal names another segment as the last", make: sealLine(`"segment":2,"preceding"`, `"segment":1,"preceding"`)},
		{name: "deep-redaction-length", code: "deep-redaction", exit: 3, about: "a declared redaction is shorter than the word REDACTED, which stands there", make: line(`,"length":8}`, `,"length":7}`)},
	}
}

// withoutLast drops the last batch of an unsealed case, which holds nothing but the checkpoint entry of the newest head.
func withoutLast(t *testing.T, f *sample.Forged) {
	t.Helper()
	removeRecord(t, f, batchWith(t, f, `"kind":"checkpoint","start":"2026-11-22T10:00:00.047`))
}

func headChecks() []recipe {
	return []recipe{
		{name: "head-long", code: "path-read", exit: 3, about: "a note of more than 65,535 bytes in the place of a head", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files[oldestNote(files)] = bytes.Repeat([]byte("x"), 1<<16)
			return files
		}},
		{name: "head-form-signed", code: "head-form", exit: 3, about: "the newest head is a text that is no head, signed by the right key", make: func(t *testing.T) map[string][]byte {
			f := unsealed(t)
			withoutLast(t, f)
			files := f.Build(t)
			name := newestNote(files)
			text, _, _ := strings.Cut(string(files[name]), "\n\n")
			files[name] = signNote(t, strings.Replace(text, "\n14\n", "\n014\n", 1)+"\n", ownSeed)
			return files
		}},
		{name: "head-bad-signature-allowed", code: "head-signature", exit: 3, about: "a key that a later entry allows made a bad signature on the first head over that entry, beside a good one", make: func(t *testing.T) map[string][]byte {
			f := unsealed(t)
			withoutLast(t, f)
			key, err := evidence.MarshalLine(sample.Key(t, 42).VerifierKey())
			if err != nil {
				t.Fatal(err)
			}
			become(t, f, "key", `{"action":"allow","key":`+string(key)+`,"text":"x"}`)
			files := f.Build(t)
			other := signNote(t, "another text\n", 42)
			files[newestNote(files)] = append(files[newestNote(files)], other[bytes.Index(other, []byte("\n\n"))+2:]...)
			return files
		}},
		{name: "package-note-long", code: "package-note", exit: 3, about: "package.note has more than 65,535 bytes", make: altered(func(_ *testing.T, f map[string][]byte) {
			f["package.note"] = append(f["package.note"], bytes.Repeat([]byte("x"), 1<<16)...)
		})},
		{name: "custody-handover-releaser", code: "custody-handover", exit: 0, about: "a receipt from somebody else than the release is by", make: respelt("released-by: Jo Example", "released-by: Sam Other")},
	}
}

func folderChecks() []recipe {
	return []recipe{
		{name: "path-read-checkpoints", code: "path-read", exit: 3, about: "data/checkpoints of a case that is not sealed is a file", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			delete(files, evidence.NotePath(8))
			delete(files, evidence.NotePath(14))
			files[evidence.CheckpointsPath] = []byte("x")
			return files
		}},
		{name: "path-read-stamps", code: "path-read", exit: 3, about: "stamps of a case that is not sealed is a file", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files[evidence.StampsPath] = []byte("x")
			return files
		}},
		{name: "path-unexpected-folder", code: "path-unexpected", exit: 3, about: "a folder in a case that is not sealed that no case has", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files["data/more/notes.txt"] = []byte("x")
			return files
		}},
		{name: "path-unexpected-empty", code: "path-unexpected", exit: 3, about: "an empty folder in the payload of a sealed case", make: sealed, extra: []tar.Header{folderHeader("data/more")}},
		{name: "path-read-deep-sealed", code: "path-read", exit: 3, about: "more levels of folders beside a sealed payload than are looked into", make: altered(func(_ *testing.T, f map[string][]byte) {
			f["custody/"+strings.Repeat("a/", 20)+"x"] = []byte("x")
		})},
		{name: "path-type-work", code: "path-type", exit: 3, about: "work of a sealed case is a file", make: altered(func(_ *testing.T, f map[string][]byte) { f["work"] = []byte("x") })},
		{name: "path-type-custody", code: "path-type", exit: 3, about: "custody of a sealed case is a file", make: altered(func(_ *testing.T, f map[string][]byte) { f["custody"] = []byte("x") })},
		{name: "bag-name", code: "bag-form", exit: 3, about: "a file in the payload whose name no manifest can list", make: altered(func(_ *testing.T, f map[string][]byte) { f["data/x."] = []byte("x") })},
	}
}

// bagChecks are tag files that are not in their one form; package.note is signed over them with the right key.
func bagChecks() []recipe {
	tag := func(name string, change func(string) string) func(*testing.T) map[string][]byte {
		return altered(func(t *testing.T, f map[string][]byte) {
			before := string(f[name])
			after := change(before)
			if after == before {
				t.Fatalf("%s is as it was", name)
			}
			f[name] = []byte(after)
			sign(t, f, func(*trust.PackageStatement) {})
		})
	}
	readme := func(manifest string) string {
		return manifest[strings.Index(manifest, "  data/README.txt\n")-64:][:64+len("  data/README.txt\n")]
	}
	oxum := func(info string) (before, line string) {
		at := strings.Index(info, "Payload-Oxum")
		return info[:at], info[at:]
	}
	return []recipe{
		{name: "bag-file-changed-alike", code: "bag-changed", exit: 3, about: "one letter of a payload file was changed: it is as long as before", make: altered(func(_ *testing.T, f map[string][]byte) { edit(f["data/README.txt"], 0, 'B') })},
		{name: "bag-tag-long", code: "path-read", exit: 3, about: "bagit.txt has more than 4,096 bytes", make: tag("bagit.txt", func(s string) string { return s + strings.Repeat("\n", 4096) })},
		{name: "bag-oxum-missing", code: "bag-missing", exit: 3, about: "bag-info.txt without Payload-Oxum", make: tag("bag-info.txt", func(s string) string { before, _ := oxum(s); return before })},
		{name: "bag-oxum-not-last", code: "bag-form", exit: 3, about: "Payload-Oxum is not the last line of bag-info.txt", make: tag("bag-info.txt", func(s string) string { before, line := oxum(s); return line + before })},
		{name: "bag-info-many", code: "path-read", exit: 3, about: "bag-info.txt of more than 200 fields", make: tag("bag-info.txt", func(s string) string { return strings.Repeat("Contact-Name: x\n", 200) + s })},
		{name: "bag-manifest-twice", code: "bag-form", exit: 3, about: "a line of the manifest stands twice", make: tag("manifest-sha256.txt", func(s string) string { return strings.Replace(s, readme(s), readme(s)+readme(s), 1) })},
		{name: "bag-manifest-case", code: "bag-form", exit: 3, about: "the manifest lists a path that differs from another one only in case, and is not there", make: tag("manifest-sha256.txt", func(s string) string {
			at := strings.Index(s, "  data/verify.py\n") - 64
			return s[:at] + strings.Replace(readme(s), "README", "readme", 1) + s[at:]
		})},
		{name: "bag-manifest-many", code: "path-read", exit: 3, about: "a manifest of more than 250,000 lines", make: tag("manifest-sha256.txt", func(s string) string { return s + strings.Repeat("\n", 250_000) })},
	}
}

func productionChecks() []recipe {
	return []recipe{
		{name: "production-index-folder", code: "path-read", exit: 3, about: "production.jsonl is a folder", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) {
			f[jsonl+"/1"] = f[jsonl]
			delete(f, jsonl)
		})},
		{name: "production-rule-case-kind", code: "entry-rule", exit: 3, about: "entry 0, of which the head line is there, is no case entry", make: falsified(levels{}, func(lines []string) {
			head, _, _ := strings.Cut(strings.TrimPrefix(lines[1], `{"seq":0,"level":2,"head":`), `,"detail":{`)
			lines[1] = `{"seq":0,"level":1,"reason":"","head":` + strings.Replace(head, `"kind":"case"`, `"kind":"operator"`, 1) + "}\n"
		})},
		{name: "production-rule-seal-total", code: "seal-rule", exit: 3, about: "the seal counts more entries than there are before it", make: falsified(smallHold(), inLine(15, `"kind":"operator","count":3`, `"kind":"operator","count":4`))},
	}
}

// historyCheckRecipes are of the same kind, and need a flag or something from elsewhere.
func historyCheckRecipes(t *testing.T) []historyRecipe {
	const known = "--known-head outside/head.note"
	return []historyRecipe{
		{"known-head-damaged-alone", "head-unproven", 3, "the case is damaged, and holds no head that says so", known, func(t *testing.T) map[string][]byte {
			files := forged(func(t *testing.T, f *sample.Forged) {
				r := batchWith(t, f, `"batch":2,`)
				r.Block += "{}\n{}\n"
			})(t)
			files[outside+"head.note"] = files[oldestNote(files)]
			delete(files, evidence.NotePath(8))
			delete(files, evidence.NotePath(14))
			return files
		}},
		{"cosignature-long", "witness-form", 0, "a file in stamps/ under the name of a cosignature of a witness, longer than a note may be", "", stamped(honest(), func(_ *testing.T, f map[string][]byte) {
			f[evidence.WitnessPath(3, 7)] = bytes.Repeat([]byte("x"), trust.MaxNoteSize+1)
		})},
		{"key-no-head", "key-unmet", 4, "a key is pinned, and the case holds no head that it could have signed", "--key " + sample.Key(t, ownSeed).VerifierKey(), func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Operator(evidence.ActionNote, "not signed yet")
			files := m.Folder.Files()
			m.Close()
			for name := range files {
				if strings.HasPrefix(name, evidence.CheckpointsPath) {
					delete(files, name)
				}
			}
			return files
		}},
	}
}
