package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

const findingsDoc = "../docs/findings.md"

// TestFindingsDoc makes docs/findings.md from the list of codes and compares it with the file.
func TestFindingsDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Findings\n\nWhat `exhibit-verify check` can say, made from the list in `verify/finding.go` (`go test ./verify -run FindingsDoc -update`).\n" +
		"A code is never used for anything else. The class decides the exit code: damage 3, incomplete 4, trust 8, notice 0; the gravest counts.\n\n" +
		"| code | class | what it means for the evidence | what to do next |\n|---|---|---|---|\n")
	for _, c := range verify.Codes() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Code, c.Class, c.Meaning, c.Next)
	}
	if *update {
		if err := os.WriteFile(findingsDoc, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(findingsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Error("docs/findings.md is not what the list of codes makes: run with -update")
	}
}

// TestCodesAreDistinct makes sure that a code stands once and that its texts are there.
func TestCodesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range verify.Codes() {
		if seen[c.Code] || !evidence.IsWord(c.Code) || c.Meaning == "" || c.Next == "" {
			t.Errorf("code %q: repeated, malformed or without its texts", c.Code)
		}
		seen[c.Code] = true
	}
}

// TestPinnedKey pins the right key, another one, and both.
func TestPinnedKey(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	vkey := func(k *trust.PrivateKey) trust.VKey {
		v, err := trust.ParseVKey(k.VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		keys []trust.VKey
		exit int
		b    verify.Holds
	}{
		"none":  {nil, verify.ExitVerified, verify.NotChecked},
		"right": {[]trust.VKey{vkey(m.Key)}, verify.ExitVerified, verify.Yes},
		"other": {[]trust.VKey{vkey(sample.Key(t, 42))}, verify.ExitUnmet, verify.No},
		"both":  {[]trust.VKey{vkey(m.Key), vkey(sample.Key(t, 42))}, verify.ExitUnmet, verify.No},
	} {
		r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Keys: c.keys})
		if err != nil {
			t.Fatal(err)
		}
		if r.Exit() != c.exit || r.Statements[1].Holds != c.b || (c.exit == 8) != slices.Contains(codesOf(r), "key-unmet") {
			t.Errorf("%s: exit %d, statement (b) %s, %v", name, r.Exit(), r.Statements[1].Holds, codesOf(r))
		}
	}
}

// TestDamageCountsBeforeIncompleteBeforeTrust has all three at once, and takes one away after the other.
func TestDamageCountsBeforeIncompleteBeforeTrust(t *testing.T) {
	key, err := trust.ParseVKey(sample.Key(t, 42).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	m := sample.Small(t)
	m.Close()
	files := m.Folder.Files()
	r, _, _ := verify.Check(context.Background(), mapFS(files), verify.Options{Keys: []trust.VKey{key}})
	if r.Exit() != verify.ExitIncomplete {
		t.Errorf("unsealed and another key: exit %d", r.Exit())
	}
	files["data/extra"] = []byte("x")
	r, _, _ = verify.Check(context.Background(), mapFS(files), verify.Options{Keys: []trust.VKey{key}})
	if r.Exit() != verify.ExitDamaged {
		t.Errorf("damaged, unsealed and another key: exit %d", r.Exit())
	}
}

// TestFindingsAreCapped gives more findings than a report lists.
func TestFindingsAreCapped(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := mapFS(m.Folder.Files())
	for i := range 3000 {
		files[fmt.Sprintf("data/x%04d", i)] = &fstest.MapFile{}
	}
	r, c, err := verify.Check(context.Background(), files, verify.Options{})
	if err != nil || c != nil || r.Exit() != verify.ExitDamaged {
		t.Fatalf("exit %d, %v", r.Exit(), err)
	}
	if !slices.Contains(codesOf(r), "findings-capped") || len(r.Findings) > 1001 || r.More < 1999 {
		t.Errorf("%d findings listed, %d more", len(r.Findings), r.More)
	}
}

// failing is a file system on which one file cannot be read.
type failing struct {
	fs.FS
	name string
}

var errDisk = errors.New("input/output error")

func (f failing) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil || name != f.name {
		return file, err
	}
	return badFile{file}, nil
}

func (f failing) Lstat(name string) (fs.FileInfo, error)  { return fs.Stat(f.FS, name) }
func (f failing) ReadLink(string) (string, error)         { return "", fs.ErrInvalid }
func (b badFile) Read([]byte) (int, error)                { return 0, errDisk }
func (b badFile) ReadAt(p []byte, off int64) (int, error) { return 0, errDisk }

type badFile struct{ fs.File }

// TestUnreadableSegment reads a segment, and then a payload file, from a disk that fails.
func TestUnreadableSegment(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	r, _, err := verify.Check(context.Background(), failing{m.Folder.FS(), seg1}, verify.Options{})
	if err != nil || r.Exit() != verify.ExitDamaged || !slices.Contains(codesOf(r), "segment-read") {
		t.Errorf("segment: %v, %v", codesOf(r), err)
	}
	m = sample.Small(t)
	m.Seal()
	r, _, err = verify.Check(context.Background(), failing{m.Folder.FS(), "data/README.txt"}, verify.Options{})
	if err != nil || r.Exit() != verify.ExitDamaged || !slices.Contains(codesOf(r), "path-read") {
		t.Errorf("payload: %v, %v", codesOf(r), err)
	}
}

// TestContentAloneProtectsAnUnsealedCase flips bytes of the segments of an unsealed case, where no manifest helps: what is not
// noticed must decode to the same entries and records.
func TestContentAloneProtectsAnUnsealedCase(t *testing.T) {
	m := sample.Small(t)
	m.Close()
	files := m.Folder.Files()
	check := repeated(t)()
	good, _, err := check(context.Background(), mapFS(files))
	if err != nil {
		t.Fatal(err)
	}
	unnoticed := 0
	for i, a := range alterations(map[string][]byte{seg1: files[seg1], seg2: files[seg2]}) {
		if i%7 != 0 && !testing.Verbose() { // all of them with -v
			continue
		}
		f := mapFS(files)
		f[a.file] = &fstest.MapFile{Data: a.apply(files[a.file])}
		r, c, err := check(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if r.Exit() == verify.ExitDamaged {
			continue
		}
		unnoticed++
		switch {
		case a.what == "cut":
			// A cut may leave a torn tail or end between batches behind the newest head: fewer entries, and said to be unsealed.
			if a.file != seg2 || r.Entries > good.Entries || r.Exit() != verify.ExitIncomplete {
				t.Errorf("%v: exit %d with %d entries", a, r.Exit(), r.Entries)
			}
		case slices.Contains(codesOf(r), "torn-tail"):
			if a.file != seg2 || r.Entries >= good.Entries {
				t.Errorf("%v: a torn tail with %d entries", a, r.Entries)
			}
		case r.Root != good.Root || c == nil:
			t.Errorf("%v: not noticed, and the root is another", a)
		}
	}
	t.Logf("%d changes left the content as it was or the end torn", unnoticed)
}

// TestHostileTextIsNotRunTogether makes sure that a finding quotes what it found on one line.
func TestHostileTextIsNotRunTogether(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := mapFS(m.Folder.Files())
	files["data/a\nverified"] = &fstest.MapFile{}
	r, _, err := verify.Check(context.Background(), files, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Detail, "\n") {
			t.Errorf("finding %s holds a line end: %q", f.Code, f.Detail)
		}
	}
}
