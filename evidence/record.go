package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// headerSum is the hash of a record's header and its length in bytes.
type headerSum struct {
	hash   Hash
	length int64
}

// RecordID is the id of record i of the entry with this nonce (docs/container.md, 4.3).
func RecordID(nonce Hash, i int) string {
	b := make([]byte, 0, 96)
	b = append(b, "exhibit record "...)
	b = hex.AppendEncode(b, nonce[:])
	b = strconv.AppendInt(append(b, ' '), int64(i), 10)
	h := sha256.Sum256(b)
	return recordID([16]byte(h[:16]))
}

// RecordHeader is the one header that record i of an entry may have (docs/container.md, 4.3). It fails where the entry says
// what cannot stand in a header.
func (e *Entry) RecordHeader(i int) (warc.Header, error) {
	h := e.header(i)
	if _, err := h.Append(nil); err != nil {
		return h, fmt.Errorf("record %d: %w", i, err)
	}
	return h, nil
}

func (e *Entry) header(i int) warc.Header {
	r := &e.Detail.Records[i]
	return recordHeader(e.Detail.Nonce, e.Detail.Records[:i+1], e.Head.Start).Describe(r.Block, r.BlockLength)
}

// recordHeader is the header of the last of these records, but for length and digest of its block.
func recordHeader(nonce Hash, records []RecordRef, start Time) warc.Header {
	i := len(records) - 1
	r := &records[i]
	h := warc.Header{Type: r.Type, ID: RecordID(nonce, i), Date: start.String(), TargetURI: r.URI, ContentType: r.ContentType, Truncated: r.Truncated}
	if r.Type != warc.Resource && r.ContentType == "" {
		h.ContentType = "application/http;msgtype=" + r.Type
	}
	if r.Type == warc.Response && records[0].Type == warc.Request {
		h.ConcurrentTo = RecordID(nonce, 0)
	}
	return h
}

// sumHeaders makes the headers of all records, and so checks that they can be made.
func (e *Entry) sumHeaders() error {
	if len(e.Detail.Records) == 0 {
		return nil
	}
	e.headers = make([]headerSum, len(e.Detail.Records))
	buf := make([]byte, 0, 1024)
	for i := range e.Detail.Records {
		if r := &e.Detail.Records[i]; r.Type != warc.Resource && r.ContentType != "" {
			return fmt.Errorf("record %d: a %s of type %q", i, r.Type, r.ContentType)
		}
		h := e.header(i)
		b, err := h.Append(buf[:0])
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		e.headers[i] = headerSum{sum(b), int64(len(b))}
	}
	return nil
}

// Names reports whether rec is record i of the entry, header and block.
func (e *Entry) Names(i int, rec *warc.Record) bool {
	return e.names(i, headerSum{rec.HeaderHash, rec.HeaderLength}, rec.BlockHash, rec.ContentLength)
}

func (e *Entry) names(i int, header headerSum, block Hash, blockLength int64) bool {
	r := &e.Detail.Records[i]
	return e.headers[i] == header && r.Block == block && r.BlockLength == blockLength
}
