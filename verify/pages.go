package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Where a group of pages ends: whoever reads it holds all of its blocks in memory.
const (
	groupBytes = 256 << 10 // of blocks; the page that passes it is the last one
	groupPages = 256
	groupGap   = 1 << 20 // of the segment's file, between two pages
)

// PageGroup names pages of one source that lie near each other in a segment, and what proves all of them together. It is made
// by [Container.PageGroups].
type PageGroup struct {
	segment    int64
	first, end int64 // of the frames, in the segment's file
	pages      int
	seq        int64         // of the first page
	window     int64         // of the first page
	rest       []byte        // of each page: what tells it from the page before (pagePlace)
	proof      evidence.Hash // of all blocks (proofOf)
	large      bool          // one page, whose block does not go into memory
	kept       bool          // the check kept all blocks, between keptFrom and keptEnd of its keeper
	keptFrom   int64
	keptEnd    int64
}

// pagePlan lists the responses that a check saw and that brought a page, so that they can be read again without the entries:
// about six bytes a page, five more where its block was kept. Pages that a later attempt replaced are among them.
type pagePlan struct {
	sources map[string]*sourcePages
}

type sourcePages struct {
	groups []*PageGroup
	last   pagePlace // that was added
	bytes  int64     // of the blocks in the last group
	rest   []byte    // memory of the last group's rest, until the group is closed
}

// add notes an exchange if it brought a page. Exchanges come in order.
func (p *pagePlan) add(e *evidence.Entry, x *evidence.Exchange) {
	if !evidence.Kept(e.Head, x) || len(e.Detail.Records) < 2 || len(e.Located) < 2 || e.Detail.Records[1].Type != warc.Response {
		return
	}
	if p.sources == nil {
		p.sources = map[string]*sourcePages{}
	}
	s := p.sources[e.Head.Source]
	if s == nil {
		s = &sourcePages{}
		p.sources[e.Head.Source] = s
	}
	s.add(e)
}

func (s *sourcePages) add(e *evidence.Entry) {
	at, ref := e.Located[1], e.Detail.Records[1]
	where, isKept := at.Seen.(kept)
	now := pagePlace{seq: e.Head.Seq, offset: at.Offset, window: e.Head.Window, method: e.Head.Method, kept: where.offset, length: ref.BlockLength}
	large := ref.BlockLength > warc.InlineLimit
	g := s.open()
	if g == nil || large || g.large || g.kept != isKept || s.bytes >= groupBytes || g.pages >= groupPages || g.segment != int64(at.Segment) ||
		at.Offset < g.end || at.Offset-g.end > groupGap {
		s.close()
		g = &PageGroup{rest: s.rest[:0], segment: int64(at.Segment), first: at.Offset, seq: e.Head.Seq, window: e.Head.Window, large: large, kept: isKept, keptFrom: where.offset}
		s.groups = append(s.groups, g)
		s.last, s.bytes = g.place(), 0
	}
	g.rest = now.append(g.rest, &s.last, isKept)
	g.proof = proofOf(g.proof, ref.Block)
	g.end = at.Offset + at.Length
	g.keptFrom, g.keptEnd = min(g.keptFrom, now.kept), max(g.keptEnd, now.kept+now.length)
	g.pages++
	s.last = now
	s.bytes += ref.BlockLength
}

// close takes no more than what the last group needs: a large case has very many.
func (s *sourcePages) close() {
	if g := s.open(); g != nil && len(g.rest) > 0 {
		s.rest = g.rest
		g.rest = bytes.Clone(g.rest)
	}
}

// split ends the last group of each source.
func (p *pagePlan) split() {
	for _, s := range p.sources {
		s.bytes = groupBytes
	}
}

// open is the group that the next page may join.
func (s *sourcePages) open() *PageGroup {
	if len(s.groups) == 0 {
		return nil
	}
	return s.groups[len(s.groups)-1]
}

// proofOf adds a block to the proof of those before it.
func proofOf(before, block evidence.Hash) evidence.Hash {
	var b [2 * sha256.Size]byte
	copy(b[:], before[:])
	copy(b[sha256.Size:], block[:])
	return sha256.Sum256(b[:])
}

