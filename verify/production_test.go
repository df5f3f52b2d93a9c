package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// producerSeed makes the key of the producing party, which is not that of the case.
const producerSeed = 33

// levels says at which level entries are withheld; those that it does not name are disclosed.
type levels map[int64]int64

// withheldOf makes a production of the maker's case, which it seals.
func withheldOf(t *testing.T, m *sample.Maker, hold levels) map[string][]byte {
	t.Helper()
	m.Seal()
	return produce(t, m, hold, 0)
}

func produce(t *testing.T, m *sample.Maker, hold levels, segmentSize int64) map[string][]byte {
	t.Helper()
	files := m.Folder.FS()
	report, c, err := verify.Check(t.Context(), files, verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the case is not intact: %v", err)
	}
	size := report.Heads[len(report.Heads)-1].Size
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := trust.Verify(m.Folder.Files()[evidence.NotePath(size)], []trust.VKey{key})
	if err != nil {
		t.Fatal(err)
	}
	head, err := trust.ParseHead(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := evidence.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, err = evidence.Produce(t.Context(), evidence.ProductionOptions{
		Folder: out, Mkdir: out.Mkdir, Head: head, Checkpoints: files, Case: sample.CaseID, Entries: c.Entries(t.Context()),
		Block: func(ctx context.Context, e *evidence.Entry, i int) (evidence.RecordBlock, error) {
			b, err := c.Block(ctx, e, i)
			if err != nil {
				return evidence.RecordBlock{}, err
			}
			return evidence.RecordBlock{ReaderAt: b, Closer: b, Size: b.Size}, nil
		},
		Level: func(e *evidence.Entry) (int64, string) {
			if level, ok := hold[e.Head.Seq]; ok {
				return level, "privileged"
			}
			return evidence.LevelWhole, ""
		},
		Signer: sample.Key(t, producerSeed), Now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), Software: "exhibit sample", SegmentSize: segmentSize,
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: []byte("A sample production.\n")}, {Path: "data/verify.py", Content: []byte("# Stands for verify.py.\n")}},
		Info:  []bag.Field{{Label: bag.BaggingDate, Value: "2026-12-01"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return filesIn(t, out.FS())
}

// filesIn reads all files of a folder.
func filesIn(t *testing.T, dir fs.FS) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	if err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name], err = fs.ReadFile(dir, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// smallHold withholds of the small case: a refused attempt and the page that it was for by their head lines, an operator entry by its hash.
func smallHold() levels { return levels{4: 1, 5: 1, 13: 0} }

func checkFiles(t *testing.T, files map[string][]byte, o verify.Options) (*verify.Report, *verify.Container) {
	t.Helper()
	v := &vector{files: files}
	dir := t.TempDir()
	v.unpack(t, dir)
	r, c, err := verify.Check(t.Context(), openFolder(t, dir), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func vkeyOf(t *testing.T, seed byte) trust.VKey {
	t.Helper()
	k, err := trust.ParseVKey(sample.Key(t, seed).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestProduction: a production says what it discloses, under the root of the case, and gives the disclosed exchanges byte for byte.
func TestProduction(t *testing.T) {
	m := sample.Small(t)
	files := withheldOf(t, m, smallHold())
	whole, original, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || original == nil {
		t.Fatal(err)
	}
	r, c := checkFiles(t, files, verify.Options{Deep: true})
	if r.Exit() != 0 || c == nil {
		t.Fatalf("exit %d: %+v", r.Exit(), r.Findings)
	}
	p := r.Production
	if r.Root != whole.Root || r.Entries != whole.Entries || p.Disclosed != whole.Entries-3 || p.HeadOnly != 2 || p.LeafOnly != 1 {
		t.Errorf("root %s, %d entries: %+v", r.Root, r.Entries, p)
	}
	if len(p.Reasons) != 1 || p.Reasons[0] != (verify.Withheld{Reason: "privileged", Entries: 3}) {
		t.Errorf("reasons %v", p.Reasons)
	}
	if !slices.EqualFunc(r.Windows, whole.Windows, func(a, b verify.Window) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("windows %v, of the case %v", r.Windows, whole.Windows)
	}
	seen := map[int64]bool{}
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Head.Seq] = true
		sameEntry(t, original, c, e)
	}
	for seq := range r.Entries {
		_, held := smallHold()[seq]
		if seen[seq] == held {
			t.Errorf("entry %d: disclosed %t, withheld %t", seq, seen[seq], held)
		}
		proof, err := c.Proof(t.Context(), seq, r.Entries)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := original.Proof(t.Context(), seq, r.Entries); fmt.Sprint(proof) != fmt.Sprint(want) {
			t.Errorf("proof of entry %d differs from that of the case", seq)
		}
		if _, err := c.Entry(t.Context(), seq); errors.Is(err, verify.ErrWithheld) != held {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
}

// sameEntry requires that entry and blocks are those of the case.
func sameEntry(t *testing.T, original, production *verify.Container, e *evidence.Entry) {
	t.Helper()
	want, err := original.Entry(t.Context(), e.Head.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want.HeadLine, e.HeadLine) || !bytes.Equal(want.DetailLine, e.DetailLine) {
		t.Errorf("entry %d is another one", e.Head.Seq)
	}
	for i := range e.Detail.Records {
		if a, b := blockOf(t, original, want, i), blockOf(t, production, e, i); !bytes.Equal(a, b) {
			t.Errorf("record %d of entry %d is another one", i, e.Head.Seq)
		}
	}
}

func blockOf(t *testing.T, c *verify.Container, e *evidence.Entry, i int) []byte {
	t.Helper()
	b, err := c.Block(t.Context(), e, i)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestProductionKeys: a pinned key must have signed the sealed head or the production, and one of them the head.
func TestProductionKeys(t *testing.T) {
	files := withheldOf(t, sample.Small(t), smallHold())
	sealer, producer, stranger := vkeyOf(t, 9), vkeyOf(t, producerSeed), vkeyOf(t, 77)
	for _, c := range []struct {
		keys []trust.VKey
		exit int
		why  string
	}{
		{nil, 0, "signer not checked"},
		{[]trust.VKey{sealer}, 0, "who made the production of it was not checked"},
		{[]trust.VKey{sealer, producer}, 0, "and a pinned key the production"},
		{[]trust.VKey{producer}, verify.ExitUnmet, "see the findings"},
		{[]trust.VKey{sealer, stranger}, verify.ExitUnmet, "see the findings"},
	} {
		r, _ := checkFiles(t, files, verify.Options{Keys: c.keys})
		if r.Exit() != c.exit || !strings.Contains(r.Statements[1].Why, c.why) {
			t.Errorf("keys %v: exit %d, %+v", c.keys, r.Exit(), r.Statements[1])
		}
	}
}

// TestProductionAgain: the same case, choice, time and key give the same bytes.
func TestProductionAgain(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	first, again := produce(t, m, smallHold(), 0), produce(t, m, smallHold(), 0)
	if !maps.EqualFunc(first, again, bytes.Equal) {
		t.Error("two productions of one case differ")
	}
}

// TestProductionSegments: records go on in another segment where one is full, and are found there.
func TestProductionSegments(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	files := produce(t, m, smallHold(), 1)
	n := 0
	for name := range maps.Keys(files) {
		if strings.HasPrefix(name, evidence.SegmentsPath) {
			n++
		}
	}
	r, c := checkFiles(t, files, verify.Options{})
	if r.Exit() != 0 || c == nil || n < 4 || r.Segments != int64(n) {
		t.Fatalf("exit %d, %d segments of %d: %+v", r.Exit(), r.Segments, n, r.Findings)
	}
}

// TestInterruptedEntries: what is interrupted says so, and not that the case or the production changed.
func TestInterruptedEntries(t *testing.T) {
	m := sample.Small(t)
	production := withheldOf(t, m, smallHold())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, files := range map[string]map[string][]byte{"case": m.Folder.Files(), "production": production} {
		_, c := checkFiles(t, files, verify.Options{})
		for _, err := range c.Entries(ended) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("entries of a %s: %v", name, err)
			}
		}
		if _, err := c.Entry(ended, 5); !errors.Is(err, context.Canceled) {
			t.Errorf("entry of a %s: %v", name, err)
		}
	}
}

// TestProductionKeysInPython: verify.py takes pinned keys of a production as the check does.
func TestProductionKeysInPython(t *testing.T) {
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("NOT TESTED: " + tool + " is missing")
		}
	}
	v, dir := &vector{files: withheldOf(t, sample.Small(t), smallHold())}, t.TempDir()
	v.unpack(t, dir)
	for _, seeds := range [][]byte{{}, {9}, {9, producerSeed}, {producerSeed}, {9, 77}, {77}} {
		args, keys := []string{"../evidence/bag/stranger/verify.py"}, []trust.VKey{}
		for _, seed := range seeds {
			keys = append(keys, vkeyOf(t, seed))
			args = append(args, "--key", vkeyOf(t, seed).String())
		}
		r, _ := checkFiles(t, v.files, verify.Options{Keys: keys})
		out, err := exec.Command("python3", append(args, dir)...).Output()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != r.Exit() {
			t.Errorf("keys %v: verify.py ends with %d, check with %d\n%s", seeds, code, r.Exit(), out)
		}
	}
}
