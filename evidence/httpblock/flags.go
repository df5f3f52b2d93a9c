package httpblock

import "slices"

// Flags that a [Layout] may carry: stable words (docs/container.md, 1.6), one for each departure from the plain form.
const (
	FlagBadChunk          = "bad-chunk"                  // chunk grammar broken; the body is ambiguous from there on
	FlagBadContentLength  = "bad-content-length"         // not 1*DIGIT, or above 2^63-1
	FlagBadField          = "bad-field"                  // no colon, no token before it, or a control byte in the value
	FlagBadStatusLine     = "bad-status-line"            // begins with "HTTP/" and is no status line, or lacks the space before the reason
	FlagBareCR            = "bare-cr"                    // CR without LF in a head or trailer section
	FlagBareLF            = "bare-lf"                    // a line of a head, chunk or trailer ends in LF alone
	FlagBodyForbidden     = "body-forbidden"             // status 204 announces a body
	FlagChunkExtension    = "chunk-extension"            // something follows a chunk size
	FlagChunkPadding      = "chunk-padding"              // spaces between chunk size and CRLF
	FlagCloseDelimited    = "close-delimited"            // the end of the body is the end of the connection
	FlagConflictingLength = "conflicting-content-length" // unequal Content-Length values
	FlagDuplicateLength   = "duplicate-content-length"   // one Content-Length value, given more than once
	FlagFramingInInterim  = "framing-in-interim"         // a 1xx response carries Content-Length or Transfer-Encoding
	FlagFramingInTrailer  = "framing-in-trailer"         // a trailer section does
	FlagHTTP09            = "http-09"                    // the answer does not begin with "HTTP/"
	FlagHTTP10            = "http-10"                    // the final response is HTTP/1.0
	FlagLengthAndCoding   = "length-and-coding"          // both are present
	FlagNUL               = "nul-in-head"                // a NUL in a head or trailer section
	FlagObsFold           = "obs-fold"                   // a field line begins with white space
	FlagSpaceBeforeColon  = "space-before-colon"         // white space between field name and colon
	FlagSwitching         = "switching-protocols"        // status 101
	FlagTrailers          = "trailers"                   // the trailer section is not empty
	FlagUnknownCoding     = "unknown-transfer-coding"    // a transfer coding other than one final chunked
)

// flag notes one departure, once.
func (l *Layout) flag(word string) {
	if !slices.Contains(l.Flags, word) {
		l.Flags = append(l.Flags, word)
	}
}

// Has reports whether the layout carries the flag.
func (l *Layout) Has(flag string) bool { return slices.Contains(l.Flags, flag) }

// harmless reports whether every flag leaves the end of the message beyond doubt.
func (l *Layout) harmless() bool {
	for _, w := range l.Flags {
		if w != FlagChunkExtension && w != FlagTrailers {
			return false
		}
	}
	return true
}
