// Package verify checks a case that somebody else made. It trusts nothing in it: not names, lengths, links, keys or the ledger.
//
// [Check] walks the whole case to its end and reports every [Finding], each with a code, a place, what it means for the evidence
// and what to do next (docs/findings.md). Only where nothing is altered or damaged does it return a [*Container], and only a
// Container gives access to what was recorded: unchecked bytes do not compile into records.
//
//	names       what may lie in a case folder, and what must
//	segments    frames, records, batches, entries, chain (evidence.Walker)
//	rules       what entries say of each other, and what windows say of completeness
//	heads       signed commitments over the tree, by allowed keys
//	package     manifests and package.note of a sealed case
//	ledger      the index, made again from the segments
//
// [Salvage] goes through a case that is damaged and makes a Container of what still proves against a signed head: batches that can be read wherever
// they stand (lenient.go), leaves of lost entries out of the ledger (ledgerrows.go), and roots made of both and of frontiers (prove.go).
// docs/container.md, section 10, says why that is enough.
//
// A production is checked by the same rules as far as what it withholds lets them be seen (production.go, withheld.go), and its Container gives what is
// disclosed (disclosed.go; docs/container.md, section 13).
//
// The package signs nothing, fetches nothing and links neither a network client nor a database.
package verify
