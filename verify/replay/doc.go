// Package replay answers the requests of a client from a verified container: what was recorded for the same request, byte for byte, and of the Outlook Activities API
// also what can be derived of the recorded activities. docs/replay.md says what the same request is, and what is answered where nothing is recorded.
//
// It knows neither sockets nor TLS: [Archive.Answer] takes a request and gives an answer, [Archive.Serve] does so on a stream that somebody else accepted. It fetches nothing.
package replay
