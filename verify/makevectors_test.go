package verify_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func openFolder(t *testing.T, dir string) *bag.Folder {
	t.Helper()
	folder, err := bag.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder
}

const (
	seg1 = "data/evidence/00001.warc.zst"
	seg2 = "data/evidence/00002.warc.zst"
)

// recipe makes a vector. code and exit are written by hand; what else is found is filled in and reviewed.
type recipe struct {
	name, code string
	exit       int
	about      string
	make       func(*testing.T) map[string][]byte
	extra      []tar.Header
}

func unsealed(t *testing.T) *sample.Forged {
	m := sample.Small(t)
	m.Close()
	return m.Forge()
}

func sealed(t *testing.T) map[string][]byte {
	m := sample.Small(t)
	m.Seal()
	return m.Folder.Files()
}

// forged alters an unsealed case and makes it agree with itself again.
func forged(change func(*testing.T, *sample.Forged)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		f := unsealed(t)
		change(t, f)
		return f.Build(t)
	}
}

// altered changes the files of a sealed case.
func altered(change func(*testing.T, map[string][]byte)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		files := sealed(t)
		change(t, files)
		return files
	}
}

// resealed changes a sealed case and makes manifests and package.note again, with the right key.
func resealed(change func(*testing.T, map[string][]byte)) func(*testing.T) map[string][]byte {
	return altered(func(t *testing.T, files map[string][]byte) {
		change(t, files)
		reseal(t, files)
	})
}

func reseal(t *testing.T, files map[string][]byte) {
	t.Helper()
	var lines []string
	octets, n := 0, 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "data/") {
			lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name))
			octets, n = octets+len(files[name]), n+1
		}
	}
	files["manifest-sha256.txt"] = []byte(strings.Join(lines, ""))
	info, _, _ := strings.Cut(string(files["bag-info.txt"]), "Payload-Oxum")
	files["bag-info.txt"] = fmt.Appendf(nil, "%sPayload-Oxum: %d.%d\n", info, octets, n)
	sign(t, files, func(p *trust.PackageStatement) {})
}

// sign makes tagmanifest and package.note again.
func sign(t *testing.T, files map[string][]byte, change func(*trust.PackageStatement)) {
	t.Helper()
	var lines []string
	for _, name := range []string{"bag-info.txt", "bagit.txt", "manifest-sha256.txt"} {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name))
	}
	files["tagmanifest-sha256.txt"] = []byte(strings.Join(lines, ""))
	key := sample.Key(t, 9)
	vkey, err := trust.ParseVKey(key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := trust.Verify(files["package.note"], []trust.VKey{vkey})
	if err != nil {
		t.Fatal(err)
	}
	p, err := trust.ParsePackageStatement(text)
	if err != nil {
		t.Fatal(err)
	}
	p.TagManifest = sha256.Sum256(files["tagmanifest-sha256.txt"])
	change(&p)
	if text, err = p.Text(); err != nil {
		t.Fatal(err)
	}
	if files["package.note"], err = trust.Sign(t.Context(), text, key); err != nil {
		t.Fatal(err)
	}
}

// frame alters the frame of the first response.
func frame(edit func([]byte) []byte) func(*testing.T) map[string][]byte {
	return forged(func(t *testing.T, f *sample.Forged) { f.Find(t, "429 Too Many").Edit = edit })
}

// line replaces text in the batch that holds old.
func line(old, new string) func(*testing.T) map[string][]byte {
	return forged(func(t *testing.T, f *sample.Forged) { batchWith(t, f, old).Replace(t, old, new) })
}

func batchWith(t *testing.T, f *sample.Forged, text string) *sample.Record {
	t.Helper()
	for _, r := range f.Records() {
		if r.Batch() && strings.Contains(r.Block, text) {
			return r
		}
	}
	t.Fatalf("no batch holds %q", text)
	return nil
}

// newestNote is the name of the newest head.
func newestNote(files map[string][]byte) string {
	newest := int64(0)
	for name := range files {
		if base, ok := strings.CutPrefix(name, evidence.CheckpointsPath+"/"); ok {
			newest = max(newest, evidence.NoteSize(base))
		}
	}
	return evidence.NotePath(newest)
}

func oldestNote(files map[string][]byte) string {
	oldest := int64(1 << 40)
	for name := range files {
		if base, ok := strings.CutPrefix(name, evidence.CheckpointsPath+"/"); ok {
			if n := evidence.NoteSize(base); n > 0 {
				oldest = min(oldest, n)
			}
		}
	}
	return evidence.NotePath(oldest)
}

