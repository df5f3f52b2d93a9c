// Package rfc3161 asks for timestamps, and checks them, as RFC 3161 and RFC 5816 describe: an authority signs that it saw a hash at a time.
//
// A query ([Query]) names SHA-256 of something and a random number. The answer, a TimeStampResp in DER, is kept whole. What it says comes in three steps, each of which is nothing
// without the one before:
//
//   - [Parse] needs nothing but the answer: one DER object and nothing behind it, status granted, one signer, whose certificate is inside, may sign timestamps and nothing else, is the one
//     that the signed attributes name, and made the signature.
//   - [Token.Over] and [Token.Answers] hold it against what was asked.
//   - [Token.Trusted] builds the chain to roots that the caller pinned, at the time that the token states. Certificates out of an answer prove nothing by themselves.
//
// # What is refused
//
// BER, second spellings of lengths and integers, elements that the RFCs do not know, SHA-1 and MD5 (but in the certificate hash of an ESSCertID of RFC 2634, where only a second preimage
// would help, and which authorities still send), RSA below 2,048 bits, curves other than P-256, P-384 and P-521, RSASSA-PSS, two signers, critical extensions in the TSTInfo, and answers above
// [MaxSize]. Status grantedWithMods is refused too: what was asked for leaves nothing to modify.
//
// A verifier of others, github.com/digitorus/timestamp, is held against this one in the tests. It is not used to check, because it takes BER, ignores what follows inside a structure, and leaves
// out most of what is listed here.
//
// BUG: nothing is said about revocation. An authority that revoked its certificate because the key was stolen must be asked, or its list looked at, by whoever relies on the token.
package rfc3161
