// Package boltread reads a bbolt file that may be hostile, without bbolt: over an io.ReaderAt, without a memory map, with
// every length checked before it is used. It returns an error where bbolt would panic, fault, hang or return nonsense.
//
//	file      page page page …                         4,096 bytes each, little-endian
//	page 0,1  header meta zeros                        the valid one with the higher txid counts
//	page      header element* (key value)* zeros       flags 1 branch, 2 leaf, 16 freelist; may run over several pages
//	header    id u64, flags u16, count u16, overflow u32
//	meta      magic u32, version u32, page size u32, flags u32, root u64, sequence u64, freelist u64, pages u64, txid u64, FNV-1a-64 u64
//	leaf      element = flags u32 (1: bucket), position u32, key size u32, value size u32
//	branch    element = position u32, key size u32, page u64
//	bucket    root u64, sequence u64; root 0: one leaf page follows in the value
//
// It accepts what bbolt 1.5.0 writes and less than what bbolt reads: the page size is 4,096; keys and values lie
// behind the elements in order and without a hole; what follows them is zero; a run is as long as its content needs; keys ascend;
// the key of a branch element is the first key below it; all leaves of a bucket are equally deep; buckets are not
// nested and use no sequence; the freelist is stored.
//
// Reading a bucket covers its pages. [File.Check] covers the structure of the whole file: each page belongs to one bucket, to the
// freelist or is free, once. [File.CheckWhole], for a file written once and closed, leaves no byte free: whatever is no key and no value
// must be as the format says. Keys and values have no checksum in this format: who needs to know that they are right
// compares them.
package boltread
