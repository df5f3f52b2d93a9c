package verify_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// vectorDir holds one file for each failure: a header that says what is expected, an empty line, and the case as tar in zstd.
//
//	sed '1,/^$/d' NAME.vector | zstd -d | tar x
const vectorDir = "../testdata/vectors"

// vector is a case with one thing wrong.
type vector struct {
	name  string
	about string
	exit  int
	code  string   // of the finding that the failure must give; "" for cases with nothing wrong
	all   []string // every code that is found, sorted, each once
	files map[string][]byte
	extra []tar.Header // what is no regular file
}

func (v *vector) encode(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "about: %s\nexit: %d\nfinding: %s\nall: %s\n\n", v.about, v.exit, v.code, strings.Join(v.all, " "))
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(v.files[name])), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if err := errors.Join(w.WriteHeader(h), write(w, v.files[name])); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range v.extra {
		h.Format = tar.FormatUSTAR
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// loadVectors reads every vector. A folder without any fails the test.
func loadVectors(t *testing.T) []*vector {
	t.Helper()
	return load(t, vectorDir, 60, func(name string, b []byte) (*vector, error) {
		v, err := decodeVector(b)
		if err == nil {
			v.name = name
		}
		return v, err
	})
}

// load reads the vectors of a folder, at least so many.
func load[V any](t *testing.T, dir string, least int, decode func(name string, b []byte) (V, error)) []V {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.vector"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < least {
		t.Fatalf("%d vectors in %s, want at least %d", len(paths), dir, least)
	}
	var all []V
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v, err := decode(strings.TrimSuffix(filepath.Base(path), ".vector"), b)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, v)
	}
	return all
}

func decodeVector(b []byte) (*vector, error) {
	header, body, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return nil, errors.New("no empty line after the header")
	}
	v := &vector{files: map[string][]byte{}}
	for _, line := range strings.Split(string(header), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "about":
			v.about = value
		case "exit":
			fmt.Sscan(value, &v.exit)
		case "finding":
			v.code = value
		case "all":
			v.all = strings.Fields(value)
		default:
			return nil, fmt.Errorf("header line %q", line)
		}
	}
	z, err := zstd.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return v, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			v.extra = append(v.extra, *h)
			continue
		}
		if v.files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

// unpack writes a vector's case below dir.
func (v *vector) unpack(t *testing.T, dir string) {
	t.Helper()
	for name, b := range v.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range v.extra {
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		var err error
		switch h.Typeflag {
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, path)
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		default:
			err = fmt.Errorf("type %c", h.Typeflag)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", v.name, h.Name, err)
		}
	}
}

// distinct sorts codes and drops repeats.
func distinct(codes []string) []string {
	codes = slices.Clone(codes)
	slices.Sort(codes)
	return slices.Compact(codes)
}

// TestVectors checks every vector in memory: exit, the finding that it is about, and all others.
func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, v.test)
	}
}

func (v *vector) test(t *testing.T) {
	r, c, err := v.check(t)
	if err != nil {
		t.Fatal(err)
	}
	v.wants(t, r)
	if (c != nil) != (v.exit != verify.ExitDamaged) {
		t.Errorf("container %v at exit %d", c != nil, r.Exit())
	}
}

// wants holds a report against the vector's header.
func (v *vector) wants(t *testing.T, r *verify.Report) {
	t.Helper()
	got := distinct(codesOf(r))
	if r.Exit() != v.exit || !slices.Equal(got, v.all) || v.code != "" && !slices.Contains(got, v.code) {
		t.Errorf("exit %d, findings %v; want exit %d, findings %v with %q", r.Exit(), got, v.exit, v.all, v.code)
	}
}

