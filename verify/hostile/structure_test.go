//go:build linux

package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// numbers lists what is put where a length, a count, an offset or another number stood: the ends of every range, and what is no number of the format.
func numbers() []string {
	return []string{"0", "1", "2", "-1", "-2", "255", "256", "1024", "1025", "65535", "65536", "8388608", "8388609", "2147483647", "2147483648",
		"4294967295", "4294967296", "9007199254740991", "9007199254740992", "9223372036854775807", "9223372036854775808", "18446744073709551615",
		"18446744073709551616", "1e3", "1.0", "1e400", "00", "", "null", `""`}
}

// Where the numbers are.
var (
	inJSON  = regexp.MustCompile(`"[a-z_]+":(-?[0-9]+)[,}\]]`)
	inHTTP  = regexp.MustCompile(`(?m)(?:^HTTP/1\.1 |Content-Length: |^)([0-9a-f]+)(?: |\r\n)`)
	inWARC  = regexp.MustCompile(`(?:Content-Length: |WARC/1\.|WARC-Date: )([0-9]+)`)
	inLines = regexp.MustCompile(`(?:^|[\n. /])([0-9]+)(?:$|[\n.])`)
)

// renumber puts another number in the place of one; what says which. It leaves a text without numbers alone.
func renumber(r *rand.Rand, where *regexp.Regexp, s string) (out, what string) {
	all := where.FindAllStringSubmatchIndex(s, -1)
	if len(all) == 0 {
		return s, ""
	}
	at := all[r.IntN(len(all))]
	old, choices := s[at[2]:at[3]], numbers()
	if n, err := strconv.ParseInt(old, 10, 62); err == nil {
		choices = append(choices, fmt.Sprint(n-1), fmt.Sprint(n+1), fmt.Sprint(n*2), fmt.Sprint(n+1<<32))
	}
	choices = slices.DeleteFunc(choices, func(s string) bool { return s == old })
	to := choices[r.IntN(len(choices))]
	return s[:at[2]] + to + s[at[3]:], fmt.Sprintf("%q becomes %q", s[max(0, at[2]-30):at[3]], to)
}

// mutate changes one number of a case that was taken apart, in a batch, an HTTP message, a WARC header or a frame. Hashes, chain, tree and heads
// are made to agree again when it is built.
func mutate(r *rand.Rand, f *sample.Forged, enc *warc.Encoder) (what string) {
	for what == "" {
		all := f.Records()
		rec := all[r.IntN(len(all))]
		switch kind := r.IntN(8); {
		case kind < 4 && rec.Batch():
			rec.Block, what = renumber(r, inJSON, rec.Block)
		case kind < 5 && !rec.Batch():
			rec.Block, what = renumber(r, inHTTP, rec.Block)
		case kind == 5:
			whole := wholeRecord(rec, enc)
			if whole, what = renumber(r, inWARC, whole); what != "" {
				rec.Raw = packed([]byte(whole), 1)
			}
		case kind == 6:
			rec.Edit = func(frame []byte) []byte { return reframe(r, frame) }
			what = "a frame header of " + rec.Header.Type
		case kind == 7:
			rec.Edit = func(frame []byte) []byte {
				at := 4 + r.IntN(min(20, len(frame)-4))
				frame[at] ^= 1 << r.IntN(8)
				return frame
			}
			what = "a bit of a frame of " + rec.Header.Type
		}
	}
	return what
}

// wholeRecord is the record as it stands in its frame.
func wholeRecord(rec *sample.Record, enc *warc.Encoder) string {
	e, err := enc.Encode(rec.Header, []byte(rec.Block))
	if err != nil {
		panic(err)
	}
	head, err := e.Header.Append(nil)
	if err != nil {
		panic(err)
	}
	return string(head) + rec.Block + "\r\n\r\n"
}

// reframe puts another content size or window into a frame's header.
func reframe(r *rand.Rand, frame []byte) []byte {
	sizes := []uint64{0, 1, 1 << 16, 8<<20 + 1, 1 << 31, 1 << 32, 1<<53 - 1, 1 << 53, 1 << 63, 1<<64 - 1}
	single, width := frame[4]&0x20 != 0, []int{0, 2, 4, 8}[frame[4]>>6]
	at := 5
	if single && width == 0 {
		width = 1
	}
	if !single {
		at++
	}
	if width == 0 {
		return frame[:len(frame)-1]
	}
	head := binary.LittleEndian.AppendUint64([]byte{0x28, 0xB5, 0x2F, 0xFD, 0xC4, byte(r.IntN(256))}, sizes[r.IntN(len(sizes))])
	return append(head, frame[at+width:]...)
}

