package warc

import (
	"encoding/binary"
	"fmt"
)

// Bounds of a frame (docs/container.md, 2.2).
const (
	MaxWindow    = 8 << 20
	maxBlock     = 128 << 10
	frameMagic   = 0xFD2FB528
	skipMagic    = 0x184D2A50
	skipMask     = 0xFFFFFFF0
	maxFrameHead = 18
	checksumSize = 4
)

// FormatError says where the bytes of a segment leave the form that docs/container.md asks for.
type FormatError struct {
	Code   string // a finding's code, docs/findings.md
	Offset int64  // in the segment's file, where the frame starts
	Detail string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at offset %d: %s", e.Code, e.Offset, e.Detail)
}

// frameHead is what the first bytes of a zstd frame say (RFC 8878, 3.1.1.1).
type frameHead struct {
	size    int   // of the frame header itself, magic included
	content int64 // declared size of the content
	block   int64 // the largest that a block may be (RFC 8878, 3.1.1.2.4)
}

// maxFrame is the longest frame that may hold content bytes (docs/container.md, 2.2).
func maxFrame(content int64) int64 { return content + content>>7 + 1024 }

// parseFrameHead reads a frame header from the start of b, which holds at least maxFrameHead bytes or all
// that the file has left. It returns a code and a detail where the header breaks a rule.
func parseFrameHead(b []byte) (h frameHead, code, detail string) {
	if len(b) < 4 {
		return h, "frame-cut", "the file ends inside a frame's magic number"
	}
	magic := binary.LittleEndian.Uint32(b)
	if magic&skipMask == skipMagic {
		return h, "frame-skippable", "a skippable frame, which a segment may not hold"
	}
	if magic != frameMagic {
		return h, "frame-magic", fmt.Sprintf("no zstd frame starts here (found % x)", b[:4])
	}
	if len(b) < 6 {
		return h, "frame-cut", "the file ends inside a frame header"
	}
	desc := b[4]
	single := desc&0x20 != 0
	if desc&0x18 != 0 {
		return h, "frame-reserved", "a reserved bit of the frame header is set"
	}
	if desc&0x03 != 0 {
		return h, "frame-dictionary", "the frame names a dictionary"
	}
	if desc&0x04 == 0 {
		return h, "frame-no-checksum", "the frame carries no content checksum"
	}
	pos := 5
	window := int64(0)
	if !single {
		exp, mantissa := int64(b[pos]>>3), int64(b[pos]&7)
		base := int64(1) << (10 + exp)
		window = base + base/8*mantissa
		pos++
	}
	width := [4]int{0, 2, 4, 8}[desc>>6]
	if width == 0 && single {
		width = 1
	}
	if width == 0 {
		return h, "frame-no-size", "the frame does not carry its content size"
	}
	if len(b) < pos+width {
		return h, "frame-cut", "the file ends inside a frame header"
	}
	var field [8]byte
	copy(field[:], b[pos:pos+width])
	size := binary.LittleEndian.Uint64(field[:])
	if width == 2 {
		size += 256
	}
	if size > 1<<53 {
		return h, "frame-size", "the declared content size is beyond any record's"
	}
	if single {
		window = int64(size)
	}
	if window > MaxWindow {
		return h, "frame-window", fmt.Sprintf("the frame asks for a window of %d bytes, more than %d", window, MaxWindow)
	}
	return frameHead{size: pos + width, content: int64(size), block: min(window, maxBlock)}, "", ""
}

// block is the three-byte header of a zstd block (RFC 8878, 3.1.1.2).
type block struct {
	stored int64 // bytes that follow the header
	holds  int64 // bytes that they decode to, at the most
	last   bool
}

// blockHead reads a block header of a frame whose blocks may hold as much as most.
func blockHead(b []byte, most int64) (h block, code, detail string) {
	v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	size := int64(v >> 3)
	h = block{stored: size, holds: size, last: v&1 != 0}
	if size > most {
		return h, "frame-block", "a block is larger than 128 KiB or the frame's window"
	}
	switch v >> 1 & 3 {
	case 0:
		return h, "", ""
	case 1:
		h.stored = 1
		return h, "", ""
	case 2:
		h.holds = most
		return h, "", ""
	}
	return h, "frame-block", "a block of the reserved type"
}
