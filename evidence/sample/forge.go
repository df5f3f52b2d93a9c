package sample

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Forged is a case taken apart, as somebody who wants to alter it would: text that can be changed at will and is then made to
// agree again as far as the forger likes.
type Forged struct {
	Segments [][]*Record
	Files    map[string][]byte // all other files
	Key      trust.Signer      // signs the heads again

	// What the forger leaves as it was.
	KeepDetailHash, KeepRecords, KeepPrev, KeepFrontier, KeepHeads, KeepWarcinfo bool
}

// Record is one record of a segment. A batch's block is its lines.
type Record struct {
	Header warc.Header
	Block  string
	Raw    []byte                    // if set, stands in the segment instead of the record's frame
	Edit   func(frame []byte) []byte // if set, alters the frame that is made
}

// Batch reports whether the record is a batch.
func (r *Record) Batch() bool { return r.Header.Type == warc.Metadata }

// Forge takes the maker's case apart.
func (m *Maker) Forge() *Forged {
	m.t.Helper()
	f := &Forged{Files: m.Folder.Files(), Key: m.Key}
	dec, err := warc.NewDecoder()
	if err != nil {
		m.t.Fatal(err)
	}
	for n := int64(1); f.Files[evidence.SegmentPath(n)] != nil; n++ {
		b := f.Files[evidence.SegmentPath(n)]
		delete(f.Files, evidence.SegmentPath(n))
		r := warc.NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
		var records []*Record
		for {
			rec, err := r.Next(context.Background())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				m.t.Fatal(err)
			}
			records = append(records, &Record{Header: rec.Header, Block: string(rec.Block())})
		}
		f.Segments = append(f.Segments, records)
	}
	return f
}

// Records lists all records in order.
func (f *Forged) Records() []*Record {
	var all []*Record
	for _, s := range f.Segments {
		all = append(all, s...)
	}
	return all
}

// Find returns the first record whose block holds text.
func (f *Forged) Find(t testing.TB, text string) *Record {
	t.Helper()
	for _, r := range f.Records() {
		if strings.Contains(r.Block, text) {
			return r
		}
	}
	t.Fatalf("no record holds %q", text)
	return nil
}

// Replace changes the first occurrence of old, which must be there.
func (r *Record) Replace(t testing.TB, old, new string) {
	t.Helper()
	if !strings.Contains(r.Block, old) {
		t.Fatalf("no %q in %q", old, r.Block)
	}
	r.Block = strings.Replace(r.Block, old, new, 1)
}

var (
	detailField = regexp.MustCompile(`"detail":"[0-9a-f]{64}"`)
	refField    = regexp.MustCompile(`"block":"[0-9a-f]{64}","block_length":\d+`)
	prevField   = regexp.MustCompile(`"prev":"[0-9a-f]{64}"`)
	infoField   = regexp.MustCompile(`"warcinfo":"[0-9a-f]{64}"`)
	frontField  = regexp.MustCompile(`"frontier":\[[^\]]*\]`)
	noteField   = regexp.MustCompile(`"size":(\d+),"note":"(?:[^"\\]|\\.)*"`)
)

// Build puts the case together again.
func (f *Forged) Build(t testing.TB) map[string][]byte {
	t.Helper()
	files := maps.Clone(f.Files)
	enc, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{t: t, f: f, enc: enc, files: files}
	for n, records := range f.Segments {
		b.segment(int64(n+1), records)
	}
	if !f.KeepHeads {
		b.heads()
	}
	return files
}

type builder struct {
	t       testing.TB
	f       *Forged
	enc     *warc.Encoder
	files   map[string][]byte
	tree    evidence.Tree
	roots   []evidence.Hash // by size
	prev    evidence.Hash
	pending []*warc.Encoded
}