// check checks a vector with --deep: in memory, or on disk where it holds more than regular files.
func (v *vector) check(t *testing.T) (*verify.Report, *verify.Container, error) {
	t.Helper()
	if len(v.extra) == 0 {
		return verify.Check(context.Background(), mapFS(v.files), verify.Options{Deep: true})
	}
	dir := t.TempDir()
	v.unpack(t, dir)
	folder := openFolder(t, dir)
	return verify.Check(context.Background(), folder, verify.Options{Deep: true})
}

// TestEveryCodeHasAVector holds the list of codes against the vectors.
func TestEveryCodeHasAVector(t *testing.T) {
	elsewhere := map[string]string{
		"key-unmet":             "needs a pinned key: TestPinnedKey",
		"tsa-unmet":             "needs a pinned authority: TestPinnedAuthority",
		"token-order":           "needs a pinned authority: TestTokenOrder",
		"fork":                  "needs a head from elsewhere: TestHistoryVectors",
		"rolled-back":           "needs a head from elsewhere: TestHistoryVectors",
		"known-head-unmet":      "needs a head from elsewhere: TestHistoryVectors",
		"witness-unmet":         "needs a pinned witness: TestHistoryVectors",
		"installation-unproven": "stands with those of witnesses: TestHistoryVectors",
		"witness-form":          "stands with the others: TestHistoryVectors",
		"ledger-uncompared":     "needs a disk that fails: TestUncomparedRows",
		"findings-capped":       "needs more findings than are listed: TestFindingsAreCapped",
		"segment-read":          "needs a disk that fails: TestUnreadableSegment",
		"path-read":             "needs a disk that fails: TestUnreadableSegment",
		"zip-form":              "a vector is a folder: TestPacked",
		"age-form":              "a vector is a folder: the scripts of cmd/exhibit-verify",
		"custody-key-unmet":     "needs a pinned key: TestCustodyKey",
	}
	have := map[string]bool{}
	for _, v := range loadVectors(t) {
		have[v.code] = true
	}
	for _, c := range verify.Codes() {
		if !have[c.Code] && elsewhere[c.Code] == "" {
			t.Errorf("no vector is about %s", c.Code)
		}
	}
}

// ledgerVectors are about the content of ledger.db, into which verify.py does not look, and says so.
var ledgerVectors = []string{"ledger-differs", "ledger-empty", "ledger-form"}

// TestVectorsInPython lets verify.py, the second implementation, check every vector: the exit codes must be the same.
func TestVectorsInPython(t *testing.T) {
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			what := tool + " is missing: that verify.py agrees on all vectors was not tested"
			if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
				t.Fatal(what)
			}
			t.Skip("NOT TESTED: " + what)
		}
	}
	dir := t.TempDir()
	want := map[string]*vector{}
	for _, v := range loadVectors(t) {
		v.unpack(t, filepath.Join(dir, v.name))
		want[v.name] = v
	}
	out, err := exec.Command("python3", "../evidence/bag/stranger/verify.py", "--each", dir).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 || want[f[0]] == nil {
			t.Fatalf("verify.py printed %q", line)
		}
		v := want[f[0]]
		delete(want, f[0])
		if slices.Contains(ledgerVectors, v.name) {
			continue
		}
		exit := v.exit
		if strings.HasPrefix(v.code, "deep-") { // verify.py is held against a check without --deep
			r, _, err := verify.Check(context.Background(), mapFS(v.files), verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			exit = r.Exit()
		}
		if f[1] != fmt.Sprint(exit) {
			t.Errorf("%s: verify.py ends with %s (%s), check with %d (%s)", v.name, f[1], f[2], exit, strings.Join(v.all, " "))
		}
	}
	for name := range want {
		t.Errorf("verify.py said nothing of %s", name)
	}
}

func sha256Of(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// firstFrame decodes the first frame of a segment and tells its length.
func firstFrame(t *testing.T, segment []byte) (content []byte, length int64) {
	t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	rec, err := warc.NewReader(dec, bytes.NewReader(segment), 0, int64(len(segment))).Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(rec.Whole()), rec.FrameLength
}
