// Package casefile makes, opens and reads case folders: the container with its index, lock, host and signing key, as one thing.
//
//	New         an empty folder becomes a case: segment 1, the case entry, work/host
//	Open        lock, host check, recovery, index caught up: a [Case] that can be appended to
//	ReadStatus  what a case holds, from the index or the segments, without changing anything
//	ReadLog     its operator log, likewise
//
// One process writes to a case. work/lock is locked by the operating system, so that it is free again whenever its holder is gone, and says who that is.
// work/host names the host that works on the case; another must take it over, and the ledger says so.
package casefile