// removeRecord takes the first record with this text out of its segment.
func removeRecord(t *testing.T, f *sample.Forged, r *sample.Record) {
	t.Helper()
	for i, s := range f.Segments {
		if at := slices.Index(s, r); at >= 0 {
			f.Segments[i] = slices.Delete(s, at, at+1)
			return
		}
	}
	t.Fatal("no such record")
}

func insertAfter(f *sample.Forged, r *sample.Record, more ...*sample.Record) {
	for i, s := range f.Segments {
		if at := slices.Index(s, r); at >= 0 {
			f.Segments[i] = slices.Insert(s, at+1, more...)
			return
		}
	}
}

func skippable(content string) []byte {
	return append([]byte{0x50, 0x2A, 0x4D, 0x18, byte(len(content)), 0, 0, 0}, content...)
}

func edit(b []byte, at int, to byte) []byte { b[at] = to; return b }

// Where the fields of a frame lie that the writer makes for a record of 256 to 65,791 bytes: magic, descriptor, size in two
// bytes, first block header (RFC 8878, 3.1.1).
const (
	atDescriptor = 4
	atSize       = 5
	atBlock      = 7
)

func recipes() []recipe {
	return slices.Concat(goodRecipes(), frameRecipes(), recordRecipes(), batchRecipes(), entryRecipes(), headRecipes(), bagRecipes(), outcomeRecipes(), attackRecipes(), strangerRecipes(),
		cosignRecipes(), tokenRecipes(), custodyRecipes(), supplementsRecipes(), productionRecipes(), productionCustodyRecipes(), deepRecipes(), checkRecipes(), differedRecipes())
}

func goodRecipes() []recipe {
	same := func(*testing.T, map[string][]byte) {}
	return []recipe{
		{name: "good-sealed", exit: 0, about: "a sealed case with nothing wrong", make: altered(same)},
		{name: "good-resealed", exit: 0, about: "the same after its manifests were made again by another program", make: resealed(same)},
		{name: "unsealed", code: "unsealed", exit: 4, about: "a case that was not sealed", make: forged(func(*testing.T, *sample.Forged) {})},
		{name: "good-custody-and-stamps", exit: 0, about: "files in custody/, stamps/ and work/ are covered by no manifest", make: records(func(h *handover) {
			h.files["stamps/1.txt"], h.files["work/lock"] = []byte("x"), []byte("x")
		})},
		{name: "good-unknown-kind", code: "unsealed", exit: 4, about: "an entry of a kind that this version does not know is kept and counted", make: line(`"kind":"operator"`, `"kind":"from-the-future"`)},
	}
}

