package verify_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// strangerRecipes are what the check and verify.py once judged differently, or both overlooked.
func strangerRecipes() []recipe {
	info := func(old, new string) func(*testing.T) map[string][]byte {
		return forged(func(t *testing.T, f *sample.Forged) { f.Segments[0][0].Replace(t, old, new) })
	}
	bagInfo := func(line string) func(*testing.T) map[string][]byte {
		return resealed(func(t *testing.T, f map[string][]byte) {
			f["bag-info.txt"] = append([]byte(line), f["bag-info.txt"]...)
		})
	}
	behind := func(segments map[string][]byte) func(*testing.T) map[string][]byte {
		return func(t *testing.T) map[string][]byte {
			files := oneNote(t)
			for name, b := range segments {
				files[name] = append(files[name], b...)
			}
			return files
		}
	}
	return append(strangerEntries(), []recipe{
		{name: "warcinfo-other-case", code: "warcinfo", exit: 3, about: "a warcinfo that names another case", make: info(sample.CaseID, strings.Repeat("9", 32))},
		{name: "warcinfo-value-space", code: "warcinfo", exit: 3, about: "a space behind a value of the warcinfo", make: info("software: exhibit sample", "software: exhibit sample ")},
		{name: "warcinfo-value-empty", code: "warcinfo", exit: 3, about: "an empty value in the warcinfo", make: info("software: exhibit sample", "software: ")},
		{name: "warcinfo-value-long", code: "warcinfo", exit: 3, about: "a warcinfo's block of more than 1,024 bytes", make: info("software: exhibit sample", "software: "+strings.Repeat("x", 1024))},
		{name: "warcinfo-conforms-to", code: "warcinfo", exit: 3, about: "a warcinfo that conforms to something else", make: info("warc-1.1/", "warc-1.0/")},
		{name: "package-note-signed-twice", code: "package-note", exit: 3, about: "the signature line of package.note stands there twice", make: altered(func(_ *testing.T, f map[string][]byte) {
			b := f["package.note"]
			f["package.note"] = append(b, b[bytes.LastIndex(b, []byte("\n\n"))+2:]...)
		})},
		{name: "unsigned-tail-checkpoint", code: "unsigned-tail", exit: 4, about: "a record planted in the checkpoint entry behind the newest head", make: plantedCheckpoint},
		{name: "frame-block-over-window", code: "frame-block", exit: 3, about: "a block that is larger than its frame's window", make: forged(func(t *testing.T, f *sample.Forged) {
			f.Find(t, "429 Too Many").Edit = func(frame []byte) []byte { return rawLiterals(t, frame) }
		})},
		{name: "bag-info-value-space", code: "bag-form", exit: 3, about: "a space behind a value of bag-info.txt", make: bagInfo("Contact-Name: x \n")},
		{name: "bag-info-label-case", code: "bag-form", exit: 3, about: "a label in another case than RFC 8493 gives it", make: bagInfo("contact-name: x\n")},
		{name: "bag-info-control", code: "bag-form", exit: 3, about: "a control character beyond ASCII in bag-info.txt", make: bagInfo("X: a\u0085b\n")},
		{name: "bag-info-no-utf8", code: "bag-form", exit: 3, about: "a byte that is no UTF-8 in bag-info.txt", make: bagInfo("X: a\xffb\n")},
		{name: "bag-info-date", code: "bag-form", exit: 3, about: "a Bagging-Date that is no date", make: bagInfo("Bagging-Date: yesterday\n")},
		{name: "torn-tail-other-reason", code: "frame-cut", exit: 3, about: "a tail whose bytes are in a gap entry with another reason than torn", make: func(t *testing.T) map[string][]byte {
			files, torn := recovered(t)
			f := takenApart(t, files)
			batchWith(t, f, `"reason":"torn"`).Replace(t, `"reason":"torn"`, `"reason":"other"`)
			files = f.Build(t)
			files[seg1] = torn
			return files
		}},
		{name: "torn-tail-before-segment", code: "frame-cut", exit: 3, about: "a cut frame at the end of a segment, and behind it a segment that was begun", make: func(t *testing.T) map[string][]byte {
			return behind(map[string][]byte{seg1: {0x28, 0xB5, 0x2F}, seg2: goodInfo(t, 2)})(t)
		}},
		{name: "segment-missing-torn", code: "segment-missing", exit: 3, about: "a segment without a whole batch, and behind it a segment that was begun", make: func(t *testing.T) map[string][]byte {
			return behind(map[string][]byte{seg2: append(goodInfo(t, 2), 0x28, 0xB5, 0x2F), seg3: goodInfo(t, 3)})(t)
		}},
		{name: "segment-missing-bare", code: "segment-missing", exit: 3, about: "two segments that were begun", make: func(t *testing.T) map[string][]byte {
			return behind(map[string][]byte{seg2: goodInfo(t, 2), seg3: goodInfo(t, 3)})(t)
		}},
		{name: "warcinfo-bare-segment", code: "warcinfo", exit: 3, about: "a begun segment whose whole warcinfo is not what it must be", make: func(t *testing.T) map[string][]byte {
			return behind(map[string][]byte{seg2: bareInfo(t, 2, "anything")})(t)
		}},
		{name: "good-custody-names", code: "custody-other", exit: 0, about: "files in custody/ may have any name: no manifest covers them, and a check says so", make: altered(func(_ *testing.T, f map[string][]byte) { f["custody/a."] = []byte("x") })},
		{name: "path-read-deep", code: "path-read", exit: 3, about: "more levels of folders than are looked into", make: unsealedDeep},
	}...)
}

