// Package ledger keeps the index of a container: a bbolt file from which the operator log, the windows, the progress of chains
// and the exchanges can be asked without reading the segments. docs/ledger.md says what is in it, package row makes it.
//
// The index is derived. It may lag, it can be deleted, and where it differs from the segments they are right. bbolt
// dies on damaged files, so every file is read with package boltread before bbolt sees it, and a verifier uses
// that package alone.
//
//	Ledger   the working index: an [evidence.Index] and the questions
//	Lazy     in front of it, so that nobody waits for its sync
//	Build    a whole index from the batches: after damage, and for the sealed case, byte for byte reproducible
package ledger
