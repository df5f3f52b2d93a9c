package verify_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
	"github.com/exhibit-dfir/exhibit/verify"
)

// These tests are of checks that no vector can show, because they need a disk that fails, more files than a vector should hold, or a key. testdata/mutate/survivors.txt names them.

// findingAt is the finding of a code at a path whose detail holds a text; nil if there is none.
func findingAt(r *verify.Report, code, path, text string) *verify.Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == code && f.Path == path && strings.Contains(f.Detail, text) {
			return f
		}
	}
	return nil
}

// TestUnreadableNames has a disk fail at a folder beside the payload, and at a tag file.
func TestUnreadableNames(t *testing.T) {
	open, whole := unsealed(t).Build(t), records(func(*handover) {})(t)
	open["custody/receipt.txt"] = []byte("x")
	for _, c := range []struct {
		files map[string][]byte
		path  string
	}{{open, "custody"}, {whole, "custody"}, {whole, "bag-info.txt"}} {
		r, _, err := verify.Check(t.Context(), failing{mapFS(c.files), c.path}, verify.Options{})
		if err != nil || r.Exit() != verify.ExitDamaged || findingAt(r, "path-read", c.path, "") == nil {
			t.Errorf("%s of %d files: exit %v, %v", c.path, len(c.files), codesOf(r), err)
		}
	}
}

// crowded is a file system in which one folder has very many files that are not there when they are opened.
type crowded struct {
	fs.FS
	name  string
	files int
}

func (c crowded) Open(name string) (fs.File, error) {
	file, err := c.FS.Open(name)
	if err != nil || name != c.name {
		return file, err
	}
	return &crowd{File: file, left: c.files}, nil
}

type crowd struct {
	fs.File
	left int
}

func (c *crowd) ReadDir(n int) ([]fs.DirEntry, error) {
	take := c.left
	if n > 0 {
		take = min(take, n)
	}
	var all []fs.DirEntry
	for range take {
		all = append(all, inCrowd(c.left))
		c.left--
	}
	if n > 0 && take == 0 {
		return nil, io.EOF
	}
	return all, nil
}

// inCrowd is a file by its number.
type inCrowd int

func (i inCrowd) Name() string               { return fmt.Sprintf("%07d", 9_999_999-int(i)) }
func (i inCrowd) IsDir() bool                { return false }
func (i inCrowd) Type() fs.FileMode          { return 0 }
func (i inCrowd) Info() (fs.FileInfo, error) { return nil, fs.ErrNotExist }

// TestTooManyFiles: a case that is sealed, and one that is not, with more files in stamps/ than are read of a case. With a hundred more nothing is said.
func TestTooManyFiles(t *testing.T) {
	for _, files := range []map[string][]byte{unsealed(t).Build(t), sealed(t)} {
		files["stamps/x"] = []byte("x")
		limit := bag.DefaultLimits().Files
		for more, want := range map[int]bool{100: false, limit: true} {
			r, _, err := verify.Check(t.Context(), crowded{mapFS(files), "stamps", more}, verify.Options{})
			if err != nil || slices.Contains(codesOf(r), "path-read") != want {
				t.Errorf("%d files and %d more: %v, %v", len(files), more, codesOf(r), err)
			}
		}
	}
}

// TestKeyUnmetSaysWhat: of a pinned key that signed or cosigned an earlier head alone, the report says which.
func TestKeyUnmetSaysWhat(t *testing.T) {
	second := sample.Key(t, 42)
	early := sealed(t)
	cosign(t, early, 8, witnessSeed)
	m := sample.New(t, func(o *evidence.Options) {
		o.HeadEntries, o.Signers = 2, append(slices.Clone(o.Signers), second)
	})
	for range 5 {
		m.Operator(evidence.ActionNote, "x")
	}
	m.Seal()
	signed := m.Folder.Files()
	name := newestNote(signed)
	text, _, _ := strings.Cut(string(signed[name]), "\n\n")
	signed[name] = signNote(t, text+"\n", ownSeed)
	reseal(t, signed)
	for _, c := range []struct {
		files map[string][]byte
		key   trust.VKey
		says  string
	}{
		{early, vkey(t, sample.Key(t, witnessSeed)), "it cosigned the head over 8 of 16 entries"},
		{signed, vkey(t, second), "it signed the head over "},
	} {
		r, _, err := verify.Check(t.Context(), mapFS(c.files), verify.Options{Keys: []trust.VKey{c.key}})
		if err != nil || r.Exit() != verify.ExitUnmet || findingAt(r, "key-unmet", "", c.says) == nil {
			t.Errorf("%s: exit %d, %+v, %v", c.says, r.Exit(), r.Findings, err)
		}
	}
}

// TestNotDecrypted: an encrypted file that was cut is damage, and nothing that was pinned is met.
func TestNotDecrypted(t *testing.T) {
	r := verify.NotDecrypted(&bag.AgeError{Detail: "it was cut"}, verify.Options{Keys: []trust.VKey{vkey(t, sample.Key(t, ownSeed))}})
	if r.Exit() != verify.ExitDamaged || !slices.Equal(codesOf(r), []string{"age-form"}) || r.Statements[0].Holds != verify.No || r.Statements[1].Holds != verify.No {
		t.Errorf("exit %d, %+v", r.Exit(), r)
	}
}

// TestOpeningRefusesFrontier: a case is opened from a segment on that says of itself what came before it. One whose frontier cannot be that of a tree of so many
// entries is refused as what it is. A check begins with the first segment and never takes one at its word.
func TestOpeningRefusesFrontier(t *testing.T) {
	f := unsealed(t)
	f.KeepFrontier = true
	batchWith(t, f, `"frontier":["`).Replace(t, `"frontier":["`, `"frontier":["`+strings.Repeat("0", 64)+`","`)
	folder := crashfs.New()
	for name, b := range f.Build(t) {
		folder.Put(name, b)
	}
	_, _, err := evidence.Open(t.Context(), evidence.Options{Folder: folder, Signers: []trust.Signer{sample.Key(t, ownSeed)}, Now: sample.Clock(), Rand: sample.Rand(3)})
	var fault *evidence.Fault
	if !errors.As(err, &fault) || fault.Code != "batch-frontier" || fault.Segment != 2 {
		t.Errorf("opening: %v", err)
	}
}

// TestManyLateTokens: a thousand good tokens in stamps/ are looked at, and one more is a finding.
func TestManyLateTokens(t *testing.T) {
	id := sample.Authority(t, tsaSeed, authority.Options{})
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	token, _ := m.Token(id, files["package.note"], nil)
	for i := range 1000 {
		files[fmt.Sprintf("stamps/%04d.tsr", i)] = token
	}
	for exit, more := range map[int]map[string][]byte{verify.ExitVerified: nil, verify.ExitDamaged: {"stamps/1000.tsr": token}} {
		maps.Copy(files, more)
		r, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{Now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil || r.Exit() != exit {
			t.Errorf("%d files: exit %d, %v, %v", len(files), r.Exit(), codesOf(r), err)
		}
		delete(files, "stamps/1000.tsr")
	}
}
