package bag

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// This file holds the one form that a case has as one file (docs/container.md, section 11). It is written by [Pack]; [OpenZip] makes it again of what
// it reads and accepts nothing else.

// What headers hold in the same way in every packed case.
const (
	sigLocal   = 0x04034b50
	sigCentral = 0x02014b50
	sigEnd     = 0x06054b50
	sigEnd64   = 0x06064b50
	sigLocator = 0x07064b50

	madeBy      = 3<<8 | 45      // Unix, 4.5
	plainZip    = 10             // version needed
	zip64       = 45             // version needed where a field is too small
	zipDate     = 1<<5 | 1       // 1980-01-01; the time is 0
	zipMode     = 0o100644 << 16 // a regular file
	zip64Tag    = 1
	max16       = math.MaxUint16
	max32       = math.MaxUint32
	localSize   = 30
	centralSize = 46
	endSize     = 22
	end64Size   = 56 + 20 // record and locator
)

// maxDirectory bounds the central directory in bytes, as manifest-sha256.txt is bounded.
const maxDirectory = 32 << 20

// A member is one file of a packed case.
type member struct {
	name   string
	size   int64
	crc    uint32
	offset int64 // of its local header in the packed file
}

// data is where the member's bytes begin.
func (m *member) data() int64 {
	n := int64(localSize + len(m.name))
	if m.size >= max32 {
		n += 4 + 16
	}
	return m.offset + n
}

// appendLocal appends the header that stands before a member's bytes.
func appendLocal(b []byte, m *member) []byte {
	le := binary.LittleEndian
	needs, extra := uint16(plainZip), uint16(0)
	if m.size >= max32 {
		needs, extra = zip64, 4+16
	}
	b = le.AppendUint32(b, sigLocal)
	b = appendCommon(b, m, needs)
	b = le.AppendUint16(b, extra)
	b = append(b, m.name...)
	if extra > 0 {
		b = le.AppendUint16(b, zip64Tag)
		b = le.AppendUint16(b, extra-4)
		b = le.AppendUint64(b, uint64(m.size))
		b = le.AppendUint64(b, uint64(m.size))
	}
	return b
}

// appendCommon appends the fields that both headers of a member have, from the version needed to the length of its name. Flags and method are 0: the
// bytes stand there as they are, their sum and length before them.
func appendCommon(b []byte, m *member, needs uint16) []byte {
	le := binary.LittleEndian
	size := uint32(min(m.size, max32))
	b = le.AppendUint16(b, needs)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, zipDate)
	b = le.AppendUint32(b, m.crc)
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, size)
	return le.AppendUint16(b, uint16(len(m.name)))
}

// appendCentral appends the member's record in the central directory.
func appendCentral(b []byte, m *member) []byte {
	le := binary.LittleEndian
	var extra []byte
	if m.size >= max32 {
		extra = le.AppendUint64(extra, uint64(m.size))
		extra = le.AppendUint64(extra, uint64(m.size))
	}
	if m.offset >= max32 {
		extra = le.AppendUint64(extra, uint64(m.offset))
	}
	needs := uint16(plainZip)
	if len(extra) > 0 {
		needs = zip64
		extra = append(le.AppendUint16(le.AppendUint16(nil, zip64Tag), uint16(len(extra))), extra...)
	}
	b = le.AppendUint32(b, sigCentral)
	b = le.AppendUint16(b, madeBy)
	b = appendCommon(b, m, needs)
	b = le.AppendUint16(b, uint16(len(extra)))
	b = append(b, 0, 0, 0, 0, 0, 0) // no comment, first disk, not said to be text
	b = le.AppendUint32(b, zipMode)
	b = le.AppendUint32(b, uint32(min(m.offset, max32)))
	b = append(b, m.name...)
	return append(b, extra...)
}

// A directory says where the central directory is.
type directory struct {
	count, offset, size int64
}

// wide reports whether a number does not fit the last record, so that another one stands before it.
func (d directory) wide() bool { return d.count >= max16 || d.size >= max32 || d.offset >= max32 }