// strangerEntries are those about entries.
func strangerEntries() []recipe {
	window := func(line string, w evidence.Window) func(*testing.T) map[string][]byte {
		return func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			w.State, w.Last, w.Acquisition = evidence.Opened, evidence.None, evidence.Hash(sha256Of(line))
			m.Append(&evidence.Draft{Run: sample.Run, Source: "http", Window: 1, Body: &w})
			m.Close()
			return m.Folder.Files()
		}
	}
	key := func(name string, point []byte) func(*testing.T) map[string][]byte {
		return forged(func(t *testing.T, f *sample.Forged) {
			h := sha256Of(name + "\n\x01" + string(point))
			v, err := evidence.MarshalLine(fmt.Sprintf("%s+%x+%s", name, h[:4], base64.StdEncoding.EncodeToString(append([]byte{1}, point...))))
			if err != nil {
				t.Fatal(err)
			}
			batchWith(t, f, `"kind":"case"`).Replace(t, `"keys":[`, `"keys":[`+string(v)+`,`)
		})
	}
	const none = evidence.None
	answer := sample.Answer{Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`}
	return []recipe{
		{name: "entry-window-parameter-name", code: "entry-rule", exit: 3, about: "a window's parameter whose name holds =", make: window("http\nu\n\n\na=b=c\n", evidence.Window{User: "u", Parameters: []evidence.Pair{{Name: "a=b", Value: "c"}}})},
		{name: "entry-window-line-end", code: "entry-rule", exit: 3, about: "a window's value that holds a line end", make: window("http\nu\nv\n\n\n", evidence.Window{User: "u\nv"})},
		{name: "entry-status-alone", code: "entry-rule", exit: 3, about: "a status and no response, and nothing else wrong", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Append(&evidence.Draft{Run: sample.Run, Source: "http", Method: "GET", Status: 200,
				Body:    &evidence.Exchange{Counter: 1, Attempt: 1, Connection: none, URL: "https://a.example/", Parent: none, RetryOf: none, Ended: evidence.EndedComplete, HeadOffset: none},
				Records: []evidence.RecordDraft{{Type: warc.Request, URI: "https://a.example/", Block: []byte("GET / HTTP/1.1\r\n\r\n")}}})
			m.Close()
			return m.Folder.Files()
		}},
		{name: "entry-connection-redaction", code: "batch-form", exit: 3, about: "a redaction in what is no request of a connection",
			make: line(`"error":"","redactions":[]}`, `"error":"","redactions":[{"record":0,"what":"header","name":"x","offset":5,"length":3}]}`)},
		{name: "unknown-kind-nested", code: "unknown-kind", exit: 4, about: "a value in arrays nested 64 deep", make: forged(func(t *testing.T, f *sample.Forged) {
			r := batchWith(t, f, "a remark with")
			r.Replace(t, `"kind":"operator"`, `"kind":"future"`)
			r.Block = r.Block[:strings.Index(r.Block, `"body":{`)] + `"body":{"a":` + strings.Repeat("[", 62) + "1" + strings.Repeat("]", 62) + "}}\n"
		})},
		{name: "sealing-many-kinds", code: "sealing", exit: 4, about: "a seal that counts 120 kinds that are not known", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			var counts []string
			for i := range 120 {
				m.Operator(evidence.ActionNote, "x")
				counts = append(counts, fmt.Sprintf(`{"kind":"x%03d","count":1}`, i))
			}
			m.Seal()
			f := m.Forge()
			delete(f.Files, evidence.PackageNotePath)
			for i := range 120 {
				batchWith(t, f, `"kind":"operator","start"`).Replace(t, `"kind":"operator","start"`, fmt.Sprintf(`"kind":"x%03d","start"`, i))
			}
			seal := batchWith(t, f, `"counts":[`)
			seal.Replace(t, `{"kind":"operator","count":120}`, strings.Join(counts, ","))
			var before, last *evidence.Batch
			for b, err := range evidence.Batches(t.Context(), mapFS(f.Build(t))) {
				if err != nil {
					t.Fatal(err)
				}
				before, last = last, b
			}
			if last.Entries[0].Head.Kind != evidence.KindSeal {
				t.Fatal("the last batch is not that of the seal")
			}
			const preceding = `"preceding":"`
			seal.Replace(t, preceding+after(seal.Block, preceding)[:64], preceding+before.Hash.String())
			return f.Build(t)
		}},
		{name: "entry-case-no-key", code: "entry-rule", exit: 3, about: "a case that allows no key, and has no head", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			f := m.Forge()
			f.Segments[0][1].Replace(t, `"keys":["`+m.Key.VerifierKey()+`"]`, `"keys":[]`)
			return f.Build(t)
		}},
		{name: "entry-keys-many", code: "entry-rule", exit: 3, about: "more keys than a case may allow", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, func(o *evidence.Options) { o.HeadEntries = 1 << 20 })
			for range 1024 - 800 {
				m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: m.Key.VerifierKey(), Text: "x"}})
			}
			m.Close()
			f := m.Forge()
			f.Segments[0][1].Replace(t, `"keys":[`, `"keys":[`+strings.Repeat(`"`+m.Key.VerifierKey()+`",`, 800))
			return f.Build(t)
		}},
		{name: "entry-key-name", code: "batch-form", exit: 3, about: "a key whose name is not ASCII", make: func(t *testing.T) map[string][]byte {
			_, text, _ := strings.Cut(sample.Key(t, 42).VerifierKey(), "+")
			point, err := base64.StdEncoding.DecodeString(text[9:])
			if err != nil {
				t.Fatal(err)
			}
			return key("k\u00e9", point[1:])(t)
		}},
		{name: "entry-key-point", code: "batch-form", exit: 3, about: "a key that is no point of the curve", make: key("k", append([]byte{2}, make([]byte, 31)...))},
		{name: "deep-layout-request-line", code: "deep-layout", exit: 3, about: "a request whose only line does not end, and is not what the entry says", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			m.Exchange(answer)
			m.Close()
			f := m.Forge()
			f.Find(t, "GET /page/1 HTTP/1.1").Block = "DELETE /page/1"
			return f.Build(t)
		}},
		{name: "deep-layout-complete", code: "deep-layout", exit: 3, about: "a whole answer that is called cut, and so is no page", make: func(t *testing.T) map[string][]byte {
			m := sample.New(t, nil)
			cut := answer
			cut.Ended = "cut"
			m.Exchange(cut)
			m.Close()
			return m.Folder.Files()
		}},
	}
}

