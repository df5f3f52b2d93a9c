//go:build linux

package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// fickle is a folder whose files are not the same each time they are opened, or read.
type fickle struct {
	good bundle
	pick func(name string, opened, read int) []byte // what is there at this opening and reading, each from 1

	mu     sync.Mutex
	opened map[string]int
	lied   bool // other bytes than the good ones were handed out
	sizes  bool // another size was told
}

func newFickle(good bundle, pick func(name string, opened, read int) []byte) *fickle {
	return &fickle{good: good, pick: pick, opened: map[string]int{}}
}

// Open gives a folder as it is and a file as it is now.
func (f *fickle) Open(name string) (fs.File, error) {
	file, err := f.good.fs().Open(name)
	if err != nil || f.good[name] == nil {
		return file, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened[name]++
	return &fickleFile{f: f, name: name, opened: f.opened[name]}, nil
}

type fickleFile struct {
	f            *fickle
	name         string
	opened, read int
	at           int64
}

func (x *fickleFile) Stat() (fs.FileInfo, error) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	now := x.f.pick(x.name, x.opened, 1)
	x.f.sizes = x.f.sizes || len(now) != len(x.f.good[x.name])
	return fstest.MapFS{"x": {Data: now, Mode: 0o600}}.Stat("x")
}

func (x *fickleFile) Close() error { return nil }

func (x *fickleFile) Read(p []byte) (int, error) {
	n, err := x.ReadAt(p, x.at)
	if x.at += int64(n); n > 0 {
		err = nil
	}
	return n, err
}

func (x *fickleFile) ReadAt(p []byte, off int64) (int, error) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	x.read++
	now, good := x.f.pick(x.name, x.opened, x.read), x.f.good[x.name]
	if off >= int64(len(now)) {
		x.f.lied = x.f.lied || len(now) < len(good) && off < int64(len(good))
		return 0, io.EOF
	}
	n := copy(p, now[off:])
	if end := off + int64(n); end > int64(len(good)) || !bytes.Equal(p[:n], good[off:end]) {
		x.f.lied = true
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// whims are the ways in which one file changes under a check.
func whims() []struct {
	name string
	pick func(good []byte, opened, read int) []byte
} {
	flipped := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 0x01; return b }
	middle := func(b []byte) []byte { return flipped(b, len(b)/2) }
	return []struct {
		name string
		pick func(good []byte, opened, read int) []byte
	}{
		{"another first", func(b []byte, opened, _ int) []byte {
			if opened == 1 {
				return middle(b)
			}
			return b
		}},
		{"another from the second opening on", func(b []byte, opened, _ int) []byte {
			if opened > 1 {
				return middle(b)
			}
			return b
		}},
		{"another at the third opening", func(b []byte, opened, _ int) []byte {
			if opened == 3 {
				return middle(b)
			}
			return b
		}},
		{"cut from the second opening on", func(b []byte, opened, _ int) []byte {
			if opened > 1 {
				return b[:len(b)/2]
			}
			return b
		}},
		{"longer from the second opening on", func(b []byte, opened, _ int) []byte {
			if opened > 1 {
				return append(bytes.Clone(b), b...)
			}
			return b
		}},
		{"another at every second read", func(b []byte, _, read int) []byte {
			if read%2 == 0 {
				return flipped(b, len(b)-1)
			}
			return b
		}},
		{"cut while it is read", func(b []byte, _, read int) []byte {
			if read > 1 {
				return b[:len(b)/3]
			}
			return b
		}},
	}
}

// fickleTry lets one file change in one way. Where other bytes were handed out, the case is not intact.
func fickleTry(good bundle, check func(context.Context, fs.FS) (int, error)) func(i int) error {
	names := slices.Sorted(maps.Keys(good))
	all := whims()
	return func(i int) error {
		name, whim := names[i%len(names)], all[i/len(names)%len(all)]
		f := newFickle(good, func(n string, opened, read int) []byte {
			if n != name {
				return good[n]
			}
			return whim.pick(good[n], opened, read)
		})
		code, err := check(context.Background(), f)
		switch {
		case err != nil:
			return fmt.Errorf("%s, %s: %w", name, whim.name, err)
		case name == "bag-info.txt" && f.opened[name] == 2: // how many bytes to expect is read before: no verdict rests on it
			return nil
		case f.lied && code != verify.ExitDamaged || !f.lied && !f.sizes && code != verify.ExitVerified:
			return fmt.Errorf("%s, %s: exit %d, other bytes were read: %v", name, whim.name, code, f.lied)
		}
		return nil
	}
}

func checkCode(ctx context.Context, files fs.FS) (int, error) {
	r, _, err := verify.Check(ctx, files, verify.Options{Deep: true})
	if err != nil {
		return 0, err
	}
	return r.Exit(), nil
}