func frameRecipes() []recipe {
	return []recipe{
		{name: "frame-magic", code: "frame-magic", exit: 3, about: "a frame's magic number is altered", make: frame(func(b []byte) []byte { return edit(b, 0, 0) })},
		{name: "frame-skippable-between", code: "frame-skippable", exit: 3, about: "a skippable frame between two records", make: frame(func(b []byte) []byte { return append(skippable("hidden"), b...) })},
		{name: "frame-skippable-end", code: "frame-skippable", exit: 3, about: "a skippable frame after the last batch of a sealed case", make: resealed(func(_ *testing.T, f map[string][]byte) {
			f[seg2] = append(bytes.Clone(f[seg2]), skippable("hidden")...)
		})},
		{name: "frame-empty-between", code: "record-header", exit: 3, about: "a frame with no content between two records", make: frame(func(b []byte) []byte {
			return append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x24, 0x00, 0x01, 0x00, 0x00, 0x99, 0xE9, 0xD8, 0x51}, b...)
		})},
		{name: "frame-reserved-bit", code: "frame-reserved", exit: 3, about: "the reserved bit of a frame header is set", make: frame(func(b []byte) []byte { return edit(b, atDescriptor, b[atDescriptor]|0x08) })},
		{name: "frame-unused-bit", code: "frame-reserved", exit: 3, about: "the unused bit of a frame header is set, which decoders ignore", make: frame(func(b []byte) []byte { return edit(b, atDescriptor, b[atDescriptor]|0x10) })},
		{name: "frame-dictionary", code: "frame-dictionary", exit: 3, about: "a frame names a dictionary", make: frame(func(b []byte) []byte {
			return slices.Concat(b[:4], []byte{b[4] | 1, 7}, b[atSize:])
		})},
		{name: "frame-no-checksum", code: "frame-no-checksum", exit: 3, about: "a frame without content checksum", make: frame(func(b []byte) []byte {
			return edit(b[:len(b)-4], atDescriptor, b[atDescriptor]&^4)
		})},
		{name: "frame-no-size", code: "frame-no-size", exit: 3, about: "a frame header without the content size", make: frame(func(b []byte) []byte {
			return slices.Concat([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x58}, b[atBlock:])
		})},
		{name: "frame-window-large", code: "frame-window", exit: 3, about: "a frame that asks for a window of 128 MiB", make: frame(func(b []byte) []byte {
			return slices.Concat(b[:4], []byte{b[4] &^ 0x20, 0x88}, b[atSize:])
		})},
		{name: "frame-content-size-huge", code: "frame-window", exit: 3, about: "a single-segment frame that declares 2^40 bytes", make: frame(func(b []byte) []byte {
			return slices.Concat(b[:4], []byte{0xE4, 0, 0, 0, 0, 0, 1, 0, 0}, b[atBlock:])
		})},
		{name: "frame-block-reserved", code: "frame-block", exit: 3, about: "a block of the reserved type", make: frame(func(b []byte) []byte { return edit(b, atBlock, b[atBlock]|0x06) })},
		{name: "frame-block-large", code: "frame-block", exit: 3, about: "a block header that declares more than 128 KiB", make: frame(func(b []byte) []byte { return edit(b, atBlock+2, 0xFF) })},
		{name: "frame-size-lie", code: "frame-content", exit: 3, about: "a frame declares another content size than it holds", make: frame(func(b []byte) []byte { return edit(b, atSize, b[atSize]+1) })},
		{name: "frame-size-impossible", code: "frame-content", exit: 3, about: "a frame declares 2^40 bytes, which its blocks cannot hold", make: frame(func(b []byte) []byte {
			return slices.Concat(b[:4], []byte{0xC4, 13 << 3, 0, 0, 0, 0, 0, 1, 0, 0}, b[atBlock:])
		})},
		{name: "frame-padding-blocks", code: "frame-size", exit: 3, about: "a frame stretched with 2,000 empty blocks", make: frame(func(b []byte) []byte {
			return slices.Concat(b[:atBlock], bytes.Repeat([]byte{0, 0, 0}, 2000), b[atBlock:])
		})},
		{name: "frame-checksum", code: "frame-content", exit: 3, about: "a frame's content checksum is altered", make: frame(func(b []byte) []byte { return edit(b, len(b)-1, b[len(b)-1]^1) })},
		{name: "frame-content", code: "frame-content", exit: 3, about: "compressed bytes are altered", make: frame(func(b []byte) []byte { return edit(b, len(b)-10, b[len(b)-10]^0xFF) })},
		{name: "frame-cut", code: "frame-cut", exit: 3, about: "a sealed case whose last segment was cut by 20 bytes", make: altered(func(_ *testing.T, f map[string][]byte) { f[seg2] = f[seg2][:len(f[seg2])-20] })},
		{name: "frame-cut-middle", code: "frame-cut", exit: 3, about: "the first of two segments was cut: not a torn tail", make: forged(func(t *testing.T, f *sample.Forged) {
			s := f.Segments[0]
			s[len(s)-1].Edit = func(b []byte) []byte { return b[:len(b)-9] }
		})},
		{name: "garbage-between", code: "frame-magic", exit: 3, about: "bytes that are no frame before a whole batch: not a torn tail", make: frame(func(b []byte) []byte { return append([]byte("garbage"), b...) })},
		{name: "torn-tail", code: "torn-tail", exit: 4, about: "an interrupted write at the end of an unsealed case", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files[seg2] = append(bytes.Clone(files[seg2]), 0x28, 0xB5, 0x2F, 0xFD, 0x64, 0x00)
			return files
		}},
		{name: "torn-tail-zeros", code: "torn-tail", exit: 4, about: "zeros at the end of an unsealed case, as a file system leaves after a loss of power", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			files[seg2] = append(bytes.Clone(files[seg2]), make([]byte, 512)...)
			return files
		}},
		{name: "torn-tail-moved", code: "torn-tail", exit: 4, about: "a recovery that was interrupted before it cut off the tail that it had moved into the next segment", make: interruptedRecovery},
		{name: "torn-tail-not-moved", code: "frame-cut", exit: 3, about: "a tail in an earlier segment that differs from the one in the gap entry", make: func(t *testing.T) map[string][]byte {
			files := interruptedRecovery(t)
			files[seg1] = files[seg1][:len(files[seg1])-1]
			return files
		}},
		{name: "torn-tail-whole-records", code: "torn-tail", exit: 4, about: "whole records without their batch at the end of an unsealed case", make: forged(func(t *testing.T, f *sample.Forged) {
			last := len(f.Segments) - 1
			f.Segments[last] = append(f.Segments[last], f.Find(t, "429 Too Many"))
		})},
	}
}

