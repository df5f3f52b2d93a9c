package boltread

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// PageSize is the only size of page that this package reads, in bytes.
const PageSize = 4096

// Limits of what is read.
const (
	headerSize  = 16
	elementSize = 16
	metaSize    = 64
	maxRun      = 256     // pages of one node: 1 MiB
	maxDepth    = 16      // pages from a bucket's root to its leaves
	maxKey      = 32768   // bbolt's limit
	maxBuckets  = 64      // names that Buckets returns
	maxSize     = 1 << 50 // bytes of a file
)

const (
	flagBranch   = 1
	flagLeaf     = 2
	flagMeta     = 4
	flagFreelist = 16

	magic   = 0xED0CDAED
	version = 2
)

// ErrNoBucket means that the file is readable so far and has no bucket of that name.
var ErrNoBucket = errors.New("no such bucket")

// PageError is a page that breaks a rule of the format.
type PageError struct {
	Page uint64 // number of the page; of an inline bucket, the page that holds it is not known and this is 0
	Text string
}

func (e *PageError) Error() string { return fmt.Sprintf("malformed page %d: %s", e.Page, e.Text) }

func malformed(id uint64, format string, args ...any) error {
	return &PageError{id, fmt.Sprintf(format, args...)}
}

// rules are the checks that a test can leave out to see that its harness notices.
type rules uint8

const (
	ruleSeparators rules = 1 << iota // keys lie in the range that the branch above gives them
	ruleOnce                         // each page is used once
	ruleZero                         // unused bytes are zero
	ruleDepth                        // the tree ends

	allRules = ruleSeparators | ruleOnce | ruleZero | ruleDepth
)

// File is a bbolt file of which the current meta page has been checked. It holds no buffers: any number of cursors may
// be used at the same time if the reader allows it.
type File struct {
	r     io.ReaderAt
	size  int64
	meta  meta
	other *meta // the other meta page, nil if it is invalid
	rules rules
}

type meta struct {
	root, freelist, pages, txid uint64
}

// Open reads the two meta pages of a bbolt file of size bytes and keeps the valid one with the higher transaction number.
// It fails if neither is valid, if one has a right checksum and wrong content, or if the file is shorter than the pages in use.
func Open(r io.ReaderAt, size int64) (*File, error) {
	if size < 2*PageSize || size > maxSize {
		return nil, fmt.Errorf("bbolt file of %d bytes", size)
	}
	var metas [2]*meta
	var errs [2]error
	buf := make([]byte, PageSize)
	for i := range metas {
		if err := readFull(r, buf, int64(i)*PageSize); err != nil {
			return nil, err
		}
		var err error
		if metas[i], errs[i], err = parseMeta(buf, uint64(i)); err != nil {
			return nil, err
		}
	}
	f := &File{r: r, size: size, rules: allRules}
	switch {
	case metas[0] == nil && metas[1] == nil:
		return nil, fmt.Errorf("no valid meta page: %w", errors.Join(errs[0], errs[1]))
	case metas[0] == nil || metas[1] != nil && metas[1].txid > metas[0].txid:
		f.meta, f.other = *metas[1], metas[0]
	default:
		f.meta, f.other = *metas[0], metas[1]
	}
	m := &f.meta
	if m.pages < 4 || m.pages > uint64(size)/PageSize {
		return nil, fmt.Errorf("bbolt file of %d bytes with %d pages in use", size, m.pages)
	}
	if !f.inUse(m.root) || !f.inUse(m.freelist) {
		return nil, fmt.Errorf("meta page with root %d and freelist %d of %d pages", m.root, m.freelist, m.pages)
	}
	return f, nil
}

func (f *File) inUse(id uint64) bool { return id >= 2 && id < f.meta.pages }

func readFull(r io.ReaderAt, buf []byte, off int64) error {
	if n, err := r.ReadAt(buf, off); n != len(buf) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("bbolt file at offset %d: %w", off, err)
	}
	return nil
}

// parseMeta reads a meta page. One without the right checksum is invalid, as after a torn write, and says why; any other fault
// is an error, because bbolt would use that page. The page in which bbolt's own copy of a file holds a transaction does not depend on the
// transaction's number, so that it is not checked.
func parseMeta(buf []byte, id uint64) (m *meta, invalid, err error) {
	h, b := parseHeader(buf), buf[headerSize:]
	le := binary.LittleEndian
	if m, v := le.Uint32(b), le.Uint32(b[4:]); m != magic || v != version {
		return nil, malformed(id, "magic %#x, version %d", m, v), nil
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[:metaSize-8])
	if sum.Sum64() != le.Uint64(b[metaSize-8:]) {
		return nil, malformed(id, "wrong checksum"), nil
	}
	if h != (header{id: id, flags: flagMeta}) {
		return nil, nil, malformed(id, "no header of a meta page")
	}
	if n := le.Uint32(b[8:]); n != PageSize {
		return nil, nil, malformed(id, "page size %d instead of %d", n, PageSize)
	}
	if le.Uint32(b[12:]) != 0 || le.Uint64(b[24:]) != 0 {
		return nil, nil, malformed(id, "flags or a sequence")
	}
	return &meta{root: le.Uint64(b[16:]), freelist: le.Uint64(b[32:]), pages: le.Uint64(b[40:]), txid: le.Uint64(b[48:])}, nil, nil
}

type header struct {
	id       uint64
	flags    uint16
	count    uint16
	overflow uint32
}

func parseHeader(b []byte) header {
	le := binary.LittleEndian
	return header{le.Uint64(b), le.Uint16(b[8:]), le.Uint16(b[10:]), le.Uint32(b[12:])}
}

// zero reports whether all of b is zero.
func zero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
