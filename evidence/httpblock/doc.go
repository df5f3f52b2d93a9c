// Package httpblock is the one home of the rules that say where an HTTP/1.1 message ends.
//
// It reads the bytes of one response as a server sent them (RFC 9112), or of one request as it was
// stored, and says what they hold: heads, framing, extent of the body, and every departure from the
// grammar as a flag. It repairs nothing and does no I/O of its own. The recorder feeds a [Framer]
// while bytes arrive; a verifier hands the stored block to [ParseResponse] and must come to the same
// [Layout], because both run the same code over the same bytes.
//
// # Where a response ends
//
// The first row that fits decides. "Ambiguous" means that two careful readers could disagree.
//
//	what the final head says                                      framing         the block ends
//	request was HEAD, or CONNECT with 2xx; status 101, 204, 304   none            with the head
//	no line "HTTP/1.x NNN"                                        ambiguous       see below
//	a lone CR or a NUL anywhere in the head                       ambiguous
//	Content-Length or Transfer-Encoding folded, on a folded line,
//	  with a space before its colon, or with stray bytes around   ambiguous
//	Transfer-Encoding with Content-Length, or in HTTP/1.0         ambiguous
//	chunked twice, not last, or misspelt; an empty list element   ambiguous
//	chunked last                                                  chunked         after the trailer section
//	Transfer-Encoding without chunked                             close           when the peer closes
//	Content-Length not 1*DIGIT, above 2^63-1, or unequal values   ambiguous
//	Content-Length, perhaps repeated with one value               content-length  after that many bytes
//	neither                                                       close           when the peer closes
//
// A body that starts as chunked and breaks the chunk grammar (size, CRLF after the data, a lone LF
// anywhere, a size line above 16 KiB) becomes ambiguous at that byte.
//
// An ambiguous block takes everything that came until the peer stopped or a budget was spent, so that
// whatever the longest reading would have taken is kept. It never ends "complete", and it has no
// payload, because nobody can say what that would be. Responses with status 1xx other than 101 precede
// the final one in the same block and have no body, whatever their fields claim.
//
// Lines of a head may end in a lone LF (RFC 9112, section 2.2): accepted, flagged. Field lines that are
// folded, lack a colon or have a space before it are accepted and flagged unless the table says otherwise.
// A connection whose response carries any flag but [FlagChunkExtension] and [FlagTrailers] must not be
// used again; [Layout].Reusable says so.
//
// A close-delimited body that was cut looks like one that ended (RFC 9112, section 8). Over TLS the missing
// close_notify tells them apart, and the recorder passes that to [Framer.Close]; the stored bytes alone cannot.
package httpblock
