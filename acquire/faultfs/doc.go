// Package faultfs is a file system that passes everything on to a folder, but for the one operation that is to fail: the k-th write, sync, rename, close,
// truncation, read or creation. Its tests acquire, resume, seal and recover cases on it, and on disks that are full, read-only or gone; docs/reliability.md tells
// what they try and what came of it. No program links it.
package faultfs
