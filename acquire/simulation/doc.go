// Package simulation runs acquisitions in a world that is made of one number. It holds nothing but tests.
//
// Clock, network, service, disk and signals are simulated; what is simulated upon is the real thing: [acquire.Run] with its recorder, sources, windows and
// retries, the writer of package evidence, its recovery and seal, the index, and at the end the verifier. A seed draws what goes wrong:
//
//	service   the faults of simtenant: refusals with every kind of Retry-After, cuts, resets, silence, broken and repeated pages; rows that vanish, or that arrive
//	          behind all others, before them and among them, once or for as long as it goes on; rows are asked for oldest first or newest first
//	network   delays, short reads, refused and lost dials, lines that end, are reset or fall silent after any byte; package memnet
//	disk      loss of power and death of the process at any operation, writes and syncs that fail once or for good, slow ones; package crashfs
//	clock     the wall clock is set, amid a run and between runs; the monotonic one goes on
//	signals   stop, and cancel, at any time
//
// One case goes through several such runs, each of which asks in another window where rows arrived behind it, as the program does; is then left in peace until a window has closed well,
// sealed, perhaps in several attempts, and judged.
//
// # What a complete window holds
//
// The world looks at what the service holds with each answer. A window that is said to be complete has each row once; everything that was held when its first page was answered, unless that
// vanished; nothing that never was held; and, where nothing vanished and no rows were given again, exactly what was held when its last page was answered, in order: what arrives behind that page
// nobody can see. The records that are extracted from the sealed case, over all windows, have everything that was held when the first page of all was answered. Nothing is required of a window
// in which the service gave rows again where the client had none to compare them with.
//
// # Same seed, same run
//
// Each seed lives in a testing/synctest bubble: time passes only when every goroutine waits. Goroutines run in parallel all the same, so what happens at one instant
// has no order. The world therefore leaves no two things to one instant that could meet: every delay has its own nanoseconds; a window has one chain, or
// chains that begin, and whose entries are acknowledged, at instants of their own; the writer is let finish what an entry has made due before the entry is handed on. Each seed writes a trace, of every read and
// write of the network, every operation of the disk, every entry and every request; some seeds run twice and must leave the same.
package simulation
