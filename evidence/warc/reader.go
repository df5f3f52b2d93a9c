package warc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// InlineLimit is the largest record, in bytes, that is decoded into memory as a whole. Larger ones are streamed.
const InlineLimit = 4<<20 + MaxHeader

// Record is one WARC record as it stands in a segment, checked against the form of docs/container.md, sections 2.2 and 2.3.
type Record struct {
	Header
	Offset       int64 // of the frame in the segment's file
	FrameLength  int64 // bytes of the frame
	HeaderLength int64 // with its empty line
	BlockHash    [32]byte

	whole []byte // header, block, end; nil if the record was streamed
}

// Block returns the record's block, or nil if the record is larger than [InlineLimit]. It is valid until
// the reader's next call.
func (r *Record) Block() []byte {
	if r.whole == nil {
		return nil
	}
	return r.whole[r.HeaderLength : r.HeaderLength+r.ContentLength]
}

// Whole returns header, block and end, under the same conditions as Block.
func (r *Record) Whole() []byte { return r.whole }

// Decoded reports whether the record was decoded. Of one that was not, only its place is known.
func (r *Record) Decoded() bool { return r.Type != "" }

// Measured is the record without its bytes.
func (r *Record) Measured() Record {
	m := *r
	m.whole = nil
	return m
}

// End is the offset behind the record's frame.
func (r *Record) End() int64 { return r.Offset + r.FrameLength }

// Decoder holds the zstd state that readers share one after another. It is not safe for concurrent use.
type Decoder struct {
	all    *zstd.Decoder
	stream *zstd.Decoder
	buf    []byte
	others []*Decoder // that an [Ahead] decodes with at the same time
}

// NewDecoder returns a decoder with the bounds of docs/container.md, 2.2.
func NewDecoder() (*Decoder, error) {
	all, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return &Decoder{all: all}, nil
}

// Close frees the decoder's memory.
func (d *Decoder) Close() {
	d.all.Close()
	if d.stream != nil {
		d.stream.Close()
	}
	for _, o := range d.others {
		o.Close()
	}
}

func (d *Decoder) streaming(r io.Reader) (*zstd.Decoder, error) {
	if d.stream != nil {
		return d.stream, d.stream.Reset(r)
	}
	var err error
	d.stream, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow))
	return d.stream, err
}

// Reader reads the records of one segment in order.
type Reader struct {
	dec  *Decoder
	src  io.ReaderAt
	size int64 // of the file
	pos  int64 // where the next frame starts

	win    []byte // bytes of the file from winOff on
	winOff int64
	budget *int64 // if set, what the reader may still spend on headers and decoding behind damage
	limit  *int64 // if set, how many bytes of content may still be decoded
}

// ErrContent says that a segment decodes to more than the reader was allowed.
var ErrContent = errors.New("records decode to more than was allowed")

// Limit lets the reader decode so many bytes of content and no more: a frame that would pass that is not decoded, and Next fails with
// [ErrContent]. What is decoded is taken off.
func (r *Reader) Limit(bytes *int64) { r.limit = bytes }

// NewReader returns a reader of the first size bytes of src that starts at offset.
func NewReader(dec *Decoder, src io.ReaderAt, offset, size int64) *Reader {
	return &Reader{dec: dec, src: src, size: size, pos: offset}
}

// Offset is where the next frame starts.
func (r *Reader) Offset() int64 { return r.pos }

// peek returns n bytes at off, fewer at the end of the file. They are valid until the next peek.
func (r *Reader) peek(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), r.size-off))
	at := off - r.winOff
	if at >= 0 && at+int64(n) <= int64(len(r.win)) {
		return r.win[at : at+int64(n)], nil
	}
	want := int(min(max(int64(n), 256<<10), r.size-off))
	if cap(r.win) < want {
		r.win = make([]byte, want)
	}
	r.win, r.winOff = r.win[:want], off
	got, err := r.src.ReadAt(r.win, off)
	if got < want {
		r.win = r.win[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("segment changed while it was read, at offset %d: %w", off, err)
	}
	return r.win[:n], nil
}

// Frame is the extent of one frame, known from its headers alone.
type Frame struct {
	Offset, Length int64
	Content        int64 // declared size of the content
}

// nextFrame walks the block headers of the frame at the reader's position. It decodes nothing.
func (r *Reader) nextFrame() (Frame, error) {
	return walkFrame(r.pos, r.size, r.budget, r.peek)
}

