// Package row says what the index holds for each entry: buckets, keys and values, as functions of entries alone
// (docs/ledger.md is the specification). The index writes these rows; a verifier, which links no database, makes them again from the segments
// and compares.
//
//	meta       name                  format, case, position, counts
//	entries    seq                   head line, verbatim
//	exchanges  seq                   what was asked and answered, by hash and place
//	log        seq                   what operator and tool did
//	windows    window                opening parameters and latest state
//	cursors    window, chain         progress of a chain
//
// Every value but format, case and head lines is one JSON object in the container's spelling, without LF. Rows of entries, exchanges and log depend on
// one entry each; rows of windows and cursors are folded from the entries in order.
package row
