// Package evidence keeps and reads the container: the append-only record of what was asked and answered, in a form that
// anyone can check later. docs/container.md is its specification; names here are the names there.
//
//	segment     warcinfo ( record* batch )*            zstd frames, package evidence/warc
//	batch       first line, then two lines an entry    one sync makes it durable
//	entry       head line (the leaf) and detail line   names the records by hash
//	tree        RFC 6962 over the head lines
//	head        a signed checkpoint over the first N entries, package evidence/trust
//	token       a timestamp of a head by somebody else, package evidence/trust/rfc3161
//	production  a line for each entry, as far as it is disclosed, and the records of those that are
//
// [Create] and [Open] return a [Writer], the only thing that appends; [Walker] reads segments and reports every rule that
// they break. What a Writer acknowledges is durable: written, synced, and found again after a loss of power. Nothing here
// rewrites or skips; the one cut that recovery makes is declared in the evidence first. [Produce] makes a production of a sealed
// case, and [ProductionWalker] reads it.
//
// The package knows neither where evidence comes from nor what it is used for, and imports no database: an [Index] is told
// of what has become durable, and may lag.
package evidence