// walkFrame walks the block headers of the frame at pos of a file of size bytes. peek returns n bytes at an offset, fewer at the
// end of the file alone; where it fails, so does walkFrame. What is looked at is taken off budget, if there is one.
func walkFrame(pos, size int64, budget *int64, peek func(off int64, n int) ([]byte, error)) (Frame, error) {
	fail := func(code, detail string) (Frame, error) {
		return Frame{}, &FormatError{Code: code, Offset: pos, Detail: detail}
	}
	b, err := peek(pos, maxFrameHead)
	if err != nil {
		return Frame{}, err
	}
	h, code, detail := parseFrameHead(b)
	if code != "" {
		return fail(code, detail)
	}
	end, limit, holds := pos+int64(h.size), pos+maxFrame(h.content), int64(0)
	for now := (block{}); !now.last; {
		if b, err = peek(end, 3); err != nil {
			return Frame{}, err
		}
		if len(b) < 3 {
			return fail("frame-cut", "the file ends inside a frame")
		}
		if budget != nil {
			if *budget -= 32; *budget < 0 {
				return fail("frame-block", "more blocks than are looked at behind damage")
			}
		}
		if now, code, detail = blockHead(b, h.block); code != "" {
			return fail(code, detail)
		}
		holds += now.holds
		if end += 3 + now.stored; end > limit {
			return fail("frame-size", "the frame is longer than its content allows")
		}
		if end > size {
			return fail("frame-cut", "the file ends inside a frame")
		}
	}
	if end += checksumSize; end > size {
		return fail("frame-cut", "the file ends inside a frame's checksum")
	}
	if holds < h.content {
		return fail("frame-content", fmt.Sprintf("the frame declares %d bytes and its blocks cannot hold more than %d", h.content, holds))
	}
	return Frame{Offset: pos, Length: end - pos, Content: h.content}, nil
}

// Next reads the next record, checks its form and hashes it. It returns io.EOF at the end of the file, a *FormatError
// where a rule is broken (the reader then stays in front of the frame), and another error where reading failed.
func (r *Reader) Next(ctx context.Context) (*Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.pos >= r.size {
		return nil, io.EOF
	}
	f, err := r.nextFrame()
	if err != nil {
		return nil, err
	}
	if r.budget != nil {
		if *r.budget -= f.Content; *r.budget < 0 {
			return nil, &FormatError{Code: "frame-content", Offset: f.Offset, Detail: "more content than is looked at behind damage"}
		}
	}
	if r.limit != nil {
		if *r.limit -= f.Content; *r.limit < 0 {
			return nil, ErrContent
		}
	}
	rec := &Record{Offset: f.Offset, FrameLength: f.Length}
	if f.Content <= InlineLimit {
		err = r.inline(f, rec)
	} else {
		err = r.streamed(ctx, f, rec, nil)
	}
	if err != nil {
		return nil, err
	}
	r.pos = rec.End()
	return rec, nil
}

// Skip moves the reader over the frame at its position without decoding it.
func (r *Reader) Skip() error {
	f, err := r.nextFrame()
	if err != nil {
		return err
	}
	r.pos += f.Length
	return nil
}

func (r *Reader) inline(f Frame, rec *Record) error {
	raw, err := r.peek(f.Offset, int(f.Length))
	if err != nil {
		return err
	}
	if int64(cap(r.dec.buf)) < f.Content {
		r.dec.buf = make([]byte, 0, max(f.Content, 64<<10))
	}
	return r.dec.record(f, raw, r.dec.buf[:0:f.Content], rec)
}

// record decodes a frame into dst, which has the room, and checks the record in it.
func (d *Decoder) record(f Frame, raw, dst []byte, rec *Record) error {
	out, err := d.all.DecodeAll(raw, dst)
	if err != nil || int64(len(out)) != f.Content {
		return decodeError(f, err, int64(len(out)))
	}
	h, n, err := ParseHeader(out)
	if err != nil {
		return &FormatError{Code: "record-header", Offset: f.Offset, Detail: err.Error()}
	}
	rec.Header, rec.HeaderLength = h, int64(n)
	if err := checkExtent(f, rec); err != nil {
		return err
	}
	if !bytes.HasSuffix(out, []byte(recordEnd)) {
		return &FormatError{Code: "record-end", Offset: f.Offset, Detail: "the record does not end in CR LF CR LF"}
	}
	rec.whole = out
	rec.BlockHash = sha256.Sum256(rec.Block())
	return checkDigest(f, rec)
}

func decodeError(f Frame, err error, got int64) error {
	if err == nil {
		err = fmt.Errorf("the frame declares %d bytes and holds %d", f.Content, got)
	}
	return &FormatError{Code: "frame-content", Offset: f.Offset, Detail: err.Error()}
}

func checkExtent(f Frame, rec *Record) error {
	if want := rec.HeaderLength + rec.ContentLength + int64(len(recordEnd)); want != f.Content {
		return &FormatError{Code: "record-length", Offset: f.Offset,
			Detail: fmt.Sprintf("header and Content-Length make a record of %d bytes, the frame holds %d", want, f.Content)}
	}
	return nil
}

func checkDigest(f Frame, rec *Record) error {
	var digest [2 * sha256.Size]byte
	hex.Encode(digest[:], rec.BlockHash[:])
	if rec.Header.BlockDigest != "" && rec.Header.BlockDigest != string(digest[:]) {
		return &FormatError{Code: "record-digest", Offset: f.Offset, Detail: "WARC-Block-Digest is not the hash of the block"}
	}
	return nil
}

