package bag

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A ZipError says where a file is not what [Pack] writes.
type ZipError struct {
	Offset int64  // in the file
	Detail string // what was expected and found; input in it is quoted
}

func (e *ZipError) Error() string {
	return fmt.Sprintf("malformed packed case at offset %d: %s", e.Offset, e.Detail)
}

func zipError(offset int64, format string, args ...any) error {
	return &ZipError{offset, fmt.Sprintf(format, args...)}
}

// IsZip reports whether a file of this size begins or ends as a zip does, so that it may be a packed case, whole or not.
func IsZip(r io.ReaderAt, size int64) bool {
	var b [4]byte
	for at, sig := range map[int64]uint32{0: sigLocal, size - endSize: sigEnd} {
		if at < 0 {
			continue
		}
		if _, err := r.ReadAt(b[:], at); err == nil && binary.LittleEndian.Uint32(b[:]) == sig {
			return true
		}
	}
	return false
}

// OpenZip reads the headers of the packed case in r, which has size bytes, and accepts only what [Pack] writes: every byte is that of a header that
// can be made again from names, sizes and sums, or of one file. It fails with a [*ZipError] at the first that is not. It takes memory for the names, of
// which there are at most as many as [DefaultLimits] allows, and reads no file: [Zip.BadSums] does.
func OpenZip(r io.ReaderAt, size int64) (*Zip, error) {
	d, err := readEnd(r, size)
	if err != nil {
		return nil, err
	}
	members, err := readDirectory(r, d)
	if err != nil {
		return nil, err
	}
	var want, have []byte
	for i := range members {
		m := &members[i]
		want = appendLocal(want[:0], m)
		if have, err = readExact(r, m.offset, len(want), have); err != nil {
			return nil, err
		}
		if err := sameHeader(m.offset, fmt.Sprintf("header of %q", m.name), localFields[:], want, have); err != nil {
			return nil, err
		}
	}
	for i, name := range [...]string{packageNoteName, declarationName, infoName, manifestName, tagManifestName} {
		if i >= len(members) || members[i].name != name {
			return nil, zipError(0, "file %d is not %s", i+1, name)
		}
	}
	return newZip(r, members), nil
}

// readExact reads n bytes at an offset into buf, which may grow.
func readExact(r io.ReaderAt, offset int64, n int, buf []byte) ([]byte, error) {
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if got, err := r.ReadAt(buf, offset); got < n {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return buf, err
	}
	return buf, nil
}

// readEnd reads what stands behind the central directory and must be the last bytes of the file.
func readEnd(r io.ReaderAt, size int64) (d directory, err error) {
	if size < endSize {
		return d, zipError(0, "the file has %d bytes and no end record", size)
	}
	at := size - endSize
	b, err := readExact(r, at, endSize, nil)
	if err != nil {
		return d, err
	}
	le := binary.LittleEndian
	if le.Uint32(b) != sigEnd {
		return d, zipError(at, "no end record: the end is cut off, or something was added behind it")
	}
	d = directory{count: int64(le.Uint16(b[10:])), size: int64(le.Uint32(b[12:])), offset: int64(le.Uint32(b[16:]))}
	if d.wide() {
		if at -= end64Size; at < 0 {
			return d, zipError(0, "no room for a zip64 end record")
		}
		if b, err = readExact(r, at, end64Size+endSize, b); err != nil {
			return d, err
		}
		if le.Uint32(b) != sigEnd64 {
			return d, zipError(at, "no zip64 end record")
		}
		d = directory{count: int64(le.Uint64(b[32:])), size: int64(le.Uint64(b[40:])), offset: int64(le.Uint64(b[48:]))}
	}
	most := int64(DefaultLimits().Files)
	switch {
	case d.count < 0 || d.count > most:
		return d, zipError(at, "%d files, at most %d", uint64(d.count), most)
	case d.size < 0 || d.size > maxDirectory:
		return d, zipError(at, "the central directory has %d bytes, at most %d", uint64(d.size), maxDirectory)
	case d.offset != at-d.size:
		return d, zipError(at, "the central directory of %d bytes begins at %d, where %d was expected", d.size, uint64(d.offset), at-d.size)
	}
	return d, sameHeader(at, "end record", endFields[:], appendEnd(nil, d), b)
}

