package wire

import (
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Redacted stands where a secret value was.
const Redacted = "REDACTED"

// Flags of an exchange beyond those of httpblock.
const (
	FlagEarlyResponse    = "early-response"     // the response began before the last piece of the request was sent, or ended before it was taken
	FlagExcess           = "excess-bytes"       // more had been read than belongs to the block: Exchange.Excess
	FlagNoCloseNotify    = "no-close-notify"    // the TLS connection ended without its closing alert
	FlagRequestCut       = "request-cut"        // the request could not be sent whole; the stored one ends where sending did
	FlagSecretInResponse = "secret-in-response" // a secret of the request appears in the response
)

// A Redaction is one place where a stored request says REDACTED in place of what was sent.
type Redaction struct {
	What   string // "header" or "query"
	Name   string // as spelt in the request
	Offset int64  // of the word REDACTED in the stored bytes
	Length int64  // of that word
}

// An Exchange is one request and what came back.
type Exchange struct {
	RequestID string
	Method    string
	URL       string // as requested, secret query values redacted

	Request    []byte // as handed to the connection, secret values redacted
	Redactions []Redaction

	// Response holds what came, from the first byte; the embedded layout says what it is. Layout.End and
	// Layout.Flags hold the words of this package too.
	Response *Block
	httpblock.Layout
	Excess []byte // read beyond the end of the block, not part of it

	Started   time.Time // before the first byte of the request was sent
	Sent      time.Time // after the last one; zero if never
	FirstByte time.Time // of the response; zero if none came
	Ended     time.Time
	Err       string // what broke the connection, empty if nothing did

	Connection *Connection
	Reused     bool  // the connection had carried a request before
	Ordinal    int64 // of the exchange on its connection, from 1

	Strays []Stray // came on idle connections since the exchange before

	cause error
}

// A Stray is what a peer sent on an idle connection.
type Stray struct {
	Connection int64 // its ordinal
	Time       time.Time
	Bytes      []byte // the first read, at most 32 KiB
}

// A Connection is one attempt to reach the origin.
type Connection struct {
	Ordinal     int64  // counted by the recorder from 1
	Address     string // host:port that was dialled: the origin, or the proxy
	RemoteAddr  string // empty if the dial failed
	LocalAddr   string
	Started     time.Time
	Established time.Time  // ready for requests; zero if that failed
	Proxy       *ProxyHop  // nil if there is none
	TLS         *Handshake // with the origin; nil for plain HTTP or if it was not reached
	Err         string     // why the attempt failed
}

// A ProxyHop is the way through a proxy.
type ProxyHop struct {
	URL        string     // scheme and authority, without credentials
	TLS        *Handshake // with the proxy itself; nil for an http proxy
	Request    []byte     // CONNECT as sent, credentials redacted; nil for a plain HTTP origin
	Redactions []Redaction
	Response   []byte // its answer as received
	Status     int
}

// A Handshake is what TLS negotiated and how far the peer was believed.
type Handshake struct {
	ServerName  string
	Version     string // "TLS 1.3"; empty if the handshake failed
	CipherSuite string // IANA name
	ALPN        string
	Chain       [][]byte // DER, as the peer sent it; kept even if it was refused
	Verified    bool
	Pool        string // "system" or "own": whose roots it was verified against
	Err         string
}
