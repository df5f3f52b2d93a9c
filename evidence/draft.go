package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Draft is an entry that is to be appended.
type Draft struct {
	Start, End time.Time // End zero: as Start
	Source     string
	Window     int64
	Method     string
	Status     int64
	Run        string
	Body       Body
	Records    []RecordDraft
}

// RecordDraft is a record that is to be appended with its entry.
type RecordDraft struct {
	Type        string      // request, response or resource
	URI         string      // what it is of
	ContentType string      // of a resource
	Truncated   string      // of a response that was cut short: WARC-Truncated
	Block       []byte      // the block, or
	Source      io.ReaderAt // where it can be read, twice
	Size        int64       // of Source
}

// prepared is a draft with everything that does not depend on its place in the ledger.
type prepared struct {
	head       Head
	body       Body
	detail     Detail
	detailLine []byte
	frames     []frame
	size       int64 // of the frames
	done       chan error
	entry      *Entry // without its seq, until it is committed
}

// frame is the bytes of one record, in memory or spooled.
type frame struct {
	bytes  []byte
	spool  Spool
	length int64
}

// Spool is a temporary file that is gone when it is closed.
type Spool interface {
	io.ReaderAt
	io.WriteCloser
}

// prepare encodes a draft: hashing and compressing happen here, in the caller's goroutine.
func (w *Writer) prepare(ctx context.Context, d *Draft) (*prepared, error) {
	if d.Body == nil {
		return nil, errors.New("entry without a body")
	}
	if d.End.IsZero() {
		d.End = d.Start
	}
	p := &prepared{body: d.Body, done: make(chan error, 1)}
	p.head = Head{Kind: d.Body.Kind(), Start: At(d.Start), End: At(d.End), Source: d.Source, Window: d.Window, Method: d.Method, Status: d.Status}
	p.detail = Detail{Run: d.Run, Records: []RecordRef{}}
	if len(d.Records) > MaxRecords {
		return nil, fmt.Errorf("entry with %d records, more than %d", len(d.Records), MaxRecords)
	}
	if _, err := io.ReadFull(w.opts.Rand, p.detail.Nonce[:]); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	for i := range d.Records {
		if err := w.prepareRecord(ctx, p, &d.Records[i]); err != nil {
			p.release()
			return nil, fmt.Errorf("record %d of an entry of kind %s: %w", i, p.head.Kind, err)
		}
	}
	if err := p.encode(); err != nil {
		p.release()
		return nil, fmt.Errorf("entry of kind %s: %w", p.head.Kind, err)
	}
	return p, nil
}

// encode writes the detail line and reads the whole entry back, so that nothing is written that a reader would refuse.
func (p *prepared) encode() error {
	var err error
	if p.detailLine, err = writeLine(&detailLine{Detail: &p.detail, body: p.body}); err != nil {
		return err
	}
	p.head.Detail = sum(p.detailLine)
	head, err := writeLine(&p.head)
	if err != nil {
		return err
	}
	p.entry, err = DecodeEntry(head, p.detailLine)
	return err
}

func (w *Writer) prepareRecord(ctx context.Context, p *prepared, d *RecordDraft) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.detail.Records = append(p.detail.Records, RecordRef{Type: d.Type, URI: d.URI, ContentType: d.ContentType, Truncated: d.Truncated})
	enc, f, err := w.encodeRecord(recordHeader(p.detail.Nonce, p.detail.Records, p.head.Start), d)
	if err != nil {
		return err
	}
	p.frames = append(p.frames, f)
	p.size += f.length
	ref := &p.detail.Records[len(p.detail.Records)-1]
	ref.Block, ref.BlockLength = enc.BlockHash, enc.Header.ContentLength
	return nil
}

func (w *Writer) encodeRecord(h warc.Header, d *RecordDraft) (*warc.Encoded, frame, error) {
	if d.Source == nil {
		enc, err := w.enc.Encode(h, d.Block)
		if err != nil {
			return nil, frame{}, err
		}
		return enc, frame{bytes: enc.Frame, length: int64(len(enc.Frame))}, nil
	}
	if w.opts.Spool == nil {
		return nil, frame{}, errors.New("no place for large records was given")
	}
	spool, err := w.opts.Spool()
	if err != nil {
		return nil, frame{}, fmt.Errorf("spool: %w", err)
	}
	count := &countWriter{w: spool}
	enc, err := warc.EncodeTo(count, h, d.Source, d.Size)
	if err != nil {
		spool.Close()
		return nil, frame{}, err
	}
	return enc, frame{spool: spool, length: count.n}, nil
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// release closes what a prepared entry holds.
func (p *prepared) release() {
	for i := range p.frames {
		if p.frames[i].spool != nil {
			p.frames[i].spool.Close()
		}
	}
}

// NewID makes a random case id or run id.
func NewID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return fmt.Sprintf("%x", b), nil
}