// interruptedRecovery loses power in the middle of an append and again in the middle of the recovery from that.
func interruptedRecovery(t *testing.T) map[string][]byte {
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Folder.CrashAt(0)
	m.W.Append(t.Context(), &evidence.Draft{Start: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Body: &evidence.Operator{Action: evidence.ActionNote, Text: "never acknowledged"}})
	f := m.Folder.Reboot(crashfs.Half)
	if !bytes.Equal(f.Files()[seg1], m.Folder.Files()[seg1]) {
		f = m.Folder.Reboot(crashfs.Everything)
	}
	for n := 0; ; n++ {
		r := f.Reboot(crashfs.Everything)
		r.CrashAt(n)
		evidence.Open(t.Context(), evidence.Options{Folder: r, Signers: []trust.Signer{m.Key}, Now: sample.Clock(), Rand: sample.Rand(3)})
		if files := r.Files(); files[seg2] != nil {
			return r.Reboot(crashfs.Everything).Files()
		}
	}
}

func recordRecipes() []recipe {
	return []recipe{
		{name: "record-block", code: "record-mismatch", exit: 3, about: "a response was changed and compressed again", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			f.Find(t, `"Operation":"Search"`).Replace(t, "Search", "Logoff")
		})},
		{name: "record-header-date", code: "record-mismatch", exit: 3, about: "only the date in a record's header was changed", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			f.Find(t, "429 Too Many").Header.Date = "2020-01-01T00:00:00.000000Z"
		})},
		{name: "record-header-id", code: "record-mismatch", exit: 3, about: "a record's id is not the one that its entry makes", make: forged(func(t *testing.T, f *sample.Forged) {
			h := &f.Find(t, "429 Too Many").Header
			h.ID = h.ID[:len(h.ID)-1] + string(h.ID[len(h.ID)-1]^1)
		})},
		{name: "record-header-uri", code: "record-mismatch", exit: 3, about: "a record of another URL than its entry says", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "429 Too Many").Header.TargetURI += "?"
		})},
		{name: "record-header-concurrent", code: "record-mismatch", exit: 3, about: "a response that does not name its request", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "429 Too Many").Header.ConcurrentTo = ""
		})},
		{name: "record-uri-not-url", code: "entry-rule", exit: 3, about: "an entry whose response is of another URL than the exchange, its header made to agree", make: forged(func(t *testing.T, f *sample.Forged) {
			r := f.Find(t, "429 Too Many")
			uri := r.Header.TargetURI
			r.Header.TargetURI += "?"
			b := batchWith(t, f, `"status":429`)
			at := strings.LastIndex(b.Block, `"type":"response","uri":"`+uri)
			b.Block = b.Block[:at] + strings.Replace(b.Block[at:], uri, uri+"?", 1)
		})},
		{name: "record-request-content-type", code: "batch-form", exit: 3, about: "an entry that gives a request a content type", make: line(`"type":"request","uri":"https://service.example/page/1","content_type":""`, `"type":"request","uri":"https://service.example/page/1","content_type":"application/http;msgtype=request"`)},
		{name: "record-removed", code: "record-mismatch", exit: 3, about: "a response was taken out", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			removeRecord(t, f, f.Find(t, "429 Too Many"))
		})},
		{name: "record-swapped", code: "record-mismatch", exit: 3, about: "request and response changed places", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			r := f.Find(t, "429 Too Many")
			s := f.Segments[0]
			i := slices.Index(s, r)
			s[i-1], s[i] = s[i], s[i-1]
		})},
		{name: "record-twice", code: "record-unclaimed", exit: 3, about: "a record stands twice", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepRecords = true
			r := f.Find(t, "429 Too Many")
			insertAfter(f, r, r)
		})},
		{name: "record-added", code: "record-unclaimed", exit: 3, about: "a record that no entry names, before a batch", make: forged(func(t *testing.T, f *sample.Forged) {
			insertAfter(f, f.Find(t, `"Id":"a1"`), f.Find(t, "429 Too Many"))
		})},
		{name: "record-header-order", code: "record-header", exit: 3, about: "a record whose header fields are in another order", make: forged(rawRecord("WARC/1.1\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\nWARC-Type: resource\r\n"))},
		{name: "record-header-lf", code: "record-header", exit: 3, about: "a record whose header lines end in LF alone", make: forged(rawRecord("WARC/1.1\nWARC-Type: resource\n"))},
		{name: "record-header-unknown-field", code: "record-header", exit: 3, about: "a record with a field that the format does not have", make: forged(rawRecord("WARC/1.1\r\nWARC-Type: resource\r\nX-Note: y\r\n"))},
		{name: "record-length", code: "record-length", exit: 3, about: "Content-Length is larger than the block", make: forged(rawRecord(recordHeader("abc", 4) + "abc"))},
		{name: "record-end", code: "record-end", exit: 3, about: "a record does not end in CR LF CR LF", make: forged(rawRecord(recordHeader("abc", 3) + "abc\r\n\n\n"))},
		{name: "record-digest", code: "record-digest", exit: 3, about: "WARC-Block-Digest is that of another block", make: forged(rawRecord(recordHeader("abd", 3) + "abc"))},
		{name: "warcinfo-changed", code: "warcinfo", exit: 3, about: "the warcinfo record was changed", make: forged(func(t *testing.T, f *sample.Forged) {
			f.KeepWarcinfo = true
			f.Segments[0][0].Replace(t, "exhibit sample", "another writer")
		})},
		{name: "warcinfo-second", code: "warcinfo", exit: 3, about: "a second warcinfo record", make: forged(func(t *testing.T, f *sample.Forged) {
			s := f.Segments[0]
			f.Segments[0] = slices.Insert(s, 2, s[0])
		})},
		{name: "warcinfo-file-name", code: "warcinfo", exit: 3, about: "the warcinfo of another segment", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Segments[0][0].Header.Filename = "00007.warc.zst"
		})},
		{name: "segment-without-batch", code: "segment-missing", exit: 3, about: "a segment that is not the last and holds no batch", make: forged(func(t *testing.T, f *sample.Forged) {
			info := *f.Segments[1][0]
			f.Segments = slices.Insert(f.Segments, 1, []*sample.Record{&info})
			f.Segments[2][0].Header.Filename = "00003.warc.zst"
			for _, r := range f.Segments[2] {
				r.Block = strings.Replace(r.Block, `"segment":2,`, `"segment":3,`, 1)
			}
		})},
		{name: "warcinfo-missing", code: "warcinfo", exit: 3, about: "a segment that does not start with warcinfo", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Segments[1] = f.Segments[1][1:]
		})},
	}
}

