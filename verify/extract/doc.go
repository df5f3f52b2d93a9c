// Package extract turns the answers kept in a verified container into
// normalised records.
//
// A page is one kept answer. The walker reads it as a stream of JSON, hands
// each element to the normaliser of its source, and emits one [Record] for it.
// A record names the exchange, the byte range and the SHA-256 of the JSON text
// that it was made from, so whoever doubts a field can look at the bytes.
//
// Nothing is left out in silence: an odd element becomes a record with a flag
// (see [Flags]), and what cannot become a record becomes a [Problem] in the
// [Summary]. The fields, flags and problems are described in docs/records.md.
//
// To add a source, write one file with a type that implements normaliser and
// name it in the list in normalise.go.
package extract
