// Package signer signs with keys that this program does not hold: those of an
// ssh-agent and those behind a command.
//
// Both give a [github.com/exhibit-dfir/exhibit/evidence/trust.Signer]. What comes
// back from either is not trusted: [github.com/exhibit-dfir/exhibit/evidence/trust.Sign]
// holds each signature against the verifier key before it becomes part of a note.
package signer

import "errors"

// ErrSigner is matched by errors about an agent or a command that did not sign:
// it cannot be reached, does not have the key, refused, or took too long.
var ErrSigner = errors.New("signer did not sign")