// rawRecord puts a frame with this content (and a record's end, if it has none) behind the first record.
func rawRecord(content string) func(*testing.T, *sample.Forged) {
	return func(t *testing.T, f *sample.Forged) {
		if !strings.HasSuffix(content, "\n") {
			content += "\r\n\r\n"
		}
		insertAfter(f, f.Segments[0][0], &sample.Record{Raw: zstdFrame(t, content+strings.Repeat(" ", max(0, 256-len(content))))})
	}
}

func recordHeader(hashed string, length int) string {
	return fmt.Sprintf("WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\nWARC-Date: 2026-11-22T10:00:00.000000Z\r\n"+
		"WARC-Target-URI: urn:exhibit:torn\r\nContent-Type: application/octet-stream\r\nWARC-Block-Digest: sha256:%x\r\nContent-Length: %d\r\n\r\n", sha256.Sum256([]byte(hashed)), length)
}

// TestVectorsAreCurrent makes every vector again and compares it with the file.
func TestVectorsAreCurrent(t *testing.T) {
	made := map[string]bool{}
	for _, r := range recipes() {
		if made[r.name] {
			t.Errorf("two recipes are called %s", r.name)
		}
		made[r.name] = true
		v := &vector{name: r.name, about: r.about, exit: r.exit, code: r.code, files: r.make(t), extra: r.extra}
		report, _, err := v.check(t)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		v.all = distinct(codesOf(report))
		if report.Exit() != r.exit || r.code != "" && !slices.Contains(v.all, r.code) || r.code == "" && len(v.all) > 0 {
			t.Errorf("%s: exit %d and %v, want exit %d and %q", r.name, report.Exit(), v.all, r.exit, r.code)
		}
		path, b := filepath.Join(vectorDir, r.name+".vector"), v.encode(t)
		if *update {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, b) {
			t.Errorf("%s is not what its recipe makes (go test ./verify -run Current -update, if the change is meant)", path)
		}
	}
	paths, err := filepath.Glob(filepath.Join(vectorDir, "*.vector"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".vector"); !made[name] {
			t.Errorf("%s has no recipe", path)
		}
	}
}
