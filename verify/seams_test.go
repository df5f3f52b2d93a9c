package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// change is a case or a production that was changed, with a name for messages.
type change struct {
	name string
	make func() map[string][]byte
}

// someOf takes the whole of a list of cases with -flip.full, and every 11th without.
func someOf[T any](all []T) (some []T) {
	for i, c := range all {
		if *allFlips || i%11 == 0 {
			some = append(some, c)
		}
	}
	return some
}

// seams are the offsets at which a frame begins, and the end.
func seams(t *testing.T, segment []byte) []int {
	t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	at := []int{0}
	r := warc.NewReader(dec, bytes.NewReader(segment), 0, int64(len(segment)))
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return at
		}
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, at[len(at)-1]+int(rec.FrameLength))
	}
}

// seamed is a case or a production with what makes its manifests and package.note agree again.
type seamed struct {
	name   string
	files  map[string][]byte
	reseal func(map[string][]byte)
}

// with is the bundle with another content of a file, and manifests and package.note to it.
func (b *seamed) with(name string, content []byte) func() map[string][]byte {
	return func() map[string][]byte {
		files := maps.Clone(b.files)
		files[name] = content
		b.reseal(files)
		return files
	}
}

// atSeams puts something in at each seam of each segment, and cuts there.
func (b *seamed) atSeams(t *testing.T) (all []change) {
	skippable := func(n int) []byte {
		return slices.Concat([]byte{0x50, 0x2a, 0x4d, 0x18, byte(n), byte(n >> 8), byte(n >> 16), 0}, make([]byte, n))
	}
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if !strings.HasSuffix(name, ".warc.zst") {
			continue
		}
		segment := b.files[name]
		at := seams(t, segment)
		for i, off := range at {
			again := segment[at[max(0, i-1)]:at[max(1, i)]]
			for what, ins := range map[string][]byte{"a skippable frame": skippable(0), "a skippable frame of 64 KiB": skippable(65536 - 8), "an empty frame": zstdFrame(t, ""),
				"a zero": {0}, "64 KiB of zeros": make([]byte, 65536), "a frame once more": again} {
				all = append(all, change{fmt.Sprintf("%s: %s: %s at %d", b.name, name, what, off), b.with(name, slices.Concat(segment[:off], ins, segment[off:]))})
			}
			if off < len(segment) {
				all = append(all, change{fmt.Sprintf("%s: %s cut at %d", b.name, name, off), b.with(name, segment[:off])})
			}
		}
		all = append(all, change{fmt.Sprintf("%s: %s twice", b.name, name), b.with(name, slices.Concat(segment, segment))})
	}
	return all
}

// atLines does so at each seam between lines of a file.
func (b *seamed) atLines(name string) (all []change) {
	lines, off := bytes.SplitAfter(b.files[name], []byte("\n")), 0
	text := b.files[name]
	for _, line := range lines {
		for what, ins := range map[string][]byte{"a line feed": []byte("\n"), "an object": []byte("{}\n"), "a line once more": lines[0]} {
			all = append(all, change{fmt.Sprintf("%s: %s: %s at %d", b.name, name, what, off), b.with(name, slices.Concat(text[:off], ins, text[off:]))})
		}
		if off < len(text) {
			all = append(all, change{fmt.Sprintf("%s: %s cut at %d", b.name, name, off), b.with(name, text[:off])})
		}
		off += len(line)
	}
	return all
}

// behind appends to each file, without and with manifests made again. What a sealer may write as he likes is left out of the latter.
func (b *seamed) behind(other map[string][]byte) (all []change) {
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		free := slices.Contains([]string{"data/README.txt", "data/verify.py", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "package.note", "bagit.txt"}, name)
		for what, more := range map[string][]byte{"a line feed": []byte("\n"), "a zero": {0}, "64 zeros": make([]byte, 64), "64 KiB": bytes.Repeat([]byte("\n"), 65536), "the same": b.files[name], "that of another case": other[name]} {
			longer := slices.Concat(b.files[name], more)
			if len(more) == 0 {
				continue
			}
			all = append(all, change{fmt.Sprintf("%s: %s and %s", b.name, name, what), func() map[string][]byte {
				files := maps.Clone(b.files)
				files[name] = longer
				return files
			}})
			if !free {
				all = append(all, change{fmt.Sprintf("%s: %s and %s, manifests made again", b.name, name, what), b.with(name, longer)})
			}
		}
	}
	return all
}

// TestEverySeam is row T2 beside the cuts at every byte: something is put in at, or cut off at, each seam between frames, and behind each file; two bundles are run together.
// Nothing of that is a sound case, though manifests and package.note are made again.
func TestEverySeam(t *testing.T) {
	m := sample.NewOf(t, strings.Repeat("77", 16), nil)
	m.Operator(evidence.ActionNote, "of another case")
	m.Seal()
	other := m.Folder.Files()
	whole := &seamed{"case", sealed(t), func(f map[string][]byte) { reseal(t, f) }}
	part := &seamed{"production", withheldOf(t, sample.Small(t), smallHold()), nil}
	part.reseal = func(f map[string][]byte) { signProductionOver(t, f, part.files["package.note"]) }
	var all []change
	for _, b := range []*seamed{whole, part} {
		if r, c := checkFiles(t, b.files, verify.Options{}); c == nil {
			t.Fatalf("%s as it is: %q", b.name, codesOf(r))
		}
		again := maps.Clone(b.files)
		b.reseal(again)
		if r, c := checkFiles(t, again, verify.Options{}); c == nil {
			t.Fatalf("%s, manifests made again: %q", b.name, codesOf(r))
		}
		all = slices.Concat(all, b.atSeams(t), b.behind(other))
	}
	all = append(all, part.atLines(jsonl)...)
	tried := someOf(all)
	for _, ch := range tried {
		r, c, err := verify.Check(t.Context(), mapFS(ch.make()), verify.Options{})
		if err != nil {
			t.Errorf("%s: %v", ch.name, err)
			continue
		}
		if r.Exit() != verify.ExitDamaged || c != nil {
			t.Errorf("%s: exit %d, %q", ch.name, r.Exit(), codesOf(r))
		}
	}
	t.Logf("%d of %d changes", len(tried), len(all))
}