const seg3 = "data/evidence/00003.warc.zst"

// oneNote is a case that holds one remark.
func oneNote(t *testing.T) map[string][]byte {
	m := sample.New(t, nil)
	m.Operator(evidence.ActionNote, "x")
	m.Close()
	return m.Folder.Files()
}

// goodInfo is the frame of the warcinfo record that segment n begins with.
func goodInfo(t *testing.T, n int) []byte {
	return infoOf(t, n, sample.CaseID)
}

// takenApart is [sample.Maker.Forge] for files.
func takenApart(t *testing.T, files map[string][]byte) *sample.Forged {
	t.Helper()
	f := &sample.Forged{Files: map[string][]byte{}, Key: sample.Key(t, 9)}
	for name, b := range files {
		if !strings.HasPrefix(name, evidence.SegmentsPath) {
			f.Files[name] = b
		}
	}
	for n := int64(1); files[evidence.SegmentPath(n)] != nil; n++ {
		var records []*sample.Record
		for _, frame := range frames(t, files[evidence.SegmentPath(n)]) {
			whole, _ := firstFrame(t, frame)
			h, length, err := warc.ParseHeader(whole)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, &sample.Record{Header: h, Block: string(whole[length : len(whole)-4])})
		}
		f.Segments = append(f.Segments, records)
	}
	return f
}

