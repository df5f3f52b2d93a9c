package bag

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func testKey(t testing.TB, seed byte) *trust.PrivateKey {
	t.Helper()
	k, err := trust.NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), "example.com/lab")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func vkeys(t testing.TB, keys ...*trust.PrivateKey) (all []trust.VKey) {
	t.Helper()
	for _, k := range keys {
		v, err := trust.ParseVKey(k.VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// signedBag is testBag with a package.note that key 1 signed.
func signedBag(t testing.TB) fstest.MapFS {
	t.Helper()
	m := testBag(t)
	signBag(t, m)
	return m
}

func signBag(t testing.TB, m fstest.MapFS) {
	t.Helper()
	p := trust.PackageStatement{Head: trust.Head{Origin: "example.com/case", Size: 12}, TagManifest: sha256.Sum256(m[tagManifestName].Data)}
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	note, err := trust.Sign(context.Background(), text, testKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	m[packageNoteName] = &fstest.MapFile{Data: note}
}

func packed(t testing.TB, files fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Pack(context.Background(), &b, files, vkeys(t, testKey(t, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openZip(t testing.TB, b []byte) *Zip {
	t.Helper()
	z, err := OpenZip(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// packedNames are the files of signedBag in the order of the format; work/ is not among them.
func packedNames() []string {
	return []string{"package.note", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "data/checkpoints/12.note", "data/README.txt",
		"data/evidence/00001.warc.zst", "custody/0001.note", "stamps/12/1.tsr"}
}

// handmade is a packed form of two files, written by hand from the text of the format: package.note with the byte "a", whose CRC-32 is e8b7be43, and an empty
// bagit.txt.
var handmade = strings.Join([]string{
	"504b0304", "0a00", "0000", "0000", "0000", "2100", "43beb7e8", "01000000", "01000000", "0c00", "0000", hex.EncodeToString([]byte("package.note")), "61",
	"504b0304", "0a00", "0000", "0000", "0000", "2100", "00000000", "00000000", "00000000", "0900", "0000", hex.EncodeToString([]byte("bagit.txt")),
	"504b0102", "2d03", "0a00", "0000", "0000", "0000", "2100", "43beb7e8", "01000000", "01000000", "0c00", "0000", "0000", "0000", "0000", "0000a481", "00000000",
	hex.EncodeToString([]byte("package.note")),
	"504b0102", "2d03", "0a00", "0000", "0000", "0000", "2100", "00000000", "00000000", "00000000", "0900", "0000", "0000", "0000", "0000", "0000a481", "2b000000",
	hex.EncodeToString([]byte("bagit.txt")),
	"504b0506", "0000", "0000", "0200", "0200", "71000000", "52000000", "0000",
}, "")

func TestPackByHand(t *testing.T) {
	files := fstest.MapFS{"package.note": file("a"), "bagit.txt": file("")}
	var b bytes.Buffer
	if err := writeZip(context.Background(), &b, files, []string{"bagit.txt", "package.note"}); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b.Bytes()); got != handmade {
		t.Errorf("wrote\n%s\nby hand\n%s", got, handmade)
	}
}

// TestPack packs a case, has the standard library read it, and opens it again.
func TestPack(t *testing.T) {
	m := signedBag(t)
	b := packed(t, m)
	std, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range std.File {
		names = append(names, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r) // which holds it against its CRC-32
		if err != nil || !bytes.Equal(content, m[f.Name].Data) {
			t.Errorf("%s: %d bytes, %v", f.Name, len(content), err)
		}
		if f.Method != zip.Store || f.Mode() != 0o644 || !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) || f.Comment != "" || len(f.Extra) > 0 || f.Flags != 0 {
			t.Errorf("%s: %+v", f.Name, f.FileHeader)
		}
	}
	if !slices.Equal(names, packedNames()) {
		t.Errorf("names %q", names)
	}
	z := openZip(t, b)
	if bad, err := z.BadSums(context.Background()); err != nil || len(bad) > 0 {
		t.Errorf("sums: %v, %v", bad, err)
	}
	if err := fstest.TestFS(z, packedNames()...); err != nil {
		t.Error(err)
	}
	if r := check(t, z); len(r.Problems) > 0 || len(r.Payload) != 3 {
		t.Errorf("problems of what is packed: %v", r.Problems)
	}
}

// TestPackIsDeterministic packs the same case again, from a disk with other times and modes, and out of its packed form.
func TestPackIsDeterministic(t *testing.T) {
	m := signedBag(t)
	want := packed(t, m)
	delete(m, "work/lock") // no link is written to the disk
	for _, f := range m {
		f.ModTime, f.Mode = time.Now(), 0o600
	}
	for from, files := range map[string]fs.FS{"memory": m, "disk": openFolder(t, writeBag(t, m)), "packed form": openZip(t, want)} {
		if got := packed(t, files); !bytes.Equal(got, want) {
			t.Errorf("from %s: %d bytes that differ from those before, %d", from, len(got), len(want))
		}
	}
}

// TestPackRefuses alters a case in each way that packing notices.
func TestPackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(m fstest.MapFS)
		says  string
	}{
		"not sealed":       {func(m fstest.MapFS) { delete(m, packageNoteName) }, "not sealed"},
		"file too many":    {func(m fstest.MapFS) { m["data/evidence/00002.warc.zst"] = file("x") }, `extra "data/evidence/00002.warc.zst": not listed`},
		"file missing":     {func(m fstest.MapFS) { delete(m, "data/README.txt") }, `missing "data/README.txt"`},
		"another length":   {func(m fstest.MapFS) { m["data/README.txt"] = file("x") }, "Payload-Oxum"},
		"no manifest":      {func(m fstest.MapFS) { delete(m, manifestName) }, `missing "manifest-sha256.txt"`},
		"tag file altered": {func(m fstest.MapFS) { m[infoName] = file(wantInfo[1:]) }, `changed "bag-info.txt"`},
		"stray file":       {func(m fstest.MapFS) { m["notes.txt"] = file("x") }, `unlisted "notes.txt"`},
		"link":             {func(m fstest.MapFS) { m["custody/l"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/")} }, "symbolic link"},
		"device name":      {func(m fstest.MapFS) { m["custody/aux.txt"] = file("x") }, "is a device on some systems"},
		"line feed":        {func(m fstest.MapFS) { m["custody/a\nb"] = file("x") }, `holds '\n'`},
		"two cases":        {func(m fstest.MapFS) { m["custody/0001.NOTE"] = file("x") }, "only in case"},
		"folder, two cases": {func(m fstest.MapFS) {
			m["stamps/a/1"], m["stamps/A/2"] = file("x"), file("x")
		}, "only in case"},
		"no note":   {func(m fstest.MapFS) { m[packageNoteName] = file("x") }, `changed "package.note": `},
		"long note": {func(m fstest.MapFS) { m[packageNoteName] = file(strings.Repeat("x", 70_000)) }, "more than 65535 bytes"},
	} {
		m := signedBag(t)
		c.alter(m)
		err := Pack(context.Background(), io.Discard, m, vkeys(t, testKey(t, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if byName := slices.Contains([]string{"device name", "two cases", "folder, two cases"}, name); errors.Is(err, ErrName) != byName && name != "line feed" {
			t.Errorf("%s: it says that a name is in the way: %v", name, err)
		}
		if errors.Is(err, ErrUnsealed) != (name == "not sealed") {
			t.Errorf("%s: it says whether it is sealed: %v", name, err)
		}
	}
	m := signedBag(t)
	if err := Pack(context.Background(), io.Discard, m, vkeys(t, testKey(t, 2))); err == nil {
		t.Error("packed what another key signed")
	}
	note := m[packageNoteName]
	m = signedBag(t)
	m[infoName] = file("External-Identifier: another\nPayload-Oxum: 59.3\n")
	m[tagManifestName] = file(hexSum(string(m[infoName].Data)) + "  bag-info.txt\n" + wantTagManifest()[strings.Index(wantTagManifest(), "\n")+1:])
	m[packageNoteName] = note
	if err := Pack(context.Background(), io.Discard, m, vkeys(t, testKey(t, 1))); err == nil || !strings.Contains(err.Error(), "over another tagmanifest") {
		t.Errorf("packed with the note of another folder: %v", err)
	}
}

// growing is a file system of which one file is longer each time that it is opened.
type growing struct {
	fstest.MapFS
	opened int
}

func (g *growing) Open(name string) (fs.File, error) {
	if name == "stamps/12/1.tsr" {
		g.opened++
		g.MapFS[name] = file(strings.Repeat("x", g.opened))
	}
	return g.MapFS.Open(name)
}

// short takes n bytes and then fails.
type short struct{ n int }

func (s *short) Write(b []byte) (int, error) {
	if s.n -= len(b); s.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestPackFails(t *testing.T) {
	keys := vkeys(t, testKey(t, 1))
	if err := Pack(context.Background(), io.Discard, &growing{MapFS: signedBag(t)}, keys); err == nil || !strings.Contains(err.Error(), "changed while it was packed") {
		t.Errorf("a file that grows: %v", err)
	}
	if err := Pack(context.Background(), &short{100}, signedBag(t), keys); !errors.Is(err, errDisk) {
		t.Errorf("a disk that is full: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Pack(ctx, io.Discard, signedBag(t), keys); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	z := openZip(t, packed(t, signedBag(t)))
	if _, err := z.BadSums(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("sums, interrupted: %v", err)
	}
}

// asPacked says whether a file is accepted as a packed case, sums included.
type asPacked func(b []byte) bool

func strictly(b []byte) bool {
	z, err := OpenZip(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		var e *ZipError
		return !errors.As(err, &e) // an error that is none of the form would be a fault of ours
	}
	bad, err := z.BadSums(context.Background())
	return err != nil || len(bad) == 0
}

// alterations calls try with every alteration of a file: of each byte by one bit and by all, cut at each byte, with a byte more at each place, and with more
// behind and before it.
func alterations(good []byte, try func(what string, b []byte)) {
	for i := range good {
		for _, x := range []byte{1, 0xff} {
			b := bytes.Clone(good)
			b[i] ^= x
			try(fmt.Sprintf("byte %d xor %#x", i, x), b)
		}
		try(fmt.Sprintf("cut at %d", i), good[:i])
		try(fmt.Sprintf("one byte more at %d", i), slices.Insert(bytes.Clone(good), i, 0))
		if i+1 < len(good) && good[i] != good[i+1] {
			b := bytes.Clone(good)
			b[i], b[i+1] = b[i+1], b[i]
			try(fmt.Sprintf("bytes %d and %d swapped", i, i+1), b)
		}
	}
	for _, n := range []int{1, 2, 22, 512, 65_535, 65_536} {
		try(fmt.Sprintf("%d zeros behind it", n), append(bytes.Clone(good), make([]byte, n)...))
		try(fmt.Sprintf("%d zeros before it", n), append(make([]byte, n), good...))
	}
	try("twice", append(bytes.Clone(good), good...))
}

// TestAltered alters a packed case everywhere. None is accepted, but by parsers that are planted: the standard library's, which minds no bytes that it does not
// need, and our own behind one that takes away what follows the end record.
func TestAltered(t *testing.T) {
	good := packed(t, signedBag(t))
	if !strictly(good) {
		t.Fatal("the packed case itself is not accepted")
	}
	tried := 0
	planted := map[string]asPacked{"the standard library's parser": byStandard, "a parser that minds no trailing bytes": func(b []byte) bool {
		if at := bytes.LastIndex(b, []byte("PK\x05\x06")); at >= 0 && at+endSize < len(b) {
			b = b[:at+endSize]
		}
		return strictly(b)
	}}
	caught := map[string]int{}
	alterations(good, func(what string, b []byte) {
		tried++
		if strictly(b) {
			t.Errorf("accepted: %s", what)
		}
		for name, lax := range planted {
			if caught[name] == 0 && lax(b) {
				caught[name] = tried
			}
		}
	})
	t.Logf("%d alterations of %d bytes; planted parsers caught after %v", tried, len(good), caught)
	for _, name := range slices.Sorted(maps.Keys(planted)) {
		if caught[name] == 0 {
			t.Errorf("planted: %s: not caught", name)
		}
	}
}

// byStandard accepts what the standard library can read to the end.
func byStandard(b []byte) bool {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return false
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return false
		}
	}
	return len(z.File) == len(packedNames())
}

// TestSumsInPassing has a file's sum found while somebody reads it, and not read again.
func TestSumsInPassing(t *testing.T) {
	b := packed(t, signedBag(t))
	at := bytes.Index(b, []byte("abcdbcdecdef"))
	b[at] ^= 1
	count := &counting{r: bytes.NewReader(b)}
	z, err := OpenZip(count, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.WalkDir(z, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		_, err = fs.ReadFile(z, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	before := count.reads
	bad, err := z.BadSums(context.Background())
	if err != nil || len(bad) != 1 || bad[0].Offset != int64(at) || !strings.Contains(bad[0].Detail, `"data/README.txt"`) {
		t.Errorf("%v, %v", bad, err)
	}
	if count.reads != before {
		t.Errorf("%d more reads", count.reads-before)
	}
	// Read in parts and read before its end, a file is not summed up.
	z = openZip(t, b)
	f, err := z.Open("data/README.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 10), 40); err != nil {
		t.Fatal(err)
	}
	if got := z.sums[z.index["data/README.txt"]].Load(); got != sumUnknown {
		t.Errorf("known of a file that was read in part: %d", got)
	}
	if bad, err := z.BadSums(context.Background()); err != nil || len(bad) != 1 {
		t.Errorf("%v, %v", bad, err)
	}
}

type counting struct {
	r     io.ReaderAt
	reads int
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	c.reads++
	return c.r.ReadAt(b, off)
}

// TestZipThatShrinks cuts the file after its headers were read.
func TestZipThatShrinks(t *testing.T) {
	b := packed(t, signedBag(t))
	r := &shrinking{b: b}
	z, err := OpenZip(r, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	r.b = b[:60]
	if _, err := fs.ReadFile(z, "data/README.txt"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading what is gone: %v", err)
	}
	f, err := z.Open("data/README.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.(io.ReaderAt).ReadAt(make([]byte, 5), 3); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading what is gone at its place: %v", err)
	}
	if bad, err := z.BadSums(context.Background()); err != nil || len(bad) != len(packedNames())-1 { // one is empty
		t.Errorf("%d of %d files are gone: %v", len(bad), len(packedNames())-1, err)
	}
}

type shrinking struct{ b []byte }

func (s *shrinking) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(b, off)
}
