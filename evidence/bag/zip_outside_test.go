package bag

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// full asks for the slow tests as well.
var full = flag.Bool("bag.full", false, "also pack a case of more than 4 GiB")

// pythonZip prints what Python's zipfile makes of a file, as JSON.
const pythonZip = `
import hashlib, json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
small = [i for i in z.infolist() if i.file_size < 1 << 20][:100]
json.dump({"names": z.namelist(), "sizes": [i.file_size for i in z.infolist()], "offsets": [i.header_offset for i in z.infolist()],
    "modes": sorted({i.external_attr >> 16 for i in z.infolist()}), "times": sorted({list(i.date_time)[0] for i in z.infolist()}),
    "hashes": {i.filename: hashlib.sha256(z.read(i)).hexdigest() for i in small}, "comment": len(z.comment)}, sys.stdout)
`

type seenByPython struct {
	Names          []string
	Sizes, Offsets []int64
	Modes, Times   []int
	Hashes         map[string]string
	Comment        int
}

func askPython(t *testing.T, path string) (seen seenByPython) {
	t.Helper()
	out, err := exec.Command(tool(t, "python3", "that another program reads a packed case"), "-c", pythonZip, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.zip")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPythonReads has Python's zipfile read a packed case, sums included.
func TestPythonReads(t *testing.T) {
	m := signedBag(t)
	seen := askPython(t, writeFile(t, packed(t, m)))
	if !slices.Equal(seen.Names, packedNames()) || !slices.Equal(seen.Modes, []int{0o100644}) || !slices.Equal(seen.Times, []int{1980}) || seen.Comment != 0 {
		t.Errorf("python sees %+v", seen)
	}
	for name, sum := range seen.Hashes {
		if want := hexSum(string(m[name].Data)); sum != want {
			t.Errorf("python reads %s with hash %s, it is %s", name, sum, want)
		}
	}
	if len(seen.Hashes) != len(packedNames()) {
		t.Errorf("python read %d files", len(seen.Hashes))
	}
}

// TestUnzip has unzip test and unpack a packed case: what lies there is the case.
func TestUnzip(t *testing.T) {
	program := tool(t, "unzip", "that unzip unpacks a packed case")
	m := signedBag(t)
	path, dir := writeFile(t, packed(t, m)), t.TempDir()
	for _, args := range [][]string{{"-t", path}, {"-q", path, "-d", dir}} {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("unzip %q: %v\n%s", args, err, out)
		}
	}
	for _, name := range packedNames() {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || !bytes.Equal(b, m[name].Data) {
			t.Errorf("unzip wrote %s: %d bytes, %v", name, len(b), err)
		}
	}
	if r := check(t, openFolder(t, dir)); len(r.Problems) > 0 || len(r.Beside) != 3 {
		t.Errorf("problems of what was unpacked: %v, beside it %q", r.Problems, r.Beside)
	}
}

// sparse writes headers to a file and leaves out the bytes of its members, which are zeros.
func sparse(t *testing.T, members []member) (path string, names []string) {
	t.Helper()
	path = writeFile(t, nil)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next := int64(0)
	var central []byte
	for i := range members {
		m := &members[i]
		m.offset = next
		if _, err := f.WriteAt(appendLocal(nil, m), next); err != nil {
			t.Fatal(err)
		}
		central = appendCentral(central, m)
		next = m.data() + m.size
		names = append(names, m.name)
	}
	end := appendEnd(central, directory{count: int64(len(members)), offset: next, size: int64(len(central))})
	if _, err := f.WriteAt(end, next); err != nil {
		t.Fatal(err)
	}
	return path, names
}

// TestZip64 writes headers of files around 4 GiB and holds against other programs where they think that the files are. A field is moved to an extra field exactly
// where it has no room.
func TestZip64(t *testing.T) {
	for _, big := range []int64{1<<32 - 2, 1<<32 - 1, 1 << 32, 5 << 32} {
		members := []member{{name: packageNoteName}, {name: declarationName}, {name: infoName}, {name: manifestName}, {name: tagManifestName}, {name: "data/a", size: big},
			{name: "data/b", size: 3, crc: 0xff41d912}, {name: "data/c", size: big}, {name: "stamps/d", size: 1, crc: 0xd202ef8d}} // of zeros, as crc32(1) has them
		path, names := sparse(t, members)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		z, err := OpenZip(f, info.Size())
		if err != nil {
			t.Fatalf("files of %d bytes: %v", big, err)
		}
		std, err := zip.NewReader(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		seen := askPython(t, path)
		if !slices.Equal(seen.Names, names) {
			t.Errorf("python sees %q", seen.Names)
		}
		for i, m := range members {
			at, err := std.File[i].DataOffset()
			if err != nil || at != m.data() || seen.Offsets[i] != m.offset || seen.Sizes[i] != m.size || z.members[i] != m || std.File[i].UncompressedSize64 != uint64(m.size) {
				t.Errorf("%s: bytes at %d (%v), header at %d, %d bytes; we say %+v, read again %+v", m.name, at, err, seen.Offsets[i], seen.Sizes[i], m, z.members[i])
			}
			if wide := len(std.File[i].Extra) > 0; wide != (m.size >= 1<<32-1 || m.offset >= 1<<32-1) {
				t.Errorf("files of %d bytes: %s has extra fields: %v", big, m.name, wide)
			}
		}
		for _, name := range []string{"data/b", "stamps/d"} {
			if b, err := fs.ReadFile(z, name); err != nil || strings.Trim(string(b), "\x00") != "" || z.sums[z.index[name]].Load() != sumGood {
				t.Errorf("%s: %q, %v", name, b, err)
			}
		}
	}
}

// TestManyFiles packs as many files as need a zip64 end record, and one fewer.
func TestManyFiles(t *testing.T) {
	for _, n := range []int{65_534, 65_535} {
		files := fstest.MapFS{}
		for _, name := range packedNames()[:5] {
			files[name] = file(name)
		}
		for i := len(files); i < n; i++ {
			files[fmt.Sprintf("data/checkpoints/%d.note", i)] = file("")
		}
		var names []string
		for name := range files {
			names = append(names, name)
		}
		var b bytes.Buffer
		if err := writeZip(context.Background(), &b, files, names); err != nil {
			t.Fatal(err)
		}
		if wide := bytes.Contains(b.Bytes(), []byte("PK\x06\x06")); wide != (n >= 65_535) {
			t.Errorf("%d files: zip64 end record: %v", n, wide)
		}
		if seen := askPython(t, writeFile(t, b.Bytes())); !slices.Equal(seen.Names, names) {
			t.Errorf("%d files, of which python sees %d", n, len(seen.Names))
		}
		if z := openZip(t, b.Bytes()); len(z.members) != n || len(z.folders["data/checkpoints"]) != n-5 {
			t.Errorf("%d files, opened again %d", n, len(z.members))
		}
	}
}

// TestManyFolders gives names of which each needs more folders, as somebody would who wants memory for them.
func TestManyFolders(t *testing.T) {
	var names zipNames
	for i := range 250_000 {
		err := names.add(fmt.Sprintf("custody/%06d/a/b/c/d/e/f/g/h/i/j/k/l/m/x", i)) // 14 new folders and a file
		if i < 16_666 && err != nil {
			t.Fatalf("name %d: %v", i, err)
		}
		if i == 16_666 { // 1 + 15 * 16,667 = 250,006
			if err == nil || !strings.Contains(err.Error(), "more than 250000 files and folders") {
				t.Fatalf("name %d: %v", i, err)
			}
			break
		}
	}
	for n, says := range map[int]string{16: "", 17: "levels of folders"} {
		err := new(zipNames).add("custody" + strings.Repeat("/a", n))
		if says == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%d levels: %v", n, err)
		}
	}
}

// zeros is a file system of which one file is longer than any disk holds readily.
type zeros struct {
	fstest.MapFS
	name string
	size int64
}

func (z *zeros) Open(name string) (fs.File, error) {
	if name != z.name {
		return z.MapFS.Open(name)
	}
	return &zeroFile{info: zipInfo{name, z.size, false}, left: z.size}, nil
}

type zeroFile struct {
	info zipInfo
	left int64
}

func (f *zeroFile) Stat() (fs.FileInfo, error) { return &f.info, nil }
func (f *zeroFile) Close() error               { return nil }
func (f *zeroFile) Read(b []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), f.left))
	clear(b[:n])
	f.left -= int64(n)
	return n, nil
}