// streamed decodes a frame of any size piece by piece. Where w is given it gets the block; it must not rely on it
// before streamed has returned without an error.
func (r *Reader) streamed(ctx context.Context, f Frame, rec *Record, w io.Writer) error {
	z, err := r.dec.streaming(io.NewSectionReader(r.src, f.Offset, f.Length))
	if err != nil {
		return decodeError(f, err, 0)
	}
	in := &io.LimitedReader{R: z, N: f.Content + 1}
	head := make([]byte, min(MaxHeader, f.Content))
	n, err := io.ReadFull(in, head)
	if err != nil {
		return decodeError(f, err, int64(n))
	}
	h, hn, err := ParseHeader(head)
	if err != nil {
		return &FormatError{Code: "record-header", Offset: f.Offset, Detail: err.Error()}
	}
	rec.Header, rec.HeaderLength = h, int64(hn)
	if err := checkExtent(f, rec); err != nil {
		return err
	}
	sum := sha256.New()
	block := &blockWriter{left: rec.ContentLength, sum: sum, out: w}
	if _, err := block.Write(head[hn:]); err != nil {
		return err
	}
	if err := copyAll(ctx, block, in); err != nil {
		var own *blockError
		if errors.As(err, &own) || ctx.Err() != nil {
			return err
		}
		return decodeError(f, err, rec.HeaderLength+rec.ContentLength-block.left)
	}
	if block.left != 0 || in.N != 1 {
		return decodeError(f, nil, f.Content+1-in.N)
	}
	if string(block.end) != recordEnd {
		return &FormatError{Code: "record-end", Offset: f.Offset, Detail: "the record does not end in CR LF CR LF"}
	}
	sum.Sum(rec.BlockHash[:0])
	return checkDigest(f, rec)
}

func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// blockError is a failure of the writer that takes a block, not of the evidence.
type blockError struct{ err error }

func (e *blockError) Error() string { return "block writer: " + e.err.Error() }
func (e *blockError) Unwrap() error { return e.err }

// blockWriter splits what follows a header into the block, which it hashes and passes on, and the record's end.
type blockWriter struct {
	left int64
	sum  hash.Hash
	out  io.Writer
	end  []byte
}

func (w *blockWriter) Write(p []byte) (int, error) {
	n := int(min(int64(len(p)), w.left))
	w.sum.Write(p[:n])
	w.left -= int64(n)
	if len(w.end) < 8 {
		w.end = append(w.end, p[n:min(len(p), n+8)]...)
	}
	if w.out != nil && n > 0 {
		if _, err := w.out.Write(p[:n]); err != nil {
			return 0, &blockError{err}
		}
	}
	return len(p), nil
}

// CopyBlock decodes the frame at offset once more and writes its block to w. What w got is proven only when CopyBlock
// returns the record without an error; the caller compares the record's hashes with the entry's.
func CopyBlock(ctx context.Context, dec *Decoder, src io.ReaderAt, offset, size int64, w io.Writer) (*Record, error) {
	r := NewReader(dec, src, offset, size)
	f, err := r.nextFrame()
	if err != nil {
		return nil, err
	}
	rec := &Record{Offset: f.Offset, FrameLength: f.Length}
	if f.Content > InlineLimit {
		return rec, r.streamed(ctx, f, rec, w)
	}
	if err := r.inline(f, rec); err != nil {
		return nil, err
	}
	if _, err := w.Write(rec.Block()); err != nil {
		return nil, &blockError{err}
	}
	return rec, nil
}

// FindFrame returns the first offset at or after from where a whole frame with a whole record lies, or -1. It is how a
// reader looks beyond damage; it tries every byte. What it does is taken off budget: bytes read, bytes decoded, and more for each block header; below
// zero it gives up and returns -1.
func FindFrame(ctx context.Context, dec *Decoder, src io.ReaderAt, from, size int64, budget *int64) (int64, error) {
	const step = 1 << 20
	magic := []byte{0x28, 0xB5, 0x2F, 0xFD}
	buf := make([]byte, min(step+int64(len(magic))-1, max(size-from, 0)))
	r := NewReader(dec, src, from, size) // one, whose window serves all candidates in it
	r.budget = budget
	for ; from < size; from += step {
		if err := ctx.Err(); err != nil {
			return -1, err
		}
		n := int(min(int64(len(buf)), size-from))
		if got, err := src.ReadAt(buf[:n], from); got < n {
			return -1, fmt.Errorf("segment at offset %d: %w", from, err)
		}
		if *budget -= int64(n); *budget < 0 {
			return -1, nil
		}
		for at := 0; ; at++ {
			i := bytes.Index(buf[at:n], magic)
			if i < 0 {
				break
			}
			at += i
			r.pos = from + int64(at)
			if _, err := r.Next(ctx); err == nil {
				return from + int64(at), nil
			}
			if *budget -= 1024; *budget < 0 {
				return -1, nil
			}
		}
	}
	return -1, nil
}