// plantedCheckpoint gives the last entry, the one behind the newest head, a record. The head stays as it was signed.
func plantedCheckpoint(t *testing.T) map[string][]byte {
	f := unsealed(t)
	f.KeepHeads = true
	all := f.Records()
	b := all[len(all)-1]
	const ref = `{"type":"resource","uri":"urn:planted","content_type":"text/plain","truncated":"","block":"`
	b.Replace(t, `"records":[]`, `"records":[`+ref+strings.Repeat("0", 64)+`","block_length":1}]`)
	var nonce evidence.Hash
	if err := nonce.UnmarshalText([]byte(after(b.Block, `"nonce":"`)[:64])); err != nil {
		t.Fatal(err)
	}
	insertBefore(f, b, &sample.Record{Block: "planted", Header: warc.Header{Type: warc.Resource, ID: evidence.RecordID(nonce, 0),
		Date: after(b.Block, `"start":"`)[:len(evidence.TimeLayout)], TargetURI: "urn:planted", ContentType: "text/plain"}})
	return f.Build(t)
}

func after(text, mark string) string { return text[strings.Index(text, mark)+len(mark):] }

// rawLiterals writes the content of a frame as one compressed block of raw literals, which is four bytes longer than the content and so than the
// window of the single segment.
func rawLiterals(t *testing.T, frame []byte) []byte {
	content, _ := firstFrame(t, frame)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true))
	if err != nil {
		t.Fatal(err)
	}
	sum := z.EncodeAll(content, nil)
	n := uint32(len(content))
	literals := binary.LittleEndian.AppendUint32(nil, 3<<2|n<<4)[:3]
	block := append(append(literals, content...), 0)
	out := binary.LittleEndian.AppendUint16([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x64}, uint16(n-256))
	out = append(out, binary.LittleEndian.AppendUint32(nil, 1|2<<1|uint32(len(block))<<3)[:3]...)
	return append(append(out, block...), sum[len(sum)-4:]...)
}

// unsealedDeep has a file below very many folders.
func unsealedDeep(t *testing.T) map[string][]byte {
	files := oneNote(t)
	files["custody/"+strings.Repeat("a/", 20)+"x"] = []byte("x")
	return files
}
