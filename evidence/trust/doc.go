// Package trust signs what the container commits to and checks who signed it.
//
// # Notes
//
// A note is a text with Ed25519 signatures, in the form of C2SP signed-note
// (https://c2sp.org/signed-note), signature type 0x01:
//
//	text, one or more lines, each ended by LF
//	                                              an empty line
//	— NAME BASE64(key id, 4 bytes ‖ signature)    one line for each signature
//
// A text means nothing until a key that the caller trusts has signed it. [Verify]
// takes the trusted keys and hands out a text only when one of them did; a text
// without such a signature travels inside an [*UnverifiedError]. Signatures by
// other keys are listed and never fatal. A bad signature by a trusted key is an
// error whatever else the note holds.
//
// Beyond what the specification asks for, this package refuses base64 in a
// second spelling, two signatures by one trusted key, more than [MaxNoteSize]
// bytes and more than 100 signatures.
//
// # Texts
//
// Three texts are signed, and none can be taken for another: a [Head] begins
// with an origin, which holds no space, a [PackageStatement] with the words
// "exhibit package v1", a [ProductionStatement] with "exhibit production v1"
// (docs/container.md, 5.2, 6.3 and 13.5).
//
// # Witnesses
//
// A witness cosigns heads, and never two that do not extend each other. A
// cosignature is a signature line of type 0x04 with a time
// (https://c2sp.org/tlog-cosignature); [Cosignatures] checks it against keys that
// the caller trusts, as [Verify] does. [Witness.Cosign] asks for one
// (https://c2sp.org/tlog-witness) through a [Poster], which has the network.
//
// # Keys
//
// A key has a name and an id of 32 bits, which is a hash of the name and the
// public key. A verifier key is written NAME+ID+BASE64, a private key
// PRIVATE+KEY+NAME+ID+BASE64, as package golang.org/x/mod/sumdb/note writes
// them. [ParseVKey] refuses public keys of low order, since some of those verify
// any text at all, points that are not on the curve, and second spellings of a
// point.
//
// A key file is one of two forms: a line PRIVATE+KEY…, not encrypted, or a private
// key of OpenSSH, encrypted or not, beside its public half (.pub), whose comment
// names it.
//
// BUG: a private key stays in memory until the process ends; Go gives no means to
// erase every copy of it. The same holds for what a terminal's reader keeps of a
// passphrase that was typed.
package trust
