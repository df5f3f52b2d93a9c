package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Bounds of a batch (docs/container.md, section 3).
const (
	MaxBatch        = 8 << 20
	MaxBatchEntries = 1024

	batchFormat      = "exhibit-batch/1"
	batchContentType = "application/vnd.exhibit.batch"
	infoContentType  = "application/warc-fields"
)

// BatchHead is the first line of a batch (docs/container.md, 3.2).
type BatchHead struct {
	Format  string `json:"format"`
	Case    string `json:"case"`
	Batch   int64  `json:"batch"`
	Segment int64  `json:"segment"`
	First   int64  `json:"first"`
	Count   int64  `json:"count"`
	Time    Time   `json:"time"`
	Prev    Hash   `json:"prev"`
	*SegmentHead
}

// SegmentHead is what the first line of the first batch of a segment holds besides.
type SegmentHead struct {
	Warcinfo Hash   `json:"warcinfo"`
	Frontier []Hash `json:"frontier"`
}

// Batch is a batch as it stands in a segment, with the entries that it made durable.
type Batch struct {
	BatchHead
	Hash    Hash // of the block
	Entries []*Entry
	Offset  int64 // of the batch's own frame in the segment's file
	End     int64 // behind that frame
}

// batchID is the record id of a batch (docs/container.md, 3.3).
func batchID(caseID string, number int64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "exhibit batch %s %d", caseID, number))
	return recordID([16]byte(h[:16]))
}

// recordID writes 16 bytes as the record id of a version 8 UUID (RFC 9562, 5.8).
func recordID(b [16]byte) string {
	b[6] = b[6]&0x0F | 0x80
	b[8] = b[8]&0x3F | 0x80
	id := make([]byte, 0, 45)
	id = append(id, "urn:uuid:"...)
	for i, n := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			id = append(id, '-')
		}
		id = append(id, hexDigits[n>>4], hexDigits[n&0xF])
	}
	return string(id)
}

// header is the one header that a batch's record may have (docs/container.md, 3.3), but for its digest and length.
func (h *BatchHead) header() warc.Header {
	return warc.Header{Type: warc.Metadata, ID: batchID(h.Case, h.Batch), Date: h.Time.String(), ContentType: batchContentType}
}

// encodeBatch writes the block of a batch.
func encodeBatch(h *BatchHead, entries []*Entry) ([]byte, error) {
	first, err := writeLine(h)
	if err != nil {
		return nil, fmt.Errorf("first line of batch %d: %w", h.Batch, err)
	}
	block := append(first, '\n')
	for _, e := range entries {
		block = append(append(block, e.HeadLine...), '\n')
		block = append(append(block, e.DetailLine...), '\n')
	}
	if len(block) > MaxBatch {
		return nil, fmt.Errorf("batch %d of %d bytes is larger than %d", h.Batch, len(block), MaxBatch)
	}
	return block, nil
}

// decodeBatchHead reads the first line of a batch's block and returns the rest.
func decodeBatchHead(block []byte) (h BatchHead, rest []byte, err error) {
	if len(block) > MaxBatch {
		return h, nil, fmt.Errorf("batch of %d bytes is larger than %d", len(block), MaxBatch)
	}
	line, rest, ok := bytes.Cut(block, []byte("\n"))
	if !ok || len(line) > MaxLine {
		return h, nil, errors.New("batch without a first line")
	}
	if err := readLine(string(line), &h); err != nil {
		return h, nil, fmt.Errorf("malformed first line of a batch: %w", err)
	}
	switch {
	case h.Format != batchFormat:
		return h, nil, fmt.Errorf("batch of format %q", h.Format)
	case !IsID(h.Case):
		return h, nil, fmt.Errorf("batch of case %q", h.Case)
	case atLeast(1, h.Batch, h.Segment, h.Count) != nil || atLeast(0, h.First) != nil || h.Count > MaxBatchEntries:
		return h, nil, fmt.Errorf("batch %d of segment %d with %d entries from %d", h.Batch, h.Segment, h.Count, h.First)
	}
	return h, rest, nil
}

// decodeEntries reads count entries, which must be all of rest. They share one copy of it.
func decodeEntries(rest []byte, first, count int64) ([]*Entry, error) {
	entries := make([]*Entry, 0, count)
	rest = bytes.Clone(rest)
	text := string(rest)
	for seq := first; seq < first+count; seq++ {
		head := bytes.IndexByte(rest, '\n')
		detail := bytes.IndexByte(rest[head+1:], '\n')
		if head < 0 || detail < 0 {
			return nil, fmt.Errorf("batch ends before entry %d", seq)
		}
		end := head + 1 + detail
		e, err := decodeEntry(entryLines{rest[:head:head], rest[head+1 : end : end], text[:head], text[head+1 : end]})
		if err != nil {
			return nil, err
		}
		if e.Head.Seq != seq {
			return nil, fmt.Errorf("entry %d where entry %d should stand", e.Head.Seq, seq)
		}
		entries = append(entries, e)
		rest, text = rest[end+1:], text[end+1:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes after the last entry of a batch", len(rest))
	}
	return entries, nil
}

// MarshalLine writes v as a line in the container's spelling, without LF (docs/container.md, 1.2), by reflection over its JSON tags. The index and the
// programs use it for whatever should read the same everywhere.
func MarshalLine(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if b = escapeNonASCII(b); len(b) > MaxLine {
		return nil, fmt.Errorf("line of %d bytes is longer than %d", len(b), MaxLine)
	}
	return b, nil
}