// TestFickle checks a case of which one file is not the same each time (row B8).
func TestFickle(t *testing.T) {
	good := small(t)
	try := fickleTry(good, checkCode)
	n := len(good) * len(whims())
	for i := range n {
		if err := try(i); err != nil && !errors.Is(err, verify.ErrChanged) {
			t.Error(err)
		}
	}
	t.Logf("%d cases", n)
	if n < 60 {
		t.Errorf("%d cases, want at least 60", n)
	}
}

// TestFickleHarness plants a check that looks at the files once and answers for them later.
func TestFickleHarness(t *testing.T) {
	good := small(t)
	try := fickleTry(good, func(ctx context.Context, files fs.FS) (int, error) {
		code, err := checkCode(ctx, good.fs())
		if err == nil {
			_, err = checkCode(ctx, files)
		}
		return code, err
	})
	for i := range 60 {
		if err := try(i); err != nil {
			t.Logf("planted: a verdict over other bytes than those that are used: caught after %d cases", i+1)
			return
		}
	}
	t.Error("planted: a verdict over other bytes than those that are used: not caught")
}

// TestChangedAfterCheck alters segments between a check and the reading of what it proved: the same comes out, or an error.
func TestChangedAfterCheck(t *testing.T) {
	good := small(t)
	want := readAll(t, good.fs(), nil)
	refused := 0
	n := part(300, 40)
	for i := range n {
		r := dice("changed", i)
		name := []string{segment1, segment2}[i%2]
		other := bytes.Clone(good[name])
		other[r.IntN(len(other))] ^= 1 << r.IntN(8)
		switch i % 5 {
		case 3:
			other = other[:r.IntN(len(other))]
		case 4:
			other = append(other, other...)
		}
		got := readAll(t, good.fs(), func(files fstest.MapFS) { files[name] = &fstest.MapFile{Data: other, Mode: 0o600} })
		if got == nil {
			refused++
		} else if !slices.Equal(got, want) {
			t.Fatalf("case %d of seed %d: other bytes came out", i, *seed)
		}
	}
	t.Logf("%d cases, %d refused", n, refused)
	if refused < n/2 {
		t.Errorf("%d of %d changes were noticed", refused, n)
	}
	swapped := sample.New(t, nil)
	swapped.Operator(evidence.ActionNote, "another case")
	swapped.Seal()
	if got := readAll(t, good.fs(), func(files fstest.MapFS) {
		clear(files)
		maps.Copy(files, bundle(swapped.Folder.Files()).fs())
	}); got != nil {
		t.Error("another case was read as the one that was checked")
	}
}

// readAll checks a case, changes it, and reads all entries and blocks; nil after an error.
func readAll(t *testing.T, files fstest.MapFS, change func(fstest.MapFS)) (all []string) {
	t.Helper()
	_, c, err := verify.Check(t.Context(), files, verify.Options{})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	if change != nil {
		change(files)
	}
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			return nil
		}
		all = append(all, string(e.HeadLine))
		for i := range e.Detail.Records {
			block, err := c.Block(t.Context(), e, i)
			if err != nil {
				return nil
			}
			content, err := io.ReadAll(io.NewSectionReader(block, 0, block.Size))
			if err = errors.Join(err, block.Close()); err != nil {
				t.Fatal(err)
			}
			all = append(all, string(content))
		}
	}
	return all
}

// TestSwappedOnDisk renames one altered file over another while checks read them: never intact.
func TestSwappedOnDisk(t *testing.T) {
	d, good := newDesk(t), small(t)
	if err := good.write(d.dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, filepath.FromSlash(segment1))
	write := func(i int) error {
		b := bytes.Clone(good[segment1])
		b[len(b)/2+i%64] ^= 0xff
		return errors.Join(os.WriteFile(filepath.Join(d.temp, "../next"), b, 0o600), os.Rename(filepath.Join(d.temp, "../next"), path))
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := 1; err == nil; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
				err = write(i)
			}
		}
		stopped <- err
	}()
	for range part(200, 15) {
		if _, _, err := d.check(nil, 3); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestTwoTagmanifests alters a file and both manifests, and shows the signed tagmanifest to whoever opens it again.
func TestTwoTagmanifests(t *testing.T) {
	good := small(t)
	forged := clone(good)
	forged["data/README.txt"] = []byte("Nothing to see here.\n")
	reseal(t, forged, other(t))
	for i, again := range []bool{true, false} {
		f := newFickle(forged, func(name string, opened, _ int) []byte {
			if name == "package.note" || again && name == "tagmanifest-sha256.txt" && opened > 1 {
				return good[name]
			}
			return forged[name]
		})
		if code, err := checkCode(t.Context(), f); err != nil || code != verify.ExitDamaged {
			t.Errorf("case %d: exit %d, %v", i, code, err)
		}
	}
}