// appendEnd appends what follows the central directory.
func appendEnd(b []byte, d directory) []byte {
	le := binary.LittleEndian
	if d.wide() {
		b = le.AppendUint32(b, sigEnd64)
		b = le.AppendUint64(b, 56-12) // bytes of this record from here on
		b = le.AppendUint16(b, madeBy)
		b = le.AppendUint16(b, zip64)
		b = le.AppendUint64(b, 0) // disks
		b = le.AppendUint64(b, uint64(d.count))
		b = le.AppendUint64(b, uint64(d.count))
		b = le.AppendUint64(b, uint64(d.size))
		b = le.AppendUint64(b, uint64(d.offset))
		b = le.AppendUint32(b, sigLocator)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, uint64(d.offset+d.size))
		b = le.AppendUint32(b, 1) // disk in all
	}
	count := uint16(min(d.count, max16))
	b = le.AppendUint32(b, sigEnd)
	b = le.AppendUint32(b, 0) // disks
	b = le.AppendUint16(b, count)
	b = le.AppendUint16(b, count)
	b = le.AppendUint32(b, uint32(min(d.size, max32)))
	b = le.AppendUint32(b, uint32(min(d.offset, max32)))
	return le.AppendUint16(b, 0)
}

// zipRank gives the place of a name among others: what commits to the rest comes first, what no manifest covers last. ok is false where a packed case has no
// such file.
func zipRank(name string) (rank int, ok bool) {
	first := [...]string{packageNoteName, declarationName, infoName, manifestName, tagManifestName}
	if i := slices.Index(first[:], name); i >= 0 {
		return i, true
	}
	for i, dir := range [...]string{payloadDir + "/checkpoints/", payloadDir + "/", "custody/", "stamps/"} {
		if strings.HasPrefix(name, dir) {
			return len(first) + i, true
		}
	}
	return 0, false
}

// compareZip orders names as a packed case has them.
func compareZip(a, b string) int {
	i, _ := zipRank(a)
	j, _ := zipRank(b)
	return cmp.Or(cmp.Compare(i, j), strings.Compare(a, b))
}

// checkZipName refuses a name that a packed case cannot have: it must be the same one file, below the folder into which it is unpacked, on every system.
func checkZipName(name string) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if i := strings.IndexAny(name, "\r\n<>\"|?*"); i >= 0 {
		return fmt.Errorf("path %q holds %q", clip(name), name[i])
	}
	for part := range strings.SplitSeq(name, "/") {
		if isDevice(part) {
			return fmt.Errorf("path %q has the element %q, which is a device on some systems", clip(name), part)
		}
	}
	if _, ok := zipRank(name); !ok {
		return fmt.Errorf("path %q is none of a sealed case", clip(name))
	}
	return nil
}

// isDevice reports whether Windows takes a file name for a device.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	return len(base) == 4 && (base[:3] == "com" || base[:3] == "lpt") && base[3] >= '0' && base[3] <= '9'
}

// zipNames takes the names of a packed case in order.
type zipNames struct {
	last   string
	folded map[string]string // each file, and each folder with a slash at its end, by its name in lower case
}

// add refuses a name that is not allowed, not in order, there before, or there before in another case or as a folder, and one too many.
func (n *zipNames) add(name string) error {
	if err := checkZipName(name); err != nil {
		return err
	}
	if n.last != "" && compareZip(n.last, name) >= 0 {
		if n.last == name {
			return fmt.Errorf("path %q is there twice", clip(name))
		}
		return fmt.Errorf("path %q is not in order: it is after %q", clip(name), clip(n.last))
	}
	n.last = name
	limits := DefaultLimits()
	if strings.Count(name, "/") > limits.Depth {
		return fmt.Errorf("path %q has more than %d levels of folders", clip(name), limits.Depth)
	}
	if n.folded == nil {
		n.folded = map[string]string{}
	}
	for i := range len(name) {
		if name[i] == '/' {
			if err := n.fold(name[:i], "/"); err != nil {
				return err
			}
		}
	}
	if err := n.fold(name, ""); err != nil {
		return err
	}
	if len(n.folded) > limits.Files {
		return fmt.Errorf("more than %d files and folders", limits.Files)
	}
	return nil
}

func (n *zipNames) fold(name, kind string) error {
	lower := strings.ToLower(name)
	switch have, ok := n.folded[lower]; {
	case !ok:
		n.folded[lower] = name + kind
	case have == name+kind:
	case have == name || have == name+"/":
		return fmt.Errorf("path %q is both a file and a folder", clip(name))
	default:
		return fmt.Errorf("path %q differs from %q only in case", clip(name), clip(strings.TrimSuffix(have, "/")))
	}
	return nil
}