// Methods whose responses end otherwise than their fields say (RFC 9112, 6.3).
const (
	methodHead    = "HEAD"
	methodConnect = "CONNECT"
)

// pagePlace is where a page stands.
type pagePlace struct {
	seq, offset, window int64
	method              string // GET stands for all whose responses end alike
	kept, length        int64  // of a block that was kept: its place in the keeper and its bytes
}

// append writes what tells a page from the one before it.
func (p *pagePlace) append(b []byte, before *pagePlace, kept bool) []byte {
	kind := int64(0)
	switch p.method {
	case methodHead:
		kind = 1
	case methodConnect:
		kind = 2
	}
	b = binary.AppendUvarint(b, uint64(p.seq-before.seq))
	b = binary.AppendUvarint(b, uint64(p.offset-before.offset))
	b = binary.AppendVarint(b, (p.window-before.window)<<2|kind)
	if kept {
		b = binary.AppendVarint(b, p.kept-before.kept)
		b = binary.AppendUvarint(b, uint64(p.length))
	}
	return b
}

// next moves on by what append wrote at the start of rest and returns what follows it.
func (p *pagePlace) next(rest []byte, kept bool) []byte {
	seq, n := binary.Uvarint(rest)
	rest = rest[n:]
	offset, n := binary.Uvarint(rest)
	rest = rest[n:]
	window, n := binary.Varint(rest)
	rest = rest[n:]
	p.seq += int64(seq)
	p.offset += int64(offset)
	p.window += window >> 2
	p.method = [...]string{"GET", methodHead, methodConnect}[window&3]
	if kept {
		by, n := binary.Varint(rest)
		rest = rest[n:]
		length, n := binary.Uvarint(rest)
		rest = rest[n:]
		p.kept += by
		p.length = int64(length)
	}
	return rest
}

// place is where the places of a group's pages are counted from.
func (g *PageGroup) place() pagePlace {
	return pagePlace{seq: g.seq, offset: g.first, window: g.window}
}

// PageGroups lists the pages of a source in order: the complete answers with status 200.
func (c *Container) PageGroups(source string) []*PageGroup {
	if s := c.pages.sources[source]; s != nil {
		return s.groups
	}
	return nil
}

// Page is one recorded answer that was taken as a page. It is valid until its reader's next call of Read.
type Page struct {
	Seq    int64
	Window int64

	r        *PageReader
	method   string
	from, to int // of the block in the reader's memory
}

// Body returns the page's body with transfer and content coding removed. It is valid until the next call for another page.
func (p *Page) Body() (io.Reader, error) {
	var body io.Reader
	var err error
	if p.r.spooled != nil {
		body, err = p.r.codings.stored(p.r.spooled, p.r.spooled.Size, p.method)
	} else {
		body, err = p.r.codings.inMemory(p.r.blocks[p.from:p.to], p.method)
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", p.Seq, err)
	}
	return body, nil
}

// PageReader reads groups of pages. It is not safe for concurrent use; a container gives out any number of them.
type PageReader struct {
	c       *Container
	dec     *warc.Decoder
	codings codings
	file    segmentFile
	size    int64
	segment int64 // that file is of; 0 for none
	pages   []Page
	blocks  []byte // of the pages, one after another
	spooled *Block // of the only page, if it is large
}

type segmentFile interface {
	io.ReaderAt
	io.Closer
}

// NewPageReader returns a reader, which must be closed.
func (c *Container) NewPageReader() (*PageReader, error) {
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	return &PageReader{c: c, dec: dec}, nil
}

// Close frees what the reader and its pages hold.
func (r *PageReader) Close() error {
	r.dec.Close()
	return errors.Join(r.drop(), r.leave())
}

// drop frees the pages that were read last.
func (r *PageReader) drop() error {
	b := r.spooled
	r.spooled, r.pages, r.blocks = nil, r.pages[:0], r.blocks[:0]
	if cap(r.blocks) > 4*groupBytes {
		r.blocks = nil
	}
	if b == nil {
		return nil
	}
	return b.Close()
}

// enter opens a segment's file.
func (r *PageReader) enter(segment int64) error {
	if r.segment == segment {
		return nil
	}
	if err := r.leave(); err != nil {
		return err
	}
	file, size, err := evidence.OpenSegment(r.c.files, segment)
	if err != nil {
		return err
	}
	r.file, r.size, r.segment = file, size, segment
	return nil
}

