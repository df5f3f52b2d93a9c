//go:build linux

package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// maxFrameMemory is what a check of hostile frames may take.
const maxFrameMemory = 256 << 20

var (
	segment1 = evidence.SegmentPath(1)
	segment2 = evidence.SegmentPath(2)
)

// frameCase is a segment that holds something made to cost more than it weighs, or to be taken for something else.
type frameCase struct {
	name string
	make func() []byte // what stands between two records of the segment
}

// block is a zstd block of a type: 0 raw, 1 one byte repeated, 2 compressed, 3 reserved.
func block(kind, size int, last bool, content []byte) []byte {
	v := size<<3 | kind<<1
	if last {
		v |= 1
	}
	return append([]byte{byte(v), byte(v >> 8), byte(v >> 16)}, content...)
}

// frameHead is a frame header with a window descriptor and a content size of eight bytes.
func frameHead(window byte, content uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x28, 0xB5, 0x2F, 0xFD, 0xC4, window}, content)
}

// window8M is the descriptor of the largest window that the format allows.
const window8M = 13 << 3

// bomb is a frame within the format's rules that holds a record of about size bytes in a thirty-thousandth of that. Its checksum is
// wrong, which shows at its end.
func bomb(size int) []byte {
	const whole = 128 << 10
	blocks := size / whole
	head := fmt.Sprintf("WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:00000000-0000-8000-8000-000000000000>\r\nWARC-Date: 2026-11-22T10:00:00.000000Z\r\n"+
		"WARC-Target-URI: urn:exhibit:excess\r\nContent-Type: application/octet-stream\r\nWARC-Block-Digest: sha256:%064d\r\nContent-Length: %d\r\n\r\n", 0, blocks*whole-4)
	out := frameHead(window8M, uint64(len(head)+blocks*whole))
	out = append(out, block(0, len(head), false, []byte(head))...)
	for i := range blocks {
		out = append(out, block(1, whole, i == blocks-1, []byte{0})...)
	}
	return append(out, 1, 2, 3, 4)
}

// packed compresses content as anybody would.
func packed(content []byte, level zstd.EncoderLevel) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return z.EncodeAll(content, nil)
}

func repeated(b []byte, n int) func() []byte { return func() []byte { return bytes.Repeat(b, n) } }

func fixed(b []byte) func() []byte { return func() []byte { return b } }

// frameCases lists the cases of row B4.
func frameCases() []frameCase {
	var all []frameCase
	add := func(name string, make func() []byte) { all = append(all, frameCase{name, make}) }
	small := block(0, 3, true, []byte("abc"))
	for exp := 17; exp <= 31; exp++ { // windows of 2^27 to 2^41
		for _, mantissa := range []byte{0, 1, 7} {
			w := byte(exp<<3) | mantissa
			add(fmt.Sprintf("window 2^%d, %d eighths more", exp+10, mantissa), fixed(append(append(frameHead(w, 3), small...), 0, 0, 0, 0)))
		}
	}
	for _, lie := range []uint64{0, 1, 2, 4, 255, 1 << 16, 4<<20 + 1, 1 << 31, 1<<31 + 1, 1 << 32, 1 << 40, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1 << 62, 1 << 63, 1<<64 - 1} {
		add(fmt.Sprintf("content size %d of 3", lie), fixed(append(append(frameHead(window8M, lie), small...), 0, 0, 0, 0)))
		single := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0xE4}, binary.LittleEndian.AppendUint64(nil, lie)...)
		add(fmt.Sprintf("content size %d of 3, single segment", lie), fixed(append(append(single, small...), 0, 0, 0, 0)))
		add(fmt.Sprintf("content size %d of 128 KiB of zeros", lie), fixed(append(append(frameHead(window8M, lie), block(1, 128<<10, true, []byte{0})...), 0, 0, 0, 0)))
	}
	for _, id := range []byte{1, 2, 3} {
		for _, n := range []uint32{0, 1, 0x184D2A50, 1<<32 - 1} {
			head := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x24 | id}, binary.LittleEndian.AppendUint32(nil, n)[:[]int{1, 2, 4}[id-1]]...)
			add(fmt.Sprintf("dictionary %d in %d bytes", n, len(head)-5), fixed(append(append(append(head, 3), small...), 0, 0, 0, 0)))
		}
	}
	for magic := range uint32(16) {
		for _, n := range []uint32{0, 5, 1<<32 - 1} {
			b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0x184D2A50+magic), n)
			add(fmt.Sprintf("skippable %d of %d bytes", magic, n), fixed(append(b, "12345"...)))
		}
	}
	whole := packed([]byte(strings.Repeat("WARC/1.1\r\n\r\n", 40)), zstd.SpeedFastest)
	for at := 1; at < len(whole); at++ {
		add(fmt.Sprintf("cut after %d bytes", at), fixed(whole[:at]))
	}
	for bit := range 8 {
		add(fmt.Sprintf("descriptor bit %d", bit), func() []byte { b := bytes.Clone(whole); b[4] ^= 1 << bit; return b })
	}
	for kind := range 4 {
		for _, n := range []int{0, 1, 128 << 10, 128<<10 + 1, 1<<21 - 1} {
			add(fmt.Sprintf("block of type %d and %d bytes", kind, n), fixed(append(append(frameHead(window8M, 3), block(kind, n, true, []byte("abc"))...), 0, 0, 0, 0)))
		}
	}
	return append(all, costly()...)
}

