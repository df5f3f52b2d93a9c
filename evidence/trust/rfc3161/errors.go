package rfc3161

import (
	"errors"
	"fmt"
)

// Why a token is not accepted. Every error of this package but that of randomness matches exactly one of these.
var (
	ErrSize      = errors.New("timestamp answer is too long")
	ErrForm      = errors.New("timestamp answer is malformed")
	ErrStatus    = errors.New("timestamp was not granted")
	ErrAlgorithm = errors.New("algorithm is not accepted")
	ErrSigner    = errors.New("timestamp has not one signer whose certificate is inside")
	ErrCertID    = errors.New("signed certificate id is not that of the signer")
	ErrUsage     = errors.New("certificate is not one for timestamps alone")
	ErrSignature = errors.New("signature is not good")
	ErrImprint   = errors.New("timestamp is of something else")
	ErrNonce     = errors.New("timestamp answers another query")
	ErrPolicy    = errors.New("timestamp is under another policy")
	ErrTime      = errors.New("time is not plausible")
	ErrChain     = errors.New("chain does not lead to a pinned authority")
)

// StatusError is an authority's refusal; it matches [ErrStatus].
type StatusError struct {
	Status  int64    // PKIStatus; 0 is granted
	Text    []string // what the authority says, at most 16 texts of 256 bytes; anything may stand there
	Failure int      // number of the first bit of PKIFailureInfo, -1 for none
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%v: status %d", ErrStatus, e.Status)
	if e.Failure >= 0 {
		s += fmt.Sprintf(", failure %d", e.Failure)
	}
	for _, t := range e.Text {
		s += fmt.Sprintf(", %q", t)
	}
	return s
}

// Is makes the error match [ErrStatus].
func (e *StatusError) Is(target error) bool { return target == ErrStatus }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrForm, fmt.Sprintf(format, args...))
}