// leave closes it.
func (r *PageReader) leave() error {
	f := r.file
	r.file, r.segment = nil, 0
	if f == nil {
		return nil
	}
	return f.Close()
}

// Read returns the pages of a group but those that a later attempt replaced, once all are proven to be what was checked.
// [ErrChanged] says that they are not.
func (r *PageReader) Read(ctx context.Context, g *PageGroup) ([]Page, error) {
	if err := r.drop(); err != nil {
		return nil, err
	}
	if g.kept && r.c.keeper.has(g.keptEnd) {
		err := r.readKept(g)
		return r.pages, err
	}
	if err := r.enter(g.segment); err != nil {
		return nil, err
	}
	proof, err := r.read(ctx, g)
	var form *warc.FormatError
	if errors.As(err, &form) || err == nil && proof != g.proof {
		err = fmt.Errorf("%s, entries from %d on: %w", evidence.SegmentPath(g.segment), g.seq, ErrChanged)
	}
	if err != nil {
		return nil, errors.Join(err, r.drop())
	}
	return r.pages, nil
}

// read reads the pages and returns the proof that they make, or none where the frames are not those that were checked.
func (r *PageReader) read(ctx context.Context, g *PageGroup) (proof evidence.Hash, err error) {
	var none evidence.Hash
	at := g.place()
	if r.size < g.end {
		return none, nil
	}
	frames := warc.NewReader(r.dec, r.file, g.first, g.end)
	for rest := g.rest; len(rest) > 0; {
		rest = at.next(rest, g.kept)
		for frames.Offset() < at.offset {
			if err := frames.Skip(); err != nil {
				return none, err
			}
		}
		if frames.Offset() != at.offset {
			return none, nil
		}
		rec, err := r.record(ctx, frames, g, &at)
		if err != nil {
			return none, err
		}
		proof = proofOf(proof, rec.BlockHash)
	}
	return proof, nil
}

// readKept takes the pages from what the check kept of them. They lie together, or some times as far apart where many cores decoded at once.
func (r *PageReader) readKept(g *PageGroup) error {
	together := g.keptEnd-g.keptFrom <= maxKeptSpan
	if together {
		if err := r.fetch(g.keptFrom, g.keptEnd-g.keptFrom); err != nil {
			return err
		}
	}
	at := g.place()
	for rest := g.rest; len(rest) > 0; {
		if rest = at.next(rest, true); r.c.Replaced(at.seq) {
			continue
		}
		from := int(at.kept - g.keptFrom)
		if !together {
			from = len(r.blocks)
			if err := r.fetch(at.kept, at.length); err != nil {
				return err
			}
		}
		r.pages = append(r.pages, Page{Seq: at.seq, Window: at.window, r: r, method: at.method, from: from, to: from + int(at.length)})
	}
	return nil
}

// maxKeptSpan is how much is read at once for a group, in bytes.
const maxKeptSpan = 4 * groupBytes

// fetch appends what was kept at an offset to the reader's memory.
func (r *PageReader) fetch(offset, length int64) error {
	n := len(r.blocks)
	r.blocks = slices.Grow(r.blocks, int(length))[:n+int(length)]
	return r.c.keeper.read(r.blocks[n:], offset)
}

// record reads the record of one page.
func (r *PageReader) record(ctx context.Context, frames *warc.Reader, g *PageGroup, at *pagePlace) (rec *warc.Record, err error) {
	p := Page{Seq: at.seq, Window: at.window, r: r, method: at.method, from: len(r.blocks)}
	if g.large {
		r.spooled = &Block{}
		if rec, err = r.c.spool(ctx, r.dec, r.file, at.offset, g.end, r.spooled); err == nil {
			r.spooled.Size = rec.ContentLength
		}
	} else if rec, err = frames.Next(ctx); err == nil {
		r.blocks = append(r.blocks, rec.Block()...)
	}
	if err != nil {
		return nil, err
	}
	p.to = len(r.blocks)
	if !r.c.Replaced(at.seq) {
		r.pages = append(r.pages, p)
	}
	return rec, nil
}
