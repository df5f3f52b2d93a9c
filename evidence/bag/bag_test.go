package bag

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
)

// What sha256sum prints for the payload of testPayload.
const (
	emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	abcSum   = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	// FIPS 180-2, B.2
	longSum = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
)

func testPayload() fstest.MapFS {
	return fstest.MapFS{
		"data/evidence/00001.warc.zst": {Data: []byte("abc")},
		"data/checkpoints/12.note":     {Data: nil},
		"data/README.txt":              {Data: []byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")},
	}
}

func testInfo() []Field {
	return []Field{
		{SourceOrganization, "Example Forensics Ltd"},
		{ExternalIdentifier, "2026-000123: A"},
		{BaggingDate, "2026-03-01"},
		{BagSoftwareAgent, "exhibit 1.0 <https://example.com>"},
		{InternalSenderIdentifier, "0123456789abcdef"},
	}
}

// The four files of testPayload and testInfo, written by hand.
const (
	wantManifest = longSum + "  data/README.txt\n" + emptySum + "  data/checkpoints/12.note\n" + abcSum + "  data/evidence/00001.warc.zst\n"
	wantInfo     = "Source-Organization: Example Forensics Ltd\nExternal-Identifier: 2026-000123: A\nBagging-Date: 2026-03-01\n" +
		"Bag-Software-Agent: exhibit 1.0 <https://example.com>\nInternal-Sender-Identifier: 0123456789abcdef\nPayload-Oxum: 59.3\n"
	wantDeclaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
)

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func wantTagManifest() string {
	return hexSum(wantInfo) + "  bag-info.txt\n" + hexSum(wantDeclaration) + "  bagit.txt\n" + hexSum(wantManifest) + "  manifest-sha256.txt\n"
}

// testBag returns a whole case folder, with what may be beside the payload.
func testBag(t testing.TB) fstest.MapFS {
	t.Helper()
	m := testPayload()
	payload, oxum, err := Build(context.Background(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := TagFiles(payload, oxum, testInfo())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		m[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	for _, name := range []string{"package.note", "custody/0001.note", "stamps/12/1.tsr"} {
		m[name] = &fstest.MapFile{Data: []byte(name)}
	}
	m["work/lock"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/")}
	return m
}

func TestTagFiles(t *testing.T) {
	payload, oxum, err := Build(context.Background(), testPayload(), nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := TagFiles(payload, oxum, testInfo())
	if err != nil {
		t.Fatal(err)
	}
	want := []TagFile{
		{"bagit.txt", []byte(wantDeclaration)}, {"bag-info.txt", []byte(wantInfo)},
		{"manifest-sha256.txt", []byte(wantManifest)}, {"tagmanifest-sha256.txt", []byte(wantTagManifest())},
	}
	if len(files) != len(want) {
		t.Fatalf("%d files", len(files))
	}
	for i, w := range want {
		if files[i].Name != w.Name || string(files[i].Data) != string(w.Data) {
			t.Errorf("file %d is %s\n%s\nwant %s\n%s", i, files[i].Name, files[i].Data, w.Name, w.Data)
		}
	}
	for what, f := range map[string]func() error{
		"path outside data/": func() error { _, err := TagFiles(Manifest{{Path: "work/x"}}, Oxum{Files: 1}, nil); return err },
		"data itself":        func() error { _, err := TagFiles(Manifest{{Path: "data"}}, Oxum{Files: 1}, nil); return err },
		"wrong count":        func() error { _, err := TagFiles(payload, Oxum{59, 4}, nil); return err },
		"second oxum":        func() error { _, err := TagFiles(payload, oxum, []Field{{PayloadOxum, "1.1"}}); return err },
		"not sorted": func() error {
			_, err := TagFiles(Manifest{{Path: "data/b"}, {Path: "data/a"}}, Oxum{Files: 2}, nil)
			return err
		},
		"twice": func() error {
			_, err := TagFiles(Manifest{{Path: "data/a"}, {Path: "data/a"}}, Oxum{Files: 2}, nil)
			return err
		},
		"two cases": func() error {
			_, err := TagFiles(Manifest{{Path: "data/A"}, {Path: "data/a"}}, Oxum{Files: 2}, nil)
			return err
		},
		"beyond ASCII": func() error { _, err := TagFiles(Manifest{{Path: "data/é"}}, Oxum{Files: 1}, nil); return err },
	} {
		if f() == nil {
			t.Errorf("%s: written", what)
		}
	}
}

func check(t testing.TB, fsys fs.FS) *Report {
	t.Helper()
	r, err := Check(context.Background(), fsys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckWholeBag(t *testing.T) {
	r := check(t, testBag(t))
	if len(r.Problems) > 0 {
		t.Errorf("problems: %v", r.Problems)
	}
	if got := hex.EncodeToString(r.TagManifest[:]); got != hexSum(wantTagManifest()) {
		t.Errorf("hash of tagmanifest %s", got)
	}
	if got := strings.Join(r.Beside, " "); got != "custody/0001.note package.note stamps/12/1.tsr" {
		t.Errorf("beside: %s", got)
	}
	if len(r.Payload) != 3 || hex.EncodeToString(r.Payload[2].Sum[:]) != abcSum || len(r.Info) != 6 {
		t.Errorf("payload %v, info %v", r.Payload, r.Info)
	}
	bare := testBag(t)
	maps.DeleteFunc(bare, func(name string, _ *fstest.MapFile) bool {
		return !strings.HasPrefix(name, "data/") && !strings.HasSuffix(name, ".txt")
	})
	if r := check(t, bare); len(r.Problems) > 0 || len(r.Beside) > 0 {
		t.Errorf("without optional paths: %v, beside %v", r.Problems, r.Beside)
	}
}

// A change is made to a whole bag; want has kind and path of each problem that it
// causes, in order.
type change struct {
	name   string
	change func(m fstest.MapFS)
	want   string
}

const seg = "data/evidence/00001.warc.zst"

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// contentChanges are of what files hold, or of files that are listed.
func contentChanges() []change {
	return []change{
		{"segment changed", func(m fstest.MapFS) { m[seg] = file("abd") }, "changed " + seg},
		{"segment longer", func(m fstest.MapFS) { m[seg] = file("abc\x00") }, "changed bag-info.txt, changed " + seg},
		{"segment gone", func(m fstest.MapFS) { delete(m, seg) }, "changed bag-info.txt, missing " + seg},
		{"file added", func(m fstest.MapFS) { m["data/x"] = file("x") }, "changed bag-info.txt, extra data/x"},
		{"empty file added", func(m fstest.MapFS) { m["data/x"] = file("") }, "changed bag-info.txt, extra data/x"},
		{"segment renamed", func(m fstest.MapFS) {
			m["data/evidence/00002.warc.zst"] = m[seg]
			delete(m, seg)
		}, "missing " + seg + ", extra data/evidence/00002.warc.zst"},
		{"two files swapped", func(m fstest.MapFS) {
			m[seg], m["data/README.txt"] = m["data/README.txt"], m[seg]
		}, "changed data/README.txt, changed " + seg},
		{"bagit.txt gone", func(m fstest.MapFS) { delete(m, "bagit.txt") }, "missing bagit.txt, missing bagit.txt"},
		{"bagit.txt of another version", func(m fstest.MapFS) { m["bagit.txt"] = file(strings.Replace(wantDeclaration, "1.0", "0.97", 1)) },
			"changed bagit.txt, changed bagit.txt"},
		{"bag-info.txt edited", func(m fstest.MapFS) { m["bag-info.txt"] = file(strings.Replace(wantInfo, "Ltd", "Inc", 1)) }, "changed bag-info.txt"},
		{"oxum not last", func(m fstest.MapFS) { m["bag-info.txt"] = file("Payload-Oxum: 59.3\nContact-Name: A\n") },
			"malformed bag-info.txt, changed bag-info.txt"},
		{"no oxum", func(m fstest.MapFS) { m["bag-info.txt"] = file("Contact-Name: A\n") }, "missing bag-info.txt, changed bag-info.txt"},
		{"manifest gone", func(m fstest.MapFS) { delete(m, "manifest-sha256.txt") }, "missing manifest-sha256.txt, missing manifest-sha256.txt"},
		{"manifest empty", func(m fstest.MapFS) { m["manifest-sha256.txt"] = file("") },
			"extra data/README.txt, extra data/checkpoints/12.note, extra " + seg + ", changed manifest-sha256.txt"},
		{"manifest upper-case", func(m fstest.MapFS) {
			m["manifest-sha256.txt"] = file(strings.Replace(wantManifest, abcSum, strings.ToUpper(abcSum), 1))
		}, "malformed manifest-sha256.txt line 3, extra " + seg + ", changed manifest-sha256.txt"},
		{"manifest lists a tag file", func(m fstest.MapFS) {
			m["manifest-sha256.txt"] = file(hexSum(wantDeclaration) + "  bagit.txt\n" + wantManifest)
		}, "missing bagit.txt, changed manifest-sha256.txt"},
		{"tagmanifest gone", func(m fstest.MapFS) { delete(m, "tagmanifest-sha256.txt") }, "missing tagmanifest-sha256.txt"},
		{"tagmanifest lists itself", func(m fstest.MapFS) {
			m["tagmanifest-sha256.txt"] = file(wantTagManifest() + abcSum + "  tagmanifest-sha256.txt\n")
		}, "missing tagmanifest-sha256.txt"},
		{"tagmanifest lists package.note", func(m fstest.MapFS) {
			m["tagmanifest-sha256.txt"] = file(wantTagManifest() + hexSum("package.note") + "  package.note\n")
		}, "missing package.note"},
		{"tagmanifest without a line", func(m fstest.MapFS) {
			m["tagmanifest-sha256.txt"] = file(strings.SplitAfterN(wantTagManifest(), "\n", 2)[1])
		}, "extra bag-info.txt"},
		{"tagmanifest of 5,000 bytes", func(m fstest.MapFS) { m["tagmanifest-sha256.txt"] = file(strings.Repeat("a", 5000)) },
			"limit tagmanifest-sha256.txt"},
	}
}

// pathChanges are of names and of what they name.
func pathChanges() []change {
	return []change{
		{"fetch.txt", func(m fstest.MapFS) { m["fetch.txt"] = file("") }, "unlisted fetch.txt"},
		{"second manifest", func(m fstest.MapFS) { m["manifest-md5.txt"] = file("") }, "unlisted manifest-md5.txt"},
		{"unknown folder", func(m fstest.MapFS) { m["extra/a"], m["extra/b"] = file(""), file("") }, "unlisted extra"},
		{"name in another case", func(m fstest.MapFS) { m["Work/a"] = file("") }, "unlisted Work"},
		{"package.note.tmp", func(m fstest.MapFS) { m["package.note.tmp"] = file("") }, "unlisted package.note.tmp"},
		{"empty folder in data", func(m fstest.MapFS) { m["data/evidence/old"] = &fstest.MapFile{Mode: fs.ModeDir} }, "unlisted data/evidence/old"},
		{"link in data", func(m fstest.MapFS) { m["data/l"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("README.txt")} }, "not-regular data/l"},
		{"link for a segment", func(m fstest.MapFS) { m[seg] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../README.txt")} },
			"not-regular " + seg + ", changed bag-info.txt, missing " + seg},
		{"link for a tag file", func(m fstest.MapFS) {
			m["bagit.txt"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("data/README.txt")}
		}, "not-regular bagit.txt, missing bagit.txt"},
		{"FIFO in custody", func(m fstest.MapFS) { m["custody/p"] = &fstest.MapFile{Mode: fs.ModeNamedPipe} }, "not-regular custody/p"},
		{"device in stamps", func(m fstest.MapFS) { m["stamps/d"] = &fstest.MapFile{Mode: fs.ModeDevice} }, "not-regular stamps/d"},
		{"link for package.note", func(m fstest.MapFS) { m["package.note"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("x")} }, "not-regular package.note"},
		{"link for work", func(m fstest.MapFS) {
			delete(m, "work/lock")
			m["work"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/")}
		}, "not-regular work"},
		{"file for custody", func(m fstest.MapFS) {
			delete(m, "custody/0001.note")
			m["custody"] = file("")
		}, "not-regular custody"},
		{"folder for package.note", func(m fstest.MapFS) {
			delete(m, "package.note")
			m["package.note/a"] = file("")
		}, "not-regular package.note"},
		{"backslash in a name", func(m fstest.MapFS) { m[`data/a\b`] = file("") }, `malformed data/a\b`},
		{"name beyond ASCII", func(m fstest.MapFS) { m["data/e\u0301"] = file("") }, "malformed data/e\u0301"},
		{"escape in a name", func(m fstest.MapFS) { m["data/\x1b[2J"] = file("") }, "malformed data/\x1b[2J"},
		{"newline in a name", func(m fstest.MapFS) { m["data/a\nb"] = file("") }, "changed bag-info.txt, extra data/a\nb"},
		{"stream after a colon", func(m fstest.MapFS) { m["data/README.txt:x"] = file("") }, "malformed data/README.txt:x"},
		{"long name", func(m fstest.MapFS) { m["data/"+strings.Repeat("n", 256)] = file("") }, "malformed data/" + strings.Repeat("n", 256)},
		{"deep folder", func(m fstest.MapFS) { m["data/"+strings.Repeat("d/", 16)+"f"] = file("") }, "limit data/" + strings.Repeat("d/", 15) + "d"},
	}
}

// TestCheckReports makes one change at a time and wants exactly the problems that
// it causes.
func TestCheckReports(t *testing.T) {
	for _, c := range append(contentChanges(), pathChanges()...) {
		t.Run(c.name, func(t *testing.T) {
			m := testBag(t)
			c.change(m)
			var got []string
			for _, p := range check(t, m).Problems {
				s := string(p.Kind) + " " + p.Path
				if p.Line > 0 {
					s += " line " + string(rune('0'+p.Line))
				}
				if p.Detail == "" || !strings.Contains(p.Error(), p.Detail) || strings.ContainsAny(p.Error(), "\n\x1b") {
					t.Errorf("problem prints as %q", p.Error())
				}
				got = append(got, s)
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got  %q\nwant %q", s, c.want)
			}
		})
	}
}
