// Package bag writes and checks the BagIt side of a case folder (RFC 8493;
// docs/container.md, 6.1 and 6.2).
//
//	data/…                    the payload: what manifest-sha256.txt lists
//	bagit.txt                 two fixed lines
//	bag-info.txt              who, what, when: [Field]
//	manifest-sha256.txt       hash and path of every payload file: [Manifest]
//	tagmanifest-sha256.txt    hash and path of the three files above
//	package.note              signs the hash of tagmanifest-sha256.txt
//	custody/ stamps/ work/    may be there and are covered by no manifest
//
// The rules are narrower than those of BagIt, so that each folder has one
// description and no two programs can read it differently:
//
//   - A manifest line is 64 lower-case hexadecimal digits, two spaces, the path and
//     LF; lines are sorted by the bytes of the path and each path is there once.
//   - A path starts with no slash, has no empty, "." or ".." element, and is
//     printable ASCII without backslash and colon, so that one name is one file on
//     every system and Unicode has no second spelling of it. CR, LF and % are
//     written %0D, %0A and %25 (RFC 8493, 2.1.3), nothing else is encoded. Two
//     paths that differ only in case are an error.
//   - A field of bag-info.txt is one line and is never folded.
//   - No fetch.txt, no other manifests, no other tag files, no empty folders.
//
// [Build] and [TagFiles] make the files, [Check] compares a folder with them and
// stops at no difference. [Pack] writes a sealed case as one file, a stored zip of
// which there is one form alone (docs/container.md, section 11). All work on an
// [io/fs.FS]; [OpenFolder] gives one for a folder on disk that may be hostile,
// [OpenZip] one for a packed case that may be. [Encrypt] and [Decrypt] are the
// outermost layer that a packed case may have: an age file.
//
// BUG: identities and passphrases stay in memory until the process ends; Go gives no
// means to erase every copy of them.
package bag