// holes writes to a file and leaves out what is zero.
type holes struct {
	f  *os.File
	at int64
}

func (h *holes) Write(b []byte) (int, error) {
	at := h.at
	h.at += int64(len(b))
	if len(bytes.Trim(b, "\x00")) == 0 {
		return len(b), h.f.Truncate(h.at)
	}
	return h.f.WriteAt(b, at)
}

// TestLargeCase packs a file of more than 4 GiB and has Python and this package hold it against its sum.
func TestLargeCase(t *testing.T) {
	if !*full {
		t.Skip("NOT TESTED: a whole case of more than 4 GiB; -bag.full does it in 15 seconds")
	}
	m := &zeros{signedBag(t), "data/evidence/00002.warc.zst", 4<<30 + 5}
	names := slices.Concat(packedNames(), []string{m.name})
	path := writeFile(t, nil)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &holes{f: f}
	if err := writeZip(context.Background(), w, m, names); err != nil {
		t.Fatal(err)
	}
	z, err := OpenZip(f, w.at)
	if err != nil {
		t.Fatal(err)
	}
	if bad, err := z.BadSums(context.Background()); err != nil || len(bad) > 0 {
		t.Errorf("sums: %v, %v", bad, err)
	}
	out, err := exec.Command(tool(t, "python3", "a case of more than 4 GiB"), "-m", "zipfile", "-t", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Done testing") || strings.Contains(string(out), "corrupt") {
		t.Errorf("python: %v\n%s", err, out)
	}
}