// costly are the frames that weigh little and cost much.
func costly() []frameCase {
	empty := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x24, 0x00}, append(block(0, 0, true, nil), 0x99, 0xE9, 0xD8, 0x51)...)
	zeros := make([]byte, 64<<20)
	nested := packed(packed(packed(zeros, zstd.SpeedBetterCompression), zstd.SpeedBetterCompression), zstd.SpeedBetterCompression)
	return []frameCase{
		{"bomb of 64 MiB", fixed(bomb(64 << 20))},
		{"bomb of 2 GiB", fixed(bomb(2 << 30))},
		{"16 bombs of 128 MiB", repeated(bomb(128<<20), 16)},
		{"bomb of 64 MiB by the library", fixed(packed(zeros, zstd.SpeedFastest))},
		{"bomb of 64 MiB by the library at its best", fixed(packed(zeros, zstd.SpeedBestCompression))},
		{"bomb in a bomb in a bomb", fixed(nested)},
		{"1,000,000 empty frames", repeated(empty, 1_000_000)},
		{"1,000,000 empty skippable frames", repeated([]byte{0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0}, 1_000_000)},
		{"1,000,000 blocks of nothing", func() []byte {
			return append(append(frameHead(window8M, 3), bytes.Repeat(block(0, 0, false, nil), 1_000_000)...), append(block(0, 3, true, []byte("abc")), 0, 0, 0, 0)...)
		}},
		{"1 MiB of magic numbers", repeated([]byte{0x28, 0xB5, 0x2F, 0xFD}, 1<<20/4)},
		{"1 MiB of frame headers", repeated(frameHead(window8M, 1<<50), 1<<20/14)},
		{"1 MiB of frame headers with a block", repeated(append(frameHead(window8M, 1<<50), block(1, 128<<10, false, []byte{0})...), 1<<20/18)},
		{"64 MiB of zeros", fixed(zeros)},
	}
}

// places are offsets between two frames of a segment: behind the warcinfo, amid, at the end.
func places(t testing.TB, segment []byte) []int {
	var at []int
	for i := 0; i < len(segment); i++ {
		if bytes.HasPrefix(segment[i:], []byte{0x28, 0xB5, 0x2F, 0xFD}) {
			at = append(at, i)
		}
	}
	if len(at) < 5 {
		t.Fatalf("%d frames in the segment", len(at))
	}
	return []int{at[1], at[len(at)/2], len(segment), 0}
}

// frameTry puts the i-th case into a segment of a case that is sealed, or not.
func frameTry(t testing.TB, cases []frameCase) func(d *desk, i int) error {
	sealed, open := small(t), bundle(unsealed(t).Build(t))
	return func(d *desk, i int) error {
		c := cases[i%len(cases)]
		i += i / len(cases) * 3 // another place
		b, codes := sealed, []int{3}
		if i%2 == 1 {
			b, codes = open, []int{3, 4} // at the end of the last segment it is a torn tail
		}
		b = clone(b)
		name := []string{segment1, segment2}[i/2%2]
		at := places(t, b[name])[i/4%4]
		hostile := c.make()
		b[name] = slices.Concat(b[name][:at], hostile, b[name][at:])
		if err := b.write(d.dir); err != nil {
			return err
		}
		r, o, err := d.check(nil, codes...)
		switch {
		case err != nil:
			return fmt.Errorf("%s in %s at %d: %w", c.name, name, at, err)
		case o.peak > maxFrameMemory:
			return o.fail("%s: more than %d MiB", c.name, maxFrameMemory>>20)
		case !r.damage(name) && !r.has("torn-tail"):
			return o.fail("%s: no finding is about %s", c.name, name)
		}
		if o.wall > 2*time.Second || len(hostile) > 1<<20 {
			t.Logf("%s: %d KiB, %v, %d MiB", c.name, len(hostile)>>10, o.wall.Round(10*time.Millisecond), o.peak>>20)
		}
		return nil
	}
}

func clone(b bundle) bundle {
	out := bundle{}
	for name, content := range b {
		out[name] = content
	}
	return out
}

// TestFrames puts frames that lie or cost much between the records of a case (row B4).
func TestFrames(t *testing.T) {
	all := frameCases()
	cheap := len(all) - len(costly())
	if *full {
		sweep(t, cheap, frameTry(t, all[:cheap]))
		sweep(t, len(all), frameTry(t, all))
		return
	}
	some := []frameCase{all[cheap], all[cheap+4], all[cheap+12]}
	for i := range 30 {
		some = append(some, all[i*cheap/30])
	}
	sweep(t, len(some), frameTry(t, some))
}