// readDirectory reads the central directory and places the members one behind the other, from the first byte of the file to the directory.
func readDirectory(r io.ReaderAt, d directory) ([]member, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(r, d.offset, d.size), 64<<10)
	members := make([]member, 0, min(d.count, d.size/(centralSize+1)))
	var names zipNames
	var have, want []byte
	next, left := int64(0), d.size // of the file, and of the directory
	for range d.count {
		at := d.offset + d.size - left
		var m member
		var err error
		if m, have, err = readCentral(in, at, left, have); err != nil {
			return nil, err
		}
		left -= int64(len(have))
		if err := names.add(m.name); err != nil {
			return nil, zipError(at, "%v", err)
		}
		m.offset = next
		if start := m.data(); m.size < 0 || start > d.offset || m.size > d.offset-start {
			return nil, zipError(at, "%q has %d bytes, and there is no room for them before the central directory", m.name, uint64(m.size))
		}
		next = m.data() + m.size
		want = appendCentral(want[:0], &m)
		if err := sameHeader(at, fmt.Sprintf("directory record of %q", m.name), centralFields[:], want, have); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if left > 0 {
		return nil, zipError(d.offset+d.size-left, "%d bytes more in the central directory than its files take", left)
	}
	if next != d.offset {
		return nil, zipError(next, "%d bytes that belong to no file before the central directory", d.offset-next)
	}
	return members, nil
}

// readCentral reads one record of the central directory, which stands at an offset of the file and has left bytes at most, and takes name, size and sum from
// it. All else in it is held against what they make.
func readCentral(in *bufio.Reader, at, left int64, buf []byte) (m member, record []byte, err error) {
	le := binary.LittleEndian
	const most = centralSize + maxPath + 4 + 3*8
	if cap(buf) < most {
		buf = make([]byte, most)
	}
	b := buf[:centralSize]
	if left < centralSize {
		return m, nil, zipError(at, "the central directory ends in a record")
	}
	if _, err := io.ReadFull(in, b); err != nil {
		return m, nil, err
	}
	name, extra, comment := int(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int(le.Uint16(b[32:]))
	switch {
	case le.Uint32(b) != sigCentral:
		return m, nil, zipError(at, "no record of the central directory")
	case name > maxPath:
		return m, nil, zipError(at, "path has %d bytes, at most %d", name, maxPath)
	case extra > 4+3*8:
		return m, nil, zipError(at, "%d bytes of extra fields, at most %d", extra, 4+3*8)
	case comment > 0:
		return m, nil, zipError(at, "a comment of %d bytes", comment)
	case left < int64(centralSize+name+extra):
		return m, nil, zipError(at, "the central directory ends in a record")
	}
	record = buf[:centralSize+name+extra]
	if _, err := io.ReadFull(in, record[centralSize:]); err != nil {
		return m, nil, err
	}
	m = member{name: string(record[centralSize : centralSize+name]), crc: le.Uint32(b[16:]), size: int64(le.Uint32(b[24:]))}
	if wide := record[centralSize+name:]; m.size == max32 && len(wide) >= 4+8 {
		m.size = int64(le.Uint64(wide[4:]))
	}
	return m, record, nil
}

// A zipField is where a field of a header begins.
type zipField struct {
	at   int
	name string
}

var localFields = [...]zipField{{0, "signature"}, {4, "version needed"}, {6, "flags"}, {8, "method"}, {10, "time"}, {12, "date"}, {14, "CRC-32"},
	{18, "compressed size"}, {22, "size"}, {26, "length of the name"}, {28, "length of the extra fields"}, {localSize, "name and extra fields"}}

var centralFields = [...]zipField{{0, "signature"}, {4, "version made by"}, {6, "version needed"}, {8, "flags"}, {10, "method"}, {12, "time"}, {14, "date"}, {16, "CRC-32"},
	{20, "compressed size"}, {24, "size"}, {28, "length of the name"}, {30, "length of the extra fields"}, {32, "length of the comment"}, {34, "disk"},
	{36, "internal attributes"}, {38, "external attributes"}, {42, "offset"}, {centralSize, "name and extra fields"}}

var endFields = [...]zipField{{0, "its bytes"}}

// sameHeader fails with the first field in which what stands at an offset of the file differs from what is written there.
func sameHeader(offset int64, what string, fields []zipField, want, have []byte) error {
	if bytes.Equal(want, have) {
		return nil
	}
	for i, f := range fields {
		end := max(len(want), len(have))
		if i+1 < len(fields) {
			end = fields[i+1].at
		}
		w, h := want[min(f.at, len(want)):min(end, len(want))], have[min(f.at, len(have)):min(end, len(have))]
		if !bytes.Equal(w, h) {
			return zipError(offset+int64(f.at), "%s, %s: %s, expected %s", what, f.name, hexClip(h), hexClip(w))
		}
	}
	return zipError(offset, "%s: %d bytes, expected %d", what, len(have), len(want))
}

// hexClip shows bytes of a header.
func hexClip(b []byte) string {
	const most = 40
	if len(b) > most {
		return fmt.Sprintf("%x…", b[:most])
	}
	return fmt.Sprintf("%x", b)
}
