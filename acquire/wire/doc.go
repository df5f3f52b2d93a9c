// Package wire sends HTTP/1.1 requests and records each exchange as the bytes that crossed the connection,
// inside TLS.
//
// A [Recorder] is a small client over net.Conn. It writes the request bytes itself and finds the end of the response
// with the rules of evidence/httpblock, so that a recorded block is exact by construction: nothing is parsed and
// written again, decoded, merged or repaired. It talks to one origin, follows no redirect and retries nothing.
//
// The order is fixed: the exchange ends, the [Sink] makes it durable, and only then does [Recorder.Do] hand it on.
// Connections are reported to the Sink before any request goes over them, failed ones too, with the certificate chain
// even where it was refused.
//
// # What ends an exchange
//
//	complete          the framing says that the response is whole
//	cut               the peer closed early; over TLS also a close-delimited body without close_notify
//	reset             the connection broke: reset, TLS alert, bad record
//	idle              nothing came for HeaderTimeout before the first byte, or for IdleTimeout after it
//	slow              the head took longer than HeaderTimeout, or the body came slower than MinRate
//	header-budget     heads and trailers above MaxHeader
//	interim-budget    more than MaxInterim 1xx responses
//	body-budget       a body above MaxBody
//	cancelled         the caller's context ended
//	malformed         the framing is ambiguous, and the peer closed or fell silent for AmbiguousWait
//	no-response       the connection ended before one byte came; usual on a reused one
//
// The block holds what came up to that point. Bytes that had been read by then and lie beyond it (after the end, above
// a budget) are [Exchange].Excess. Bytes that arrive on an idle connection answer no request: they are [Stray] bytes, reported
// with the next exchange, and the connection is closed. So no exchange receives what was left of another.
//
// A plain close-delimited body that was cut cannot be told from one that ended; it is complete, with the flag
// "close-delimited".
//
// # Secrets
//
// A stored request differs from the one sent in secret values alone: each is the word REDACTED, and [Redaction] says where.
// Neither the value, its length nor a hash of it reaches an Exchange, a Connection or an error. A request body is stored
// as sent; one that repeats a secret is refused. Response bytes are evidence and stay as they are; a secret of this
// request in them is flagged.
//
// Of Basic authentication the password is a secret too, as it is. A URL that repeats a secret, also in percent escapes, is
// refused before anything is sent.
//
// BUG: secrets shorter than 8 bytes are not looked for in the response or the body, and none is looked for in chunk
// extensions, under a content coding, or in an encoding other than those named here.
package wire
