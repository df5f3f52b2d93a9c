//go:build linux

package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// bundle is the files of a case by name.
type bundle map[string][]byte

// small is the sealed case that most rows begin with; the same bytes every time.
func small(t testing.TB) bundle {
	m := sample.Small(t)
	m.Seal()
	return m.Folder.Files()
}

// unsealed is the same case before its seal, taken apart.
func unsealed(t testing.TB) *sample.Forged {
	m := sample.Small(t)
	m.Close()
	return m.Forge()
}

// write makes the folder dir hold the bundle and nothing else.
func (b bundle) write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, content := range b {
		if err := put(dir, name, content); err != nil {
			return err
		}
	}
	return nil
}

// put writes one file of a bundle.
func put(dir, name string, content []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600))
}

// differs names a file of the folder that is not as the bundle has it, "" if none: a verifier writes nothing.
func (b bundle) differs(dir string) string {
	seen := 0
	where := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		seen++
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b[filepath.ToSlash(name)]) {
			where = name
		}
		return nil
	})
	if err != nil || where == "" && seen != len(b) {
		return fmt.Sprintf("%d files of %d, %v", seen, len(b), err)
	}
	return where
}

// key is the one that signs the sample cases, and other is a forger's.
func key(t testing.TB) *trust.PrivateKey   { return sample.Key(t, 9) }
func other(t testing.TB) *trust.PrivateKey { return sample.Key(t, 77) }

// reseal makes manifests and package.note again, over the head that data/checkpoints names as the newest.
func reseal(t testing.TB, b bundle, signer trust.Signer) {
	t.Helper()
	for _, name := range []string{"bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", evidence.PackageNotePath} {
		delete(b, name)
	}
	for name, content := range map[string][]byte{"data/README.txt": []byte("A sample case.\n"), "data/verify.py": stranger.Verifier(), evidence.LedgerPath: nil} {
		if b[name] == nil {
			b[name] = content
		}
	}
	payload, oxum, err := bag.Build(context.Background(), b.fs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := bag.TagFiles(payload, oxum, []bag.Field{{Label: bag.SourceOrganization, Value: "Example Forensics"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tags {
		b[f.Name] = f.Data
	}
	resign(t, b, signer)
}

// resign makes package.note again, over the tagmanifest as it stands.
func resign(t testing.TB, b bundle, signer trust.Signer) {
	t.Helper()
	p := trust.PackageStatement{Head: newestHead(t, b), TagManifest: sha256.Sum256(b["tagmanifest-sha256.txt"])}
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	if b[evidence.PackageNotePath], err = trust.Sign(context.Background(), text, signer); err != nil {
		t.Fatal(err)
	}
}

func newestHead(t testing.TB, b bundle) trust.Head {
	t.Helper()
	newest := int64(0)
	for name := range b {
		newest = max(newest, evidence.NoteSize(filepath.Base(name)))
	}
	text, _, _ := bytes.Cut(b[evidence.NotePath(newest)], []byte("\n\n"))
	head, err := trust.ParseHead(string(text) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func (b bundle) fs() fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range b {
		m[name] = &fstest.MapFile{Data: content, Mode: 0o600}
	}
	return m
}

// sweep tries cases 0 to n-1 at two desks and reports those that fail, the first ten in full.
func sweep(t *testing.T, n int, try func(d *desk, i int) error) {
	t.Helper()
	var mu sync.Mutex
	next, failed := 0, 0
	var wg sync.WaitGroup
	for range 2 {
		d := newDesk(t)
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || t.Context().Err() != nil {
					return
				}
				if err := try(d, i); err != nil {
					mu.Lock()
					if failed++; failed <= 10 {
						t.Errorf("case %d of seed %d: %v", i, *seed, err)
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases, %d failed; seed %d", n, failed, *seed)
	if n == 0 {
		t.Error("no case was tried")
	}
}

// caughtAfter counts the cases until one fails, at most limit: how long it takes to catch a verifier with a bug planted.
func caughtAfter(t *testing.T, bug string, d *desk, limit int, try func(d *desk, i int) error) {
	t.Helper()
	for i := range limit {
		if err := try(d, i); err != nil {
			t.Logf("planted: %s: caught after %d cases", bug, i+1)
			return
		}
	}
	t.Errorf("planted: %s: not caught in %d cases of seed %d", bug, limit, *seed)
}