func (b *builder) segment(n int64, records []*Record) {
	var out []byte
	var info evidence.Hash
	for _, r := range records {
		if r.Raw != nil {
			out = append(out, r.Raw...)
			continue
		}
		block := r.Block
		if r.Batch() && strings.HasPrefix(block, "{") {
			block = b.batch(block, info)
		}
		e, err := b.enc.Encode(r.Header, []byte(block))
		if err != nil {
			b.t.Fatal(err)
		}
		switch {
		case r.Batch():
			b.prev, b.pending = evidence.Hash(e.BlockHash), nil
		case r.Header.Type == warc.Warcinfo:
			info = evidence.Hash(e.RecordHash)
		default:
			b.pending = append(b.pending, e)
		}
		frame := e.Frame
		if r.Edit != nil {
			frame = r.Edit(bytes.Clone(frame))
		}
		out = append(out, frame...)
	}
	b.files[evidence.SegmentPath(n)] = out
}

// batch makes the lines of a batch agree with its records and with what came before.
func (b *builder) batch(block string, info evidence.Hash) string {
	lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
	if !b.f.KeepPrev {
		lines[0] = prevField.ReplaceAllString(lines[0], fmt.Sprintf(`"prev":"%s"`, b.prev))
	}
	if !b.f.KeepWarcinfo {
		lines[0] = infoField.ReplaceAllString(lines[0], fmt.Sprintf(`"warcinfo":"%s"`, info))
	}
	if !b.f.KeepFrontier {
		var quoted []string
		for _, h := range b.tree.Frontier() {
			quoted = append(quoted, `"`+h.String()+`"`)
		}
		lines[0] = frontField.ReplaceAllString(lines[0], `"frontier":[`+strings.Join(quoted, ",")+"]")
	}
	next := 0
	for i := 1; i+1 < len(lines); i += 2 {
		if !b.f.KeepRecords {
			lines[i+1] = refField.ReplaceAllStringFunc(lines[i+1], func(old string) string {
				if next == len(b.pending) {
					return old
				}
				e := b.pending[next]
				next++
				return fmt.Sprintf(`"block":"%x","block_length":%d`, e.BlockHash, e.Header.ContentLength)
			})
		}
		lines[i+1] = noteField.ReplaceAllStringFunc(lines[i+1], b.note)
		if !b.f.KeepDetailHash {
			lines[i] = detailField.ReplaceAllString(lines[i], fmt.Sprintf(`"detail":"%x"`, sha256.Sum256([]byte(lines[i+1]))))
		}
		b.tree.Add(evidence.LeafHash([]byte(lines[i])))
		b.roots = append(b.roots, b.tree.Root())
	}
	return strings.Join(lines, "\n") + "\n"
}

// note signs the head of a checkpoint entry again.
func (b *builder) note(old string) string {
	if b.f.KeepHeads {
		return old
	}
	var size int
	fmt.Sscanf(noteField.FindStringSubmatch(old)[1], "%d", &size)
	if size < 1 || size > len(b.roots) {
		return old
	}
	quoted, err := evidence.MarshalLine(string(SignHead(b.t, b.f.Key, CaseID, size, b.roots[size-1])))
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf(`"size":%d,"note":%s`, size, quoted)
}

// heads signs the files in data/checkpoints again.
func (b *builder) heads() {
	for name := range b.files {
		size, ok := strings.CutPrefix(name, evidence.CheckpointsPath+"/")
		if n := evidence.NoteSize(size); ok && n > 0 && n <= int64(len(b.roots)) {
			b.files[name] = SignHead(b.t, b.f.Key, CaseID, int(n), b.roots[n-1])
		}
	}
}

// SignHead signs a head over size entries.
func SignHead(t testing.TB, key trust.Signer, caseID string, size int, root evidence.Hash) []byte {
	t.Helper()
	text, err := trust.Head{Origin: evidence.Origin(caseID), Size: int64(size), Root: root}.Text()
	if err != nil {
		t.Fatal(err)
	}
	note, err := trust.Sign(context.Background(), text, key)
	if err != nil {
		t.Fatal(err)
	}
	return note
}
