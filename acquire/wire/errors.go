package wire

import (
	"errors"
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// Errors by identity. ErrTLS and ErrProxy may come together where the handshake with a proxy failed.
var (
	ErrOrigin  = errors.New("URL is not at the allowed origin") // before any byte is sent
	ErrRequest = errors.New("malformed request")                // likewise
	ErrDial    = errors.New("connection failed")                // the transport connection
	ErrTLS     = errors.New("TLS handshake failed")             // verification included
	ErrProxy   = errors.New("proxy refused")                    // the answer to CONNECT was not 2xx or not HTTP
	ErrClosed  = errors.New("recorder is closed")
)

// Ends beyond those of httpblock.
const (
	EndReset     = "reset"
	EndIdle      = "idle"
	EndSlow      = "slow"
	EndCancelled = "cancelled"
)

// An EndError says that an exchange was recorded and is not complete.
type EndError struct {
	End string // one of the words of the package comment
	// Retryable: sending the request again may help and cannot repeat an effect. It is a hint from method and end alone.
	Retryable bool
	Err       error // what the connection or the context said; may be nil
}

func (e *EndError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exchange ended %s", e.End)
	}
	return fmt.Sprintf("exchange ended %s: %v", e.End, e.Err)
}

func (e *EndError) Unwrap() error { return e.Err }

// endError returns the error for an exchange that is not complete.
func endError(x *Exchange, out *outgoing) error {
	if x.End == httpblock.EndComplete {
		return nil
	}
	retryable := false
	switch x.End {
	case httpblock.EndNoResponse, httpblock.EndCut, EndReset, EndIdle, EndSlow:
		switch x.Method {
		case "GET", "HEAD", "OPTIONS":
			retryable = true
		default:
			retryable = out.written == 0
		}
	}
	return &EndError{End: x.End, Retryable: retryable, Err: x.cause}
}