// A stance is who made the mutated case and with what.
type stance struct {
	name   string
	sealed bool // the mutated case is sealed again, with the case's own key
	forge  func(t testing.TB, f *sample.Forged)
	args   []string
	codes  []int
	must   string // a finding that there must be, "" for none
}

func stances(t testing.TB) []stance {
	own, forger := key(t).VerifierKey(), other(t).VerifierKey()
	return []stance{
		{name: "own key", codes: []int{3, 4}, forge: func(testing.TB, *sample.Forged) {}},
		{name: "own key, deep", codes: []int{3, 4}, args: []string{"--deep"}, forge: func(testing.TB, *sample.Forged) {}},
		{name: "a forger's key", codes: []int{3}, forge: func(t testing.TB, f *sample.Forged) { f.Key = other(t) }},
		{name: "a forger's key in the case entry too", codes: []int{3, 4}, args: []string{"--key", own}, must: "key-unmet", forge: func(t testing.TB, f *sample.Forged) {
			f.Key = other(t)
			f.Find(t, own).Replace(t, own, forger)
		}},
		{name: "sealed again", sealed: true, codes: []int{3}, forge: func(testing.TB, *sample.Forged) {}},
	}
}

// structureTry mutates a case on the inside and makes everything around agree with it again.
func structureTry(t *testing.T, second bool) func(d *desk, i int) error {
	enc, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	all := stances(t)
	m := sample.Small(t)
	m.Seal()
	cases, sealed := map[bool]*sample.Forged{false: unsealed(t), true: m.Forge()}, bundle(m.Folder.Files())
	return func(d *desk, i int) error {
		s := all[i%len(all)]
		r := dice("structure", i)
		f := apart(cases[s.sealed])
		s.forge(t, f)
		what := mutate(r, f, enc)
		b := bundle(f.Build(t))
		if s.sealed {
			what += tags(t, r, b)
		}
		if err := b.write(d.dir); err != nil {
			return err
		}
		codes := s.codes
		if s.sealed && sameContent(b, sealed) { // a frame in another spelling, sealed by the key that may: nothing is altered
			codes = []int{0, 3}
		}
		rep, o, err := d.check(s.args, codes...)
		if err == nil && s.must != "" && !rep.has(s.must) {
			err = o.fail("no finding %s", s.must)
		}
		if err == nil && second && len(s.args) == 0 {
			err = d.python(t).run(d.dir).common(o.Code)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", s.name, what, err)
		}
		return nil
	}
}

// sameContent reports whether the segments of two bundles hold the same records.
func sameContent(a, b bundle) bool {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return false
	}
	defer z.Close()
	for _, name := range []string{segment1, segment2} {
		x, err1 := z.DecodeAll(a[name], nil)
		y, err2 := z.DecodeAll(b[name], nil)
		if err1 != nil || err2 != nil || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

// tags seals the case again; in one of three cases it then changes a number of a manifest, bag-info.txt or package.note and signs what is above that again.
func tags(t testing.TB, r *rand.Rand, b bundle) (what string) {
	reseal(t, b, key(t))
	name := []string{"bag-info.txt", "manifest-sha256.txt", "package.note", "bagit.txt", "tagmanifest-sha256.txt"}[r.IntN(5)]
	if r.IntN(3) > 0 {
		return ""
	}
	text, what := renumber(r, inLines, string(b[name]))
	b[name] = []byte(text)
	if name != "package.note" {
		resign(t, b, key(t))
	}
	return ", and in " + name + " " + what
}

// apart copies a case that was taken apart, so that each mutation has its own.
func apart(f *sample.Forged) *sample.Forged {
	c := *f
	c.Files, c.Segments = maps.Clone(f.Files), nil
	for _, records := range f.Segments {
		var own []*sample.Record
		for _, r := range records {
			one := *r
			own = append(own, &one)
		}
		c.Segments = append(c.Segments, own)
	}
	return &c
}

// TestStructure changes numbers inside a case and makes everything around agree with it again (row B2).
func TestStructure(t *testing.T) {
	sweep(t, part(5000, 150), structureTry(t, false))
}

// TestStructureInPython lets verify.py look at the same: the exit codes must be the same.
func TestStructureInPython(t *testing.T) {
	newDesk(t).python(t)
	sweep(t, part(400, 10), structureTry(t, true))
}
