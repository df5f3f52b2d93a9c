package bag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// checker counts the problems of a folder.
type checker func(fsys fs.FS) int

// undetected changes every byte of every file that the evidence consists of in
// three ways, cuts each file at every byte, and removes and doubles each file. It
// returns the changes of which check reports nothing.
func undetected(whole fstest.MapFS, check checker) (missed []string) {
	try := func(what string, change func(m fstest.MapFS)) {
		m := maps.Clone(whole)
		change(m)
		if check(m) == 0 {
			missed = append(missed, what)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		if !strings.HasPrefix(name, "data/") && !strings.HasSuffix(name, ".txt") {
			continue
		}
		data := whole[name].Data
		for i := range data {
			for _, x := range []byte{0x01, 0x20, 0xff} {
				b := bytes.Clone(data)
				b[i] ^= x
				try(fmt.Sprintf("%s byte %d xor %02x", name, i, x), func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: b} })
			}
			try(fmt.Sprintf("%s cut at %d", name, i), func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: data[:i]} })
		}
		try(name+" longer", func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: append(bytes.Clone(data), '\n')} })
		try(name+" removed", func(m fstest.MapFS) { delete(m, name) })
		try(name+" doubled", func(m fstest.MapFS) { m[name+"2"] = m[name] })
		try(name+" for a link", func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: []byte(name + "2"), Mode: fs.ModeSymlink} })
	}
	return missed
}

func TestTamperedBags(t *testing.T) {
	whole := testBag(t)
	count := func(o Options) checker {
		return func(fsys fs.FS) int {
			r, err := Check(context.Background(), fsys, o)
			if err != nil {
				t.Fatal(err)
			}
			return len(r.Problems)
		}
	}
	if n := count(Options{})(whole); n > 0 {
		t.Fatalf("the whole bag has %d problems", n)
	}
	if missed := undetected(whole, count(Options{})); missed != nil {
		t.Errorf("not detected: %q", missed)
	}
	// A hash that leaves out the last byte of a file must be caught.
	blind := Options{Hash: func(ctx context.Context, fsys fs.FS, path string) (Sum, int64, error) {
		b, err := fs.ReadFile(fsys, path)
		if was := whole[path]; was != nil && len(b) > 0 && len(b) == len(was.Data) {
			b[len(b)-1] = was.Data[len(b)-1]
		}
		return hashOf(b), int64(len(b)), err
	}}
	if missed := undetected(whole, count(blind)); len(missed) < 3 {
		t.Errorf("planted bug: harness caught only %q", missed)
	}
	// So must a check that reads the manifests and not the walk.
	listedOnly := func(fsys fs.FS) (n int) {
		r, err := Check(context.Background(), fsys, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			if p.Kind != Unlisted {
				n++
			}
		}
		return n
	}
	if missed := undetected(whole, listedOnly); len(missed) != 4 {
		t.Errorf("planted bug: harness caught %q, want each tag file doubled", missed)
	}
}

func hashOf(b []byte) Sum {
	sum, _, err := NewHasher()(context.Background(), fstest.MapFS{"f": {Data: b}}, "f")
	if err != nil {
		panic(err)
	}
	return sum
}

// TestHashInPortions hashes files around the size of the buffer; the expected
// hash is of FIPS 180-2, B.3, and of package sha256 in one call.
func TestHashInPortions(t *testing.T) {
	if got := fmt.Sprintf("%x", hashOf(bytes.Repeat([]byte("a"), 1_000_000))); got != "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" {
		t.Errorf("a million a: %s", got)
	}
	for _, n := range []int{hashBuffer - 1, hashBuffer, hashBuffer + 1} {
		b := bytes.Repeat([]byte("b"), n)
		if got := fmt.Sprintf("%x", hashOf(b)); got != hexSum(string(b)) {
			t.Errorf("%d bytes: %s", n, got)
		}
	}
}

