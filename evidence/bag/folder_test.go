package bag

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// writeBag writes a whole bag to disk. Its work/ holds a link that nothing follows.
func writeBag(t *testing.T, m fstest.MapFS) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range m {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil && f.Mode&fs.ModeSymlink != 0 {
			err = os.Symlink(string(f.Data), path)
		} else if err == nil {
			err = os.WriteFile(path, f.Data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openFolder(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFolder(t *testing.T) {
	dir := writeBag(t, testBag(t))
	f := openFolder(t, dir)
	if r := check(t, f); len(r.Problems) > 0 {
		t.Errorf("problems: %v", r.Problems)
	}
	if m, oxum, err := Build(context.Background(), f, nil); err != nil || oxum.String() != "59.3" || len(m) != 3 {
		t.Errorf("built %v, %s, %v", m, oxum, err)
	}
	for _, name := range []string{"", "/", "../x", "/etc/passwd", "data/../bagit.txt", "data/none", "work/lock", "data//x"} {
		if file, err := f.Open(name); err == nil {
			t.Errorf("%q was opened", name)
			file.Close()
		}
	}
	if _, err := OpenFolder(filepath.Join(dir, "bagit.txt")); err == nil {
		t.Error("a file was opened as a folder")
	}
}

// TestSHA256Sum has sha256sum check what is written, and refuse what is changed.
func TestSHA256Sum(t *testing.T) {
	program := tool(t, "sha256sum", "that another program reads our manifests")
	dir := writeBag(t, testBag(t))
	run := func(manifest string) (string, error) {
		cmd := exec.Command(program, "--strict", "-c", manifest)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for manifest, files := range map[string]int{"manifest-sha256.txt": 3, "tagmanifest-sha256.txt": 3} {
		out, err := run(manifest)
		if err != nil || strings.Count(out, ": OK\n") != files {
			t.Errorf("%s: %v\n%s", manifest, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "README.txt"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("manifest-sha256.txt"); err == nil || !strings.Contains(out, "data/README.txt: FAILED") {
		t.Errorf("changed file: %v\n%s", err, out)
	}
}

// pythonManifest makes manifest-sha256.txt of the folder data from nothing but
// RFC 8493 and the rule of sorting.
const pythonManifest = `
import hashlib, os, sys
lines = []
for folder, _, names in os.walk(b"data"):
    for name in names:
        path = os.path.join(folder, name)
        digest = hashlib.sha256(open(path, "rb").read()).hexdigest().encode()
        text = path.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
        lines.append((path, digest + b"  " + text + b"\n"))
sys.stdout.buffer.write(b"".join(line for _, line in sorted(lines)))
`

// TestPython has a second implementation write the manifest of a folder with every
// sort of name that is allowed.
func TestPython(t *testing.T) {
	program := tool(t, "python3", "that a second implementation writes the same manifest")
	payload := testPayload()
	for _, name := range []string{"a%b", "a\nb", "a\r\nb", "a%0Ab", "a-b", "a b", "a.b", "A~", "a/b", "a0", "_", "-", "+", "100%"} {
		payload["data/names/"+name+"/f"] = &fstest.MapFile{Data: []byte(name)}
	}
	dir := writeBag(t, payload)
	cmd := exec.Command(program, "-c", pythonManifest)
	cmd.Dir = dir
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m, oxum, err := Build(context.Background(), openFolder(t, dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := TagFiles(m, oxum, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(files[2].Data); got != string(want) {
		t.Errorf("wrote\n%s\npython wrote\n%s", got, want)
	}
	if _, problems := ParseManifest("m", want); len(problems) > 0 {
		t.Errorf("what python wrote has problems: %v", problems)
	}
}

// tool finds a program or skips the test, loudly; with EXHIBIT_REQUIRE_TOOLS=1 it
// fails.
func tool(t *testing.T, name, untested string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("NOT TESTED, %s is missing: %s", name, untested)
	return ""
}
