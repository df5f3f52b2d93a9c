package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// RecordID is the id of record i of the entry with this nonce (docs/container.md, 4.3).
func RecordID(nonce Hash, i int) string {
	b := make([]byte, 0, 96)
	b = append(b, "exhibit record "...)
	b = hex.AppendEncode(b, nonce[:])
	b = strconv.AppendInt(append(b, ' '), int64(i), 10)
	h := sha256.Sum256(b)
	return recordID([16]byte(h[:16]))
}

// header is the one that record i of an entry may have (docs/container.md, 4.3).
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

// checkHeaders requires that a header can be made for each record: then what [Entry.header] gives is one that [warc.ParseHeader] takes.
func (e *Entry) checkHeaders() error {
	for i := range e.Detail.Records {
		r := &e.Detail.Records[i]
		switch {
		case !warc.IsValue(r.URI), r.Type == warc.Resource && !warc.IsValue(r.ContentType):
			return fmt.Errorf("record %d: uri %q and type %q cannot stand in a header", i, r.URI, r.ContentType)
		case r.Type != warc.Resource && r.ContentType != "":
			return fmt.Errorf("record %d: a %s of type %q", i, r.Type, r.ContentType)
		case r.Truncated != "" && (r.Type != warc.Response || !warc.IsTruncation(r.Truncated)):
			return fmt.Errorf("record %d: a %s truncated by %q", i, r.Type, r.Truncated)
		}
	}
	return nil
}

// Names reports whether rec is record i of the entry, header and block. A header that was read has one spelling: equal fields are equal bytes.
func (e *Entry) Names(i int, rec *warc.Record) bool {
	r := &e.Detail.Records[i]
	return r.Block == Hash(rec.BlockHash) && rec.Header == e.header(i)
}
