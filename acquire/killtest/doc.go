// Package killtest ends acquisitions in every way that it can, and holds what is left against what must survive: with SIGKILL, with other signals, and by taking the
// power from the disk that they write to. It has tests alone; docs/reliability.md tells what they try and what came of it.
//
// The test program starts itself again as a child that works on a case on the real disk and dies at a point that is chosen beforehand: before, amid or after the
// k-th write, sync, rename, truncation or creation of a file, step of the index, or acknowledgement of an entry. Where the power fails, the case lies on an ext4 file
// system of its own, and the acknowledgements do not. The programs themselves are killed at system calls and at random times, and get signals. A case of a row is one such
// end and all that follows: the check of what is left, recovery, going on twice, sealing, and the check of the sealed case. The simulated service lives in the
// parent and survives.
package killtest
