// Package warc reads and writes the segments of a container at the level of bytes: zstd frames that each hold
// exactly one WARC/1.1 record. It knows nothing of entries and batches.
//
// The form is strict in both directions (docs/container.md, section 2): a record that this package accepts is
// encoded again to the same bytes, and whatever differs from that form is a [FormatError] with a place and a code.
// It is the one home of the zstd library in this module.
//
//	frame   = zstd frame with content size and checksum, no dictionary, window ≤ 8 MiB
//	content = header block CRLF CRLF
//	header  = "WARC/1.1" CRLF *( name ": " value CRLF ) CRLF
package warc