func TestLimits(t *testing.T) {
	m := testBag(t)
	for i := range 1000 {
		m[fmt.Sprintf("data/many/%d", i)] = &fstest.MapFile{}
	}
	r, err := Check(context.Background(), m, Options{Limits: Limits{Files: 500}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Kind == Limit && p.Path == "data/many" }) {
		t.Errorf("no limit reported: %v", r.Problems[0])
	}
	r, err = Check(context.Background(), m, Options{Limits: Limits{Depth: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Kind == Limit && p.Path == "data/evidence" }) {
		t.Errorf("no limit reported: %v", r.Problems)
	}
	r, err = Check(context.Background(), m, Options{Limits: Limits{Files: 5}})
	if err != nil || len(r.Problems) == 0 || r.Problems[0].Kind != Limit || r.Problems[0].Path != "." {
		t.Errorf("limit in the case folder: %v, %v", r, err)
	}
}

// badFS fails to open or to read one path.
type badFS struct {
	fs.FS
	path, how string
}

var errDisk = errors.New("input/output error")

func (b badFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	switch {
	case err != nil || name != b.path:
		return f, err
	case b.how == "open":
		return nil, errDisk
	}
	return badFile{f}, nil
}

type badFile struct{ fs.File }

func (badFile) Read([]byte) (int, error)           { return 0, errDisk }
func (badFile) ReadDir(int) ([]fs.DirEntry, error) { return nil, errDisk }

func TestUnreadable(t *testing.T) {
	for _, path := range []string{"data/README.txt", "data/evidence", "data", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "stamps/12"} {
		for _, how := range []string{"open", "read"} {
			r, err := Check(context.Background(), badFS{testBag(t), path, how}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Kind == Unreadable && p.Path == path && p.Detail == errDisk.Error() }) {
				t.Errorf("%s of %s: %v", how, path, r.Problems)
			}
			if !strings.HasPrefix(path, "data") {
				continue
			}
			if m, _, err := Build(context.Background(), badFS{testPayload(), path, how}, nil); err == nil || m != nil {
				t.Errorf("%s of %s: built %v", how, path, m)
			}
		}
	}
	if r, err := Check(context.Background(), badFS{testBag(t), ".", "open"}, Options{}); !errors.Is(err, errDisk) {
		t.Errorf("case folder: %v, %v", r, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, f := range map[string]*fstest.MapFile{
		"data/link":      {Mode: fs.ModeSymlink, Data: []byte("README.txt")},
		"data/fifo":      {Mode: fs.ModeNamedPipe},
		"data/empty":     {Mode: fs.ModeDir},
		"data/\u00e9":    {},
		`data/back\lash`: {},
	} {
		m := testPayload()
		m[name] = f
		_, _, err := Build(context.Background(), m, nil)
		var p Problem
		if !errors.As(err, &p) || p.Path != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Build(context.Background(), fstest.MapFS{}, nil); err == nil {
		t.Error("built without data/")
	}
}

// TestEndedContext ends the context at each file in turn.
func TestEndedContext(t *testing.T) {
	for stop := range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		_, err := Check(ctx, testBag(t), Options{Hash: func(context.Context, fs.FS, string) (Sum, int64, error) {
			if n == stop {
				cancel()
			}
			n++
			return Sum{}, 0, nil
		}})
		if !errors.Is(err, context.Canceled) || n != stop+1 {
			t.Errorf("stopped at file %d: %v after %d files", stop, err, n)
		}
		if _, err := Check(ctx, testBag(t), Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended before: %v", err)
		}
		if _, _, err := Build(ctx, testPayload(), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("build: %v", err)
		}
		cancel()
	}
}

// BenchmarkCheck measures a bag of 8 files without the hashing of its payload.
func BenchmarkCheck(b *testing.B) {
	m := testBag(b)
	sums := make(map[string]Sum)
	for _, l := range check(b, m).Payload {
		sums[l.Path] = l.Sum
	}
	o := Options{Hash: func(_ context.Context, _ fs.FS, path string) (Sum, int64, error) {
		return sums[path], int64(len(m[path].Data)), nil
	}}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := Check(context.Background(), m, o); err != nil || len(r.Problems) > 0 {
			b.Fatal(err, r.Problems)
		}
	}
}
