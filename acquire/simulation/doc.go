// Package simulation runs acquisitions in a world that is made of one number. It holds nothing but tests.
//
// Clock, network, service, disk and signals are simulated; what is simulated upon is the real thing: [acquire.Run] with its recorder, sources, windows and
// retries, the writer of package evidence, its recovery and seal, the index, and at the end the verifier. A seed draws what goes wrong:
//
//	service   the faults of simtenant: refusals with every kind of Retry-After, cuts, resets, silence, broken and repeated pages, rows that arrive and vanish
//	network   delays, short reads, refused and lost dials, lines that end, are reset or fall silent after any byte; package memnet
//	disk      loss of power and death of the process at any operation, writes and syncs that fail once or for good, slow ones; package crashfs
//	clock     the wall clock is set, amid a run and between runs; the monotonic one goes on
//	signals   stop, and cancel, at any time
//
// One case goes through several such runs, is then left in peace until its window has closed, sealed, perhaps in several attempts, and judged.
//
// # Same seed, same run
//
// Each seed lives in a testing/synctest bubble: time passes only when every goroutine waits. Goroutines run in parallel all the same, so what happens at one instant
// has no order. The world therefore leaves no two things to one instant that could meet: every delay has its own nanoseconds; a window has one chain, or
// chains that begin, and whose entries are acknowledged, at instants of their own; the writer is let finish what an entry has made due before the entry is handed on. Each seed writes a trace, of every read and
// write of the network, every operation of the disk, every entry and every request; some seeds run twice and must leave the same.
package simulation
